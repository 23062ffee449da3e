//! The sink, used as the engine uses it.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, KafkaOrigin, Record, RecordKind, SinkRecord, TimestampType, Value};
use lavka_api::plugin::{
    ConnectorContext, Factory, SinkBatch, SinkConnector, SinkContext, SinkTask, SinkTaskStart, TaskId,
};
use lavka_api::{Error, ErrorClass, Result};
use lavka_testkit::{Mosquitto, MosquittoConfig};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

use crate::VERSIONS;
use crate::scripted::{Peer, Script, serve};

const LIMIT: Duration = Duration::from_secs(60);

fn connector() -> Box<dyn SinkConnector> {
    let Factory::Sink(make) = lavka_connector_mqtt::plugins().remove(2).factory else { panic!("no sink") };
    make()
}

pub(crate) fn config(port: u16, entries: &[(&str, &str)]) -> Config {
    let mut config = Config::from([
        ("name", "predictions"),
        ("mqtt.server.uri", &format!("tcp://127.0.0.1:{port}")),
        ("mqtt.qos", "1"),
        ("lavka.mqtt.topic", "d/${key}"),
        ("lavka.mqtt.reconnect.backoff.ms", "20"),
        ("lavka.mqtt.reconnect.backoff.max.ms", "100"),
    ]);
    for (key, value) in entries {
        config.set(*key, *value);
    }
    config
}

/// A started task.
pub(crate) struct Sink {
    task: Box<dyn SinkTask>,
    /// What the engine says the time is, in epoch milliseconds.
    pub(crate) now: i64,
}

impl Sink {
    pub(crate) async fn start(config: &Config) -> Self {
        let mut connector = connector();
        connector.start(ConnectorContext::new("predictions", || {}), config).await.unwrap();
        let configs = connector.task_configs(1).await.unwrap();
        let mut task = connector.task(&configs[0]).unwrap();
        task.start(SinkTaskStart { id: TaskId { connector: "predictions".into(), task: 0 } }).await.unwrap();
        Self { task, now: 0 }
    }

    /// Puts once; what is reported comes with it.
    pub(crate) async fn put_once(
        &mut self,
        batch: &SinkBatch,
        takes_errant: bool,
    ) -> (Result<()>, Vec<(usize, String)>) {
        let mut context = SinkContext { takes_errant_records: takes_errant, ..SinkContext::at(self.now) };
        let put = tokio::time::timeout(LIMIT, self.task.put(Arc::clone(batch), &mut context));
        let outcome = put.await.expect("put takes too long");
        (outcome, context.errant.into_iter().map(|errant| (errant.index, errant.error.to_string())).collect())
    }

    /// Puts as the engine does, again and again while it is worth it; what was reported.
    pub(crate) async fn put(
        &mut self,
        batch: &SinkBatch,
        takes_errant: bool,
    ) -> Result<Vec<(usize, String)>> {
        let again = async {
            loop {
                match self.put_once(batch, takes_errant).await {
                    (Ok(()), errant) => return Ok(errant),
                    (Err(error), _) if error.is_retriable() => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    (Err(error), _) => return Err(error),
                }
            }
        };
        tokio::time::timeout(LIMIT, again).await.expect("put does not come to an end")
    }

    pub(crate) async fn stop(mut self) {
        tokio::time::timeout(LIMIT, self.task.stop()).await.expect("the task did not stop");
    }

    async fn failure(&mut self, batch: &SinkBatch) -> Error {
        self.put(batch, false).await.unwrap_err()
    }
}

/// Records with these keys and values.
pub(crate) fn batch(entries: &[(&str, &str)]) -> SinkBatch {
    let record = |(offset, (key, value)): (i64, &(&str, &str))| {
        let mut record = Record::for_topic("scored");
        record.key = Datum::schemaless(*key);
        record.value = Datum::schemaless(*value);
        record.kind = RecordKind::Sink { offset, timestamp_type: TimestampType::CreateTime };
        let origin = KafkaOrigin { topic: "scored".into(), partition: 0, offset, leader_epoch: None };
        SinkRecord { record, origin, raw_key: None, raw_value: None }
    };
    (0..).zip(entries).map(record).collect::<Vec<_>>().into()
}

