use lavka_api::config::{Config, ConfigSpec};
use lavka_api::data::{Blob, Object, Value};

use super::*;
use crate::inbox::Limits;
use crate::message::Qos;

fn maker(entries: &[(&str, &str)]) -> RecordMaker {
    let mut config =
        Config::from([("mqtt.server.uri", "tcp://h"), ("mqtt.topics", "#"), ("kafka.topic", "k")]);
    for (key, value) in entries {
        config.set(*key, *value);
    }
    let id = TaskId { connector: "c".into(), task: 0 };
    RecordMaker::new(&MqttConfig::from_config(&config).unwrap(), id)
}

fn message(payload: &str) -> Message {
    Message {
        topic: "sensors/1".into(),
        payload: payload.as_bytes().into(),
        packet_id: 7,
        qos: Qos::AtLeastOnce,
        retained: true,
        duplicate: false,
        received: 1234,
        properties: None,
    }
}

fn exchange() -> Arc<Exchange> {
    Arc::new(Exchange::new(Limits { messages: 100, bytes: 1 << 20 }))
}

/// Sends `payloads` through an exchange, as a connection does, and makes records of them.
async fn made(maker: &mut RecordMaker, exchange: &Arc<Exchange>, payloads: &[&str]) -> Made {
    for (id, payload) in (1..).zip(payloads) {
        exchange.arrived(Message { packet_id: id, ..message(payload) }).unwrap();
    }
    make(maker, exchange.take(100).await.unwrap(), exchange)
}

fn acks(exchange: &Exchange) -> Vec<u16> {
    let mut acks = Vec::new();
    exchange.send_acks(|ack| {
        acks.push(ack.packet_id);
        true
    });
    acks
}

#[test]
fn a_record_is_shaped_as_confluents() {
    let record = maker(&[]).record(message("21.5")).unwrap().unwrap();
    assert_eq!(record.topic.as_str(), "k");
    assert_eq!(record.partition, None);
    assert_eq!(record.key, Datum::new(Schema::of(Type::String), "sensors/1"));
    assert_eq!(record.value, Datum::new(Schema::of(Type::Bytes), Blob::from(b"21.5")));
    assert_eq!(record.timestamp, Some(1234));
    let headers: Vec<_> = record.headers.iter().map(|h| (h.key.as_str(), h.datum.clone())).collect();
    let int = |value: i32| Datum::new(Schema::of(Type::Int32), value);
    let flag = |value: bool| Datum::new(Schema::of(Type::Boolean), value);
    assert_eq!(
        headers,
        [
            ("mqtt.message.id", int(7)),
            ("mqtt.qos", int(1)),
            ("mqtt.retained", flag(true)),
            ("mqtt.duplicate", flag(false)),
        ]
    );
}

#[test]
fn properties_become_headers() {
    let properties = Properties {
        content_type: Some("text/plain".into()),
        response_topic: Some("answers".into()),
        correlation_data: Some((&[1, 2]).into()),
        message_expiry: Some(u32::MAX),
        payload_format: Some(1),
        user: vec![("site".into(), "a".into()), ("site".into(), "b".into())],
    };
    let message = Message { properties: Some(Box::new(properties)), ..message("x") };
    let mut maker = maker(&[("lavka.mqtt.version", "5"), ("lavka.mqtt.v5.headers", "true")]);
    let record = maker.record(message).unwrap().unwrap();
    let headers: Vec<_> =
        record.headers.iter().skip(4).map(|h| (h.key.as_str(), h.datum.value.clone())).collect();
    assert_eq!(
        headers,
        [
            ("mqtt.content.type", "text/plain".into()),
            ("mqtt.response.topic", "answers".into()),
            ("mqtt.correlation.data", Blob::from(&[1, 2]).into()),
            ("mqtt.message.expiry.seconds", Value::Int64(u32::MAX.into())),
            ("mqtt.payload.format", Value::Int32(1)),
            ("mqtt.user.site", "a".into()),
            ("mqtt.user.site", "b".into()),
        ]
    );
}

