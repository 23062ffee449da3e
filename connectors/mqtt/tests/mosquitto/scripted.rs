//! Servers that misbehave.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lavka_api::ErrorClass;

use crate::VERSIONS;
use crate::source::{Source, config_for, payloads};

/// What to do with a connection.
pub(crate) type Script = Box<dyn FnOnce(Peer) + Send>;

/// Listens and plays one script per connection, in order; further connections are refused. Its port.
pub(crate) fn serve(scripts: Vec<Script>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for script in scripts {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            script(Peer(stream));
        }
    });
    port
}

/// The client at the other end.
pub(crate) struct Peer(TcpStream);

impl Peer {
    /// The next packet's first byte and body; `None` when the client is gone. Of clients that are short of words.
    pub(crate) fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        assert!(head[1] < 128);
        let mut body = vec![0; head[1].into()];
        self.0.read_exact(&mut body).ok()?;
        Some((head[0], body))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        // The client may be gone already.
        let _ = self.0.write_all(bytes);
    }

    /// Accepts the connection and the subscription; `properties` of the CONNACK for MQTT 5.
    fn accept(&mut self, version: &str, properties: &[u8]) {
        assert_eq!(self.read().unwrap().0, 0x10);
        if version == "5" {
            self.write(&[0x20, 3 + properties.len() as u8, 0, 0, properties.len() as u8]);
            self.write(properties);
        } else {
            self.write(&[0x20, 2, 0, 0]);
        }
        let (kind, body) = self.read().unwrap();
        assert_eq!(kind, 0x82);
        if version == "5" {
            self.write(&[0x90, 4, body[0], body[1], 0, 1]);
        } else {
            self.write(&[0x90, 3, body[0], body[1], 1]);
        }
    }

    /// Sends a QoS 0 message on `t` with one byte.
    fn message(&mut self, version: &str, payload: u8) {
        if version == "5" {
            self.write(&[0x30, 5, 0, 1, b't', 0, payload]);
        } else {
            self.write(&[0x30, 4, 0, 1, b't', payload]);
        }
    }

    /// Waits until the client is gone.
    pub(crate) fn linger(mut self) {
        while self.read().is_some() {}
    }
}

fn answers(bytes: &'static [u8]) -> Script {
    Box::new(move |mut peer| {
        peer.read();
        peer.write(bytes);
    })
}

fn works(version: &'static str) -> Script {
    Box::new(move |mut peer| {
        peer.accept(version, &[]);
        peer.message(version, b'x');
        peer.linger();
    })
}

#[tokio::test]
async fn refusals_that_may_pass_are_tried_again() {
    let unavailable = answers(b"\x20\x02\x00\x03");
    let closed: Script = Box::new(drop);
    let port = serve(vec![unavailable, closed, works("3.1.1")]);
    let mut source = Source::start(&config_for(port, &[])).await;
    assert_eq!(payloads(&source.take(1).await), ["x"]);

    let busy = answers(b"\x20\x03\x00\x89\x00");
    let moved = answers(b"\x20\x03\x00\x9d\x00");
    let shutting_down: Script = Box::new(|mut peer| {
        peer.accept("5", &[]);
        peer.write(b"\xe0\x02\x8b\x00");
    });
    let port = serve(vec![busy, moved, shutting_down, works("5")]);
    let mut source = Source::start(&config_for(port, &[("lavka.mqtt.version", "5")])).await;
    assert_eq!(payloads(&source.take(1).await), ["x"]);
}

#[tokio::test]
async fn refusals_for_good_fail_the_task_with_the_key() {
    for (version, answer, key) in [
        ("3.1.1", &b"\x20\x02\x00\x01"[..], "lavka.mqtt.version"),
        ("3.1.1", b"\x20\x02\x00\x02", "lavka.mqtt.client.id"),
        ("3.1.1", b"\x20\x02\x00\x04", "mqtt.password"),
        ("3.1.1", b"\x20\x02\x00\x05", "mqtt.password"),
        ("5", b"\x20\x03\x00\x84\x00", "lavka.mqtt.version"),
        ("5", b"\x20\x03\x00\x85\x00", "lavka.mqtt.client.id"),
        ("5", b"\x20\x03\x00\x86\x00", "mqtt.password"),
        ("5", b"\x20\x03\x00\x87\x00", "mqtt.password"),
        ("5", b"\x20\x03\x00\x8a\x00", "banned"),
    ] {
        let port = serve(vec![answers(answer)]);
        let mut source = Source::start(&config_for(port, &[("lavka.mqtt.version", version)])).await;
        let error = source.failure().await;
        assert!(error.to_string().contains(key), "{error}");
        assert_eq!(error.class(), ErrorClass::Fatal);
    }
}

