//! Puts a task together and runs it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigSpec};
use lavka_api::data::{OffsetMap, Topic, Value};
use lavka_api::plugin::{OffsetReader, TaskId};
use lavka_api::{Error, Result};
use lavka_engine::chain::Chain;
use lavka_engine::errors::{DeadLetters, ErrorPolicy, ErrorSettings};
use lavka_engine::sink::{Decoder, SinkTaskSpec, TopicSelection, spawn_sink};
use lavka_engine::source::{
    Delivery, Encoder, ExactlyOnce, OffsetStore, SourceDeadLetters, SourceTaskSpec, TopicCreation,
    spawn_source,
};
use lavka_engine::task::{Target, TaskHandle, TaskObserver, TaskState};
use lavka_ports::Buffer;
use lavka_telemetry::metrics::Metrics;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{Notify, watch};

use crate::broker::Broker;
use crate::plugins::{CONVERTER, FakeSink, FakeSource, Journal, SinkScript, Step, TextConverter, catalogue};
use crate::producer::FakeProducer;
use crate::transactions::Once;

pub(crate) fn id() -> TaskId {
    TaskId { connector: "c".into(), task: 0 }
}

/// Waits until `condition` holds; virtual time passes only while everybody else waits too.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never came: {what}");
}

/// Lets everything happen that happens within this time.
pub(crate) async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[derive(Default)]
pub(crate) struct Observer {
    states: Mutex<Vec<TaskState>>,
    topics: Mutex<Vec<String>>,
}

impl Observer {
    /// The states as words.
    pub(crate) fn states(&self) -> Vec<&'static str> {
        let word = |state: &TaskState| match state {
            TaskState::Running => "running",
            TaskState::Paused => "paused",
            TaskState::Failed(_) => "failed",
            TaskState::Stopped => "stopped",
        };
        self.states.lock().unwrap().iter().map(word).collect()
    }

    pub(crate) fn topics(&self) -> Vec<String> {
        self.topics.lock().unwrap().clone()
    }

    /// Why the task failed, if it did.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.states.lock().unwrap().iter().find_map(|state| match state {
            TaskState::Failed(error) => Some(error.clone()),
            _ => None,
        })
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.states().last(), Some(&"failed" | &"stopped"))
    }

    /// The text of the failure that the task must have ended with by itself.
    pub(crate) async fn failed(&self) -> String {
        until("the task ends", || self.has_ended()).await;
        self.failure().expect("the task failed").to_string()
    }
}

impl TaskObserver for Observer {
    fn changed(&self, _: &TaskId, state: TaskState) {
        self.states.lock().unwrap().push(state);
    }

    fn topic_used(&self, _: &TaskId, topic: &Topic) {
        self.topics.lock().unwrap().push(topic.to_string());
    }
}

/// Offsets in memory, with failures and delays to order.
#[derive(Default)]
pub(crate) struct MemoryOffsets {
    writes: Mutex<Vec<Vec<(i64, i64)>>>,
    failures: Mutex<VecDeque<Error>>,
    pub(crate) hold: Mutex<bool>,
    go_on: Notify,
}

impl MemoryOffsets {
    /// What was written, each write as (source partition, source offset), sorted.
    pub(crate) fn writes(&self) -> Vec<Vec<(i64, i64)>> {
        self.writes.lock().unwrap().clone()
    }

    /// The newest offset of a source partition.
    pub(crate) fn newest(&self, partition: i64) -> Option<i64> {
        let writes = self.writes();
        writes.iter().flatten().rev().find(|(p, _)| *p == partition).map(|(_, offset)| *offset)
    }

    pub(crate) fn fail_next(&self, error: Error) {
        self.failures.lock().unwrap().push_back(error);
    }

    pub(crate) fn release(&self) {
        *self.hold.lock().unwrap() = false;
        self.go_on.notify_waiters();
    }
}

