//! The stream: frames to records.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use lavka_api::data::{SourcePosition, SourceRecord};
use lavka_api::{Error, Result};
use sqlx::postgres::PgConnection;

use super::acks::Acks;
use super::context::{Context, now_nanos};
use super::failing::passed_over;
use super::measuring::{Became, Measuring};
use super::reselect::{Due, Reselect};
use super::signals::{Blocking, Signals};
use super::upkeep::{Catalogue, Every, Upkeep};
use crate::catalog::{describe, types_of};
use crate::event::{At, Change, Emitter};
use crate::model::{TableId, TypeCatalog, TypeKind};
use crate::offset::{Offset, Resume, Seen, Verdict};
use crate::pgoutput::{Begin, Commit, LogicalMessage, Lsn, Message, Relation, decode};
use crate::replication::{ChangeStream, Frame};

/// Frames taken at once.
const FRAMES: usize = 512;

/// A stream that runs.
pub(super) struct Streaming {
    stream: Box<dyn ChangeStream>,
    frames: VecDeque<Frame>,
    emitter: Emitter,
    resume: Resume,
    transaction: Option<Transaction>,
    catalogue: Catalogue,
    signals: Signals,
    reselect: Option<Reselect>,
    /// Transactions that were replicated from elsewhere are passed over.
    local_only: bool,
    upkeep: Upkeep,
    measuring: Measuring,
    /// When to say next how far the stream was read without a record.
    progress: Option<Every>,
    /// How far that was the last time.
    told: Option<Lsn>,
    /// The server has sent everything up to here, and what came of it is in the records that are about to be handed out.
    idle: Option<Lsn>,
    /// The server has asked how far we are.
    asked: bool,
}

/// The transaction that is being read.
#[derive(Clone, Copy, Debug)]
struct Transaction {
    begin: Begin,
    /// Changes so far.
    changes: u64,
    seen: Seen,
    /// The emitter was told of it: when its first change came, whose LSN is its own.
    told: bool,
}

impl Streaming {
    pub(super) fn new(
        stream: Box<dyn ChangeStream>,
        emitter: Emitter,
        resume: Resume,
        connection: PgConnection,
        version: i32,
        signals: Signals,
        context: &Context,
    ) -> Result<Self> {
        let settings = &context.settings;
        Ok(Self {
            signals,
            reselect: Reselect::new(context)?,
            local_only: settings.plugin_options()?.local_only,
            stream,
            frames: VecDeque::new(),
            emitter,
            resume,
            transaction: None,
            catalogue: Catalogue {
                connection: Some(connection),
                version,
                comments: settings.records.include_schema_comments,
            },
            upkeep: Upkeep::new(settings),
            measuring: Measuring::default(),
            progress: Every::millis(settings.replication.status_update_interval_ms.into()),
            told: None,
            idle: None,
            asked: false,
        })
    }

    /// Behind the last record that was made.
    pub(super) fn offset(&self) -> &Offset {
        self.emitter.offset()
    }

