//! Debezium's transforms: what was observed with release 3.6.3 on PostgreSQL, and what its documentation says.

use lavka_api::data::{Datum, Record, RecordKind, Schema, SchemaBuilder, Struct, Type, Value};
use lavka_api::plugin::{RemarkLevel, Verdict};

use crate::harness::{Case, Keys, apply_to, bare, fails, makes, of, refuses, run, transform, typed};

const UNWRAP: &str = "io.debezium.transforms.ExtractNewRecordState";
const ROUTER: &str = "io.debezium.transforms.ByLogicalTableRouter";
const OUTBOX: &str = "io.debezium.transforms.outbox.EventRouter";

fn row_fields() -> SchemaBuilder {
    Schema::structure()
        .field("id", Schema::of(Type::Int32))
        .field("name", Schema::optional(Type::String))
        .field(
            "kind",
            Schema::builder(Type::String).optional().default_value(Value::from("plain")).build().unwrap(),
        )
}

fn row_schema() -> Schema {
    row_fields().name("srv.u.acct.Value").optional().build().unwrap()
}

fn source_schema() -> Schema {
    let builder = Schema::structure().name("io.debezium.connector.postgresql.Source").version(1);
    let builder = builder.field("db", Schema::of(Type::String)).field("table", Schema::of(Type::String));
    builder
        .field("lsn", Schema::optional(Type::Int64))
        .field("ts_ms", Schema::of(Type::Int64))
        .build()
        .unwrap()
}

fn envelope_schema(row: &Schema, name: &str) -> Schema {
    let block =
        Schema::structure().name("event.block").version(1).field("id", Schema::of(Type::String)).optional();
    let builder = Schema::structure().name(format!("{name}.Envelope")).version(2);
    let builder =
        builder.field("before", row.clone()).field("after", row.clone()).field("source", source_schema());
    let builder = builder.field("transaction", block.build().unwrap()).field("op", Schema::of(Type::String));
    builder.field("ts_ms", Schema::optional(Type::Int64)).build().unwrap()
}

fn event_of(row: &Schema, op: &str, before: Option<Vec<Value>>, after: Option<Vec<Value>>) -> Datum {
    let values = |values: Option<Vec<Value>>| -> Value {
        values.map(|values| Struct::new(row.clone(), values).unwrap()).into()
    };
    let source = vec!["dbz".into(), "acct".into(), Value::Int64(98), Value::Int64(17)];
    let source = Struct::new(source_schema(), source).unwrap();
    let schema = envelope_schema(row, "srv.u.acct");
    of(schema, vec![values(before), values(after), source.into(), Value::Null, op.into(), Value::Int64(18)])
}

fn values(id: i32, name: &str) -> Vec<Value> {
    vec![Value::Int32(id), name.into(), Value::Null]
}

fn insert() -> Datum {
    event_of(&row_schema(), "c", None, Some(values(2, "c")))
}

fn delete() -> Datum {
    event_of(&row_schema(), "d", Some(vec![Value::Int32(3), Value::Null, Value::Null]), None)
}

fn key(id: i32) -> Datum {
    let schema =
        Schema::structure().name("srv.u.acct.Key").field("id", Schema::of(Type::Int32)).build().unwrap();
    of(schema, vec![Value::Int32(id)])
}

fn source_record(value: Datum) -> Record {
    Record { key: key(2), value, kind: RecordKind::Source, ..Record::for_topic("srv.u.acct") }
}

/// The row by itself, with what is added to it.
fn unwrapped(row: Vec<Value>, added: &[(&str, Schema, Value)]) -> Datum {
    let mut builder = row_fields().name("srv.u.acct.Value");
    let mut values = row;
    for (name, schema, value) in added {
        builder = builder.field(*name, schema.clone());
        values.push(value.clone());
    }
    of(builder.build().unwrap(), values)
}

fn text() -> Schema {
    Schema::optional(Type::String)
}

