//! The examples with a schema registry, from a file through Kafka and a registry that others wrote, and back into a file.

use std::path::Path;
use std::time::Duration;

use crate::support::TestWorker;
use lavka::connector_file::ConnectorFile;
use lavka_api::config::Config;
use lavka_testkit::{RestClient, eventually, services, temp_dir, unique};

const PATIENCE: Duration = Duration::from_secs(60);
const LINES: usize = 2000;

#[tokio::test(flavor = "multi_thread")]
async fn the_avro_example_goes_through_kafka_and_back() {
    there_and_back(
        "the_avro_example_goes_through_kafka_and_back",
        "avro-file-source.json",
        "io.confluent.connect.avro.AvroConverter",
        r#"{"type":"record","name":"Reading","namespace":"org.example","fields":[{"name":"line","type":"string"}],"connect.name":"org.example.Reading"}"#,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protobuf_example_goes_through_kafka_and_back() {
    there_and_back(
        "the_protobuf_example_goes_through_kafka_and_back",
        "protobuf-file-source.json",
        "io.confluent.connect.protobuf.ProtobufConverter",
        "syntax = \"proto3\";\npackage org.example;\n\nmessage Reading {\n  string line = 1;\n}\n",
    )
    .await;
}

/// Runs `example` with a sink behind it that reads with `converter`; `text` is what has to be registered.
async fn there_and_back(test: &str, example: &str, converter: &str, text: &str) {
    let Some(registry) = services().schema_registry_for(test) else { return };
    let folder = temp_dir();
    let topic = unique("registry");
    services().kafka.client().create_topic(&topic, 1);
    let path = |file: &str| folder.path().join(file).display().to_string();
    let lines: String = (0..LINES).map(|line| format!("line {line}\n")).collect();
    std::fs::write(path("in.txt"), lines).unwrap();

    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example);
    let ConnectorFile { config: mut source, .. } = ConnectorFile::read(&example).unwrap();
    source.set("name", format!("{topic}-source"));
    source.set("file", path("in.txt"));
    source.set("topic", topic.clone());
    source.set("value.converter.schema.registry.url", registry.url());
    let sink = Config::from([
        ("connector.class", "FileStreamSink".to_owned()),
        ("topics", topic.clone()),
        ("file", path("out.txt")),
        ("value.converter", converter.to_owned()),
        ("value.converter.schema.registry.url", registry.url().to_owned()),
    ]);

    let worker = TestWorker::start(folder.path());
    let handle = worker.handle();
    handle.put_connector(format!("{topic}-source"), source, None, false).await.unwrap();
    handle.put_connector(format!("{topic}-sink"), sink, None, false).await.unwrap();
    let out = || std::fs::read_to_string(path("out.txt")).unwrap_or_default();
    eventually("all lines in the sink's file", PATIENCE, || (out().lines().count() >= LINES).then_some(()));
    let wanted: String = (0..LINES).map(|line| format!("Struct{{line=line {line}}}\n")).collect();
    assert_eq!(out(), wanted);

    // One schema, as the Java converter registers it.
    let subject = format!("/subjects/{topic}-value/versions");
    let client = RestClient::new(registry.url());
    assert_eq!(client.get(&subject).body, serde_json::json!([1]));
    let registered = client.get(&format!("{subject}/1")).body;
    assert_eq!(registered["schema"].as_str().unwrap(), text);
    worker.shutdown().await;
}
