//! What the statements of Lenses' MQTT source mean.

use lavka_api::data::Topic;
use lavka_kcql::{Malformed, Projection, Write};
use regex::Regex;

use super::conversion::Conversion;
use crate::filter::{check_filter, matches};

/// A statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// What is subscribed to.
    pub(crate) filter: String,
    pub(crate) target: Target,
    pub(crate) conversion: Conversion,
    /// Paths of the fields that make the key; by default the key is the topic and the message id.
    pub(crate) keys: Vec<Vec<String>>,
    pub(crate) delimiter: String,
    /// Clauses that mean nothing here.
    pub(crate) unused: Vec<String>,
    /// Which topics the statement is about, instead of the filter.
    regex: Option<Regex>,
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Topic(Topic),
    /// `$`: a topic made of the MQTT topic.
    OfMqttTopic,
}

/// Clauses that mean something.
const CLAUSES: [&str; 4] = ["WITHCONVERTER", "WITHKEY", "KEYDELIMITER", "WITHREGEX"];

impl Statement {
    /// The statements of a configuration value.
    ///
    /// # Errors
    /// The first that is not KCQL, or asks for what a source cannot do.
    pub(crate) fn parse_all(kcql: &str) -> Result<Vec<Self>, String> {
        let parsed = lavka_kcql::parse(kcql).map_err(|error| error.to_string())?;
        let mut statements: Vec<Self> = Vec::with_capacity(parsed.len());
        for statement in parsed {
            let position = statement.source.position;
            let statement = Self::understand(kcql, statement).map_err(|error| error.to_string())?;
            if statements.iter().any(|other| other.filter == statement.filter) {
                let what = format!("{} is the source of more than one statement,", statement.filter);
                return Err(Malformed::new(kcql, position, what).to_string());
            }
            statements.push(statement);
        }
        Ok(statements)
    }

    fn understand(kcql: &str, statement: lavka_kcql::Statement) -> Result<Self, Malformed> {
        if statement.write == Write::Upsert {
            let at = statement.target.position;
            return Err(Malformed::new(kcql, at, "a source can INSERT, not UPSERT,"));
        }
        for part in &statement.projection {
            if let Projection::Field { path, position, .. } = part {
                let what = format!("a source takes all fields (*), not {path},");
                return Err(Malformed::new(kcql, *position, what));
            }
        }
        let unused = statement.unused(kcql, &CLAUSES)?;
        let at = statement.source.position;
        check_filter(&statement.source.text).map_err(|what| Malformed::new(kcql, at, what))?;
        let mut understood = Self {
            filter: statement.source.text,
            target: match statement.target.text.as_str() {
                "$" => Target::OfMqttTopic,
                topic => Target::Topic(topic.into()),
            },
            conversion: Conversion::Bytes,
            keys: Vec::new(),
            delimiter: ".".into(),
            unused,
            regex: None,
        };
        for clause in &statement.clauses {
            let wrong = |what: String| Malformed::new(kcql, clause.position, what);
            let value = clause.values.first().map(String::as_str).unwrap_or_default();
            match clause.name.as_str() {
                "WITHCONVERTER" => understood.conversion = Conversion::of_class(value).map_err(wrong)?,
                "WITHKEY" => {
                    let path = |text: &String| text.split('.').map(str::to_owned).collect();
                    understood.keys = clause.values.iter().map(path).collect();
                }
                "KEYDELIMITER" => understood.delimiter = value.to_owned(),
                "WITHREGEX" => {
                    // Java's matches() asks for the whole text.
                    let regex = Regex::new(&format!("^(?:{value})$"));
                    understood.regex =
                        Some(regex.map_err(|_| {
                            wrong(format!("{value} is not understood as a regular expression"))
                        })?);
                }
                _ => {}
            }
        }
        Ok(understood)
    }

    /// Whether the statement is about messages on `topic`.
    pub(crate) fn is_about(&self, topic: &str) -> bool {
        match &self.regex {
            Some(regex) => regex.is_match(topic),
            None => matches(&self.filter, topic),
        }
    }
}

/// The Kafka topic that `$` makes of an MQTT topic: without its first slash, each run of the others an underscore.
pub(crate) fn kafka_topic(mqtt_topic: &str) -> Topic {
    let joined = mqtt_topic.replacen('/', "", 1);
    let mut name = String::with_capacity(joined.len());
    for character in joined.chars() {
        match character {
            '/' if name.ends_with('/') => {}
            other => name.push(other),
        }
    }
    name.replace('/', "_").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kcql: &str) -> Statement {
        Statement::parse_all(kcql).unwrap().remove(0)
    }

    #[test]
    fn statements() {
        let statement = one("INSERT INTO k SELECT * FROM /a/+/b");
        assert_eq!((statement.filter.as_str(), statement.conversion), ("/a/+/b", Conversion::Bytes));
        assert_eq!(statement.target, Target::Topic("k".into()));
        let statement = one(
            "INSERT INTO `$` SELECT * FROM $share/g/a/# WITHCONVERTER=`io.lenses.streamreactor.connect.converters.source.JsonSimpleConverter` \
             WITHKEY(id, place.name) KEYDELIMITER='-' WITHREGEX=`a/(x|y)/.*`",
        );
        assert_eq!((&statement.target, statement.conversion), (&Target::OfMqttTopic, Conversion::JsonSimple));
        assert_eq!(statement.keys, [vec!["id"], vec!["place", "name"]]);
        assert_eq!(statement.delimiter, "-");
        assert!(
            statement.is_about("a/x/1") && !statement.is_about("a/z/1") && !statement.is_about("b/a/x/1")
        );
        assert!(one("INSERT INTO k SELECT * FROM $share/g/a/#").is_about("a/z/1"));
        // As Lenses' connector passes over them.
        assert_eq!(one("INSERT INTO k SELECT * FROM a PK x BATCH=10").unused, ["PK", "BATCH"]);
    }

    #[test]
    fn what_a_source_cannot_do_is_shown() {
        for (kcql, part) in [
            ("INSERT INTO k SELECT *", "FROM is missing at character 23"),
            ("UPSERT INTO k SELECT * FROM a", "not UPSERT"),
            ("INSERT INTO k SELECT x FROM a", "not x, at character 22"),
            ("INSERT INTO k SELECT * FROM a/#/b", "is not an MQTT topic filter"),
            ("INSERT INTO k SELECT * FROM a WITHKEYS(x)", "WITHKEYS is no clause of KCQL, at character 31"),
            ("INSERT INTO k SELECT * FROM a WITHCONVERTER=`x.Y`", "x.Y is not known"),
            (
                "INSERT INTO k SELECT * FROM a WITHCONVERTER=`JsonResilientConverter`",
                "JsonResilientConverter is a converter of Kafka Connect: it goes into value.converter",
            ),
            ("INSERT INTO k SELECT * FROM a WITHREGEX=`(`", "( is not understood"),
            ("INSERT INTO k SELECT * FROM a; INSERT INTO l SELECT * FROM a", "more than one statement"),
        ] {
            let error = Statement::parse_all(kcql).unwrap_err();
            assert!(error.contains(part), "{kcql}: {error}");
        }
    }

    #[test]
    fn topics_of_mqtt_topics() {
        for (mqtt, kafka) in [("/a/b//c", "a_b_c"), ("/a", "a"), ("a", "a"), ("a/b/c", "ab_c")] {
            assert_eq!(kafka_topic(mqtt).as_str(), kafka, "{mqtt}");
        }
    }
}