pub(crate) fn numbered(count: usize) -> SinkBatch {
    let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    batch(&numbers.iter().map(|number| ("x", number.as_str())).collect::<Vec<_>>())
}

/// A subscriber that keeps what comes.
struct Devices {
    events: rumqttc::v5::EventLoop,
    _client: AsyncClient,
}

impl Devices {
    async fn listen(port: u16) -> Self {
        let (client, events) = AsyncClient::new(MqttOptions::new("devices", "127.0.0.1", port), 10);
        client.subscribe("d/#", QoS::ExactlyOnce).await.unwrap();
        let mut devices = Self { events, _client: client };
        while !matches!(devices.event().await, Event::Incoming(Packet::SubAck(_))) {}
        devices
    }

    async fn event(&mut self) -> Event {
        tokio::time::timeout(LIMIT, self.events.poll()).await.expect("nothing comes").unwrap()
    }

    async fn next(&mut self) -> Publish {
        loop {
            if let Event::Incoming(Packet::Publish(message)) = self.event().await {
                return message;
            }
        }
    }

    async fn texts(&mut self, count: usize) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut texts = Vec::new();
        while texts.len() < count {
            let message = self.next().await;
            texts.push((text(&message.topic), text(&message.payload)));
        }
        texts
    }
}

#[tokio::test]
async fn records_reach_the_devices_named_in_them() {
    let broker = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    for version in VERSIONS {
        for qos in ["0", "1", "2"] {
            let mut devices = Devices::listen(broker.port()).await;
            let entries = [("lavka.mqtt.version", version), ("mqtt.qos", qos)];
            let mut sink = Sink::start(&config(broker.port(), &entries)).await;
            let errant = sink.put(&batch(&[("a", "1"), ("b/set", "2")]), false).await.unwrap();
            assert!(errant.is_empty());
            let expected = [("d/a", "1"), ("d/b/set", "2")].map(|(t, p)| (t.to_owned(), p.to_owned()));
            assert_eq!(devices.texts(2).await, expected, "{version} {qos}");
            sink.task.stop().await;
        }
    }
}

