//! Polls, transforms, encodes and sends.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::Result;
use lavka_api::data::{Datum, Record, SourceRecord, Topic};
use lavka_api::error::exception;
use lavka_api::plugin::{SourceTask, TaskId};
use lavka_ports::{Buffer, OutgoingRecord};
use tokio::sync::watch;
use tokio::time::Instant;

use super::books::Books;
use super::dead_letter::SourceDeadLetters;
use super::encode::{Encoder, sent_timestamp};
use super::hand_over::{Handed, hand_over};
use super::new_topics::TopicCreation;
use super::refusals::{Refusals, refused};
use super::run::told_to_stop;
use super::transaction::Transactions;
use super::window::{STALL, Window};
use crate::active_topics::ActiveTopics;
use crate::chain::{Chain, Fate};
use crate::errors::{Backoff, ErrorPolicy, Failure, Stopping, prepare};
use crate::task::{Target, TaskObserver, TaskState};

/// Waits after a poll that failed with a retriable error; there is no deadline.
const POLL_BACKOFF: Backoff = Backoff { timeout_ms: None, max_delay_ms: 10_000 };

pub(super) struct Pump {
    pub(super) task: Box<dyn SourceTask>,
    pub(super) chain: Chain,
    pub(super) encoder: Encoder,
    pub(super) policy: ErrorPolicy,
    pub(super) dead_letters: Option<SourceDeadLetters>,
    pub(super) topic_creation: Option<TopicCreation>,
    pub(super) books: Arc<Books>,
    /// Where records are sent in transactions.
    pub(super) transactions: Option<Transactions>,
    /// Records of the current batch that are not sent, to be settled together.
    pub(super) skipped: Vec<u64>,
}

/// What a run of the pump goes by.
pub(super) struct Run<'a> {
    id: &'a TaskId,
    observer: &'a dyn TaskObserver,
    window: Window,
    /// What was under way when a record was noted last; answers only make it less. Those passed over since are not in it.
    under_way: Buffer,
    /// Since when there is no room in the window.
    blocked: Option<Instant>,
    target: watch::Receiver<Target>,
    topics: ActiveTopics,
}

/// Whether the pump goes on with its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Go,
    /// The task is to stop: the rest of the batch is not sent and will be read again.
    Stop,
}

