//! The lake in a bucket of a real S3 server: exactly once over kills and takeovers, and nothing left of dead writers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

#[path = "../support/bucket.rs"]
mod bucket;
mod dialects;
#[path = "../support/mod.rs"]
mod support;

use std::sync::OnceLock;
use std::time::Duration;

use bucket::{PART, bucket, store};
use lavka_api::config::Config;
use lavka_connector_lake::store::{Chunk, End, LakePath, LakeStore, Renamed};
use lavka_testkit::{Chance, Python, S3Server, Unavailable, acceptance, cannot_run, count, temp_dir};
use support::{
    Rig, assert_complete, assert_example, be_child, files, names_below, record, rows, runtime, spawn_child,
};

/// One server for all tests: buckets are told apart by name.
fn server(test: &str) -> Option<&'static S3Server> {
    static SERVER: OnceLock<Result<S3Server, Unavailable>> = OnceLock::new();
    match SERVER.get_or_init(S3Server::start) {
        Ok(server) => Some(server),
        Err(Unavailable::Unresolvable(failure)) => {
            cannot_run(test, &format!("a server that speaks S3's protocol: {failure}"));
            None
        }
        Err(Unavailable::Broken(failure)) => panic!("{failure}"),
    }
}

fn config(server: &S3Server, bucket: &str) -> Config {
    Config::from([
        ("format.class", "Parquet"),
        ("s3.bucket.name", bucket),
        ("store.url", server.url().as_str()),
        ("aws.access.key.id", S3Server::KEY_ID),
        ("aws.secret.access.key", S3Server::SECRET),
        ("flush.size", "20"),
    ])
}

#[test]
fn the_examples_are_fine_configurations() {
    for name in [
        "lake-s3-sink.json",
        "lake-aiven-s3-sink.json",
        "lake-gcs-sink.json",
        "lake-azure-sink.json",
        "lake-sink.json",
    ] {
        assert_example(name);
    }
}

#[test]
fn child() {
    be_child();
}

#[test]
fn the_store_keeps_what_the_port_promises() {
    let Some(server) = server("the_store_keeps_what_the_port_promises") else { return };
    runtime().block_on(async {
        let bucket = bucket(server, "lake");
        let store = store(server, &bucket);
        store.prepare().await.unwrap();
        let path = |text: &str| LakePath::new(text).unwrap();
        let chunk = |text: &str| Chunk::from(text.as_bytes().to_vec());
        let lease = store.lease(&path("logs/lock")).await.unwrap().unwrap();
        // Small: an object and a copy.
        let (temp, done) = (path("+tmp/a+b"), path("t/f=1 ž%/done"));
        assert!(store.create(&lease, &temp, None).await.unwrap());
        store.append(&lease, &temp, 0, chunk("abc")).await.unwrap();
        store.append(&lease, &temp, 0, chunk("abc")).await.unwrap();
        store.append(&lease, &temp, 3, chunk("def")).await.unwrap();
        assert!(store.append(&lease, &temp, 2, chunk("xy")).await.is_err());
        assert!(store.list(&path("+tmp")).await.unwrap().is_empty(), "it waits in memory");
        assert_eq!(store.held_bytes(&temp), 6);
        assert!(store.sync(&lease, &temp).await.unwrap() && store.sync(&lease, &temp).await.unwrap());
        assert_eq!(store.held_bytes(&temp), 0);
        assert_eq!(store.read(&temp, 100).await.unwrap().unwrap(), b"abcdef");
        assert!(store.read(&temp, 5).await.is_err());
        for (end, want) in [(End::First(2), "ab"), (End::Last(2), "ef"), (End::Last(9), "abcdef")] {
            assert_eq!(store.read_end(&temp, end).await.unwrap().unwrap(), want.as_bytes());
        }
        assert_eq!(store.read_end(&path("none"), End::Last(1)).await.unwrap(), None);
        assert_eq!(store.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::Done);
        assert_eq!(store.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::AlreadyDone);
        assert_eq!(
            store.rename_if_absent(&lease, &temp, &path("t/x")).await.unwrap(),
            Renamed::SourceMissing
        );
        assert_eq!(store.list(&path("t")).await.unwrap(), [done]);
        // One that creates wins.
        assert!(store.create_object(&path("logs/1"), chunk("mine")).await.unwrap());
        assert!(!store.create_object(&path("logs/1"), chunk("yours")).await.unwrap());
        assert_eq!(store.read(&path("logs/1"), 100).await.unwrap().unwrap(), b"mine");
    });
}

