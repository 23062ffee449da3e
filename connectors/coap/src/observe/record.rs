//! From readings to records.

use lavka_api::data::{
    Blob, Datum, Headers, OffsetMap, Record, Schema, SourcePosition, SourceRecord, Str, Topic, Type,
};
use lavka_api::{Result, hex};

use super::address::ServerName;
use super::reading::Reading;
use crate::outlet::Recorder;
use crate::payload::Payloads;
use crate::wire::{self, option};

/// Makes records; one per task.
///
/// The key is the resource's URI; the value its representation, decoded if so configured. Headers: `coap.server`,
/// `coap.path`, `coap.peer`, `coap.notification`, `coap.message.id`, `coap.confirmable`, and where the server says so
/// `coap.observe`, `coap.content.format`, `coap.etag` and `coap.max.age`; `coap.path.NAME` for each variable.
#[derive(Debug)]
pub(crate) struct RecordMaker {
    servers: Vec<String>,
    /// Of each wish.
    topics: Vec<Topic>,
    payloads: Payloads,
    string: Schema,
    bytes: Schema,
    int32: Schema,
    int64: Schema,
    boolean: Schema,
}

/// Where a reading comes from.
pub(crate) fn position(server: &str, reading: &Reading) -> SourcePosition {
    SourcePosition {
        partition: partition(server, &reading.resource),
        offset: offset(reading.etag.as_deref()),
    }
}

const SERVER: &str = "server";
const RESOURCE: &str = "resource";
const ETAG: &str = "etag";

/// The source partition of a resource.
pub(crate) fn partition(server: &str, resource: &str) -> OffsetMap {
    OffsetMap::new([(SERVER, server), (RESOURCE, resource)])
}

/// The offset behind a representation: its ETag in hexadecimal digits, empty where it had none.
fn offset(etag: Option<&[u8]>) -> OffsetMap {
    OffsetMap::new([(ETAG, hex::encode(etag.unwrap_or_default()))])
}

/// The ETag of an offset.
pub(crate) fn etag(offset: &OffsetMap) -> Option<Vec<u8>> {
    hex::decode(offset.get(ETAG)?.as_str()?).filter(|etag| !etag.is_empty())
}

impl RecordMaker {
    /// For readings of `servers`; `topics` are those of the wishes.
    pub(crate) fn new(servers: &[ServerName], topics: Vec<Topic>, payloads: Payloads) -> Self {
        Self {
            servers: servers.iter().map(ServerName::to_string).collect(),
            topics,
            payloads,
            string: Schema::of(Type::String),
            bytes: Schema::of(Type::Bytes),
            int32: Schema::of(Type::Int32),
            int64: Schema::of(Type::Int64),
            boolean: Schema::of(Type::Boolean),
        }
    }

    fn headers(&self, server: &str, reading: &Reading) -> Headers {
        let text = |value: &str| Datum::new(self.string.clone(), value);
        let flag = |value: bool| Datum::new(self.boolean.clone(), value);
        let long = |value: u32| Datum::new(self.int64.clone(), i64::from(value));
        let packet = &*reading.packet;
        let mut headers = Headers::new();
        headers.reserve(10 + reading.variables.len());
        headers.add(Str::from_static("coap.server"), text(server));
        headers.add(Str::from_static("coap.path"), text(&reading.resource));
        headers.add(Str::from_static("coap.peer"), text(&reading.peer.to_string()));
        headers.add(Str::from_static("coap.notification"), flag(reading.notification));
        let id = Datum::new(self.int32.clone(), i32::from(packet.header.message_id));
        headers.add(Str::from_static("coap.message.id"), id);
        let confirmable = packet.header.get_type() == coap_lite::MessageType::Confirmable;
        headers.add(Str::from_static("coap.confirmable"), flag(confirmable));
        for (name, number) in [
            ("coap.observe", option::OBSERVE),
            ("coap.content.format", option::CONTENT_FORMAT),
            ("coap.max.age", option::MAX_AGE),
        ] {
            if let Some(value) = wire::first(packet, number).and_then(wire::uint) {
                headers.add(Str::from_static(name), long(value));
            }
        }
        if let Some(etag) = &reading.etag {
            let etag = Blob::from(etag.as_slice());
            headers.add(Str::from_static("coap.etag"), Datum::new(self.bytes.clone(), etag));
        }
        for (name, value) in &reading.variables {
            headers.add(format!("coap.path.{name}"), text(value));
        }
        headers
    }
}