    /// Makes records of what has arrived, up to a batch; waits up to the poll interval where nothing has. May be dropped
    /// while it waits: a frame leaves the queue when it is dealt with.
    ///
    /// # Errors
    /// Why the stream has ended, or what cannot be made a record. What was made before is in `out`.
    pub(super) async fn fill(&mut self, context: &Context, out: &mut Vec<SourceRecord>) -> Result<()> {
        let Self { upkeep, catalogue, emitter, .. } = self;
        upkeep.fetch_xmin(catalogue, emitter, context).await?;
        self.measuring.measure(self.stream.load(), emitter.offset(), catalogue, context).await;
        self.signals.take_channels(context, &mut self.emitter).await;
        self.signals.advance(context, &mut self.emitter, self.catalogue.version).await?;
        if self.transaction.is_none() {
            self.signals.between(Lsn::default(), &mut self.emitter, now_nanos(), out)?;
            self.signals.tell(&self.emitter, out)?;
        }
        if self.frames.is_empty() && !self.stream.try_take(FRAMES, &mut self.frames)? {
            let wait = if out.is_empty() { self.wait(context) } else { Duration::ZERO };
            match tokio::time::timeout(wait, self.stream.take(FRAMES, &mut self.frames)).await {
                Ok(taken) => taken?,
                Err(_) => {
                    self.upkeep.probe(&mut self.catalogue, context).await?;
                    self.upkeep.beat(&mut self.catalogue, &self.emitter, context, out).await?;
                    self.progress(context, out);
                    return Ok(());
                }
            }
        }
        self.upkeep.heard(Instant::now());
        while out.len() < context.batch {
            let Some(frame) = self.frames.front() else {
                if !self.stream.try_take(FRAMES, &mut self.frames)? {
                    break;
                }
                continue;
            };
            if let Some(reselect) = &mut self.reselect
                && let Some(due) = due(frame, self.transaction.as_ref(), &self.resume)
            {
                reselect.prepare(&mut self.frames, due, &mut self.catalogue, context).await?;
            }
            let Some(frame) = self.frames.pop_front() else { break };
            if !self.at_once(&frame, context, out)? {
                // Where it may wait, it may be dropped; so the frame stays until it is dealt with.
                self.frames.push_front(frame.clone());
                self.frame(frame, context, out).await?;
                self.frames.pop_front();
            }
            if let Some(reselect) = &mut self.reselect {
                reselect.passed();
            }
        }
        self.signals.tell(&self.emitter, out)?;
        self.upkeep.beat(&mut self.catalogue, &self.emitter, context, out).await?;
        self.progress(context, out);
        Ok(())
    }

    /// A snapshot that a signal has asked for, and that the stream is to wait for.
    pub(super) fn take_blocking(&mut self) -> Option<Blocking> {
        self.signals.take_blocking()
    }

    /// Transactions that have come by lately, which readers may not see yet.
    pub(super) fn passed(&self) -> Vec<u32> {
        self.signals.passed()
    }

    /// The types, for plans that are made elsewhere.
    pub(super) fn types(&self) -> &TypeCatalog {
        self.emitter.types()
    }

    /// Says how far the stream was read, where that became no record: the offset, and behind it the slot, move on although
    /// nothing is captured.
    fn progress(&mut self, context: &Context, out: &mut Vec<SourceRecord>) {
        let reached = self.emitter.offset().slot;
        if !out.is_empty() || self.transaction.is_some() || reached <= self.told {
            return;
        }
        let (now, asked) = (Instant::now(), std::mem::take(&mut self.asked));
        let Some(every) = self.progress.as_mut().filter(|every| asked || every.is_due(now)) else { return };
        every.last = now;
        self.told = reached;
        let partition = Offset::partition(context.settings.server());
        out.push(SourceRecord::progress(SourcePosition {
            partition,
            offset: self.emitter.offset().passed().to_map(),
        }));
    }

    /// The records were handed out; now a place behind them may count.
    pub(super) fn handed_out(&mut self, acks: &Acks) {
        if let Some(lsn) = self.idle.take() {
            acks.idle(lsn);
        }
    }

    pub(super) async fn stop(&mut self) {
        self.stream.stop().await;
    }

    fn wait(&self, context: &Context) -> Duration {
        let poll = self.signals.wait(context.poll_interval());
        self.upkeep.wait(poll)
    }

    /// Deals with `frame` if it is a change of rows and nothing has to be waited for; whether it is.
    fn at_once(&mut self, frame: &Frame, context: &Context, out: &mut Vec<SourceRecord>) -> Result<bool> {
        let Frame::Data { lsn, bytes } = frame else { return Ok(false) };
        if !matches!(bytes.first(), Some(b'I' | b'U' | b'D')) || self.signals.may_wait() {
            return Ok(false);
        }
        self.rows(&message(bytes, *lsn)?, *lsn, context, out).map(|()| true)
    }

