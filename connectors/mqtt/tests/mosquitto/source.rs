//! A source task in the hands of a test, and publishers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, SourceRecord};
use lavka_api::plugin::{
    ConnectorContext, DeliveryListener, Factory, OffsetReader, Plugin, SourceConnector, SourceTask,
    SourceTaskStart, TaskId,
};
use lavka_api::{Error, Result};
use lavka_testkit::Mosquitto;
use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS};

/// Ends a test that hangs; nothing here takes as long.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// How long silence has to last to count as silence.
const QUIET: Duration = Duration::from_millis(300);

pub(crate) fn plugin() -> Plugin {
    lavka_connector_mqtt::plugins().remove(0)
}

pub(crate) fn connector() -> Box<dyn SourceConnector> {
    let Factory::Source(make) = plugin().factory else { panic!("not a source") };
    make()
}

/// A configuration for `broker` with what is usual here, changed by `entries`.
pub(crate) fn config(broker: &Mosquitto, entries: &[(&str, &str)]) -> Config {
    config_for(broker.port(), entries)
}

/// The same for whoever listens on `port` of 127.0.0.1.
pub(crate) fn config_for(port: u16, entries: &[(&str, &str)]) -> Config {
    let mut config = Config::from([
        ("name", "sensors"),
        ("mqtt.server.uri", &format!("tcp://127.0.0.1:{port}")),
        ("mqtt.topics", "t/#"),
        ("mqtt.qos", "1"),
        ("mqtt.clean.session.enabled", "false"),
        ("lavka.mqtt.reconnect.backoff.ms", "20"),
        ("lavka.mqtt.reconnect.backoff.max.ms", "200"),
    ]);
    for (key, value) in entries {
        config.set(*key, *value);
    }
    config
}

/// What validation has against `config`.
pub(crate) async fn errors(config: &Config) -> Vec<String> {
    let reports = connector().validate(&(plugin().definition)(), config).await;
    reports.into_iter().flat_map(|report| report.errors).collect()
}

struct NoOffsets;

#[async_trait]
impl OffsetReader for NoOffsets {
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        Ok(vec![None; partitions.len()])
    }
}

/// A started task. Dropping it is what a crash is: nothing more is sent.
pub(crate) struct Source {
    task: Box<dyn SourceTask>,
    listener: Arc<dyn DeliveryListener>,
}

impl Source {
    /// Starts task 0 of `config`, whose client id is `lavka-sensors-0`.
    pub(crate) async fn start(config: &Config) -> Self {
        Self::start_all(config, 1).await.remove(0)
    }

    /// Starts as many tasks as the connector wants of `max`.
    pub(crate) async fn start_all(config: &Config, max: u32) -> Vec<Self> {
        assert_eq!(errors(config).await, Vec::<String>::new());
        let mut connector = connector();
        connector.start(ConnectorContext::new("sensors", || {}), config).await.unwrap();
        let mut sources = Vec::new();
        for (number, config) in (0..).zip(connector.task_configs(max).await.unwrap()) {
            let mut task = connector.task(&config).unwrap();
            let id = TaskId { connector: "sensors".into(), task: number };
            task.start(SourceTaskStart { id, offsets: Arc::new(NoOffsets) }).await.unwrap();
            let listener = task.delivery_listener().unwrap();
            sources.push(Self { task, listener });
        }
        sources
    }

    /// Starts task 0 and waits until the broker has confirmed its subscription.
    pub(crate) async fn subscribed(config: &Config, broker: &Mosquitto) -> Self {
        let before = count(broker, "Sending SUBACK to lavka-sensors-0");
        let source = Self::start(config).await;
        until(|| count(broker, "Sending SUBACK to lavka-sensors-0") > before).await;
        source
    }

