//! `ExtractTopic`: takes the topic from the key, the value or a header.

use std::borrow::Cow;

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{Record, Struct, Topic, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::operand::map_get;
use crate::topics::TopicMemory;

use super::json_path::JsonPath;

lavka_api::config! {
    /// Keys of `ExtractTopic`.
    pub(crate) struct ExtractTopicConfig {
        field: String = key("field").default("")
            .doc("Field with the topic, or name of the header. Without it the whole key or value is the topic."),
        format: String = key("field.format").default("PLAIN").check(Check::one_of_ignoring_case(&["PLAIN", "JSON_PATH"]))
            .doc("PLAIN: field is a name. JSON_PATH: it is a path such as $.a.b or $[\"a\"][\"b\"]."),
        skip_missing: bool = key("skip.missing.or.null").default(false)
            .doc("Whether a record without the field, or with null in it, keeps its topic (true) or fails (false)."),
    }
}

/// Where the topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
    Header,
}

enum Place {
    /// The operand itself.
    Whole,
    Field(String),
    Path(JsonPath),
}

pub(crate) struct ExtractTopic {
    from: Part,
    place: Place,
    written: String,
    skip_missing: bool,
    topics: TopicMemory<Topic>,
}

impl ExtractTopic {
    pub(crate) fn new(config: &Config, from: Part) -> Result<Self> {
        let config = ExtractTopicConfig::from_config(config)?;
        let is_path = config.format.eq_ignore_ascii_case("JSON_PATH");
        if from == Part::Header && config.field.is_empty() {
            return Err(Error::invalid_value(
                "field",
                "",
                "ExtractTopic$Header needs the name of the header",
            ));
        }
        if from == Part::Header && is_path {
            return Err(Error::invalid_value(
                "field.format",
                &config.format,
                "ExtractTopic$Header knows PLAIN alone",
            ));
        }
        let place = if config.field.is_empty() {
            Place::Whole
        } else if is_path {
            let path = JsonPath::parse(&config.field);
            Place::Path(path.map_err(|detail| Error::invalid_value("field", &config.field, detail))?)
        } else {
            Place::Field(config.field.clone())
        };
        Ok(Self {
            from,
            place,
            written: config.field,
            skip_missing: config.skip_missing,
            topics: TopicMemory::new(),
        })
    }

    /// The value that is the topic; `None` where it is missing or null.
    fn find<'a>(&self, record: &'a Record) -> Option<Cow<'a, Value>> {
        let operand = match self.from {
            Part::Key => &record.key.value,
            Part::Value => &record.value.value,
            Part::Header => {
                let header = record.headers.last(&self.written)?;
                return Some(Cow::Borrowed(&header.value)).filter(|value| !value.is_null());
            }
        };
        let found = match (&self.place, operand) {
            (Place::Whole, value) => value,
            (Place::Field(name), Value::Object(object)) => object.get(name)?,
            (Place::Field(name), Value::Map(entries)) => map_get(entries, name)?,
            (Place::Field(name), Value::Struct(record)) => Struct::get(record, name)?,
            (Place::Field(_), _) => return None,
            (Place::Path(path), value) => return path.find(value),
        };
        (!found.is_null()).then_some(Cow::Borrowed(found))
    }
}

impl Transform for ExtractTopic {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let place = match (self.from, self.written.as_str()) {
            (Part::Key, "") => "the key".to_owned(),
            (Part::Value, "") => "the value".to_owned(),
            (Part::Key, field) => format!("the field {field} of the key"),
            (Part::Value, field) => format!("the field {field} of the value"),
            (Part::Header, name) => format!("the header {name}"),
        };
        let topic = match self.find(record).as_deref() {
            None if self.skip_missing => return Ok(Verdict::Keep),
            None => return Err(Error::data(format!("ExtractTopic: {place} is missing or null"))),
            Some(Value::String(text)) if text.is_empty() => {
                return Err(Error::data(format!("ExtractTopic: {place} is empty, which no topic is")));
            }
            Some(Value::String(text)) => Topic::from(text.as_str()),
            Some(other) => {
                let class = other.java_class();
                return Err(Error::data(format!(
                    "ExtractTopic: {place} has to be a java.lang.String, and is a {class}"
                )));
            }
        };
        // Records of one topic share its name.
        record.topic = self.topics.get(&topic, |name| Topic::from(name)).clone();
        Ok(Verdict::Keep)
    }
}
