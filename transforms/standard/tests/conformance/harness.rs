//! Runs one record through one plugin, and tables of such runs.

use lavka_api::Error;
use lavka_api::config::Config;
use lavka_api::data::{
    Datum, Logical, Object, Record, RecordKind, Schema, Struct, TimestampType, Type, Value,
};
use lavka_api::plugin::{Catalogue, Factory, PluginKind, Predicate, Transform, Verdict};

pub(crate) type Keys<'a> = &'a [(&'a str, &'a str)];

fn config(keys: Keys<'_>) -> Config {
    keys.iter().copied().collect()
}

/// The transform of a short name such as `Cast$Value`, or of a whole one that is not Apache Kafka's. Its configuration passes validation exactly if it can be made,
/// except for what only the whole configuration tells.
pub(crate) fn transform(name: &str, keys: Keys<'_>) -> Result<Box<dyn Transform>, Error> {
    let catalogue = Catalogue::new(lavka_transforms::plugins());
    let kafkas = format!("org.apache.kafka.connect.transforms.{name}");
    let class = if name.starts_with("io.") { name } else { &kafkas };
    let plugin = catalogue.find(class, |kind| kind == PluginKind::Transformation).unwrap();
    assert_eq!(plugin.version, lavka_api::KAFKA_VERSION);
    let Factory::Transform(make) = plugin.factory else { panic!("{name} is no transform") };
    let made = make(&config(keys));
    let reports = (plugin.definition)().validate(&config(keys));
    if let Some(error) = reports.into_iter().flat_map(|report| report.errors).next() {
        assert_eq!(made.as_ref().err().and_then(Error::message), Some(error.as_str()));
    }
    made
}

/// What is wrong with a configuration.
pub(crate) fn refusal(name: &str, keys: Keys<'_>) -> String {
    let error = transform(name, keys).err().unwrap();
    assert_eq!(error.class(), lavka_api::ErrorClass::Config);
    error.message().unwrap().to_owned()
}

pub(crate) fn predicate(name: &str, keys: Keys<'_>) -> Result<Box<dyn Predicate>, Error> {
    let catalogue = Catalogue::new(lavka_transforms::plugins());
    let class = format!("org.apache.kafka.connect.transforms.predicates.{name}");
    let plugin = catalogue.find(&class, |kind| kind == PluginKind::Predicate).unwrap();
    let Factory::Predicate(make) = plugin.factory else { panic!("{name} is no predicate") };
    make(&config(keys))
}

/// A sink record t/0/0/789 with `value`.
pub(crate) fn sink(value: Datum) -> Record {
    Record {
        partition: Some(0),
        timestamp: Some(789),
        value,
        kind: RecordKind::Sink { offset: 0, timestamp_type: TimestampType::CreateTime },
        ..Record::for_topic("t")
    }
}

/// Applies a transform to `record`. After an error the record must be as it was.
pub(crate) fn apply_to(name: &str, keys: Keys<'_>, record: Record) -> Result<Record, Error> {
    let mut transform = transform(name, keys)?;
    let mut changed = record.clone();
    match transform.apply(&mut changed) {
        Ok(verdict) => {
            assert_eq!(verdict, Verdict::Keep);
            Ok(changed)
        }
        Err(error) => {
            assert_eq!(format!("{changed:?}"), format!("{record:?}"), "the record must be left as it was");
            Err(error)
        }
    }
}

/// The value that comes of `value`.
pub(crate) fn apply(name: &str, keys: Keys<'_>, value: Datum) -> Result<Datum, Error> {
    apply_to(name, keys, sink(value)).map(|record| record.value)
}

/// The exception and message that come of `value`.
pub(crate) fn failure(name: &str, keys: Keys<'_>, record: Record) -> (&'static str, String) {
    let error = apply_to(name, keys, record).unwrap_err();
    assert_eq!(error.class(), lavka_api::ErrorClass::Data);
    let exception = error.exception().rsplit('.').next().unwrap();
    (exception, error.message().unwrap_or_default().to_owned())
}

