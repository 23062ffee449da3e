//! Debezium's.

use lavka_api::data::{Datum, Record, Schema, Struct, Type, Value};
use lavka_testkit::acceptance::Tombstones;

use crate::{Side, transform};

/// The struct of `schema` with these values.
fn of(schema: &Schema, values: Vec<Value>) -> Value {
    Struct::new(schema.clone(), values).unwrap().into()
}

/// A change event of the table `orders-1`, whose rows are what an outbox has.
fn event(op: &str, before: Option<&str>, after: Option<&str>) -> Record {
    let names = ["id", "aggregatetype", "aggregateid", "type", "payload"];
    let row = names.iter().fold(Schema::structure().name("db.orders-1.Value").optional(), |row, name| {
        row.field(*name, Schema::optional(Type::String))
    });
    let row = row.build().unwrap();
    let source = Schema::structure().name("source").field("table", Schema::of(Type::String)).build().unwrap();
    let envelope = Schema::structure()
        .name("db.orders-1.Envelope")
        .field("before", row.clone())
        .field("after", row.clone())
        .field("source", source.clone())
        .field("op", Schema::of(Type::String))
        .field("ts_ms", Schema::optional(Type::Int64))
        .build()
        .unwrap();
    let values = |id: &str| vec![id.into(), "order".into(), "7".into(), "Made".into(), "{\"a\":1}".into()];
    let state = |id: Option<&str>| id.map_or(Value::Null, |id| of(&row, values(id)));
    let source = of(&source, vec!["orders-1".into()]);
    let event =
        of(&envelope, vec![state(before), state(after), source, op.into(), 1_700_000_000_000_i64.into()]);
    let key =
        Schema::structure().name("db.orders-1.Key").field("id", Schema::of(Type::String)).build().unwrap();
    Record {
        topic: "db.orders-1".into(),
        key: Datum { value: of(&key, vec!["1".into()]), schema: Some(key) },
        value: Datum { value: event, schema: Some(envelope) },
        ..Record::for_topic("")
    }
}

#[test]
fn by_logical_table_router() {
    let [reading, _] = Side::Value.readings();
    transform(
        "io.debezium.transforms.ByLogicalTableRouter",
        [("topic.regex", r"(.*)orders-\d"), ("topic.replacement", "$1orders")],
    )
    .refuses("topic.regex", "(")
    .record(event("c", None, Some("1")))
    .untouched(reading)
    .tombstones(Tombstones::Change)
    .check()
    .assert_clean();
}

#[test]
fn extract_new_record_state() {
    let [reading, _] = Side::Value.readings();
    let config = [("add.fields", "op,source.table"), ("add.headers", "ts_ms")];
    transform("io.debezium.transforms.ExtractNewRecordState", config)
        .record(event("c", None, Some("1")))
        .record(event("u", Some("1"), Some("1")))
        // A deletion becomes a tombstone, so the one that follows it says nothing new.
        .record(event("d", Some("1"), None))
        .untouched(reading)
        .tombstones(Tombstones::Drop)
        .check()
        .assert_clean();
}

#[test]
fn event_router() {
    transform(
        "io.debezium.transforms.outbox.EventRouter",
        [("table.fields.additional.placement", "type:header:kind")],
    )
    .refuses("table.fields.additional.placement", "type:nowhere")
    .record(event("c", None, Some("1")))
    .tombstones(Tombstones::Drop)
    .check()
    .assert_clean();
}
