//! Exactly-once delivery: records and the source offsets behind them in one transaction (KIP-618).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::data::{SourcePosition, Topic};
use lavka_api::error::exception;
use lavka_api::plugin::{DeliveryListener, OffsetReader, TaskId, TransactionContext, TransactionEnd};
use lavka_api::{Error, Result};
use lavka_ports::{OutgoingRecord, SendError, TransactionalProducer};
use tokio::time::Instant;

use super::books::Books;
use super::newest::Newest;
use super::store::{OffsetRecord, OffsetTopic};

/// How long one attempt at a call of the producer may take; it is repeated for as long as the task is to run.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The pause between attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Where transactions end (`transaction.boundary`).
#[derive(Debug, Clone)]
pub enum Boundary {
    /// Behind each batch of a `poll`.
    Poll,
    /// So long after the one before, at the earliest.
    Interval(Duration),
    /// Where the connector asks for it.
    Connector(TransactionContext),
}

/// What a task's generation has to say on its start. A generation is the tasks that one set of task configurations led to.
#[async_trait]
pub trait Generation: Send + Sync {
    /// Returns once no task of an earlier generation can write any more. Can be dropped and called again.
    ///
    /// # Errors
    /// Retriable where the cluster cannot be asked now.
    async fn fence(&self) -> Result<()>;

    /// Whether this generation is the newest.
    ///
    /// # Errors
    /// Fatal where it is not: the task must not start.
    fn check(&self, id: &TaskId) -> Result<()>;
}

/// What a source task needs beside the rest to deliver exactly once.
pub struct ExactlyOnce {
    /// Its producer, used by nobody else.
    pub producer: Arc<dyn TransactionalProducer>,
    /// Where its offsets are kept.
    pub offsets: Arc<dyn OffsetTopic>,
    /// The generation that it belongs to.
    pub generation: Arc<dyn Generation>,
    /// Where its transactions end.
    pub boundary: Boundary,
}

impl ExactlyOnce {
    /// Makes sure that this task alone writes what it is to write, and finds out where it is to go on.
    ///
    /// # Errors
    /// Fatal where a newer generation is there, or the cluster refuses.
    pub(super) async fn take_over(&self, id: &TaskId) -> Result<Arc<dyn OffsetReader>> {
        self.generation.check(id)?;
        patiently(id, "fence the tasks before it", || self.generation.fence()).await?;
        // Not before the check: this fences whoever has the id.
        self.generation.check(id)?;
        patiently(id, "take its transactional id", || self.producer.init(ATTEMPT)).await?;
        self.generation.check(id)?;
        // Only now nobody else can commit offsets of this task any more.
        patiently(id, "read its offsets", || self.offsets.reader()).await
    }
}

/// Repeats `call` while its error is retriable.
async fn patiently<T, A: Future<Output = Result<T>>>(
    id: &TaskId,
    what: &str,
    mut call: impl FnMut() -> A,
) -> Result<T> {
    loop {
        match call().await {
            Err(error) if error.is_retriable() => {
                tracing::warn!(task = %id, "the task cannot {what} yet, and tries again: {error}");
                tokio::time::sleep(ATTEMPT / 5).await;
            }
            outcome => return outcome,
        }
    }
}

/// The transactions of a running task, one after another.
pub(super) struct Transactions {
    id: TaskId,
    producer: Arc<dyn TransactionalProducer>,
    offsets: Arc<dyn OffsetTopic>,
    boundary: Boundary,
    books: Arc<Books>,
    listener: Option<Arc<dyn DeliveryListener>>,
    open: bool,
    /// Records of the source in the open transaction.
    records: usize,
    /// Offsets behind records that were sent or dropped since the last commit.
    newest: Newest,
    /// Their tokens, where somebody wants to hear of them.
    tokens: Vec<u64>,
    /// Not the whole of the last batch was sent: the connector has not come to the end that it asked for.
    cut_off: bool,
    /// When the interval ends.
    interval_end: Instant,
}

impl Transactions {
    pub(super) fn new(
        id: TaskId,
        once: ExactlyOnce,
        books: Arc<Books>,
        listener: Option<Arc<dyn DeliveryListener>>,
    ) -> Self {
        let interval_end = Instant::now() + interval(&once.boundary);
        Self {
            id,
            producer: once.producer,
            offsets: once.offsets,
            boundary: once.boundary,
            books,
            listener,
            open: false,
            records: 0,
            newest: Newest::default(),
            tokens: Vec::new(),
            cut_off: false,
            interval_end,
        }
    }

    fn begin(&mut self) -> Result<()> {
        if !self.open {
            self.producer.begin()?;
            self.open = true;
        }
        Ok(())
    }

    /// A record is about to be sent to `topic`: it belongs to a transaction.
    pub(super) fn enter(&mut self, topic: &Topic) -> Result<()> {
        if topic == self.offsets.topic() {
            return Err(Error::fatal(
                "Source tasks may not produce to their own offsets topics when exactly-once support is enabled",
            ));
        }
        self.begin()
    }

    /// A record was sent or dropped.
    pub(super) fn note(&mut self, position: Option<SourcePosition>, token: u64) {
        self.records += usize::from(self.open);
        if let Some(position) = position {
            self.newest.note(position);
        }
        if self.listener.is_some() {
            self.tokens.push(token);
        }
    }

    /// Ends the transaction where the connector wants that behind the record with this token.
    pub(super) async fn after_record(&mut self, token: u64) -> Result<()> {
        let Boundary::Connector(context) = &self.boundary else { return Ok(()) };
        match context.take_after(token)? {
            Some(end) => self.end(end).await,
            None => Ok(()),
        }
    }