#[async_trait]
impl OffsetStore for MemoryOffsets {
    async fn write(&self, _: &str, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<()> {
        let number = |map: &OffsetMap, key| map.get(key).and_then(Value::as_i64).unwrap();
        let mut pairs: Vec<_> =
            offsets.iter().map(|(p, o)| (number(p, "p"), number(o.as_ref().unwrap(), "o"))).collect();
        pairs.sort_unstable();
        if *self.hold.lock().unwrap() {
            self.go_on.notified().await;
        }
        if let Some(error) = self.failures.lock().unwrap().pop_front() {
            return Err(error);
        }
        self.writes.lock().unwrap().push(pairs);
        Ok(())
    }

    async fn read_all(&self, _: &str) -> Result<Vec<(OffsetMap, OffsetMap)>> {
        Ok(Vec::new())
    }

    fn reader(&self, _: &str) -> Arc<dyn OffsetReader> {
        struct Nothing;
        #[async_trait]
        impl OffsetReader for Nothing {
            async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
                Ok(vec![None; partitions.len()])
            }
        }
        Arc::new(Nothing)
    }
}

/// What the counters of a task say.
pub(crate) fn counter(metrics: &Metrics, name: &str) -> f64 {
    metrics.snapshot().iter().find(|sample| sample.name == name).map_or(0.0, |sample| sample.value)
}

pub(crate) struct SourceRig {
    pub(crate) producer: Arc<FakeProducer>,
    pub(crate) offsets: Arc<MemoryOffsets>,
    pub(crate) observer: Arc<Observer>,
    pub(crate) journal: Journal,
    pub(crate) metrics: Metrics,
    steps: UnboundedSender<Step>,
    handle: TaskHandle,
}

pub(crate) struct SourceSetup {
    pub(crate) config: Config,
    pub(crate) producer: Arc<FakeProducer>,
    pub(crate) window: Buffer,
    pub(crate) flush_interval: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) target: Target,
    pub(crate) start: Result<()>,
    /// Whether records that fail go to `dlq`, and whether with context headers.
    pub(crate) dead_letters: Option<bool>,
    pub(crate) topic_creation: Option<TopicCreation>,
    /// What delivery is exactly-once with, its producer but for.
    pub(crate) once: Option<Once>,
}

impl Default for SourceSetup {
    fn default() -> Self {
        Self {
            config: Config::new(),
            producer: FakeProducer::new(),
            window: Buffer { records: 1000, bytes: 1 << 20 },
            flush_interval: Duration::from_secs(60),
            flush_timeout: Duration::from_secs(5),
            target: Target::Running,
            start: Ok(()),
            dead_letters: None,
            topic_creation: None,
            once: None,
        }
    }
}

impl SourceSetup {
    pub(crate) fn run(self) -> SourceRig {
        let (steps, receiver) = mpsc::unbounded_channel();
        let (journal, observer) = (Journal::default(), Arc::new(Observer::default()));
        let offsets = Arc::new(MemoryOffsets::default());
        let metrics = Metrics::new();
        let target = watch::Sender::new(self.target);
        let converter = || (CONVERTER.to_owned(), Box::new(TextConverter::default()) as _);
        let settings = ErrorSettings::from_config(&self.config).unwrap();
        let handle = spawn_source(SourceTaskSpec {
            id: id(),
            task: Box::new(FakeSource { steps: receiver, journal: journal.clone(), start: self.start }),
            chain: Chain::from_config(&self.config, &catalogue()).unwrap(),
            encoder: Encoder::new(
                converter(),
                converter(),
                (CONVERTER.into(), Box::new(TextConverter::default())),
            ),
            policy: ErrorPolicy::new(id(), &settings, None, metrics.errors("c", 0), target.subscribe()),
            dead_letters: self
                .dead_letters
                .map(|headers| SourceDeadLetters::new(Topic::from("dlq"), headers)),
            topic_creation: self.topic_creation,
            delivery: match self.once {
                Some(once) => Delivery::ExactlyOnce(ExactlyOnce {
                    producer: self.producer.clone(),
                    offsets: once.offsets,
                    generation: once.generation,
                    boundary: once.boundary,
                }),
                None => Delivery::AtLeastOnce { producer: self.producer.clone(), offsets: offsets.clone() },
            },
            flush_interval: self.flush_interval,
            flush_timeout: self.flush_timeout,
            in_flight: self.window,
            metrics: metrics.source_task("c", 0),
            observer: observer.clone(),
            target,
        });
        SourceRig { producer: self.producer, offsets, observer, journal, metrics, steps, handle }
    }
}

impl SourceRig {
    pub(crate) fn poll(&self, step: Step) {
        self.steps.send(step).ok();
    }

    pub(crate) fn batch(&self, texts: &[&str], first: i64) {
        self.poll(Step::Batch(crate::plugins::records(texts, first)));
    }

