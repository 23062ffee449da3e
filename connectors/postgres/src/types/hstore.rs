//! `hstore`: pairs of texts.

use lavka_api::data::{Schema, SchemaBuilder, Str, Type, Value};

use super::HstoreMode;
use super::codec::Unconvertible;
use super::java_hash::hash_map_order;
use super::temporal::named;

/// The schema.
pub(super) fn schema(mode: HstoreMode) -> SchemaBuilder {
    match mode {
        HstoreMode::Json => named(Type::String, "io.debezium.data.Json"),
        HstoreMode::Map => Schema::map(Schema::of(Type::String), Schema::optional(Type::String)).to_builder(),
    }
}

/// The value of what the server prints: `"k1"=>"v1", "k2"=>NULL`.
pub(super) fn hstore(text: &[u8], mode: HstoreMode) -> Result<Value, Unconvertible> {
    let mut pairs = std::str::from_utf8(text).ok().and_then(parse).ok_or(Unconvertible("no hstore"))?;
    hash_map_order(&mut pairs, |(key, _)| key);
    Ok(value(&pairs, mode))
}

/// The value of pairs.
pub(super) fn value(pairs: &[(String, Option<String>)], mode: HstoreMode) -> Value {
    match mode {
        HstoreMode::Json => {
            let mut out = String::from("{");
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quote(&mut out, key);
                out.push(':');
                match value {
                    Some(value) => quote(&mut out, value),
                    None => out.push_str("null"),
                }
            }
            out.push('}');
            Value::from(out)
        }
        HstoreMode::Map => Value::Map(
            pairs
                .iter()
                .map(|(key, value)| (Value::from(key.as_str()), value.as_deref().map(Str::from).into()))
                .collect(),
        ),
    }
}

/// A JSON string with the escapes that Jackson writes.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn parse(text: &str) -> Option<Vec<(String, Option<String>)>> {
    let mut rest = text.trim_start();
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let (key, behind) = quoted(rest)?;
        let behind = behind.trim_start().strip_prefix("=>")?.trim_start();
        let (value, behind) = match behind.strip_prefix("NULL") {
            Some(behind) => (None, behind),
            None => {
                let (value, behind) = quoted(behind)?;
                (Some(value), behind)
            }
        };
        pairs.push((key, value));
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => break,
            None => return None,
        }
    }
    Some(pairs)
}

/// A quoted text and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut out = String::new();
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, inside.get(at + 1..)?)),
            '\\' => out.push(chars.next()?.1),
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Value, Unconvertible> {
        hstore(text.as_bytes(), HstoreMode::Json)
    }

    #[test]
    fn pairs_become_json_or_a_map() {
        assert_eq!(json(r#""k1"=>"v1", "k2"=>NULL"#), Ok(r#"{"k1":"v1","k2":null}"#.into()));
        assert_eq!(json(""), Ok("{}".into()));
        assert_eq!(json(r#""a\"b\\"=>"é""#), Ok(r#"{"a\"b\\":"é"}"#.into()));
        assert_eq!(json("\"a\"=>\"\u{1}\n\""), Ok(r#"{"a":"\u0001\n"}"#.into()));
        let map = hstore(br#""a"=>"1", "b"=>NULL"#, HstoreMode::Map).unwrap();
        assert_eq!(map, Value::Map([("a".into(), "1".into()), ("b".into(), Value::Null)].into()));
        for text in ["a", r#""a""#, r#""a"=>"#, r#""a"=>"1" "b"=>"2""#, r#""a"=>"1"#, r#""a"=>"1\"#] {
            assert!(json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pairs_come_in_the_order_of_a_java_map() {
        assert_eq!(
            json(r#""size"=>"1", "b"=>"2", "color"=>"3""#),
            Ok(r#"{"b":"2","size":"1","color":"3"}"#.into())
        );
    }
}
