//! Every transform and predicate of this crate keeps what the runtime counts on.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use lavka_api::config::Config;
use lavka_api::data::{Datum, Header, Headers, Object, Record, Schema, Struct, Type, Value};
use lavka_api::plugin::{Catalogue, Plugin};
use lavka_testkit::acceptance::{self, PredicateAcceptance, Report, Tombstones, TransformAcceptance};

const PACKAGE: &str = "org.apache.kafka.connect.transforms.";

/// Where a transform works.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Key,
    Value,
}

impl Side {
    fn record(self, datum: Datum) -> Record {
        let base = Record { timestamp: Some(1_700_000_000_000), ..Record::for_topic("readings") };
        match self {
            Side::Key => Record { key: datum, value: Datum::schemaless("v"), ..base },
            Side::Value => Record { key: Datum::schemaless("k"), value: datum, ..base },
        }
    }

    /// A schemaless map.
    fn map<const N: usize>(self, entries: [(&str, Value); N]) -> Record {
        self.record(Datum::schemaless(Object::from_entries(entries)))
    }

    /// A struct of optional fields.
    fn structure<const N: usize>(self, fields: [(&str, Type, Value); N]) -> Record {
        let mut builder = Schema::structure().name("reading").version(2);
        let mut values = Vec::new();
        for (name, ty, value) in fields {
            builder = builder.field(name, Schema::optional(ty));
            values.push(value);
        }
        let schema = builder.build().unwrap();
        self.record(Datum::new(schema.clone(), Struct::new(schema, values).unwrap()))
    }

    /// A reading with a number and a text, with and without a schema.
    fn readings(self) -> [Record; 2] {
        [
            self.structure([("t", Type::Float64, 21.5.into()), ("device", Type::String, "d-1".into())]),
            self.map([("t", 21.5.into()), ("device", "d-1".into())]),
        ]
    }

    /// A struct without the field `t`.
    fn other(self) -> Record {
        self.structure([("other", Type::Int32, Value::Int32(1))])
    }
}

fn plugin(name: &str) -> Plugin {
    let catalogue = Catalogue::new(lavka_transforms::plugins());
    catalogue.find(&format!("{PACKAGE}{name}"), |kind| !kind.is_connector()).unwrap().clone()
}

/// Both variants of a transform, each made ready by `with`.
fn sided(name: &str, with: impl Fn(Side, TransformAcceptance) -> TransformAcceptance) {
    for side in [Side::Key, Side::Value] {
        with(side, acceptance::transform(plugin(&format!("{name}${side:?}")))).check().assert_clean();
    }
}

fn transform(name: &str, config: impl Into<Config>) -> TransformAcceptance {
    acceptance::transform(plugin(name)).config(config)
}

fn records(mut suite: TransformAcceptance, records: impl IntoIterator<Item = Record>) -> TransformAcceptance {
    for record in records {
        suite = suite.record(record);
    }
    suite
}

#[test]
fn cast() {
    sided("Cast", |side, suite| {
        let suite = suite.config([("spec", "t:int32,device:string")]).refuses("spec", "t:int128");
        // In a schemaless map Connect puts a null where the field is missing.
        records(suite, side.readings()).untouched(side.other())
    });
}

#[test]
fn extract_field() {
    sided("ExtractField", |side, suite| records(suite.config([("field", "t")]), side.readings()));
}

#[test]
fn flatten() {
    sided("Flatten", |side, suite| {
        let inner: Value = Object::from_entries([("x", Value::Int64(1)), ("y", "z".into())]).into();
        suite
            .record(side.map([("t", inner), ("device", "d-1".into())]))
            .untouched(side.map([("t", 1.0.into())]))
    });
}

#[test]
fn header_from() {
    sided("HeaderFrom", |side, suite| {
        let config = [("fields", "t,device"), ("headers", "temperature,device"), ("operation", "move")];
        let suite = suite.config(config).refuses("headers", "temperature").tombstones(Tombstones::Refuse);
        records(suite, side.readings())
    });
}

