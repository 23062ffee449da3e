//! From readings to the records of Lenses' CoAP source.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coap_lite::{MessageType, Packet};
use lavka_api::data::{Datum, Record, Schema, SourcePosition, SourceRecord, Str, Struct, Topic, Type, Value};
use lavka_api::{Result, hex};

use crate::observe::{Reading, ServerName, position};
use crate::outlet::Recorder;
use crate::wire::{self, Block, option};

/// Options that only these records show.
const LOCATION_PATH: u16 = 8;
const LOCATION_QUERY: u16 = 20;

/// Makes records; one per task.
#[derive(Debug)]
pub(crate) struct LensesRecords {
    servers: Vec<String>,
    topics: Vec<Topic>,
    key: Schema,
    value: Schema,
    string: Schema,
}

impl LensesRecords {
    /// For readings of `servers`; `topics` are those of the statements.
    ///
    /// # Errors
    /// Never: the schemas are fixed.
    pub(crate) fn boxed(servers: &[ServerName], topics: Vec<Topic>) -> Result<Box<dyn Recorder<Reading>>> {
        let optional = Schema::optional;
        let key = Schema::structure()
            .version(1)
            .field("source", optional(Type::String))
            .field("source_resource", optional(Type::String))
            .field("message_id", optional(Type::Int32))
            .build()?;
        let mut value = Schema::structure().version(1);
        for (name, ty) in FIELDS {
            value = match *name {
                "etags" => value.field(*name, Schema::array(optional(Type::String))),
                _ => value.field(*name, optional(*ty)),
            };
        }
        Ok(Box::new(Self {
            servers: servers.iter().map(ServerName::to_string).collect(),
            topics,
            key,
            value: value.build()?,
            string: Schema::of(Type::String),
        }))
    }

    fn value(&self, reading: &Reading, text: Value) -> Result<Struct> {
        let packet = &*reading.packet;
        let (code, kind) = (wire::code_of(packet), packet.header.get_type());
        let text_of = |number: u16, between: &str| -> Value {
            let parts: Vec<_> = wire::all(packet, number).map(String::from_utf8_lossy).collect();
            parts.join(between).into()
        };
        let number = |number: u16| wire::first(packet, number).and_then(wire::uint);
        let int =
            |of: u16| number(of).and_then(|value| i32::try_from(value).ok()).map_or(Value::Null, Value::from);
        let optional_text = |of: u16| number(of).map_or(Value::Null, |value| value.to_string().into());
        let etags: Vec<Value> = wire::all(packet, option::ETAG).map(etag_text).collect();
        // What an absent number is to Lenses' CoAP library.
        let or_minus_one = |value: Value| if value.is_null() { Value::from(-1i32) } else { value };
        let values = vec![
            reading.received.into(),
            i32::from(packet.header.message_id).into(),
            kind_name(kind).into(),
            format!("{}.{:02}", code >> 5, code & 0x1f).into(),
            i32::from(code).into(),
            Value::Null,
            true.into(),
            wire::first(packet, option::OBSERVE).is_some().into(),
            reading.peer.to_string().into(),
            // Of what came in, that library knows no destination.
            "".into(),
            reading.received.into(),
            hex::encode(packet.get_token()).into(),
            false.into(),
            (kind == MessageType::Confirmable).into(),
            false.into(),
            false.into(),
            false.into(),
            or_minus_one(int(option::ACCEPT)),
            block(packet, option::BLOCK1),
            block(packet, option::BLOCK2),
            or_minus_one(int(option::CONTENT_FORMAT)),
            Value::from(etags),
            text_of(LOCATION_PATH, "/"),
            text_of(LOCATION_QUERY, "&"),
            i64::from(number(option::MAX_AGE).unwrap_or(60)).into(),
            int(option::OBSERVE),
            wire::first(packet, option::PROXY_URI)
                .map_or(Value::Null, |uri| String::from_utf8_lossy(uri).into_owned().into()),
            optional_text(option::SIZE1),
            optional_text(option::SIZE2),
            // Of these a response has none; where a server sends one nevertheless, it is written.
            none_if_empty(text_of(option::URI_HOST, "")),
            int(option::URI_PORT),
            text_of(option::URI_PATH, "/"),
            text_of(option::URI_QUERY, "&"),
            text,
        ];
        Struct::new(self.value.clone(), values)
    }
}

/// The fields of a value, in order.
const FIELDS: &[(&str, Type)] = &[
    ("ingest_time", Type::Int64),
    ("message_id", Type::Int32),
    ("type", Type::String),
    ("code", Type::String),
    ("raw_code", Type::Int32),
    ("rtt", Type::Int64),
    ("is_last", Type::Boolean),
    ("is_notification", Type::Boolean),
    ("source", Type::String),
    ("destination", Type::String),
    ("timestamp", Type::Int64),
    ("token", Type::String),
    ("is_duplicate", Type::Boolean),
    ("is_confirmable", Type::Boolean),
    ("is_rejected", Type::Boolean),
    ("is_acknowledged", Type::Boolean),
    ("is_canceled", Type::Boolean),
    ("accept", Type::Int32),
    ("block1", Type::String),
    ("block2", Type::String),
    ("content_format", Type::Int32),
    ("etags", Type::Array),
    ("location_path", Type::String),
    ("location_query", Type::String),
    ("max_age", Type::Int64),
    ("observe", Type::Int32),
    ("proxy_uri", Type::String),
    ("size_1", Type::String),
    ("size_2", Type::String),
    ("uri_host", Type::String),
    ("uri_port", Type::Int32),
    ("uri_path", Type::String),
    ("uri_query", Type::String),
    ("payload", Type::String),
];

