//! Transforms and predicates.

use crate::data::Record;
use crate::error::Result;

use super::Remark;

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Keep,
    /// It is dropped, which counts as delivered.
    Drop,
}

/// A transformation of single records. Every task has its own instance, which may keep plans: compiled once per
/// schema or shape, found again by pointer.
///
/// A transform leaves alone what does not concern it: records without the field, tombstones. What it gives must not
/// depend on the records before.
///
/// ```
/// use lavka_api::Result;
/// use lavka_api::data::{Record, Schema, Struct, Value};
/// use lavka_api::plugin::{Transform, Verdict};
///
/// /// Takes the field `secret` out of structs.
/// #[derive(Default)]
/// struct DropSecret {
///     /// The last schema, where its field is, and the schema without it.
///     plan: Option<(Schema, usize, Schema)>,
/// }
///
/// impl Transform for DropSecret {
///     fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
///         let Value::Struct(old) = &record.value.value else { return Ok(Verdict::Keep) };
///         let Some(at) = old.schema().index_of("secret") else { return Ok(Verdict::Keep) };
///         let known = self.plan.as_ref().filter(|(from, _, _)| from.same(old.schema()));
///         let (_, at, to) = match known {
///             Some(plan) => plan,
///             None => {
///                 // Once per schema, not per record.
///                 let to = old.schema().to_builder().retain_fields(|field| *field.name() != "secret").build()?;
///                 self.plan.insert((old.schema().clone(), at, to))
///             }
///         };
///         let Value::Struct(old) = record.value.value.take() else { return Ok(Verdict::Keep) };
///         let values = old.into_values().into_iter().enumerate();
///         let kept: Vec<Value> = values.filter(|(i, _)| i != at).map(|(_, value)| value).collect();
///         record.value = lavka_api::data::Datum::new(to.clone(), Struct::new(to.clone(), kept)?);
///         Ok(Verdict::Keep)
///     }
/// }
/// # use lavka_api::data::{Datum, Type};
/// # let schema = Schema::structure()
/// #     .field("a", Schema::of(Type::Int8)).field("secret", Schema::of(Type::String)).build()?;
/// # let mut record = Record::for_topic("t");
/// # record.value = Datum::new(schema.clone(), Struct::new(schema, [Value::Int8(1), "x".into()])?);
/// # DropSecret::default().apply(&mut record)?;
/// # let Value::Struct(left) = record.value.value else { unreachable!() };
/// # assert_eq!(left.values(), [Value::Int8(1)]);
/// # Ok::<(), lavka_api::Error>(())
/// ```
pub trait Transform: Send {
    /// Changes `record` in place, or drops it. On an error the record is left as it was, because a retriable error is
    /// tried again with it.
    fn apply(&mut self, record: &mut Record) -> Result<Verdict>;

    /// As `apply` for every record, one verdict each, in order. For transforms that gain from many at once.
    fn apply_batch(&mut self, records: &mut [&mut Record]) -> Vec<Result<Verdict>> {
        records.iter_mut().map(|record| self.apply(record)).collect()
    }

    /// What there is to say about the records since the last call, for the log; see [`Remarks`](super::Remarks). Called
    /// after each batch.
    fn take_remarks(&mut self) -> Vec<Remark> {
        Vec::new()
    }
}

/// A condition on records.
pub trait Predicate: Send {
    /// Whether it holds for `record`.
    fn test(&mut self, record: &Record) -> Result<bool>;
}
