//! The public face: rows in, batches out.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema as ArrowSchema, SchemaRef};
use lavka_api::data::{Schema, Type, Value};
use lavka_api::{Error, Result};

use crate::infer::{Change, Inferred};
use crate::misfit::{Fitted, Misfit};
use crate::record::Record;

/// Rows that are appended column by column at a time: few enough for their values to stay in the processor's nearest
/// cache from one column to the next.
const BLOCK: usize = 64;

/// Collects rows in columns and hands them out as Arrow batches.
///
/// ```
/// use lavka_api::data::{Object, Value};
/// use lavka_columnar::{BatchBuilder, Refusal};
///
/// let rows = [
///     Value::from(Object::from_entries([("id", Value::Int64(1)), ("t", Value::Int64(20))])),
///     Value::from(Object::from_entries([("id", Value::Int64(2)), ("t", Value::Float64(20.5))])),
///     Value::from(Object::from_entries([("id", Value::from("three"))])),
/// ];
/// let mut builder = BatchBuilder::inferred(None);
/// let taken = builder.append(&rows.iter().collect::<Vec<_>>());
/// assert_eq!(taken.rows, 2);
/// let Some(Refusal::Row(error)) = taken.refusal else { panic!() };
/// assert_eq!(
///     error.message(),
///     Some("field \"id\": a value of type STRING conflicts with INT64, the type inferred so far")
/// );
/// let batch = builder.finish()?;
/// assert_eq!((batch.num_rows(), batch.num_columns()), (2, 2));
/// # Ok::<(), lavka_api::Error>(())
/// ```
#[derive(Debug)]
pub struct BatchBuilder {
    columns: Record,
    rows: usize,
    inferred: Option<Inferred>,
    fixed: Option<SchemaRef>,
}

/// How far [`BatchBuilder::append`] came.
#[derive(Debug)]
pub struct Appended {
    /// How many of the given rows were taken, from the first on.
    pub rows: usize,
    /// Why the next one was not; `None` if all were taken.
    pub refusal: Option<Refusal>,
}

/// Why a row was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// The row itself is at fault: a data error with the field's path. Rows after it may be fine.
    Row(Error),
    /// The row is fine but needs another layout than the one that the first batch has fixed: go on with it in a new
    /// builder, made from [`BatchBuilder::inferred_layout`].
    Layout,
    /// The columns are as long as Arrow allows: finish the batch, then append the row again. (A row that is too long
    /// by itself is at fault itself.)
    Full,
}

impl BatchBuilder {
    /// A builder whose columns are the fields of `schema`.
    ///
    /// Takes structs of that schema, structs of others (fields go by name; what is missing is null or the default) and
    /// schemaless objects (likewise; keys that the schema does not have are left out, as JsonConverter does).
    ///
    /// # Errors
    /// A data error where `schema` is not a struct's, or has a field that no column can hold (a struct without fields,
    /// a decimal with a scale outside 0 to 38, nesting beyond 64 levels).
    pub fn declared(schema: &Schema) -> Result<Self> {
        if schema.ty() != Type::Struct {
            return Err(Error::data(format!("a value of type {} is not a record with fields", schema.ty())));
        }
        let columns = Record::of_schema(schema, "", 0)?;
        let fixed = SchemaRef::new(ArrowSchema::new(columns.fields()));
        Ok(Self { columns, rows: 0, inferred: None, fixed: Some(fixed) })
    }

    /// A builder that infers its columns from schemaless objects, starting from what is `known` of them.
    #[must_use]
    pub fn inferred(known: Option<&Inferred>) -> Self {
        let layout = known.cloned().unwrap_or_default();
        let mut columns = Record::inferred();
        columns.conform(layout.fields(), 0);
        Self { columns, rows: 0, inferred: Some(layout), fixed: None }
    }

    /// Appends rows until one is refused.
    pub fn append(&mut self, rows: &[&Value]) -> Appended {
        let mut done = 0;
        while let Some((run, fields)) = next_run(rows.get(done..).unwrap_or_default()) {
            let fields = fields.get(..run.len()).unwrap_or_default();
            if self.append_block(run, fields).is_ok() {
                done += run.len();
                continue;
            }
            for row in run {
                if let Err(refusal) = self.append_row(row) {
                    return Appended { rows: done, refusal: Some(refusal) };
                }
                done += 1;
            }
        }
        let refusal = rows.get(done).map(|row| {
            let found = crate::misfit::type_name(row);
            Refusal::Row(Error::data(format!("a value of type {found} is not a record with fields")))
        });
        Appended { rows: done, refusal }
    }