/// A schemaless map.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Datum {
    Datum::schemaless(Object::from_entries(entries))
}

/// A struct whose unnamed schema has these fields.
pub(crate) fn record<const N: usize>(fields: [(&str, Schema, Value); N]) -> Datum {
    let mut builder = Schema::structure();
    let mut values = Vec::new();
    for (name, schema, value) in fields {
        builder = builder.field(name, schema);
        values.push(value);
    }
    of(builder.build().unwrap(), values)
}

/// A struct of `schema`.
pub(crate) fn of(schema: Schema, values: Vec<Value>) -> Datum {
    Datum::new(schema.clone(), Struct::new(schema, values).unwrap())
}

/// A run, by the row of the conformance table that it shows, or a sentence of its own.
pub(crate) struct Case {
    pub(crate) row: &'static str,
    check: Box<dyn Fn()>,
}

impl Case {
    pub(crate) fn new(row: &'static str, check: impl Fn() + 'static) -> Self {
        Self { row, check: Box::new(check) }
    }
}

/// The value that comes of a value in a sink record.
pub(crate) fn gives(
    row: &'static str,
    name: &'static str,
    keys: Keys<'static>,
    given: Datum,
    expected: Datum,
) -> Case {
    Case::new(row, move || assert_eq!(apply(name, keys, given.clone()).unwrap(), expected, "{row} {keys:?}"))
}

/// The record that comes of a record.
pub(crate) fn makes(
    row: &'static str,
    name: &'static str,
    keys: Keys<'static>,
    given: Record,
    expected: Record,
) -> Case {
    Case::new(row, move || {
        assert_eq!(apply_to(name, keys, given.clone()).unwrap(), expected, "{row} {keys:?}");
    })
}

/// The exception and its message; one that ends in an ellipsis is the beginning of it.
pub(crate) fn fails(
    row: &'static str,
    name: &'static str,
    keys: Keys<'static>,
    given: Record,
    exception: &'static str,
    message: &'static str,
) -> Case {
    Case::new(row, move || {
        let (found, text) = failure(name, keys, given.clone());
        assert_eq!(found, exception, "{row} {keys:?}");
        assert_text(&text, message, row);
    })
}

/// As [`fails`], with a `DataException`, for a value in a sink record.
pub(crate) fn fails_with_data(
    row: &'static str,
    name: &'static str,
    keys: Keys<'static>,
    given: Datum,
    message: &'static str,
) -> Case {
    fails(row, name, keys, sink(given), "DataException", message)
}

/// What is wrong with a configuration.
pub(crate) fn refuses(
    row: &'static str,
    name: &'static str,
    keys: Keys<'static>,
    message: &'static str,
) -> Case {
    Case::new(row, move || assert_text(&refusal(name, keys), message, row))
}

fn assert_text(found: &str, expected: &str, row: &str) {
    match expected.strip_suffix('…') {
        Some(start) => assert!(found.starts_with(start), "{row}: {found}"),
        None => assert_eq!(found, expected, "{row}"),
    }
}

/// Runs a table.
pub(crate) fn run(table: Vec<Case>) {
    for case in table {
        (case.check)();
    }
}

/// A schemaless value.
pub(crate) fn bare(value: impl Into<Value>) -> Datum {
    Datum::schemaless(value)
}

/// A value of a primitive type with its plain schema.
pub(crate) fn typed(ty: Type, value: impl Into<Value>) -> Datum {
    Datum::new(Schema::of(ty), value)
}

/// A value of a logical type with its schema.
pub(crate) fn logical(logical: Logical, value: impl Into<Value>) -> Datum {
    Datum::new(Schema::logical_of(logical), value)
}

/// A schemaless map as JSON writes it, for maps that nest.
pub(crate) fn json(text: &str) -> Datum {
    bare(lavka_converters::json::parse(text.as_bytes()).unwrap())
}
