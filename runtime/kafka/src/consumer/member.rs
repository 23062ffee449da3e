//! The consumer's thread.
//!
//! It does four things in turn and then sleeps until librdkafka, the reader or the clock wakes it: it serves commands,
//! polls the main queue (heartbeats go on in librdkafka's own threads, but the group expels a member that does not
//! poll), brings rebalances forward, and moves records from the partitions' queues into the inbox while there is room.
//! What is not moved stays in librdkafka's queues, which are bounded and then stop fetching: so a slow reader costs
//! bounded memory and stays in its group, and pausing a partition throws nothing away.
//!
//! A revocation is told to the reader and answered once the reader has dropped its end of the handshake or the deadline
//! has passed; the loop goes on meanwhile. Commits do not come through here: librdkafka takes them on any thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use lavka_api::data::TopicPartition;
use lavka_api::{Error, ErrorClass, Result};
use lavka_ports::{ConsumerEvent, RebalanceWaiter, rebalance_handshake};
use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::{BaseConsumer, PartitionQueue};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use tokio::sync::oneshot;

use super::context::{Change, Context, Rebalance};
use super::position::{Place, Position, Step};
use super::seek::{self, PendingSeek};
use super::{Shared, inbox, record};
use crate::failure;

/// Where nothing happens the main queue is polled this often; the group wants it within `max.poll.interval.ms`.
const IDLE: Duration = Duration::from_secs(1);
/// How often the reader's end of a handshake is looked at; it comes without a signal.
const HANDSHAKE: Duration = Duration::from_millis(5);
/// How often a seek is tried that came before the partition was being fetched.
const SEEK: Duration = Duration::from_millis(10);
/// How long to wait for the group's offsets. Without them a partition is taken up as well: librdkafka asks again.
const OFFSETS: Duration = Duration::from_secs(1);
/// Records moved from one partition before the next has its turn.
const TURN: usize = 512;

/// What the reader asks of the thread; each is answered.
pub(super) enum Command {
    Subscribe(Vec<String>, oneshot::Sender<Result<()>>),
    Seek(TopicPartition, Place, oneshot::Sender<Result<()>>),
    /// Subscribed topics have come into being.
    Arrived(Vec<String>),
}

/// A partition that is ours.
struct Held {
    queue: PartitionQueue<Context>,
    /// Set by librdkafka when the queue is no longer empty.
    filled: Arc<AtomicBool>,
    seek: Option<PendingSeek>,
    position: Position,
}

/// A revocation that waits for the reader.
struct Waiting {
    rebalance: Rebalance,
    waiter: RebalanceWaiter,
    deadline: Instant,
}

pub(super) struct Member {
    consumer: Arc<BaseConsumer<Context>>,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    group: String,
    handover: Duration,
    /// Where the group has no offset, reading begins at the beginning.
    from_beginning: bool,
    subscribed: Vec<String>,
    held: HashMap<TopicPartition, Held>,
    waiting: Option<Waiting>,
}

impl Member {
    pub(super) fn new(
        consumer: Arc<BaseConsumer<Context>>,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        group: String,
        handover: Duration,
        from_beginning: bool,
    ) -> Self {
        let (subscribed, held) = (Vec::new(), HashMap::new());
        Self { consumer, shared, commands, group, handover, from_beginning, subscribed, held, waiting: None }
    }

    /// Runs until the reader is gone.
    pub(super) fn run(&mut self) {
        while !self.shared.stop.load(Ordering::Acquire) {
            self.serve_commands();
            self.poll();
            self.rebalance();
            self.seek();
            let more = self.read();
            self.rest(more);
        }
    }

    fn rest(&self, more: bool) {
        if let Some(waiting) = &self.waiting {
            // Dropping the other end wakes this at once, a command does not.
            let _ = waiting.waiter.wait(HANDSHAKE);
        } else if !more {
            let seeking = self.held.values().any(|held| held.seek.is_some());
            self.shared.signal.wait(if seeking { SEEK } else { IDLE.min(self.handover / 4) });
        }
    }

