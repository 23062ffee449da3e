//! Cases and results as JSON, as `testdata/java/TransformOracle.java` reads and prints them.
//!
//! A case has the class, its configuration, schemas and records, which name schemas by number. Values carry a tag, because Java's types say more than JSON's: `["i8",1]`, `["f64",BITS]`, `["b",BASE64]`,
//! `["d",EPOCH_MS]`, `["n",UNSCALED,SCALE]`, `["l",[…]]`, `["m",[[KEY,VALUE],…]]` and, by position, `["r",[…]]`. Results
//! are records whose schemas are written out, `{"drop":true}`, `{"test":…}`, `{"error":CLASS,"message":…}`, or, for the
//! case as a whole, `{"refused":CLASS,"message":…}`.

use lavka_api::data::{
    Datum, Header, Headers, Object, Record, RecordKind, Schema, Struct, TimestampType, Value,
};
use serde_json::{Value as Json, json};

const DAY_MS: i64 = 86_400_000;

/// A record whose schemas are held once for the case.
pub(crate) fn record(record: &Record, schemas: &mut Vec<Schema>) -> Json {
    let offset = match record.kind {
        RecordKind::Sink { offset, .. } => Some(offset),
        RecordKind::Source => None,
    };
    let mut by_number = |datum: &Datum| {
        let number = datum.schema.as_ref().map(|schema| {
            schemas.iter().position(|known| known == schema).unwrap_or_else(|| {
                schemas.push(schema.clone());
                schemas.len() - 1
            })
        });
        json!({"schema": number, "value": value(&datum.value, Entries::AsTheyCome)})
    };
    let headers: Vec<Json> =
        record.headers.iter().map(|header| json!([header.key.as_str(), by_number(&header.datum)])).collect();
    json!({
        "topic": record.topic.as_str(),
        "partition": record.partition,
        "timestamp": record.timestamp,
        "offset": offset,
        "key": by_number(&record.key),
        "value": by_number(&record.value),
        "headers": headers,
    })
}

/// A schema with all that it says.
pub(crate) fn schema(schema: &Schema) -> Json {
    let parameters: Vec<Json> =
        schema.parameters().iter().map(|(key, text)| json!([key.as_str(), text.as_str()])).collect();
    let fields: Vec<Json> = schema
        .fields()
        .iter()
        .map(|field| json!([field.name().as_str(), self::schema(field.schema())]))
        .collect();
    json!({
        "type": schema.ty().name(),
        "optional": schema.is_optional(),
        "default": schema.default_value().map(|default| value(default, Entries::Sorted)),
        "name": schema.name().map(|name| name.as_str()),
        "version": schema.version(),
        "doc": schema.doc().map(|doc| doc.as_str()),
        "parameters": parameters,
        "fields": fields,
        "keys": schema.keys().map(self::schema),
        "values": schema.values().map(self::schema),
    })
}

/// A record as a result.
pub(crate) fn result(record: &Record) -> Json {
    let datum = |datum: &Datum| json!({"schema": datum.schema.as_ref().map(schema), "value": value(&datum.value, Entries::Sorted)});
    let headers: Vec<Json> =
        record.headers.iter().map(|header| json!([header.key.as_str(), datum(&header.datum)])).collect();
    json!({
        "topic": record.topic.as_str(),
        "partition": record.partition,
        "timestamp": record.timestamp,
        "key": datum(&record.key),
        "value": datum(&record.value),
        "headers": headers,
    })
}

/// The order of a map's entries.
#[derive(Clone, Copy, PartialEq)]
enum Entries {
    AsTheyCome,
    /// In an order of their own, for Java's results have none.
    Sorted,
}

fn value(value: &Value, order: Entries) -> Json {
    let inner = |value: &Value| self::value(value, order);
    match value {
        Value::Null => Json::Null,
        Value::Boolean(v) => json!(["z", v]),
        Value::Int8(v) => json!(["i8", v]),
        Value::Int16(v) => json!(["i16", v]),
        Value::Int32(v) => json!(["i32", v]),
        Value::Int64(v) => json!(["i64", v]),
        Value::Float32(v) if v.is_nan() => json!(["f32", 0x7fc0_0000_i32]),
        Value::Float32(v) => json!(["f32", v.to_bits().cast_signed()]),
        Value::Float64(v) if v.is_nan() => json!(["f64", 0x7ff8_0000_0000_0000_i64]),
        Value::Float64(v) => json!(["f64", v.to_bits().cast_signed()]),
        Value::String(v) => json!(["s", v.as_str()]),
        // Text of bytes is Base64, which serves here too.
        Value::Bytes(_) => json!(["b", lavka_api::java::plain_text(value)]),
        Value::Date(days) => json!(["d", i64::from(*days) * DAY_MS]),
        Value::Time(ms) => json!(["d", ms]),
        Value::Timestamp(ms) => json!(["d", ms]),
        Value::Decimal(v) => json!(["n", v.unscaled().to_string(), v.scale()]),
        Value::Array(items) => json!(["l", items.iter().map(inner).collect::<Vec<_>>()]),
        Value::Map(entries) => map(entries.iter().map(|(key, item)| (inner(key), inner(item))), order),
        Value::Object(object) => {
            map(object.iter().map(|(key, item)| (json!(["s", key.as_str()]), inner(item))), order)
        }
        Value::Struct(record) => json!(["r", record.values().iter().map(inner).collect::<Vec<_>>()]),
    }
}

fn map(entries: impl Iterator<Item = (Json, Json)>, order: Entries) -> Json {
    let mut entries: Vec<Json> = entries.map(|(key, item)| json!([key, item])).collect();
    if order == Entries::Sorted {
        entries.sort_by_key(Json::to_string);
    }
    json!(["m", entries])
}

/// A struct of `schema`.
pub(crate) fn structure(schema: Schema, values: Vec<Value>) -> Value {
    Struct::new(schema, values).unwrap().into()
}

/// A schemaless map with string keys; of two equal ones the last counts.
pub(crate) fn object(entries: Vec<(String, Value)>) -> Value {
    Object::from_entries(entries).into()
}

/// A sink record, or a source record.
pub(crate) fn new_record(sink: bool, key: Datum, value: Datum, headers: Vec<(&str, Datum)>) -> Record {
    let kind = if sink {
        RecordKind::Sink { offset: 12, timestamp_type: TimestampType::CreateTime }
    } else {
        RecordKind::Source
    };
    let headers: Headers =
        headers.into_iter().map(|(key, datum)| Header { key: key.into(), datum }).collect();
    Record { key, value, headers, kind, ..Record::for_topic("t") }
}
