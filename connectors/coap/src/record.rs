//! From requests to records.

use lavka_api::Result;
use lavka_api::data::{Blob, Datum, Headers, Record, Schema, SourceRecord, Str, Topic, Type};

use crate::config::ServerConfig;
use crate::outlet::Recorder;
use crate::payload::Payloads;
use crate::request::Request;
use crate::resource::Resource;
use crate::wire::code;

/// Makes records; one per task.
///
/// The key is the path as the device gave it; the value its payload, decoded if so configured. Headers: `coap.method`,
/// `coap.peer`, `coap.identity` over DTLS, `coap.message.id`, `coap.confirmable`, `coap.token` if there is one,
/// `coap.content.format` if it was said, `coap.query` for each part of the query, `coap.path.NAME` for each variable of the
/// resource.
#[derive(Debug)]
pub(crate) struct RecordMaker {
    topics: Vec<Topic>,
    payloads: Payloads,
    string: Schema,
    bytes: Schema,
    int32: Schema,
    int64: Schema,
    boolean: Schema,
}

impl RecordMaker {
    /// For requests to `resources`.
    pub(crate) fn new(config: &ServerConfig, resources: &[Resource]) -> Self {
        let default = Topic::from(config.kafka_topic.as_str());
        Self {
            topics: resources
                .iter()
                .map(|resource| resource.topic.clone().unwrap_or_else(|| default.clone()))
                .collect(),
            payloads: Payloads::new(&config.payload_format, &config.payload_on_error),
            string: Schema::of(Type::String),
            bytes: Schema::of(Type::Bytes),
            int32: Schema::of(Type::Int32),
            int64: Schema::of(Type::Int64),
            boolean: Schema::of(Type::Boolean),
        }
    }

    fn headers(&self, request: &Request) -> Headers {
        let text = |value: &str| Datum::new(self.string.clone(), value);
        let mut headers = Headers::new();
        headers.reserve(6 + request.query.len() + request.variables.len());
        let method = if request.method == code::PUT { "PUT" } else { "POST" };
        headers.add(Str::from_static("coap.method"), text(method));
        headers.add(Str::from_static("coap.peer"), text(&request.peer.to_string()));
        if let Some(identity) = &request.identity {
            headers.add(Str::from_static("coap.identity"), text(identity));
        }
        headers.add(
            Str::from_static("coap.message.id"),
            Datum::new(self.int32.clone(), i32::from(request.message_id)),
        );
        headers
            .add(Str::from_static("coap.confirmable"), Datum::new(self.boolean.clone(), request.confirmable));
        if !request.token.is_empty() {
            let token = Blob::from(request.token.as_slice());
            headers.add(Str::from_static("coap.token"), Datum::new(self.bytes.clone(), token));
        }
        if let Some(format) = request.content_format {
            let format = Datum::new(self.int64.clone(), i64::from(format));
            headers.add(Str::from_static("coap.content.format"), format);
        }
        for part in &request.query {
            headers.add(Str::from_static("coap.query"), text(part));
        }
        for (name, value) in &request.variables {
            headers.add(format!("coap.path.{name}"), text(value));
        }
        headers
    }
}

