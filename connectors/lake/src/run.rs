//! Records of a call on their way into files.

use lavka_api::data::{Datum, SinkRecord, Value};

use crate::companions::CompanionRow;
use crate::partitioner::Partitioner;
use crate::rejections::Rejections;

/// What a call of the task brings along.
pub(crate) struct Call<'a> {
    pub(crate) now: i64,
    pub(crate) partitioner: &'a mut Partitioner,
    pub(crate) rejections: &'a mut Rejections,
}

/// Records on their way into one file: consecutive ones, so that records go into files in the order of their offsets.
/// That is what lets a commit at any point cover everything below an offset.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) file: usize,
    pub(crate) staged: Staged,
    /// The offset of the last of them.
    pub(crate) last: i64,
}

/// The records, and what was made of them. What there is of a kind, there is for each record.
#[derive(Default)]
pub(crate) struct Staged {
    /// Where they are in the batch.
    pub(crate) rows: Vec<usize>,
    /// The rows, where these are more than the records' values.
    made: Vec<Datum>,
    /// The rows of companions.
    keys: Vec<Value>,
    headers: Vec<Value>,
}

impl Staged {
    pub(crate) fn push(&mut self, index: usize, made: Option<Datum>, companion: CompanionRow) {
        self.rows.push(index);
        self.made.extend(made);
        self.keys.extend(companion.key);
        self.headers.extend(companion.headers);
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.made.clear();
        self.keys.clear();
        self.headers.clear();
    }

    /// The rows from number `first` on, as they go into the objects with the values.
    pub(crate) fn data<'a>(
        &'a self,
        batch: &'a [SinkRecord],
        first: usize,
    ) -> impl Iterator<Item = &'a Datum> {
        let rows = self.rows.get(first..).unwrap_or_default().iter().enumerate();
        rows.filter_map(move |(i, &index)| match self.made.get(first + i) {
            Some(made) => Some(made),
            None => Some(&batch.get(index)?.record.value),
        })
    }

    pub(crate) fn keys(&self, first: usize) -> &[Value] {
        self.keys.get(first..).unwrap_or_default()
    }

    pub(crate) fn headers(&self, first: usize) -> &[Value] {
        self.headers.get(first..).unwrap_or_default()
    }
}
