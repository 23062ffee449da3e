//! The consumer: librdkafka's, on a thread of its own ([`member`]), with an [`inbox`] between that thread and the reader.

mod arrivals;
mod context;
mod epoch;
mod inbox;
mod member;
mod position;
mod record;
mod seek;
mod signal;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::Config;
use lavka_api::data::TopicPartition;
use lavka_api::plugin::Offsets;
use lavka_api::{Error, ErrorClass, Result};
use lavka_ports::{Buffer, Consumer, ConsumerEvent, Subscription};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use crate::admin::topics;
use crate::failure;
use crate::settings;
use crate::wire::WireClient;
use context::Context;
use inbox::Inbox;
use member::{Command, Member};
use position::Place;
use signal::Signal;

/// Commands on their way to the thread. The reader waits for each, so that more than one is there only where it gave up
/// waiting.
const COMMANDS: usize = 16;

/// What the thread and the reader share.
struct Shared {
    inbox: Mutex<Inbox>,
    /// Wakes the reader: there is something in the inbox.
    arrived: Notify,
    /// Wakes the thread.
    signal: Signal,
    /// The reader is gone.
    stop: AtomicBool,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The consumer behind the port.
pub(crate) struct RdKafkaConsumer {
    /// The thread owns it, so that it is the thread that leaves the group, which blocks.
    native: Weak<BaseConsumer<Context>>,
    shared: Arc<Shared>,
    commands: mpsc::SyncSender<Command>,
    closed: oneshot::Receiver<()>,
    group: String,
    max_records: usize,
    /// Partitions as the reader was told.
    told: BTreeSet<TopicPartition>,
    creates_topics: bool,
    /// Looks for subscribed topics that are not there yet.
    watch: Option<AbortHandle>,
    wire: Arc<WireClient>,
}

impl RdKafkaConsumer {
    /// Makes a consumer and its thread; connects to nothing yet.
    pub(crate) fn new(config: &Config, buffer: Buffer) -> Result<Self> {
        let settings = settings::consumer(config, buffer)?;
        let shared = Arc::new(Shared {
            inbox: Mutex::new(Inbox::new(buffer)),
            arrived: Notify::new(),
            signal: Signal::default(),
            stop: AtomicBool::new(false),
        });
        let context = Context::new(&settings.wire);
        let mut native = BaseConsumer::from_config_and_context(&settings.native.client_config(), context)
            .map_err(|error| failure::creation(&error, "consumer"))?;
        let woken = Arc::clone(&shared);
        native.set_nonempty_callback(move || woken.signal.set());
        let native = Arc::new(native);
        let shown = Arc::downgrade(&native);
        let (commands, served) = mpsc::sync_channel(COMMANDS);
        let (done, closed) = oneshot::channel();
        let group = settings.group.clone();
        let member = Member::new(
            native,
            Arc::clone(&shared),
            served,
            settings.group,
            settings.handover,
            settings.from_beginning,
        );
        let watched = Arc::clone(&shared);
        thread::Builder::new()
            .name("kafka-consumer".into())
            .spawn(move || {
                run(member, &watched);
                let _ = done.send(());
            })
            .map_err(|error| {
                Error::fatal(format!("Cannot start the thread of the Kafka consumer: {error}"))
            })?;
        Ok(Self {
            native: shown,
            shared,
            commands,
            closed,
            group,
            max_records: settings.max_records,
            told: BTreeSet::new(),
            creates_topics: settings.creates_topics,
            watch: None,
            wire: Arc::new(WireClient::new(settings.wire)),
        })
    }

    fn note(&mut self, event: &ConsumerEvent) {
        match event {
            ConsumerEvent::Assigned(partitions) => self.told.extend(partitions.iter().cloned()),
            ConsumerEvent::Revoked { partitions, .. } => {
                for partition in partitions {
                    self.told.remove(partition);
                }
            }
            ConsumerEvent::Records(_) | ConsumerEvent::Idle => {}
        }
    }

    fn take(&mut self, most: usize) -> Result<Option<ConsumerEvent>> {
        let (taken, ask) = {
            let mut inbox = self.shared.inbox();
            (inbox.take(most)?, inbox.ask_for_more())
        };
        if ask {
            self.shared.signal.set();
        }
        if let Some(event) = &taken {
            self.note(event);
        }
        Ok(taken)
    }

    /// Has the thread do something.
    async fn ask(&self, command: impl FnOnce(oneshot::Sender<Result<()>>) -> Command) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|_| {
            Error::retriable(format!("The consumer of group {} is busy or closed", self.group))
        })?;
        self.shared.signal.set();
        answer.await.unwrap_or_else(|_| Err(self.ended()))
    }

    /// Replaces the look-out for topics that are not there yet.
    fn watch(&mut self, topics: Vec<String>, absent: Option<Vec<String>>) {
        self.stop_watching();
        if let Some(absent) = &absent {
            if absent.is_empty() {
                return;
            }
            tracing::warn!(group = %self.group, "waiting for topics that do not exist: {}", absent.join(", "));
        }
        let (wire, commands, shared) =
            (Arc::clone(&self.wire), self.commands.clone(), Arc::clone(&self.shared));
        let create = self.creates_topics;
        let task = tokio::spawn(async move {
            let tell = |topics| {
                let told = commands.try_send(Command::Arrived(topics)).is_ok();
                shared.signal.set();
                told
            };
            arrivals::watch(&wire, topics, absent, create, tell).await;
        });
        self.watch = Some(task.abort_handle());
    }

    fn stop_watching(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }

    fn ended(&self) -> Error {
        Error::fatal(format!("The consumer of group {} is closed", self.group))
    }
}