impl Recorder<Reading> for RecordMaker {
    fn record(&mut self, mut reading: Reading) -> Result<Option<SourceRecord>> {
        // The watcher hands out no reading of a server or for a wish that is not configured.
        let (Some(server), Some(topic)) = (self.servers.get(reading.server), self.topics.get(reading.wish))
        else {
            return Ok(None);
        };
        let uri = format!("{server}{}", reading.resource);
        let mut record = Record::for_topic(topic.clone());
        record.headers = self.headers(server, &reading);
        let payload = Blob::from(std::mem::take(&mut reading.packet.payload));
        let content_format = wire::first(&reading.packet, option::CONTENT_FORMAT).and_then(wire::uint);
        let decoded =
            self.payloads
                .decode(content_format, &payload, reading.received, &mut record.headers, || uri.clone())?;
        let Some(value) = decoded else { return Ok(None) };
        let position = position(server, &reading);
        record.value = value;
        record.key = Datum::new(self.string.clone(), uri);
        record.timestamp = Some(reading.received);
        Ok(Some(SourceRecord { record, position: Some(position), token: reading.ticket }))
    }
}

#[cfg(test)]
mod tests {
    use coap_lite::MessageType;

    use super::*;
    use crate::outlet::make;
    use crate::peer::Peer;
    use crate::wire::{Draft, code, read};

    fn reading(etag: Option<Vec<u8>>) -> Reading {
        let draft = Draft::new(MessageType::Confirmable, code::CONTENT, 7, &[1])
            .number(option::OBSERVE, 5)
            .number(option::CONTENT_FORMAT, 50)
            .number(option::MAX_AGE, 30)
            .payload(b"{\"a\":1}".to_vec());
        Reading {
            ticket: 3,
            server: 0,
            wish: 0,
            resource: "/s/d1?x=1".into(),
            variables: vec![("device".into(), "d1".into())],
            peer: Peer::test(5),
            notification: true,
            received: 77,
            etag,
            packet: Box::new(read(&draft.datagram()).unwrap()),
        }
    }

    #[test]
    fn a_record_has_all_of_the_reading() {
        let servers = [ServerName::parse("coap://a").unwrap()];
        let mut maker = RecordMaker::new(&servers, vec!["t".into()], Payloads::new("auto", "fail"));
        let mut bad = reading(None);
        bad.packet.payload = b"{".to_vec();
        let mut made = make(&mut maker, vec![reading(Some(vec![0xab, 1])), reading(None), bad]);
        assert!(made.failure.take().unwrap().to_string().contains("coap://a:5683/s/d1?x=1"));
        let positions: Vec<_> = made.records.iter().map(|made| made.position.clone().unwrap()).collect();
        assert!(positions.iter().all(|at| at.partition == partition("coap://a:5683", "/s/d1?x=1")));
        assert_eq!(etag(&positions[0].offset), Some(vec![0xab, 1]));
        assert_eq!(etag(&positions[1].offset), None);
        let record = made.records.remove(0).record;
        assert_eq!(format!("{:?}", record.key.value), r#"String("coap://a:5683/s/d1?x=1")"#);
        assert_eq!((record.topic.as_str(), record.timestamp), ("t", Some(77)));
        let names: Vec<&str> = record.headers.iter().map(|header| header.key.as_str()).collect();
        assert_eq!(
            names,
            [
                "coap.server",
                "coap.path",
                "coap.peer",
                "coap.notification",
                "coap.message.id",
                "coap.confirmable",
                "coap.observe",
                "coap.content.format",
                "coap.max.age",
                "coap.etag",
                "coap.path.device"
            ]
        );
    }

    #[test]
    fn offsets_set_by_hand_do_no_harm() {
        for text in ["", "a", "zz", "ä"] {
            assert_eq!(etag(&OffsetMap::new([(ETAG, text)])), None, "{text}");
        }
        assert_eq!(etag(&OffsetMap::new([("other", "00")])), None);
    }
}
