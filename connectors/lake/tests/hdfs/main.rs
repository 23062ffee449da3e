//! The lake in a real HDFS: exactly once over kills, takeovers and failures, and after the Java sink.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod absent_writers;
mod cluster;
mod kerberos;
#[path = "../support/mod.rs"]
mod support;
mod viewfs;

use std::time::Duration;

use lavka_api::config::Config;
use lavka_connector_lake::store::{
    Chunk, End, HdfsSettings, HdfsStore, LakePath, LakeStore, LogForm, Renamed,
};
use lavka_testkit::{HdfsServer, count, had, services, unique};
use support::{
    Rig, assert_complete, assert_example, be_child, files, kill_writers, names_below, partition, runtime,
};

fn store(url: &str, root: &str) -> HdfsStore {
    HdfsStore::new(HdfsSettings {
        cluster: url.to_owned(),
        root: format!("/{root}"),
        key: "store.url",
        ..HdfsSettings::default()
    })
}

/// The Java sink's configuration, for a directory of one's own.
fn config(url: &str, root: &str) -> Config {
    Config::from([
        ("connector.class", "io.confluent.connect.hdfs.HdfsSinkConnector"),
        ("format.class", "io.confluent.connect.hdfs.parquet.ParquetFormat"),
        ("storage.class", "io.confluent.connect.hdfs.storage.HdfsStorage"),
        ("hdfs.url", &format!("{url}/{root}")),
        ("flush.size", "20"),
        ("lavka.parquet.row.group.bytes", "65536"),
    ])
}

fn own_server(test: &str) -> Option<HdfsServer> {
    had(HdfsServer::start(), test, "HDFS")
}

/// The test of this name.
const ABSENT_ONES: &str = "absent_ones_are_done_without";

/// Each waits for most of its time: for HDFS's minute, for data nodes that do not answer, for name nodes that start. So they do
/// it together, before all others. The minute is the longest, and begins before clusters that start take all of the machine.
#[test]
fn absent_ones_are_done_without() {
    std::thread::scope(|scope| {
        absent_writers::lose_their_leases_and_commit_nothing_any_more(|| {
            scope.spawn(cluster::data_nodes_that_die_or_fall_silent_are_done_without);
            scope.spawn(cluster::the_other_name_node_takes_over_in_mid_work);
        });
    });
}

#[test]
fn the_example_is_a_fine_configuration() {
    assert_example("lake-hdfs-sink.json");
}

#[test]
fn child() {
    be_child();
}

