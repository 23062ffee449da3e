//! What the statements of Lenses' MQTT sink mean.

use lavka_kcql::{Malformed, Projection, Write};

use super::super::template::TopicTemplate;

/// A statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// The Kafka topic it is about.
    pub(crate) source: String,
    /// The MQTT topic.
    pub(crate) target: TopicTemplate,
    /// Fields that are published, each with its name; the whole value where there are none.
    pub(crate) fields: Vec<Selected>,
    /// Whether payloads are Avro.
    pub(crate) avro: bool,
    /// Clauses that mean nothing here.
    pub(crate) unused: Vec<String>,
}

/// A field that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) path: Vec<String>,
    pub(crate) name: String,
}

/// Packages in which releases had the converters.
const PACKAGES: [&str; 4] = [
    "io.lenses.streamreactor.connect.converters.sink.",
    "io.lenses.streamreactor.common.converters.sink.",
    "com.datamountaineer.streamreactor.common.converters.sink.",
    "com.datamountaineer.streamreactor.connect.converters.sink.",
];

/// Clauses that mean something.
const CLAUSES: [&str; 3] = ["WITHTARGET", "PROPERTIES", "WITHCONVERTER"];

impl Statement {
    /// The statements of a configuration value.
    ///
    /// # Errors
    /// The first that is not KCQL, or asks for what a sink cannot do.
    pub(crate) fn parse_all(kcql: &str) -> Result<Vec<Self>, String> {
        let parsed = lavka_kcql::parse(kcql).map_err(|error| error.to_string())?;
        let statements = parsed.into_iter().map(|statement| Self::understand(kcql, statement));
        statements.collect::<Result<_, _>>().map_err(|error: Malformed| error.to_string())
    }

    fn understand(kcql: &str, statement: lavka_kcql::Statement) -> Result<Self, Malformed> {
        if statement.write == Write::Upsert {
            return Err(Malformed::new(
                kcql,
                statement.target.position,
                "an MQTT sink takes INSERT, not UPSERT,",
            ));
        }
        let unused = statement.unused(kcql, &CLAUSES)?;
        let mut fields = Vec::new();
        for part in &statement.projection {
            if let Projection::Field { path, alias, .. } = part {
                let path: Vec<String> = path.split('.').map(str::to_owned).collect();
                let last = path.last().cloned().unwrap_or_default();
                fields.push(Selected { name: alias.clone().unwrap_or(last), path });
            }
        }
        let all = statement.projection.iter().any(|part| matches!(part, Projection::All));
        if all && !fields.is_empty() {
            return Err(Malformed::new(
                kcql,
                statement.source.position,
                "either * or fields are selected, before",
            ));
        }
        let target = &statement.target;
        let mut from_field: Option<String> = None;
        let mut avro = false;
        for clause in &statement.clauses {
            let wrong = |what: String| Malformed::new(kcql, clause.position, what);
            match clause.name.as_str() {
                "WITHTARGET" => {
                    let field = clause.values.first().filter(|field| !field.is_empty());
                    from_field = Some(
                        field.ok_or_else(|| wrong("the field of WITHTARGET is missing".into()))?.clone(),
                    );
                }
                "PROPERTIES" => {
                    for property in &clause.values {
                        match property.split_once('=') {
                            Some(("mqtt.target.from.field", value)) if value.eq_ignore_ascii_case("true") => {
                                from_field = Some(target.text.clone());
                            }
                            Some(("mqtt.target.from.field", value))
                                if value.eq_ignore_ascii_case("false") => {}
                            _ => {
                                return Err(wrong(format!(
                                    "the property {property} means nothing for an MQTT sink"
                                )));
                            }
                        }
                    }
                }
                "WITHCONVERTER" => {
                    let class = clause.values.first().map(String::as_str).unwrap_or_default();
                    let simple =
                        PACKAGES.iter().find_map(|package| class.strip_prefix(package)).unwrap_or(class);
                    avro = match simple {
                        "AvroConverter" => true,
                        "BytesConverter" | "JsonSimpleConverter" => false,
                        _ => {
                            return Err(wrong(format!(
                                "{class} is not known (AvroConverter, BytesConverter and JsonSimpleConverter are; without \
                                 WITHCONVERTER bytes and texts are published as they are, everything else as JSON)"
                            )));
                        }
                    };
                }
                _ => {}
            }
        }
        let template = match (&from_field, target.text.as_str()) {
            (Some(field), _) => TopicTemplate::field(field),
            (None, "_key") => TopicTemplate::key(),
            (None, "_topic") => TopicTemplate::topic(),
            (None, topic) => TopicTemplate::fixed(topic).map_err(|what| {
                Malformed::new(kcql, target.position, format!("{topic} is no MQTT topic: {what},"))
            })?,
        };
        Ok(Self { source: statement.source.text, target: template, fields, avro, unused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_fields() {
        let of = |kcql: &str| Statement::parse_all(kcql).unwrap().remove(0);
        assert_eq!(of("INSERT INTO /a/b SELECT * FROM k").target, TopicTemplate::fixed("/a/b").unwrap());
        assert_eq!(of("INSERT INTO `_key` SELECT * FROM k").target, TopicTemplate::key());
        assert_eq!(of("INSERT INTO `_topic` SELECT * FROM k").target, TopicTemplate::topic());
        for kcql in [
            "INSERT INTO `a.b` SELECT * FROM k PROPERTIES('mqtt.target.from.field'='true')",
            "INSERT INTO `$field` SELECT * FROM k WITHTARGET = a.b",
        ] {
            assert_eq!(of(kcql).target, TopicTemplate::field("a.b"), "{kcql}");
        }
        for (class, avro) in [
            ("AvroConverter", true),
            ("com.datamountaineer.streamreactor.connect.converters.sink.AvroConverter", true),
            ("io.lenses.streamreactor.common.converters.sink.BytesConverter", false),
        ] {
            let kcql = format!("INSERT INTO t SELECT * FROM k WITHCONVERTER=`{class}`");
            assert_eq!(of(&kcql).avro, avro, "{class}");
        }
        let statement = of("INSERT INTO t SELECT id, place.room AS r, place.floor FROM k");
        let names: Vec<&str> = statement.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!((statement.source.as_str(), names), ("k", vec!["id", "r", "floor"]));
        assert_eq!(statement.fields[1].path, ["place", "room"]);
        // As Lenses' connector passes over it.
        assert_eq!(of("INSERT INTO t SELECT * FROM k PK x").unused, ["PK"]);
    }

    #[test]
    fn what_a_sink_cannot_do_is_shown() {
        for (kcql, part) in [
            ("UPSERT INTO t SELECT * FROM k", "not UPSERT"),
            ("INSERT INTO t SELECT *, a FROM k", "either * or fields"),
            ("INSERT INTO a/# SELECT * FROM k", "is no MQTT topic"),
            ("INSERT INTO t SELECT * FROM k WITHTARGETS=x", "WITHTARGETS is no clause of KCQL"),
            ("INSERT INTO t SELECT * FROM k WITHCONVERTER=`x.AvroConverter`", "x.AvroConverter is not known"),
            ("INSERT INTO t SELECT * FROM k PROPERTIES('x'='1')", "the property x=1 means nothing"),
            ("INSERT INTO t SELECT * FROM", "at character 28"),
        ] {
            let error = Statement::parse_all(kcql).unwrap_err();
            assert!(error.contains(part), "{kcql}: {error}");
        }
    }
}
