use std::collections::HashMap;

use lavka_api::ErrorClass;
use lavka_api::data::{Datum, Schema, Struct, Topic, Type, Value};
use lavka_testkit::{RestClient, SchemaRegistryServer, services, unique};
use serde_json::json;

use crate::converter;

fn reading() -> Datum {
    let schema = Schema::structure()
        .name("org.example.Reading")
        .field("device", Schema::of(Type::String))
        .field("celsius", Schema::optional(Type::Float64))
        .build()
        .unwrap();
    Datum::new(schema.clone(), Struct::new(schema, ["d-1".into(), Value::Float64(21.5)]).unwrap())
}

/// A record with one member, of this type. (The registry takes objects for JSON Schema, and a bare type for something
/// else.)
fn holding(ty: Type, value: impl Into<Value>) -> Datum {
    let schema = Schema::structure().field("it", Schema::of(ty)).build().unwrap();
    Datum::new(schema.clone(), Struct::new(schema, [value.into()]).unwrap())
}

#[test]
fn schemas_are_registered_looked_up_and_read_back() {
    let Some(registry) = services().schema_registry_for("schemas_are_registered_looked_up_and_read_back")
    else {
        return;
    };
    let topic = Topic::from(unique("readings"));
    let datum = reading();
    let mut first = converter(registry.url(), &[]);
    let bytes = first.write(&topic, &datum).unwrap();
    let client = RestClient::new(registry.url());
    let latest = client.get(&format!("/subjects/{topic}-value/versions/latest")).body;
    assert_eq!(latest["id"], json!(i32::from_be_bytes(bytes[1..5].try_into().unwrap())));
    // Another converter looks the same schema up, and a third reads what either wrote.
    let mut second =
        converter(registry.url(), &[("auto.register.schemas", "false"), ("normalize.schemas", "true")]);
    assert_eq!(second.write(&topic, &datum).unwrap(), bytes);
    let mut third =
        converter(registry.url(), &[("auto.register.schemas", "false"), ("use.latest.version", "true")]);
    assert_eq!(third.write(&topic, &datum).unwrap(), bytes);
    let back = third.read(&topic, &bytes).unwrap();
    assert_eq!(back.schema.as_ref().and_then(Schema::version), Some(1));
    let Value::Struct(record) = back.value else { panic!("no struct") };
    assert_eq!(record.values(), ["d-1".into(), Value::Float64(21.5)]);
    // A topic that was copied from elsewhere has no subject.
    let copied = second.read(&Topic::from(unique("copied")), &bytes).unwrap();
    assert_eq!(copied.schema.and_then(|schema| schema.version()), None);
}

#[test]
fn the_subject_follows_the_strategy() {
    let Some(registry) = services().schema_registry_for("the_subject_follows_the_strategy") else { return };
    let client = RestClient::new(registry.url());
    let topic = Topic::from(unique("strategies"));
    for (strategy, subject) in [
        ("RecordNameStrategy", "org.example.Reading".to_owned()),
        ("TopicRecordNameStrategy", format!("{topic}-org.example.Reading")),
    ] {
        let class = format!("io.confluent.kafka.serializers.subject.{strategy}");
        let mut converter = converter(registry.url(), &[("value.subject.name.strategy", &class)]);
        let bytes = converter.write(&topic, &reading()).unwrap();
        assert_eq!(client.get(&format!("/subjects/{subject}/versions/latest")).status, 200, "{subject}");
        assert!(converter.read(&topic, &bytes).is_ok());
    }
}

#[test]
fn what_the_registry_refuses_is_passed_on() {
    let Some(registry) = services().schema_registry_for("what_the_registry_refuses_is_passed_on") else {
        return;
    };
    let client = RestClient::new(registry.url());
    let topic = Topic::from(unique("strict"));
    let mut converter = converter(registry.url(), &[]);
    converter.write(&topic, &holding(Type::String, "a")).unwrap();
    let config = client.put(&format!("/config/{topic}-value"), &json!({ "compatibility": "BACKWARD" }));
    assert_eq!(config.status, 200, "{}", config.text);
    let refused = converter.write(&topic, &holding(Type::Boolean, true)).unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Data);
    let text = refused.to_string();
    assert!(text.contains(&format!("{topic}-value")) && text.contains("status 409"), "{text}");
    // What was registered before still goes through.
    converter.write(&topic, &holding(Type::String, "b")).unwrap();
}

