//! Which subject a schema belongs under.

use std::sync::Arc;

use lavka_api::plugin::ConverterRole;
use lavka_api::{Error, Result};

/// The package of Confluent's strategies.
const PACKAGE: &str = "io.confluent.kafka.serializers.subject.";

/// How a subject is named (`key.subject.name.strategy`, `value.subject.name.strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectStrategy {
    /// `TopicNameStrategy`: the topic with `-key` or `-value`.
    Topic,
    /// `RecordNameStrategy`: the full name of the record.
    Record,
    /// `TopicRecordNameStrategy`: the topic, a hyphen, and the full name of the record.
    TopicRecord,
}

impl SubjectStrategy {
    const ALL: [SubjectStrategy; 3] =
        [SubjectStrategy::Topic, SubjectStrategy::Record, SubjectStrategy::TopicRecord];

    /// The Java class name without its package.
    fn simple_name(self) -> &'static str {
        match self {
            SubjectStrategy::Topic => "TopicNameStrategy",
            SubjectStrategy::Record => "RecordNameStrategy",
            SubjectStrategy::TopicRecord => "TopicRecordNameStrategy",
        }
    }

    /// The strategy of a Java class name, with or without package.
    ///
    /// # Errors
    /// The detail of the error text, for a class that is none of them.
    pub fn from_class(class: &str) -> Result<Self, String> {
        let simple = class.strip_prefix(PACKAGE).unwrap_or(class);
        Self::ALL.into_iter().find(|strategy| strategy.simple_name() == simple).ok_or_else(|| {
            let known = Self::ALL.map(|strategy| format!("{PACKAGE}{}", strategy.simple_name()));
            format!("this strategy is not built in; use one of: {}", known.join(", "))
        })
    }

    /// Whether the subject depends on the record's name, so that it differs between schemas of one topic.
    #[must_use]
    pub fn needs_record_name(self) -> bool {
        self != SubjectStrategy::Topic
    }

    /// The subject of keys or values of `topic`, whose schema has the full name `record`.
    ///
    /// ```
    /// use lavka_api::plugin::ConverterRole;
    /// use lavka_schema_registry::SubjectStrategy;
    ///
    /// let name = |strategy: SubjectStrategy| strategy.subject("orders", ConverterRole::Value, Some("org.example.Order"));
    /// assert_eq!(&*name(SubjectStrategy::Topic)?, "orders-value");
    /// assert_eq!(&*name(SubjectStrategy::Record)?, "org.example.Order");
    /// assert_eq!(&*name(SubjectStrategy::TopicRecord)?, "orders-org.example.Order");
    /// # Ok::<(), lavka_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// A data error where the strategy needs a name and the schema has none.
    pub fn subject(self, topic: &str, role: ConverterRole, record: Option<&str>) -> Result<Arc<str>> {
        let side = match role {
            ConverterRole::Key => "key",
            ConverterRole::Value | ConverterRole::Header => "value",
        };
        if self == SubjectStrategy::Topic {
            return Ok(format!("{topic}-{side}").into());
        }
        let Some(record) = record.filter(|name| !name.is_empty()) else {
            return Err(Error::data(format!(
                "In configuration {side}.subject.name.strategy = {PACKAGE}{}, the message {side} must only be a record \
                 schema: the {side} of topic {topic} has a schema without a name",
                self.simple_name()
            )));
        };
        Ok(match self {
            SubjectStrategy::Record => record.into(),
            _ => format!("{topic}-{record}").into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_with_and_without_package() {
        for class in ["TopicNameStrategy", "io.confluent.kafka.serializers.subject.TopicNameStrategy"] {
            assert_eq!(SubjectStrategy::from_class(class), Ok(SubjectStrategy::Topic));
        }
        let refused = SubjectStrategy::from_class("org.example.Mine").unwrap_err();
        assert!(refused.contains("TopicRecordNameStrategy"), "{refused}");
    }

    #[test]
    fn names_that_are_missing_are_said() {
        let error = SubjectStrategy::Record.subject("t", ConverterRole::Key, None).unwrap_err();
        assert!(error.to_string().contains("key.subject.name.strategy"), "{error}");
        assert_eq!(&*SubjectStrategy::Topic.subject("t", ConverterRole::Key, None).unwrap(), "t-key");
    }
}
