//! Settings of Kafka clients reach the clients: the worker's, and a connector's over them, as far as the policy lets it.

use std::path::Path;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::{NewRecord, eventually, services, temp_dir, unique};
use lavka_worker::State;

use crate::support::TestWorker;

const PATIENCE: Duration = Duration::from_secs(60);

fn source(folder: &Path, name: &str, topic: &str, keys: &[(&str, &str)]) -> Config {
    let mut config = Config::from([
        ("name", name.to_owned()),
        ("connector.class", "FileStreamSource".into()),
        ("file", folder.join("in.txt").display().to_string()),
        ("topic", topic.to_owned()),
    ]);
    keys.iter().for_each(|(key, value)| config.set(*key, *value));
    config
}

fn sink(folder: &Path, name: &str, topic: &str, keys: &[(&str, &str)]) -> Config {
    let mut config = Config::from([
        ("name", name.to_owned()),
        ("connector.class", "FileStreamSink".into()),
        ("file", folder.join(format!("{name}.txt")).display().to_string()),
        ("topics", topic.to_owned()),
    ]);
    keys.iter().for_each(|(key, value)| config.set(*key, *value));
    config
}

/// Why the connector's task failed.
fn failure(worker: &TestWorker, name: &str) -> String {
    let handle = worker.handle();
    eventually("the task to fail", PATIENCE, || {
        let (_, task) = handle.status(name).ok()?.tasks.into_iter().next()?;
        (task.state == State::Failed).then(|| task.trace.unwrap_or_default())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_has_the_worker_s_settings_and_then_the_connector_s() {
    let (folder, topic) = (temp_dir(), unique("producer-settings"));
    let client = services().kafka.client();
    client.create_topic(&topic, 1);
    std::fs::write(folder.path().join("in.txt"), format!("{}\n", "x".repeat(3000))).unwrap();
    let keys = [("producer.max.request.size", "2000")];
    let worker = TestWorker::start_on(services().kafka.bootstrap(), folder.path(), &keys);
    let handle = worker.handle();
    for (name, keys, limit) in [
        ("of-worker", vec![], "2000"),
        ("of-connector", vec![("producer.override.max.request.size", "1500")], "1500"),
    ] {
        let config = source(folder.path(), name, &topic, &keys);
        handle.put_connector(name.into(), config, None, false).await.unwrap();
        let trace = failure(&worker, name);
        let told = format!("larger than {limit}, which is the value of the max.request.size configuration");
        assert!(trace.contains(&told), "{trace}");
    }
    let larger = [("producer.override.max.request.size", "9000")];
    let config = source(folder.path(), "larger", &topic, &larger);
    handle.put_connector("larger".into(), config, None, false).await.unwrap();
    assert_eq!(client.consume_count(&topic, 1, PATIENCE)[0].value.as_ref().unwrap().len(), 3000);
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_and_admin_clients_have_a_connector_s_settings() {
    let (folder, topic, group) = (temp_dir(), unique("consumer-settings"), unique("group"));
    let client = services().kafka.client();
    client.create_topic(&topic, 1);
    client.produce(&topic, ["a", "b"].map(NewRecord::of));
    let worker = TestWorker::start(folder.path());
    let handle = worker.handle();
    let config = sink(folder.path(), "reads", &topic, &[("consumer.override.group.id", &group)]);
    handle.put_connector("reads".into(), config, None, false).await.unwrap();
    eventually("the group's offset", PATIENCE, || {
        (client.committed(&group, &topic)[0] == Some(2)).then_some(())
    });
    assert_eq!(client.committed("connect-reads", &topic)[0], None);

    // The admin client is the first that a sink with dead letters needs.
    let keys = [
        ("errors.deadletterqueue.topic.name", "never-made"),
        ("admin.override.security.protocol", "SASL_PLAINTEXT"),
        ("admin.override.sasl.mechanism", "PLAIN"),
    ];
    let config = sink(folder.path(), "no-admin", &topic, &keys);
    handle.put_connector("no-admin".into(), config, None, false).await.unwrap();
    let trace = failure(&worker, "no-admin");
    assert!(trace.contains("Missing required configuration \"sasl.jaas.config\""), "{trace}");
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_refuses_before_anything_starts() {
    let folder = temp_dir();
    let package = "org.apache.kafka.connect.connector.policy.";
    for (policy, allowed) in [
        ("None".to_owned(), vec![]),
        (format!("{package}PrincipalConnectorClientConfigOverridePolicy"), vec!["sasl.mechanism"]),
        ("allowlist".to_owned(), vec!["linger.ms"]),
    ] {
        let keys = [
            ("connector.client.config.override.policy", policy.as_str()),
            ("connector.client.config.override.allowlist", "linger.ms"),
        ];
        let worker = TestWorker::start_on("127.0.0.1:1", folder.path(), &keys);
        let keys = [("producer.override.linger.ms", "1"), ("producer.override.sasl.mechanism", "PLAIN")];
        let config = source(folder.path(), "c", "t", &keys);
        let refusal = worker.handle().put_connector("c".into(), config, None, false).await.unwrap_err();
        assert_eq!(refusal.status, 400);
        for key in ["linger.ms", "sasl.mechanism"] {
            let told =
                format!("policy does not allow '{key}' to be overridden in the connector configuration.");
            assert_eq!(refusal.message.contains(&told), !allowed.contains(&key), "{policy}: {refusal}");
        }
        worker.shutdown().await;
    }
}

/// Ours: Kafka Connect has dead letters for sinks alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_cannot_be_cast_becomes_a_dead_letter_of_its_source() {
    let (folder, topic, dead) = (temp_dir(), unique("numbers"), unique("no-numbers"));
    let client = services().kafka.client();
    client.create_topic(&topic, 1);
    std::fs::write(folder.path().join("in.txt"), "1\ntwo\n3\n").unwrap();
    let worker = TestWorker::start(folder.path());
    let handle = worker.handle();
    let keys = [
        ("transforms", "number"),
        ("transforms.number.type", "org.apache.kafka.connect.transforms.Cast$Value"),
        ("transforms.number.spec", "int32"),
        ("errors.tolerance", "all"),
        ("lavka.errors.deadletterqueue.topic.name", dead.as_str()),
        ("lavka.errors.deadletterqueue.topic.replication.factor", "1"),
        ("lavka.errors.deadletterqueue.context.headers.enable", "true"),
    ];
    let config = source(folder.path(), "numbers", &topic, &keys);
    handle.put_connector("numbers".into(), config, None, false).await.unwrap();
    let sent = client.consume_count(&topic, 2, PATIENCE);
    let texts: Vec<&[u8]> = sent.iter().map(|record| record.value.as_deref().unwrap()).collect();
    assert_eq!(texts, [b"1", b"3"]);
    let letters = client.consume_count(&dead, 1, PATIENCE);
    assert_eq!(letters.len(), 1);
    assert_eq!(
        letters[0].value.as_deref(),
        Some(&br#"{"schema":{"type":"string","optional":false},"payload":"two"}"#[..])
    );
    let header = |name: &str| std::str::from_utf8(letters[0].header(name).unwrap()).unwrap();
    assert_eq!(header("__connect.errors.topic"), topic);
    assert_eq!(header("__connect.errors.stage"), "TRANSFORMATION");
    assert_eq!(header("__connect.errors.connector.name"), "numbers");
    assert_eq!(header("__connect.errors.class.name"), "org.apache.kafka.connect.transforms.Cast$Value");
    assert!(header("__lavka.errors.source.partition").starts_with(r#"{"filename":"/"#));
    assert!(header("__lavka.errors.source.offset").starts_with(r#"{"position":"#));
    let offsets = async || handle.offsets("numbers").await.unwrap();
    let mut newest = None;
    for _ in 0..600 {
        newest = offsets().await.first().and_then(|entry| entry.offset.get("position").cloned());
        if newest == Some(8i64.into()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(newest, Some(8i64.into()), "behind all three lines");
    worker.shutdown().await;
}