    fn serve_commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                // Whoever asked may have given up: then the answer goes nowhere.
                Command::Subscribe(topics, reply) => {
                    self.subscribed = topics;
                    let _ = reply.send(self.subscribe());
                }
                Command::Seek(partition, place, reply) => self.begin_seek(&partition, place, reply),
                Command::Arrived(topics) => self.arrived(&topics),
            }
        }
    }

    /// Has librdkafka look at the cluster again, by subscribing to the same once more, unless it has seen for itself.
    fn arrived(&self, topics: &[String]) {
        let unseen = |topic: &String| {
            self.subscribed.contains(topic) && !self.held.keys().any(|held| held.topic.as_str() == topic)
        };
        if topics.iter().any(unseen)
            && let Err(error) = self.subscribe()
        {
            self.fail(error);
        }
    }

    fn subscribe(&self) -> Result<()> {
        if self.subscribed.is_empty() {
            self.consumer.unsubscribe();
            return Ok(());
        }
        let names: Vec<&str> = self.subscribed.iter().map(String::as_str).collect();
        self.consumer.subscribe(&names).map_err(|error| {
            Error::fatal(format!("Group {} cannot subscribe to {}: {error}", self.group, names.join(", ")))
        })
    }

    /// Serves the main queue until it is empty.
    fn poll(&mut self) {
        let consumer = Arc::clone(&self.consumer);
        loop {
            let before = consumer.context().activity();
            match consumer.poll(Duration::ZERO) {
                Some(Ok(message)) => self.stray(&message),
                Some(Err(error)) => self.trouble(&error),
                None if consumer.context().activity() == before => return,
                None => {}
            }
        }
    }

    /// Partitions have queues of their own before they are fetched, so that no record should come by the main queue; one
    /// that does is a record like any other.
    fn stray(&self, message: &BorrowedMessage<'_>) {
        let partition = TopicPartition::new(message.topic(), message.partition());
        let mut records = vec![record::copy(message, &partition.topic)];
        self.shared.inbox().put(&partition, &mut records);
        self.shared.arrived.notify_one();
    }

    /// Errors that are not about a record: most pass by themselves.
    fn trouble(&self, error: &KafkaError) {
        use RDKafkaErrorCode as C;
        let reason = self.consumer.context().reason();
        let subject = format!("Consumer group {}", self.group);
        let fatal = match error {
            KafkaError::MessageConsumptionFatal(code) => Some(failure::native(*code, &subject)),
            _ => match error.rdkafka_error_code() {
                Some(
                    code @ (C::TopicAuthorizationFailed
                    | C::GroupAuthorizationFailed
                    | C::ClusterAuthorizationFailed
                    | C::Authentication
                    | C::SaslAuthenticationFailed
                    | C::UnsupportedSASLMechanism
                    | C::FencedInstanceId
                    | C::InvalidGroupId
                    | C::InconsistentGroupProtocol
                    | C::InvalidSessionTimeout
                    | C::GroupMaxSizeReached
                    | C::AutoOffsetReset),
                ) => Some(failure::native(code, &subject)),
                // Connections that break during the handshake are reported the same way; a certificate stays bad.
                Some(C::SSL) if reason.contains("certificate") => Some(failure::native(C::SSL, &subject)),
                _ => None,
            },
        };
        let Some(fatal) = fatal else {
            match error.rdkafka_error_code() {
                // librdkafka has logged them.
                Some(
                    C::BrokerTransportFailure
                    | C::AllBrokersDown
                    | C::Resolve
                    | C::OperationTimedOut
                    | C::SSL,
                ) => {}
                _ => tracing::warn!(group = %self.group, "{error}: {reason}"),
            }
            return;
        };
        let text = if reason.is_empty() { fatal.to_string() } else { format!("{fatal} ({reason})") };
        self.fail(Error::new(ErrorClass::Fatal, fatal.exception(), text));
    }

    fn fail(&self, error: Error) {
        self.shared.inbox().fail(error);
        self.shared.arrived.notify_one();
    }

    fn tell(&self, event: ConsumerEvent) {
        self.shared.inbox().tell(event);
        self.shared.arrived.notify_one();
    }

    fn rebalance(&mut self) {
        loop {
            if let Some(waiting) = self.waiting.take() {
                let late = Instant::now() >= waiting.deadline;
                if !waiting.waiter.wait(Duration::ZERO) && !late {
                    self.waiting = Some(waiting);
                    return;
                }
                if late {
                    tracing::warn!(
                        group = %self.group,
                        "the reader did not hand partitions back within {} ms: the group goes on without",
                        self.handover.as_millis()
                    );
                }
                self.answer(&waiting.rebalance);
            }
            let Some(rebalance) = self.consumer.context().next_rebalance() else { return };
            match rebalance.change {
                Change::Assign => self.assigned(rebalance),
                Change::Revoke => self.revoked(rebalance),
            }
        }
    }

    fn answer(&self, rebalance: &Rebalance) {
        if let Err(error) = rebalance.answer(&self.consumer) {
            let text = format!("Consumer group {}: the assignment cannot be taken up: {error}", self.group);
            self.fail(Error::fatal(text));
        }
    }

    /// Takes up partitions. Their queues are split off before librdkafka fetches: from then on it never forwards them to
    /// the main queue.
    fn assigned(&mut self, mut rebalance: Rebalance) {
        let partitions = rebalance.partitions();
        let positions = self.begin(&mut rebalance);
        self.shared.inbox().open(&partitions);
        for (partition, position) in partitions.iter().zip(positions) {
            let Some(mut queue) = self.consumer.split_partition_queue(&partition.topic, partition.partition)
            else {
                self.fail(Error::fatal(format!("Consumer group {}: {partition} has no queue", self.group)));
                continue;
            };
            let filled = Arc::new(AtomicBool::new(true));
            let (flag, shared) = (Arc::clone(&filled), Arc::clone(&self.shared));
            queue.set_nonempty_callback(move || {
                flag.store(true, Ordering::Release);
                shared.signal.set();
            });
            self.held.insert(partition.clone(), Held { queue, filled, seek: None, position });
        }
        self.answer(&rebalance);
        if !partitions.is_empty() {
            self.tell(ConsumerEvent::Assigned(partitions));
        }
    }

    /// Looks up where the partitions begin, instead of librdkafka, so that it is known here.
    fn begin(&self, rebalance: &mut Rebalance) -> Vec<Position> {
        let count = rebalance.list.count();
        match self.consumer.committed_offsets(rebalance.list.clone(), OFFSETS) {
            Ok(committed) if committed.count() == count => rebalance.list = committed,
            Ok(_) => return vec![Position::default(); count],
            Err(error) => {
                tracing::debug!(group = %self.group, "the group's offsets are not known yet: {error}");
                return vec![Position::default(); count];
            }
        }
        let positions = rebalance.list.elements().into_iter().map(|element| match element.offset() {
            Offset::Offset(offset) => Position::at(Place::at(offset, None)),
            _ if self.from_beginning => Position::at(Place::BEGINNING),
            _ => Position::default(),
        });
        positions.collect()
    }

    /// Stops handing out records of partitions and tells the reader. Partitions that are lost belong to others already:
    /// nobody waits for us.
    fn revoked(&mut self, rebalance: Rebalance) {
        let lost = self.consumer.assignment_lost();
        let partitions = rebalance.partitions();
        self.shared.inbox().close(&partitions);
        for partition in &partitions {
            let Some(held) = self.held.remove(partition) else { continue };
            // librdkafka has outdated what is queued; polling is what frees it.
            while held.queue.poll(Duration::ZERO).is_some() {}
            if let Some(seek) = held.seek {
                seek.give_way();
            }
        }
        if partitions.is_empty() {
            return self.answer(&rebalance);
        }
        let (done, waiter) = rebalance_handshake();
        self.tell(ConsumerEvent::Revoked { partitions, lost, done });
        if lost {
            self.answer(&rebalance);
        } else {
            self.waiting = Some(Waiting { rebalance, waiter, deadline: Instant::now() + self.handover });
        }
    }

    fn begin_seek(&mut self, partition: &TopicPartition, place: Place, reply: oneshot::Sender<Result<()>>) {
        // Of a partition that was just revoked nothing will be handed out, which is what a seek promises of the records
        // before it.
        let Some(held) = self.held.get_mut(partition) else {
            let _ = reply.send(Ok(()));
            return;
        };
        self.shared.inbox().drop_records(partition);
        // A seek takes the place of one that still waits.
        if let Some(earlier) = held.seek.take() {
            earlier.give_way();
        }
        held.position = Position::at(place);
        held.seek = Some(PendingSeek::new(place, Some(reply)));
    }

    /// Tries the seeks that wait.
    fn seek(&mut self) {
        let mut failed = None;
        for (partition, held) in &mut self.held {
            let Some(mut pending) = held.seek.take() else { continue };
            let outcome = match pending.attempt(&self.consumer, partition) {
                Err(error) if error.is_retriable() && Instant::now() < pending.deadline => {
                    held.seek = Some(pending);
                    continue;
                }
                outcome => outcome,
            };
            held.filled.store(true, Ordering::Release);
            match (pending.reply.take(), outcome) {
                // Whoever asked may have given up: then the answer goes nowhere.
                (Some(reply), outcome) => drop(reply.send(outcome)),
                (None, Err(error)) => failed = Some(error),
                (None, Ok(())) => {}
            }
        }
        // What follows cannot be told, and must not be guessed.
        if let Some(error) = failed {
            self.fail(Error::new(ErrorClass::Fatal, error.exception(), error.to_string()));
        }
    }

    /// Moves records into the inbox; whether there may be more to move at once.
    fn read(&mut self) -> bool {
        let mut more = false;
        let mut failures = Vec::new();
        for (partition, held) in &mut self.held {
            if held.seek.is_some() || !held.filled.load(Ordering::Acquire) {
                continue;
            }
            let Some(room) = self.shared.inbox().room(partition) else { continue };
            held.filled.store(false, Ordering::Release);
            let mut records = Vec::new();
            let mut bytes = 0;
            let mut put_back = None;
            let full = loop {
                if records.len() >= room.records.min(TURN) || bytes >= room.bytes {
                    break true;
                }
                match held.queue.poll(Duration::ZERO) {
                    Some(Ok(message)) => {
                        let record = record::copy(&message, &partition.topic);
                        match held.position.step(record.offset, record.leader_epoch) {
                            Step::Take => {}
                            Step::TakeAfterCut(place) => seek::warn_of_cut(partition, place, &record),
                            Step::PutBack(place) => {
                                put_back = Some(place);
                                break false;
                            }
                        }
                        bytes += inbox::size(&record);
                        records.push(record);
                    }
                    Some(Err(error)) => failures.push(error),
                    None => break false,
                }
            };
            if let Some(place) = put_back {
                held.seek = Some(PendingSeek::new(place, None));
                more = true;
            }
            if full {
                held.filled.store(true, Ordering::Release);
                more = true;
            }
            if !records.is_empty() {
                self.shared.inbox().put(partition, &mut records);
                self.shared.arrived.notify_one();
            }
        }
        for error in &failures {
            self.trouble(error);
        }
        more
    }

    /// Leaves the group. Rebalances that wait for the reader are answered first, without waiting any longer.
    pub(super) fn close(mut self) {
        self.consumer.context().close();
        self.held.clear();
        if let Some(waiting) = self.waiting.take() {
            self.answer(&waiting.rebalance);
        }
        while let Some(rebalance) = self.consumer.context().next_rebalance() {
            self.answer(&rebalance);
        }
        // The last owner of the consumer closes it, which takes its answers to the group from the context. A commit that
        // nobody waits for any more may be that owner.
    }
}