#[tokio::test]
async fn a_refused_subscription_names_the_filter() {
    for (version, answer) in [("3.1.1", &b"\x90\x03\x00\x01\x80"[..]), ("5", b"\x90\x04\x00\x01\x00\x87")] {
        let refuse: Script = Box::new(move |mut peer| {
            peer.read();
            peer.write(if version == "5" { b"\x20\x03\x00\x00\x00" } else { b"\x20\x02\x00\x00" });
            peer.read();
            peer.write(answer);
            peer.linger();
        });
        let port = serve(vec![refuse]);
        let mut source = Source::start(&config_for(port, &[("lavka.mqtt.version", version)])).await;
        let text = source.failure().await.to_string();
        assert!(text.contains("t/#") && text.contains("mqtt.topics"), "{text}");
    }
}

/// A server that is short of something today may have it tomorrow; and one that keeps sessions for a minute only is
/// made do with.
#[tokio::test]
async fn a_subscription_refused_for_want_of_room_is_tried_again() {
    for code in [0x83, 0x97] {
        let full: Script = Box::new(move |mut peer| {
            peer.read();
            peer.write(b"\x20\x03\x00\x00\x00");
            peer.read();
            peer.write(&[0x90, 4, 0, 1, 0, code]);
            peer.linger();
        });
        let short: Script = Box::new(|mut peer| {
            peer.accept("5", &[0x11, 0, 0, 0, 60]);
            peer.message("5", b'x');
            peer.linger();
        });
        let port = serve(vec![full, short]);
        let entries = [("lavka.mqtt.version", "5"), ("mqtt.clean.session.enabled", "false")];
        let mut source = Source::start(&config_for(port, &entries)).await;
        assert_eq!(payloads(&source.take(1).await), ["x"]);
    }
}

/// An MQTT 5 server that says it wants no pings gets none, or one, and the connection stands.
#[tokio::test]
async fn a_server_without_keep_alive_is_not_stormed_with_pings() {
    let pings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pings);
    let script: Script = Box::new(move |mut peer| {
        peer.accept("5", &[0x13, 0, 0]);
        peer.0.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        while let Some((kind, _)) = peer.read() {
            if kind == 0xc0 {
                counted.fetch_add(1, Ordering::SeqCst);
                peer.write(&[0xd0, 0]);
            }
        }
        peer.message("5", b'1');
        peer.0.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        peer.linger();
    });
    let port = serve(vec![script]);
    let mut source = Source::start(&config_for(port, &[("lavka.mqtt.version", "5")])).await;
    assert_eq!(payloads(&source.take(1).await), ["1"]);
    assert!(pings.load(Ordering::SeqCst) <= 1, "{pings:?} pings");
}

/// Whatever a server sends, the task connects again.
#[tokio::test]
async fn hostile_bytes_end_the_connection_only() {
    let hostile: [&[u8]; 24] = [
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\x02\xff\xff",
        b"\x30\x00",
        b"\x30\x01\x00",
        b"\x32\x03\x00\x01t",
        b"\x32\x05\x00\x01t\x00\x00",
        b"\x36\x05\x00\x01t\x00\x01",
        b"\x30\x04\x00\x01\xff\x00",
        b"\x30\x05\x00\x01t\xff\xff",
        b"\x30\x06\x00\x01t\x01\x26\x00",
        b"\x30\x09\x00\x01t\x05\x26\x00\x09k\x00",
        b"\x30\x06\x00\x00\x03\x23\x00\x07",
        b"\x90\x00",
        b"\x90\x02\x00\x01",
        b"\x90\x03\x00\x01\x07",
        b"\x40\x02\x00\x01",
        b"\x50\x02\xff\xff",
        b"\x62\x02\xff\xff",
        b"\x62\x01\x00",
        b"\x70\x02\x00\x00",
        b"\x20\x02\x00\x00",
        b"\x10\x00",
        b"\xe0\x01\x99",
    ];
    for version in VERSIONS {
        let mut scripts: Vec<Script> = Vec::new();
        for bytes in hostile {
            scripts.push(Box::new(move |mut peer| {
                peer.accept(version, &[]);
                peer.write(bytes);
            }));
            // In the place of the answer to CONNECT.
            scripts.push(answers(bytes));
        }
        scripts.push(works(version));
        let port = serve(scripts);
        let entries = [("lavka.mqtt.version", version), ("lavka.mqtt.reconnect.backoff.max.ms", "20")];
        let mut source = Source::start(&config_for(port, &entries)).await;
        loop {
            // Some of it is a message.
            let records = source.take(1).await;
            if records
                .iter()
                .any(|record| record.record.value.value == lavka_api::data::Value::Bytes((b"x").into()))
            {
                break;
            }
        }
    }
}