impl Recorder<Reading> for LensesRecords {
    fn record(&mut self, mut reading: Reading) -> Result<Option<SourceRecord>> {
        let (Some(server), Some(topic)) = (self.servers.get(reading.server), self.topics.get(reading.wish))
        else {
            return Ok(None);
        };
        let mut record = Record::for_topic(topic.clone());
        let payload = std::mem::take(&mut reading.packet.payload);
        let text: Value = match String::from_utf8(payload) {
            Ok(text) => text.into(),
            Err(binary) => {
                let encoding = Datum::new(self.string.clone(), "base64");
                record.headers.add(Str::from_static("coap.payload.encoding"), encoding);
                STANDARD.encode(binary.as_bytes()).into()
            }
        };
        let value = self.value(&reading, text)?;
        let key = vec![
            reading.peer.to_string().into(),
            reading.resource.trim_start_matches('/').into(),
            i32::from(reading.packet.header.message_id).into(),
        ];
        record.key = Datum::new(self.key.clone(), Struct::new(self.key.clone(), key)?);
        record.value = Datum::new(self.value.clone(), value);
        record.timestamp = Some(reading.received);
        let position: SourcePosition = position(server, &reading);
        Ok(Some(SourceRecord { record, position: Some(position), token: reading.ticket }))
    }
}

fn none_if_empty(text: Value) -> Value {
    match text.as_str() {
        Some("") => Value::Null,
        _ => text,
    }
}

fn kind_name(kind: MessageType) -> &'static str {
    match kind {
        MessageType::Confirmable => "CON",
        MessageType::NonConfirmable => "NON",
        MessageType::Acknowledgement => "ACK",
        MessageType::Reset => "RST",
    }
}

/// An ETag as the text that it is; in hexadecimal digits where it is none, of which Lenses' has no more than marks.
fn etag_text(etag: &[u8]) -> Value {
    match std::str::from_utf8(etag) {
        Ok(text) => text.into(),
        Err(_) => hex::encode(etag).into(),
    }
}

/// A block option as Lenses' CoAP library prints it; nothing where there is none.
fn block(packet: &Packet, number: u16) -> Value {
    match wire::first(packet, number).and_then(Block::parse) {
        None => "".into(),
        Some(block) => {
            let (exponent, size, more, number) =
                (block.size_exponent, block.size(), block.more, block.number);
            format!("(szx={exponent}/{size}, m={more}, num={number})").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;
    use crate::wire::{Draft, code, read};

    fn made(payload: &[u8]) -> Record {
        let draft = Draft::new(MessageType::Confirmable, code::CONTENT, 7, &[0xab])
            .number(option::OBSERVE, 5)
            .number(option::CONTENT_FORMAT, 60)
            .bytes(option::ETAG, b"a1")
            .bytes(option::ETAG, &[0xff])
            .payload(payload.to_vec());
        let reading = Reading {
            ticket: 3,
            server: 0,
            wish: 0,
            resource: "/a/b".into(),
            variables: vec![],
            peer: Peer::test(5),
            notification: true,
            received: 77,
            etag: Some(vec![1]),
            packet: Box::new(read(&draft.datagram()).unwrap()),
        };
        let servers = [ServerName::parse("coap://a").unwrap()];
        let mut maker = LensesRecords::boxed(&servers, vec!["t".into()]).unwrap();
        maker.record(reading).unwrap().unwrap().record
    }

    fn field(datum: &Datum, name: &str) -> Value {
        let Value::Struct(fields) = &datum.value else { panic!("{datum:?}") };
        fields.get(name).unwrap().clone()
    }

    #[test]
    fn keys_and_values_are_those_of_lenses() {
        let record = made(b"21.5");
        for (name, value) in [
            ("source", Value::from("127.0.0.1:5")),
            ("source_resource", "a/b".into()),
            ("message_id", 7.into()),
        ] {
            assert_eq!(field(&record.key, name), value);
        }
        for (name, value) in [
            ("ingest_time", Value::from(77i64)),
            ("type", "CON".into()),
            ("code", "2.05".into()),
            ("raw_code", 69.into()),
            ("is_notification", true.into()),
            ("token", "ab".into()),
            ("content_format", 60.into()),
            ("etags", Value::from(vec!["a1".into(), "ff".into()])),
            ("accept", (-1).into()),
            ("destination", "".into()),
            ("uri_host", Value::Null),
            ("proxy_uri", Value::Null),
            ("max_age", 60i64.into()),
            ("observe", 5.into()),
            ("uri_path", "".into()),
            ("block2", "".into()),
            ("payload", "21.5".into()),
        ] {
            assert_eq!(field(&record.value, name), value, "{name}");
        }
        let schema = record.value.schema.unwrap();
        assert_eq!((schema.version(), schema.fields().len()), (Some(1), 34));
        assert!(!schema.field("etags").unwrap().schema().is_optional());
        assert!(schema.field("payload").unwrap().schema().is_optional());
    }

    #[test]
    fn a_payload_that_is_no_text_is_kept() {
        let record = made(&[0xff, 0, 1]);
        assert_eq!(field(&record.value, "payload"), "/wAB".into());
        assert_eq!(record.headers.last("coap.payload.encoding").unwrap().value, "base64".into());
    }
}
