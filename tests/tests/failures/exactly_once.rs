//! kill -9 in mid-stream of a source that delivers exactly once: readers of committed records see each line once.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lavka_testkit::{Chance, KafkaClient, LavkaProcess, RestClient, count, eventually, services, unique};
use serde_json::{Value, json};

use crate::over::Over;
use crate::standalone::{PATIENCE, Standalone, wait_for_task};

/// A worker with exactly-once support, and one more line for its file.
fn exactly_once(kafka: &str, group: &str, more: &str) -> Standalone {
    Standalone::new(
        kafka,
        &[
            "exactly.once.source.support=enabled",
            &format!("group.id={group}"),
            &format!("offset.storage.topic={group}-offsets"),
            "offset.storage.partitions=3",
            "offset.storage.replication.factor=1",
            // Small batches, so that kills hit every stage of a transaction.
            "producer.linger.ms=2",
            more,
        ],
    )
}

fn source(topic: &str, lines: &Path, boundary: &[(&str, &str)]) -> Value {
    let mut config = json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "file": lines.display().to_string(),
        "topic": topic,
        "batch.size": "100",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "exactly.once.support": "required",
    });
    for (key, value) in boundary {
        config[*key] = (*value).into();
    }
    config
}

/// How often each line is in the topic, for readers of committed records.
fn seen(kafka: &KafkaClient, topic: &str) -> HashMap<String, usize> {
    let mut seen = HashMap::new();
    for record in kafka.consume_all(topic) {
        *seen.entry(String::from_utf8(record.value.unwrap_or_default()).unwrap()).or_default() += 1;
    }
    seen
}

fn complaints(seen: &HashMap<String, usize>, lines: u64) -> Vec<String> {
    let times = |line: u64| seen.get(&format!("line {line}")).copied().unwrap_or_default();
    let mut found: Vec<String> = (0..lines)
        .filter(|line| times(*line) != 1)
        .map(|line| format!("line {line} is there {} times", times(line)))
        .collect();
    if seen.len() as u64 > lines {
        found.push(format!("{} lines, of {lines}", seen.len()));
    }
    found.truncate(20);
    found
}

fn append(file: &mut File, numbers: std::ops::Range<u64>) {
    let text: String = numbers.map(|number| format!("line {number}\n")).collect();
    file.write_all(text.as_bytes()).unwrap();
}

fn records(kafka: &KafkaClient, topic: &str) -> i64 {
    kafka.end_offsets(topic).iter().sum()
}

