//! Snapshots: the rows that are there before the stream begins.
//!
//! Tables are read one after the other, each in ranges of its pages by as many connections as `snapshot.max.threads` says,
//! all in one snapshot of the database. Where the slot is new that is the slot's own exported snapshot, so that snapshot
//! and stream meet exactly. What is done of the table that is being read is in every record's offset ([`plan::Progress`]),
//! so that a restart reads again only the ranges that were under way, and of the others the rows that were written since.

mod copy;
mod plan;
mod reader;
mod rows;
mod run;
mod view;

pub(crate) use plan::{Progress, chunks, has_rows_of_its_own, order};
pub(crate) use reader::{TableRead, start};
pub(crate) use run::SnapshotRun;
pub(crate) use view::{Isolation, View, join};
