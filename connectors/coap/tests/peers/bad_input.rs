//! What devices should not send, and what they are answered.

use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::Value;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::source::Source;

/// A device without manners.
pub(crate) struct Device(UdpSocket);

impl Device {
    pub(crate) async fn of(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(("127.0.0.1", port)).await.unwrap();
        Self(socket)
    }

    /// A confirmable POST to `/r` with message id `id`, `options` behind the path, and a payload; its answer.
    async fn post(&self, id: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
        let head = [0x41, 2, 0, id, id, 0xb1, b'r'];
        self.0.send(&[&head[..], options, &[0xff], payload].concat()).await.unwrap();
        let mut buffer = [0; 2048];
        loop {
            let length = timeout(Duration::from_secs(30), self.0.recv(&mut buffer)).await.unwrap().unwrap();
            if buffer[2..4] == [0, id] {
                return buffer[..length].to_vec();
            }
        }
    }

    /// Sends bytes that are no messages, or nearly none, the same in each run. `shapes` begin some of them.
    pub(crate) async fn blast(&self, shapes: &[&[u8]]) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        for round in 0..3000 {
            let shape = shapes[round % shapes.len()];
            let mut datagram = shape[..next() % (shape.len() + 1)].to_vec();
            datagram.extend(std::iter::repeat_with(|| next() as u8).take([0, 3, 40, 1400][round % 4]));
            // Where the other side's buffer is full, it is lost.
            let _ = self.0.send(&datagram).await;
        }
    }
}

async fn serve(more: &[(&str, &str)]) -> (Source, Device) {
    // Answers come with their acknowledgement, however busy the machine is.
    let mut config = Config::from([("lavka.coap.resources", "r"), ("lavka.coap.ack.delay.ms", "60000")]);
    for (key, value) in more {
        config.set(*key, *value);
    }
    let source = Source::serve(config, Duration::ZERO).await;
    let device = Device::of(source.port).await;
    (source, device)
}

const ACK: u8 = 0x61;

#[tokio::test]
async fn an_undecodable_payload_is_kept_refused_or_fatal() {
    let format = ("lavka.payload.format", "json");
    let (kept, device) = serve(&[format]).await;
    assert_eq!(device.post(1, &[], b"{\"a\":").await[..2], [ACK, 0x44]);
    let record = kept.records().remove(0);
    assert_eq!(record.value.value, Value::Bytes(b"{\"a\":".into()));
    let reason = record.headers.last("lavka.payload.error").unwrap().value.clone();
    assert!(reason.as_str().is_some_and(|reason| reason.contains("JSON")), "{reason:?}");

    let (refused, device) = serve(&[format, ("lavka.payload.on.error", "reject")]).await;
    assert_eq!(device.post(1, &[], b"{").await[..2], [ACK, 0x80]);
    assert_eq!(device.post(2, &[], b"{}").await[..2], [ACK, 0x44]);
    assert_eq!((refused.records().len(), refused.failure()), (1, None));

    let soon = ("lavka.coap.ack.delay.ms", "100");
    let (failed, device) = serve(&[format, ("lavka.payload.on.error", "fail"), soon]).await;
    // The answer is to follow, and never says 2.04.
    assert_eq!(device.post(1, &[], b"{").await[..2], [0x60, 0]);
    let text = failed.failure().unwrap();
    assert!(text.contains("/r (1 bytes) is not JSON") && text.contains("lavka.payload.on.error"), "{text}");
}

#[tokio::test]
async fn an_oversized_payload_is_refused_with_the_size_that_is_not() {
    let (source, device) = serve(&[("lavka.coap.max.body.bytes", "64")]).await;
    // 4.13 with Size1 (option 60) of 64.
    let size = [0xd1, 60 - 13, 64];
    let whole = device.post(1, &[], &[0; 65]).await;
    assert_eq!((&whole[..2], &whole[5..]), (&[ACK, 0x8d][..], &size[..]));
    // The fifth block of 16 bytes; Block1 (option 27) is in the answer too.
    for number in 0..4 {
        let answer = device.post(2 + number, &[0xd1, 27 - 11 - 13, number << 4 | 8], &[0; 16]).await;
        assert_eq!(answer[..2], [ACK, 0x5f]);
    }
    let answer = device.post(6, &[0xd1, 27 - 11 - 13, 4 << 4], &[0; 1]).await;
    assert_eq!(answer[..2], [ACK, 0x8d]);
    assert_eq!((source.records().len(), source.count("coap-refused-total")), (0, 2));
    assert_eq!(device.post(7, &[], &[0; 64]).await[..2], [ACK, 0x44]);
}

#[tokio::test]
async fn malicious_packets_do_not_keep_others_from_being_answered() {
    let (source, device) = serve(&[]).await;
    let bad = Device::of(source.port).await;
    bad.blast(&[
        &[0x40, 2, 0, 1, 0xb1, b'r', 0xff, b'x'],
        &[0x48, 2, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0xb1, b'r', 0xd1, 3, 0x0e],
        &[0x4f, 2, 0, 1],
        &[0x40, 1, 0, 1, 0xbb, b'.', b'w', b'e', b'l', b'l', b'-', b'k', b'n', b'o', b'w', b'n', 0x04],
        &[0x40, 2, 0, 1, 0xee, 0xff, 0xff],
        &[],
    ])
    .await;
    assert_eq!(device.post(1, &[], b"21").await[..2], [ACK, 0x44]);
    assert!(source.count("coap-refused-total") > 100);
    assert_eq!(source.failure(), None);
}