#[test]
fn the_store_keeps_what_the_port_promises() {
    let Some(hdfs) = services().hdfs_for("the_store_keeps_what_the_port_promises") else { return };
    runtime().block_on(async {
        let store = store(hdfs.url(), &unique("port"));
        store.prepare().await.unwrap();
        let path = |text: &str| LakePath::new(text).unwrap();
        let lease = store.lease(&path("logs/log")).await.unwrap().unwrap();
        assert!(store.lease(&path("logs/log")).await.unwrap().is_none(), "it is held by this store");
        assert!(self::store(hdfs.url(), "x").list(&path("nothing")).await.unwrap().is_empty());
        let other = HdfsStore::new(HdfsSettings {
            cluster: hdfs.url().to_owned(),
            root: match store.log_form() {
                LogForm::Hadoop { root } => root.trim_start_matches(hdfs.url()).to_owned(),
                form => panic!("{form:?}"),
            },
            key: "store.url",
            ..HdfsSettings::default()
        });
        assert!(other.lease(&path("logs/log")).await.unwrap().is_none(), "and so it is for others");
        assert!(other.holder(&path("logs/log")).await.starts_with("process "));

        let chunk = |text: &str| Chunk::from(text.as_bytes().to_vec());
        let (temp, done) = (path("+tmp/a"), path("t/f=1/done"));
        assert!(store.create(&lease, &temp, None).await.unwrap());
        assert!(!store.create(&lease, &temp, None).await.unwrap());
        store.append(&lease, &temp, 0, chunk("abc")).await.unwrap();
        store.append(&lease, &temp, 3, chunk("def")).await.unwrap();
        assert!(store.append(&lease, &temp, 3, chunk("xyz")).await.is_err());
        assert!(store.sync(&lease, &temp).await.unwrap());
        assert_eq!(store.read(&temp, 100).await.unwrap().unwrap(), b"abcdef");
        assert!(store.read(&temp, 5).await.is_err());
        for (end, want) in [(End::First(2), "ab"), (End::Last(2), "ef"), (End::Last(9), "abcdef")] {
            assert_eq!(store.read_end(&temp, end).await.unwrap().unwrap(), want.as_bytes());
        }
        assert_eq!(store.read_end(&path("none"), End::Last(1)).await.unwrap(), None);
        assert_eq!(store.read(&path("none"), 100).await.unwrap(), None);
        assert_eq!(store.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::Done);
        assert_eq!(store.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::AlreadyDone);
        assert_eq!(
            store.rename_if_absent(&lease, &temp, &path("t/x")).await.unwrap(),
            Renamed::SourceMissing
        );
        store.create(&lease, &temp, None).await.unwrap();
        store.sync(&lease, &temp).await.unwrap();
        assert_eq!(store.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::TargetExists);
        assert!(store.delete(&lease, &temp).await.unwrap() && !store.delete(&lease, &temp).await.unwrap());
        assert_eq!(store.list(&path("t")).await.unwrap(), [done]);

        // A file whose creation was heard of by the name node alone is written all the same.
        let unheard = path("+tmp/unheard");
        store.create(&lease, &unheard, None).await.unwrap();
        other.append(&lease, &unheard, 0, chunk("abc")).await.unwrap();
        assert!(other.sync(&lease, &unheard).await.unwrap());
        assert_eq!(other.read(&unheard, 100).await.unwrap().unwrap(), b"abc");
        assert!(store.append(&lease, &unheard, 0, chunk("xyz")).await.is_err(), "its lease is gone");

        // The log is readable by others as soon as it is synced, and passes on with the lease.
        store.append(&lease, &path("logs/log"), 0, chunk("first")).await.unwrap();
        assert!(store.sync(&lease, &path("logs/log")).await.unwrap());
        store.release(lease).await;
        let lease = other.lease(&path("logs/log")).await.unwrap().unwrap();
        assert_eq!(other.read(&path("logs/log"), 100).await.unwrap().unwrap(), b"first");
        other.append(&lease, &path("logs/log"), 5, chunk(" second")).await.unwrap();
        other.sync(&lease, &path("logs/log")).await.unwrap();
        // A dropped lease is given back as well, a little later, or is known to be dead.
        drop(lease);
        let mut again = store.lease(&path("logs/log")).await.unwrap();
        for _ in 0..200 {
            if again.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            again = store.lease(&path("logs/log")).await.unwrap();
        }
        assert!(again.is_some());
        assert_eq!(store.read(&path("logs/log"), 100).await.unwrap().unwrap(), b"first second");
    });
}

#[test]
fn files_and_log_are_those_of_the_hdfs_sink() {
    let Some(hdfs) = services().hdfs_for("files_and_log_are_those_of_the_hdfs_sink") else { return };
    runtime().block_on(async {
        let root = unique("layout");
        let mut config = config(hdfs.url(), &root);
        let store = store(hdfs.url(), &root);
        config.set("partitioner.class", "io.confluent.connect.storage.partitioner.DefaultPartitioner");
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(50).await.unwrap();
        assert_eq!(rig.durable().await, Some(40));
        let names: Vec<String> = files(&store).await.into_keys().collect();
        assert_eq!(
            names,
            [
                "topics/t/partition=0/t+0+0000000000+0000000019.parquet",
                "topics/t/partition=0/t+0+0000000020+0000000039.parquet"
            ]
        );
        rig.stop().await;
        let log = store.read(&LakePath::new("logs/t/0/log").unwrap(), 10_000).await.unwrap().unwrap();
        assert!(log.starts_with(b"WAL\0"));
        let final_name =
            format!("{}/{root}/topics/t/partition=0/t+0+0000000020+0000000039.parquet", hdfs.url());
        let text = String::from_utf8_lossy(&log).into_owned();
        assert!(text.contains("BEGIN") && text.contains("END") && text.contains(&final_name), "{text}");
        assert_eq!(names_below(&store, "topics/+tmp").await, Vec::<String>::new());
        let mut rig = Rig::open(&config).await.unwrap();
        assert_eq!(rig.position, 40);
        rig.put(20).await.unwrap();
        rig.stop().await;
        assert_complete(&store, 60).await;
    });
}

