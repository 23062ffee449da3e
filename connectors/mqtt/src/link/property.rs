//! Properties of MQTT 5 (section 2.2.2). Pure.

use bytes::{BufMut as _, BytesMut};
use lavka_api::data::Blob;

use super::packet::{Body, Wrong};
use crate::message::Properties;

/// What properties of a server's packet say, of those that matter here.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) session_expiry: Option<u32>,
    pub(super) keep_alive: Option<u16>,
    pub(super) receive_maximum: Option<u16>,
    pub(super) max_packet: Option<u32>,
    pub(super) reason: Option<String>,
    /// Whether there is an alias in place of the topic.
    pub(super) topic_alias: bool,
    /// Of a message.
    pub(super) message: Option<Box<Properties>>,
}

/// Reads the properties of a packet, with their length before them.
pub(super) fn properties(body: &mut Body<'_>) -> Result<Said, Wrong> {
    let mut said = Said::default();
    let length = usize::try_from(body.varint()?).unwrap_or(usize::MAX);
    let mut rest = Body::of(body.take(length)?);
    while !rest.is_empty() {
        match rest.varint()? {
            0x01 => message(&mut said).payload_format = Some(rest.u8()?),
            0x02 => message(&mut said).message_expiry = Some(rest.u32()?),
            0x03 => message(&mut said).content_type = Some(text(&mut rest)?),
            0x08 => message(&mut said).response_topic = Some(text(&mut rest)?),
            0x09 => message(&mut said).correlation_data = Some(Blob::from(rest.sized()?)),
            // Subscription identifiers: we ask for none.
            0x0b => drop(rest.varint()?),
            0x11 => said.session_expiry = Some(rest.u32()?),
            0x13 => said.keep_alive = Some(rest.u16()?),
            0x1f => said.reason = Some(text(&mut rest)?),
            0x21 => said.receive_maximum = Some(rest.u16()?),
            0x23 => {
                rest.u16()?;
                said.topic_alias = true;
            }
            0x26 => {
                let pair = (text(&mut rest)?, text(&mut rest)?);
                message(&mut said).user.push(pair);
            }
            0x27 => said.max_packet = Some(rest.u32()?),
            // Whether requests are answered with problems, highest QoS, what the server has.
            0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => drop(rest.u8()?),
            // Highest topic alias.
            0x22 => drop(rest.u16()?),
            0x18 => drop(rest.u32()?),
            // Client id, authentication, response information, server reference.
            0x12 | 0x15 | 0x16 | 0x1a | 0x1c => drop(rest.sized()?),
            _ => return Err(Wrong::Malformed("a property that is not known")),
        }
    }
    Ok(said)
}

fn message(said: &mut Said) -> &mut Properties {
    said.message.get_or_insert_default()
}

fn text(rest: &mut Body<'_>) -> Result<String, Wrong> {
    let text = str::from_utf8(rest.sized()?).map_err(|_| Wrong::Malformed("a text is not UTF-8"))?;
    Ok(text.to_owned())
}

/// Writes the properties of a message of ours, without their length.
pub(super) fn write(properties: &Properties, out: &mut BytesMut) {
    if let Some(format) = properties.payload_format {
        out.put_slice(&[0x01, format]);
    }
    if let Some(seconds) = properties.message_expiry {
        out.put_u8(0x02);
        out.put_u32(seconds);
    }
    if let Some(content_type) = &properties.content_type {
        out.put_u8(0x03);
        sized(content_type.as_bytes(), out);
    }
    if let Some(topic) = &properties.response_topic {
        out.put_u8(0x08);
        sized(topic.as_bytes(), out);
    }
    if let Some(data) = &properties.correlation_data {
        out.put_u8(0x09);
        sized(data, out);
    }
    for (name, value) in &properties.user {
        out.put_u8(0x26);
        sized(name.as_bytes(), out);
        sized(value.as_bytes(), out);
    }
}

/// Two bytes of length, and the bytes. What is longer than MQTT allows was refused before; here it is cut.
pub(super) fn sized(bytes: &[u8], out: &mut BytesMut) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(bytes.get(..length.into()).unwrap_or_default());
}
