//! A topic of numbered records, the consumer of it, and what is to be read in the files, for stores of others.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::{Datum, KafkaOrigin, Object, Record, SinkRecord, TopicPartition, Value};
use lavka_api::plugin::{
    Catalogue, Offsets, PluginKind, SinkConnector as _, SinkContext, SinkTask, SinkTaskStart, TaskId,
};
use lavka_connector_lake::LakeSinkConnector;
use lavka_connector_lake::store::{LakePath, LakeStore};
use lavka_testkit::{Chance, eventually};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

pub(crate) const TOPIC: &str = "t";
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// The variable by which a copy of the test binary is told what to do with.
const CHILD: &str = "LAVKA_TEST_LAKE_CHILD";

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(crate) fn partition() -> TopicPartition {
    TopicPartition::new(TOPIC, 0)
}

pub(crate) fn record(offset: i64) -> SinkRecord {
    let value = Object::from_entries([
        ("offset", Value::Int64(offset)),
        ("device", ["a", "b"][usize::from(offset % 3 == 0)].into()),
        ("text", format!("{:0>60}", offset * 7919).as_str().into()),
    ]);
    let mut record = Record::for_topic(TOPIC);
    record.partition = Some(0);
    record.value = Datum::schemaless(value);
    record.timestamp = Some(1_700_000_000_000 + offset);
    let origin = KafkaOrigin { topic: TOPIC.into(), partition: 0, offset, leader_epoch: Some(0) };
    SinkRecord { record, origin, raw_key: None, raw_value: None }
}

/// A task with a consumer that reads from where the task wants to, else from the beginning.
pub(crate) struct Rig {
    pub(crate) task: Box<dyn SinkTask>,
    pub(crate) position: i64,
    pub(crate) now: i64,
    pub(crate) paused: bool,
    /// What the topic has at an offset.
    pub(crate) record: fn(i64) -> SinkRecord,
    /// Records of the last batch, which comes again after an error.
    held: Vec<SinkRecord>,
}

impl Rig {
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        Self::of(LakeSinkConnector::default().task(config)?).await
    }

    pub(crate) async fn of(task: Box<dyn SinkTask>) -> Result<Self> {
        let now = 1_800_000_000_000;
        let mut rig = Self { task, position: 0, now, paused: false, record, held: Vec::new() };
        rig.task.start(SinkTaskStart { id: TaskId { connector: "lake".into(), task: 0 } }).await?;
        let mut context = SinkContext::at(rig.now);
        rig.task.open(&[partition()], &mut context).await?;
        rig.follow(&context);
        Ok(rig)
    }

    fn follow(&mut self, context: &SinkContext) {
        self.paused |= context.pause.contains(&partition());
        if context.resume.contains(&partition()) {
            self.paused = false;
        }
        if let Some(next) = context.rewind.get(&partition()) {
            self.position = *next;
            self.held.clear();
        }
    }

    /// Puts the next `count` records, or those that an error left.
    pub(crate) async fn put(&mut self, count: i64) -> Result<()> {
        self.now += 10_000;
        let mut context = SinkContext::at(self.now);
        if self.held.is_empty() && !self.paused {
            self.held = (self.position..self.position + count).map(self.record).collect();
            self.position += count;
        }
        let outcome = self.task.put(self.held.clone().into(), &mut context).await;
        if outcome.is_ok() {
            self.held.clear();
        }
        self.follow(&context);
        outcome
    }

    /// The same until it succeeds, with `pause` in between.
    pub(crate) async fn put_at_last(&mut self, count: i64, tries: usize) {
        for _ in 0..tries {
            match self.put(count).await {
                Ok(()) if !self.paused => return,
                Ok(()) => {}
                Err(error) => assert!(error.is_retriable(), "{error}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
        panic!("{tries} tries were in vain");
    }

    pub(crate) async fn durable(&mut self) -> Option<i64> {
        let offsets = self.task.pre_commit(&Offsets::new(), &mut SinkContext::at(self.now)).await.unwrap();
        offsets.get(&partition()).copied()
    }

    pub(crate) async fn stop(mut self) {
        self.task.close(&[partition()], &mut SinkContext::at(self.now)).await.unwrap();
        self.task.stop().await;
    }
}

/// The offsets in all finished files, in order of files' names; panics where a file does not hold what its name says.
pub(crate) async fn rows(store: &dyn LakeStore) -> Vec<i64> {
    let mut rows = Vec::new();
    for (name, bytes) in files(store).await {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
        let mut inside: Vec<i64> = Vec::new();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            inside.extend(batch.column_by_name("offset").unwrap().as_primitive::<Int64Type>().values());
        }
        let numbers: Vec<i64> =
            name.rsplit('/').next().unwrap().split(['+', '.']).filter_map(|part| part.parse().ok()).collect();
        assert_eq!(numbers[1], inside[0], "{name}");
        rows.extend(inside);
    }
    rows
}

/// The finished files by name.
pub(crate) async fn files(store: &dyn LakeStore) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let directory = LakePath::new(&format!("topics/{TOPIC}")).unwrap();
    for path in store.list(&directory).await.unwrap() {
        let bytes = store.read(&path, MAX_FILE).await.unwrap().unwrap();
        files.insert(path.to_string(), bytes);
    }
    files
}