/// The bytes of the Java sink's log, as its format is described.
fn java_log(records: &[(String, String)]) -> Vec<u8> {
    let mut bytes = b"WAL\0".to_vec();
    bytes.extend([0x5a; 16]);
    let text = |text: &str| match u8::try_from(text.len()).unwrap() {
        small @ 0..=127 => [vec![small], text.into()].concat(),
        middle => [vec![0x8f, middle], text.into()].concat(),
    };
    for (key, value) in records {
        let (key, value) = (text(key), text(value));
        bytes.extend(u32::try_from(key.len() + value.len()).unwrap().to_be_bytes());
        bytes.extend(u32::try_from(key.len()).unwrap().to_be_bytes());
        bytes.extend([key, value].concat());
    }
    bytes
}

#[test]
fn commits_that_the_java_sink_was_killed_in_are_finished() {
    let Some(hdfs) = services().hdfs_for("commits_that_the_java_sink_was_killed_in_are_finished") else {
        return;
    };
    runtime().block_on(async {
        let root = unique("java");
        let store = store(hdfs.url(), &root);
        // Real files to begin with, as that sink would have named them.
        let mut config = config(hdfs.url(), &root);
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(40).await.unwrap();
        rig.stop().await;
        // Now the log that it would have left: the first file was renamed, the second was not, a third one was not logged.
        let path = |text: &str| LakePath::new(text).unwrap();
        let lease = store.lease(&path("other/log")).await.unwrap().unwrap();
        let second = "topics/t/partition=0/t+0+0000000020+0000000039.parquet";
        let temp = "topics/+tmp/t/partition=0/11111111-2222_tmp.parquet";
        let third = "topics/+tmp/t/partition=0/33333333-2222_tmp.parquet";
        store.rename_if_absent(&lease, &path(second), &path(temp)).await.unwrap();
        let url = |path: &str| format!("{}/{root}/{path}", hdfs.url()).replace("/+tmp", "//+tmp");
        let pair = |temp: &str, done: &str| (url(temp), url(done));
        let mark = |text: &str| (text.to_owned(), String::new());
        let log = java_log(&[
            mark("BEGIN"),
            pair(
                "topics/+tmp/t/partition=0/00000000-2222_tmp.parquet",
                "topics/t/partition=0/t+0+0000000000+0000000019.parquet",
            ),
            mark("END"),
            mark("BEGIN"),
            pair(temp, second),
            mark("END"),
            mark("BEGIN"),
            pair(third, "topics/t/partition=0/t+0+0000000040+0000000059.parquet"),
        ]);
        for (name, bytes) in [(third, b"unfinished".to_vec()), ("logs/t/0/log", log)] {
            store.delete(&lease, &path(name)).await.unwrap();
            store.create(&lease, &path(name), None).await.unwrap();
            store.append(&lease, &path(name), 0, Chunk::from(bytes)).await.unwrap();
            store.sync(&lease, &path(name)).await.unwrap();
        }
        config.set("flush.size", "10");
        let mut rig = Rig::open(&config).await.unwrap();
        assert_eq!(rig.position, 40, "one more than the largest end in the last whole block");
        assert_eq!(names_below(&store, "topics/+tmp").await, Vec::<String>::new());
        rig.put(30).await.unwrap();
        rig.stop().await;
        assert_complete(&store, 70).await;

        // A log that is none is put aside, and the names of files count.
        store.delete(&lease, &path("logs/t/0/log")).await.unwrap();
        store.create(&lease, &path("logs/t/0/log"), None).await.unwrap();
        store.append(&lease, &path("logs/t/0/log"), 0, Chunk::from(vec![7; 300])).await.unwrap();
        store.sync(&lease, &path("logs/t/0/log")).await.unwrap();
        let mut rig = Rig::open(&config).await.unwrap();
        assert_eq!(rig.position, 70);
        rig.put(10).await.unwrap();
        rig.stop().await;
        assert_complete(&store, 80).await;
    });
}

