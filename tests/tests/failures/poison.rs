//! Records that cannot be taken: in the converter, in a transform, in the sink.

use lavka_testkit::{
    ConsumedRecord, Mosquitto, MosquittoConfig, NewRecord, RestClient, eventually, services, unique,
    write_file,
};
use serde_json::json;

use crate::lake::{complaints, finished};
use crate::pipeline::{expect_in_kafka, lake_sink, missing_ids, mqtt_source, with};
use crate::publisher::Publisher;
use crate::standalone::{PATIENCE, Standalone, wait_for_task, wait_for_trace};

const SCHEMA: &str = r#"{"type": "struct", "fields": [
    {"field": "id", "type": "int64", "optional": true},
    {"field": "kafka_partition", "type": "int32", "optional": true},
    {"field": "kafka_offset", "type": "int64", "optional": true}]}"#;

fn header<'a>(letter: &'a ConsumedRecord, name: &str) -> &'a str {
    let bytes =
        letter.header(&format!("__connect.errors.{name}")).unwrap_or_else(|| panic!("no header {name}"));
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_poison_record_fails_the_task_where_it_is_or_becomes_a_dead_letter() {
    let client = services().kafka.client();
    let (name, topic, dead) = (unique("poison"), unique("poison"), unique("poison-dead"));
    client.create_topic(&topic, 1);
    // At offset 1 no JSON, at offset 3 nothing that the transform can cast, at offset 5 no number.
    let values = [
        r#"{"id":0,"n":"0"}"#,
        "{\"id\":1,broken \u{fffd}",
        r#"{"id":2,"n":"2"}"#,
        r#"{"id":3,"n":"three"}"#,
        r#"{"id":4,"n":"4"}"#,
        r#"{"id":"five","n":"5"}"#,
        r#"{"id":6,"n":"6"}"#,
    ];
    client.produce(&topic, values.map(|value| NewRecord::of(value).key("k").header("origin", "test")));
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let lake = worker.folder().join("lake");
    let schema = write_file(worker.folder(), "schema.json", SCHEMA);
    let mut config = with(lake_sink(&topic, &lake), "flush.size", "1");
    config["lavka.schema"] = format!("file:{}", schema.display()).into();
    config["transforms"] = "place,number,drop".into();
    config["transforms.number.type"] = "org.apache.kafka.connect.transforms.Cast$Value".into();
    config["transforms.number.spec"] = "n:int32".into();
    config["transforms.drop.type"] = "org.apache.kafka.connect.transforms.ReplaceField$Value".into();
    config["transforms.drop.exclude"] = "n".into();
    let (mut process, rest) = worker.serve();
    let created = rest.post("/connectors", &json!({"name": name, "config": config}));
    assert_eq!(created.status, 201, "{}", created.text);

    // Not tolerated: what came before is in the files, and the offset stays in front of it.
    let in_lake = || finished(&lake).len();
    let not_past = |offset: i64| {
        let committed = client.committed(&format!("connect-{name}"), &topic)[0];
        assert!(committed.is_none_or(|committed| committed <= offset), "{committed:?} is past {offset}");
    };
    let trace = wait_for_trace(&rest, &name);
    assert!(trace.starts_with("org.apache.kafka.connect.errors.ConnectException: "), "{trace}");
    assert!(trace.contains("Tolerance exceeded in error handler"), "{trace}");
    assert!(
        trace.contains("Converting byte[] to Kafka Connect data failed due to serialization error"),
        "{trace}"
    );
    assert_eq!(in_lake(), 1);
    not_past(1);
    // A restart meets it again, and loses nothing by that.
    restart_failed_and_wait_for(&rest, &name, "Tolerance exceeded");
    assert_eq!(in_lake(), 1);
    not_past(1);

    // Tolerated, with dead letters: all the others arrive.
    for (key, value) in [
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", &dead),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ] {
        config[key] = value.into();
    }
    let changed = rest.put(&format!("/connectors/{name}/config"), &config);
    assert_eq!(changed.status, 200, "{}", changed.text);
    let letters = client.consume_count(&dead, 3, PATIENCE);
    eventually("the records behind", PATIENCE, || (in_lake() == 4).then_some(()));
    let records = client.consume_all(&topic);
    for (letter, (offset, stage, exception)) in letters.iter().zip([
        (1, "VALUE_CONVERTER", "org.apache.kafka.connect.errors.DataException"),
        (3, "TRANSFORMATION", "org.apache.kafka.connect.errors.DataException"),
        (5, "TASK_PUT", "org.apache.kafka.connect.errors.DataException"),
    ]) {
        let original = &records[offset];
        assert_eq!((&letter.key, &letter.value), (&original.key, &original.value), "the bytes as they were");
        assert_eq!(letter.header("origin"), Some(b"test".as_slice()));
        assert_eq!(header(letter, "topic"), topic);
        assert_eq!(header(letter, "partition"), "0");
        assert_eq!(header(letter, "offset"), offset.to_string());
        assert_eq!(header(letter, "connector.name"), name);
        assert_eq!(header(letter, "task.id"), "0");
        assert_eq!(header(letter, "stage"), stage);
        assert_eq!(header(letter, "exception.class.name"), exception, "{letter:?}");
        assert!(!header(letter, "exception.message").is_empty());
        assert!(header(letter, "exception.stacktrace").starts_with(exception));
    }
    assert!(
        header(&letters[2], "exception.message").contains("id"),
        "{}",
        header(&letters[2], "exception.message")
    );
    let good: Vec<ConsumedRecord> = records.into_iter().filter(|record| record.offset % 2 == 0).collect();
    assert_eq!(complaints(&lake, &good), Vec::<String>::new());
    eventually("the offset behind all of them", PATIENCE, || {
        (client.committed(&format!("connect-{name}"), &topic)[0] == Some(7)).then_some(())
    });
    assert!(process.stop().success(), "{}", process.log_tail(20));
}

