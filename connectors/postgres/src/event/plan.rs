//! What is worked out once for a table, so that a row costs little.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use lavka_api::data::{Schema, Str, Topic, Value};
use lavka_api::{Error, Result};

use super::settings::EventSettings;
use crate::model::{Column, Table, TableId, TypeCatalog, oid};
use crate::pgoutput::Relation;
use crate::schema::{SharedSchemas, SourceColumn, TextMapper, envelope};
use crate::types::{Codec, ColumnType, Precision, driver_type_name, schema_default};

/// How the rows of one table become records.
#[derive(Debug)]
pub struct TablePlan {
    pub(super) table: TableId,
    /// `schema.table`.
    pub(super) qualified: Str,
    pub(super) topic: Topic,
    /// One for each column of a row, in the row's order.
    pub(super) columns: Vec<ColumnPlan>,
    pub(super) row_schema: Schema,
    pub(super) row_fields: usize,
    pub(super) key: Option<KeyPlan>,
    pub(super) envelope: Schema,
}

/// What the rules for columns take for a column's length. Debezium has it from two calls of the JDBC driver, which differ
/// on a `numeric` without precision.
#[derive(Clone, Copy)]
enum Lengths {
    /// In snapshots: as `DatabaseMetaData.getColumns` lists it, 0 for such a `numeric`.
    OfCatalogue,
    /// In the stream: as the driver knows it of the type.
    OfTypes,
}

impl Lengths {
    fn of(self, column: &Column, ty: &ColumnType) -> Precision {
        let bare = column.type_oid == oid::NUMERIC && column.type_modifier < 0;
        match self {
            Self::OfCatalogue if bare => Precision { length: 0, ..ty.precision },
            _ => ty.precision,
        }
    }
}

/// The key of a table's records.
#[derive(Debug)]
pub(super) struct KeyPlan {
    pub(super) schema: Schema,
    /// Columns, with which the key begins.
    pub(super) columns: usize,
    /// The name of the table, where tables share a topic: the last field.
    pub(super) table: Option<Str>,
}

impl KeyPlan {
    /// How many fields it has.
    pub(super) fn fields(&self) -> usize {
        self.columns + usize::from(self.table.is_some())
    }
}

/// How the texts of one column become values.
#[derive(Debug)]
pub(super) struct ColumnPlan {
    pub(super) name: Str,
    /// Its field of the row, if it is part of it; fields are in the order of columns.
    pub(super) row: Option<FieldPlan>,
    /// Its place in the key, if it is part of it.
    pub(super) key: Option<(usize, FieldPlan)>,
    /// What it was compiled from, to tell whether it is still the same.
    compiled_from: Column,
    warned: AtomicBool,
}

/// How the texts of one column become values of one field.
#[derive(Debug)]
pub(super) struct FieldPlan {
    pub(super) codec: Codec,
    /// What null becomes: null, or what stands for it in a field that has no null.
    pub(super) null: Value,
    /// What stands for a value that the server did not send.
    pub(super) unavailable: Option<Value>,
    pub(super) mapper: Option<TextMapper>,
}

impl ColumnPlan {
    /// Whether this is the first time that somebody asks.
    pub(super) fn warns_first(&self) -> bool {
        !self.warned.swap(true, Ordering::Relaxed)
    }
}

impl TablePlan {
    /// The table.
    #[must_use]
    pub fn table(&self) -> &TableId {
        &self.table
    }

    /// The names of the columns in the order in which rows have to bring them.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The schema of keys; `None` for a table without key.
    #[must_use]
    pub fn key_schema(&self) -> Option<&Schema> {
        self.key.as_ref().map(|key| &key.schema)
    }

    /// The schema of values.
    #[must_use]
    pub fn value_schema(&self) -> &Schema {
        &self.envelope
    }

