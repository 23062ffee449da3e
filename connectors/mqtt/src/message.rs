//! A message as it came from the server, whichever protocol version.

use lavka_api::data::{Blob, Str};

/// Quality of service.
#[expect(clippy::enum_variant_names, reason = "the names of the specification")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Qos {
    /// 0: no acknowledgement.
    AtMostOnce,
    /// 1: `PUBACK`.
    AtLeastOnce,
    /// 2: `PUBREC`, `PUBREL`, `PUBCOMP`.
    ExactlyOnce,
}

impl Qos {
    /// From its number, which validation has checked; anything above counts as 2.
    pub(crate) fn from_number(number: i32) -> Self {
        match number {
            i32::MIN..=0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            2.. => Qos::ExactlyOnce,
        }
    }

    /// Its number.
    pub(crate) fn number(self) -> i32 {
        self as i32
    }
}

/// A message. Topic and payload are its own: the client's buffers, of which they were slices, are not kept alive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: Str,
    pub(crate) payload: Blob,
    /// 0 for QoS 0.
    pub(crate) packet_id: u16,
    pub(crate) qos: Qos,
    pub(crate) retained: bool,
    pub(crate) duplicate: bool,
    /// When it arrived, in epoch milliseconds.
    pub(crate) received: i64,
    /// What MQTT 5 says beyond that; absent with 3.1.1 and where nobody wants it.
    pub(crate) properties: Option<Box<Properties>>,
}

/// Properties of an MQTT 5 `PUBLISH` (§3.3.2.3) that mean something to whoever reads the record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Properties {
    pub(crate) content_type: Option<String>,
    pub(crate) response_topic: Option<String>,
    pub(crate) correlation_data: Option<Blob>,
    /// Seconds left when the server sent it.
    pub(crate) message_expiry: Option<u32>,
    /// 1: the payload is UTF-8.
    pub(crate) payload_format: Option<u8>,
    pub(crate) user: Vec<(String, String)>,
}

/// Bytes of the largest packet that MQTT knows: what its length can say, and the fixed header (§2.1.4 of version 5).
pub(crate) const LARGEST_PACKET: usize = 268_435_455 + 5;

/// A message of our own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Publication {
    pub(crate) topic: Str,
    pub(crate) payload: Blob,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// With MQTT 5.
    pub(crate) properties: Option<Box<Properties>>,
}

impl Publication {
    /// Bytes of its packet at most: fixed header, topic, packet id, properties with their identifiers and lengths,
    /// payload.
    pub(crate) fn packet_size(&self) -> usize {
        let properties = self.properties.as_deref().map_or(0, |properties| {
            let text = |text: &Option<String>| text.as_ref().map_or(0, |text| 3 + text.len());
            let user = |(name, value): &(String, String)| 5 + name.len() + value.len();
            text(&properties.content_type)
                + text(&properties.response_topic)
                + properties.correlation_data.as_ref().map_or(0, |data| 3 + data.len())
                + 5
                + 2
                + properties.user.iter().map(user).sum::<usize>()
        });
        5 + 2 + self.topic.len() + 2 + 4 + properties + self.payload.len()
    }
}

impl Message {
    /// Bytes it takes in memory, roughly.
    pub(crate) fn size(&self) -> usize {
        let properties = self.properties.as_deref().map_or(0, |properties| {
            let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            size_of::<Properties>()
                + text(&properties.content_type)
                + text(&properties.response_topic)
                + properties.correlation_data.as_ref().map_or(0, |data| data.len())
                + properties
                    .user
                    .iter()
                    .map(|(k, v)| size_of::<(String, String)>() + k.len() + v.len())
                    .sum::<usize>()
        });
        size_of::<Self>() + self.topic.len() + self.payload.len() + properties
    }
}
