//! From requests to records.

use lavka_api::data::{Blob, Datum, Headers, Record, Schema, SourceRecord, Str, Topic, Type};

use crate::request::Request;
use crate::resource::Resource;
use crate::wire::code;

/// Makes records; one per task.
///
/// The key is the path as the device gave it; the value its payload. Headers: `coap.method`, `coap.peer`,
/// `coap.message.id`, `coap.confirmable`, `coap.token` if there is one, `coap.content.format` if it was said, `coap.query`
/// for each part of the query, `coap.path.NAME` for each variable of the resource.
#[derive(Debug)]
pub(crate) struct RecordMaker {
    topics: Vec<Topic>,
    string: Schema,
    bytes: Schema,
    int32: Schema,
    int64: Schema,
    boolean: Schema,
}

impl RecordMaker {
    /// For requests to `resources`; those without a topic of their own go to `topic`.
    pub(crate) fn new(resources: &[Resource], topic: &str) -> Self {
        let default = Topic::from(topic);
        Self {
            topics: resources
                .iter()
                .map(|resource| resource.topic.clone().unwrap_or_else(|| default.clone()))
                .collect(),
            string: Schema::of(Type::String),
            bytes: Schema::of(Type::Bytes),
            int32: Schema::of(Type::Int32),
            int64: Schema::of(Type::Int64),
            boolean: Schema::of(Type::Boolean),
        }
    }

    /// The record of `request`; none for a resource that is not configured, which the responder hands out none of.
    pub(crate) fn record(&self, request: Request) -> Option<SourceRecord> {
        let mut record = Record::for_topic(self.topics.get(request.resource)?.clone());
        record.headers = self.headers(&request);
        record.key = Datum::new(self.string.clone(), request.path);
        record.value = Datum::new(self.bytes.clone(), Blob::from(request.payload));
        record.timestamp = Some(request.received);
        Some(SourceRecord { record, position: None, token: request.ticket })
    }

    fn headers(&self, request: &Request) -> Headers {
        let text = |value: &str| Datum::new(self.string.clone(), value);
        let mut headers = Headers::new();
        headers.reserve(6 + request.query.len() + request.variables.len());
        let method = if request.method == code::PUT { "PUT" } else { "POST" };
        headers.add(Str::from_static("coap.method"), text(method));
        headers.add(Str::from_static("coap.peer"), text(&request.peer.to_string()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;

    fn request(resource: usize) -> Request {
        Request {
            ticket: 9,
            peer: Peer::test(5),
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
        let resources = ["a", "s/{device}=>own"].map(|text| Resource::parse(text).unwrap());
        let maker = RecordMaker::new(&resources, "readings");
        let made = maker.record(request(1)).unwrap();
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
                "coap.message.id=Int32(65535)",
                "coap.confirmable=Boolean(true)",
                "coap.token=Bytes(Blob(2 bytes))",
                "coap.content.format=Int64(60)",
                r#"coap.query=String("a=1")"#,
                r#"coap.query=String("b")"#,
                r#"coap.path.device=String("d1")"#,
            ]
        );
        let plain =
            maker.record(Request { token: vec![], content_format: None, ..request(0) }).unwrap().record;
        assert_eq!(plain.topic.as_str(), "readings");
        assert_eq!(plain.headers.iter().count(), 7);
        assert!(maker.record(request(2)).is_none());
    }
}