#[test]
fn a_large_file_travels_in_parts_that_others_can_complete_or_abort() {
    let Some(server) = server("a_large_file_travels_in_parts_that_others_can_complete_or_abort") else {
        return;
    };
    runtime().block_on(async {
        let bucket = bucket(server, "lake");
        let (mine, other) = (store(server, &bucket), store(server, &bucket));
        let path = |text: &str| LakePath::new(text).unwrap();
        let lease = mine.lease(&path("lock")).await.unwrap().unwrap();
        let bytes: Vec<u8> = (0..PART * 2 + 1000).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let write = async |temp: &LakePath, becomes: Option<&LakePath>| {
            mine.create(&lease, temp, becomes).await.unwrap();
            let mut at = 0;
            for part in bytes.chunks(3_000_000) {
                mine.append(&lease, temp, at, Chunk::from(part.to_vec())).await.unwrap();
                at += u64::try_from(part.len()).unwrap();
            }
        };
        for (name, becomes) in [("known", true), ("unknown", false)] {
            let (temp, done) = (path(&format!("+tmp/{name}")), path(&format!("t/{name}")));
            write(&temp, becomes.then_some(&done)).await;
            assert_eq!(server.open_uploads(&bucket), 1);
            assert!(mine.held_bytes(&temp) < PART, "full parts have left");
            assert!(mine.list(&path("t")).await.unwrap().iter().all(|path| *path != done));
            mine.sync(&lease, &temp).await.unwrap();
            // As after a crash: whoever takes over knows the names alone.
            assert_eq!(other.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::Done);
            assert_eq!(other.read(&done, 100_000_000).await.unwrap().unwrap(), bytes);
            // The former writer wakes up.
            let late = mine.rename_if_absent(&lease, &temp, &done).await.unwrap();
            assert!(matches!(late, Renamed::Done | Renamed::AlreadyDone), "{late:?}");
            assert_eq!(mine.read(&done, 100_000_000).await.unwrap().unwrap(), bytes);
            assert_eq!(server.open_uploads(&bucket), 0);
            assert!(mine.list(&path("+tmp")).await.unwrap().is_empty(), "{name}");
        }
        // One that nobody completes.
        let temp = path("+tmp/dead");
        write(&temp, Some(&path("t/dead"))).await;
        assert_eq!(server.open_uploads(&bucket), 1);
        for found in other.list(&path("+tmp")).await.unwrap() {
            other.delete(&lease, &found).await.unwrap();
        }
        assert_eq!(server.open_uploads(&bucket), 0);
        assert!(other.list(&path("+tmp")).await.unwrap().is_empty());
        assert!(
            mine.append(&lease, &temp, u64::try_from(bytes.len()).unwrap(), Chunk::from(vec![0; PART]))
                .await
                .is_err()
        );
    });
}

#[test]
fn of_two_writers_one_commits() {
    let Some(server) = server("of_two_writers_one_commits") else { return };
    runtime().block_on(async {
        let bucket = bucket(server, "lake");
        let (store, config) = (store(server, &bucket), config(server, &bucket));
        let mut first = Rig::open(&config).await.unwrap();
        first.put(30).await.unwrap();
        // Another one takes over while the first believes that it still has the partition.
        let mut second = Rig::open(&config).await.unwrap();
        assert_eq!(second.position, 20);
        second.put(35).await.unwrap();
        assert_eq!(rows(&store).await, (0..40).collect::<Vec<i64>>());
        let error = first.put(30).await.unwrap_err();
        assert!(error.is_retriable() && error.to_string().contains("another writer"), "{error}");
        // It takes the partition over in turn, from where the files end.
        first.put_at_last(20, 20).await;
        first.put(30).await.unwrap();
        let error = second.put(30).await.unwrap_err();
        assert!(error.is_retriable(), "{error}");
        let durable = first.durable().await.unwrap();
        first.stop().await;
        second.stop().await;
        assert_complete(&store, durable).await;
        assert_eq!(names_below(&store, "topics/+tmp").await, Vec::<String>::new());
    });
}

