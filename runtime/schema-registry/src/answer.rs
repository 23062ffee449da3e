//! Bodies of requests and answers.

use serde_json::{Map, Value};

use crate::rules::Rules;
use crate::schema::{Guid, Reference, SchemaId, SchemaText, SchemaType};

/// More references than this in one schema are refused.
const MAX_REFERENCES: usize = 1000;

/// The body that registers or looks up `schema`.
pub(crate) fn body(schema: &SchemaText) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("schema".into(), schema.text().into());
    // The registry's default, which old ones know no name for.
    if schema.ty() != SchemaType::Avro {
        body.insert("schemaType".into(), schema.ty().name().into());
    }
    if !schema.references().is_empty() {
        let references = schema.references().iter().map(|reference| {
            serde_json::json!({
                "name": &*reference.name,
                "subject": &*reference.subject,
                "version": reference.version,
            })
        });
        body.insert("references".into(), references.collect());
    }
    Value::Object(body).to_string().into_bytes()
}

/// What an answer says of a schema; each part only where it is there.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) id: Option<SchemaId>,
    pub(crate) guid: Option<Guid>,
    pub(crate) version: Option<i32>,
    pub(crate) schema: Option<SchemaText>,
    pub(crate) rules: Rules,
}

impl Described {
    /// Reads an answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        let json: Value =
            serde_json::from_slice(body).map_err(|error| format!("it is not JSON ({error})"))?;
        let Value::Object(json) = json else { return Err("it is not a JSON object".into()) };
        let schema = match json.get("schema") {
            Some(Value::String(text)) => {
                let ty = match json.get("schemaType") {
                    None | Some(Value::Null) => SchemaType::Avro,
                    Some(Value::String(name)) => SchemaType::from_name(name)
                        .ok_or_else(|| format!("schemas of type {name} are not known here"))?,
                    Some(_) => return Err("schemaType is not a string".into()),
                };
                Some(SchemaText::with_references(ty, text.as_str(), references(json.get("references"))?))
            }
            None | Some(Value::Null) => None,
            Some(_) => return Err("schema is not a string".into()),
        };
        Ok(Self {
            id: number(&json, "id")?,
            guid: json.get("guid").and_then(Value::as_str).and_then(Guid::parse),
            version: number(&json, "version")?,
            schema,
            rules: Rules::of(json.get("ruleSet")),
        })
    }
}

fn number(json: &Map<String, Value>, name: &str) -> Result<Option<i32>, String> {
    match json.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64().and_then(|number| i32::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{name} is not a number of 32 bits")),
        },
    }
}

fn references(json: Option<&Value>) -> Result<Vec<Reference>, String> {
    let items = match json {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) if items.len() <= MAX_REFERENCES => items,
        Some(Value::Array(items)) => return Err(format!("it has {} references", items.len())),
        Some(_) => return Err("references is not an array".into()),
    };
    let one = |item: &Value| {
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        let version =
            item.get("version").and_then(Value::as_i64).and_then(|version| i32::try_from(version).ok());
        Some(Reference { name: text("name")?.into(), subject: text("subject")?.into(), version: version? })
    };
    items
        .iter()
        .map(|item| one(item).ok_or_else(|| "a reference is without name, subject or version".to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_say_what_is_not_the_default() {
        let avro = SchemaText::new(SchemaType::Avro, "\"int\"");
        assert_eq!(body(&avro), br#"{"schema":"\"int\""}"#);
        let reference = Reference { name: "a.proto".into(), subject: "a".into(), version: 3 };
        let proto = SchemaText::with_references(SchemaType::Protobuf, "x", vec![reference]);
        let text = r#"{"schema":"x","schemaType":"PROTOBUF","references":[{"name":"a.proto","subject":"a","version":3}]}"#;
        assert_eq!(body(&proto), text.as_bytes());
        let described = Described::read(text.as_bytes()).unwrap();
        assert_eq!(described.schema, Some(proto));
    }

    #[test]
    fn answers_that_make_no_sense() {
        for (text, part) in [
            ("<html>", "not JSON"),
            ("[]", "not a JSON object"),
            (r#"{"id":"7"}"#, "id"),
            (r#"{"id":99999999999}"#, "id"),
            (r#"{"schema":{}}"#, "schema"),
            (r#"{"schema":"x","schemaType":"THRIFT"}"#, "THRIFT"),
            (r#"{"schema":"x","references":[{"name":"a"}]}"#, "reference"),
        ] {
            let error = Described::read(text.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