    pub(crate) fn target(&self, target: Target) {
        self.handle.set_target(target);
    }

    pub(crate) async fn sent(&self, count: usize) {
        until("records are sent", || self.producer.sent().len() >= count).await;
    }

    /// Tells the task to stop and waits for its end.
    pub(crate) async fn stop(self) -> Stopped {
        self.handle.set_target(Target::Stopping);
        let by_itself = self.handle.stopped(Duration::from_secs(60)).await;
        Stopped {
            by_itself,
            producer: self.producer,
            offsets: self.offsets,
            observer: self.observer,
            journal: self.journal,
            metrics: self.metrics,
        }
    }

    /// Drops the handle.
    pub(crate) fn abandon(self) -> Arc<Observer> {
        self.observer
    }
}

/// What is left of a source task.
pub(crate) struct Stopped {
    pub(crate) by_itself: bool,
    pub(crate) producer: Arc<FakeProducer>,
    pub(crate) offsets: Arc<MemoryOffsets>,
    pub(crate) observer: Arc<Observer>,
    pub(crate) journal: Journal,
    pub(crate) metrics: Metrics,
}

pub(crate) struct SinkRig {
    pub(crate) broker: Broker,
    pub(crate) script: SinkScript,
    pub(crate) observer: Arc<Observer>,
    pub(crate) metrics: Metrics,
    handle: TaskHandle,
}

pub(crate) struct SinkSetup {
    pub(crate) config: Config,
    pub(crate) broker: Broker,
    pub(crate) script: SinkScript,
    /// The dead letter queue's producer, and whether context headers are on.
    pub(crate) dead_letters: Option<(Arc<FakeProducer>, bool)>,
    pub(crate) topics: TopicSelection,
    pub(crate) commit_interval: Duration,
    pub(crate) max_batch: usize,
    pub(crate) target: Target,
}

impl Default for SinkSetup {
    fn default() -> Self {
        Self {
            config: Config::new(),
            broker: Broker::default(),
            script: SinkScript::new(),
            dead_letters: None,
            topics: TopicSelection::Named(vec!["t".into()]),
            commit_interval: Duration::from_secs(60),
            max_batch: 500,
            target: Target::Running,
        }
    }
}

impl SinkSetup {
    pub(crate) fn run(self) -> SinkRig {
        let observer = Arc::new(Observer::default());
        let metrics = Metrics::new();
        let target = watch::Sender::new(self.target);
        let settings = ErrorSettings::from_config(&self.config).unwrap();
        let dead_letters = self
            .dead_letters
            .map(|(producer, headers)| DeadLetters::new(Topic::from("dlq"), headers, producer));
        let converter = || (CONVERTER.to_owned(), Box::new(TextConverter::default()) as _);
        let handle = spawn_sink(SinkTaskSpec {
            id: id(),
            task: Box::new(FakeSink(self.script.clone())),
            chain: Chain::from_config(&self.config, &catalogue()).unwrap(),
            decoder: Decoder::new(
                converter(),
                converter(),
                (CONVERTER.into(), Box::new(TextConverter::default())),
            ),
            policy: ErrorPolicy::new(
                id(),
                &settings,
                dead_letters,
                metrics.errors("c", 0),
                target.subscribe(),
            ),
            consumer: self.broker.consumer(),
            topics: self.topics,
            topics_refresh: Duration::from_secs(30),
            commit_interval: self.commit_interval,
            max_batch: self.max_batch,
            metrics: metrics.sink_task("c", 0),
            observer: observer.clone(),
            target,
        });
        SinkRig { broker: self.broker, script: self.script, observer, metrics, handle }
    }
}

impl SinkRig {
    pub(crate) fn target(&self, target: Target) {
        self.handle.set_target(target);
    }

    /// Waits until the sink was given this many batches.
    pub(crate) async fn puts(&self, count: usize) {
        until("records are put", || self.script.puts().len() >= count).await;
    }

    pub(crate) async fn failed(&self) -> String {
        self.observer.failed().await
    }

    /// Tells the task to stop and waits for its end; whether it ended by itself.
    pub(crate) async fn stop(self) -> bool {
        self.handle.set_target(Target::Stopping);
        self.handle.stopped(Duration::from_secs(60)).await
    }
}
