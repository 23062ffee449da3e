//! Records of a call on their way into files.

use lavka_api::data::Datum;

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
    pub(crate) rows: Vec<usize>,
    /// The rows that were made of them, where these are more than their values.
    pub(crate) made: Vec<Datum>,
    /// The offset of the last of them.
    pub(crate) last: i64,
}
