//! kill -9 while the lake is not on this machine: Kafka, the executable, HDFS or a bucket, and the files as others read them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lavka_connector_lake::store::{HdfsSettings, HdfsStore, LakePath, LakeStore};
use lavka_testkit::{
    Chance, Hdfs, KafkaClient, LavkaProcess, NewRecord, S3Server, count, eventually, had, services, soak,
    temp_dir, unique,
};
use serde_json::{Value, json};

use crate::bucket;
use crate::kill::sink;
use crate::lake::{complaints, files, finished};
use crate::lives::{Moment, Story};
use crate::over::Over;
use crate::standalone::{PATIENCE, Standalone};

/// Records written at once, and the pause after them: some hundred a second.
const BURST: u64 = 20;
const PAUSE: Duration = Duration::from_millis(40);

/// The name node takes its time with files of the dead, the more so where much else is under way.
const LONGEST: Duration = PATIENCE.saturating_mul(3);

/// Where the lake is.
enum Elsewhere {
    /// A directory of a cluster.
    Hdfs(&'static Hdfs, String),
    Bucket(S3Server, String),
}

impl Elsewhere {
    fn name(&self) -> &'static str {
        match self {
            Self::Hdfs(..) => "HDFS",
            Self::Bucket(..) => "S3",
        }
    }

    fn sink(&self, topic: &str) -> Value {
        match self {
            Self::Hdfs(hdfs, root) => sink(topic, &format!("{}{root}", hdfs.url())),
            Self::Bucket(server, bucket) => {
                let mut config = sink(topic, &server.url());
                config["s3.bucket.name"] = bucket.as_str().into();
                config["aws.access.key.id"] = S3Server::KEY_ID.into();
                config["aws.secret.access.key"] = S3Server::SECRET.into();
                config
            }
        }
    }

    fn store(&self) -> Arc<dyn LakeStore> {
        match self {
            Self::Hdfs(hdfs, root) => Arc::new(HdfsStore::new(HdfsSettings {
                cluster: hdfs.url().to_owned(),
                root: root.clone(),
                key: "store.url",
                ..HdfsSettings::default()
            })),
            Self::Bucket(server, bucket) => Arc::new(bucket::store(server, bucket)),
        }
    }

    /// Brings all files into `folder`, without our own code.
    fn copy_out(&self, folder: &Path) {
        match self {
            Self::Hdfs(hdfs, root) => hdfs.copy_out(root, &folder.join("lake")),
            Self::Bucket(server, bucket) => server.copy_out(bucket, folder),
        }
        .unwrap();
    }

    /// What nobody sees among the files, and still is there.
    fn unseen(&self) -> usize {
        match self {
            Self::Hdfs(..) => 0,
            Self::Bucket(server, bucket) => server.open_uploads(bucket),
        }
    }
}

/// Writes records until it is over.
fn write(kafka: &KafkaClient, topic: &str, over: &AtomicBool) {
    let mut id = 0;
    while !over.load(Ordering::Relaxed) {
        kafka.produce(
            topic,
            (id..id + BURST).map(|id| {
                let device = format!("device {}", id % 2);
                NewRecord::of(json!({"id": id, "device": device}).to_string()).key(format!("{}", id % 7))
            }),
        );
        id += BURST;
        std::thread::sleep(PAUSE);
    }
}

/// Kills the worker `rounds` times while records come. Then each of them is in one file, once.
fn survives(elsewhere: &Elsewhere, rounds: usize) {
    let mut chance = Chance::new();
    let mut story = Story::new(&chance);
    let kafka = services().kafka.client();
    // Groups of consumers are called after connectors, and all tests have one Kafka.
    let (topic, name) = (unique("killed"), unique("sink"));
    kafka.create_topic(&topic, 3);
    let worker = Standalone::new(services().kafka.bootstrap(), &[]).connector(&name, &elsewhere.sink(&topic));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = elsewhere.store();
    let directory = LakePath::new(&format!("topics/{topic}")).unwrap();
    let count_finished = || runtime.block_on(store.list(&directory)).unwrap().len();

    let began = Instant::now();
    let over = AtomicBool::new(false);
    let mut process = worker.start();
    std::thread::scope(|scope| {
        let stop = Over(&over);
        let (kafka, topic, over) = (&kafka, &topic, &over);
        scope.spawn(move || write(kafka, topic, over));
        for round in 0..rounds {
            let moment = Moment::draw(round, &mut chance);
            moment.wait(count_finished);
            assert!(process.is_running(), "it ended by itself:\n{}", process.log_tail(60));
            process.kill9();
            story.add_life(round, moment, &process, count_finished());
            process = worker.start();
        }
        drop(stop);
    });
    settle(&kafka, &topic, &name, process, &mut story);
    let (records, files) = expect_each_once(elsewhere, &kafka, &topic, &story);
    println!(
        "{}: {rounds} kills, {records} records, {files} files, {:.1?}",
        elsewhere.name(),
        began.elapsed()
    );
}