#[test]
fn json_is_decoded_into_data_without_schema() {
    let mut maker = maker(&[("lavka.payload.format", "json")]);
    let record = maker.record(message(r#" {"t":21.5,"n":3} "#)).unwrap().unwrap();
    let expected = Object::from_entries([("t", Value::Float64(21.5)), ("n", Value::Int64(3))]);
    assert_eq!(record.value, Datum::schemaless(expected));
    assert_eq!(record.headers.len(), 4);
    let number = maker.record(message("21.5")).unwrap().unwrap();
    assert_eq!(number.value, Datum::schemaless(21.5));
}

#[test]
fn a_format_for_all_messages_or_one_by_content_type() {
    let of_type = |content_type: Option<&str>, payload: &str| {
        let content_type = content_type.map(Into::into);
        let properties = Properties { content_type, ..Properties::default() };
        Message { properties: Some(Box::new(properties)), ..message(payload) }
    };
    let mut senml = maker(&[("lavka.payload.format", "senml-json")]);
    let record = senml.record(message(r#"[{"n":"a","v":1}]"#)).unwrap().unwrap();
    assert!(record.value.schema.is_some(), "{:?}", record.value);
    let mut auto = maker(&[("lavka.mqtt.version", "5"), ("lavka.payload.format", "auto")]);
    let mut value = |message| {
        let record = auto.record(message).unwrap().unwrap();
        // The properties serve the decoder alone.
        assert_eq!(record.headers.len(), 4);
        record.value.value
    };
    assert_eq!(value(of_type(Some("application/json"), "21")), Value::Int64(21));
    assert_eq!(value(of_type(Some("text/plain"), "21")), Value::from("21"));
    assert_eq!(value(of_type(None, "21")), Value::from(Blob::from(b"21")));
    assert_eq!(value(message("21")), Value::from(Blob::from(b"21")));
}

#[tokio::test]
async fn by_default_what_is_not_json_goes_on_as_bytes_with_the_reason() {
    let mut maker = maker(&[("lavka.payload.format", "json")]);
    for payload in ["not json", "21.5 C", r#"{"a":}"#, "", "{}{}"] {
        let record = maker.record(message(payload)).unwrap().unwrap();
        assert_eq!(record.value, Datum::new(Schema::of(Type::Bytes), Blob::from(payload.as_bytes())));
        assert!(record.headers.last("lavka.payload.error").is_some(), "{payload}");
    }
}

#[tokio::test]
async fn skipped_messages_are_acknowledged() {
    let (mut maker, exchange) =
        (maker(&[("lavka.payload.format", "json"), ("lavka.payload.on.error", "skip")]), exchange());
    let made = made(&mut maker, &exchange, &["{", "1", "{"]).await;
    assert_eq!(made.records.len(), 1);
    assert!(made.failure.is_none());
    assert_eq!(acks(&exchange), [1]);
    exchange.delivered(&[made.records[0].token]);
    assert_eq!(acks(&exchange), [2, 3]);
}

#[tokio::test]
async fn a_failure_comes_behind_the_records_before_it_and_is_not_acknowledged() {
    let (mut maker, exchange) =
        (maker(&[("lavka.payload.format", "json"), ("lavka.payload.on.error", "fail")]), exchange());
    let made = made(&mut maker, &exchange, &["1", "{", "3"]).await;
    assert_eq!(made.records.len(), 1);
    let error = made.failure.unwrap();
    let text = error.to_string();
    assert!(text.contains("sensors/1") && text.contains("lavka.payload.on.error"), "{text}");
    assert_eq!(error.class(), lavka_api::ErrorClass::Fatal);
    exchange.delivered(&[made.records[0].token]);
    assert_eq!(acks(&exchange), [1]);
}

#[test]
fn sparkplug_takes_the_topic_and_what_was_born_before() {
    let mut sparkplug = maker(&[("lavka.payload.format", "sparkplug-b")]);
    let on =
        |topic: &str, payload: &[u8]| Message { topic: topic.into(), payload: payload.into(), ..message("") };
    // The metric `t`, alias 1, Double; then the alias alone.
    let birth = b"\x18\x00\x12\x07\x0a\x01t\x10\x01\x20\x0a";
    let data = b"\x18\x01\x12\x0b\x10\x01\x69\x00\x00\x00\x00\x00\x00\xf0\x3f";
    sparkplug.record(on("spBv1.0/g/NBIRTH/n", birth)).unwrap().unwrap();
    let record = sparkplug.record(on("spBv1.0/g/NDATA/n", data)).unwrap().unwrap();
    let Value::Struct(fields) = &record.value.value else { panic!("no struct") };
    let Some(Value::Array(metrics)) = fields.get("metrics") else { panic!("no metrics") };
    let Value::Struct(metric) = &metrics[0] else { panic!("no metric") };
    assert_eq!(
        (metric.get("name"), metric.get("float_value")),
        (Some(&"t".into()), Some(&Value::Float64(1.0)))
    );
    // Whatever cannot be decoded is kept as bytes, with the reason.
    let other = sparkplug.record(on("other/topic", b"x")).unwrap().unwrap();
    assert_eq!(other.value.value, Value::from(Blob::from(b"x")));
    assert!(other.headers.last("lavka.payload.error").is_some());
}
