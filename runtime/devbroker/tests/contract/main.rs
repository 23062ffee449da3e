//! One set of cases for the embedded broker and for Apache Kafka: what a client sees must be the same.
//!
//! A case talks to a broker and writes down what it saw, with everything left out that differs from run to run. What
//! Apache Kafka 4.3 said is in `testdata/contract`; the embedded broker must say the same, but for the differences
//! listed in `differences.rs`. Where a run has a real Kafka (`LAVKA_TEST_BOOTSTRAP`, as `testrun` sets it), the same
//! cases are run against it too, so that the recordings stay true; `LAVKA_CONTRACT_RECORD=1` makes them anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod clients;
mod compaction;
mod configs;
mod differences;
mod groups;
mod idempotence;
mod offsets;
mod produce;
mod programs;
mod reads;
mod session;
mod topics;
mod transactions;
mod wire;

use std::{path::PathBuf, time::Duration};

use lavka_devbroker::{Broker, BrokerConfig};

use session::Session;

/// How long anything may take before the test is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings under which both brokers are compared; those of the real one are in the testkit.
fn config() -> BrokerConfig {
    BrokerConfig {
        min_session_timeout: Duration::from_secs(1),
        retention_bytes: None,
        compaction_interval: Duration::from_millis(100),
        ..BrokerConfig::default()
    }
}

fn recording(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/contract");
    folder.join(format!("{name}.txt"))
}

/// The bootstrap servers of a real Apache Kafka, where this run has one.
fn real() -> Option<String> {
    let get = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_real = get("LAVKA_TEST_KAFKA").is_none_or(|kind| kind == "real");
    get("LAVKA_TEST_BOOTSTRAP").filter(|_| is_real)
}

fn transcript(bootstrap: &str, case: fn(&mut Session)) -> String {
    let mut session = Session::new(bootstrap);
    case(&mut session);
    session.into_text()
}

fn on_embedded(case: fn(&mut Session)) -> String {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let broker = runtime.block_on(Broker::start(config())).unwrap();
    let text = transcript(&broker.bootstrap(), case);
    runtime.block_on(broker.shutdown());
    text
}

/// Shows the first lines that differ, rather than two long texts.
fn compare(who: &str, name: &str, seen: &str, expected: &str) {
    let (mut seen, mut expected) = (seen.lines(), expected.lines());
    let mut faults = Vec::new();
    for line in 1.. {
        match (seen.next(), expected.next()) {
            (None, None) => break,
            (seen, expected) if seen == expected => {}
            (seen, expected) => faults.push(format!(
                "line {line}\n  expected {}\n  seen     {}",
                expected.unwrap_or("nothing more"),
                seen.unwrap_or("nothing more")
            )),
        }
    }
    assert!(faults.is_empty(), "{who}, {name}:\n{}", faults.join("\n"));
}

/// What a case needs that this machine, or this run, has not.
fn want(name: &str) -> Option<&'static str> {
    match name {
        "java_clients" if real().is_none() => Some("a real Apache Kafka"),
        "java_clients" if !programs::has_java() => Some("a JDK (Debian: default-jdk-headless)"),
        "kcat" if !programs::has_kcat() => Some("kcat (Debian: kcat)"),
        _ => None,
    }
}

fn run(name: &str, case: fn(&mut Session)) {
    if let Some(want) = want(name) {
        return lavka_testkit::cannot_run(&format!("contract::{name}"), want);
    }
    let path = recording(name);
    if let Some(bootstrap) = real() {
        let seen = transcript(&bootstrap, case);
        if std::env::var("LAVKA_CONTRACT_RECORD").is_ok_and(|value| value == "1") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &seen).unwrap();
        } else {
            compare("Apache Kafka", name, &seen, &std::fs::read_to_string(&path).unwrap());
        }
    }
    let recorded = std::fs::read_to_string(&path).unwrap();
    let expected = differences::apply(name, &recorded);
    compare("the embedded broker", name, &on_embedded(case), &expected);
}

macro_rules! cases {
    ($($name:ident = $case:path;)*) => {
        $(#[test] fn $name() { run(stringify!($name), $case); })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

cases! {
    produce_is_checked = produce::checks;
    produce_versions = produce::versions;
    idempotent_producers = idempotence::sequences;
    fetches = reads::fetches;
    offsets_by_time = reads::list_offsets;
    records_are_deleted = reads::delete_records;
    compacted_topics = compaction::compaction;
    topics_are_created = topics::create;
    partitions_are_added = topics::grow;
    topics_are_deleted = topics::delete;
    defaults_of_topics = configs::defaults;
    settings_are_changed = configs::alter;
    group_life = groups::life;
    static_members = groups::statics;
    group_administration = groups::administration;
    sessions_expire = groups::expiry;
    committed_offsets = offsets::commits;
    deleted_offsets = offsets::deletes;
    transactions_first_protocol = transactions::first_protocol;
    transactions_second_protocol = transactions::second_protocol;
    transactions_fence = transactions::fencing;
    transactional_offsets = transactions::offsets;
    dead_producers = transactions::timeout;
    librdkafka_codecs = clients::codecs;
    librdkafka_groups = clients::groups;
    librdkafka_transactions = clients::transactions;
    java_clients = programs::java;
    kcat = programs::kcat;
}

#[test]
fn every_recording_has_its_case_and_every_difference_its_recording() {
    let mut recorded: Vec<String> = std::fs::read_dir(recording("x").parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    recorded.sort();
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(recorded, names);
    differences::check(&names);
}

/// What is advertised must be within what Kafka advertises, so that no client finds a version it did not expect.
#[test]
fn no_version_is_advertised_that_kafka_has_not() {
    let Some(bootstrap) = real() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let broker = runtime.block_on(Broker::start(config())).unwrap();
    let theirs = Session::new(&bootstrap).versions();
    for (api, (min, max)) in Session::new(&broker.bootstrap()).versions() {
        // Announced by nobody else any more, and answered all the same.
        let Some((from, to)) = theirs.get(&api) else {
            assert_eq!(api, 33, "Kafka has no API {api}");
            continue;
        };
        assert!((*from..=*to).contains(&max), "API {api}: {min} to {max}, where Kafka has {from} to {to}");
    }
    runtime.block_on(broker.shutdown());
}
