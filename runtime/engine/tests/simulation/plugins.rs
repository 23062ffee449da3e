//! Converters, a transform, a source and a sink that do what the texts of their records and the test say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef};
use lavka_api::data::{
    Blob, Datum, Headers, OffsetMap, Record, Schema, SourcePosition, SourceRecord, Topic, TopicPartition,
    Value,
};
use lavka_api::plugin::{
    Catalogue, Converter, Counter, DeliveryListener, Factory, HeaderConverter, Offsets, Plugin, Predicate,
    Remark, RemarkLevel, Remarks, SinkBatch, SinkContext, SinkTask, SinkTaskStart, SourceTask,
    SourceTaskStart, TransactionContext, Transform, Undecoded, Verdict,
};
use lavka_api::{Error, Result};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

fn failing(text: &str, verb: &str) -> Result<()> {
    if text.contains("fatal") {
        return Err(Error::fatal(format!("cannot {verb} anything any more")));
    }
    Err(Error::data(format!("cannot {verb} {text}")))
}

/// Text to bytes and back. `undecodable`, `unencodable` and `unpreparable` are what they say; `registry-N` cannot be
/// prepared N times.
#[derive(Default)]
pub(crate) struct TextConverter {
    tries: HashMap<String, u32>,
}

impl TextConverter {
    fn prepare(&mut self, text: &str) -> Result<()> {
        if text.contains("unpreparable") {
            return failing(text, "prepare");
        }
        again(&mut self.tries, text, "registry-")
    }
}

/// Fails with a retriable error as often as the text says, each text for itself.
fn again(tries: &mut HashMap<String, u32>, text: &str, prefix: &str) -> Result<()> {
    let Some(times) = text.strip_prefix(prefix).and_then(|rest| rest.split('-').next()) else {
        return Ok(());
    };
    let tried = tries.entry(text.to_owned()).or_default();
    *tried += 1;
    if *tried <= times.parse().unwrap() { Err(Error::retriable(format!("{text}: not yet"))) } else { Ok(()) }
}

fn text_of(payload: Option<&Blob>) -> &str {
    payload.map_or("", |bytes| std::str::from_utf8(bytes).unwrap())
}

#[async_trait]
impl Converter for TextConverter {
    async fn prepare_decode(&mut self, batch: &[Undecoded<'_>]) -> Result<()> {
        batch.iter().try_for_each(|item| self.prepare(text_of(item.payload)))
    }

    async fn prepare_encode(&mut self, batch: &[(&Topic, &Datum)]) -> Result<()> {
        batch.iter().try_for_each(|(_, datum)| self.prepare(datum.value.as_str().unwrap_or_default()))
    }

    fn decode(&mut self, _: &Topic, payload: Option<&Blob>) -> Result<Datum> {
        let text = text_of(payload);
        if text.contains("undecodable") {
            failing(text, "decode")?;
        }
        Ok(if payload.is_some() { Datum::schemaless(text) } else { Datum::NULL })
    }

    fn encode(
        &mut self,
        _: &Topic,
        _: &mut Headers,
        _: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let Some(text) = value.as_str() else { return Ok(false) };
        if text.contains("unencodable") {
            failing(text, "encode")?;
        }
        out.extend_from_slice(text.as_bytes());
        Ok(true)
    }
}

impl HeaderConverter for TextConverter {
    fn decode(&mut self, topic: &Topic, _: &str, payload: Option<&Blob>) -> Result<Datum> {
        Converter::decode(self, topic, payload)
    }