const REWRITE: Keys<'static> = &[
    ("delete.tombstone.handling.mode", "rewrite-with-tombstone"),
    ("add.fields", "op,table,lsn,source.ts_ms,db"),
    ("add.headers", "op,source.lsn,transaction.id,nothing"),
];

fn added(deleted: &str, op: &str) -> Vec<(&'static str, Schema, Value)> {
    vec![
        ("__deleted", text(), deleted.into()),
        ("__op", text(), op.into()),
        ("__table", text(), "acct".into()),
        ("__lsn", Schema::optional(Type::Int64), Value::Int64(98)),
        ("__source_ts_ms", Schema::optional(Type::Int64), Value::Int64(17)),
        ("__db", text(), "dbz".into()),
    ]
}

fn with_headers(mut record: Record, op: &str) -> Record {
    record.headers.add("__op", Datum::new(text(), op));
    record.headers.add("__source_lsn", Datum::new(Schema::optional(Type::Int64), Value::Int64(98)));
    record.headers.add("__transaction_id", Datum::new(text(), Value::Null));
    record
}

fn unwraps() -> Vec<Case> {
    let defaulted = |id, name: Value| vec![Value::Int32(id), name, "plain".into()];
    let plain = unwrapped(values(2, "c"), &[]);
    let mut tombstone = source_record(Datum::NULL);
    tombstone.headers.add("__op", typed(Type::String, "d"));
    let mut to_drop = source_record(insert());
    to_drop.headers.add("drop", Datum::schemaless(Value::from(vec!["id".into(), "name".into()])));
    let mut dropped = Record { value: of_kind_alone(), ..source_record(Datum::NULL) };
    dropped.headers = to_drop.headers.clone();
    vec![
        makes("E43: the row", UNWRAP, &[], source_record(insert()), source_record(plain.clone())),
        makes(
            "E41: a row with what is added",
            UNWRAP,
            REWRITE,
            source_record(insert()),
            with_headers(source_record(unwrapped(defaulted(2, "c".into()), &added("false", "c"))), "c"),
        ),
        makes(
            "E42: a deleted row",
            UNWRAP,
            REWRITE,
            source_record(delete()),
            with_headers(source_record(unwrapped(defaulted(3, Value::Null), &added("true", "d"))), "d"),
        ),
        makes(
            "rewriting leaves nulls",
            UNWRAP,
            &[("delete.tombstone.handling.mode", "rewrite"), ("replace.null.with.default", "false")],
            source_record(insert()),
            source_record(unwrapped(values(2, "c"), &[("__deleted", text(), "false".into())])),
        ),
        makes(
            "a tombstone is kept and gets the operation",
            UNWRAP,
            REWRITE,
            source_record(Datum::NULL),
            tombstone,
        ),
        makes(
            "a delete without its value",
            UNWRAP,
            &[],
            source_record(delete()),
            source_record(Datum::new(row_schema(), Value::Null)),
        ),
        makes(
            "a delete as a tombstone",
            UNWRAP,
            &[("delete.tombstone.handling.mode", "delete-to-tombstone")],
            source_record(delete()),
            source_record(Datum::NULL),
        ),
        makes(
            "routed by a field",
            UNWRAP,
            &[("route.by.field", "name")],
            source_record(insert()),
            Record { topic: "c".into(), ..source_record(plain) },
        ),
        makes("other records pass", UNWRAP, &[], source_record(bare("x")), source_record(bare("x"))),
        makes("fields that a header drops", UNWRAP, &[("drop.fields.header.name", "drop")], to_drop, dropped),
        refuses(
            "keys of Debezium 2",
            UNWRAP,
            &[("drop.tombstones", "false"), ("delete.handling.mode", "rewrite")],
            "Invalid value rewrite for configuration delete.handling.mode: Debezium 3 has no such key any more; \
             delete.tombstone.handling.mode=rewrite-with-tombstone takes its place",
        ),
        fails(
            "a field that is no text",
            UNWRAP,
            &[("route.by.field", "id")],
            source_record(insert()),
            "DataException",
            "Field 'id' is not of type STRING",
        ),
        fails(
            "a field that is none",
            UNWRAP,
            &[("route.by.field", "zz")],
            source_record(insert()),
            "DataException",
            "zz is not a valid field name",
        ),
    ]
}

