//! Topics with parts of the record in them.

use std::fmt::Write as _;

use lavka_api::data::{SinkRecord, Str, Value};
use lavka_api::{Error, Result};

use super::field::{find, text};

/// A topic such as `devices/${value.device}/set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The topic of the record, as transforms have left it.
    Topic,
    Partition,
    Key(Vec<String>),
    Value(Vec<String>),
    Header(String),
}

impl TopicTemplate {
    /// Parses a template: text with `${topic}`, `${partition}`, `${key}`, `${key.path}`, `${value}`, `${value.path}` and
    /// `${header.name}` in it.
    ///
    /// # Errors
    /// What is wrong with it, for the end of an error text.
    pub(crate) fn parse(template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, inside)) = rest.split_once("${") {
            let (name, behind) =
                inside.split_once('}').ok_or_else(|| format!("the }} is missing behind ${{{inside}"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::named(name)?);
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if parts.is_empty() {
            return Err("a topic has at least one character".to_owned());
        }
        for part in &parts {
            if let Part::Text(text) = part {
                check(text)?;
            }
        }
        Ok(Self { parts })
    }

    /// A topic that is the same for all records.
    ///
    /// # Errors
    /// What is wrong with it, for the end of an error text.
    pub(crate) fn fixed(topic: &str) -> Result<Self, String> {
        if topic.is_empty() {
            return Err("a topic has at least one character".to_owned());
        }
        check(topic)?;
        Ok(Self { parts: vec![Part::Text(topic.to_owned())] })
    }

    /// The field at `path` of the value.
    pub(crate) fn field(path: &str) -> Self {
        Self { parts: vec![Part::Value(split(path))] }
    }

    /// The record's key.
    pub(crate) fn key() -> Self {
        Self { parts: vec![Part::Key(Vec::new())] }
    }

    /// The record's topic.
    pub(crate) fn topic() -> Self {
        Self { parts: vec![Part::Topic] }
    }

    /// The topic for `record`.
    ///
    /// # Errors
    /// A data error where a part is missing or null, or what comes out is no MQTT topic.
    pub(crate) fn of(&self, record: &SinkRecord) -> Result<Str> {
        let mut topic = String::new();
        for part in &self.parts {
            let (value, path, what): (&Value, &[String], &str) = match part {
                Part::Text(text) => {
                    topic.push_str(text);
                    continue;
                }
                Part::Topic => {
                    topic.push_str(&record.record.topic);
                    continue;
                }
                Part::Partition => {
                    let _ = write!(topic, "{}", record.origin.partition);
                    continue;
                }
                Part::Key(path) => (&record.record.key.value, path, "key"),
                Part::Value(path) => (&record.record.value.value, path, "value"),
                Part::Header(name) => match record.record.headers.last(name) {
                    Some(datum) => (&datum.value, &[], "header"),
                    None => return Err(no_topic(&Error::data(format!("there is no header {name}")))),
                },
            };
            // A path names the place; without one it is the whole of key, value or header.
            let place =
                || std::iter::once(what).chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(".");
            let found = find(value, path, what).map_err(|error| no_topic(&error))?;
            match found {
                Value::String(text) => topic.push_str(text),
                other => topic.push_str(&text(other, &place()).map_err(|error| no_topic(&error))?),
            }
        }
        let checked = if topic.is_empty() { Err("it is empty".to_owned()) } else { check(&topic) };
        checked.map_err(|what| {
            Error::data(format!("{topic:?} cannot be the MQTT topic of a message: {what}"))
        })?;
        Ok(Str::from(topic))
    }
}

impl Part {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name.split_once('.') {
            None => match name {
                "topic" => Self::Topic,
                "partition" => Self::Partition,
                "key" => Self::Key(Vec::new()),
                "value" => Self::Value(Vec::new()),
                _ => return Err(unknown(name)),
            },
            Some((_, "")) => return Err(unknown(name)),
            Some(("key", path)) => Self::Key(split(path)),
            Some(("value", path)) => Self::Value(split(path)),
            Some(("header", header)) => Self::Header(header.to_owned()),
            Some(_) => return Err(unknown(name)),
        })
    }
}

fn unknown(name: &str) -> String {
    format!(
        "${{{name}}} is not known; there are ${{topic}}, ${{partition}}, ${{key}}, ${{key.FIELD}}, ${{value.FIELD}} and \
         ${{header.NAME}}"
    )
}

fn split(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

fn no_topic(error: &Error) -> Error {
    Error::data(format!("the MQTT topic cannot be made: {}", error.message().unwrap_or_default()))
}

/// What a topic to publish to, or a part of one, may hold (MQTT 3.1.1 and 5, §4.7).
fn check(topic: &str) -> Result<(), String> {
    if topic.contains(['+', '#']) {
        return Err("the wildcards + and # are for subscriptions".to_owned());
    }
    if topic.contains('\0') {
        return Err("it contains a null character".to_owned());
    }
    if topic.len() > usize::from(u16::MAX) {
        return Err("it is longer than 65535 bytes".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Datum, Object};

    use super::super::publication::tests::record;
    use super::*;

    fn topic(template: &str, record: &SinkRecord) -> Result<String> {
        TopicTemplate::parse(template).unwrap().of(record).map(|topic| topic.to_string())
    }

    fn reading() -> SinkRecord {
        let place = Object::from_entries([("room", Value::from("r1")), ("none", Value::Null)]);
        let value = Object::from_entries([
            ("id", Value::Int64(7)),
            ("place", place.into()),
            ("t", Value::Float64(1.5)),
        ]);
        let mut record = record("scored", Datum::schemaless(value));
        record.record.key = Datum::schemaless("k/1");
        record.record.headers.add("site", Datum::schemaless("north"));
        record
    }

    #[test]
    fn parts_of_the_record() {
        for (template, expected) in [
            ("${topic}", "scored"),
            ("devices/${key}/set", "devices/k/1/set"),
            ("${value.place.room}/${value.id}/${value.t}", "r1/7/1.5"),
            ("${header.site}-${partition}", "north-0"),
            ("fixed", "fixed"),
            ("$SYS/x", "$SYS/x"),
        ] {
            assert_eq!(topic(template, &reading()).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn what_makes_no_topic_is_the_records_error() {
        for (template, part) in [
            ("${value.none}", "no field none in value"),
            ("${value.place.none}", "value.place.none is null"),
            ("${value.place}", "which has no text"),
            ("${header.x}", "there is no header x"),
            ("${key.x}", "no field x in key"),
        ] {
            let error = topic(template, &reading()).unwrap_err();
            assert!(error.to_string().contains(part), "{template}: {error}");
            assert_eq!(error.class(), lavka_api::ErrorClass::Data);
        }
        for key in ["", "a/+", "#", "a\0"] {
            let mut record = reading();
            record.record.key = Datum::schemaless(key);
            let error = topic("${key}", &record).unwrap_err();
            assert!(error.to_string().contains("cannot be the MQTT topic"), "{key}: {error}");
        }
    }

    #[test]
    fn wrong_templates_say_why() {
        for (template, part) in [
            ("", "at least one character"),
            ("a/#", "for subscriptions"),
            ("${key", "} is missing"),
            ("${offset}", "is not known"),
            ("${value.}", "is not known"),
            ("a\0", "null character"),
        ] {
            let error = TopicTemplate::parse(template).unwrap_err();
            assert!(error.contains(part), "{template}: {error}");
        }
    }
}