impl Recorder<Request> for RecordMaker {
    fn record(&mut self, request: Request) -> Result<Option<SourceRecord>> {
        // The responder hands out no request to a resource that is not configured.
        let Some(topic) = self.topics.get(request.resource) else { return Ok(None) };
        let mut record = Record::for_topic(topic.clone());
        record.headers = self.headers(&request);
        let payload = Blob::from(request.payload);
        let what = || format!("a request to {}", request.path);
        let decoded = self.payloads.decode(
            request.content_format,
            &payload,
            request.received,
            &mut record.headers,
            what,
        )?;
        let Some(value) = decoded else { return Ok(None) };
        record.value = value;
        record.key = Datum::new(self.string.clone(), request.path);
        record.timestamp = Some(request.received);
        Ok(Some(SourceRecord { record, position: None, token: request.ticket }))
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::config::{Config, ConfigSpec};

    use super::*;
    use crate::outlet::make;
    use crate::peer::Peer;

    fn maker(entries: &[(&str, &str)]) -> RecordMaker {
        let resources = ["a", "s/{device}=>own"];
        let mut config = Config::from([("lavka.coap.listen", "127.0.0.1:1"), ("lavka.coap.resources", "a")]);
        for (key, value) in entries {
            config.set(*key, *value);
        }
        let config = ServerConfig::from_config(&config).unwrap();
        RecordMaker::new(&config, &resources.map(|text| Resource::parse(text).unwrap()))
    }

    fn request(resource: usize) -> Request {
        Request {
            ticket: 9,
            peer: Peer::test(5),
            identity: Some("d1".into()),
            method: code::PUT,
            resource,
            path: "/s/d1".into(),
            variables: vec![("device".into(), "d1".into())],
            query: vec!["a=1".into(), "b".into()],
            content_format: Some(60),
            confirmable: true,
            message_id: 65_535,
            token: vec![1, 2],
            received: 77,
            payload: vec![3],
        }
    }

    #[test]
    fn a_record_has_all_of_the_request() {
        let mut maker = maker(&[("kafka.topic", "readings")]);
        let made = make(&mut maker, vec![request(1)]).records.remove(0);
        assert_eq!((made.token, made.position.is_none()), (9, true));
        let record = made.record;
        assert_eq!((record.topic.as_str(), record.timestamp), ("own", Some(77)));
        assert_eq!(format!("{:?}", record.key.value), r#"String("/s/d1")"#);
        let headers: Vec<String> = record
            .headers
            .iter()
            .map(|header| format!("{}={:?}", header.key.as_str(), header.datum.value))
            .collect();
        assert_eq!(
            headers,
            [
                r#"coap.method=String("PUT")"#,
                r#"coap.peer=String("127.0.0.1:5")"#,
                r#"coap.identity=String("d1")"#,
                "coap.message.id=Int32(65535)",
                "coap.confirmable=Boolean(true)",
                "coap.token=Bytes(Blob(2 bytes))",
                "coap.content.format=Int64(60)",
                r#"coap.query=String("a=1")"#,
                r#"coap.query=String("b")"#,
                r#"coap.path.device=String("d1")"#,
            ]
        );
        let plain = Request { token: vec![], content_format: None, identity: None, ..request(0) };
        let plain = make(&mut maker, vec![plain]).records.remove(0).record;
        assert_eq!(plain.topic.as_str(), "readings");
        assert_eq!(plain.headers.iter().count(), 7);
    }

    #[test]
    fn payloads_by_content_format() {
        let mut maker = maker(&[("lavka.payload.format", "auto")]);
        let mut value = |content_format, payload: &[u8]| {
            let request = Request { content_format, payload: payload.to_vec(), ..request(0) };
            make(&mut maker, vec![request]).records.remove(0).record.value
        };
        assert_eq!(value(Some(60), &[0x15]), Datum::schemaless(21i64));
        assert_eq!(value(Some(50), b"21"), Datum::schemaless(21i64));
        assert_eq!(value(Some(0), b"21").value, "21".into());
        assert_eq!(value(Some(42), b"21").value, Blob::from(b"21").into());
        assert_eq!(value(None, b"21").value, Blob::from(b"21").into());
    }

    #[test]
    fn what_cannot_be_decoded() {
        let requests = || vec![request(0), Request { ticket: 10, payload: b"{}".to_vec(), ..request(0) }];
        let made = |on_error| {
            let format = ("lavka.payload.format", "json");
            make(&mut maker(&[format, ("lavka.payload.on.error", on_error)]), requests())
        };
        let kept = made("bytes");
        assert_eq!((kept.records.len(), kept.refused.len(), kept.failure.is_none()), (2, 0, true));
        let first = &kept.records[0].record;
        assert_eq!(first.value.value, Blob::from(&[3]).into());
        assert!(first.headers.last("lavka.payload.error").is_some());
        let rejected = made("reject");
        assert_eq!(
            (rejected.records.len(), rejected.refused, rejected.failure.is_none()),
            (1, vec![9], true)
        );
        let failed = made("fail");
        assert_eq!((failed.records.len(), failed.refused.len()), (0, 0));
        let text = failed.failure.unwrap().to_string();
        assert!(text.contains("/s/d1") && text.contains("is not JSON"), "{text}");
    }
}
