//! The whole way into Kafka, as users have it: our worker, and Debezium's connector in Java's.

use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_telemetry::metrics::Metrics;
use lavka_testkit::{JarSet, KafkaClient, unique};

use super::Outcome;
use super::load::CHANGES;
use crate::java::Java;
use crate::usage::{Run, Stopwatch};
use crate::worker;

/// Between two looks at how far it is, which cost this process time: a hundredth of the shortest run.
const PAUSE: Duration = Duration::from_millis(20);
const SLOWEST: Duration = Duration::from_secs(120);

/// The changes through a worker of ours, in this process, whose producer is set to `producer`.
pub(super) async fn ours(bootstrap: &str, config: Config, producer: &[(&str, &str)]) -> Outcome<Run> {
    let folder = tempfile::tempdir()?;
    let metrics = Metrics::new();
    let plugins = lavka_connector_postgres::plugins();
    let worker = worker::start(bootstrap, folder.path(), metrics.clone(), plugins, producer)?;
    let watch = Stopwatch::start();
    worker.handle().put_connector("bench-cdc".into(), config, None, true).await?;
    while worker::total(&metrics, "source-record-write-total") < f64::from(CHANGES) {
        tokio::time::sleep(PAUSE).await;
    }
    let run = watch.stop(CHANGES);
    worker.shutdown().await;
    Ok(run)
}

/// Java's worker with Debezium's connector.
pub(super) struct Theirs {
    worker: Java,
    kafka: KafkaClient,
}

impl Theirs {
    pub(super) fn launch(bootstrap: &str, producer: &[(&str, &str)]) -> Outcome<Self> {
        let mut settings = vec![
            ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("key.converter.schemas.enable", "false"),
            ("value.converter.schemas.enable", "false"),
        ];
        settings.extend(producer);
        let worker = Java::launch(bootstrap, JarSet::DebeziumPostgres, &settings)?;
        Ok(Self { worker, kafka: KafkaClient::new(bootstrap) })
    }

    pub(super) fn pid(&self) -> u32 {
        self.worker.pid()
    }

    /// The changes, until all of them are in Kafka.
    pub(super) async fn run(&self, mut config: Config) -> Outcome<Run> {
        let name = unique("debezium");
        // A topic of its own, so that its end tells how far it is.
        config.set("topic.prefix", name.clone());
        let topic = format!("{name}.public.payments");
        self.kafka.create_topic(&topic, 1);
        let (began, watch) = (Instant::now(), Stopwatch::beside(self.worker.pid()));
        self.worker.start(&name, &config)?;
        while self.kafka.end_offsets(&topic).iter().sum::<i64>() < i64::from(CHANGES) {
            if began.elapsed() > SLOWEST {
                return Err(self.worker.status(&name).into());
            }
            tokio::time::sleep(PAUSE).await;
        }
        let run = watch.stop(CHANGES);
        self.worker.delete(&name);
        Ok(run)
    }
}