#[test]
fn hoist_field() {
    sided("HoistField", |side, suite| {
        records(suite.config([("field", "inner")]).tombstones(Tombstones::Change), side.readings())
    });
}

#[test]
fn insert_field() {
    sided("InsertField", |side, suite| {
        let config = [("topic.field", "from"), ("static.field", "site"), ("static.value", "north")];
        records(suite.config(config), side.readings())
    });
}

#[test]
fn mask_field() {
    sided("MaskField", |side, suite| {
        // As with Cast, a schemaless map gets a null.
        let suite = suite.config([("fields", "t")]).tombstones(Tombstones::Refuse);
        records(suite, side.readings()).untouched(side.other())
    });
}

#[test]
fn replace_field() {
    sided("ReplaceField", |side, suite| {
        let suite =
            suite.config([("exclude", "device"), ("renames", "t:temperature")]).refuses("renames", "t");
        records(suite, side.readings()).untouched(side.map([("other", 1_i64.into())]))
    });
}

#[test]
fn set_schema_metadata() {
    sided("SetSchemaMetadata", |side, suite| {
        let suite = suite.config([("schema.name", "org.example.Reading"), ("schema.version", "7")]);
        records(suite, side.readings().into_iter().take(1))
    });
}

#[test]
fn timestamp_converter() {
    sided("TimestampConverter", |side, suite| {
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
        transform("DropHeaders", [("headers", "a")])
            .record(Record { headers, ..map.clone() })
            .untouched(map.clone())
            .tombstones(Tombstones::Change)
    };
    let filter = transform("Filter", Config::new()).tombstones(Tombstones::Drop);
    let insert_header = transform("InsertHeader", [("header", "site"), ("value.literal", "north")])
        .tombstones(Tombstones::Change);
    let regex_router = transform("RegexRouter", [("regex", "(read)ings"), ("replacement", "$1-x")])
        .refuses("regex", "(")
        .untouched(Record { topic: "other".into(), ..map.clone() })
        .tombstones(Tombstones::Change);
    let timestamp_router =
        transform("TimestampRouter", [("timestamp.format", "yyyyMMddHH")]).tombstones(Tombstones::Change);
    let value_to_key = transform("ValueToKey", [("fields", "device")]).tombstones(Tombstones::Refuse);
    let suites = [filter, insert_header, regex_router, timestamp_router, value_to_key];
    for suite in suites {
        records(suite, [structure.clone(), map.clone()]).check().assert_clean();
    }
    drop_headers.check().assert_clean();
}

fn predicate(name: &str, config: impl Into<Config>) -> PredicateAcceptance {
    acceptance::predicate(plugin(&format!("predicates.{name}"))).config(config)
}

#[test]
fn predicates() {
    let [record, _] = Side::Value.readings();
    let headers = Headers::from_iter([Header { key: "a".into(), datum: Datum::NULL }]);
    let reports: [Report; 3] = [
        predicate("HasHeaderKey", [("name", "a")])
            .holds(Record { headers, ..record.clone() })
            .fails(record.clone())
            .check(),
        predicate("RecordIsTombstone", Config::new())
            .holds(Record { value: Datum::NULL, ..record.clone() })
            .fails(record.clone())
            .check(),
        predicate("TopicNameMatches", [("pattern", "read.*")])
            .refuses("pattern", "(")
            .holds(record.clone())
            .fails(Record { topic: "unread".into(), ..record })
            .check(),
    ];
    reports.iter().for_each(Report::assert_clean);
}

#[test]
fn none_was_forgotten() {
    let this = include_str!("acceptance.rs");
    for plugin in lavka_transforms::plugins() {
        let name = plugin.class.rsplit('.').next().unwrap_or_default().split('$').next().unwrap_or_default();
        assert!(this.contains(&format!("\"{name}\"")), "{} has no test here", plugin.class);
    }
}