fn killed_again_and_again(boundary: &[(&str, &str)], rounds: usize) {
    let mut chance = Chance::new();
    println!("seed: LAVKA_SEED={}", chance.seed());
    let kafka = services().kafka.client();
    let (topic, group) = (unique("once"), unique("workers"));
    kafka.create_topic(&topic, 2);
    let worker = exactly_once(services().kafka.bootstrap(), &group, "");
    let lines = worker.folder().join("lines.txt");
    let mut file = OpenOptions::new().create(true).append(true).open(&lines).unwrap();
    let worker = worker.connector("source", &source(&topic, &lines, boundary));

    let written = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let mut lives = String::new();
    std::thread::scope(|scope| {
        let stop = Over(&over);
        let (written, over) = (&written, &over);
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let next = written.load(Ordering::Relaxed);
                append(&mut file, next..next + 20);
                written.store(next + 20, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        for round in 0..rounds {
            let mut process = worker.start();
            // Every third life gets somewhere, however slow the machine; the others end whenever it may be.
            let wait = if round % 3 == 2 {
                let before = records(&kafka, &topic);
                eventually("more records", PATIENCE, || {
                    (records(&kafka, &topic) > before + 200).then_some(())
                });
                chance.below(100)
            } else {
                chance.below(1200)
            };
            std::thread::sleep(Duration::from_millis(wait));
            assert!(process.is_running(), "it ended by itself:\n{}", process.log_tail(60));
            process.kill9();
            lives.push_str(&format!("round {round}: killed {wait} ms after\n{}\n", errors(&process)));
        }
        drop(stop);
    });
    let lines = written.load(Ordering::Relaxed);
    let mut process = worker.start();
    let deadline = Instant::now() + PATIENCE;
    while seen(&kafka, &topic).len() < usize::try_from(lines).unwrap() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(process.stop().success(), "{}", process.log_tail(40));
    let complaints = complaints(&seen(&kafka, &topic), lines);
    assert!(
        complaints.is_empty(),
        "{}\nlives:\n{lives}\nlast log:\n{}",
        complaints.join("\n"),
        process.log_tail(40)
    );
    println!("{lines} lines, {rounds} kills");
}

fn errors(process: &LavkaProcess) -> String {
    let log = process.log();
    let telling = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
    telling.collect::<Vec<_>>().join("\n")
}

#[test]
fn killed_between_batches_every_line_is_seen_once() {
    killed_again_and_again(&[("transaction.boundary", "poll")], count(12, 200));
}

#[test]
fn killed_within_intervals_every_line_is_seen_once() {
    let interval = [("transaction.boundary", "interval"), ("transaction.boundary.interval.ms", "150")];
    killed_again_and_again(&interval, count(9, 200));
}

/// Two workers of one name: the one that came last writes, the other's task fails.
#[test]
fn the_task_of_an_older_worker_is_fenced() {
    let kafka = services().kafka.client();
    let (topic, group) = (unique("once"), unique("workers"));
    kafka.create_topic(&topic, 1);
    let first = exactly_once(services().kafka.bootstrap(), &group, "");
    let lines = first.folder().join("lines.txt");
    let mut file = OpenOptions::new().create(true).append(true).open(&lines).unwrap();
    append(&mut file, 0..10);
    let config = source(&topic, &lines, &[]);
    let first = first.connector("source", &config);
    let (mut old, old_rest) = first.serve();
    eventually("the first lines", PATIENCE, || (seen(&kafka, &topic).len() == 10).then_some(()));
    let second = exactly_once(services().kafka.bootstrap(), &group, "").connector("source", &config);
    let (mut new, new_rest) = second.serve();
    wait_for_task(&new_rest, "source", "RUNNING");
    append(&mut file, 10..20);
    let trace = crate::standalone::wait_for_trace(&old_rest, "source");
    assert!(trace.contains("ProducerFencedException"), "{trace}");
    eventually("the other lines", PATIENCE, || (seen(&kafka, &topic).len() == 20).then_some(()));
    // The offsets are in the topic, as Connect keeps them, and seen over REST; the offset file of the second was empty.
    assert_eq!(complaints(&seen(&kafka, &topic), 20), Vec::<String>::new());
    let position = json!(lines.metadata().unwrap().len());
    eventually("the offset", PATIENCE, || (offset(&new_rest) == position).then_some(()));
    let stored = kafka.consume_all(&format!("{group}-offsets"));
    let last = stored.last().unwrap();
    let key = format!(r#"["source",{{"filename":"{}"}}]"#, lines.display());
    assert_eq!(String::from_utf8(last.key.clone().unwrap()).unwrap(), key);
    assert_eq!(
        String::from_utf8(last.value.clone().unwrap()).unwrap(),
        format!(r#"{{"position":{position}}}"#)
    );
    let policy = &kafka.topic_configs(&format!("{group}-offsets"))["cleanup.policy"];
    assert_eq!(policy.as_deref(), Some("compact"));
    assert!(new.stop().success());
    old.kill9();
}

fn offset(rest: &RestClient) -> Value {
    rest.get("/connectors/source/offsets").body["offsets"][0]["offset"]["position"].clone()
}

/// Offsets altered and reset over REST hold for the next start; what a topic does not have is taken from the file.
#[test]
fn offsets_in_a_topic_are_changed_over_rest() {
    let kafka = services().kafka.client();
    let (topic, group) = (unique("once"), unique("workers"));
    kafka.create_topic(&topic, 1);
    let worker = exactly_once(services().kafka.bootstrap(), &group, "");
    let lines = worker.folder().join("lines.txt");
    append(&mut OpenOptions::new().create(true).append(true).open(&lines).unwrap(), 0..10);
    let own_topic = format!("{group}-own");
    let worker =
        worker.connector("source", &source(&topic, &lines, &[("offsets.storage.topic", &own_topic)]));
    let (mut process, rest) = worker.serve();
    eventually("the lines", PATIENCE, || (seen(&kafka, &topic).len() == 10).then_some(()));
    let json_type = [("content-type", "application/json")];
    let send = |method: &str, path: &str, body: Option<Value>| {
        let body = body.map(|body| body.to_string().into_bytes());
        let answer = rest.send(method, &format!("/connectors/source{path}"), &json_type, body);
        assert!(answer.status < 300, "{method} {path}: {}", answer.text);
    };
    send("PUT", "/stop", None);
    let partition = json!({ "filename": lines.display().to_string() });
    // Behind the fifth line, each of which has 7 bytes.
    let entry = json!({ "partition": partition, "offset": { "position": 35 } });
    send("PATCH", "/offsets", Some(json!({ "offsets": [entry] })));
    assert_eq!(offset(&rest), 35);
    assert!(kafka.topics().contains(&own_topic));
    send("PUT", "/resume", None);
    eventually("five lines again", PATIENCE, || (records_of(&kafka, &topic) == 15).then_some(()));
    send("PUT", "/stop", None);
    send("DELETE", "/offsets", None);
    assert_eq!(rest.get("/connectors/source/offsets").body, json!({ "offsets": [] }));
    send("PUT", "/resume", None);
    eventually("all lines again", PATIENCE, || (records_of(&kafka, &topic) == 25).then_some(()));
    assert!(process.stop().success(), "{}", process.log_tail(40));

    // With another topic, which is empty, the worker goes by the copy in its file, as it does by a file from before.
    let file = worker.folder().join("source.json");
    let text = std::fs::read_to_string(&file).unwrap().replace(&own_topic, &format!("{group}-another"));
    std::fs::write(&file, text).unwrap();
    append(&mut OpenOptions::new().append(true).open(&lines).unwrap(), 10..11);
    let mut process = worker.start();
    eventually("the new line", PATIENCE, || seen(&kafka, &topic).contains_key("line 10").then_some(()));
    assert!(process.stop().success(), "{}", process.log_tail(40));
    assert_eq!(records_of(&kafka, &topic), 26, "none of the others came again");
}

fn records_of(kafka: &KafkaClient, topic: &str) -> usize {
    kafka.consume_all(topic).len()
}

/// What the worker and the connectors can, and what is refused by name.
#[test]
fn what_cannot_be_delivered_exactly_once_is_refused() {
    let group = unique("workers");
    let (mut process, rest) = exactly_once(services().kafka.bootstrap(), &group, "").serve();
    let errors = |config: Value| -> Vec<String> {
        let class = config["connector.class"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        let path = format!("/connector-plugins/{class}/config/validate");
        let headers = [("content-type", "application/json")];
        let answer = rest.send("PUT", &path, &headers, Some(config.to_string().into_bytes()));
        let infos = answer.body["configs"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone();
        let of = |info: &Value| info["value"]["errors"].as_array().unwrap().clone();
        infos.iter().flat_map(of).map(|error| error.as_str().unwrap().to_owned()).collect()
    };
    let mut file = source("t", Path::new("/tmp/x"), &[]);
    file["name"] = "f".into();
    assert_eq!(errors(file.clone()), Vec::<String>::new());
    file["transaction.boundary"] = "connector".into();
    let boundary = "The connector does not support connector-defined transaction boundaries with the given \
                    configuration. Please reconfigure it to use a different transaction boundary definition.";
    assert_eq!(errors(file.clone()), [boundary]);
    file["transaction.boundary"] = "POLL".into();
    file.as_object_mut().unwrap().remove("file");
    let text = "The connector does not support exactly-once semantics with the provided configuration.";
    assert_eq!(errors(file), [text], "standard input has no offsets");
    // A topic that loses offsets is refused.
    let kafka = services().kafka.client();
    kafka.create_topic(&format!("{group}-deleting"), 1);
    let mut deleting = source("t", Path::new("/tmp/x"), &[]);
    deleting["offsets.storage.topic"] = format!("{group}-deleting").into();
    let body = json!({ "name": "deleting", "config": deleting }).to_string();
    let headers = [("content-type", "application/json")];
    assert_eq!(rest.send("POST", "/connectors", &headers, Some(body.into_bytes())).status, 201);
    let trace = crate::standalone::wait_for_trace(&rest, "deleting");
    assert!(
        trace.contains("supplied via the 'offsets.storage.topic' property is required to have"),
        "{trace}"
    );
    assert!(process.stop().success());
}
