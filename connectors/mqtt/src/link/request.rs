//! Packets of ours, to bytes (MQTT 3.1.1 and 5, sections 2 and 3). Pure.

use bytes::{BufMut as _, BytesMut};

use super::property::{self, sized};
use crate::message::{Publication, Qos};
use crate::settings::Settings;
use crate::window::Ack;

/// `CONNECT`.
pub(super) fn connect(settings: &Settings, out: &mut BytesMut) {
    let mut body = BytesMut::new();
    sized(b"MQTT", &mut body);
    body.put_u8(if settings.v5.is_some() { 5 } else { 4 });
    let credentials = if settings.credentials.is_some() { 0xc0 } else { 0 };
    body.put_u8(credentials | (u8::from(settings.clean_session) << 1));
    body.put_u16(u16::try_from(settings.keep_alive.as_secs()).unwrap_or(u16::MAX));
    if let Some(v5) = settings.v5 {
        let mut properties = BytesMut::new();
        properties.put_u8(0x11);
        properties.put_u32(v5.session_expiry);
        properties.put_u8(0x21);
        properties.put_u16(v5.receive_maximum);
        properties.put_u8(0x27);
        properties.put_u32(settings.max_packet);
        varint(properties.len(), &mut body);
        body.put_slice(&properties);
    }
    sized(settings.client_id.as_bytes(), &mut body);
    if let Some((user, password)) = &settings.credentials {
        sized(user.as_bytes(), &mut body);
        sized(password.reveal().as_bytes(), &mut body);
    }
    packet(0x10, &body, out);
}

/// `SUBSCRIBE` to the filters of `settings`.
pub(super) fn subscribe(settings: &Settings, id: u16, out: &mut BytesMut) {
    let mut body = BytesMut::new();
    body.put_u16(id);
    if settings.v5.is_some() {
        body.put_u8(0);
    }
    for filter in &settings.filters {
        sized(filter.as_bytes(), &mut body);
        // A subscription that the session already has brings its retained messages no second time.
        let retain_handling = if settings.v5.is_some() && !settings.clean_session { 0x10 } else { 0 };
        body.put_u8(number(settings.qos) | retain_handling);
    }
    packet(0x82, &body, out);
}

/// `PUBLISH`; `id` is 0 with QoS 0.
pub(super) fn publish(publication: &Publication, id: u16, v5: bool, out: &mut BytesMut) {
    let mut head = BytesMut::new();
    sized(publication.topic.as_bytes(), &mut head);
    if publication.qos != Qos::AtMostOnce {
        head.put_u16(id);
    }
    if v5 {
        let mut properties = BytesMut::new();
        if let Some(said) = publication.properties.as_deref() {
            property::write(said, &mut properties);
        }
        varint(properties.len(), &mut head);
        head.put_slice(&properties);
    }
    out.put_u8(0x30 | (number(publication.qos) << 1) | u8::from(publication.retain));
    varint(head.len() + publication.payload.len(), out);
    out.put_slice(&head);
    out.put_slice(&publication.payload);
}

/// `PUBACK` or `PUBREC`.
pub(super) fn acknowledge(ack: Ack, out: &mut BytesMut) {
    short(if ack.exactly_once { 0x50 } else { 0x40 }, ack.packet_id, out);
}

/// `PUBREL`.
pub(super) fn release(id: u16, out: &mut BytesMut) {
    short(0x62, id, out);
}

/// `PUBCOMP`.
pub(super) fn complete(id: u16, out: &mut BytesMut) {
    short(0x70, id, out);
}

/// `PINGREQ`.
pub(super) fn ping(out: &mut BytesMut) {
    out.put_slice(&[0xc0, 0]);
}

/// `DISCONNECT`.
pub(super) fn disconnect(out: &mut BytesMut) {
    out.put_slice(&[0xe0, 0]);
}

fn short(first: u8, id: u16, out: &mut BytesMut) {
    let [high, low] = id.to_be_bytes();
    out.put_slice(&[first, 2, high, low]);
}

fn packet(first: u8, body: &[u8], out: &mut BytesMut) {
    out.put_u8(first);
    varint(body.len(), out);
    out.put_slice(body);
}

/// A length. What is longer than MQTT can say was refused before.
fn varint(mut number: usize, out: &mut BytesMut) {
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return out.put_u8(byte);
        }
        out.put_u8(byte | 0x80);
    }
}

fn number(qos: Qos) -> u8 {
    match qos {
        Qos::AtMostOnce => 0,
        Qos::AtLeastOnce => 1,
        Qos::ExactlyOnce => 2,
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::super::packet::{Packet, take};
    use super::*;
    use crate::message::Properties;

    fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
        let mut out = BytesMut::new();
        write(&mut out);
        out.to_vec()
    }

    #[test]
    fn small_packets() {
        assert_eq!(
            written(|out| acknowledge(Ack { packet_id: 258, exactly_once: false }, out)),
            [0x40, 2, 1, 2]
        );
        assert_eq!(
            written(|out| acknowledge(Ack { packet_id: 1, exactly_once: true }, out)),
            [0x50, 2, 0, 1]
        );
        assert_eq!(written(|out| release(7, out)), [0x62, 2, 0, 7]);
        assert_eq!(written(|out| complete(7, out)), [0x70, 2, 0, 7]);
        assert_eq!(written(ping), [0xc0, 0]);
        assert_eq!(written(disconnect), [0xe0, 0]);
    }

    proptest! {
        /// What is published reads back as it was, and is no larger than was said.
        #[test]
        fn messages_survive(
            topic in "[a-z/]{1,40}",
            payload in prop::collection::vec(any::<u8>(), 0..400),
            qos in 0i32..3,
            retain: bool,
            v5: bool,
            user in prop::collection::vec(("[a-z]{0,9}", "[a-zß]{0,9}"), 0..4),
            expiry: Option<u32>,
        ) {
            let properties = Properties { user, message_expiry: expiry, ..Properties::default() };
            let properties = (v5 && properties != Properties::default()).then(|| Box::new(properties));
            let publication = Publication {
                topic: topic.as_str().into(),
                payload: payload.as_slice().into(),
                qos: Qos::from_number(qos),
                retain,
                properties,
            };
            let mut out = BytesMut::new();
            publish(&publication, 7, v5, &mut out);
            prop_assert!(out.len() <= publication.packet_size());
            let Some(Packet::Publish(read)) = take(&mut out, v5, 1 << 20).unwrap() else { panic!("no PUBLISH") };
            prop_assert!(out.is_empty());
            prop_assert_eq!((read.topic, read.payload, read.qos, read.retain), (publication.topic, publication.payload, publication.qos, retain));
            prop_assert_eq!(read.id, if qos == 0 { 0 } else { 7 });
            prop_assert_eq!(read.said.message, publication.properties);
        }
    }
}