/// Waits until all records of a topic are in files, and stops the worker.
fn settle(kafka: &KafkaClient, topic: &str, name: &str, mut process: LavkaProcess, story: &mut Story) {
    let ends = kafka.end_offsets(topic);
    let waiting = Instant::now();
    loop {
        let committed = kafka.committed(&format!("connect-{name}"), topic);
        if committed.iter().map(|offset| offset.unwrap_or_default()).eq(ends.iter().copied()) {
            break;
        }
        let log = || process.log_tail(60);
        assert!(waiting.elapsed() < LONGEST, "{committed:?} of {ends:?} are committed:\n{}", log());
        std::thread::sleep(PAUSE);
    }
    assert!(process.stop().success(), "{}", process.log_tail(40));
    story.last_log = process.log_tail(40);
}

/// Each record of a topic is in one file, once, and nothing else is left. Counts records and files.
fn expect_each_once(
    elsewhere: &Elsewhere,
    kafka: &KafkaClient,
    topic: &str,
    story: &Story,
) -> (usize, usize) {
    let folder = temp_dir();
    elsewhere.copy_out(folder.path());
    let records = kafka.consume_all(topic);
    story
        .expect_nothing("records of Kafka and rows of the lake differ", &complaints(folder.path(), &records));
    let finished = finished(folder.path());
    let leftovers: Vec<String> = files(folder.path())
        .iter()
        .filter(|path| !finished.contains(path) && path.components().any(|part| part.as_os_str() == "topics"))
        .map(|path| path.display().to_string())
        .collect();
    story.expect_nothing("left behind by a worker that was stopped", &leftovers);
    assert_eq!(elsewhere.unseen(), 0);
    (records.len(), finished.len())
}

/// Stops a process from running (`-STOP`), or lets it go on (`-CONT`).
fn signal(process: &LavkaProcess, name: &str) {
    let sent = Command::new("kill").args([name, &process.pid().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A worker sleeps until another has its partitions, and their leases, and writes. Then it goes on where it was.
fn sleeps_through_a_rebalance(elsewhere: &Elsewhere) {
    let mut story = Story::new(&Chance::new());
    let kafka = services().kafka.client();
    let (topic, name) = (unique("slept"), unique("sink"));
    kafka.create_topic(&topic, 3);
    let worker =
        || Standalone::new(services().kafka.bootstrap(), &[]).connector(&name, &elsewhere.sink(&topic));
    let (first, second) = (worker(), worker());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = elsewhere.store();
    let directory = LakePath::new(&format!("topics/{topic}")).unwrap();
    let wait_for_more = |what: &str| {
        let count = || runtime.block_on(store.list(&directory)).unwrap().len();
        let before = count();
        eventually(what, LONGEST, || (count() >= before + 9).then_some(()));
    };

    let over = AtomicBool::new(false);
    let mut sleeper = first.start();
    let process = std::thread::scope(|scope| {
        let stop = Over(&over);
        let (kafka, topic, over) = (&kafka, &topic, &over);
        scope.spawn(move || write(kafka, topic, over));
        wait_for_more("files of the first worker");
        signal(&sleeper, "-STOP");
        let process = second.start();
        wait_for_more("files of the second worker");
        signal(&sleeper, "-CONT");
        wait_for_more("files of both");
        assert!(sleeper.stop().success(), "{}", sleeper.log_tail(40));
        drop(stop);
        process
    });
    settle(&kafka, &topic, &name, process, &mut story);
    expect_each_once(elsewhere, &kafka, &topic, &story);
}

#[test]
fn a_killed_worker_writes_each_record_into_hdfs_once() {
    let Some(hdfs) = services().hdfs_for("a_killed_worker_writes_each_record_into_hdfs_once") else { return };
    survives(&Elsewhere::Hdfs(hdfs, format!("/{}", unique("killed"))), count(3, 100));
}

#[test]
fn a_killed_worker_writes_each_record_into_a_bucket_once() {
    const TEST: &str = "a_killed_worker_writes_each_record_into_a_bucket_once";
    let Some(server) = had(S3Server::start(), TEST, "a server that speaks S3's protocol") else { return };
    let bucket = bucket::bucket(&server, "killed");
    survives(&Elsewhere::Bucket(server, bucket), count(8, 100));
}

/// HDFS takes leases back from the silent after a minute, for which there is time in a soak run alone; the tests of the
/// connector wait for it each time, with writers of one partition.
#[test]
fn a_worker_that_slept_through_a_rebalance_writes_nothing_twice() {
    const TEST: &str = "a_worker_that_slept_through_a_rebalance_writes_nothing_twice";
    if let Some(server) = had(S3Server::start(), TEST, "a server that speaks S3's protocol") {
        let bucket = bucket::bucket(&server, "slept");
        sleeps_through_a_rebalance(&Elsewhere::Bucket(server, bucket));
    }
    if soak()
        && let Some(hdfs) = services().hdfs_for(TEST)
    {
        sleeps_through_a_rebalance(&Elsewhere::Hdfs(hdfs, format!("/{}", unique("slept"))));
    }
}
