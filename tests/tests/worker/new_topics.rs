//! Topics that source connectors create (KIP-158). What is expected was observed on the worker of Kafka 4.3.0.

use std::path::Path;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::{KafkaServer, eventually, services, temp_dir};
use lavka_worker::State;

use crate::support::TestWorker;

const PATIENCE: Duration = Duration::from_secs(60);

/// What every case has that is about something else.
const DEFAULTS: [(&str, &str); 2] =
    [("topic.creation.default.replication.factor", "1"), ("topic.creation.default.partitions", "2")];

fn source(folder: &Path, topic: &str, keys: &[(&str, &str)]) -> Config {
    let file = folder.join("in.txt");
    std::fs::write(&file, "one\ntwo\n").unwrap();
    let mut config = Config::from([
        ("name", topic.to_owned()),
        ("connector.class", "FileStreamSource".into()),
        ("file", file.display().to_string()),
        ("topic", topic.to_owned()),
    ]);
    for (key, value) in keys {
        config.set(*key, *value);
    }
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_groups_fails_the_start() {
    let folder = temp_dir();
    let worker = TestWorker::start_on("127.0.0.1:1", folder.path(), &[]);
    let handle = worker.handle();
    let missing = "Missing required configuration \"topic.creation.default.replication.factor\" which has no default \
                   value.";
    let replication = "Replication factor must be positive and not larger than the number of brokers in the Kafka \
                       cluster, or -1 to use the broker's default";
    let partitions = "Number of partitions must be positive, or -1 to use the broker's default";
    let with = |more: &[(&'static str, &'static str)]| [&DEFAULTS[..], more].concat();
    for (keys, text) in [
        (vec![DEFAULTS[1]], missing.to_owned()),
        (vec![("topic.creation.groups", "a")], missing.to_owned()),
        (
            with(&[("topic.creation.default.replication.factor", "0")]),
            format!("Invalid value 0 for configuration replication.factor: {replication}"),
        ),
        (
            with(&[("topic.creation.default.replication.factor", "x")]),
            "Invalid value x for configuration topic.creation.default.replication.factor: Not a number of type SHORT"
                .into(),
        ),
        (
            with(&[("topic.creation.default.partitions", "0")]),
            format!("Invalid value 0 for configuration partitions: {partitions}"),
        ),
        (
            with(&[("topic.creation.groups", "a"), ("topic.creation.a.include", "b,[")]),
            "Invalid value [b, [] for configuration include: Syntax error in regular expression: Unclosed character \
             class near index 0\n[\n^"
                .into(),
        ),
        (
            with(&[("topic.creation.groups", "a"), ("topic.creation.a.partitions", "-3")]),
            format!("Invalid value -3 for configuration partitions: {partitions}"),
        ),
    ] {
        let config = source(folder.path(), "wrong", &keys);
        let validated = handle.validate("FileStreamSource", &config).await.unwrap();
        assert_eq!(validated.error_count, 0, "Connect's validation does not look at them");
        let refusal = handle.put_connector("wrong".into(), config, None, true).await.unwrap_err();
        let message = "Failed to start connector: wrong".to_owned();
        assert_eq!((refusal.status, refusal.message), (500, message), "{keys:?}");
        let status = handle.status("wrong").unwrap();
        assert_eq!(status.connector.state, State::Failed);
        let trace = status.connector.trace.unwrap();
        assert_eq!(trace, format!("org.apache.kafka.common.config.ConfigException: {text}\n"));
    }
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_creates_no_topics_does_not_read_the_groups() {
    let folder = temp_dir();
    let keys = [("topic.creation.enable", "false")];
    let worker = TestWorker::start_on("127.0.0.1:1", folder.path(), &keys);
    let config = source(folder.path(), "ignored", &[("topic.creation.default.partitions", "none")]);
    worker.handle().put_connector("ignored".into(), config, None, false).await.unwrap();
    worker.shutdown().await;
}

/// A broker that creates nothing by itself.
#[tokio::test(flavor = "multi_thread")]
async fn topics_are_as_their_groups_say() {
    if !services().kafka.is_real_for("topics_are_as_their_groups_say") {
        return;
    }
    let kafka =
        KafkaServer::start_with(&[("auto.create.topics.enable", "false"), ("num.partitions", "5")]).unwrap();
    let client = kafka.client();
    client.create_topic("there", 1);
    let folder = temp_dir();
    let worker = TestWorker::start_on(&kafka.bootstrap(), folder.path(), &[]);
    let handle = worker.handle();
    let groups = [
        ("topic.creation.groups", "first,second"),
        ("topic.creation.first.include", "state-.*"),
        ("topic.creation.first.exclude", "state-not"),
        ("topic.creation.first.partitions", "3"),
        ("topic.creation.first.retention.ms", "1234567"),
        ("topic.creation.second.include", "x,state.*"),
        ("topic.creation.second.partitions", "-1"),
        ("topic.creation.second.replication.factor", "-1"),
    ];
    for (topic, partitions, retention) in
        [("state-1", 3, Some("1234567")), ("state-not", 5, None), ("other", 2, None), ("there", 1, None)]
    {
        let config = source(folder.path(), topic, &[&DEFAULTS[..], &groups].concat());
        handle.put_connector(topic.into(), config, None, false).await.unwrap();
        let lines = client.consume_count(topic, 2, PATIENCE);
        assert_eq!(lines.iter().filter_map(|line| line.value_text()).count(), 2);
        assert_eq!(client.partitions(topic), partitions, "{topic}");
        let configs = client.topic_configs(topic);
        if let Some(retention) = retention {
            assert_eq!(configs["retention.ms"].as_deref(), Some(retention));
        }
        handle.delete(topic).await.unwrap();
    }
    for (topic, key, value, text) in [
        (
            "bad-setting",
            "topic.creation.default.cleanup.policy",
            "zzz",
            "Unable to create topic(s) 'bad-setting': Invalid value zzz for configuration cleanup.policy: String must \
             be one of: compact, delete",
        ),
        (
            "no-setting",
            "topic.creation.default.no.such",
            "1",
            "Unable to create topic(s) 'no-setting': Unknown topic config name: no.such",
        ),
        (
            "too-many",
            "topic.creation.default.replication.factor",
            "9",
            "Unable to create topic(s) 'too-many': Unable to replicate the partition 9 time(s): The target replication \
             factor of 9 cannot be reached because only 1 broker(s) are registered or some brokers have all their log \
             directories cordoned.",
        ),
        (
            "no good/name",
            "topic.creation.groups",
            "",
            "Error while attempting to describe topics 'no good/name'",
        ),
    ] {
        let config = source(folder.path(), topic, &[&DEFAULTS[..], &[(key, value)]].concat());
        handle.put_connector(topic.into(), config, None, false).await.unwrap();
        let trace = eventually("the task to fail", PATIENCE, || {
            let status = handle.task_status(topic, 0).ok().filter(|task| task.state == State::Failed);
            status?.trace
        });
        let first = trace.lines().next().unwrap();
        assert_eq!(first, format!("org.apache.kafka.connect.errors.ConnectException: {text}"));
        assert!(trace.contains("\nCaused by: org.apache.kafka.common.errors.Invalid"), "{trace}");
    }
    worker.shutdown().await;
}
