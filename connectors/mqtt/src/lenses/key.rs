//! Keys of the fields that `WITHKEY` names.

use lavka_api::data::{Struct, Value};
use lavka_api::java::plain_text;
use lavka_api::{Error, Result};

/// The fields at `paths` of a struct as Java prints them, with `delimiter` between them.
///
/// # Errors
/// A data error with Lenses' words where a path leads to no scalar.
pub(crate) fn key_of_struct(fields: &Struct, paths: &[Vec<String>], delimiter: &str) -> Result<String> {
    let parts: Vec<String> = paths.iter().map(|path| field_text(fields, path)).collect::<Result<_>>()?;
    Ok(parts.join(delimiter))
}

/// The members at `paths` of a JSON value, with `delimiter` between them. What is null is passed over, and nothing is left
/// of an empty text.
///
/// # Errors
/// As [`key_of_struct`].
pub(crate) fn key_of_json(value: &Value, paths: &[Vec<String>], delimiter: &str) -> Result<Option<String>> {
    let mut key: Option<String> = None;
    for path in paths {
        let Some(text) = member_text(value, path)? else { continue };
        match &mut key {
            None => key = Some(text),
            Some(key) => {
                key.push_str(delimiter);
                key.push_str(&text);
            }
        }
    }
    Ok(key.filter(|key| !key.is_empty()))
}

fn invalid(path: &[String], what: impl std::fmt::Display) -> Error {
    Error::data(format!("Invalid field selection for [{}]. {what}", path.join(".")))
}

const NO_SCALAR: &str = "It doesn't resolve to a primitive field";

fn field_text(fields: &Struct, path: &[String]) -> Result<String> {
    let Some((first, rest)) = path.split_first() else { return Err(invalid(path, NO_SCALAR)) };
    let names = |of: &Struct| {
        of.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(",")
    };
    let Some(mut value) = fields.get(first) else {
        return Err(Error::data(format!("Couldn't find field [{first}] in the schema: [{}]", names(fields))));
    };
    let mut name = first;
    for inner in rest {
        value = match value {
            Value::Null => return Err(invalid(path, format_args!("Field [{name}] is null"))),
            Value::Struct(fields) => fields.get(inner).ok_or_else(|| {
                let what = format_args!("Can't find field [{inner}]. Fields available: [{}]", names(fields));
                invalid(path, what)
            })?,
            Value::Map(entries) => {
                let found = entries.iter().find(|(key, _)| key.as_str() == Some(inner));
                found.map_or(&Value::Null, |(_, value)| value)
            }
            _ => return Err(invalid(path, NO_SCALAR)),
        };
        name = inner;
    }
    match value {
        Value::Null => Err(invalid(path, format_args!("Field [{name}] is null"))),
        Value::Struct(_) | Value::Map(_) | Value::Object(_) | Value::Array(_) | Value::Bytes(_) => {
            Err(invalid(path, NO_SCALAR))
        }
        scalar => Ok(plain_text(scalar)),
    }
}

fn member_text(value: &Value, path: &[String]) -> Result<Option<String>> {
    let mut value = value;
    for name in path {
        let Value::Object(members) = value else {
            return Err(match value {
                Value::Array(_) => invalid(path, "The path is involving an array structure"),
                _ => invalid(path, NO_SCALAR),
            });
        };
        value = members.get(name).ok_or_else(|| {
            let found: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
            invalid(path, format_args!("Can't find {name} field. Field found are:{}", found.join(",")))
        })?;
    }
    match value {
        Value::Null => Ok(None),
        Value::Object(_) => Err(invalid(path, "The path is not resolving to a primitive field")),
        Value::Array(_) => Err(invalid(path, "The path is involving an array structure")),
        scalar => Ok(Some(plain_text(scalar))),
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Schema, Type};
    use lavka_converters::json::parse;

    use super::*;

    fn paths(text: &str) -> Vec<Vec<String>> {
        text.split(' ').map(|path| path.split('.').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn maps_inside_structs() {
        let map = Schema::map(Schema::of(Type::String), Schema::optional(Type::Int32));
        let schema = Schema::structure().field("m", map).build().unwrap();
        let entries = vec![(Value::from("k"), Value::Int32(7)), (Value::from("n"), Value::Null)];
        let fields = Struct::new(schema, vec![Value::Map(entries.into())]).unwrap();
        assert_eq!(key_of_struct(&fields, &paths("m.k m.k"), "-").unwrap(), "7-7");
        for (path, part) in [
            ("m", NO_SCALAR),
            ("m.n", "Field [n] is null"),
            ("m.x", "Field [x] is null"),
            ("m.k.x", NO_SCALAR),
            ("x.k", "Couldn't find field [x] in the schema: [m]"),
        ] {
            let error = key_of_struct(&fields, &paths(path), "-").unwrap_err();
            assert!(error.to_string().contains(part), "{path}: {error}");
        }
    }

    #[test]
    fn members_of_json() {
        let json = parse(br#"{"a":1.50,"n":null,"e":"","o":{"t":true},"l":[1]}"#).unwrap();
        let key = |text: &str| key_of_json(&json, &paths(text), ".");
        assert_eq!(key("a n o.t").unwrap().as_deref(), Some("1.5.true"));
        for nothing in ["n", "e"] {
            assert_eq!(key(nothing).unwrap(), None);
        }
        for (path, part) in [
            ("o", "The path is not resolving to a primitive field"),
            ("l", "involving an array"),
            ("l.x", "involving an array"),
            ("a.x", NO_SCALAR),
            ("o.x", "Can't find x field. Field found are:t"),
        ] {
            let error = key(path).unwrap_err();
            assert!(error.to_string().contains(part), "{path}: {error}");
        }
    }
}