/// Starts a writer so many times, and kills it at a moment of chance.
fn kill_writers(config: &Config, times: usize) -> Chance {
    let mut chance = Chance::new();
    for _ in 0..times {
        let mut child = spawn_child(config);
        std::thread::sleep(Duration::from_millis(150 + chance.below(900)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    chance
}

#[test]
fn a_killed_writer_loses_and_repeats_nothing() {
    let Some(server) = server("a_killed_writer_loses_and_repeats_nothing") else { return };
    let bucket = bucket(server, "lake");
    let config = config(server, &bucket);
    let chance = kill_writers(&config, count(8, 100));
    runtime().block_on(async {
        let store = store(server, &bucket);
        let mut rig = Rig::open(&config).await.unwrap();
        let reached = rig.position;
        assert!(reached > 0, "something was written before the last kill (seed {})", chance.seed());
        rig.put(20).await.unwrap();
        rig.stop().await;
        assert_complete(&store, reached + 20).await;
        assert_eq!(names_below(&store, "topics/+tmp").await, Vec::<String>::new());
        assert_eq!(server.open_uploads(&bucket), 0);
        assert!(names_below(&store, "logs").await.len() <= 3, "old commits are cleared away");
    });
}

#[test]
fn others_read_the_files() {
    let Some(server) = server("others_read_the_files") else { return };
    let python = match Python::for_lake() {
        Ok(python) => python,
        Err(Unavailable::Unresolvable(failure)) => {
            return cannot_run("others_read_the_files", &format!("PyArrow and DuckDB: {failure}"));
        }
        Err(Unavailable::Broken(failure)) => panic!("{failure}"),
    };
    let folder = temp_dir();
    runtime().block_on(async {
        let bucket = bucket(server, "lake");
        let mut config = config(server, &bucket);
        config.set("parquet.codec", "zstd");
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(60).await.unwrap();
        rig.stop().await;
        for (name, bytes) in files(&store(server, &bucket)).await {
            std::fs::write(folder.path().join(name.rsplit('/').next().unwrap()), bytes).unwrap();
        }
    });
    let script = "\
import glob, duckdb, pyarrow.parquet as pq
files = sorted(glob.glob('*.parquet'))
table = pq.read_table(files)
print(table.num_rows, table.schema.field('offset').type, table.schema.field('text').type)
print(sum(table.column('offset').to_pylist()), table.column('text')[59].as_py())
group = pq.ParquetFile(files[0]).metadata.row_group(0)
column = [group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == 'offset'][0]
print(len(files), column.compression, column.statistics.min, column.statistics.max, column.statistics.null_count)
query = \"select count(*), sum(\\\"offset\\\"), count(distinct device), max(text) from read_parquet('*.parquet')\"
print(*duckdb.connect().execute(query).fetchone())
";
    std::fs::write(folder.path().join("read.py"), script).unwrap();
    let printed = python.run(folder.path(), &["read.py"], Duration::from_secs(120)).unwrap();
    let text = |offset: i64| format!("{:0>60}", offset * 7919);
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        [
            "60 int64 string".to_owned(),
            format!("1770 {}", text(59)),
            "3 ZSTD 0 19 0".to_owned(),
            format!("60 1770 2 {}", text(59)),
        ]
    );
    assert_eq!(record(59).origin.offset, 59);
}

/// The values in the finished objects of a directory, in the order of their names; `decode` makes an object lines of JSON.
async fn values(
    store: &dyn LakeStore,
    directory: &str,
    decode: fn(Vec<u8>) -> String,
) -> Vec<serde_json::Value> {
    let mut paths = store.list(&LakePath::new(directory).unwrap()).await.unwrap();
    paths.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    let mut values = Vec::new();
    for path in paths {
        let text = decode(store.read(&path, 1 << 24).await.unwrap().unwrap());
        values.extend(text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()));
    }
    values
}

/// Partition and offset of each of the [`values`] in a bucket.
fn written(
    server: &'static S3Server,
    bucket: &str,
    directory: &'static str,
    decode: fn(Vec<u8>) -> String,
) -> Vec<(i32, i64)> {
    let bucket = bucket.to_owned();
    // The suite runs within a runtime, on whose threads no other one may be waited for.
    let reading = std::thread::spawn(move || {
        let values = runtime().block_on(async { values(&store(server, &bucket), directory, decode).await });
        let number = |value: &serde_json::Value, key: &str| value.get(key).unwrap().as_i64().unwrap();
        let place = |value| (i32::try_from(number(value, "partition")).unwrap(), number(value, "offset"));
        values.iter().map(place).collect()
    });
    reading.join().unwrap()
}

#[test]
fn the_s3_sink_keeps_what_the_runtime_counts_on() {
    let Some(server) = server("the_s3_sink_keeps_what_the_runtime_counts_on") else { return };
    let round = |bucket: &str| {
        let mut config = config(server, bucket);
        config.set("format.class", "io.confluent.connect.s3.format.json.JsonFormat");
        config.set("flush.size", "10");
        config
    };
    let plugins = lavka_connector_lake::plugins();
    let plugin = plugins.iter().find(|plugin| plugin.class.ends_with(".S3SinkConnector")).unwrap();
    acceptance::sink(plugin.clone())
        .config(round(&bucket(server, "lake")))
        .refuses("behavior.on.null.values", "write")
        .refuses("format.class", "io.confluent.connect.hdfs.orc.OrcFormat")
        .records(60)
        .written(|config| {
            let bucket = config.get("s3.bucket.name").unwrap();
            written(server, bucket, "topics/acceptance", |bytes| String::from_utf8(bytes).unwrap())
        })
        .exactly_once()
        .round(move |_| round(&bucket(server, "lake")))
        .check()
        .assert_clean();
}