    async fn frame(&mut self, frame: Frame, context: &Context, out: &mut Vec<SourceRecord>) -> Result<()> {
        match frame {
            Frame::Begin(begin) => {
                let seen = self.resume.begin(begin.final_lsn, begin.xid);
                self.signals.passes(begin.xid);
                Measuring::begin(&begin, context);
                self.transaction = Some(Transaction { begin, changes: 0, seen, told: false });
                self.idle = None;
                Ok(())
            }
            Frame::Data { lsn, bytes } => {
                let message = message(&bytes, lsn)?;
                self.signals.prepare(&message, context).await;
                match message {
                    Message::Relation(relation) => {
                        let table = TableId::new(relation.schema, relation.name);
                        self.signals.relation(&relation, self.emitter.wants(&table));
                        self.relation(&relation, context).await
                    }
                    Message::Origin(_) if self.local_only => {
                        // It comes before any change, so nothing of the transaction was told.
                        if let Some(transaction) = self.transaction.as_mut().filter(|it| !it.told) {
                            transaction.seen = Seen::Wholly;
                        }
                        Ok(())
                    }
                    Message::Origin(origin) => {
                        self.tell(lsn, out)?;
                        self.emitter.origin(&origin);
                        Ok(())
                    }
                    // The catalogue tells more.
                    Message::Type(_) => Ok(()),
                    Message::Insert(_) | Message::Update(_) | Message::Delete(_) | Message::Truncate(_) => {
                        self.rows(&message, lsn, context, out)
                    }
                    Message::Logical(message) => self.logical(&message, lsn, context, out),
                    Message::Begin(_) | Message::Commit(_) => Err(Error::fatal(format!(
                        "the stream at {lsn} has the boundary of a transaction where a change is due"
                    ))),
                }
            }
            Frame::Logical { transactional, lsn, prefix, content } => {
                let message = LogicalMessage { transactional, lsn, prefix: &prefix, content: &content };
                self.logical(&message, lsn, context, out)
            }
            Frame::Commit(commit) => self.commit(&commit, context, out),
            Frame::KeepAlive { end, asks } => {
                if self.transaction.is_none() {
                    context.metrics.stream.behind_ms.set(0.0);
                    self.emitter.offset_mut().slot = Some(end);
                    self.signals.between(end, &mut self.emitter, now_nanos(), out)?;
                    // An offset goes with it: a slot that is ahead of every offset would look to whoever starts next as if
                    // it were another.
                    if asks {
                        self.idle = Some(end);
                        self.asked = true;
                    }
                }
                Ok(())
            }
        }
    }

    /// Tells the emitter that the transaction begins, before anything of it.
    fn tell(&mut self, lsn: Lsn, out: &mut Vec<SourceRecord>) -> Result<()> {
        let Some(transaction) = self.transaction.as_mut().filter(|t| !t.told && t.seen != Seen::Wholly)
        else {
            return Ok(());
        };
        transaction.told = true;
        let at = At { lsn, now_nanos: now_nanos() };
        self.emitter.begin(&transaction.begin, at, transaction.seen == Seen::Partly, out)
    }

    /// A message about rows.
    fn rows(
        &mut self,
        message: &Message<'_>,
        lsn: Lsn,
        context: &Context,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let change = match *message {
            Message::Insert(insert) => Change::Insert(insert),
            Message::Update(update) => Change::Update(update),
            Message::Delete(delete) => Change::Delete(delete),
            Message::Truncate(truncate) => Change::Truncate(truncate),
            _ => return Ok(()),
        };
        self.change(&change, Some(message), lsn, context, out)
    }

    fn change(
        &mut self,
        change: &Change<'_>,
        message: Option<&Message<'_>>,
        lsn: Lsn,
        context: &Context,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let Some(transaction) = &mut self.transaction else {
            return Err(Error::fatal(format!(
                "the stream has a change outside of any transaction, at {lsn}"
            )));
        };
        transaction.changes += 1;
        let (number, commit, seen) = (transaction.changes, transaction.begin.final_lsn, transaction.seen);
        if seen == Seen::Wholly {
            return Ok(());
        }
        self.tell(lsn, out)?;
        let handed_out = match self.resume.change(commit, number, lsn) {
            Verdict::Skip => return Ok(()),
            Verdict::Emit => 0,
            Verdict::EmitAfter(records) => records,
        };
        let at = At { lsn, now_nanos: now_nanos() };
        if let Some(message) = message.filter(|_| handed_out == 0) {
            self.signals.before(message, &mut self.emitter, (commit, number), at, context, out)?;
        }
        let (first, unchanged) = (out.len(), self.emitter.unchanged());
        let made = self.emitter.change(change, number, handed_out, at, out);
        let became = match made {
            Err(_) => Became::Failed,
            Ok(()) if out.len() > first => Became::Records,
            Ok(()) if self.emitter.unchanged() > unchanged => Became::Unchanged,
            Ok(()) => Became::Nothing,
        };
        self.measuring.count(change, became, context);
        let Err(error) = made else { return Ok(()) };
        passed_over(context.settings.records.event_processing_failure_handling_mode, lsn, error)?;
        out.truncate(first);
        Ok(())
    }

