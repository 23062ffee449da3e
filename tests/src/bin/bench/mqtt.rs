//! The MQTT source beside `mosquitto_sub`: how fast each drains what a server has kept for it.
//!
//! Both have a session on the same Mosquitto, which keeps the same messages for both; first one drains, then the other.
//! `mosquitto_sub` acknowledges and throws away. The source writes to Kafka, and acknowledges when Kafka has acknowledged.
//! Both are timed whole: the one from the start of its process, the other from the start of its connector, to the last
//! message.

use std::error::Error;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_telemetry::metrics::Metrics;
use lavka_testkit::{KafkaClient, Mosquitto, MosquittoConfig, unique};

use super::usage::{Run, Stopwatch};
use super::{median, worker};

/// Mosquitto 2.0 gives packet ids to what it queues, so that it never delivers more than 65,535 and what was under way.
const MESSAGES: u32 = 60_000;
const PAYLOAD: usize = 200;
const ROUNDS: usize = 5;
/// Receive maximum of both.
const WINDOW: &str = "1000";
/// When a side counts as stuck.
const SLOWEST: Duration = Duration::from_secs(60);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Runs the rounds and prints what came of them.
pub(crate) async fn run(bootstrap: &str) -> Outcome<()> {
    println!(
        "MQTT source: {MESSAGES} messages of {PAYLOAD} bytes, QoS 1, MQTT 5, receive maximum {WINDOW}, beside mosquitto_sub"
    );
    let mut shares = Vec::new();
    for round in 0..=ROUNDS {
        let config = MosquittoConfig {
            max_inflight: Some(0),
            settings: vec!["log_type none".into()],
            ..MosquittoConfig::default()
        };
        let server = Mosquitto::start(&config)?;
        let port = server.port().to_string();
        for client in ["drainer", "lavka-0"] {
            let subscribed = subscriber(&port, client).arg("-E").status()?;
            if !subscribed.success() {
                return Err("mosquitto_sub could not subscribe".into());
            }
        }
        publish(&port)?;
        let bare = drain(&port)?;
        let lavka = lavka(&port, bootstrap).await?;
        // The first round warms up.
        if round > 0 {
            println!("  mosquitto_sub {bare:>7.0}/s   lavka {lavka}");
            shares.push(lavka.rate / bare);
        }
    }
    println!("  {:.0} % of mosquitto_sub (median of {ROUNDS})", 100.0 * median(&mut shares));
    Ok(())
}

/// `mosquitto_sub` with a session that is kept.
fn subscriber(port: &str, client: &str) -> Command {
    let mut command = Command::new("mosquitto_sub");
    command
        .args(["-h", "127.0.0.1", "-p", port, "-V", "5", "-i", client, "-c", "-x", "3600", "-q", "1"])
        .args(["-t", "bench/#", "-D", "connect", "receive-maximum", WINDOW]);
    command
}

fn publish(port: &str) -> Outcome<()> {
    let mut publisher = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", port, "-q", "1", "-t", "bench/readings", "-l"])
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = publisher.stdin.take() {
        let mut lines = Vec::new();
        for number in 0..MESSAGES {
            writeln!(lines, "{number:0PAYLOAD$}")?;
        }
        input.write_all(&lines)?;
    }
    publisher.wait()?.success().then_some(()).ok_or_else(|| "mosquitto_pub failed".into())
}

/// Messages a second of `mosquitto_sub`.
fn drain(port: &str) -> Outcome<f64> {
    let limit = SLOWEST.as_secs().to_string();
    let began = Instant::now();
    // It fails when the time is over.
    let status = subscriber(port, "drainer")
        .args(["-C", &MESSAGES.to_string(), "-W", &limit])
        .stdout(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(f64::from(MESSAGES) / began.elapsed().as_secs_f64()),
        false => Err("mosquitto_sub did not get all messages".into()),
    }
}

/// Messages that Kafka has acknowledged, a second.
async fn lavka(port: &str, bootstrap: &str) -> Outcome<Run> {
    let folder = tempfile::tempdir()?;
    let metrics = Metrics::new();
    let plugins = lavka_connector_mqtt::plugins();
    let worker = worker::start(bootstrap, folder.path(), metrics.clone(), plugins, &[])?;
    let topic = unique("bench-mqtt");
    let kafka = KafkaClient::new(bootstrap);
    kafka.create_topic(&topic, 1);
    let connector = Config::from([
        ("connector.class", "io.confluent.connect.mqtt.MqttSourceConnector".to_owned()),
        ("mqtt.server.uri", format!("tcp://127.0.0.1:{port}")),
        ("mqtt.topics", "bench/#".into()),
        ("mqtt.qos", "1".into()),
        ("mqtt.clean.session.enabled", "false".into()),
        ("kafka.topic", topic.clone()),
        ("lavka.mqtt.version", "5".into()),
        ("lavka.mqtt.max.inflight", WINDOW.into()),
        ("lavka.mqtt.client.id", "lavka".into()),
        ("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter".into()),
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter".into()),
    ]);
    let (began, watch) = (Instant::now(), Stopwatch::start());
    worker.handle().put_connector("bench".into(), connector, None, true).await?;
    loop {
        let count = worker::total(&metrics, "source-record-write-total") as u32;
        if count >= MESSAGES {
            break;
        }
        if began.elapsed() > SLOWEST {
            return Err(format!("the source wrote {count} of {MESSAGES} messages").into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let run = watch.stop(MESSAGES);
    worker.shutdown().await;
    let written: i64 = kafka.end_offsets(&topic).iter().sum();
    if written == i64::from(MESSAGES) {
        Ok(run)
    } else {
        Err(format!("{written} of {MESSAGES} messages are in Kafka").into())
    }
}
