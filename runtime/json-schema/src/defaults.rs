//! Defaults of schemas, from their text to values.

use std::collections::HashMap;

use lavka_api::data::{Logical, Schema, Type, Value};
use lavka_api::{Error, Result};
use lavka_converters::json::{JsonReader, PayloadReader};
use serde_json::value::RawValue;

/// Larger defaults are refused. Text can be shorter by any factor: members that it does not have are read as their own
/// defaults.
const MAX_DEFAULT: usize = 1 << 20;

/// What all defaults of a schema may come to.
const MAX_DEFAULTS: usize = 16 << 20;

/// Defaults as a document's text has them, to the last digit, by the address of the default in the parsed document.
#[derive(Default)]
pub(crate) struct Defaults(HashMap<usize, Box<str>>);

impl Defaults {
    /// Notes the defaults of numbers in `json`, which was parsed from `text`. Recurses as deep as the parser did, which has
    /// its limit.
    pub(crate) fn collect(&mut self, json: &serde_json::Value, text: &str) {
        if !text.contains("default") {
            return;
        }
        match json {
            serde_json::Value::Object(members) => {
                let texts: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
                for (name, value) in members {
                    let Some(text) = texts.get(name) else { continue };
                    match value {
                        serde_json::Value::Number(_) if name == "default" => {
                            self.0.insert(std::ptr::from_ref(value).addr(), text.get().into());
                        }
                        value => self.collect(value, text.get()),
                    }
                }
            }
            serde_json::Value::Array(items) => {
                let texts: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
                for (item, text) in items.iter().zip(texts) {
                    self.collect(item, text.get());
                }
            }
            _ => {}
        }
    }

    /// The text of `default`, a part of a document that was noted.
    pub(crate) fn text(&self, default: &serde_json::Value) -> Box<str> {
        match self.0.get(&std::ptr::from_ref(default).addr()) {
            Some(text) => text.clone(),
            None => default.to_string().into(),
        }
    }
}

/// The default that `text` describes; none for structs, whose schema cannot hold a value of itself. Decimals
/// have the scale of their schema where that loses nothing: the text has none, since Java's printer leaves zeros at the
/// end of fractions out. `made` counts the bytes of all defaults of a schema.
pub(crate) fn default_of(schema: &Schema, text: &str, made: &mut usize) -> Result<Option<Value>> {
    if schema.ty() == Type::Struct {
        return Ok(None);
    }
    let value = PayloadReader::new(schema)?.read(text.as_bytes(), &mut JsonReader::new())?;
    let size = value.heap_size();
    if size > MAX_DEFAULT.max(16 * text.len()) {
        return Err(Error::data(format!("The default of {schema} is larger than {MAX_DEFAULT} bytes")));
    }
    *made = made.saturating_add(size.saturating_sub(16 * text.len()));
    if *made > MAX_DEFAULTS {
        return Err(Error::data(format!(
            "The defaults of the JSON schema, up to that of {schema}, are larger than {MAX_DEFAULTS} bytes"
        )));
    }
    Ok(Some(match (value, schema.logical()) {
        (Value::Decimal(decimal), Some(Logical::Decimal(scale))) => {
            decimal.clone().with_scale(scale).map_or(Value::Decimal(decimal), Value::from)
        }
        (value, _) => value,
    }))
}