    fn encode(&mut self, topic: &Topic, _: &str, datum: &Datum, out: &mut Vec<u8>) -> Result<bool> {
        Converter::encode(self, topic, &mut Headers::new(), None, &datum.value, out)
    }
}

pub(crate) const SCRIPT: &str = "test.Script";
pub(crate) const CONVERTER: &str = "test.TextConverter";

thread_local! {
    /// When the transform of this thread's test was called.
    pub(crate) static CALLS: std::cell::RefCell<Vec<Instant>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// `drop…`, `bad…` and `panic…` are what they say; `flaky-N` fails N times; `moved…` goes to another topic.
#[derive(Default)]
struct Script {
    tries: HashMap<String, u32>,
}

impl Transform for Script {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let text = record.value.value.as_str().unwrap_or_default();
        CALLS.with_borrow_mut(|calls| calls.push(Instant::now()));
        again(&mut self.tries, text, "flaky-")?;
        match text {
            _ if text.starts_with("drop") => Ok(Verdict::Drop),
            _ if text.starts_with("bad") => failing(text, "transform").map(|()| Verdict::Keep),
            _ if text.starts_with("silent") => Err(Error::data("").without_message()),
            _ if text.starts_with("moved") => {
                record.topic = Topic::from("elsewhere");
                record.partition = Some(99);
                Ok(Verdict::Keep)
            }
            _ if text.starts_with("panic") => panic!("the script says so"),
            _ => Ok(Verdict::Keep),
        }
    }
}

/// Forgets to answer for the last record of a batch.
struct Forgetful;

impl Transform for Forgetful {
    fn apply(&mut self, _: &mut Record) -> Result<Verdict> {
        Ok(Verdict::Keep)
    }

    fn apply_batch(&mut self, records: &mut [&mut Record]) -> Vec<Result<Verdict>> {
        (1..records.len()).map(|_| Ok(Verdict::Keep)).collect()
    }
}

/// Has something to say about every record.
#[derive(Default)]
struct Chatty(Remarks);

impl Transform for Chatty {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let text = record.value.value.as_str().unwrap_or_default();
        let level = if text.starts_with("odd") { RemarkLevel::Error } else { RemarkLevel::Warn };
        self.0.say(level, format_args!("saw {text}"));
        Ok(Verdict::Keep)
    }

    fn take_remarks(&mut self) -> Vec<Remark> {
        self.0.take()
    }
}

/// Fails, whatever it is given.
struct Fail;

impl Transform for Fail {
    fn apply(&mut self, _: &mut Record) -> Result<Verdict> {
        Err(Error::data("nothing pleases it"))
    }
}

/// Fails as `flaky-N`, else holds.
#[derive(Default)]
struct FlakyPredicate {
    tries: HashMap<String, u32>,
}

impl Predicate for FlakyPredicate {
    fn test(&mut self, record: &Record) -> Result<bool> {
        again(&mut self.tries, record.value.value.as_str().unwrap_or_default(), "doubtful-")?;
        Ok(true)
    }
}

pub(crate) fn catalogue() -> Catalogue {
    let plugin = |class, factory| Plugin {
        class,
        aliases: &[],
        version: "1",
        doc: "For tests.",
        definition: ConfigDef::new,
        factory,
    };
    Catalogue::new([
        plugin(SCRIPT, Factory::Transform(|_| Ok(Box::new(Script::default())))),
        plugin("test.Forgetful", Factory::Transform(|_| Ok(Box::new(Forgetful)))),
        plugin("test.Chatty", Factory::Transform(|_| Ok(Box::new(Chatty::default())))),
        plugin("test.Fail", Factory::Transform(|_| Ok(Box::new(Fail)))),
        plugin("test.FlakyPredicate", Factory::Predicate(|_| Ok(Box::new(FlakyPredicate::default())))),
    ])
}

/// The keys that put the script into the chain.
pub(crate) fn scripted(keys: &[(&str, &str)]) -> Config {
    let mut config = Config::from([("transforms", "s"), ("transforms.s.type", SCRIPT)]);
    keys.iter().for_each(|(key, value)| config.set(*key, *value));
    config
}

/// The script in the chain, and bad records tolerated.
pub(crate) fn tolerant() -> Config {
    scripted(&[("errors.tolerance", "all")])
}

/// A source record: its text, source partition and source offset, which is its token too.
pub(crate) fn record(text: &str, partition: i64, offset: i64) -> SourceRecord {
    let mut record = Record::for_topic("t");
    record.value = Datum::schemaless(text);
    let position = SourcePosition {
        partition: OffsetMap::new([("p", Value::Int64(partition))]),
        offset: OffsetMap::new([("o", Value::Int64(offset))]),
    };
    SourceRecord { record, position: Some(position), token: u64::try_from(offset).unwrap() }
}