    /// Whether both make the same records of the same rows.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let columns = |plan: &Self| plan.columns.len();
        self.table == other.table
            && columns(self) == columns(other)
            && self.row_schema == other.row_schema
            && self.key_schema() == other.key_schema()
            && self.columns.iter().zip(&other.columns).all(|(a, b)| a.compiled_from == b.compiled_from)
    }

    /// The plan of a relation: the columns and their types are the message's, the rest is the catalogue's. A column that
    /// the catalogue does not know any more may be null; without the table the key is the replica identity's.
    pub(super) fn of_relation(
        relation: &Relation<'_>,
        table: Option<&Table>,
        types: &TypeCatalog,
        settings: &EventSettings,
        shared: &SharedSchemas,
    ) -> Result<Self> {
        let columns = relation.columns.iter().enumerate().map(|(index, column)| {
            let known = table.and_then(|table| table.column(column.name));
            Column {
                name: column.name.into(),
                type_oid: column.type_oid,
                type_modifier: column.type_modifier,
                optional: known.is_none_or(|known| known.optional),
                default: known.and_then(|known| known.default.clone()),
                generated: known.is_some_and(|known| known.generated),
                comment: known.and_then(|known| known.comment.clone()),
                position: i16::try_from(index + 1).unwrap_or(i16::MAX),
            }
        });
        let key: Vec<Str> = match table {
            Some(table) => table.key.clone(),
            None => relation
                .columns
                .iter()
                .filter(|column| column.is_key)
                .map(|column| column.name.into())
                .collect(),
        };
        let schema = if relation.schema.is_empty() { "pg_catalog" } else { relation.schema };
        let id = TableId::new(schema, relation.name);
        Self::compile(id, columns.collect(), &key, Lengths::OfTypes, types, settings, shared)
    }

    /// The plan of a table as the catalogue has it, with generated columns: for snapshots.
    pub(super) fn of_table(
        table: &Table,
        types: &TypeCatalog,
        settings: &EventSettings,
        shared: &SharedSchemas,
    ) -> Result<Self> {
        let columns = table.columns.clone();
        Self::compile(table.id.clone(), columns, &table.key, Lengths::OfCatalogue, types, settings, shared)
    }

    fn compile(
        table: TableId,
        columns: Vec<Column>,
        key: &[Str],
        lengths: Lengths,
        types: &TypeCatalog,
        settings: &EventSettings,
        shared: &SharedSchemas,
    ) -> Result<Self> {
        distinct_names(&table, &columns)?;
        let names = columns.iter().map(|column| column.name.as_str());
        let key_positions = settings.keys.positions(&table, names).unwrap_or_else(|| {
            key.iter().filter_map(|name| columns.iter().position(|column| column.name == *name)).collect()
        });
        let topic = settings.topics.table(&table);
        let mut row =
            Schema::structure().name(settings.schema_names.schema_name(&format!("{topic}.Value")).as_ref());
        let mut plans = Vec::with_capacity(columns.len());
        let mut row_fields = 0;
        for column in columns {
            let field = match settings.columns.takes(&table, &column.name) {
                true => field(&table, &column, types, settings, Some(lengths))?,
                false => None,
            };
            let field = field.map(|(schema, field)| {
                row_fields += 1;
                row = row.clone().field(settings.field_names.field_name(&column.name).as_ref(), schema);
                field
            });
            plans.push(ColumnPlan {
                name: column.name.clone(),
                row: field,
                key: None,
                compiled_from: column,
                warned: AtomicBool::new(false),
            });
        }
        let row_schema = row.optional().build()?;
        let key = key_plan(&table, &topic, &key_positions, &mut plans, types, settings)?;
        let envelope_name = format!("{topic}.Envelope");
        let envelope = envelope(&settings.schema_names.schema_name(&envelope_name), &row_schema, shared)?;
        let qualified = Str::from(table.to_string());
        Ok(Self {
            table,
            qualified,
            topic: topic.into(),
            columns: plans,
            row_schema,
            row_fields,
            key,
            envelope,
        })
    }
}

fn key_plan(
    table: &TableId,
    topic: &str,
    positions: &[usize],
    plans: &mut [ColumnPlan],
    types: &TypeCatalog,
    settings: &EventSettings,
) -> Result<Option<KeyPlan>> {
    let mut key =
        Schema::structure().name(settings.schema_names.schema_name(&format!("{topic}.Key")).as_ref());
    let mut columns = 0;
    for &position in positions {
        let Some(plan) = plans.get_mut(position) else { continue };
        // Without its rules: a masked key would be one key for all rows.
        let Some((schema, field)) = field(table, &plan.compiled_from, types, settings, None)? else {
            continue;
        };
        key = key.field(settings.field_names.field_name(&plan.name).as_ref(), schema);
        plan.key = Some((columns, field));
        columns += 1;
    }
    let shared_topic = settings.topics.key_field(table);
    if columns == 0 && shared_topic.is_none() {
        return Ok(None);
    }
    if let Some((name, _)) = &shared_topic {
        key = key.field(*name, Schema::of(lavka_api::data::Type::String));
    }
    let table = shared_topic.map(|(_, value)| Str::from(value));
    Ok(Some(KeyPlan { schema: key.build()?, columns, table }))
}

/// The schema of a column's field and how its texts become its values; `None` for types that are left out. Without
/// `mapped_by` the rules for columns do not apply.
fn field(
    table: &TableId,
    column: &Column,
    types: &TypeCatalog,
    settings: &EventSettings,
    mapped_by: Option<Lengths>,
) -> Result<Option<(Schema, FieldPlan)>> {
    let Some(ty) = ColumnType::of(types, column.type_oid, column.type_modifier, &settings.conversions) else {
        tracing::warn!(%table, column = %column.name, "the column is left out: its type is not supported (see include.unknown.datatypes)");
        return Ok(None);
    };
    let declared = types.get(column.type_oid).map_or("", |ty| ty.name.as_str());
    let type_name = driver_type_name(column.type_oid, declared, column.default.as_deref());
    let mapper = mapped_by.and_then(|lengths| {
        Some((settings.mappers.of(table, &column.name, type_name)?, lengths.of(column, &ty)))
    });
    let mut schema = ty.schema.clone();
    if let Some((mapper, precision)) = mapper {
        schema = mapper.describe(
            schema,
            &SourceColumn {
                name: &column.name,
                type_name,
                comment: column.comment.as_deref().filter(|_| settings.comments),
                precision,
            },
        );
    }
    schema = schema.optional_if(column.optional);
    if settings.comments && column.comment.is_some() {
        schema = schema.doc_if(column.comment.clone());
    }
    let default = schema_default(column, types, &ty);
    let schema = schema.default_value(default.clone()).build()?;
    let mut codec = ty.codec.clone();
    codec.bind(&schema);
    let null = match column.optional {
        true => Value::Null,
        false => default.unwrap_or_else(|| codec.zero()),
    };
    let unavailable = ty.unavailable(&schema, &settings.conversions);
    let mapper = mapper.and_then(|(mapper, precision)| mapper.values(&ty, precision));
    Ok(Some((schema, FieldPlan { codec, null, unavailable, mapper })))
}

/// Refuses names that differ by their case alone: whoever reads the records could not tell the columns apart in many
/// systems, and Debezium refuses them.
fn distinct_names(table: &TableId, columns: &[Column]) -> Result<()> {
    let mut seen = HashSet::with_capacity(columns.len());
    match columns.iter().find(|column| !seen.insert(column.name.to_lowercase())) {
        None => Ok(()),
        Some(column) => Err(Error::fatal(format!(
            "The table {table} has columns that differ by case alone, one of them {}: rename it or leave the table out \
             (table.exclude.list)",
            column.name
        ))),
    }
}
