//! From changes to records: the part between the decoder and Connect.
//!
//! # Protocol
//!
//! Whoever reads the stream owns an [`Emitter`] and tells it, in the order of the stream:
//!
//! 1. [`start`](Emitter::start) once, with the LSN at which the stream begins.
//! 2. [`relation`](Emitter::relation) for each Relation message, with the table as the catalogue has it now (optionality,
//!    defaults and the primary key are not in the message). It compiles a [`TablePlan`]; a table that filters leave out
//!    costs nothing from then on, and [`wants`](Emitter::wants) says beforehand whether the catalogue has to be asked.
//! 3. [`begin`](Emitter::begin), [`origin`](Emitter::origin) where one comes, [`change`](Emitter::change) for each insert,
//!    update, delete, truncate and logical message, [`commit`](Emitter::commit). Each appends its records to a list.
//!
//! Each call is given the LSN of the frame (the start LSN of its XLogData header, which is the `lsn` of the record) and the
//! time of the wall clock in nanoseconds: nothing here reads a clock. The emitter keeps the [`Offset`] and writes it into
//! every record; [`offset`](Emitter::offset) shows it and [`offset_mut`](Emitter::offset_mut) takes what others know
//! (`xmin`, the state of an incremental snapshot).
//!
//! Rows of snapshots do not pass through the stream's state: [`Recorder::snapshot_row`] takes an offset, so that several
//! threads can make records at once. The recorder is shared: [`Emitter::recorder`].
//!
//! # Invariants
//!
//! - A plan is compiled once per relation; per change nothing is looked up by name, and schemas are clones of a pointer.
//! - A call that fails has appended nothing.
//! - Values of columns are in no error text and no log line.

mod change;
mod emitter;
mod plan;
mod position;
mod recorder;
mod row;
mod settings;
mod snapshot;
mod transaction;

pub use change::Change;
pub use emitter::{At, Emitter};
pub use plan::TablePlan;
pub use recorder::Recorder;
pub use settings::{ContextHeaders, EventSettings, OnUnconvertible, SkippedOperations};
pub use snapshot::{ReadKind, SnapshotMarker};