/// Records `texts` of source partition 0, numbered from `first`.
pub(crate) fn records(texts: &[&str], first: i64) -> Vec<SourceRecord> {
    texts.iter().zip(first..).map(|(text, offset)| record(text, 0, offset)).collect()
}

/// What a source does in one poll.
pub(crate) enum Step {
    Batch(Vec<SourceRecord>),
    Fail(Error),
    Panic,
}

/// Notes what happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn note(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }

    pub(crate) fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, entry: &str) -> usize {
        self.entries().iter().filter(|other| *other == entry).count()
    }

    /// The entries but for those that begin so.
    pub(crate) fn without(&self, prefix: &str) -> Vec<String> {
        self.entries().into_iter().filter(|entry| !entry.starts_with(prefix)).collect()
    }
}

pub(crate) struct FakeSource {
    pub(crate) steps: UnboundedReceiver<Step>,
    pub(crate) journal: Journal,
    pub(crate) start: Result<()>,
}

#[async_trait]
impl SourceTask for FakeSource {
    async fn start(&mut self, _: SourceTaskStart) -> Result<()> {
        self.journal.note("start");
        self.start.clone()
    }

    fn define_transactions(&mut self, _: TransactionContext) {
        self.journal.note("defines transactions");
    }

    fn batches_are_transactions(&mut self) {
        self.journal.note("batches are transactions");
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        self.journal.note("poll");
        match self.steps.recv().await {
            Some(Step::Batch(batch)) => Ok(batch),
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Panic) => panic!("the source says so"),
            None => std::future::pending().await,
        }
    }

    fn delivery_listener(&self) -> Option<Arc<dyn DeliveryListener>> {
        Some(Arc::new(Listener(self.journal.clone())))
    }

    fn counters(&self) -> Vec<Counter> {
        let asked = Counter::new("asked-total");
        asked.add(1);
        vec![asked]
    }

    async fn stop(&mut self) {
        self.journal.note("stop");
    }
}

struct Listener(Journal);

impl DeliveryListener for Listener {
    fn delivered(&self, tokens: &[u64]) {
        self.0.note(format!("delivered {tokens:?}"));
    }

    fn committed(&self, offsets: &[(OffsetMap, OffsetMap)]) {
        let number = |map: &OffsetMap, key| map.get(key).and_then(Value::as_i64).unwrap();
        let mut pairs: Vec<_> = offsets.iter().map(|(p, o)| (number(p, "p"), number(o, "o"))).collect();
        pairs.sort_unstable();
        self.0.note(format!("committed {pairs:?}"));
    }
}

/// A call of a sink task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    Start,
    Open(Vec<TopicPartition>),
    /// Partition, offset and text of each record.
    Put(Vec<(i32, i64, String)>),
    PreCommit(Offsets),
    Close(Vec<TopicPartition>),
    Stop,
}

type Put = dyn FnMut(&SinkBatch, &mut SinkContext) -> Result<()> + Send;
type Open = dyn FnMut(&[TopicPartition], &mut SinkContext) -> Result<()> + Send;
type PreCommit = dyn FnMut(&Offsets, &mut SinkContext) -> Result<Offsets> + Send;

/// What the sink of a test does, and what was asked of it.
#[derive(Clone)]
pub(crate) struct SinkScript(Arc<Mutex<SinkState>>);

struct SinkState {
    calls: Vec<(Instant, Call)>,
    put: Box<Put>,
    open: Box<Open>,
    close: Box<Open>,
    pre_commit: Box<PreCommit>,
    start: Result<()>,
    put_takes: Duration,
}

