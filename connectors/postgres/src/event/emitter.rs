//! The stream's records, in its order.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::Result;
use lavka_api::data::{Datum, Headers, SourceRecord, Str, Topic};

use super::plan::TablePlan;
use super::recorder::Recorder;
use super::settings::EventSettings;
use super::transaction;
use crate::model::{Table, TableId, TypeCatalog};
use crate::offset::{MessageType, MovingOffset, Offset, Place, TransactionCounts};
use crate::pgoutput::{Begin, Lsn, Origin, Relation};

/// Where in the stream something is, and when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The start LSN of the frame.
    pub lsn: Lsn,
    /// The wall clock in nanoseconds of the Unix epoch.
    pub now_nanos: i64,
}

/// Turns the stream into records; see the module's page for the order of calls.
#[derive(Debug)]
pub struct Emitter {
    pub(super) recorder: Arc<Recorder>,
    types: TypeCatalog,
    /// By object id; `None` for tables that are not captured.
    pub(super) plans: HashMap<u32, Option<Arc<TablePlan>>>,
    /// The one that was asked for last.
    pub(super) recent: Option<(u32, Option<Arc<TablePlan>>)>,
    pub(super) offset: MovingOffset,
    /// The commit LSN of the transaction that is read.
    pub(super) commit_lsn: Option<Lsn>,
    pub(super) origin: Option<(Str, Lsn)>,
    /// Updates that were left out because they changed nothing.
    pub(super) unchanged: u64,
    transactions: Topic,
    pub(super) messages: Topic,
}

impl Emitter {
    /// An emitter that goes on behind `offset`.
    ///
    /// # Errors
    /// None in practice, see [`Recorder::new`].
    pub fn new(settings: EventSettings, types: TypeCatalog, offset: Offset) -> Result<Self> {
        Ok(Self {
            transactions: transaction::topic(&settings.topics),
            messages: Topic::from(settings.topics.messages()),
            recorder: Arc::new(Recorder::new(settings)?),
            types,
            plans: HashMap::new(),
            offset: MovingOffset::new(offset),
            recent: None,
            commit_lsn: None,
            origin: None,
            unchanged: 0,
        })
    }

    /// What makes records without the stream's state.
    #[must_use]
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// The types, for plans that are made elsewhere.
    #[must_use]
    pub fn types(&self) -> &TypeCatalog {
        &self.types
    }

    /// The types, to add those that were created since.
    pub fn types_mut(&mut self) -> &mut TypeCatalog {
        &mut self.types
    }

    /// How many updates were left out because they changed nothing (`skip.messages.without.change`).
    #[must_use]
    pub fn unchanged(&self) -> u64 {
        self.unchanged
    }

    /// The offset behind the last record.
    #[must_use]
    pub fn offset(&self) -> &Offset {
        &self.offset
    }

    /// The offset, to put in what others know.
    pub fn offset_mut(&mut self) -> &mut Offset {
        &mut self.offset
    }

    /// Whether a table is captured, so that the catalogue has to be asked about it.
    #[must_use]
    pub fn wants(&self, table: &TableId) -> bool {
        self.recorder.settings.tables.takes(table)
    }

    /// The plan of a captured relation.
    #[must_use]
    pub fn plan(&self, relation: u32) -> Option<&Arc<TablePlan>> {
        self.plans.get(&relation)?.as_ref()
    }

    /// Takes a Relation message, with the table as the catalogue has it now (`None` where it is gone).
    ///
    /// # Errors
    /// Where the columns cannot be told apart, or become the same field.
    pub fn relation(&mut self, relation: &Relation<'_>, table: Option<&Table>) -> Result<()> {
        self.recent = None;
        let schema = if relation.schema.is_empty() { "pg_catalog" } else { relation.schema };
        if !self.wants(&TableId::new(schema, relation.name)) {
            self.plans.insert(relation.id, None);
            return Ok(());
        }
        let Recorder { settings, shared, .. } = &*self.recorder;
        let plan = TablePlan::of_relation(relation, table, &self.types, settings, shared)?;
        // The same relation is announced again and again; its schemas stay the same pointers.
        if !self.plan(relation.id).is_some_and(|known| known.is_same(&plan)) {
            self.plans.insert(relation.id, Some(Arc::new(plan)));
        }
        Ok(())
    }

    /// The stream begins at `lsn`: what is said of a snapshot ends, and everything before is processed.
    pub fn start(&mut self, lsn: Lsn) {
        self.offset.snapshot = None;
        self.offset.progress = None;
        self.offset.lsn_proc.get_or_insert(lsn);
    }

    /// A transaction begins. `handed_out` says that its record was handed out before a restart; then its counts go on.
    ///
    /// # Errors
    /// None in practice.
    pub fn begin(
        &mut self,
        begin: &Begin,
        at: At,
        handed_out: bool,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        self.origin = None;
        self.commit_lsn = Some(begin.final_lsn);
        self.offset.lsn = Some(at.lsn);
        self.offset.tx_id = Some(begin.xid.into());
        self.offset.ts_usec = Some(begin.commit_micros);
        self.offset.message_type = Some(MessageType::Begin);
        if !self.recorder.settings.transaction_metadata {
            return Ok(());
        }
        let id = Str::from(itoa::Buffer::new().format(begin.xid));
        if !(handed_out && self.offset.transaction.as_ref().is_some_and(|counts| counts.id == id)) {
            self.offset.transaction = Some(TransactionCounts { id, orders: Vec::new() });
        }
        if handed_out {
            return Ok(());
        }
        self.offset.place = Some(Place { commit: begin.final_lsn, change: 0, record: 1 });
        let Some(counts) = &self.offset.transaction else { return Ok(()) };
        let millis = begin.commit_micros.div_euclid(1000);
        let (key, value) = transaction::begin(counts, at.lsn, millis, &self.recorder.shared)?;
        out.push(self.boundary(key, value));
        Ok(())
    }

    /// The transaction came from another server.
    pub fn origin(&mut self, origin: &Origin<'_>) {
        self.origin = Some((origin.name.into(), origin.lsn));
    }

    /// A transaction ends. `handed_out` says that its record was handed out before a restart.
    ///
    /// # Errors
    /// None in practice.
    pub fn commit(&mut self, at: At, handed_out: bool, out: &mut Vec<SourceRecord>) -> Result<()> {
        self.offset.lsn = Some(at.lsn);
        self.offset.lsn_proc = Some(at.lsn);
        self.offset.lsn_commit = Some(at.lsn);
        self.offset.message_type = Some(MessageType::Commit);
        // Of all that is stored, that the transaction is over says most: no place in it has to be found again.
        self.offset.place = None;
        self.commit_lsn = None;
        if let Some(counts) = self.offset.transaction.as_ref().filter(|_| !handed_out) {
            let millis = self.offset.ts_usec.unwrap_or(0).div_euclid(1000);
            let (key, value) = transaction::end(counts, at.lsn, millis, &self.recorder.shared)?;
            out.push(self.boundary(key, value));
        }
        self.offset.transaction = None;
        Ok(())
    }

    fn boundary(&self, key: Datum, value: Datum) -> SourceRecord {
        self.recorder.record(self.transactions.clone(), key, value, Headers::new(), self.offset.to_map())
    }
}