/// Restarts over REST what will fail again with `part` in its trace.
fn restart_failed_and_wait_for(rest: &RestClient, name: &str, part: &str) {
    let answer = rest.send("POST", &format!("/connectors/{name}/tasks/0/restart"), &[], None);
    assert_eq!(answer.status, 204, "{}", answer.text);
    let trace = wait_for_trace(rest, name);
    assert!(trace.contains(part), "{trace}");
}

/// What the sink itself refuses fails its task with the path of the field and what to do.
#[test]
fn a_record_that_makes_no_row_fails_the_task_with_the_fields_path() {
    let client = services().kafka.client();
    let (name, topic) = (unique("no-row"), unique("no-row"));
    client.create_topic(&topic, 1);
    client.produce(&topic, [r#"{"id":0}"#, r#"{"id":"one"}"#, r#"{"id":2}"#].map(NewRecord::of));
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let lake = worker.folder().join("lake");
    let schema = write_file(worker.folder(), "schema.json", SCHEMA);
    let mut config = with(lake_sink(&topic, &lake), "flush.size", "1");
    config["lavka.schema"] = format!("file:{}", schema.display()).into();
    let (mut process, rest) = worker.serve();
    assert_eq!(rest.post("/connectors", &json!({"name": name, "config": config})).status, 201);
    let trace = wait_for_trace(&rest, &name);
    assert!(trace.contains("id"), "{trace}");
    assert_eq!(finished(&lake).len(), 1);
    restart_failed_and_wait_for(&rest, &name, "id");
    // Tolerated without dead letters it is passed over, and what is behind it arrives.
    let tolerant = with(config, "errors.tolerance", "all");
    assert_eq!(rest.put(&format!("/connectors/{name}/config"), &tolerant).status, 200);
    eventually("the record behind", PATIENCE, || (finished(&lake).len() == 2).then_some(()));
    assert!(process.stop().success(), "{}", process.log_tail(20));
}

/// A message that Kafka will never take fails the task before it is acknowledged to the MQTT server, or is passed over.
#[test]
fn a_message_that_kafka_refuses_fails_the_source_task_or_is_passed_over() {
    let kafka = services().kafka.client();
    let (name, topic) = (unique("too-large"), unique("too-large"));
    kafka.create_topic(&topic, 1);
    let mosquitto = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let (mut process, rest) = worker.serve();
    let config = with(mqtt_source(mosquitto.port(), &topic), "producer.override.max.request.size", "5000");
    assert_eq!(rest.post("/connectors", &json!({"name": name, "config": config})).status, 201);
    eventually("the subscription", PATIENCE, || mosquitto.log().contains("Sending SUBACK").then_some(()));
    let mut publisher = Publisher::connect(mosquitto.port());
    publisher.publish(10);
    publisher.publish_one(&"x".repeat(10_000));
    publisher.publish(10);
    publisher.wait_accepted(PATIENCE);

    let trace = wait_for_trace(&rest, &name);
    assert!(trace.contains("org.apache.kafka.common.errors.RecordTooLargeException"), "{trace}");
    assert!(trace.contains("max.request.size"), "{trace}");
    expect_in_kafka(&kafka, &topic, 10);
    // It comes again, for it was not acknowledged.
    restart_failed_and_wait_for(&rest, &name, "RecordTooLargeException");

    let tolerant = with(config.clone(), "errors.tolerance", "all");
    assert_eq!(rest.put(&format!("/connectors/{name}/config"), &tolerant).status, 200);
    eventually("the messages behind it", PATIENCE, || {
        (missing_ids(&kafka, &topic, 21) == [10]).then_some(())
    });
    // Passed over for good: without tolerance nothing comes that would fail the task.
    assert_eq!(rest.put(&format!("/connectors/{name}/config"), &config).status, 200);
    publisher.publish(10);
    publisher.wait_accepted(PATIENCE);
    eventually("the messages after that", PATIENCE, || {
        (missing_ids(&kafka, &topic, 31) == [10]).then_some(())
    });
    wait_for_task(&rest, &name, "RUNNING");
    assert!(process.stop().success(), "{}", process.log_tail(20));
}

/// Dead letters that have nowhere to go are found out at the start, not at the first poison record.
#[test]
fn a_dead_letter_queue_that_cannot_be_made_fails_the_task_at_its_start() {
    const TEST: &str = "a_dead_letter_queue_that_cannot_be_made_fails_the_task_at_its_start";
    if !services().kafka.is_real_for(TEST) {
        return;
    }
    let kafka = services().kafka.client();
    let (name, topic, dead) = (unique("letters"), unique("letters"), unique("letters-dead"));
    kafka.create_topic(&topic, 1);
    kafka.produce(&topic, [r#"{"id":0}"#].map(NewRecord::of));
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let (mut process, rest) = worker.serve();
    let mut config = with(lake_sink(&topic, &worker.folder().join("lake")), "errors.tolerance", "all");
    config["errors.deadletterqueue.topic.name"] = dead.as_str().into();
    // Connect's default factor is 3, more than the brokers here.
    assert_eq!(rest.post("/connectors", &json!({"name": name, "config": config})).status, 201);
    let trace = wait_for_trace(&rest, &name);
    for part in [dead.as_str(), "eplication factor"] {
        assert!(trace.contains(part), "no {part:?} in {trace:?}");
    }
    let mended = with(config, "errors.deadletterqueue.topic.replication.factor", "1");
    assert_eq!(rest.put(&format!("/connectors/{name}/config"), &mended).status, 200);
    eventually("the record", PATIENCE, || (finished(&worker.folder().join("lake")).len() == 1).then_some(()));
    assert!(process.stop().success(), "{}", process.log_tail(20));
}