impl SinkScript {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(SinkState {
            calls: Vec::new(),
            put: Box::new(|_, _| Ok(())),
            open: Box::new(|_, _| Ok(())),
            close: Box::new(|_, _| Ok(())),
            pre_commit: Box::new(|seen, _| Ok(seen.clone())),
            start: Ok(()),
            put_takes: Duration::ZERO,
        })))
    }

    pub(crate) fn on_put(
        &self,
        put: impl FnMut(&SinkBatch, &mut SinkContext) -> Result<()> + Send + 'static,
    ) {
        self.0.lock().unwrap().put = Box::new(put);
    }

    pub(crate) fn on_open(
        &self,
        open: impl FnMut(&[TopicPartition], &mut SinkContext) -> Result<()> + Send + 'static,
    ) {
        self.0.lock().unwrap().open = Box::new(open);
    }

    pub(crate) fn on_close(
        &self,
        close: impl FnMut(&[TopicPartition], &mut SinkContext) -> Result<()> + Send + 'static,
    ) {
        self.0.lock().unwrap().close = Box::new(close);
    }

    pub(crate) fn on_pre_commit(
        &self,
        pre_commit: impl FnMut(&Offsets, &mut SinkContext) -> Result<Offsets> + Send + 'static,
    ) {
        self.0.lock().unwrap().pre_commit = Box::new(pre_commit);
    }

    pub(crate) fn fail_start(&self, error: Error) {
        self.0.lock().unwrap().start = Err(error);
    }

    pub(crate) fn put_takes(&self, duration: Duration) {
        self.0.lock().unwrap().put_takes = duration;
    }

    fn note(&self, call: Call) {
        self.0.lock().unwrap().calls.push((Instant::now(), call));
    }

    /// Calls with their times; puts without records are left out.
    pub(crate) fn timed(&self) -> Vec<(Instant, Call)> {
        let calls = self.0.lock().unwrap().calls.clone();
        calls
            .into_iter()
            .filter(|(_, call)| !matches!(call, Call::Put(records) if records.is_empty()))
            .collect()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.timed().into_iter().map(|(_, call)| call).collect()
    }

    /// Records of each put, as texts.
    pub(crate) fn puts(&self) -> Vec<Vec<String>> {
        let texts = |call| match call {
            Call::Put(records) => Some(records.into_iter().map(|(_, _, text)| text).collect()),
            _ => None,
        };
        self.calls().into_iter().filter_map(texts).collect()
    }

    pub(crate) fn empty_puts(&self) -> usize {
        let calls = self.0.lock().unwrap().calls.clone();
        calls.iter().filter(|(_, call)| matches!(call, Call::Put(records) if records.is_empty())).count()
    }
}

pub(crate) struct FakeSink(pub(crate) SinkScript);

#[async_trait]
impl SinkTask for FakeSink {
    async fn start(&mut self, _: SinkTaskStart) -> Result<()> {
        self.0.note(Call::Start);
        self.0.0.lock().unwrap().start.clone()
    }

    async fn open(&mut self, partitions: &[TopicPartition], context: &mut SinkContext) -> Result<()> {
        self.0.note(Call::Open(partitions.to_vec()));
        (self.0.0.lock().unwrap().open)(partitions, context)
    }

    async fn put(&mut self, batch: SinkBatch, context: &mut SinkContext) -> Result<()> {
        let of = |record: &lavka_api::data::SinkRecord| {
            let text = record.record.value.value.as_str().unwrap_or_default().to_owned();
            (record.origin.partition, record.origin.offset, text)
        };
        self.0.note(Call::Put(batch.iter().map(of).collect()));
        let takes = self.0.0.lock().unwrap().put_takes;
        tokio::time::sleep(takes).await;
        (self.0.0.lock().unwrap().put)(&batch, context)
    }

    async fn pre_commit(&mut self, seen: &Offsets, context: &mut SinkContext) -> Result<Offsets> {
        self.0.note(Call::PreCommit(seen.clone()));
        (self.0.0.lock().unwrap().pre_commit)(seen, context)
    }

    async fn close(&mut self, partitions: &[TopicPartition], context: &mut SinkContext) -> Result<()> {
        self.0.note(Call::Close(partitions.to_vec()));
        (self.0.0.lock().unwrap().close)(partitions, context)
    }

    fn counters(&self) -> Vec<Counter> {
        let asked = Counter::new("asked-total");
        asked.add(1);
        vec![asked]
    }

    async fn stop(&mut self) {
        self.0.note(Call::Stop);
    }
}
