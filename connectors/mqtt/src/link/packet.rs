//! Packets that servers send, from bytes (MQTT 3.1.1 and 5, sections 2 and 3). Pure.

use bytes::{Buf as _, BytesMut};
use lavka_api::data::{Blob, Str};

use super::property::{Said, properties};
use crate::message::Qos;

/// A packet of a server.
#[derive(Debug, PartialEq)]
pub(super) enum Packet {
    ConnAck {
        session_present: bool,
        code: u8,
        said: Said,
    },
    Publish(Publish),
    PubAck {
        id: u16,
        code: u8,
        reason: Option<String>,
    },
    PubRec {
        id: u16,
        code: u8,
        reason: Option<String>,
    },
    PubRel {
        id: u16,
    },
    PubComp {
        id: u16,
    },
    SubAck {
        id: u16,
        codes: Vec<u8>,
    },
    PingResp,
    Disconnect {
        code: u8,
        reason: Option<String>,
    },
    /// Known, and of no interest.
    Other,
}

/// A message.
#[derive(Debug, PartialEq)]
pub(super) struct Publish {
    pub(super) topic: Str,
    pub(super) payload: Blob,
    /// 0 with QoS 0.
    pub(super) id: u16,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) duplicate: bool,
    pub(super) said: Said,
}

/// What is wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The packet has this many bytes, more than we read.
    TooLarge(usize),
    /// It breaks the protocol.
    Malformed(&'static str),
}

const CUT_OFF: Wrong = Wrong::Malformed("a packet is shorter than what is in it");

/// Takes the first packet out of `input`, none where more bytes are needed. Of a version 5 connection with `v5`.
pub(super) fn take(input: &mut BytesMut, v5: bool, largest: usize) -> Result<Option<Packet>, Wrong> {
    let Some((head, length)) = header(input)? else { return Ok(None) };
    let whole = head.saturating_add(length);
    if whole > largest {
        return Err(Wrong::TooLarge(whole));
    }
    if input.len() < whole {
        input.reserve(whole - input.len());
        return Ok(None);
    }
    let first = input.first().copied().unwrap_or_default();
    let packet = match input.get(head..whole) {
        Some(body) => read(first, body, v5)?,
        None => return Ok(None),
    };
    input.advance(whole);
    Ok(Some(packet))
}

/// How long the fixed header is, and how long what follows.
fn header(input: &[u8]) -> Result<Option<(usize, usize)>, Wrong> {
    let mut length = 0usize;
    for at in 0..4 {
        let Some(&byte) = input.get(1 + at) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Ok(Some((2 + at, length)));
        }
    }
    Err(Wrong::Malformed("a packet's length has more than four bytes"))
}

fn read(first: u8, body: &[u8], v5: bool) -> Result<Packet, Wrong> {
    let mut body = Body { rest: body };
    Ok(match first >> 4 {
        2 => {
            let flags = body.u8()?;
            let code = body.u8()?;
            // A server that does not know version 5 answers as 3.1.1 does.
            let said = if v5 && !body.rest.is_empty() { properties(&mut body)? } else { Said::default() };
            Packet::ConnAck { session_present: flags & 1 == 1, code, said }
        }
        3 => Packet::Publish(publish(first, &mut body, v5)?),
        4 => {
            let (id, code, reason) = acknowledgement(&mut body, v5)?;
            Packet::PubAck { id, code, reason }
        }
        5 => {
            let (id, code, reason) = acknowledgement(&mut body, v5)?;
            Packet::PubRec { id, code, reason }
        }
        6 => Packet::PubRel { id: body.u16()? },
        7 => Packet::PubComp { id: body.u16()? },
        9 => {
            let id = body.u16()?;
            if v5 {
                properties(&mut body)?;
            }
            Packet::SubAck { id, codes: body.rest.to_vec() }
        }
        11 | 15 => Packet::Other,
        13 => Packet::PingResp,
        14 if v5 => {
            let code = if body.rest.is_empty() { 0 } else { body.u8()? };
            let said = if body.rest.is_empty() { Said::default() } else { properties(&mut body)? };
            Packet::Disconnect { code, reason: said.reason }
        }
        _ => return Err(Wrong::Malformed("a packet of a kind that servers do not send")),
    })
}

fn publish(first: u8, body: &mut Body<'_>, v5: bool) -> Result<Publish, Wrong> {
    let qos = match (first >> 1) & 3 {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        2 => Qos::ExactlyOnce,
        _ => return Err(Wrong::Malformed("a message with QoS 3")),
    };
    // Servers check topics; should one not, an odd topic is better than a message that can never be taken.
    let topic = String::from_utf8_lossy(body.sized()?);
    let topic = Str::from(topic.as_ref());
    let id = if qos == Qos::AtMostOnce { 0 } else { body.u16()? };
    if id == 0 && qos != Qos::AtMostOnce {
        return Err(Wrong::Malformed("a message with QoS 1 or 2 and the packet id 0"));
    }
    let said = if v5 { properties(body)? } else { Said::default() };
    if said.topic_alias || topic.is_empty() {
        return Err(Wrong::Malformed(
            "a message without a topic, or with a topic alias, which was not allowed",
        ));
    }
    Ok(Publish {
        topic,
        payload: Blob::from(body.rest),
        id,
        qos,
        retain: first & 1 == 1,
        duplicate: first & 8 != 0,
        said,
    })
}

fn acknowledgement(body: &mut Body<'_>, v5: bool) -> Result<(u16, u8, Option<String>), Wrong> {
    let id = body.u16()?;
    let code = if v5 && !body.rest.is_empty() { body.u8()? } else { 0 };
    let said = if v5 && !body.rest.is_empty() { properties(body)? } else { Said::default() };
    Ok((id, code, said.reason))
}