    /// Ends the transaction where that is due behind a batch; `whole`: all of it was sent or dropped.
    pub(super) async fn after_batch(&mut self, whole: bool) -> Result<()> {
        self.cut_off = !whole;
        match &self.boundary {
            _ if !whole => Ok(()),
            Boundary::Poll => self.commit().await,
            Boundary::Interval(_) if Instant::now() < self.interval_end => Ok(()),
            Boundary::Interval(_) => self.commit().await,
            Boundary::Connector(context) => match context.take_batch()? {
                Some(end) => self.end(end).await,
                None => Ok(()),
            },
        }
    }

    /// When a commit is due although no batch ends, if anything waits for one.
    pub(super) fn due(&self) -> Option<Instant> {
        let waits = self.open || !self.newest.is_empty() || !self.tokens.is_empty();
        (waits && matches!(self.boundary, Boundary::Interval(_))).then_some(self.interval_end)
    }

    /// The task holds: it does not keep a transaction open meanwhile, unless the end of that is the connector's to say.
    pub(super) async fn rest(&mut self) -> Result<()> {
        if matches!(self.boundary, Boundary::Connector(_)) { Ok(()) } else { self.commit().await }
    }

    /// The task ends well: commits what may be committed, and gives up the rest.
    pub(super) async fn finish(&mut self) -> Result<()> {
        let asked = match &self.boundary {
            Boundary::Connector(context) if !self.cut_off => context.take_batch()?,
            Boundary::Connector(_) => None,
            Boundary::Poll | Boundary::Interval(_) => Some(TransactionEnd::Commit),
        };
        match asked {
            Some(end) => self.end(end).await,
            None => self.abort().await,
        }
    }

    async fn end(&mut self, end: TransactionEnd) -> Result<()> {
        if end == TransactionEnd::Abort {
            if self.open {
                tracing::info!(task = %self.id, "aborting a transaction of {} records, as the connector asks", self.records);
                self.abort().await?;
            } else {
                tracing::warn!(
                    task = %self.id,
                    "ignoring the connector's request to abort a transaction: the current one is empty"
                );
            }
        }
        // The source has passed over what was aborted, so its offsets are committed all the same.
        self.commit().await
    }

    /// Gives up the open transaction, if there is one. Its offsets stay, for a commit that may follow.
    pub(super) async fn abort(&mut self) -> Result<()> {
        if !self.open {
            return Ok(());
        }
        self.repeat("aborted", || self.producer.abort(ATTEMPT)).await?;
        self.open = false;
        self.records = 0;
        Ok(())
    }

    /// Commits records and offsets. Without any of both no transaction is begun.
    pub(super) async fn commit(&mut self) -> Result<()> {
        if let Boundary::Interval(_) = self.boundary {
            self.interval_end = Instant::now() + interval(&self.boundary);
        }
        if self.open || !self.newest.is_empty() {
            self.begin()?;
            if let Err(error) = self.write_and_commit().await {
                return Err(self.failed(error).await);
            }
            self.open = false;
            self.books.metrics.transaction(std::mem::take(&mut self.records));
        }
        let offsets = self.newest.take();
        if !offsets.is_empty() {
            self.offsets.committed(&offsets);
        }
        if let Some(listener) = &self.listener {
            let tokens = std::mem::take(&mut self.tokens);
            if !tokens.is_empty() {
                listener.delivered(&tokens);
            }
            if !offsets.is_empty() {
                listener.committed(&offsets);
            }
        }
        Ok(())
    }

    async fn write_and_commit(&self) -> Result<()> {
        for record in self.offsets.records(self.newest.entries())? {
            self.write(&record).await?;
        }
        self.repeat("committed", || self.producer.commit(ATTEMPT)).await
    }

    /// Sends an offset, waiting for room in the producer.
    async fn write(&self, record: &OffsetRecord) -> Result<()> {
        let (sequence, _) = self.books.submit_own(None, 0, record.key.len() + record.value.len());
        let outgoing = OutgoingRecord {
            topic: self.offsets.topic(),
            partition: None,
            key: Some(&record.key),
            value: Some(&record.value),
            timestamp: None,
            headers: &[],
            token: usize::try_from(sequence).unwrap_or(usize::MAX),
        };
        loop {
            match self.producer.send(outgoing) {
                Ok(()) => return Ok(()),
                Err(SendError::QueueFull) => tokio::time::sleep(PAUSE / 5).await,
                Err(SendError::Refused(error) | SendError::Fatal(error)) => {
                    self.books.withdraw(sequence);
                    return Err(error);
                }
            }
        }
    }

    async fn repeat<A: Future<Output = Result<()>>>(
        &self,
        what: &str,
        mut call: impl FnMut() -> A,
    ) -> Result<()> {
        loop {
            match call().await {
                Err(error) if error.is_retriable() => {
                    tracing::warn!(task = %self.id, "a transaction is not {what} yet: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The error of a commit, with what Kafka said of a record where that is the cause.
    async fn failed(&self, error: Error) -> Error {
        // Acknowledgements are taken by a neighbour of this future.
        tokio::task::yield_now().await;
        let cause = self.books.next_refused().map_or(error, |refused| refused.error);
        let text = format!("Failed to flush offsets and/or records for task {}", self.id);
        cause.wrapped_in(exception::CONNECT, text)
    }

    /// Nothing more is committed.
    pub(super) async fn close(&self) {
        self.offsets.close().await;
    }
}

fn interval(boundary: &Boundary) -> Duration {
    match boundary {
        Boundary::Interval(interval) => *interval,
        Boundary::Poll | Boundary::Connector(_) => Duration::ZERO,
    }
}