/// Each offset below `end` is there once.
pub(crate) async fn assert_complete(store: &dyn LakeStore, end: i64) {
    let mut rows = rows(store).await;
    rows.sort_unstable();
    assert_eq!(rows, (0..end).collect::<Vec<i64>>());
}

pub(crate) async fn names_below(store: &dyn LakeStore, directory: &str) -> Vec<String> {
    let paths = store.list(&LakePath::new(directory).unwrap()).await.unwrap();
    paths.iter().map(ToString::to_string).collect()
}

/// A copy of this test binary that runs the test `test` alone, which finds `config` by [`given_config`].
pub(crate) fn copy_of(test: &str, config: &Config) -> Command {
    let entries: BTreeMap<String, String> =
        config.iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, serde_json::to_string(&entries).unwrap())
        .stdout(Stdio::null());
    command
}

/// The configuration that a copy was given; `None` where this is not one.
pub(crate) fn given_config() -> Option<Config> {
    let text = std::env::var(CHILD).ok()?;
    let entries: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    Some(entries.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect())
}

/// Starts a copy that runs the test `child`, which writes with `config` until it is killed.
pub(crate) fn spawn_child(config: &Config) -> Child {
    copy_of("child", config).spawn().unwrap()
}

/// Starts a writer so many times, and kills it some milliseconds later, as chance has it. One life in four gets somewhere
/// first, however slow the machine is: to one more file below `directory`.
pub(crate) fn kill_writers(
    config: &Config,
    times: usize,
    lives: Range<u64>,
    store: &dyn LakeStore,
    directory: &str,
) -> Chance {
    let runtime = runtime();
    let written = || {
        let names = runtime.block_on(names_below(store, directory));
        names.iter().filter(|name| !name.contains("/+tmp/")).count()
    };
    let mut chance = Chance::new();
    for life in 0..times {
        let before = written();
        let mut child = spawn_child(config);
        if life % 4 == 0 {
            eventually("a writer to get somewhere", Duration::from_secs(180), || {
                (written() > before).then_some(())
            });
        }
        std::thread::sleep(Duration::from_millis(lives.start + chance.below(lives.end - lives.start)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    chance
}

/// What the test `child` does; nothing, where it is not told to.
pub(crate) fn be_child() {
    let Some(config) = given_config() else { return };
    runtime().block_on(async {
        let mut rig = Rig::open(&config).await.unwrap();
        loop {
            rig.put_at_last(7, 1000).await;
        }
    });
}

/// Holds an example's configuration against the connector: nothing is wrong with it, and a task can be made.
pub(crate) fn assert_example(name: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let example: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entries = example["config"].as_object().unwrap();
    let config: Config = entries.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap())).collect();
    let catalogue = Catalogue::new(lavka_connector_lake::plugins());
    let class = config.get("connector.class").unwrap();
    let plugin = catalogue.find(class, PluginKind::is_connector).unwrap();
    let definition = (plugin.definition)();
    let reports = runtime().block_on(LakeSinkConnector::default().validate(&definition, &config));
    let wrong: Vec<_> = reports.iter().filter(|report| !report.errors.is_empty()).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:?}");
    LakeSinkConnector::default().task(&config).unwrap();
}
