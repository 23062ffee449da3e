//! Confluent's transforms, after their documentation.

use lavka_api::data::{Datum, Record, Schema, Type, Value};
use lavka_api::plugin::{RemarkLevel, Verdict};

use crate::harness::{
    Case, Keys, apply_to, bare, fails, fails_with_data, gives, json, makes, map, record, refuses, run, sink,
    transform, typed,
};

const DROP: &str = "io.confluent.connect.transforms.Drop$Value";
const FROM_VALUE: &str = "io.confluent.connect.transforms.ExtractTopic$Value";
const FROM_HEADER: &str = "io.confluent.connect.transforms.ExtractTopic$Header";
const UNZIP: &str = "io.confluent.connect.transforms.GzipDecompress$Value";
const BY_TIME: &str = "io.confluent.connect.transforms.MessageTimestampRouter";
const TOMBSTONES: &str = "io.confluent.connect.transforms.TombstoneHandler";

/// `Hello world`, packed twice, one after the other.
const PACKED: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0x28, 0xcf, 0x2f, 0xca, 0x49, 1,
    0, 0x52, 0x9e, 0xd6, 0x8b, 0x0b, 0, 0, 0,
];

fn routes(
    row: &'static str,
    name: &'static str,
    keys: Keys<'static>,
    given: Record,
    topic: &'static str,
) -> Case {
    let expected = Record { topic: topic.into(), ..given.clone() };
    makes(row, name, keys, given, expected)
}

fn drops() -> Vec<Case> {
    let text = || typed(Type::String, "x");
    let optional = Schema::optional(Type::String);
    vec![
        gives("Drop, by default with the schema", DROP, &[], text(), Datum::NULL),
        gives(
            "Drop, retain",
            DROP,
            &[("schema.behavior", "retain")],
            text(),
            typed(Type::String, Value::Null),
        ),
        gives(
            "Drop, force_optional",
            DROP,
            &[("schema.behavior", "force_optional")],
            text(),
            Datum::new(optional.clone(), Value::Null),
        ),
        gives(
            "Drop, validate",
            DROP,
            &[("schema.behavior", "validate")],
            Datum::new(optional.clone(), "x"),
            Datum::new(optional, Value::Null),
        ),
        fails_with_data(
            "Drop, validate a schema without null",
            DROP,
            &[("schema.behavior", "validate")],
            text(),
            "the schema Schema{STRING} allows no null…",
        ),
        refuses(
            "Drop, an unknown behaviour",
            DROP,
            &[("schema.behavior", "x")],
            "Invalid value x for configuration schema.behavior: String must be one of (case insensitive): nullify, \
             retain, validate, force_optional",
        ),
    ]
}