    /// What the task has counted under a name.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        self.task.counters().iter().find(|counter| counter.name() == name).unwrap().value()
    }

    /// The next records, at least `count` of them.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<SourceRecord> {
        let mut records = Vec::new();
        let all = async {
            while records.len() < count {
                records.extend(self.task.poll().await.unwrap());
            }
        };
        let done = tokio::time::timeout(LIMIT, all).await;
        assert!(done.is_ok(), "{} of {count} records came", records.len());
        records
    }

    /// The next records, at least `count` of them, each delivered at once.
    pub(crate) async fn drain(&mut self, count: usize) -> Vec<SourceRecord> {
        let mut records = Vec::new();
        while records.len() < count {
            let more = self.take(1).await;
            self.deliver(&more);
            records.extend(more);
        }
        records
    }

    /// All that comes until each of `expected` has, each delivered at once. Some may come again.
    pub(crate) async fn drain_all(&mut self, expected: &[String]) {
        let mut missing: HashSet<&str> = expected.iter().map(String::as_str).collect();
        while !missing.is_empty() {
            for text in payloads(&self.drain(1).await) {
                missing.remove(text.as_str());
            }
        }
    }

    /// What still comes, until nothing does for a while.
    pub(crate) async fn rest(&mut self) -> Vec<SourceRecord> {
        let mut records = Vec::new();
        while let Ok(more) = tokio::time::timeout(QUIET, self.task.poll()).await {
            records.extend(more.unwrap());
        }
        records
    }

    /// The error that `poll` ends with.
    pub(crate) async fn failure(&mut self) -> Error {
        let failed = async {
            loop {
                if let Err(error) = self.task.poll().await {
                    return error;
                }
            }
        };
        tokio::time::timeout(LIMIT, failed).await.expect("the task did not fail")
    }

    pub(crate) fn deliver(&self, records: &[SourceRecord]) {
        self.listener.delivered(&records.iter().map(|record| record.token).collect::<Vec<_>>());
    }

    pub(crate) async fn stop(mut self) {
        tokio::time::timeout(LIMIT, self.task.stop()).await.expect("the task did not stop");
    }
}

/// Payloads as text.
pub(crate) fn payloads(records: &[SourceRecord]) -> Vec<String> {
    let text = |record: &SourceRecord| match &record.record.value.value {
        lavka_api::data::Value::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("not bytes: {other:?}"),
    };
    records.iter().map(text).collect()
}

/// `0` to `count - 1`, what [`publish`] sends.
pub(crate) fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|i| i.to_string()).collect()
}

pub(crate) fn qos(number: i32) -> QoS {
    match number {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// Publishes `payloads` to `topic` and waits until the broker has them all.
pub(crate) async fn publish(broker: &Mosquitto, topic: &str, number: i32, payloads: &[String]) {
    let mut options = MqttOptions::new("publisher", "127.0.0.1", broker.port());
    // Mosquitto takes no more than 20 QoS 2 messages at once.
    options.set_inflight(10).set_max_packet_size(1 << 26, 1 << 26);
    let (client, mut events) = AsyncClient::new(options, 10);
    let send = async {
        for payload in payloads {
            client.publish(topic, qos(number), false, payload.as_bytes()).await.unwrap();
        }
    };
    let drive = async {
        let (mut sent, mut confirmed) = (0, 0);
        loop {
            match events.poll().await.unwrap() {
                Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)) => confirmed += 1,
                Event::Outgoing(Outgoing::Publish(_)) => sent += 1,
                _ => {}
            }
            if payloads.len() == if number == 0 { sent } else { confirmed } {
                break;
            }
        }
        client.disconnect().await.unwrap();
        // The broker closes the connection when it has read everything before our good-bye.
        while events.poll().await.is_ok() {}
    };
    let done = tokio::time::timeout(LIMIT, async { tokio::join!(send, drive) }).await;
    assert!(done.is_ok(), "cannot publish");
}

/// Waits for something that happens elsewhere.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("waited in vain");
}

/// How many lines of the broker's log contain `text`.
pub(crate) fn count(broker: &Mosquitto, text: &str) -> usize {
    broker.log().lines().filter(|line| line.contains(text)).count()
}