#[test]
fn long_logs_are_replaced_by_short_ones() {
    let Some(hdfs) = services().hdfs_for("long_logs_are_replaced_by_short_ones") else { return };
    runtime().block_on(async {
        let root = unique("long");
        let (store, config) = (store(hdfs.url(), &root), config(hdfs.url(), &root));
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(40).await.unwrap();
        rig.stop().await;
        // As after thousands of commits, whose files were moved away since.
        let path = |text: &str| LakePath::new(text).unwrap();
        let url = |path: &str| format!("{}/{root}/{path}", hdfs.url());
        let mut records = Vec::new();
        for commit in 0..5000 {
            let temp = url(&format!("topics/+tmp/t/partition=0/{commit:08}-2222_tmp.parquet"));
            let done = url(&format!("topics/t/partition=0/t+0+{commit:010}+0000000039.parquet"));
            let mark = |text: &str| (text.to_owned(), String::new());
            records.extend([mark("BEGIN"), (temp, done), mark("END")]);
        }
        let long = java_log(&records);
        assert!(long.len() > 1024 * 1024);
        let lease = store.lease(&path("other/log")).await.unwrap().unwrap();
        store.delete(&lease, &path("logs/t/0/log")).await.unwrap();
        store.create(&lease, &path("logs/t/0/log"), None).await.unwrap();
        store.append(&lease, &path("logs/t/0/log"), 0, Chunk::from(long.clone())).await.unwrap();
        store.sync(&lease, &path("logs/t/0/log")).await.unwrap();

        let mut rig = Rig::open(&config).await.unwrap();
        assert_eq!(rig.position, 40);
        assert!(Rig::open(&config).await.unwrap().paused, "the lease is that of the new log");
        rig.put(30).await.unwrap();
        rig.stop().await;
        let log = store.read(&path("logs/t/0/log"), 1 << 24).await.unwrap().unwrap();
        assert!(log.starts_with(b"WAL\0") && log.len() < 4096, "{} bytes", log.len());
        assert_eq!(store.read(&path("logs/t/0/log.1"), 1 << 24).await.unwrap().unwrap(), long);
        let mut rig = Rig::open(&config).await.unwrap();
        assert_eq!(rig.position, 60);
        rig.put(20).await.unwrap();
        rig.stop().await;
        assert_complete(&store, 80).await;
    });
}

#[test]
fn of_two_writers_one_waits() {
    let Some(hdfs) = services().hdfs_for("of_two_writers_one_waits") else { return };
    runtime().block_on(async {
        let root = unique("two");
        let (store, config) = (store(hdfs.url(), &root), config(hdfs.url(), &root));
        let mut first = Rig::open(&config).await.unwrap();
        first.put(25).await.unwrap();
        let mut second = Rig::open(&config).await.unwrap();
        assert!(second.paused, "the other one has the lease");
        second.put(0).await.unwrap();
        assert!(second.paused);
        first.put(25).await.unwrap();
        first.stop().await;
        second.put_at_last(0, 400).await;
        assert_eq!(second.position, 40);
        second.put(40).await.unwrap();
        second.stop().await;
        assert_complete(&store, 80).await;
    });
}

#[test]
fn killed_writers_lose_and_repeat_nothing() {
    let Some(hdfs) = services().hdfs_for("killed_writers_lose_and_repeat_nothing") else { return };
    let root = unique("killed");
    let config = config(hdfs.url(), &root);
    // A client stays with the runtime that it was first used in.
    kill_writers(&config, count(5, 60), 500..3000, &store(hdfs.url(), &root), "topics");
    runtime().block_on(async {
        let store = store(hdfs.url(), &root);
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put_at_last(0, 600).await;
        let reached = rig.position;
        assert!(reached > 0, "something was written before the last kill");
        assert_eq!(rig.durable().await, Some(reached), "{:?}", partition());
        rig.put(20).await.unwrap();
        rig.stop().await;
        assert_complete(&store, reached + 20).await;
        assert_eq!(names_below(&store, "topics/+tmp").await, Vec::<String>::new());
    });
}

#[test]
fn clusters_that_die_in_mid_work_are_waited_for() {
    let Some(mut server) = own_server("clusters_that_die_in_mid_work_are_waited_for") else { return };
    runtime().block_on(async {
        let url = server.url();
        let (store, mut config) = (store(&url, "lake"), config(&url, "lake"));
        config.set("hadoop.conf.dir", server.conf_dir().display().to_string());
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(33).await.unwrap();
        server.kill();
        let error = rig.put(30).await.unwrap_err();
        assert!(error.is_retriable(), "{error}");
        server.restart().unwrap();
        rig.put_at_last(20, 200).await;
        while rig.position < 100 {
            rig.put_at_last(10, 400).await;
        }
        let durable = rig.durable().await.unwrap();
        rig.stop().await;
        assert_complete(&store, durable).await;
    });
}
