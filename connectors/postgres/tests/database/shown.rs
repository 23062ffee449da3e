//! Records as text, theirs and ours, and what may differ.

use std::collections::BTreeMap;

use lavka_api::data::{Datum, SourceRecord, Value};
use lavka_converters::json::{JsonWriter, WriteOptions};
use serde_json::Value as Json;

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) topic: String,
    pub(crate) partition: Option<i64>,
    pub(crate) server: Json,
    pub(crate) offset: BTreeMap<String, Json>,
    pub(crate) headers: Vec<(String, Option<Json>)>,
    /// As `JsonConverter` writes it, with its schema; `None` for none.
    pub(crate) key: Option<Json>,
    pub(crate) value: Option<Json>,
}

/// Fields of an envelope that say when the connector made it.
const MADE: [&str; 3] = ["ts_ms", "ts_us", "ts_ns"];
/// What in a snapshot's records says when and where it was taken: each connector takes one of its own.
const TAKEN: [&str; 6] = ["ts_ms", "ts_us", "ts_ns", "txId", "lsn", "sequence"];
/// The same in offsets.
const TAKEN_AT: [&str; 3] = ["lsn", "txId", "ts_usec"];
/// Debezium's snapshot has other sizes of some types than its stream; here both are as in its stream.
const SIZES: [&str; 2] = ["__debezium.source.column.length", "__debezium.source.column.scale"];
/// Another for each run.
const RUN: &str = "__debezium.context.runId";
/// Debezium counts logical messages under the name of a Java object, with its address.
const MESSAGES: &str = "LogicalDecodingMessageId";

/// Where a value is meant to be another than Debezium's: how its path ends, Debezium's value, ours.
///
/// Debezium has null for a `bytea` that was not sent where it becomes text; here it has the placeholder.
const MEANT: &[(&str, &str, &str)] =
    &[(".b", "null", "\"__debezium_unavailable_value\""), (".b", "null", "\"\u{FFFD}\\u0000\"")];

impl Shown {
    /// What `DebeziumTasks` says of a record.
    pub(crate) fn of_debezium(said: &Json) -> Self {
        let text = |json: &Json| json.as_str().map(|text| serde_json::from_str(text).unwrap());
        Self {
            topic: said["topic"].as_str().unwrap().to_owned(),
            partition: said["partition"].as_i64(),
            server: said["server"].clone(),
            offset: said["offset"].as_object().unwrap().clone().into_iter().collect(),
            headers: said["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|header| (header[0].as_str().unwrap().to_owned(), text(&header[1])))
                .collect(),
            key: text(&said["key"]),
            value: text(&said["value"]),
        }
    }

    pub(crate) fn of_ours(record: &SourceRecord) -> Self {
        let position = record.position.as_ref().unwrap();
        let record = &record.record;
        Self {
            topic: record.topic.to_string(),
            partition: record.partition.map(i64::from),
            server: object(position.partition.entries().iter()),
            offset: match object(position.offset.entries().iter()) {
                Json::Object(entries) => entries.into_iter().collect(),
                _ => BTreeMap::new(),
            },
            headers: record.headers.iter().map(|h| (h.key.to_string(), enveloped(&h.datum))).collect(),
            key: enveloped(&record.key),
            value: enveloped(&record.value),
        }
    }

    /// A field of the value, by its JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> &Json {
        self.value.as_ref().and_then(|value| value["payload"].pointer(pointer)).unwrap_or(&Json::Null)
    }