/// The row without `name`: `id` may not be null and stays.
fn of_kind_alone() -> Datum {
    let kind = row_fields().build().unwrap().field("kind").unwrap().schema().clone();
    let builder =
        Schema::structure().name("srv.u.acct.Value").field("id", Schema::of(Type::Int32)).field("kind", kind);
    of(builder.build().unwrap(), vec![Value::Int32(2), Value::Null])
}

#[test]
fn records_that_unwrapping_drops() {
    for (keys, value) in [
        (&[][..], Datum::NULL),
        (&[("delete.tombstone.handling.mode", "drop")], delete()),
        (&[("delete.tombstone.handling.mode", "rewrite")], Datum::NULL),
        (&[], event_of(&row_schema(), "t", None, None)),
    ] {
        let mut unwrap = transform(UNWRAP, keys).unwrap();
        assert_eq!(unwrap.apply(&mut source_record(value)).ok(), Some(Verdict::Drop), "{keys:?}");
    }
}

const ONE_TOPIC: Keys<'static> = &[
    ("topic.regex", r"(.*)shard_(\d+)\.(.*)"),
    ("topic.replacement", "$1all.$3"),
    ("key.field.regex", r".*shard_(\d+)\..*"),
    ("key.field.replacement", "shard-$1"),
];

fn routed() -> Vec<Case> {
    let given = Record { topic: "srv.shard_7.acct".into(), ..source_record(insert()) };
    let row = row_fields().name("srv.all.acct.Value").optional().build().unwrap();
    let mut value = event_of(&row, "c", None, Some(values(2, "c")));
    let schema = envelope_schema(&row, "srv.all.acct");
    if let Value::Struct(event) = &mut value.value {
        let values = event.values().to_vec();
        value = of(schema, values);
    }
    let key_of = |field: &str, text: &str| {
        let builder = Schema::structure().name("srv.all.acct.Key").field("id", Schema::of(Type::Int32));
        of(
            builder.field(field, Schema::of(Type::String)).build().unwrap(),
            vec![Value::Int32(2), text.into()],
        )
    };
    let expected = Record {
        topic: "srv.all.acct".into(),
        key: key_of(DEFAULT_FIELD, "shard-7"),
        value,
        ..given.clone()
    };
    let heartbeat = Record { value: bare("x"), key: Datum::NULL, ..given.clone() };
    vec![
        makes("ByLogicalTableRouter", ROUTER, ONE_TOPIC, given.clone(), expected.clone()),
        makes(
            "keys with the old topic",
            ROUTER,
            &[
                ("topic.regex", r"(.*)shard_\d+\.(.*)"),
                ("topic.replacement", "$1all.$2"),
                ("key.field.name", "from"),
            ],
            given.clone(),
            Record { key: key_of("from", "srv.shard_7.acct"), ..expected },
        ),
        makes(
            "a topic that does not match",
            ROUTER,
            ONE_TOPIC,
            source_record(insert()),
            source_record(insert()),
        ),
        makes(
            "records that are no change events",
            ROUTER,
            ONE_TOPIC,
            heartbeat.clone(),
            Record { topic: "srv.all.acct".into(), ..heartbeat },
        ),
        fails(
            "a key that is no struct",
            ROUTER,
            ONE_TOPIC,
            Record { key: typed(Type::String, "k"), ..given },
            "DataException",
            "Only Struct objects supported for [Updating schema], found: java.lang.String",
        ),
        refuses(
            "a regex without a replacement",
            ROUTER,
            &[("topic.regex", "a"), ("topic.replacement", "b"), ("key.field.regex", "c")],
            "Invalid value  for configuration key.field.replacement: key.field.replacement must be non-empty if \
             key.field.regex is set.",
        ),
    ]
}

