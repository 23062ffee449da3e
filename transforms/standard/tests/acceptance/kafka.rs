//! Kafka Connect's own.

use lavka_api::config::Config;
use lavka_api::data::{Datum, Header, Headers, Object, Record, Type, Value};
use lavka_testkit::acceptance::{self, PredicateAcceptance, Report, Tombstones};

use crate::{Side, plugin, records, sided, transform};

#[test]
fn cast() {
    sided("org.apache.kafka.connect.transforms.Cast", |side, suite| {
        let suite = suite.config([("spec", "t:int32,device:string")]).refuses("spec", "t:int128");
        // In a schemaless map Connect puts a null where the field is missing.
        records(suite, side.readings()).untouched(side.other())
    });
}

#[test]
fn extract_field() {
    sided("org.apache.kafka.connect.transforms.ExtractField", |side, suite| {
        records(suite.config([("field", "t")]), side.readings())
    });
}

#[test]
fn flatten() {
    sided("org.apache.kafka.connect.transforms.Flatten", |side, suite| {
        let inner: Value = Object::from_entries([("x", Value::Int64(1)), ("y", "z".into())]).into();
        suite
            .record(side.map([("t", inner), ("device", "d-1".into())]))
            .untouched(side.map([("t", 1.0.into())]))
    });
}

#[test]
fn header_from() {
    sided("org.apache.kafka.connect.transforms.HeaderFrom", |side, suite| {
        let config = [("fields", "t,device"), ("headers", "temperature,device"), ("operation", "move")];
        let suite = suite.config(config).refuses("headers", "temperature").tombstones(Tombstones::Refuse);
        records(suite, side.readings())
    });
}

#[test]
fn hoist_field() {
    sided("org.apache.kafka.connect.transforms.HoistField", |side, suite| {
        records(suite.config([("field", "inner")]).tombstones(Tombstones::Change), side.readings())
    });
}

#[test]
fn insert_field() {
    sided("org.apache.kafka.connect.transforms.InsertField", |side, suite| {
        let config = [("topic.field", "from"), ("static.field", "site"), ("static.value", "north")];
        records(suite.config(config), side.readings())
    });
}

#[test]
fn mask_field() {
    sided("org.apache.kafka.connect.transforms.MaskField", |side, suite| {
        // As with Cast, a schemaless map gets a null.
        let suite = suite.config([("fields", "t")]).tombstones(Tombstones::Refuse);
        records(suite, side.readings()).untouched(side.other())
    });
}

#[test]
fn replace_field() {
    sided("org.apache.kafka.connect.transforms.ReplaceField", |side, suite| {
        let suite =
            suite.config([("exclude", "device"), ("renames", "t:temperature")]).refuses("renames", "t");
        records(suite, side.readings()).untouched(side.map([("other", 1_i64.into())]))
    });
}

#[test]
fn set_schema_metadata() {
    sided("org.apache.kafka.connect.transforms.SetSchemaMetadata", |side, suite| {
        let suite = suite.config([("schema.name", "org.example.Reading"), ("schema.version", "7")]);
        records(suite, side.readings().into_iter().take(1))
    });
}

#[test]
fn timestamp_converter() {
    sided("org.apache.kafka.connect.transforms.TimestampConverter", |side, suite| {
        let at = Value::Int64(1_700_000_000_000);
        suite
            .config([("field", "at"), ("target.type", "string"), ("format", "yyyy-MM-dd'T'HH:mm:ss.SSS")])
            .refuses("target.type", "month")
            .record(side.structure([("at", Type::Int64, at.clone()), ("t", Type::Float64, 21.5.into())]))
            .record(side.map([("t", 21.5.into()), ("at", at)]))
    });
}

#[test]
fn transforms_of_the_whole_record() {
    let [structure, map] = Side::Value.readings();
    let drop_headers = {
        let header = |key: &str| Header { key: key.into(), datum: Datum::schemaless("h") };
        let headers = Headers::from_iter([header("a"), header("b"), header("a")]);
        transform("org.apache.kafka.connect.transforms.DropHeaders", [("headers", "a")])
            .record(Record { headers, ..map.clone() })
            .untouched(map.clone())
            .tombstones(Tombstones::Change)
    };
    let filter =
        transform("org.apache.kafka.connect.transforms.Filter", Config::new()).tombstones(Tombstones::Drop);
    let insert_header = transform(
        "org.apache.kafka.connect.transforms.InsertHeader",
        [("header", "site"), ("value.literal", "north")],
    )
    .tombstones(Tombstones::Change);
    let regex_router = transform(
        "org.apache.kafka.connect.transforms.RegexRouter",
        [("regex", "(read)ings"), ("replacement", "$1-x")],
    )
    .refuses("regex", "(")
    .untouched(Record { topic: "other".into(), ..map.clone() })
    .tombstones(Tombstones::Change);
    let timestamp_router = transform(
        "org.apache.kafka.connect.transforms.TimestampRouter",
        [("timestamp.format", "yyyyMMddHH")],
    )
    .tombstones(Tombstones::Change);
    let value_to_key = transform("org.apache.kafka.connect.transforms.ValueToKey", [("fields", "device")])
        .tombstones(Tombstones::Refuse);
    let suites = [filter, insert_header, regex_router, timestamp_router, value_to_key];
    for suite in suites {
        records(suite, [structure.clone(), map.clone()]).check().assert_clean();
    }
    drop_headers.check().assert_clean();
}

fn predicate(class: &str, config: impl Into<Config>) -> PredicateAcceptance {
    acceptance::predicate(plugin(class)).config(config)
}

#[test]
fn predicates() {
    let [record, _] = Side::Value.readings();
    let headers = Headers::from_iter([Header { key: "a".into(), datum: Datum::NULL }]);
    let reports: [Report; 3] = [
        predicate("org.apache.kafka.connect.transforms.predicates.HasHeaderKey", [("name", "a")])
            .holds(Record { headers, ..record.clone() })
            .fails(record.clone())
            .check(),
        predicate("org.apache.kafka.connect.transforms.predicates.RecordIsTombstone", Config::new())
            .holds(Record { value: Datum::NULL, ..record.clone() })
            .fails(record.clone())
            .check(),
        predicate("org.apache.kafka.connect.transforms.predicates.TopicNameMatches", [("pattern", "read.*")])
            .refuses("pattern", "(")
            .holds(record.clone())
            .fails(Record { topic: "unread".into(), ..record })
            .check(),
    ];
    reports.iter().for_each(Report::assert_clean);
}