#[test]
fn references_are_resolved_by_the_registry() {
    let Some(registry) = services().schema_registry_for("references_are_resolved_by_the_registry") else {
        return;
    };
    let client = RestClient::new(registry.url());
    let (place, topic) = (unique("place"), Topic::from(unique("visits")));
    let register = |subject: &str, body: serde_json::Value| {
        let answer = client.post(&format!("/subjects/{subject}/versions"), &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["id"].as_i64().unwrap()
    };
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } }).to_string();
    register(&place, json!({ "schema": schema, "schemaType": "JSON" }));
    let schema = json!({ "type": "object", "properties": { "at": { "$ref": "place.json" } } }).to_string();
    let references = json!([{ "name": "place.json", "subject": place, "version": 1 }]);
    let body = json!({ "schema": schema, "schemaType": "JSON", "references": references });
    let id = register(&format!("{topic}-value"), body);
    let mut converter = converter(registry.url(), &[]);
    let message =
        [&[0], i32::try_from(id).unwrap().to_be_bytes().as_slice(), br#"{"at":{"city":"Bern"}}"#].concat();
    let Value::Struct(visit) = converter.read(&topic, &message).unwrap().value else { panic!("no struct") };
    let Some(Value::Struct(at)) = visit.get("at") else { panic!("no struct") };
    assert_eq!(at.get("city"), Some(&"Bern".into()));
}

/// A registry that dies takes nothing with it: what is known goes on, what is not known is tried again.
#[test]
fn a_registry_that_is_down_is_retriable_and_a_second_url_takes_over() {
    let test = "a_registry_that_is_down_is_retriable_and_a_second_url_takes_over";
    let Some(shared) = services().schema_registry_for(test) else { return };
    let mut own = SchemaRegistryServer::start().unwrap();
    let hasty = [("max.retries", "1"), ("retries.wait.ms", "10")];
    let topic = Topic::from(unique("down"));
    let mut single = converter(&own.url(), &hasty);
    let known = holding(Type::String, "a");
    single.write(&topic, &known).unwrap();
    let mut several = converter(&format!("{}, {}", own.url(), shared.url()), &hasty);
    own.kill();
    single.write(&topic, &known).unwrap();
    let unknown = holding(Type::Boolean, true);
    let error = single.write(&topic, &unknown).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retriable);
    assert!(error.to_string().contains(&own.url()), "{error}");
    several.write(&topic, &unknown).unwrap();
    own.restart().unwrap();
    own.pause();
    // For the registry that never answers alone: others may take longer than that.
    let impatient = [&hasty[..], &[("http.read.timeout.ms", "2000")]].concat();
    let error = converter(&own.url(), &impatient).write(&topic, &unknown).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retriable);
    assert!(error.to_string().contains("the time is up"), "{error}");
    own.resume();
    single.write(&topic, &unknown).unwrap();
}

#[test]
fn ids_are_asked_for_once() {
    let Some(registry) = services().schema_registry_for("ids_are_asked_for_once") else { return };
    let topic = Topic::from(unique("many"));
    let mut converter = converter(registry.url(), &[]);
    let mut ids: HashMap<String, [u8; 4]> = HashMap::new();
    for round in 0..3 {
        for count in 1..6 {
            let mut builder = Schema::structure().name(format!("S{count}"));
            for at in 0..count {
                builder = builder.field(format!("f{at}"), Schema::optional(Type::Int32));
            }
            let schema = builder.build().unwrap();
            let datum = Datum::new(schema.clone(), Struct::empty(schema.clone()).unwrap());
            let bytes = converter.write(&topic, &datum).unwrap();
            let id: [u8; 4] = bytes[1..5].try_into().unwrap();
            let before = ids.insert(format!("S{count}"), id);
            assert!(before == (round > 0).then_some(id), "S{count}");
        }
    }
    assert_eq!(ids.len(), 5);
}