    /// With all that differs from run to run replaced, so that it is still seen whether it is there.
    pub(crate) fn steady(mut self) -> Self {
        let snapshot = self.offset.contains_key("snapshot");
        self.offset = std::mem::take(&mut self.offset)
            .into_iter()
            .filter(|(key, _)| !key.starts_with("lavka_"))
            .map(|(key, value)| match &*key {
                key if snapshot && TAKEN_AT.contains(&key) => (key.to_owned(), "<taken>".into()),
                key if key.contains(MESSAGES) => (MESSAGES.to_owned(), value),
                _ => (key, value),
            })
            .collect();
        for (key, value) in &mut self.headers {
            if key == RUN {
                *value = Some("<run>".into());
            }
        }
        for datum in [&mut self.key, &mut self.value] {
            if let Some(schema) =
                datum.as_mut().filter(|_| snapshot).and_then(|datum| datum.get_mut("schema"))
            {
                leave_out(schema, &SIZES);
            }
        }
        if let Some(payload) = self.value.as_mut().and_then(|value| value.get_mut("payload")) {
            replace(payload, &MADE, "<made>");
            if snapshot && let Some(source) = payload.get_mut("source") {
                replace(source, &TAKEN, "<taken>");
            }
            if let Some(Json::Array(counts)) = payload.get_mut("data_collections") {
                for count in counts.iter_mut() {
                    if count["data_collection"].as_str().is_some_and(|name| name.contains(MESSAGES)) {
                        count["data_collection"] = MESSAGES.into();
                    }
                }
                // In the order of a hash map, where that name is somewhere else every time.
                counts.sort_by_key(|count| count["data_collection"].to_string());
            }
        }
        self
    }
}

fn replace(object: &mut Json, names: &[&str], by: &str) {
    for name in names {
        if let Some(value) = object.get_mut(*name).filter(|value| !value.is_null()) {
            *value = by.into();
        }
    }
}

fn leave_out(json: &mut Json, names: &[&str]) {
    match json {
        Json::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|value| leave_out(value, names));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| leave_out(item, names)),
        _ => {}
    }
}

fn object<'a, K: ToString + 'a>(entries: impl Iterator<Item = &'a (K, Value)>) -> Json {
    let entry = |(key, value): &(K, Value)| {
        let value = match value {
            Value::Int64(number) => Json::from(*number),
            Value::Boolean(flag) => Json::from(*flag),
            Value::String(text) => Json::from(text.as_str()),
            other => panic!("{other:?} in an offset"),
        };
        (key.to_string(), value)
    };
    Json::Object(entries.map(entry).collect())
}

fn enveloped(datum: &Datum) -> Option<Json> {
    if datum.schema.is_none() && datum.is_null() {
        return None;
    }
    // What is made fits its schema, as Java would have checked.
    lavka_api::data::validate(None, datum.schema.as_ref().unwrap(), &datum.value).unwrap();
    let mut writer = JsonWriter::new(WriteOptions::default(), 16);
    let mut out = Vec::new();
    writer.write_enveloped(datum.schema.as_ref(), &datum.value, &mut out).unwrap();
    Some(serde_json::from_slice(&out).unwrap())
}

/// Where theirs and ours are not the same, as paths with both values; nothing where they are.
pub(crate) fn differences(theirs: &Shown, ours: &Shown) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |name: &str, theirs: Json, ours: Json| walk(name, &theirs, &ours, &mut found);
    compare("topic", theirs.topic.clone().into(), ours.topic.clone().into());
    compare("partition", theirs.partition.into(), ours.partition.into());
    compare("server", theirs.server.clone(), ours.server.clone());
    let offset = |shown: &Shown| Json::Object(shown.offset.clone().into_iter().collect());
    compare("offset", offset(theirs), offset(ours));
    let headers = |shown: &Shown| serde_json::to_value(&shown.headers).unwrap();
    compare("headers", headers(theirs), headers(ours));
    let datum = |datum: &Option<Json>| datum.clone().unwrap_or(Json::Null);
    compare("key", datum(&theirs.key), datum(&ours.key));
    compare("value", datum(&theirs.value), datum(&ours.value));
    found
}

fn is_meant(path: &str, theirs: &Json, ours: &Json) -> bool {
    let shown = (theirs.to_string(), ours.to_string());
    if path.ends_with(".allowed") {
        // Debezium learns of new labels with a restart.
        return shown.1.starts_with(shown.0.trim_end_matches('"'));
    }
    MEANT.iter().any(|(end, a, b)| path.ends_with(end) && shown.0 == *a && shown.1 == *b)
}

fn walk(path: &str, theirs: &Json, ours: &Json, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Json::Object(a), Json::Object(b)) if a.keys().eq(b.keys()) => {
            for (key, value) in a {
                walk(&format!("{path}.{key}"), value, &b[key], found);
            }
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}[{index}]"), a, b, found);
            }
        }
        _ if theirs == ours || is_meant(path, theirs, ours) => {}
        _ => found.push(format!("{path}: Debezium {theirs}, ours {ours}")),
    }
}