#[tokio::test]
async fn headers_become_properties_and_a_tombstone_removes_what_is_retained() {
    let broker = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let entries = [
        ("lavka.mqtt.version", "5"),
        ("lavka.mqtt.v5.headers", "true"),
        ("lavka.mqtt.user.properties", "model"),
        ("mqtt.retained.enabled", "true"),
    ];
    let mut sink = Sink::start(&config(broker.port(), &entries)).await;
    let mut records = batch(&[("a", "1")]).to_vec();
    let headers = &mut records[0].record.headers;
    headers.add("mqtt.content.type", Datum::schemaless("text/plain"));
    headers.add("mqtt.correlation.data", Datum::schemaless(Blob::from(&[1, 2])));
    headers.add("mqtt.user.site", Datum::schemaless("north"));
    headers.add("model", Datum::schemaless(Value::Int32(3)));
    headers.add("other", Datum::schemaless("not sent"));
    sink.put(&records.into(), false).await.unwrap();

    let message = Devices::listen(broker.port()).await.next().await;
    assert!(message.retain);
    let properties = message.properties.unwrap();
    assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
    assert_eq!(properties.correlation_data.as_deref(), Some(&[1, 2][..]));
    let user = [("site", "north"), ("model", "3")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(properties.user_properties, user);

    let mut tombstone = batch(&[("a", "")]).to_vec();
    tombstone[0].record.value = Datum::NULL;
    sink.put(&tombstone.into(), false).await.unwrap();
    let mut devices = Devices::listen(broker.port()).await;
    sink.put(&batch(&[("b", "2")]), false).await.unwrap();
    assert_eq!(devices.texts(1).await, [("d/b".to_owned(), "2".to_owned())]);
}

#[tokio::test]
async fn more_records_than_the_window_arrive_in_order() {
    let broker =
        Mosquitto::start(&MosquittoConfig { max_inflight: Some(0), ..MosquittoConfig::default() }).unwrap();
    for (version, qos) in [("3.1.1", "1"), ("5", "1"), ("5", "2")] {
        let mut devices = Devices::listen(broker.port()).await;
        let entries = [("lavka.mqtt.version", version), ("mqtt.qos", qos), ("lavka.mqtt.max.inflight", "7")];
        let mut sink = Sink::start(&config(broker.port(), &entries)).await;
        for _ in 0..3 {
            sink.put(&numbered(500), false).await.unwrap();
            let came: Vec<String> =
                devices.texts(500).await.into_iter().map(|(_, payload)| payload).collect();
            assert_eq!(
                came,
                (0..500).map(|number| number.to_string()).collect::<Vec<_>>(),
                "{version} {qos}"
            );
        }
        sink.task.stop().await;
    }
}

#[tokio::test]
async fn a_broker_that_is_killed_gets_the_batch_again() {
    let settings = ["autosave_on_changes true".to_owned(), "autosave_interval 1".to_owned()].to_vec();
    let mut broker =
        Mosquitto::start(&MosquittoConfig { persistence: true, settings, ..MosquittoConfig::default() })
            .unwrap();
    for version in VERSIONS {
        let entries = [("lavka.mqtt.version", version), ("max.retry.time.ms", "-1")];
        let mut sink = Sink::start(&config(broker.port(), &entries)).await;
        sink.put(&batch(&[("a", "1")]), false).await.unwrap();
        broker.kill();
        let (outcome, _) = sink.put_once(&batch(&[("a", "2")]), true).await;
        let error = outcome.unwrap_err();
        assert!(error.is_retriable(), "{error}");
        broker.restart().unwrap();
        let mut devices = Devices::listen(broker.port()).await;
        sink.put(&batch(&[("a", "2")]), false).await.unwrap();
        assert_eq!(devices.texts(1).await, [("d/a".to_owned(), "2".to_owned())]);
    }
}

#[tokio::test]
async fn after_max_retry_time_the_task_fails() {
    let port = lavka_testkit::free_port();
    let mut sink = Sink::start(&config(port, &[("max.retry.time.ms", "20000")])).await;
    let records = batch(&[("a", "1")]);
    let (first, _) = sink.put_once(&records, false).await;
    assert!(first.as_ref().is_err_and(Error::is_retriable), "{first:?}");
    assert!(first.unwrap_err().to_string().contains(&format!("tcp://127.0.0.1:{port}")));
    sink.now = 20_000;
    let error = sink.put_once(&records, false).await.0.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert!(error.to_string().contains("max.retry.time.ms"), "{error}");
}

#[tokio::test]
async fn records_without_a_topic_are_reported_alone() {
    let broker = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let mut devices = Devices::listen(broker.port()).await;
    let mut sink = Sink::start(&config(broker.port(), &[])).await;
    let records = batch(&[("a", "1"), ("x/#", "2"), ("b", "3")]);
    let errant = sink.put(&records, true).await.unwrap();
    assert!(
        matches!(errant.as_slice(), [(1, error)] if error.contains("cannot be the MQTT topic")),
        "{errant:?}"
    );
    assert_eq!(devices.texts(2).await.len(), 2);
    let error = sink.failure(&records).await;
    assert_eq!(error.class(), ErrorClass::Data);
    // What is before it was published.
    assert_eq!(devices.texts(1).await, [("d/a".to_owned(), "1".to_owned())]);
}

#[tokio::test]
async fn credentials_that_are_refused_fail_the_task() {
    let users = vec![("u".to_owned(), "p".to_owned())];
    let broker = Mosquitto::start(&MosquittoConfig { users, ..MosquittoConfig::default() }).unwrap();
    for version in VERSIONS {
        let entries = [("mqtt.username", "u"), ("mqtt.password", "wrong"), ("lavka.mqtt.version", version)];
        let mut sink = Sink::start(&config(broker.port(), &entries)).await;
        let error = sink.failure(&batch(&[("a", "1")])).await;
        assert_eq!(error.class(), ErrorClass::Fatal);
        assert!(
            error.to_string().contains("mqtt.password") && !error.to_string().contains("wrong"),
            "{error}"
        );
    }
}

/// Accepts an MQTT 5 connection with these CONNACK properties.
fn accept(peer: &mut Peer, properties: &[u8]) {
    assert_eq!(peer.read().unwrap().0, 0x10);
    peer.write(&[0x20, 3 + properties.len() as u8, 0, 0, properties.len() as u8]);
    peer.write(properties);
}

/// The packet id of the next PUBLISH on `d/x`, and its payload.
fn publish(peer: &mut Peer) -> ([u8; 2], Vec<u8>) {
    let (kind, body) = peer.read().unwrap();
    assert_eq!(kind & 0xf0, 0x30);
    ([body[5], body[6]], body[8..].to_vec())
}

#[tokio::test]
async fn what_an_mqtt_5_server_refuses_is_the_records_error_or_tried_again() {
    let script: Script = Box::new(|mut peer| {
        // Receive maximum 2.
        accept(&mut peer, &[0x21, 0, 2]);
        let (first, _) = publish(&mut peer);
        let (second, _) = publish(&mut peer);
        peer.write(&[0x40, 3, first[0], first[1], 0x87]);
        peer.write(&[0x40, 3, second[0], second[1], 0x97]);
        let (third, _) = publish(&mut peer);
        peer.write(&[0x40, 2, third[0], third[1]]);
        // Quota exceeded: the second comes again, and no other.
        let (again, payload) = publish(&mut peer);
        assert_eq!(payload, b"1");
        peer.write(&[0x40, 2, again[0], again[1]]);
        peer.linger();
    });
    let port = serve(vec![script]);
    let mut sink = Sink::start(&config(port, &[("lavka.mqtt.version", "5")])).await;
    let errant = sink.put(&numbered(3), true).await.unwrap();
    assert!(matches!(errant.as_slice(), [(0, error)] if error.contains("not authorized")), "{errant:?}");
}

#[tokio::test]
async fn a_lost_connection_repeats_what_was_not_acknowledged() {
    let cut: Script = Box::new(|mut peer| {
        accept(&mut peer, &[]);
        let (first, _) = publish(&mut peer);
        publish(&mut peer);
        peer.write(&[0x40, 2, first[0], first[1]]);
        // The second has arrived; nobody knows.
        publish(&mut peer);
    });
    let whole: Script = Box::new(|mut peer| {
        accept(&mut peer, &[]);
        for expected in [b"1", b"2"] {
            let (id, payload) = publish(&mut peer);
            assert_eq!(payload, expected);
            peer.write(&[0x40, 2, id[0], id[1]]);
        }
        peer.linger();
    });
    let port = serve(vec![cut, whole]);
    let mut sink = Sink::start(&config(port, &[("lavka.mqtt.version", "5")])).await;
    sink.put(&numbered(3), false).await.unwrap();
}

#[tokio::test]
async fn qos_2_is_done_with_pubcomp_or_a_refusal() {
    let script: Script = Box::new(|mut peer| {
        accept(&mut peer, &[0x21, 0, 2]);
        let (first, _) = publish(&mut peer);
        let (second, payload) = publish(&mut peer);
        assert_eq!(payload, b"1");
        // The first is refused, and has its place in the window no more.
        peer.write(&[0x50, 3, first[0], first[1], 0x99]);
        let (third, _) = publish(&mut peer);
        for id in [second, third] {
            peer.write(&[0x50, 2, id[0], id[1]]);
            assert_eq!(peer.read().unwrap(), (0x62, id.to_vec()));
            peer.write(&[0x70, 2, id[0], id[1]]);
        }
        peer.linger();
    });
    let port = serve(vec![script]);
    let mut sink = Sink::start(&config(port, &[("lavka.mqtt.version", "5"), ("mqtt.qos", "2")])).await;
    let errant = sink.put(&numbered(3), true).await.unwrap();
    assert!(
        matches!(errant.as_slice(), [(0, error)] if error.contains("payload format invalid")),
        "{errant:?}"
    );
}

#[tokio::test]
async fn what_is_larger_than_the_server_takes_is_the_records_error() {
    let script: Script = Box::new(|mut peer| {
        // Maximum packet size 100.
        accept(&mut peer, &[0x27, 0, 0, 0, 100]);
        let (id, _) = publish(&mut peer);
        peer.write(&[0x40, 2, id[0], id[1]]);
        peer.linger();
    });
    let port = serve(vec![script]);
    let mut sink = Sink::start(&config(port, &[("lavka.mqtt.version", "5")])).await;
    let long = "y".repeat(100);
    let errant = sink.put(&batch(&[("x", &long), ("x", "1")]), true).await.unwrap();
    assert!(
        matches!(errant.as_slice(), [(0, error)] if error.contains("larger than the 100 bytes")),
        "{errant:?}"
    );
}
