//! Changes of the stream to records.

use std::sync::Arc;

use lavka_api::data::{Datum, Header, Headers, SourceRecord, Str, Struct, Value};
use lavka_api::{Error, Result};

use super::emitter::{At, Emitter};
use super::plan::TablePlan;
use super::position::Source;
use super::recorder::{Recorder, key_datum};
use super::row::Row;
use super::transaction;
use crate::offset::{MessageType, Offset, Place};
use crate::pgoutput::{Delete, Insert, LogicalMessage, Lsn, OldTuple, Truncate, Tuple, Update};

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

/// What a change moves in the offset, to put it back where it fails. The counts of a transaction move with records that are
/// whole, and those are made last.
struct Before {
    lsn: [Option<Lsn>; 3],
    tx_id: Option<i64>,
    message_type: Option<MessageType>,
    place: Option<Place>,
}

impl Before {
    fn of(offset: &Offset) -> Self {
        Self {
            lsn: [offset.lsn, offset.lsn_proc, offset.lsn_commit],
            tx_id: offset.tx_id,
            message_type: offset.message_type,
            place: offset.place,
        }
    }

    fn restore(self, offset: &mut Offset) {
        [offset.lsn, offset.lsn_proc, offset.lsn_commit] = self.lsn;
        offset.tx_id = self.tx_id;
        offset.message_type = self.message_type;
        offset.place = self.place;
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
        let before = Before::of(&self.offset);
        let place = self.commit_lsn.map(|commit| Place { commit, change: number, record: 0 });
        let mut batch = Batch { out, handed_out, made: 0 };
        let result = match change {
            Change::Insert(insert) => self.insert(insert, place, at, &mut batch),
            Change::Update(update) => self.update(update, place, at, &mut batch),
            Change::Delete(delete) => self.delete(delete, place, at, &mut batch),
            Change::Truncate(truncate) => self.truncate(truncate, place, at, &mut batch),
            Change::Logical(message) => self.logical(message, place, at, &mut batch),
        };
        match result {
            // Also behind a change without records: what was left out need not be looked at again.
            Ok(()) => self.offset.place(place.map(|place| Place { record: batch.made, ..place })),
            Err(_) => {
                out.truncate(length);
                before.restore(&mut self.offset);
            }
        }
        result
    }

    /// The plan of a relation that a change is of; `None` where it is not captured.
    fn plan_of(&mut self, relation: u32) -> Result<Option<Arc<TablePlan>>> {
        // Changes of one table mostly come one after the other.
        if let Some((recent, plan)) = &self.recent
            && *recent == relation
        {
            return Ok(plan.clone());
        }
        match self.plans.get(&relation) {
            Some(plan) => {
                self.recent = Some((relation, plan.clone()));
                Ok(plan.clone())
            }
            None => Err(Error::fatal(format!(
                "The replication stream has a change of a relation (object id {relation}) that it did not announce"
            ))),
        }
    }

    fn insert(
        &mut self,
        insert: &Insert<'_>,
        place: Option<Place>,
        at: At,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        self.offset.change(at.lsn, MessageType::Insert);
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
        self.offset.change(at.lsn, MessageType::Update);
        let Some(plan) = self.plan_of(update.relation)? else { return Ok(()) };
        let new = self.row(&plan, update.new, update.old)?;
        let old = match update.old {
            Some(old) => Some(self.row(&plan, old.tuple(), None)?),
            None => None,
        };
        let Recorder { settings, .. } = &*self.recorder;
        if settings.skip_unchanged && old.as_ref().is_some_and(|old| old.row == new.row) {
            self.unchanged += 1;
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
        self.offset.change(at.lsn, MessageType::Delete);
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
        // Debezium passes over one that is skipped without looking at it.
        if self.recorder.settings.skipped.truncate {
            return Ok(());
        }
        self.offset.lsn = Some(at.lsn);
        self.offset.message_type = Some(MessageType::Truncate);
        let mut plans = Vec::new();
        for relation in truncate.relations() {
            plans.extend(self.plan_of(relation)?);
        }
        let last = plans.len().saturating_sub(1);
        for (index, plan) in plans.iter().enumerate() {
            if index == last {
                self.offset.lsn_proc = Some(at.lsn);
            }
            let change = RowChange { op: "t", key: None, before: None, after: None, header: None };
            let source = self.source(plan, at)?;
            self.push(plan, change, source, place, at, batch)?;
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
        // Only where there are counts: whatever is changed in the offset makes the next map cost more.
        let counts = if self.offset.transaction.is_some() { self.offset.transaction.as_mut() } else { None };
        let transaction = match counts {
            Some(counts) => Some(transaction::counted(counts, &plan.qualified, at.lsn, &recorder.shared)?),
            None => None,
        };
        self.offset.place(place.map(|place| Place { record: batch.made, ..place }));
        let RowChange { op, key, before, after, header } = change;
        let value = recorder.envelope(plan, [before, after], source, transaction, op, at.now_nanos)?;
        let headers = recorder.headers(header);
        let offset = self.offset.map();
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
        self.offset.place(place.map(|place| Place { record: batch.made, ..place }));
        let headers = self.recorder.headers(header);
        let offset = self.offset.map();
        batch.out.push(self.recorder.record(
            plan.topic.clone(),
            key_datum(key),
            Datum::NULL,
            headers,
            offset,
        ));
    }
}
