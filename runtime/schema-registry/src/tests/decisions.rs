//! Which schema is written with.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::ErrorClass;
use lavka_api::data::{Blob, Str, Topic, Value};
use lavka_api::plugin::Undecoded;

use super::{avro, equal, session};
use crate::mock::MockRegistry;
use crate::schema::{Reference, SchemaText, SchemaType};
use crate::wire::Frame;

const INT: &str = "\"int\"";
const LONG: &str = "\"long\"";

#[tokio::test]
async fn each_schema_is_registered_once() {
    let mock = MockRegistry::new();
    let session = session(&mock, &[]);
    let subject = session.subject("t", None).unwrap();
    for _ in 0..3 {
        let int = session.resolve_for_encode(&subject, &avro(INT), &equal).await.unwrap();
        let long = session.resolve_for_encode(&subject, &avro(LONG), &equal).await.unwrap();
        assert_eq!((int.id, long.id, long.version), (Some(1), Some(2), Some(2)));
    }
    assert_eq!(mock.requests(), vec!["POST /subjects/t-value/versions"; 2]);
}

#[tokio::test]
async fn the_first_decision_that_is_set_counts() {
    let mock = MockRegistry::new();
    let id = mock.put("t-value", &avro(INT)).to_string();
    mock.put("t-value", &avro(LONG));
    let off = ("auto.register.schemas", "false");
    for (entries, id) in [
        (vec![("use.schema.id", id.as_str()), ("use.latest.version", "true")], 1),
        (
            vec![
                off,
                ("use.schema.id", id.as_str()),
                ("use.latest.version", "true"),
                ("id.compatibility.strict", "false"),
            ],
            1,
        ),
        (vec![off, ("use.latest.version", "true"), ("latest.compatibility.strict", "false")], 2),
        (vec![off], 1),
    ] {
        let session = session(&mock, &entries);
        let subject = session.subject("t", None).unwrap();
        let found = session.resolve_for_encode(&subject, &avro(INT), &equal).await.unwrap();
        assert_eq!(found.id, Some(id), "{entries:?}");
    }
    for (key, value, which) in [
        ("use.schema.id", "2", "id.compatibility.strict"),
        ("use.latest.version", "true", "latest.compatibility.strict"),
    ] {
        let session = session(&mock, &[off, (key, value)]);
        let subject = session.subject("t", None).unwrap();
        let error = session.resolve_for_encode(&subject, &avro(INT), &equal).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Data);
        assert!(error.to_string().contains(&format!("Set {which}=false")), "{error}");
    }
}

#[tokio::test]
async fn a_guid_may_be_given_and_may_be_in_a_header() {
    let mock = MockRegistry::new();
    mock.put("t-value", &avro(INT));
    let header = ("value.schema.id.serializer", "HeaderSchemaIdSerializer");
    let first = session(&mock, &[header]);
    let subject = first.subject("t", None).unwrap();
    let registered = first.resolve_for_encode(&subject, &avro(INT), &equal).await.unwrap();
    let guid = registered.guid.unwrap();
    let Frame::Header { name, value } = first.frame(&registered, &[]).unwrap() else { panic!("no header") };
    // The other way: by the header, and given in the configuration.
    let (topic, payload) = (Topic::from("t"), Blob::from(b"\x02"));
    let headers: Vec<(Str, Option<Blob>)> = vec![(name.into(), Some(value))];
    let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers: &headers };
    let located = first.locate(&undecoded).unwrap().unwrap();
    let found = first.resolve_for_decode(&located, &topic).await.unwrap();
    assert_eq!(found.schema, avro(INT));
    let given = guid.to_string();
    let by_guid = session(&mock, &[("auto.register.schemas", "false"), ("use.schema.guid", &given)]);
    let registered = by_guid.resolve_for_encode(&subject, &avro(INT), &equal).await.unwrap();
    assert_eq!((registered.id, registered.guid), (Some(1), Some(guid)));
}

