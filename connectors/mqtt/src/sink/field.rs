//! Values inside records, and their text in topics.

use lavka_api::data::Value;
use lavka_api::java::plain_text;
use lavka_api::{Error, Result};

/// The value at `path` inside `value`; `what` names the outermost for error texts.
///
/// # Errors
/// A data error that tells which part of the path is missing.
pub(crate) fn find<'a>(value: &'a Value, path: &[String], what: &str) -> Result<&'a Value> {
    let mut at = value;
    for (depth, name) in path.iter().enumerate() {
        let inner = match at {
            Value::Struct(fields) => fields.get(name),
            Value::Object(members) => members.get(name),
            Value::Map(entries) => {
                entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
            }
            _ => None,
        };
        at = inner.ok_or_else(|| {
            let above = std::iter::once(what).chain(path.iter().take(depth).map(String::as_str));
            let above = above.collect::<Vec<_>>().join(".");
            Error::data(format!("there is no field {name} in {above}"))
        })?;
    }
    Ok(at)
}

/// The text of a scalar, as Java prints it; `what` names it for error texts.
///
/// # Errors
/// A data error for null, bytes and containers.
pub(crate) fn text(value: &Value, what: &str) -> Result<String> {
    match value {
        Value::Null => Err(Error::data(format!("{what} is null"))),
        Value::Bytes(_) | Value::Array(_) | Value::Map(_) | Value::Object(_) | Value::Struct(_) => {
            Err(Error::data(format!("{what} is a {}, which has no text", value.java_class())))
        }
        scalar => Ok(plain_text(scalar)),
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::Object;

    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn fields_by_path() {
        let inner = Object::from_entries([("room", "r1")]);
        let map = Value::Map(Box::new([("k".into(), 7i64.into())]));
        let value = Value::from(Object::from_entries([
            ("place", Value::from(inner)),
            ("m", map),
            ("n", Value::Null),
        ]));
        let found = |text: &str| find(&value, &path(text), "value");
        assert_eq!(found("place.room").unwrap(), &Value::from("r1"));
        assert_eq!(found("m.k").unwrap(), &Value::Int64(7));
        for (text, part) in [
            ("place.floor", "no field floor in value.place"),
            ("x", "no field x in value"),
            ("place.room.x", "no field x in value.place.room"),
        ] {
            assert!(found(text).unwrap_err().to_string().contains(part), "{text}");
        }
    }

    #[test]
    fn scalars_have_a_text() {
        assert_eq!(text(&Value::Float64(1.5), "x").unwrap(), "1.5");
        assert_eq!(text(&Value::Boolean(true), "x").unwrap(), "true");
        assert!(text(&Value::Null, "x").unwrap_err().to_string().contains("x is null"));
        assert!(text(&Value::from(vec![]), "x").unwrap_err().to_string().contains("no text"));
    }
}
