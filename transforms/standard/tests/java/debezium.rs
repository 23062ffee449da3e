//! Cases for Debezium's transforms: change events, tombstones, and what is neither.

use lavka_api::data::{Datum, Record, Schema, SchemaBuilder, Type, Value};
use lavka_testkit::Chance;

use crate::Case;
use crate::configs::Keys;
use crate::data::{pick, rarely, schemaless_map};
use crate::wire::{new_record, structure};

pub(crate) fn case(chance: &mut Chance) -> Case {
    let (class, keys, outbox) = match chance.below(5) {
        0 | 1 => ("io.debezium.transforms.ExtractNewRecordState", unwrap(chance), false),
        2 | 3 => ("io.debezium.transforms.outbox.EventRouter", outbox(chance), true),
        _ => ("io.debezium.transforms.ByLogicalTableRouter", by_table(chance), false),
    };
    let row = if outbox { outbox_row(chance) } else { row(chance) };
    let envelope = envelope(chance, &row);
    // Debezium's EventRouter is for sources alone: it takes the partition away, which a sink record has to have.
    let records = (0..3)
        .map(|_| {
            let sink = !outbox && rarely(chance, 3);
            record(chance, &row, &envelope, sink)
        })
        .collect();
    Case { class: class.to_owned(), keys, records }
}

fn push(chance: &mut Chance, keys: &mut Keys, times: u64, key: &'static str, values: &[&str]) {
    if rarely(chance, times) {
        keys.push((key, pick(chance, values).to_owned()));
    }
}

const FIELDS: &[&str] = &[
    "op",
    "table",
    "ts_ms",
    "source.ts_ms",
    "op,table",
    "lsn",
    "source.lsn:LSN",
    "nope",
    "op:OPERATION",
    "transaction.id",
    "ts_us,ts_ns",
    "source.nope",
    "db,transaction.total_order",
    "id",
    "total_order",
];

fn unwrap(chance: &mut Chance) -> Keys {
    let mut keys = Keys::new();
    let modes = ["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone", "REWRITE"];
    push(chance, &mut keys, 1, "delete.tombstone.handling.mode", &modes);
    push(chance, &mut keys, 6, "route.by.field", &["name", "id", "nope"]);
    push(chance, &mut keys, 3, "add.fields.prefix", &["", "__", "x."]);
    push(chance, &mut keys, 2, "add.fields", FIELDS);
    push(chance, &mut keys, 3, "add.headers.prefix", &["", "__", "h-"]);
    push(chance, &mut keys, 2, "add.headers", FIELDS);
    push(chance, &mut keys, 3, "replace.null.with.default", &["true", "false"]);
    push(chance, &mut keys, 5, "drop.fields.header.name", &["dropped", "none"]);
    push(chance, &mut keys, 5, "drop.fields.from.key", &["true", "false"]);
    push(chance, &mut keys, 5, "drop.fields.keep.schema.compatible", &["true", "false"]);
    keys
}

fn outbox(chance: &mut Chance) -> Keys {
    let mut keys = Keys::new();
    push(chance, &mut keys, 10, "table.field.event.id", &["id", "type", "nope"]);
    push(chance, &mut keys, 6, "table.field.event.key", &["aggregateid", "id", "nope", ""]);
    push(chance, &mut keys, 10, "table.field.event.payload", &["payload", "type", "nope"]);
    push(chance, &mut keys, 4, "table.field.event.timestamp", &["at", "n", "nope"]);
    push(chance, &mut keys, 5, "table.field.event.schema.version", &["version", "nope", "type"]);
    let placements = [
        "type:header",
        "type:header:eventType",
        "type:envelope",
        "type:envelope:eventType,aggregateid:envelope",
        "n:partition",
        "version:partition",
        "version:header,type:envelope",
        "nope:header",
        "type",
        "type:nowhere",
    ];
    push(chance, &mut keys, 2, "table.fields.additional.placement", &placements);
    push(chance, &mut keys, 3, "table.field.additional.missing", &["error", "ignore"]);
    push(chance, &mut keys, 6, "route.by.field", &["aggregatetype", "type", "nope"]);
    push(chance, &mut keys, 6, "route.topic.regex", &["(.*)", "(?<routedByValue>[a-z]+)", "order", "("]);
    let replacements = ["${routedByValue}", "x.${routedByValue}.events", "fixed"];
    push(chance, &mut keys, 4, "route.topic.replacement", &replacements);
    push(chance, &mut keys, 3, "route.tombstone.on.empty.payload", &["true", "false"]);
    push(chance, &mut keys, 3, "table.op.invalid.behavior", &["warn", "error", "fatal", "x"]);
    push(chance, &mut keys, 2, "table.expand.json.payload", &["true", "false"]);
    push(chance, &mut keys, 4, "table.json.payload.null.behavior", &["ignore", "optional_bytes"]);
    keys
}

