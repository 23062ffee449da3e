//! Avro schemas in files, one for each topic: `connect.converter.avro.schemas`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use lavka_api::config::{Check, Key, key};
use lavka_api::data::{Schema, Type};
use lavka_avro::{AvroSchema, Mapping};

/// The key that names them.
pub(crate) const AVRO_SCHEMAS: &str = "connect.converter.avro.schemas";
/// Group of keys about converters.
pub(crate) const CONVERTER: &str = "Converter";

/// A key whose value is a list of them.
pub(crate) fn avro_schemas(name: &'static str) -> Key<String> {
    let form = Check::new("topic=file, with ; between them", |text| SchemaFiles::parse(text).map(drop));
    key(name).default("").high().group(CONVERTER).check(form)
}

/// Which topic has its schema in which file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SchemaFiles(Vec<(String, PathBuf)>);

impl SchemaFiles {
    /// From `topic=file;topic=file`. Upper and lower case of topics do not matter, as with Lenses.
    ///
    /// # Errors
    /// The first entry that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let entries =
            text.split(';').map(str::trim).filter(|entry| !entry.is_empty()).map(|entry| {
                match entry.split_once('=').map(|(topic, path)| (topic.trim(), path.trim())) {
                    Some((topic, path)) if !topic.is_empty() && !path.is_empty() => {
                        Ok((topic.to_lowercase(), PathBuf::from(path)))
                    }
                    _ => Err(format!("{entry} has not the form topic=file")),
                }
            });
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// Those of several values; of two for one topic the later counts.
    pub(crate) fn of_all(texts: &[&str]) -> Result<Self, String> {
        let parsed = texts.iter().map(|text| Self::parse(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(parsed.into_iter().flat_map(|files| files.0).collect()))
    }

    /// Reads them all. Blocks.
    ///
    /// # Errors
    /// The first file that cannot be read, or has no Avro schema of a record in it.
    pub(crate) fn read(&self) -> Result<AvroSchemas, String> {
        let read = self.0.iter().map(|(topic, path)| {
            let shown = path.display();
            let text = fs::read_to_string(path)
                .map_err(|error| format!("the Avro schema {shown} of {topic} cannot be read: {error}"))?;
            let schema = AvroSchema::parse(&text).map_err(|error| {
                format!("{shown} has no Avro schema in it: {}", error.message().unwrap_or_default())
            })?;
            let connect = Mapping::default().to_connect(&schema, None).map_err(|error| {
                format!(
                    "the Avro schema in {shown} is none of Connect: {}",
                    error.message().unwrap_or_default()
                )
            })?;
            // A union is a struct too, without a name of its own.
            match (schema.full_name(), connect.as_ref().map(Schema::ty)) {
                (Some(_), Some(Type::Struct)) => Ok((topic.clone(), schema)),
                _ => Err(format!("the Avro schema in {shown} is not that of a record")),
            }
        });
        read.collect::<Result<_, _>>().map(AvroSchemas)
    }
}

/// Schemas by topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct AvroSchemas(HashMap<String, AvroSchema>);

impl AvroSchemas {
    /// That of `topic`.
    pub(crate) fn of(&self, topic: &str) -> Option<&AvroSchema> {
        if self.0.is_empty() { None } else { self.0.get(&topic.to_lowercase()) }
    }
}

/// The error of a topic that has none.
pub(crate) fn missing(topic: &str) -> String {
    format!(
        "Invalid [{AVRO_SCHEMAS}] is not configured for [{topic}]: AvroConverter needs the file with its schema there, \
             as {topic}=/path/to/schema.avsc"
    )
}

#[cfg(test)]
mod tests {
    use lavka_testkit::temp_dir;

    use super::*;

    #[test]
    fn schemas_by_topic() {
        let folder = temp_dir();
        let path = folder.path().join("r.avsc");
        fs::write(&path, r#"{"type":"record","name":"R","fields":[]}"#).unwrap();
        let shown = path.display();
        let text = format!(" Sensors/+ = {shown};; b={shown};");
        let schemas = SchemaFiles::parse(&text).unwrap().read().unwrap();
        assert_eq!(schemas.of("sensors/+").and_then(AvroSchema::full_name), Some("R"));
        assert!(schemas.of("B").is_some() && schemas.of("c").is_none());
        assert_eq!(SchemaFiles::of_all(&["", &text]).unwrap(), SchemaFiles::parse(&text).unwrap());
    }

    #[test]
    fn what_is_wrong_with_them_is_said() {
        for text in ["a", "=b", "a=", "a=b;c"] {
            assert!(SchemaFiles::parse(text).unwrap_err().contains("has not the form topic=file"), "{text}");
        }
        let folder = temp_dir();
        let path = folder.path().join("x.avsc");
        let read = |content: Option<&str>| {
            if let Some(content) = content {
                fs::write(&path, content).unwrap();
            }
            SchemaFiles::parse(&format!("a={}", path.display())).unwrap().read().unwrap_err()
        };
        for (content, part) in [
            (None, "of a cannot be read"),
            (Some("{"), "has no Avro schema in it"),
            (Some("\"bytes\""), "is not that of a record"),
            (
                Some(r#"{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}"#),
                "is none of Connect",
            ),
        ] {
            let error = read(content);
            assert!(error.contains(part), "{error}");
        }
    }
}
