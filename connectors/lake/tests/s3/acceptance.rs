//! The sinks of Confluent's and Aiven's names keep what the runtime counts on. These take longest, so they come first.

use std::sync::OnceLock;

use lavka_testkit::{S3Server, Unavailable, acceptance, had};

use crate::bucket::{bucket, store};
use crate::dialects::{AIVEN, aiven, unpacked};
use crate::support::runtime;
use crate::{config, values};

/// One server for these tests, which would keep the other one busy: it does one thing at a time.
fn server(test: &str) -> Option<&'static S3Server> {
    static SERVER: OnceLock<Result<S3Server, Unavailable>> = OnceLock::new();
    had(SERVER.get_or_init(S3Server::start).as_ref(), test, "a server that speaks S3's protocol")
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

#[test]
fn aivens_sink_keeps_what_the_runtime_counts_on() {
    let Some(server) = server("aivens_sink_keeps_what_the_runtime_counts_on") else { return };
    let round = |bucket: &str| {
        let mut config = aiven(server, bucket);
        config.set("file.max.records", "10");
        config
    };
    let plugins = lavka_connector_lake::plugins();
    let plugin = plugins.iter().find(|plugin| plugin.class == AIVEN).unwrap();
    acceptance::sink(plugin.clone())
        .config(round(&bucket(server, "lake")))
        .refuses("format.output.type", "xml")
        .refuses("aws.credentials.provider", "org.example.Provider")
        .records(60)
        .written(|config| written(server, config.get("aws.s3.bucket.name").unwrap(), "data", unpacked))
        .exactly_once()
        .round(move |_| round(&bucket(server, "lake")))
        .check()
        .assert_clean();
}