fn topics() -> Vec<Case> {
    let f2 = || record([("f2", Schema::of(Type::String), "orders".into())]);
    let mut with_header = sink(Datum::NULL);
    with_header.headers.add("to", typed(Type::String, "first"));
    with_header.headers.add("to", typed(Type::String, "last"));
    vec![
        routes("ExtractTopic, the whole value", FROM_VALUE, &[], sink(bare("orders")), "orders"),
        routes("ExtractTopic, a field", FROM_VALUE, &[("field", "f2")], sink(f2()), "orders"),
        routes(
            "ExtractTopic, a path",
            FROM_VALUE,
            &[("field", "$[\"f1\"][\"f3\"]"), ("field.format", "JSON_PATH")],
            sink(json(r#"{"f1":{"f3":"deep"}}"#)),
            "deep",
        ),
        routes("ExtractTopic, a header", FROM_HEADER, &[("field", "to")], with_header, "last"),
        routes(
            "ExtractTopic, skipped",
            FROM_VALUE,
            &[("field", "zz"), ("skip.missing.or.null", "true")],
            sink(f2()),
            "t",
        ),
        fails_with_data(
            "ExtractTopic, missing",
            FROM_VALUE,
            &[("field", "zz")],
            f2(),
            "ExtractTopic: the field zz of the value is missing or null",
        ),
        fails_with_data(
            "ExtractTopic, no text",
            FROM_VALUE,
            &[("field", "n")],
            map([("n", Value::Int64(1))]),
            "ExtractTopic: the field n of the value has to be a java.lang.String, and is a java.lang.Long",
        ),
        refuses(
            "ExtractTopic, no header",
            FROM_HEADER,
            &[],
            "Invalid value  for configuration field: ExtractTopic$Header needs the name of the header",
        ),
        refuses(
            "ExtractTopic, no path",
            FROM_VALUE,
            &[("field", "$..a"), ("field.format", "JSON_PATH")],
            "Invalid value $..a for configuration field: $..a is no path to one value…",
        ),
    ]
}

fn times() -> Vec<Case> {
    const DOCUMENTED: Keys<'static> = &[
        ("topic.format", "foo-${topic}-${timestamp}"),
        ("message.timestamp.format", "yyyy-MM-dd"),
        ("topic.timestamp.format", "yyyy.MM.dd"),
        ("message.timestamp.keys", "timestamp,time,ts"),
    ];
    let bar = |value| Record { topic: "bar".into(), ..sink(value) };
    vec![
        routes(
            "MessageTimestampRouter, a text",
            BY_TIME,
            DOCUMENTED,
            bar(json(r#"{"time":"2019-08-06","ts":"x"}"#)),
            "foo-bar-2019.08.06",
        ),
        routes(
            "MessageTimestampRouter, a number",
            BY_TIME,
            DOCUMENTED,
            bar(json(r#"{"timestamp":null,"ts":1565049600000}"#)),
            "foo-bar-2019.08.06",
        ),
        fails(
            "MessageTimestampRouter, no such field",
            BY_TIME,
            DOCUMENTED,
            bar(json("{}")),
            "DataException",
            "MessageTimestampRouter: the value has none of the fields timestamp, time, ts (message.timestamp.keys)",
        ),
        fails(
            "MessageTimestampRouter, another pattern",
            BY_TIME,
            DOCUMENTED,
            bar(json(r#"{"ts":"x"}"#)),
            "DataException",
            "MessageTimestampRouter: the field ts does not match message.timestamp.format (yyyy-MM-dd)",
        ),
        fails(
            "MessageTimestampRouter, no map",
            BY_TIME,
            DOCUMENTED,
            bar(bare("x")),
            "DataException",
            "Only Map objects supported in absence of schema for [routing by a time in the value], found: \
             java.lang.String",
        ),
    ]
}

fn others() -> Vec<Case> {
    let bytes = |bytes: &[u8]| typed(Type::Bytes, Value::Bytes(bytes.into()));
    vec![
        gives("GzipDecompress", UNZIP, &[], bytes(PACKED), bytes(b"Hello world")),
        gives(
            "GzipDecompress, members in a row",
            UNZIP,
            &[],
            bytes(&[PACKED, PACKED].concat()),
            bytes(b"Hello worldHello world"),
        ),
        gives("GzipDecompress, null", UNZIP, &[], Datum::NULL, Datum::NULL),
        fails_with_data(
            "GzipDecompress, other bytes",
            UNZIP,
            &[],
            bytes(b"Hello world"),
            "GzipDecompress was given bytes that are not gzip's",
        ),
        fails_with_data(
            "GzipDecompress, cut short",
            UNZIP,
            &[],
            bytes(&PACKED[..20]),
            "GzipDecompress was given…",
        ),
        fails_with_data(
            "GzipDecompress, a text",
            UNZIP,
            &[],
            bare("x"),
            "GzipDecompress unpacks bytes alone, and was given java.lang.String",
        ),
        makes(
            "TombstoneHandler, a value",
            TOMBSTONES,
            &[("behavior", "fail")],
            sink(bare("x")),
            sink(bare("x")),
        ),
        fails(
            "TombstoneHandler, fail",
            TOMBSTONES,
            &[("behavior", "fail")],
            sink(Datum::new(Schema::optional(Type::String), Value::Null)),
            "DataException",
            "a record of topic t has no value (a tombstone)…",
        ),
    ]
}

#[test]
fn rows() {
    run([drops(), topics(), times(), others()].into_iter().flatten().collect());
}

#[test]
fn tombstones_are_dropped() {
    for keys in [&[][..], &[("behavior", "ignore")], &[("behavior", "WARN")]] {
        let mut handler = transform(TOMBSTONES, keys).unwrap();
        for _ in 0..3 {
            assert_eq!(handler.apply(&mut sink(Datum::NULL)).ok(), Some(Verdict::Drop), "{keys:?}");
        }
        let said: Vec<_> =
            handler.take_remarks().into_iter().map(|remark| (remark.level, remark.times)).collect();
        let warned = keys != [("behavior", "ignore")];
        assert_eq!(said, if warned { vec![(RemarkLevel::Warn, 3)] } else { vec![] }, "{keys:?}");
        assert!(handler.take_remarks().is_empty(), "said once");
    }
}

#[test]
fn keys_are_dropped_too() {
    let given = Record { key: bare("k"), ..sink(bare("v")) };
    let made = apply_to("io.confluent.connect.transforms.Drop$Key", &[], given.clone()).unwrap();
    assert_eq!(made, Record { key: Datum::NULL, ..given });
}
