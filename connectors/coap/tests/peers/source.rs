//! A running source, whose records are delivered after as long as the test wants.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, Record, SourceRecord, Value};
use lavka_api::plugin::{Counter, Factory, OffsetReader, SourceTask, SourceTaskStart, TaskId};
use lavka_testkit::free_port;
use tokio::task::JoinHandle;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A task of a source, with all that it hands out.
pub(crate) struct Source {
    /// Of a server, where it listens.
    pub(crate) port: u16,
    records: Arc<Mutex<Vec<SourceRecord>>>,
    counters: Vec<Counter>,
    /// With what its `poll` failed.
    failure: Arc<Mutex<Option<lavka_api::Error>>>,
    running: JoinHandle<()>,
}

/// The offsets of an earlier run.
struct Offsets(Vec<(OffsetMap, OffsetMap)>);

#[async_trait]
impl OffsetReader for Offsets {
    async fn offsets(&self, partitions: &[OffsetMap]) -> lavka_api::Result<Vec<Option<OffsetMap>>> {
        let of = |partition: &OffsetMap| {
            let known = self.0.iter().rev().find(|(known, _)| known == partition);
            known.map(|(_, offset)| offset.clone())
        };
        Ok(partitions.iter().map(of).collect())
    }
}

fn task(class: &str, config: &Config) -> Box<dyn SourceTask> {
    let mut plugins = lavka_connector_coap::plugins().into_iter();
    let plugin = plugins.find(|plugin| plugin.aliases.contains(&class)).unwrap();
    let Factory::Source(make) = plugin.factory else { panic!("no source") };
    make().task(config).unwrap()
}

impl Source {
    /// Starts a server for `resources`; Kafka takes `delay`.
    pub(crate) async fn start(resources: &str, delay: Duration) -> Self {
        let config = Config::from([("lavka.coap.resources", resources)]);
        Self::serve(config, delay).await
    }

    /// Starts a server with this configuration, on a port of its own.
    pub(crate) async fn serve(mut config: Config, delay: Duration) -> Self {
        let port = free_port();
        config.set("lavka.coap.listen", format!("127.0.0.1:{port}"));
        let mut source = Self::run("CoapServerSource", &config, delay, vec![]).await;
        source.port = port;
        source
    }

    /// Starts a server at `address`.
    pub(crate) async fn serve_at(address: &str, mut config: Config) -> Self {
        config.set("lavka.coap.listen", address);
        Self::run("CoapServerSource", &config, Duration::ZERO, vec![]).await
    }

    /// Observes `resources` of `server`, with short waits.
    pub(crate) async fn observe(server: &str, resources: &str, more: &[(&str, &str)]) -> Self {
        Self::observe_behind(server, resources, more, vec![]).await
    }

    /// Observes as Lenses' keys say.
    pub(crate) async fn lenses(config: &Config) -> Self {
        Self::run("LensesCoapSource", config, Duration::from_millis(5), vec![]).await
    }

    /// As [`observe`](Self::observe), where an earlier run has left off.
    pub(crate) async fn observe_behind(
        server: &str,
        resources: &str,
        more: &[(&str, &str)],
        offsets: Vec<(OffsetMap, OffsetMap)>,
    ) -> Self {
        let mut config = Config::from([
            ("lavka.coap.servers", server),
            ("lavka.coap.observe", resources),
            ("lavka.coap.reregister.delay.ms", "200"),
            ("lavka.coap.retry.backoff.ms", "100"),
            ("lavka.coap.retry.backoff.max.ms", "400"),
            ("lavka.coap.ack.timeout.ms", "100"),
            ("lavka.coap.max.retransmit", "3"),
        ]);
        for (key, value) in more {
            config.set(*key, *value);
        }
        Self::run("CoapObserveSource", &config, Duration::from_millis(5), offsets).await
    }

    async fn run(
        class: &str,
        config: &Config,
        delay: Duration,
        offsets: Vec<(OffsetMap, OffsetMap)>,
    ) -> Self {
        let mut task = task(class, config);
        let id = TaskId { connector: "coap".into(), task: 0 };
        task.start(SourceTaskStart { id, offsets: Arc::new(Offsets(offsets)) }).await.unwrap();
        let listener = task.delivery_listener().unwrap();
        let records = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&records);
        let counters = task.counters();
        let failure = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&failure);
        let running = tokio::spawn(async move {
            loop {
                let polled = match task.poll().await {
                    Ok(polled) => polled,
                    Err(error) => {
                        *failed.lock().unwrap() = Some(error);
                        // It goes on answering until it is stopped.
                        return std::future::pending().await;
                    }
                };
                let tokens: Vec<u64> = polled.iter().map(|record| record.token).collect();
                seen.lock().unwrap().extend(polled);
                let listener = Arc::clone(&listener);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    listener.delivered(&tokens);
                });
            }
        });
        Self { port: 0, records, counters, failure, running }
    }

    /// What was handed out so far.
    pub(crate) fn handed_out(&self) -> Vec<SourceRecord> {
        self.records.lock().unwrap().clone()
    }

    /// The records so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.handed_out().into_iter().map(|record| record.record).collect()
    }

    /// Their payloads.
    pub(crate) fn payloads(&self) -> Vec<Vec<u8>> {
        let bytes = |record: Record| match record.value.value {
            Value::Bytes(bytes) => bytes.to_vec(),
            other => panic!("{other:?} is no payload"),
        };
        self.records().into_iter().map(bytes).collect()
    }

    /// The value of a metric.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.counters.iter().find(|counter| counter.name() == name).unwrap().value()
    }

    /// What its `poll` failed with, in words.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap().as_ref().map(ToString::to_string)
    }

    /// The first record of a notification, when there is one.
    pub(crate) async fn notification(&self) -> Record {
        let notification = Some(Value::Boolean(true));
        let find = || {
            self.records().into_iter().find(|record| {
                record.headers.last("coap.notification").map(|datum| datum.value.clone()) == notification
            })
        };
        self.wait_for("notification", |_| find().is_some()).await;
        find().unwrap()
    }

    /// Waits until the payloads are as wanted.
    pub(crate) async fn wait_for(&self, what: &str, wanted: impl Fn(&[Vec<u8>]) -> bool) -> Vec<Vec<u8>> {
        let began = Instant::now();
        loop {
            let payloads = self.payloads();
            if wanted(&payloads) {
                return payloads;
            }
            let shown: Vec<_> = payloads.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
            assert!(began.elapsed() < PATIENCE, "no {what}: {shown:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.running.abort();
    }
}
