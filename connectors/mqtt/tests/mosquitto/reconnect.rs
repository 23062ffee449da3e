//! Servers that come and go.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use lavka_testkit::{Mosquitto, MosquittoConfig, free_port};

use crate::VERSIONS;
use crate::source::{Source, config, count, numbers, payloads, publish, until};

fn lasting() -> Mosquitto {
    Mosquitto::start(&MosquittoConfig { persistence: true, ..MosquittoConfig::default() }).unwrap()
}

#[tokio::test]
async fn a_restart_of_the_server_loses_nothing() {
    for version in VERSIONS {
        for qos in ["1", "2"] {
            let mut broker = lasting();
            let config = config(&broker, &[("lavka.mqtt.version", version), ("mqtt.qos", qos)]);
            let mut source = Source::subscribed(&config, &broker).await;
            publish(&broker, "t/1", 2, &numbers(40)).await;
            // Of the window some are delivered, some handed out, some in memory.
            let taken = source.take(10).await;
            source.deliver(&taken[..5]);
            broker.restart().unwrap();
            let mut seen: HashSet<String> = payloads(&taken).into_iter().collect();
            // Deliveries of messages that came over the connection before.
            source.deliver(&taken[5..]);
            publish(&broker, "t/1", 2, &["after".into()]).await;
            while !(seen.contains("after") && seen.len() == 41) {
                let more = source.take(1).await;
                source.deliver(&more);
                seen.extend(payloads(&more));
            }
            let mut expected: HashSet<String> = numbers(40).into_iter().collect();
            expected.insert("after".into());
            assert_eq!(seen, expected, "MQTT {version}, QoS {qos}");
            // The connection after the restart is a sound one: nothing was acknowledged that it did not know.
            publish(&broker, "t/1", 1, &["end".into()]).await;
            source.drain_all(&["end".into()]).await;
            assert_eq!(count(&broker, "protocol error"), 0, "{}", broker.log());
            source.stop().await;
        }
    }
}

#[tokio::test]
async fn the_session_is_not_subscribed_again() {
    let mut broker = lasting();
    let config = config(&broker, &[]);
    let mut source = Source::subscribed(&config, &broker).await;
    broker.restart().unwrap();
    until(|| count(&broker, "Sending CONNACK to lavka-sensors-0 (1, 0)") == 1).await;
    publish(&broker, "t/1", 1, &["x".into()]).await;
    assert_eq!(payloads(&source.take(1).await), ["x"]);
    assert_eq!(count(&broker, "Received SUBSCRIBE from lavka-sensors-0"), 1);
}

#[tokio::test]
async fn a_server_that_forgot_the_session_is_subscribed_again() {
    for version in VERSIONS {
        let mut broker = Mosquitto::start(&MosquittoConfig::default()).unwrap();
        let config = config(&broker, &[("lavka.mqtt.version", version)]);
        let mut source = Source::subscribed(&config, &broker).await;
        publish(&broker, "t/1", 1, &["before".into()]).await;
        until(|| count(&broker, "Sending PUBLISH to lavka-sensors-0") == 1).await;
        broker.restart().unwrap();
        until(|| count(&broker, "Sending SUBACK to lavka-sensors-0") == 2).await;
        publish(&broker, "t/1", 1, &["after".into()]).await;
        // The first message was the last copy.
        let records = source.take(2).await;
        assert_eq!(payloads(&records), ["before", "after"], "MQTT {version}");
        source.deliver(&records);
        until(|| count(&broker, "Received PUBACK from lavka-sensors-0") == 1).await;
        assert_eq!(source.rest().await.len(), 0);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let mut broker = lasting();
    broker.stop();
    let config = config(&broker, &[]);
    let mut source = Source::start(&config).await;
    assert_eq!(source.rest().await.len(), 0);
    broker.restart().unwrap();
    until(|| count(&broker, "Sending SUBACK to lavka-sensors-0") == 1).await;
    publish(&broker, "t/1", 1, &["x".into()]).await;
    assert_eq!(payloads(&source.take(1).await), ["x"]);
}

#[tokio::test]
async fn the_next_server_of_the_list_is_tried() {
    let broker = lasting();
    let uris = format!("tcp://127.0.0.1:{}, tcp://127.0.0.1:{}", free_port(), broker.port());
    let config = config(&broker, &[("mqtt.server.uri", &uris)]);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 1, &["x".into()]).await;
    assert_eq!(payloads(&source.take(1).await), ["x"]);
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_server_that_is_not_there() {
    let mut broker = lasting();
    broker.stop();
    Source::start(&config(&broker, &[])).await.stop().await;
}

/// A client that acknowledged a QoS 2 message and died before it answered the release: the server repeats the release
/// on the next connection, to a process that never saw the message, and waits for the answer.
#[tokio::test]
async fn a_release_of_an_earlier_run_is_answered() {
    for version in VERSIONS {
        let broker = lasting();
        let port = broker.port();
        let earlier = tokio::task::spawn_blocking(move || half_done(port));
        until(|| count(&broker, "Sending SUBACK to lavka-sensors-0") == 1).await;
        publish(&broker, "t/1", 2, &["half".into()]).await;
        earlier.await.unwrap();
        until(|| count(&broker, "Received PUBREC from lavka-sensors-0") == 1).await;

        let config = config(&broker, &[("mqtt.qos", "2"), ("lavka.mqtt.version", version)]);
        let mut source = Source::start(&config).await;
        until(|| count(&broker, "Received PUBCOMP from lavka-sensors-0") == 1).await;
        publish(&broker, "t/1", 2, &["whole".into()]).await;
        let records = source.take(1).await;
        assert_eq!(payloads(&records), ["whole"], "MQTT {version}");
        source.deliver(&records);
        until(|| count(&broker, "Received PUBCOMP from lavka-sensors-0") == 2).await;
        source.stop().await;
        assert_eq!(count(&broker, "Sending CONNACK to lavka-sensors-0"), 2, "MQTT {version}");
    }
}

/// Speaks MQTT 3.1.1 by hand: subscribes with a kept session, receives a message, sends `PUBREC`, and is gone when
/// `PUBREL` has come.
fn half_done(port: u16) {
    let client = b"lavka-sensors-0";
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut connect = vec![0x10, 12 + client.len() as u8, 0, 4];
    connect.extend(b"MQTT\x04\x00\x00\x3c\x00");
    connect.push(client.len() as u8);
    connect.extend(client);
    stream.write_all(&connect).unwrap();
    assert_eq!(packet(&mut stream).0, 0x20);
    stream.write_all(b"\x82\x08\x00\x01\x00\x03t/#\x02").unwrap();
    assert_eq!(packet(&mut stream).0, 0x90);
    let (kind, publish) = packet(&mut stream);
    assert_eq!(kind, 0x34);
    let topic = usize::from(publish[1]);
    let id = &publish[2 + topic..4 + topic];
    stream.write_all(&[0x50, 2, id[0], id[1]]).unwrap();
    let (kind, released) = packet(&mut stream);
    assert_eq!((kind, released.as_slice()), (0x62, id));
}

/// The next packet: first byte and body, shorter than 128 bytes.
fn packet(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut body = vec![0; head[1].into()];
    stream.read_exact(&mut body).unwrap();
    (head[0], body)
}
