//! The stream's records, in its order.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::data::{Datum, Header, Headers, SourceRecord, Str, Struct, Topic, Value};
use lavka_api::{Error, Result};

use super::plan::TablePlan;
use super::position::Source;
use super::recorder::{Recorder, key_datum};
use super::row::Row;
use super::settings::EventSettings;
use super::transaction;
use crate::model::{Table, TableId, TypeCatalog};
use crate::offset::{MessageType, Offset, Place, TransactionCounts};
use crate::pgoutput::{
    Begin, Delete, Insert, LogicalMessage, Lsn, OldTuple, Origin, Relation, Truncate, Tuple, Update,
};

/// A change of the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change<'a> {
    /// A row was inserted.
    Insert(Insert<'a>),
    /// A row was updated.
    Update(Update<'a>),
    /// A row was deleted.
    Delete(Delete<'a>),
    /// Tables were emptied.
    Truncate(Truncate<'a>),
    /// A message was written to the log.
    Logical(LogicalMessage<'a>),
}

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
    recorder: Arc<Recorder>,
    types: TypeCatalog,
    /// By object id; `None` for tables that are not captured.
    plans: HashMap<u32, Option<Arc<TablePlan>>>,
    offset: Offset,
    /// The commit LSN of the transaction that is read.
    commit_lsn: Option<Lsn>,
    origin: Option<(Str, Lsn)>,
    transactions: Topic,
    messages: Topic,
}

/// The records of one change on their way: those that were handed out before are counted and left out.
struct Batch<'a> {
    out: &'a mut Vec<SourceRecord>,
    /// How many of the change's records were handed out before.
    handed_out: u64,
    made: u64,
}

impl Batch<'_> {
    /// Counts a record; whether it is to be made.
    fn next(&mut self) -> bool {
        self.made += 1;
        self.made > self.handed_out
    }
}

/// A change of one row, taken apart.
struct RowChange {
    op: &'static str,
    key: Option<Struct>,
    before: Option<Struct>,
    after: Option<Struct>,
    header: Option<Header>,
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
            offset,
            commit_lsn: None,
            origin: None,
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

    /// A change, number `number` (from 1) of its transaction, of which `handed_out` records were handed out before a
    /// restart.
    ///
    /// # Errors
    /// Where the relation was not announced, a row does not fit it, a key cannot be read, or a column cannot be converted
    /// and the configuration says that this is fatal.
    pub fn change(
        &mut self,
        change: &Change<'_>,
        number: u64,
        handed_out: u64,
        at: At,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let length = out.len();
        let before = self.offset.clone();
        let place = self.commit_lsn.map(|commit| Place { commit, change: number, record: 0 });
        let mut batch = Batch { out, handed_out, made: 0 };
        let result = match change {
            Change::Insert(insert) => self.insert(insert, place, at, &mut batch),
            Change::Update(update) => self.update(update, place, at, &mut batch),
            Change::Delete(delete) => self.delete(delete, place, at, &mut batch),
            Change::Truncate(truncate) => self.truncate(truncate, place, at, &mut batch),
            Change::Logical(message) => self.logical(message, place, at, &mut batch),
        };
        if result.is_err() {
            out.truncate(length);
            self.offset = before;
        }
        result
    }

    /// The plan of a relation that a change is of; `None` where it is not captured.
    fn plan_of(&self, relation: u32) -> Result<Option<Arc<TablePlan>>> {
        match self.plans.get(&relation) {
            Some(plan) => Ok(plan.clone()),
            None => Err(Error::fatal(format!(
                "The replication stream has a change of a relation (object id {relation}) that it did not announce"
            ))),
        }
    }

    fn moved(&mut self, at: At, message_type: MessageType) {
        self.offset.lsn = Some(at.lsn);
        self.offset.lsn_proc = Some(at.lsn);
        self.offset.message_type = Some(message_type);
    }

    fn insert(
        &mut self,
        insert: &Insert<'_>,
        place: Option<Place>,
        at: At,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        self.moved(at, MessageType::Insert);
        let Some(plan) = self.plan_of(insert.relation)? else { return Ok(()) };
        if self.recorder.settings.skipped.create {
            return Ok(());
        }
        let Row { row, key } = self.row(&plan, insert.new, None)?;
        let change = RowChange { op: "c", key, before: None, after: Some(row), header: None };
        let source = self.source(&plan, at)?;
        self.push(&plan, change, source, place, at, batch)
    }

    fn update(
        &mut self,
        update: &Update<'_>,
        place: Option<Place>,
        at: At,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        self.moved(at, MessageType::Update);
        let Some(plan) = self.plan_of(update.relation)? else { return Ok(()) };
        let new = self.row(&plan, update.new, update.old)?;
        let old = match update.old {
            Some(old) => Some(self.row(&plan, old.tuple(), None)?),
            None => None,
        };
        let Recorder { settings, .. } = &*self.recorder;
        if settings.skip_unchanged && old.as_ref().is_some_and(|old| old.row == new.row) {
            return Ok(());
        }
        let (skipped, tombstones) = (settings.skipped, settings.tombstones);
        let source = self.source(&plan, at)?;
        match old {
            Some(Row { row: before, key: Some(old_key) }) if Some(&old_key) != new.key.as_ref() => {
                let key_header = |name: &'static str, key: Option<Struct>| {
                    Some(Header { key: Str::from_static(name), datum: key_datum(key) })
                };
                if !skipped.delete {
                    let header = key_header("__debezium.newkey", new.key.clone());
                    let key = Some(old_key.clone());
                    let change =
                        RowChange { op: "d", key, before: Some(before), after: None, header: header.clone() };
                    self.push(&plan, change, source.clone(), place, at, batch)?;
                    if tombstones {
                        self.push_tombstone(&plan, Some(old_key.clone()), header, place, batch);
                    }
                }
                if !skipped.create {
                    let header = key_header("__debezium.oldkey", Some(old_key));
                    let change =
                        RowChange { op: "c", key: new.key, before: None, after: Some(new.row), header };
                    self.push(&plan, change, source, place, at, batch)?;
                }
                Ok(())
            }
            _ if skipped.update => Ok(()),
            old => {
                let before = old.map(|old| old.row);
                let change = RowChange { op: "u", key: new.key, before, after: Some(new.row), header: None };
                self.push(&plan, change, source, place, at, batch)
            }
        }
    }

    fn delete(
        &mut self,
        delete: &Delete<'_>,
        place: Option<Place>,
        at: At,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        self.moved(at, MessageType::Delete);
        let Some(plan) = self.plan_of(delete.relation)? else { return Ok(()) };
        if self.recorder.settings.skipped.delete {
            return Ok(());
        }
        let Row { row, key } = self.row(&plan, delete.old.tuple(), None)?;
        let tombstones = self.recorder.settings.tombstones;
        let change = RowChange { op: "d", key: key.clone(), before: Some(row), after: None, header: None };
        let source = self.source(&plan, at)?;
        self.push(&plan, change, source, place, at, batch)?;
        if tombstones {
            self.push_tombstone(&plan, key, None, place, batch);
        }
        Ok(())
    }

    fn truncate(
        &mut self,
        truncate: &Truncate<'_>,
        place: Option<Place>,
        at: At,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        self.offset.lsn = Some(at.lsn);
        self.offset.message_type = Some(MessageType::Truncate);
        let mut plans = Vec::new();
        for relation in truncate.relations() {
            plans.extend(self.plan_of(relation)?);
        }
        let skipped = self.recorder.settings.skipped.truncate;
        let last = plans.len().saturating_sub(1);
        for (index, plan) in plans.iter().enumerate() {
            if index == last {
                self.offset.lsn_proc = Some(at.lsn);
            }
            if !skipped {
                let change = RowChange { op: "t", key: None, before: None, after: None, header: None };
                let source = self.source(plan, at)?;
                self.push(plan, change, source, place, at, batch)?;
            }
        }
        Ok(())
    }

    fn logical(
        &mut self,
        message: &LogicalMessage<'_>,
        place: Option<Place>,
        at: At,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        self.offset.lsn = Some(at.lsn);
        self.offset.message_type = Some(MessageType::Message);
        if !message.transactional {
            self.offset.tx_id = None;
            self.offset.lsn_proc = Some(at.lsn);
            self.offset.lsn_commit = Some(at.lsn);
            self.offset.place = None;
        }
        let recorder = Arc::clone(&self.recorder);
        let Recorder { settings, shared, .. } = &*recorder;
        let included = settings.message_include.as_ref().is_none_or(|list| list.matches(message.prefix));
        let excluded = settings.message_exclude.as_ref().is_some_and(|list| list.matches(message.prefix));
        if !included || excluded || !batch.next() {
            return Ok(());
        }
        let prefix = Value::from(message.prefix);
        let content = settings.conversions.binary.value(message.content);
        let block = Struct::new(shared.message_block.clone(), vec![prefix.clone(), content])?;
        let source = self.source_block(&Str::default(), &Str::default(), at)?;
        let counts = if message.transactional { self.offset.transaction.as_mut() } else { None };
        let name = Str::from_static(transaction::MESSAGES);
        let transaction = match counts {
            Some(counts) => Some(transaction::counted(counts, &name, at.lsn, shared)?),
            None => None,
        };
        let fields = vec![
            Value::from("m"),
            Value::Int64(at.now_nanos.div_euclid(1_000_000)),
            Value::from(source),
            transaction.into(),
            Value::from(block),
        ];
        let value =
            Datum::new(shared.message_value.clone(), Struct::new(shared.message_value.clone(), fields)?);
        let key =
            Datum::new(shared.message_key.clone(), Struct::new(shared.message_key.clone(), vec![prefix])?);
        if message.transactional {
            self.offset.place = place.map(|place| Place { record: batch.made, ..place });
        } else {
            self.offset.transaction = None;
        }
        let offset = self.offset.to_map();
        batch.out.push(recorder.record(self.messages.clone(), key, value, Headers::new(), offset));
        Ok(())
    }

    fn row(&self, plan: &TablePlan, tuple: Tuple<'_>, old: Option<OldTuple<'_>>) -> Result<Row> {
        let mode = self.recorder.settings.on_unconvertible;
        match old {
            Some(old) => plan.row(tuple.columns(), old.tuple().columns(), mode),
            None => plan.row(tuple.columns(), std::iter::empty(), mode),
        }
    }

    fn source(&self, plan: &TablePlan, at: At) -> Result<Struct> {
        self.source_block(&plan.table.schema, &plan.table.table, at)
    }

    fn source_block(&self, schema: &Str, table: &Str, at: At) -> Result<Struct> {
        let source = Source {
            snapshot: Str::from_static("false"),
            schema,
            table,
            nanos: self.offset.ts_usec.unwrap_or(0).saturating_mul(1000),
            tx_id: self.offset.tx_id,
            lsn: Some(at.lsn),
            xmin: self.offset.xmin,
            origin: self.origin.as_ref(),
        };
        self.recorder.source.block(&source, &self.offset)
    }

    /// Appends the record of a change, and counts it.
    fn push(
        &mut self,
        plan: &TablePlan,
        change: RowChange,
        source: Struct,
        place: Option<Place>,
        at: At,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        if !batch.next() {
            return Ok(());
        }
        let recorder = &*self.recorder;
        let transaction = match &mut self.offset.transaction {
            Some(counts) => Some(transaction::counted(counts, &plan.qualified, at.lsn, &recorder.shared)?),
            None => None,
        };
        self.offset.place = place.map(|place| Place { record: batch.made, ..place });
        let RowChange { op, key, before, after, header } = change;
        let value = recorder.envelope(plan, [before, after], source, transaction, op, at.now_nanos)?;
        let headers = recorder.headers(header);
        let offset = self.offset.to_map();
        batch.out.push(recorder.record(plan.topic.clone(), key_datum(key), value, headers, offset));
        Ok(())
    }

    /// Appends a tombstone: the key, and nothing.
    fn push_tombstone(
        &mut self,
        plan: &TablePlan,
        key: Option<Struct>,
        header: Option<Header>,
        place: Option<Place>,
        batch: &mut Batch<'_>,
    ) {
        if !batch.next() {
            return;
        }
        self.offset.place = place.map(|place| Place { record: batch.made, ..place });
        let headers = self.recorder.headers(header);
        let offset = self.offset.to_map();
        batch.out.push(self.recorder.record(
            plan.topic.clone(),
            key_datum(key),
            Datum::NULL,
            headers,
            offset,
        ));
    }
}