fn by_table(chance: &mut Chance) -> Keys {
    let mut keys = Keys::new();
    push(chance, &mut keys, 20, "x", &["y"]);
    keys.push((
        "topic.regex",
        pick(chance, &["(.*)_\\d", "(.*)(orders|rows)(.*)", "none", "(.*)", "("]).to_owned(),
    ));
    keys.push(("topic.replacement", pick(chance, &["$1", "$1all", "fixed", "$1$2", "$9"]).to_owned()));
    push(chance, &mut keys, 3, "key.enforce.uniqueness", &["true", "false"]);
    push(chance, &mut keys, 4, "key.field.name", &["__dbz__physicalTableIdentifier", "shard", "id"]);
    if rarely(chance, 4) {
        keys.push(("key.field.regex", pick(chance, &["(.*)_(\\d)", "nope"]).to_owned()));
        keys.push(("key.field.replacement", pick(chance, &["$2", "$1", "fixed"]).to_owned()));
    }
    keys
}

fn optional(chance: &mut Chance, builder: SchemaBuilder) -> Schema {
    let builder = if rarely(chance, 2) { builder.optional() } else { builder };
    builder.build().unwrap()
}

fn row(chance: &mut Chance) -> Schema {
    let mut builder =
        Schema::structure().optional().name("srv.public.rows.Value").field("id", Schema::of(Type::Int32));
    builder = builder.field("name", optional(chance, Schema::builder(Type::String)));
    if rarely(chance, 2) {
        builder = builder.field("n", optional(chance, Schema::builder(Type::Int64)));
    }
    if rarely(chance, 3) {
        let defaulted =
            Schema::builder(Type::String).optional().default_value(Value::from("d")).build().unwrap();
        builder = builder.field("d", defaulted);
    }
    if rarely(chance, 4) {
        builder = builder.field("__op", Schema::optional(Type::String));
    }
    builder.build().unwrap()
}

fn outbox_row(chance: &mut Chance) -> Schema {
    let text = |chance: &mut Chance| optional(chance, Schema::builder(Type::String));
    let mut builder = Schema::structure().optional();
    if !rarely(chance, 5) {
        builder = builder.name(pick(chance, &["srv.public.outbox.Value", "Value"]));
    }
    builder = builder.field("id", Schema::of(Type::String));
    for name in ["aggregatetype", "aggregateid", "type"] {
        builder = builder.field(name, text(chance));
    }
    let payload = match chance.below(6) {
        0 => Schema::optional(Type::Bytes),
        1 => Schema::structure().optional().field("inner", Schema::of(Type::Int32)).build().unwrap(),
        _ => text(chance),
    };
    builder = builder.field("payload", payload);
    builder = builder.field("n", optional(chance, Schema::builder(Type::Int64)));
    builder = builder.field("version", optional(chance, Schema::builder(Type::Int32)));
    let unit =
        ["io.debezium.time.Timestamp", "io.debezium.time.MicroTimestamp", "io.debezium.time.NanoTimestamp"];
    let unit = pick(chance, &unit);
    builder = builder.field("at", optional(chance, Schema::builder(Type::Int64).name(unit)));
    builder.build().unwrap()
}

fn envelope(chance: &mut Chance, row: &Schema) -> Schema {
    let mut source = Schema::structure()
        .name("io.debezium.connector.postgresql.Source")
        .field("db", Schema::of(Type::String))
        .field("table", Schema::of(Type::String))
        .field("ts_ms", Schema::of(Type::Int64));
    if rarely(chance, 2) {
        source = source.field("lsn", Schema::optional(Type::Int64));
    }
    let mut builder = Schema::structure()
        .name(pick(chance, &["srv.public.rows.Envelope", "srv.public.rows.Envelope", "other"]))
        .field("before", row.clone())
        .field("after", row.clone())
        .field("source", source.build().unwrap())
        .field("op", Schema::of(Type::String));
    for name in ["ts_ms", "ts_us", "ts_ns"] {
        builder = builder.field(name, Schema::optional(Type::Int64));
    }
    let transaction = Schema::structure()
        .optional()
        .name("event.block")
        .version(1)
        .field("id", Schema::of(Type::String))
        .field("total_order", Schema::of(Type::Int64))
        .field("data_collection_order", Schema::of(Type::Int64));
    builder.field("transaction", transaction.build().unwrap()).build().unwrap()
}