    /// Appends rows of one source, all or none.
    fn append_block(&mut self, run: &[&Value], fields: &[&[Value]]) -> Fitted {
        let Some(sample) = run.first() else { return Ok(()) };
        let outcome = self.columns.extend(sample, fields);
        match outcome {
            Ok(()) => self.rows += run.len(),
            Err(_) => self.columns.truncate(self.rows),
        }
        outcome
    }

    /// Appends a row of a block that did not go in as a whole, widening the layout where that is what it takes.
    fn append_row(&mut self, row: &Value) -> Result<(), Refusal> {
        let fields = Record::fields_of(row).unwrap_or_default();
        let Err(misfit) = self.append_block(&[row], &[fields]) else { return Ok(()) };
        if misfit.is_full() && self.rows > 0 {
            return Err(Refusal::Full);
        }
        let refused = |misfit: Misfit| Refusal::Row(misfit.into_error());
        let Some(layout) = &self.inferred else { return Err(refused(misfit)) };
        let mut layout = layout.clone();
        let change = layout.merge(row).map_err(refused)?;
        if change == Change::Visible && self.fixed.is_some() {
            return Err(Refusal::Layout);
        }
        self.columns.conform(layout.fields(), self.rows);
        self.inferred = Some(layout);
        self.append_block(&[row], &[fields])
            .map_err(|misfit| if misfit.is_full() && self.rows > 0 { Refusal::Full } else { refused(misfit) })
    }

    /// Takes back the last `count` rows that were taken since the last batch. What was inferred from them stays.
    pub fn take_back(&mut self, count: usize) {
        self.rows = self.rows.saturating_sub(count);
        self.columns.truncate(self.rows);
    }

    /// Rows taken since the last batch.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes held for those rows, roughly.
    #[must_use]
    pub fn heap_size(&self) -> usize {
        self.columns.heap_size()
    }

    /// Bytes set aside, roughly: for those rows, and for as many more as the batch before had.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.columns.reserved()
    }

    /// Gives back what is set aside beyond the rows that are there.
    pub fn release(&mut self) {
        self.columns.release();
    }

    /// The layout inferred so far, `None` for a declared one. After [`Refusal::Layout`] it does not include the
    /// refused row yet.
    #[must_use]
    pub fn inferred_layout(&self) -> Option<&Inferred> {
        self.inferred.as_ref()
    }

    /// The Arrow schema of the batches. Asking for it fixes an inferred layout.
    pub fn arrow_schema(&mut self) -> SchemaRef {
        let columns = &self.columns;
        Arc::clone(self.fixed.get_or_insert_with(|| SchemaRef::new(ArrowSchema::new(columns.fields()))))
    }

    /// The rows taken since the last batch, as a batch. Fixes an inferred layout. A batch of an inferred layout may
    /// have no columns at all, if no row had a value so far.
    ///
    /// # Errors
    /// Where Arrow refuses the columns, which would be a defect here: a fatal error.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let schema = self.arrow_schema();
        let rows = std::mem::take(&mut self.rows);
        self.columns
            .finish(schema.fields())
            .and_then(|(columns, _)| {
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                RecordBatch::try_new_with_options(schema, columns, &options)
            })
            .map_err(|error| Error::fatal(format!("rows do not make an Arrow batch: {error}")))
    }
}

/// The rows at the front that share a source, at most [`BLOCK`], with their fields; `None` where there are none or the
/// first has no fields.
fn next_run<'a, 'v>(rows: &'a [&'v Value]) -> Option<(&'a [&'v Value], [&'v [Value]; BLOCK])> {
    let mut fields: [&[Value]; BLOCK] = [&[]; BLOCK];
    let sample = *rows.first()?;
    let mut len = 0;
    for (slot, row) in fields.iter_mut().zip(rows) {
        if !Record::same_source(sample, row) {
            break;
        }
        *slot = Record::fields_of(row)?;
        len += 1;
    }
    if len == 0 { None } else { Some((rows.get(..len)?, fields)) }
}
