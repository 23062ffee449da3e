//! Tables and partitions in a real Hive Metastore, seen through Hive's own client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::OnceLock;

use lavka_api::config::Config;
use lavka_api::data::{Datum, KafkaOrigin, Record, Schema, SinkRecord, Struct, TopicPartition, Type, Value};
use lavka_api::plugin::{SinkConnector as _, SinkContext, SinkTask, SinkTaskStart, TaskId};
use lavka_connector_lake::LakeSinkConnector;
use lavka_testkit::{HiveMetastore, JarSet, JavaProgram, TempDir, had, temp_dir};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hive/Metastore.java");
const NOW: i64 = 1_700_000_000_000;

struct Hive {
    server: HiveMetastore,
    client: Child,
    printed: BufReader<ChildStdout>,
    /// With what the client says of itself.
    folder: TempDir,
}

impl Hive {
    fn start(test: &str) -> Option<Self> {
        static CLIENT: OnceLock<Option<JavaProgram>> = OnceLock::new();
        let client = CLIENT.get_or_init(|| JavaProgram::compile(Path::new(SOURCE), JarSet::Metastore, test));
        let server = had(HiveMetastore::start(), test, "Hive's metastore")?;
        let folder = temp_dir();
        let mut java = client.as_ref()?.java();
        java.args(["Metastore", &server.url(), "default"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log")).unwrap());
        let mut client = java.spawn().unwrap();
        let printed = BufReader::new(client.stdout.take().unwrap());
        Some(Self { server, client, printed, folder })
    }

    /// What the metastore has of a table of the database `default`.
    fn table(&mut self, name: &str) -> Vec<String> {
        writeln!(self.client.stdin.as_mut().unwrap(), "{name}").unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert!(self.printed.read_line(&mut line).unwrap() > 0, "Hive's client ended:\n{}", log());
            match line.trim_end() {
                "" => return lines,
                line => lines.push(line.to_owned()),
            }
        }
    }
}

impl Drop for Hive {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

fn config(lake: &Path, hive: &Hive, format: &str) -> Config {
    Config::from([
        ("connector.class", "io.confluent.connect.hdfs.HdfsSinkConnector".to_owned()),
        ("store.url", format!("file://{}", lake.display())),
        ("format.class", format!("io.confluent.connect.hdfs.{}.{format}Format", format.to_lowercase())),
        ("flush.size", "2".into()),
        ("partitioner.class", "io.confluent.connect.storage.partitioner.FieldPartitioner".into()),
        ("partition.field.name", "device".into()),
        ("schema.compatibility", "BACKWARD".into()),
        ("hive.integration", "true".into()),
        ("hive.metastore.uris", hive.server.url()),
    ])
}

/// A reading of version 1, or of version 2 with a field more.
fn reading(topic: &str, version: i32, offset: i64, device: &str) -> SinkRecord {
    let schema = Schema::structure()
        .name("Reading")
        .version(version)
        .field("device", Schema::of(Type::String))
        .field("celsius", Schema::optional(Type::Float64));
    let schema = if version > 1 { schema.field("Note", Schema::optional(Type::String)) } else { schema };
    let schema = schema.build().unwrap();
    let mut values = vec![Value::from(device), Value::Float64(21.5)];
    if version > 1 {
        values.push(Value::Null);
    }
    let mut record = Record::for_topic(topic);
    record.value = Datum::new(schema.clone(), Struct::new(schema, values).unwrap());
    let origin = KafkaOrigin { topic: topic.into(), partition: 0, offset, leader_epoch: None };
    SinkRecord { record, origin, raw_key: None, raw_value: None }
}

async fn open(config: &Config, topic: &str) -> Box<dyn SinkTask> {
    let mut task = LakeSinkConnector::default().task(config).unwrap();
    task.start(SinkTaskStart { id: TaskId { connector: "lake".into(), task: 0 } }).await.unwrap();
    task.open(&[TopicPartition::new(topic, 0)], &mut SinkContext::at(NOW)).await.unwrap();
    task
}

async fn put(task: &mut Box<dyn SinkTask>, batch: Vec<SinkRecord>, now: i64) {
    task.put(batch.into(), &mut SinkContext::at(now)).await.unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn tables_follow_the_schema_and_have_a_partition_for_each_directory() {
    let Some(mut hive) = Hive::start("tables_follow_the_schema_and_have_a_partition_for_each_directory")
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let base = format!("file:{}/topics", dir.path().display());
    for (format, classes) in [
        (
            "Avro",
            [
                "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
                "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
                "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
            ],
        ),
        (
            "Parquet",
            [
                "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            ],
        ),
        (
            "Orc",
            [
                "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
                "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
                "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
            ],
        ),
    ] {
        let topic = format!("readings.{}", format.to_lowercase());
        let table = topic.replace('.', "_");
        let record = |version, offset, device| reading(&topic, version, offset, device);
        assert_eq!(hive.table(&table), ["none"]);
        runtime().block_on(async {
            let mut task = open(&config(dir.path(), &hive, format), &topic).await;
            put(&mut task, vec![record(1, 0, "a"), record(1, 1, "b"), record(1, 2, "a")], NOW).await;
            put(&mut task, vec![record(2, 3, "a"), record(2, 4, "c:1"), record(2, 5, "a")], NOW).await;
            task.stop().await;
        });
        let mut found = hive.table(&table);
        let schema = found.iter().position(|line| line.starts_with("schema ")).map(|line| found.remove(line));
        assert_eq!(found[0], format!("EXTERNAL_TABLE {base}/{topic}"));
        assert_eq!(found[1..4], classes);
        assert_eq!(found[4..7], ["column celsius double", "column note string", "key device string"]);
        let partition = |device: &str| format!("partition [{device}] {base}/{topic}/device={device}");
        assert_eq!(found[7..], [partition("a"), partition("b"), partition("c:1")]);
        match format {
            "Avro" => assert!(schema.unwrap().contains(r#""name":"Note""#)),
            _ => assert_eq!(schema, None),
        }
    }
}

#[test]
fn what_could_not_be_told_is_told_later() {
    let Some(mut hive) = Hive::start("what_could_not_be_told_is_told_later") else { return };
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &hive, "Parquet");
    let pair = |offset, device| vec![reading("t", 1, offset, device), reading("t", 1, offset + 1, device)];
    let partitions = |hive: &mut Hive| -> Vec<String> {
        let lines = hive.table("t").into_iter();
        lines
            .filter_map(|line| Some(line.strip_prefix("partition [")?.split(']').next()?.to_owned()))
            .collect()
    };
    runtime().block_on(async {
        let mut task = open(&config, "t").await;
        let next = reading("t", 1, 2, "b");
        put(&mut task, [pair(0, "a"), vec![next]].concat(), NOW).await;
        assert_eq!(partitions(&mut hive), ["a"]);
        hive.server.kill();
        // Files are finished all the same, and their offsets are durable.
        put(&mut task, vec![reading("t", 1, 3, "b"), reading("t", 1, 4, "c")], NOW).await;
        let durable = task.pre_commit(&Default::default(), &mut SinkContext::at(NOW)).await.unwrap();
        assert_eq!(durable[&TopicPartition::new("t", 0)], 4);
        hive.server.restart().unwrap();
        put(&mut task, Vec::new(), NOW + 1).await;
        assert_eq!(partitions(&mut hive), ["a"], "not before the back-off is over");
        put(&mut task, Vec::new(), NOW + 5000).await;
        assert_eq!(partitions(&mut hive), ["a", "b"]);
        // A task that ends before it could tell leaves it to the next one.
        hive.server.kill();
        put(&mut task, vec![reading("t", 1, 5, "c"), reading("t", 1, 6, "c")], NOW + 6000).await;
        task.stop().await;
        hive.server.restart().unwrap();
        let mut task = open(&config, "t").await;
        put(&mut task, Vec::new(), NOW + 7000).await;
        assert_eq!(partitions(&mut hive), ["a", "b", "c"]);
        task.stop().await;
    });
}