/// A value of `schema`, null now and then where that is allowed.
fn drawn(chance: &mut Chance, name: &str, schema: &Schema) -> Value {
    const TEXTS: &[&str] = &["order", "Customer", "a.b", "", " ", "x1"];
    const PAYLOADS: &[&str] = &[
        "plain",
        "",
        " ",
        "{\"a\":1,\"b\":\"x\"}",
        "{\"a\":null,\"b\":[1,2]}",
        "{\"a\":{\"b\":[{\"c\":1},{\"c\":2}]}}",
        "[1,2,3]",
        "[{\"a\":1,\"b\":true},{\"a\":2,\"b\":false}]",
        "[1,\"x\"]",
        "[]",
        "{}",
        "{broken",
        "{\"big\":5000000000,\"f\":1.0,\"t\":true,\"e\":[]}",
        "{\"n\":[null,1],\"m\":[null]}",
        "\"text\"",
        "{\"nested\":{\"deep\":{\"x\":[[1],[2]]}}}",
    ];
    if schema.is_optional() && rarely(chance, 4) {
        return Value::Null;
    }
    match schema.ty() {
        Type::Struct => {
            let values = schema.fields().iter().map(|field| drawn(chance, field.name(), field.schema()));
            let values = values.collect();
            structure(schema.clone(), values)
        }
        Type::Int32 => Value::Int32(i32::try_from(chance.below(5)).unwrap()),
        Type::Int64 => Value::Int64(1_700_000_000_123_456 + chance.below(1000).cast_signed()),
        Type::Bytes => Value::Bytes(vec![1, 2].into()),
        _ if name == "payload" => pick(chance, PAYLOADS).into(),
        _ => pick(chance, TEXTS).into(),
    }
}

fn event(chance: &mut Chance, row: &Schema, envelope: &Schema) -> Value {
    let op = pick(chance, &["c", "c", "u", "d", "r", "t"]);
    let image = |chance: &mut Chance, wanted: bool| {
        let values = row.fields().iter().map(|field| drawn(chance, field.name(), field.schema()));
        let values: Vec<Value> = values.collect();
        if wanted { structure(row.clone(), values) } else { Value::Null }
    };
    let before = matches!(op, "u" | "d") && !rarely(chance, 5);
    let after = matches!(op, "c" | "u" | "r");
    let values = envelope.fields().iter().map(|field| match field.name().as_str() {
        "before" => image(chance, before),
        "after" => image(chance, after),
        "op" => op.into(),
        name => drawn(chance, name, field.schema()),
    });
    let values = values.collect();
    structure(envelope.clone(), values)
}

fn record(chance: &mut Chance, row: &Schema, envelope: &Schema, sink: bool) -> Record {
    let value = match chance.below(14) {
        0 => Datum::NULL,
        1 => Datum::new(Schema::optional(Type::String), Value::Null),
        2 => Datum::schemaless(schemaless_map(chance, 1)),
        3 => Datum::new(row.clone(), drawn(chance, "", row)),
        _ => Datum::new(envelope.clone(), event(chance, row, envelope)),
    };
    let key_schema = Schema::structure()
        .name("srv.public.rows.Key")
        .field("id", Schema::of(Type::Int32))
        .field("name", Schema::optional(Type::String))
        .build()
        .unwrap();
    let key = match chance.below(6) {
        0 => Datum::NULL,
        1 => Datum::new(Schema::of(Type::String), "k"),
        _ => {
            let value = drawn(chance, "", &key_schema);
            Datum::new(key_schema, value)
        }
    };
    let mut headers = Vec::new();
    if rarely(chance, 4) {
        let names = Schema::builder(Type::Array).values(Schema::of(Type::String)).build().unwrap();
        headers.push(("dropped", Datum::new(names, Value::from(vec!["name".into(), "n".into()]))));
    }
    let mut record = new_record(sink, key, value, headers);
    record.topic = pick(chance, &["srv.public.rows_1", "srv.public.orders", "t"]).into();
    record.timestamp = Some(5);
    record.partition = Some(3);
    record
}