/// What follows the fixed header.
pub(super) struct Body<'a> {
    rest: &'a [u8],
}

impl<'a> Body<'a> {
    pub(super) fn of(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Wrong> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        self.take(N)?.try_into().map_err(|_| CUT_OFF)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Wrong> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Wrong> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Wrong> {
        self.array().map(u32::from_be_bytes)
    }

    /// Two bytes of length, and as many bytes.
    pub(super) fn sized(&mut self) -> Result<&'a [u8], Wrong> {
        let length = self.u16()?;
        self.take(length.into())
    }

    pub(super) fn varint(&mut self) -> Result<u32, Wrong> {
        let mut number = 0u32;
        for at in 0..4 {
            let byte = self.u8()?;
            number |= u32::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Wrong::Malformed("a number has more than four bytes"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(bytes: &[u8], v5: bool) -> Result<Option<Packet>, Wrong> {
        take(&mut BytesMut::from(bytes), v5, 1 << 20)
    }

    #[test]
    fn packets_of_both_versions() {
        let connected = |code| Packet::ConnAck { session_present: true, code, said: Said::default() };
        assert_eq!(one(b"\x20\x02\x01\x00", false), Ok(Some(connected(0))));
        assert_eq!(one(b"\x20\x02\x01\x01", true), Ok(Some(connected(1))));
        let Ok(Some(Packet::ConnAck { said, .. })) = one(b"\x20\x08\x00\x00\x05\x27\x00\x00\x01\x00", true)
        else {
            panic!("no CONNACK")
        };
        assert_eq!(said.max_packet, Some(256));
        let Ok(Some(Packet::Publish(publish))) = one(b"\x3d\x07\x00\x01t\x00\x07\x00x", true) else {
            panic!("no PUBLISH")
        };
        assert_eq!((publish.topic.as_str(), &*publish.payload, publish.id), ("t", &b"x"[..], 7));
        assert!(publish.retain && publish.duplicate && publish.qos == Qos::ExactlyOnce);
        assert_eq!(one(b"\x40\x02\x00\x07", true), Ok(Some(Packet::PubAck { id: 7, code: 0, reason: None })));
        assert_eq!(
            one(b"\x40\x08\x00\x07\x87\x04\x1f\x00\x01n", true),
            Ok(Some(Packet::PubAck { id: 7, code: 0x87, reason: Some("n".into()) }))
        );
        assert_eq!(one(b"\x62\x02\x00\x07", false), Ok(Some(Packet::PubRel { id: 7 })));
        assert_eq!(
            one(b"\x90\x04\x00\x01\x00\x02", true),
            Ok(Some(Packet::SubAck { id: 1, codes: vec![2] }))
        );
        assert_eq!(one(b"\xd0\x00", false), Ok(Some(Packet::PingResp)));
        assert_eq!(one(b"\xe0\x00", true), Ok(Some(Packet::Disconnect { code: 0, reason: None })));
    }

    #[test]
    fn what_is_incomplete_waits_and_what_is_wrong_is_named() {
        for bytes in [&b""[..], b"\x30", b"\x30\x80", b"\x40\x02\x00"] {
            assert_eq!(one(bytes, false), Ok(None), "{bytes:?}");
        }
        assert_eq!(
            take(&mut BytesMut::from(&b"\x30\xff\x7f"[..]), false, 1000),
            Err(Wrong::TooLarge(16_386))
        );
        for bytes in [
            &b"\x30\xff\xff\xff\xff\x01"[..],
            b"\x36\x05\x00\x01t\x00\x01",
            b"\x32\x05\x00\x01t\x00\x00",
            b"\x30\x02\x00\x05",
            b"\x30\x03\x00\x00x",
            b"\x40\x01\x00",
            b"\x10\x00",
            b"\xe0\x00",
        ] {
            assert!(matches!(one(bytes, false), Err(Wrong::Malformed(_))), "{bytes:?}");
        }
        // A topic alias, a property that is not known, a property cut off.
        for bytes in [
            &b"\x30\x07\x00\x01t\x03\x23\x00\x01"[..],
            b"\x30\x05\x00\x01t\x01\x7e",
            b"\x30\x05\x00\x01t\x01\x02",
        ] {
            assert!(matches!(one(bytes, true), Err(Wrong::Malformed(_))), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_read_without_harm(bytes: Vec<u8>, v5: bool) {
            let mut input = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = take(&mut input, v5, 1 << 20) {}
        }

        /// Whole packets of each kind with any bytes inside.
        #[test]
        fn hostile_packets_are_read_without_harm(first: u8, body in prop::collection::vec(any::<u8>(), 0..120), v5: bool) {
            let mut input = BytesMut::from(&[first, body.len() as u8][..]);
            input.extend_from_slice(&body);
            let _ = take(&mut input, v5, 1 << 20);
        }

        /// Packets come out the same however they were cut on their way.
        #[test]
        fn cuts_do_not_matter(sizes in prop::collection::vec(1usize..20, 1..200)) {
            let whole: Vec<u8> = (0..40u8).flat_map(|n| [0x32, 6, 0, 1, b't', 0, n + 1, n]).collect();
            let (mut input, mut rest, mut ids) = (BytesMut::new(), &whole[..], Vec::new());
            for size in sizes {
                let (part, behind) = rest.split_at(size.min(rest.len()));
                input.extend_from_slice(part);
                rest = behind;
                while let Some(packet) = take(&mut input, false, 1000).unwrap() {
                    let Packet::Publish(publish) = packet else { panic!("no PUBLISH") };
                    ids.push(publish.id);
                }
            }
            prop_assert!(ids.iter().copied().eq(1..=ids.len() as u16));
            prop_assert_eq!(ids.len(), (whole.len() - rest.len()) / 8);
        }
    }
}
