//! Transforms and predicates.

use crate::data::Record;
use crate::error::Result;

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
pub trait Transform: Send {
    /// Changes `record` in place, or drops it. On an error the record is left as it was, because a retriable error is
    /// tried again with it.
    fn apply(&mut self, record: &mut Record) -> Result<Verdict>;

    /// As `apply` for every record, one verdict each, in order. For transforms that gain from many at once.
    fn apply_batch(&mut self, records: &mut [&mut Record]) -> Vec<Result<Verdict>> {
        records.iter_mut().map(|record| self.apply(record)).collect()
    }
}

/// A condition on records.
pub trait Predicate: Send {
    /// Whether it holds for `record`.
    fn test(&mut self, record: &Record) -> Result<bool>;
}