const DEFAULT_FIELD: &str = "__dbz__physicalTableIdentifier";

fn outbox_schema() -> Schema {
    let time =
        Schema::builder(Type::Int64).name("io.debezium.time.MicroTimestamp").version(1).build().unwrap();
    let builder = Schema::structure().name("srv.public.outbox.Value").field("id", Schema::of(Type::String));
    let builder = builder
        .field("aggregatetype", Schema::of(Type::String))
        .field("aggregateid", Schema::of(Type::String));
    let builder = builder.field("type", Schema::of(Type::String)).field("payload", text()).field("at", time);
    builder.field("shard", Schema::of(Type::Int32)).optional().build().unwrap()
}

fn outbox(op: &str, payload: Value) -> Record {
    let at = Value::Int64(1_700_000_000_123_456);
    let row = vec!["e1".into(), "order".into(), "o7".into(), "Created".into(), payload, at, Value::Int32(5)];
    source_record(event_of(&outbox_schema(), op, None, Some(row)))
}

fn message(value: Datum) -> Record {
    let mut message = Record {
        key: typed(Type::String, "o7"),
        value,
        timestamp: Some(18),
        ..Record::for_topic("outbox.event.order")
    };
    message.headers.add("id", typed(Type::String, "e1"));
    message
}

fn messages() -> Vec<Case> {
    let payload = || Datum::new(text(), "{\"a\":1}");
    let mut with_header = message(payload());
    with_header.headers.add("eventType", typed(Type::String, "Created"));
    let envelope = Schema::structure().name("srv.public.outbox.order.Value").field("payload", text());
    let envelope = envelope.field("type", Schema::of(Type::String)).build().unwrap();
    let expanded = Schema::structure().name("payload").optional().field("a", Schema::optional(Type::Int32));
    let expanded = of(expanded.build().unwrap(), vec![Value::Int32(1)]);
    let given = || outbox("c", "{\"a\":1}".into());
    vec![
        makes("EventRouter", OUTBOX, &[], given(), message(payload())),
        makes(
            "EventRouter, a header and a partition",
            OUTBOX,
            &[("table.fields.additional.placement", "type:header:eventType,shard:partition")],
            given(),
            Record { partition: Some(5), ..with_header },
        ),
        makes(
            "EventRouter, an envelope",
            OUTBOX,
            &[("table.fields.additional.placement", "type:envelope")],
            given(),
            message(of(envelope, vec!["{\"a\":1}".into(), "Created".into()])),
        ),
        makes(
            "EventRouter, JSON",
            OUTBOX,
            &[("table.expand.json.payload", "true")],
            given(),
            message(expanded),
        ),
        makes(
            "EventRouter, no JSON",
            OUTBOX,
            &[("table.expand.json.payload", "true")],
            outbox("c", "x".into()),
            message(Datum::new(text(), "x")),
        ),
        makes(
            "EventRouter, time and topic",
            OUTBOX,
            &[
                ("table.field.event.timestamp", "at"),
                ("route.topic.regex", "(.)(.*)"),
                ("route.topic.replacement", "$1-$2"),
                ("table.field.event.key", "id"),
            ],
            given(),
            Record {
                topic: "o-rder".into(),
                timestamp: Some(1_700_000_000_123),
                key: typed(Type::String, "e1"),
                ..message(payload())
            },
        ),
        makes(
            "EventRouter, an empty payload",
            OUTBOX,
            &[("route.tombstone.on.empty.payload", "true")],
            outbox("c", " ".into()),
            message(Datum::NULL),
        ),
        makes("EventRouter, other records", OUTBOX, &[], source_record(bare("x")), source_record(bare("x"))),
        fails(
            "EventRouter, an update",
            OUTBOX,
            &[("table.op.invalid.behavior", "fatal")],
            outbox("u", Value::Null),
            "IllegalStateException",
            "Unexpected update message received…",
        ),
        fails(
            "EventRouter, no payload",
            OUTBOX,
            &[("table.field.event.payload", "zz")],
            given(),
            "ConnectException",
            "Unable to find payload field zz in event",
        ),
        fails(
            "EventRouter, a missing column",
            OUTBOX,
            &[("table.fields.additional.placement", "zz:header")],
            given(),
            "DataException",
            "zz is not a valid field name",
        ),
        makes(
            "EventRouter, a column that may be missing",
            OUTBOX,
            &[
                ("table.fields.additional.placement", "zz:header"),
                ("table.field.additional.missing", "ignore"),
            ],
            given(),
            message(payload()),
        ),
        refuses(
            "EventRouter, a placement that is none",
            OUTBOX,
            &[("table.fields.additional.placement", "a:b")],
            "Invalid value [a:b] for configuration table.fields.additional.placement: b is no placement; header, envelope \
             and partition are",
        ),
    ]
}