    fn logical(
        &mut self,
        message: &LogicalMessage<'_>,
        lsn: Lsn,
        context: &Context,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let change = Change::Logical(*message);
        if message.transactional {
            return self.change(&change, None, lsn, context, out);
        }
        if self.resume.message(lsn) {
            return Ok(());
        }
        self.emitter.change(&change, 0, 0, At { lsn, now_nanos: now_nanos() }, out)
    }

    fn commit(&mut self, commit: &Commit, context: &Context, out: &mut Vec<SourceRecord>) -> Result<()> {
        // Servers before version 15 send transactions without changes too.
        self.tell(commit.end_lsn, out)?;
        if let Some(transaction) = self.transaction.take()
            && transaction.seen != Seen::Wholly
        {
            context.metrics.stream.transactions.add(1);
            self.emitter.commit(At { lsn: commit.end_lsn, now_nanos: now_nanos() }, false, out)?;
        }
        self.resume.commit();
        self.signals.between(commit.end_lsn, &mut self.emitter, now_nanos(), out)
    }

    /// Asks the catalogue about a relation, and compiles its plan.
    async fn relation(&mut self, relation: &Relation<'_>, context: &Context) -> Result<()> {
        let schema = if relation.schema.is_empty() { "pg_catalog" } else { relation.schema };
        if !self.emitter.wants(&TableId::new(schema, relation.name)) {
            // It may have had another name.
            if let Some(reselect) = &mut self.reselect {
                reselect.relation(relation, None, self.emitter.recorder().settings());
            }
            return self.emitter.relation(relation, None);
        }
        let (version, comments) = (self.catalogue.version, self.catalogue.comments);
        let connection = self.catalogue.connection(context).await?;
        let table = describe(connection, version, &[relation.id], comments).await?.pop();
        // Enums may have gained labels, and types may be new.
        let types = self.emitter.types();
        let fixed = |oid: u32| {
            types.get(oid).is_some_and(|ty| match &ty.kind {
                TypeKind::Enum { .. } | TypeKind::Domain { .. } => false,
                TypeKind::Array { element } => types
                    .get(*element)
                    .is_some_and(|element| matches!(element.kind, TypeKind::Base | TypeKind::Range)),
                _ => true,
            })
        };
        let mut oids: Vec<u32> =
            relation.columns.iter().map(|column| column.type_oid).filter(|&oid| !fixed(oid)).collect();
        let elements: Vec<u32> = oids
            .iter()
            .filter_map(|&oid| match types.get(oid)?.kind {
                TypeKind::Array { element } => Some(element),
                TypeKind::Domain { base, .. } => Some(base),
                _ => None,
            })
            .collect();
        oids.extend(elements);
        if !oids.is_empty() {
            let found = types_of(connection, &oids, types).await?;
            for ty in found {
                self.emitter.types_mut().insert(ty);
            }
        }
        if let Some(reselect) = &mut self.reselect {
            reselect.relation(relation, table.as_ref(), self.emitter.recorder().settings());
        }
        self.emitter.relation(relation, table.as_ref())
    }
}

/// The message in a frame at `lsn`.
fn message(bytes: &[u8], lsn: Lsn) -> Result<Message<'_>> {
    decode(bytes)
        .map_err(|error| Error::fatal(format!("a message of the stream at {lsn} cannot be read: {error}")))
}

/// Whether `frame`, the next one, may be a change that is handed out: what is to be known to read its row again.
fn due(frame: &Frame, transaction: Option<&Transaction>, resume: &Resume) -> Option<Due> {
    let (Frame::Data { lsn, .. }, Some(transaction)) = (frame, transaction) else { return None };
    if transaction.seen == Seen::Wholly {
        return None;
    }
    let Begin { final_lsn, xid, .. } = transaction.begin;
    match resume.verdict(final_lsn, transaction.changes + 1, *lsn) {
        Verdict::Skip => None,
        verdict => Some(Due { xid, new: verdict == Verdict::Emit }),
    }
}