#[tokio::test(start_paused = true)]
async fn the_latest_version_is_asked_for_again_when_it_is_old() {
    let mock = MockRegistry::new();
    mock.put("t-value", &avro(INT));
    let session = session(
        &mock,
        &[
            ("auto.register.schemas", "false"),
            ("use.latest.version", "true"),
            ("latest.compatibility.strict", "false"),
            ("latest.cache.ttl.sec", "60"),
        ],
    );
    let subject = session.subject("t", None).unwrap();
    let own = avro(INT);
    let resolve = || session.resolve_for_encode(&subject, &own, &equal);
    let first = resolve().await.unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(Arc::ptr_eq(&first, &resolve().await.unwrap()));
    assert_eq!(mock.requests().len(), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    // The same again keeps its pointer, so that plans stay.
    assert!(Arc::ptr_eq(&first, &resolve().await.unwrap()));
    assert_eq!(mock.requests().len(), 2);
    mock.put("t-value", &avro(LONG));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(resolve().await.unwrap().id, Some(2));
}

#[tokio::test]
async fn schemas_of_another_type_are_refused() {
    let mock = MockRegistry::new();
    let id = mock.put("t-value", &SchemaText::new(SchemaType::Json, "{}")).to_string();
    let session = session(&mock, &[("auto.register.schemas", "false"), ("use.schema.id", &id)]);
    let subject = session.subject("t", None).unwrap();
    let error = session.resolve_for_encode(&subject, &avro(INT), &equal).await.unwrap_err();
    assert!(error.to_string().contains("JSON"), "{error}");
    let (topic, payload) = (Topic::from("t"), Blob::from(b"\0\0\0\0\x01"));
    let located = session.locate(&Undecoded { topic: &topic, payload: Some(&payload), headers: &[] });
    let error = session.resolve_for_decode(&located.unwrap().unwrap(), &topic).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data);
}

#[tokio::test]
async fn references_come_with_the_schema() {
    let mock = MockRegistry::new();
    mock.put("inner", &avro(INT));
    let reference = Reference { name: "ns.Inner".into(), subject: "inner".into(), version: 1 };
    let outer = SchemaText::with_references(SchemaType::Avro, "\"ns.Inner\"", vec![reference]);
    let session = session(&mock, &[]);
    let subject = session.subject("t", None).unwrap();
    let registered = session.resolve_for_encode(&subject, &outer, &equal).await.unwrap();
    assert_eq!(registered.schema.dependency("ns.Inner"), Some(&avro(INT)));
}

#[tokio::test]
async fn versions_of_what_was_read_are_asked_for_once_and_may_be_missing() {
    let mock = MockRegistry::new();
    mock.put("t-value", &avro(LONG));
    mock.put("t-value", &avro(INT));
    let session = session(&mock, &[]);
    for _ in 0..2 {
        assert_eq!(session.version_for_decode(&avro(INT), "t", None).await.unwrap(), Some(2));
        assert_eq!(session.version_for_decode(&avro(INT), "copy", None).await.unwrap(), None);
    }
    assert_eq!(mock.requests().len(), 2);
}

#[test]
fn a_header_is_bytes_of_a_known_shape() {
    let guid = crate::Guid::from_bytes([7; 16]);
    let registered = crate::RegisteredSchema {
        subject: "s".into(),
        id: None,
        guid: Some(guid),
        version: None,
        schema: crate::ResolvedSchema::alone(avro(INT)),
    };
    let mock = MockRegistry::new();
    let session = session(
        &mock,
        &[(
            "value.schema.id.serializer",
            "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer",
        )],
    );
    let (mut headers, mut out) = (lavka_api::data::Headers::new(), Vec::new());
    session.frame(&registered, &[0]).unwrap().write(&mut headers, &mut out);
    let Some(Value::Bytes(value)) = headers.last("__value_schema_id").map(|datum| datum.value.clone()) else {
        panic!("no header")
    };
    assert_eq!(&*value, [&[1][..], &[7; 16], &[0]].concat());
}