#[test]
fn events_that_make_no_message() {
    let mut router = transform(OUTBOX, &[]).unwrap();
    let deleted = event_of(&outbox_schema(), "d", None, None);
    for mut given in [source_record(Datum::NULL), source_record(deleted), outbox("u", Value::Null)] {
        assert_eq!(router.apply(&mut given).ok(), Some(Verdict::Drop));
    }
}

#[test]
fn scripts_are_refused_with_what_to_use_instead() {
    for (name, keys, alternative) in [
        (
            "io.debezium.transforms.ContentBasedRouter",
            &[("language", "jsr223.groovy"), ("topic.expression", "value.op")][..],
            "ExtractTopic",
        ),
        (
            "io.debezium.transforms.Filter",
            &[("language", "jsr223.groovy"), ("condition", "true")],
            "predicate",
        ),
    ] {
        let error = transform(name, keys).err().unwrap();
        assert_eq!(error.class(), lavka_api::ErrorClass::Config);
        let message = error.message().unwrap();
        assert!(message.contains("no scripting engine") && message.contains(alternative), "{message}");
    }
}

#[test]
fn rows() {
    run([unwraps(), routed(), messages()].into_iter().flatten().collect());
}

#[test]
fn records_of_one_schema_share_theirs() {
    let schema = |record: Record| apply_to(UNWRAP, REWRITE, record).unwrap().value.schema.unwrap();
    assert_eq!(schema(source_record(insert())), schema(source_record(delete())));
    let mut unwrap = transform(UNWRAP, REWRITE).unwrap();
    let mut made = [source_record(insert()), source_record(insert())];
    for record in &mut made {
        unwrap.apply(record).unwrap();
    }
    let [a, b] = made.map(|record| record.value.schema.unwrap());
    assert!(a.same(&b));
}

#[test]
fn updates_of_an_outbox_are_spoken_of() {
    for (behaviour, level) in
        [(None, RemarkLevel::Warn), (Some("warn"), RemarkLevel::Warn), (Some("ERROR"), RemarkLevel::Error)]
    {
        let key = behaviour.map(|behaviour| ("table.op.invalid.behavior", behaviour));
        let mut router = transform(OUTBOX, key.as_slice()).unwrap();
        assert_eq!(router.apply(&mut outbox("u", Value::Null)).unwrap(), Verdict::Drop);
        let said = router.take_remarks();
        assert_eq!((said.len(), said[0].level), (1, level));
        assert!(said[0].text.starts_with("Unexpected update message received on topic "), "{}", said[0].text);
        router.apply(&mut outbox("d", Value::Null)).unwrap();
        assert!(router.take_remarks().is_empty(), "a deletion is nothing to speak of");
    }
}
