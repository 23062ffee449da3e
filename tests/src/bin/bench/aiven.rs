//! Aiven's S3 sink in Java's worker, beside ours with the same configuration, the same topic and the same S3 server.
//!
//! Maven Central does not have that sink everywhere. A folder as `plugin.path` takes it, in which a folder has its jar and
//! those that it needs, is named by `LAVKA_BENCH_AIVEN`.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_telemetry::metrics::Metrics;
use lavka_testkit::{JarSet, KafkaClient, S3Server, unique};

use crate::java::{Beside, Java};
use crate::usage::{Run, Stopwatch, forget_peak};
use crate::warehouse::rows;
use crate::worker;

type Outcome<T> = Result<T, Box<dyn Error>>;

const FOLDER: &str = "LAVKA_BENCH_AIVEN";
/// Rounds; the median is reported.
const ROUNDS: usize = 3;
/// How often the rows are in the topic.
const TIMES: u32 = 6;
/// Files are finished at commits of offsets, in either worker.
const COMMITS: (&str, &str) = ("offset.flush.interval.ms", "500");
/// Between two looks at what is committed.
const PAUSE: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(180);

/// Runs both, in turn.
pub(crate) async fn run(bootstrap: &str) -> Outcome<()> {
    let records = rows::RECORDS * TIMES;
    let Some(plugins) = std::env::var_os(FOLDER) else {
        println!("Aiven's S3 sink is not measured: {FOLDER} names no folder with its jars");
        return Ok(());
    };
    println!(
        "Kafka (JSON with schemas) → JSON lines in gzip on S3, {records} records of 10 columns, beside Aiven's S3 sink"
    );
    for _ in 0..TIMES {
        rows::produce(bootstrap, rows::JSON, "").await?;
    }
    let server = S3Server::start().map_err(lavka_testkit::Failure::from)?;
    let kafka = KafkaClient::new(bootstrap);
    let java = Java::launch(
        bootstrap,
        JarSet::Connect,
        &[
            ("plugin.path", &Path::new(&plugins).display().to_string()),
            ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
            COMMITS,
        ],
    )?;
    forget_peak()?;
    let mut beside = Beside::new("JSON lines");
    for _ in 0..=ROUNDS {
        let us = ours(bootstrap, &kafka, &server, records).await?;
        beside.add(us, theirs(&java, &kafka, &server, records)?);
    }
    beside.print(java.pid());
    Ok(())
}

/// What both connectors are told; each run writes into a bucket of its own.
fn config(server: &S3Server) -> Config {
    let bucket = unique("aiven").to_lowercase().replace('_', "-");
    server.create_bucket(&bucket);
    Config::from([
        ("connector.class", "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector".to_owned()),
        ("tasks.max", "1".into()),
        ("topics", rows::JSON.into()),
        ("aws.access.key.id", S3Server::KEY_ID.into()),
        ("aws.secret.access.key", S3Server::SECRET.into()),
        ("aws.s3.bucket.name", bucket),
        ("aws.s3.endpoint", server.url()),
        ("aws.s3.region", "us-west-2".into()),
        ("format.output.type", "jsonl".into()),
        ("format.output.fields", "value".into()),
        ("format.output.fields.value.encoding", "none".into()),
        ("file.compression.type", "gzip".into()),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter".into()),
        ("value.converter.schemas.enable", "true".into()),
    ])
}

/// Waits until a connector has committed all records.
fn wait_for(kafka: &KafkaClient, name: &str, records: u32, status: impl Fn() -> String) -> Outcome<()> {
    let began = Instant::now();
    let committed =
        || kafka.committed(&format!("connect-{name}"), rows::JSON).into_iter().flatten().sum::<i64>();
    while committed() < i64::from(records) {
        if began.elapsed() > SLOWEST {
            return Err(format!("{} of {records} are committed: {}", committed(), status()).into());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

async fn ours(bootstrap: &str, kafka: &KafkaClient, server: &S3Server, records: u32) -> Outcome<Run> {
    let folder = tempfile::tempdir()?;
    let plugins = lavka_connector_lake::plugins();
    let worker = worker::start(bootstrap, folder.path(), Metrics::new(), plugins, &[COMMITS])?;
    let (name, config) = (unique("lavka"), config(server));
    let watch = Stopwatch::start();
    worker.handle().put_connector(name.clone(), config, None, true).await?;
    tokio::task::block_in_place(|| wait_for(kafka, &name, records, String::new))?;
    let run = watch.stop(records);
    worker.shutdown().await;
    Ok(run)
}

fn theirs(java: &Java, kafka: &KafkaClient, server: &S3Server, records: u32) -> Outcome<Run> {
    let (name, config) = (unique("aiven"), config(server));
    let watch = Stopwatch::beside(java.pid());
    java.start(&name, &config)?;
    wait_for(kafka, &name, records, || java.status(&name))?;
    let run = watch.stop(records);
    java.delete(&name);
    Ok(run)
}