impl Pump {
    /// Runs until the task is to stop, or fails. Never more than `most` is under way.
    pub(super) async fn run(
        &mut self,
        id: &TaskId,
        observer: &dyn TaskObserver,
        most: Buffer,
        target: watch::Receiver<Target>,
    ) -> Result<()> {
        let mut run = Run {
            id,
            observer,
            window: Window::new(most),
            under_way: self.books.under_way(),
            blocked: None,
            target,
            topics: ActiveTopics::new(Instant::now()),
        };
        let mut announced = None;
        let mut poll_failures = 0;
        loop {
            if run.target.has_changed().is_err() {
                return Ok(());
            }
            let now = *run.target.borrow_and_update();
            if announced.replace(now) != Some(now) {
                run.announce(now);
            }
            match now {
                Target::Stopping => return Ok(()),
                Target::Paused => {
                    self.judge_refused().await?;
                    if let Some(transactions) = &mut self.transactions {
                        transactions.rest().await?;
                    }
                    tokio::select! {
                        changed = run.target.changed() => if changed.is_err() {
                            return Ok(());
                        },
                        () = self.books.refusal() => {}
                    }
                    continue;
                }
                Target::Running => {}
            }
            self.judge_refused().await?;
            if !self.room(&mut run).await {
                continue;
            }
            let started = Instant::now();
            let Some(polled) = self.poll(&mut run.target).await? else { continue };
            match polled {
                Ok(batch) => {
                    poll_failures = 0;
                    self.books.metrics.polled(batch.len(), started.elapsed());
                    let mut flow = Flow::Go;
                    if !batch.is_empty() {
                        run.topics.begin(Instant::now());
                        let outcome = self.deliver(batch, &mut run).await;
                        self.settle_skipped();
                        flow = outcome?;
                    }
                    if let Some(transactions) = &mut self.transactions {
                        transactions.after_batch(flow == Flow::Go).await?;
                    }
                }
                Err(error) if error.is_retriable() => {
                    poll_failures += 1;
                    let wait = POLL_BACKOFF.delay_ms(poll_failures, 0, 1.0);
                    tracing::warn!(task = %id, "the source could not be polled, next try in {wait} ms: {error}");
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_millis(wait)) => {}
                        _ = run.target.changed() => {}
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What the source hands out; `None` if there is a new target first. Records that Kafka refuses meanwhile are
    /// decided on at once, and a transaction is committed when its time is up: the source may be waiting for just that.
    async fn poll(
        &mut self,
        target: &mut watch::Receiver<Target>,
    ) -> Result<Option<Result<Vec<SourceRecord>>>> {
        let Self { task, books, policy, dead_letters, transactions, .. } = self;
        let mut polling = task.poll();
        loop {
            let due = transactions.as_ref().and_then(Transactions::due);
            tokio::select! {
                biased;
                _ = target.changed() => return Ok(None),
                () = books.refusal() => {
                    let strict = transactions.is_some();
                    Refusals { books, policy, dead_letters: dead_letters.as_ref(), strict }.judge().await?;
                }
                () = until(due) => if let Some(transactions) = transactions {
                    transactions.commit().await?;
                },
                polled = &mut polling => return Ok(Some(polled)),
            }
        }
    }

    /// The last thing about transactions: a task that `failed` gives up the one that is open.
    pub(super) async fn end_transactions(&mut self, failed: bool) -> Result<()> {
        let judged = if failed { Ok(()) } else { self.judge_refused().await };
        let Some(transactions) = &mut self.transactions else { return judged };
        let ended = match failed || judged.is_err() {
            true => transactions.abort().await,
            false => transactions.finish().await,
        };
        transactions.close().await;
        judged.and(ended)
    }

    pub(super) async fn stop(&mut self) {
        self.task.stop().await;
    }

    /// Waits for room in the window; false if something else needs looking at first (a refused record, a new target).
    async fn room(&mut self, run: &mut Run<'_>) -> bool {
        let mut progress = std::pin::pin!(self.books.progress.notified());
        progress.as_mut().enable();
        run.under_way = self.books.under_way();
        if run.window.has_room(run.under_way) {
            if run.blocked.take().is_some() {
                run.window.waited(run.under_way);
            }
            return true;
        }
        let since = *run.blocked.get_or_insert_with(Instant::now);
        tokio::select! {
            () = progress => {}
            _ = run.target.changed() => {}
            () = tokio::time::sleep_until(since + STALL) => {
                // Room is made, not found: this wait tells nothing of Kafka's answers.
                run.blocked = None;
                run.window.stalled();
            }
        }
        false
    }

    pub(super) async fn judge_refused(&mut self) -> Result<()> {
        self.refusals().judge().await
    }

    fn refusals(&mut self) -> Refusals<'_> {
        Refusals {
            books: &self.books,
            policy: &mut self.policy,
            dead_letters: self.dead_letters.as_ref(),
            strict: self.transactions.is_some(),
        }
    }

    async fn deliver(&mut self, mut batch: Vec<SourceRecord>, run: &mut Run<'_>) -> Result<Flow> {
        // Transforms work in place; a dead letter has the record as it came.
        let keep = self.dead_letters.is_some() && !self.chain.is_empty();
        let kept: Vec<Record> = batch.iter().filter(|_| keep).map(|item| item.record.clone()).collect();
        let mut originals = kept.into_iter();
        let Ok(fates) = self.prepare(&mut batch).await else { return Ok(Flow::Stop) };
        for (item, fate) in batch.iter_mut().zip(fates) {
            let original = originals.next();
            let flow = match fate {
                Fate::Live => self.send(item, original, run).await?,
                Fate::Dropped => {
                    self.skip(item).await?;
                    Flow::Go
                }
                Fate::Failed(failure) => self.fail(item, original, &failure, run).await?,
            };
            if flow == Flow::Stop {
                return Ok(Flow::Stop);
            }
            // The next ones may have to wait for room, and this one may be large.
            item.record.value = Datum::NULL;
        }
        Ok(Flow::Go)
    }

    /// Transforms a batch and fetches what encoding it needs.
    async fn prepare(&mut self, batch: &mut [SourceRecord]) -> Result<Vec<Fate>, Stopping> {
        let mut fates = self.chain.apply(batch, &mut self.policy).await?;
        let live = || fates.iter().enumerate().filter(|(_, fate)| matches!(fate, Fate::Live));
        let records: Vec<&Record> =
            live().filter_map(|(place, _)| batch.get(place)).map(|item| &item.record).collect();
        let failures = prepare(&mut self.encoder, &records, &mut self.policy).await?;
        let places: Vec<usize> =
            if failures.is_empty() { Vec::new() } else { live().map(|(i, _)| i).collect() };
        for (place, failure) in places.into_iter().zip(failures) {
            if let (Some(fate), Some(failure)) = (fates.get_mut(place), failure) {
                *fate = Fate::Failed(failure);
            }
        }
        Ok(fates)
    }

    /// A record that is not sent counts as delivered, like those before it: at the end of its batch.
    async fn skip(&mut self, item: &mut SourceRecord) -> Result<()> {
        if let Some(transactions) = &mut self.transactions {
            transactions.note(item.position.take(), item.token);
            return transactions.after_record(item.token).await;
        }
        self.skipped.push(self.books.pass_over(item.position.take(), item.token));
        Ok(())
    }

    fn settle_skipped(&mut self) {
        if !self.skipped.is_empty() {
            self.books.settle(self.skipped.drain(..));
        }
    }

    /// Waits until there is room in the window, in the middle of a batch.
    async fn wait_for_room(&mut self, run: &mut Run<'_>) -> Result<Flow> {
        if run.window.has_room(run.under_way) {
            return Ok(Flow::Go);
        }
        self.settle_skipped();
        while !self.room(run).await {
            if run.is_stopping() {
                return Ok(Flow::Stop);
            }
            self.judge_refused().await?;
        }
        Ok(Flow::Go)
    }

    /// Reports a record that failed. Where that is tolerated, a dead letter goes in its stead if the task writes any;
    /// else it is skipped.
    async fn fail(
        &mut self,
        item: &mut SourceRecord,
        original: Option<Record>,
        failure: &Failure,
        run: &mut Run<'_>,
    ) -> Result<Flow> {
        // The wait comes first: a record that is read again is reported again.
        if self.dead_letters.is_some() && self.wait_for_room(run).await? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        let failure = &self.policy.presentable(failure.clone());
        self.policy.failed(failure, None).await?;
        let Some(dead_letters) = &mut self.dead_letters else {
            self.skip(item).await?;
            return Ok(Flow::Go);
        };
        let record = original.as_ref().unwrap_or(&item.record);
        let letter = dead_letters.write(run.id, failure, record, item.position.as_ref());
        let mut position = item.position.take();
        let mut noted = None;
        if let Some(transactions) = &mut self.transactions {
            transactions.enter(letter.topic())?;
            noted = position.take();
        }
        let (sequence, under_way) = self.books.submit_own(position, item.token, letter.size());
        run.under_way = under_way;
        let headers = letter.headers();
        let outgoing = letter.outgoing(&headers, usize::try_from(sequence).unwrap_or(usize::MAX));
        self.policy.metrics().dead_letter();
        match hand_over(&self.books, outgoing, sequence, run).await? {
            Handed::Taken => {
                if let Some(transactions) = &mut self.transactions {
                    transactions.note(noted, item.token);
                    transactions.after_record(item.token).await?;
                }
            }
            Handed::Refused(error) => {
                self.books.not_taken();
                self.policy.metrics().dead_letter_failure();
                return Err(dead_letters.lost(error.caused_by(failure.error.clone())));
            }
            Handed::Stopped => return Ok(Flow::Stop),
        }
        Ok(Flow::Go)
    }

    /// Encodes and sends one record, waiting for room.
    async fn send(
        &mut self,
        item: &mut SourceRecord,
        original: Option<Record>,
        run: &mut Run<'_>,
    ) -> Result<Flow> {
        if self.wait_for_room(run).await? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        let timestamp = sent_timestamp(&item.record)?;
        let encoded = match self.encoder.encode(&mut item.record) {
            Ok(encoded) => encoded,
            Err(failure) => return self.fail(item, original, &failure, run).await,
        };
        if let Some(creation) = &mut self.topic_creation
            && creation.is_new(encoded.topic)
        {
            let mut refusals = Refusals {
                books: &self.books,
                policy: &mut self.policy,
                dead_letters: self.dead_letters.as_ref(),
                strict: self.transactions.is_some(),
            };
            if ensure(creation, encoded.topic, run, &mut refusals).await? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        let mut position = item.position.take();
        let mut noted = None;
        if let Some(transactions) = &mut self.transactions {
            transactions.enter(encoded.topic)?;
            noted = position.take();
        }
        let (sequence, under_way) = self.books.submit(position, item.token, encoded.size());
        run.under_way = under_way;
        let outgoing = OutgoingRecord {
            topic: encoded.topic,
            partition: encoded.partition,
            key: encoded.key,
            value: encoded.value,
            timestamp,
            headers: &encoded.headers,
            token: usize::try_from(sequence).unwrap_or(usize::MAX),
        };
        let handed = hand_over(&self.books, outgoing, sequence, run).await?;
        let space = encoded.into_space();
        self.encoder.keep(space);
        match handed {
            Handed::Taken => {
                run.note_topic(&item.record.topic);
                if let Some(transactions) = &mut self.transactions {
                    transactions.note(noted, item.token);
                    transactions.after_record(item.token).await?;
                }
            }
            Handed::Refused(error) if self.transactions.is_some() => {
                self.books.withdraw(sequence);
                return Err(error.wrapped_in(exception::CONNECT, "Unrecoverable exception trying to send"));
            }
            Handed::Refused(error) => {
                self.books.not_taken();
                refused(error, &mut self.policy).await?;
                self.skipped.push(sequence);
            }
            Handed::Stopped => return Ok(Flow::Stop),
        }
        Ok(Flow::Go)
    }
}

/// Comes at this moment, if ever.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Has a topic created if it is missing. Records that Kafka refuses meanwhile are decided on at once.
async fn ensure(
    creation: &mut TopicCreation,
    topic: &Topic,
    run: &Run<'_>,
    refusals: &mut Refusals<'_>,
) -> Result<Flow> {
    let mut ensured = std::pin::pin!(creation.ensure(topic));
    loop {
        tokio::select! {
            biased;
            () = run.stopping() => return Ok(Flow::Stop),
            () = refusals.books.refusal() => refusals.judge().await?,
            outcome = &mut ensured => return outcome.map(|()| Flow::Go),
        }
    }
}

impl Run<'_> {
    fn announce(&self, now: Target) {
        match now {
            Target::Running => self.observer.changed(self.id, TaskState::Running),
            Target::Paused => self.observer.changed(self.id, TaskState::Paused),
            Target::Stopping => {}
        }
    }

    /// Told to stop, or nobody is left who could tell.
    pub(super) fn is_stopping(&self) -> bool {
        self.target.borrow().is_stopping() || self.target.has_changed().is_err()
    }

    /// Returns when the task is to stop, or nobody is left who could tell.
    async fn stopping(&self) {
        told_to_stop(self.target.clone()).await;
    }

    fn note_topic(&mut self, topic: &Topic) {
        if self.topics.note(topic) {
            self.observer.topic_used(self.id, topic);
        }
    }
}
