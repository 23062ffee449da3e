//! The sink and servers that play a script: sessions, slowness, silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::VERSIONS;
use crate::scripted::{Peer, Script, serve};
use crate::sink::{Sink, config, numbered};

/// Accepts a connection of MQTT 3.1.1; the body of `CONNECT`.
fn accept(peer: &mut Peer) -> Vec<u8> {
    let (kind, body) = peer.read().unwrap();
    assert_eq!(kind, 0x10);
    peer.write(&[0x20, 2, 0, 0]);
    body
}

/// The packet id of the next PUBLISH on `d/x`.
fn publish(peer: &mut Peer) -> [u8; 2] {
    let (kind, body) = peer.read().unwrap();
    assert_eq!(kind & 0xf0, 0x30);
    [body[5], body[6]]
}

/// A session that was kept would know packet ids of messages from before, whatever the keys say: the server would throw away
/// a later message that has one of them (MQTT 3.1.1 and 5, §4.3.3).
#[tokio::test]
async fn a_session_ends_with_its_connection() {
    for version in VERSIONS {
        let (tell, mut tells) = tokio::sync::mpsc::unbounded_channel();
        let script: Script = Box::new(move |mut peer| {
            tell.send(peer.read().unwrap().1).unwrap();
            peer.linger();
        });
        let entries = [
            ("lavka.mqtt.version", version),
            ("mqtt.clean.session.enabled", "false"),
            ("lavka.mqtt.session.expiry.seconds", "60"),
            ("mqtt.qos", "2"),
        ];
        let sink = Sink::start(&config(serve(vec![script]), &entries)).await;
        let connect = tokio::time::timeout(Duration::from_secs(60), tells.recv()).await.unwrap().unwrap();
        assert_eq!(connect[7] & 2, 2, "clean, MQTT {version}");
        if version == "5" {
            assert_eq!(connect[11..16], [0x11, 0, 0, 0, 0], "{connect:?}");
        }
        sink.stop().await;
    }
}

/// A server that takes one message of a connection is tried for as long as it takes some.
#[tokio::test]
async fn a_slow_server_is_not_one_that_is_away() {
    const RECORDS: usize = 4;
    let taken = Arc::new(AtomicUsize::new(0));
    let connection = |messages: usize| -> Script {
        let taken = Arc::clone(&taken);
        Box::new(move |mut peer| {
            accept(&mut peer);
            let ids: Vec<[u8; 2]> = (0..messages).map(|_| publish(&mut peer)).collect();
            taken.fetch_add(1, Ordering::SeqCst);
            peer.write(&[0x40, 2, ids[0][0], ids[0][1]]);
        })
    };
    let port = serve((1..=RECORDS).rev().map(connection).collect());
    let mut sink = Sink::start(&config(port, &[("max.retry.time.ms", "1000")])).await;
    let records = numbered(RECORDS);
    let mut before = 0;
    while let Err(error) = sink.put_once(&records, false).await.0 {
        assert!(error.is_retriable(), "{error}");
        let now = taken.load(Ordering::SeqCst);
        // Time passes where the server took something.
        if now > before {
            sink.now += 2000;
        }
        before = now;
    }
    assert_eq!((taken.load(Ordering::SeqCst), sink.now), (RECORDS, 2000 * (RECORDS as i64 - 1)));
    sink.stop().await;
}

/// Such as Mosquitto with QoS 2 messages beyond its limit. It answers pings, so that nothing else would end the connection.
#[tokio::test]
async fn a_server_that_leaves_messages_unanswered_is_connected_to_again() {
    let silent: Script = Box::new(|mut peer| {
        accept(&mut peer);
        while let Some((kind, _)) = peer.read() {
            if kind == 0xc0 {
                peer.write(&[0xd0, 0]);
            }
        }
    });
    let sound: Script = Box::new(|mut peer| {
        accept(&mut peer);
        let [high, low] = publish(&mut peer);
        peer.write(&[0x40, 2, high, low]);
        peer.linger();
    });
    let mut sink = Sink::start(&config(serve(vec![silent, sound]), &[("max.retry.time.ms", "-1")])).await;
    assert_eq!(sink.put(&numbered(1), false).await.unwrap(), []);
    sink.stop().await;
}