impl Drop for RdKafkaConsumer {
    fn drop(&mut self) {
        self.stop_watching();
        self.shared.stop.store(true, Ordering::Release);
        self.shared.signal.set();
    }
}

/// The thread's whole life. The binding panics where a broker sends names that are not UTF-8; that ends the consumer
/// with an error and no more.
fn run(mut member: Member, shared: &Shared) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        member.run();
    }));
    if outcome.is_err() {
        shared
            .inbox()
            .fail(Error::fatal("The Kafka consumer stopped at something a broker sent; see the log"));
        shared.arrived.notify_one();
    }
    member.close();
}

/// Java's rule for names of topics (`Topic.validate`); others would be taken for patterns, or for nothing at all.
fn check_topic(name: &str) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.chars().all(legal) {
        return Err(Error::new(
            ErrorClass::Config,
            "org.apache.kafka.common.errors.InvalidTopicException",
            format!("Invalid topics: [{name}]: a name has 1 to 249 ASCII letters, digits, '.', '_' and '-'"),
        ));
    }
    Ok(())
}

#[async_trait]
impl Consumer for RdKafkaConsumer {
    async fn subscribe(&mut self, subscription: &Subscription) -> Result<()> {
        // What matches a pattern was just listed by the cluster.
        let (topics, certain) = match subscription {
            Subscription::Topics(topics) => (topics, false),
            Subscription::Pattern { regex, matches } => {
                tracing::debug!(group = %self.group, "{regex} matches {} topics", matches.len());
                (matches, true)
            }
        };
        topics.iter().try_for_each(|name| check_topic(name))?;
        let absent = if certain {
            Some(Vec::new())
        } else {
            arrivals::prepare(&self.wire, topics, self.creates_topics).await
        };
        self.ask(|reply| Command::Subscribe(topics.clone(), reply)).await?;
        self.watch(topics.clone(), absent);
        Ok(())
    }

    async fn next(&mut self, max_records: usize, wait: Duration) -> Result<ConsumerEvent> {
        let most = max_records.min(self.max_records);
        if let Some(event) = self.take(most)? {
            return Ok(event);
        }
        let sleep = tokio::time::sleep(wait);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                () = self.shared.arrived.notified() => {}
                () = &mut sleep => return Ok(ConsumerEvent::Idle),
            }
            if let Some(event) = self.take(most)? {
                return Ok(event);
            }
        }
    }

    async fn seek(
        &mut self,
        partition: &TopicPartition,
        offset: i64,
        leader_epoch: Option<i32>,
    ) -> Result<()> {
        if !self.told.contains(partition) {
            return Err(Error::new(
                ErrorClass::Fatal,
                "java.lang.IllegalStateException",
                format!("No current assignment for partition {partition}"),
            ));
        }
        let place = Place::at(offset, leader_epoch);
        self.ask(|reply| Command::Seek(partition.clone(), place, reply)).await
    }

    async fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.shared.inbox().pause(partitions, true);
        Ok(())
    }

    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.shared.inbox().pause(partitions, false);
        // Records of it may be waiting on both sides.
        self.shared.arrived.notify_one();
        self.shared.signal.set();
        Ok(())
    }

    async fn commit(&mut self, offsets: &Offsets) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (place, offset) in offsets {
            check_topic(&place.topic)?;
            list.add_partition_offset(&place.topic, place.partition, Offset::Offset(*offset))
                .map_err(|_| Error::fatal(format!("Cannot commit offset {offset} of {place}")))?;
        }
        // While the coordinator is away librdkafka holds a commit for session.timeout.ms. On the blocking pool that
        // keeps nobody else waiting, and a rebalance that waits for this commit goes on being served.
        let native = self.native.upgrade().ok_or_else(|| self.ended())?;
        let committed = tokio::task::spawn_blocking(move || native.commit(&list, CommitMode::Sync));
        match tokio::time::timeout(self.wire.settings().call_timeout, committed).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(failure::commit(&error, &self.group)),
            Ok(Err(error)) => Err(Error::fatal(format!("Offset commit of group {}: {error}", self.group))),
            Err(_) => Err(Error::new(
                ErrorClass::Retriable,
                failure::TIMEOUT,
                format!(
                    "Timeout of {}ms expired before successfully committing offsets {offsets:?}",
                    self.wire.settings().call_timeout.as_millis()
                ),
            )),
        }
    }

    async fn topics(&mut self) -> Result<Vec<String>> {
        topics::list(&self.wire).await
    }

    async fn close(mut self: Box<Self>) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.signal.set();
        // The sender is gone without a word where the thread could not end in order; it has ended either way.
        let _ = (&mut self.closed).await;
    }
}
