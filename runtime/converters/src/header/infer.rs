//! From a header's text to data.

use lavka_api::data::{Datum, Schema, Type, Value};

use super::NotData;
use super::align::{Common, align};
use super::tokens::{Tokens, trim};
use super::{instant, number};
use crate::distinct::DistinctEntries;

/// Containers nested deeper than this are strings.
const MAX_DEPTH: usize = 128;

/// The data that `text` looks like.
pub(super) fn infer(text: &str) -> Datum {
    if text.is_empty() {
        return string(text);
    }
    value(&mut Tokens::new(text), false, 0).unwrap_or_else(|NotData| string(text))
}

fn string(text: &str) -> Datum {
    Datum::new(Schema::of(Type::String), text)
}

/// The value at the tokens' position; `embedded` in a container, where strings are quoted.
fn value(tokens: &mut Tokens<'_>, embedded: bool, depth: usize) -> Result<Datum, NotData> {
    if !tokens.has_next() {
        return Ok(Datum::NULL);
    }
    if embedded && tokens.take("\"") {
        return Ok(quoted(tokens));
    }
    for (literal, datum) in [
        ("null", Datum::NULL),
        ("true", Datum::new(Schema::of(Type::Boolean), true)),
        ("false", Datum::new(Schema::of(Type::Boolean), false)),
    ] {
        let start = tokens.mark();
        // Alone a literal is the whole text: `true}` is a string.
        if tokens.take(literal) && (embedded || !tokens.has_next()) {
            return Ok(datum);
        }
        tokens.rewind(start);
    }
    let start = tokens.mark();
    let container = if tokens.take("[") {
        Some(array(tokens, depth))
    } else if tokens.take("{") {
        Some(map(tokens, depth))
    } else {
        None
    };
    match container {
        Some(Ok(datum)) => return Ok(datum),
        // White space before the bracket then is a token of its own.
        Some(Err(NotData)) => tokens.rewind(start),
        None => {}
    }
    let untrimmed = tokens.next();
    let token = trim(untrimmed);
    let Some(first) = token.chars().next() else { return Ok(string(untrimmed)) };
    let is_digit = number::digit(first).is_some();
    if is_digit && let Some(datum) = temporal(tokens, token) {
        return Ok(datum);
    }
    if (is_digit || matches!(first, '+' | '-'))
        && let Some(datum) = number::infer(token)
    {
        return Ok(datum);
    }
    Err(NotData)
}

/// The instant that begins with `token`: times contain colons, so that they are five tokens.
fn temporal(tokens: &mut Tokens<'_>, token: &str) -> Option<Datum> {
    let start = tokens.mark();
    if let Some(rest) = tokens.next_joined(4)
        && let Some(datum) = instant::infer(&format!("{token}{rest}"))
    {
        return Some(datum);
    }
    tokens.rewind(start);
    instant::infer(token)
}

/// A string whose opening quote has been taken, or the instant that it spells. Backslashes stay; white space alone
/// before a delimiter is lost, as in Java.
fn quoted(tokens: &mut Tokens<'_>) -> Datum {
    let mut content = String::new();
    while tokens.has_next() {
        if tokens.take("\"") {
            break;
        }
        content.push_str(tokens.next());
    }
    instant::infer(&content).unwrap_or_else(|| string(&content))
}

/// An array whose opening bracket has been taken.
fn array(tokens: &mut Tokens<'_>, depth: usize) -> Result<Datum, NotData> {
    if depth >= MAX_DEPTH {
        return Err(NotData);
    }
    let mut items = Vec::new();
    let mut common = Common::default();
    while tokens.has_next() {
        if tokens.take("]") {
            let Some(schema) = common.into_schema() else {
                return Ok(Datum::new(Schema::array_of_null(), items));
            };
            let items = items.into_iter().map(|item| align(&schema, item));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            return Ok(Datum::new(Schema::array(schema), items));
        }
        if tokens.take(",") {
            return Err(NotData);
        }
        let item = value(tokens, true, depth + 1)?;
        common.add(item.schema);
        items.push(item.value);
        let behind = tokens.mark();
        if tokens.take("]") {
            tokens.rewind(behind);
        } else if !tokens.take(",") {
            return Err(NotData);
        }
    }
    Err(NotData)
}

/// A map whose opening brace has been taken.
fn map(tokens: &mut Tokens<'_>, depth: usize) -> Result<Datum, NotData> {
    if depth >= MAX_DEPTH {
        return Err(NotData);
    }
    let mut entries = DistinctEntries::default();
    let (mut common_key, mut common_value) = (Common::default(), Common::default());
    while tokens.has_next() {
        if tokens.take("}") {
            let entries = entries.into_entries();
            let (schema, entries) = match (common_key.into_schema(), common_value.into_schema()) {
                (Some(keys), Some(values)) => {
                    let entries = aligned(entries, &keys, Some(&values))?;
                    (Schema::map(keys, values), entries)
                }
                (Some(keys), None) => {
                    let entries = aligned(entries, &keys, None)?;
                    (Schema::map_with_null_values(keys), entries)
                }
                (None, _) => (Schema::map_of_null(), entries),
            };
            return Ok(Datum { schema: Some(schema), value: Value::Map(entries) });
        }
        if tokens.take(",") {
            return Err(NotData);
        }
        let key = value(tokens, true, depth + 1)?;
        if key.is_null() || !tokens.take(":") {
            return Err(NotData);
        }
        let item = value(tokens, true, depth + 1)?;
        entries.insert(key.value, item.value);
        tokens.take(",");
        common_key.add(key.schema);
        common_value.add(item.schema);
    }
    Err(NotData)
}

/// Entries with keys of one schema, and values of another where they have one; keys that become equal fall together.
fn aligned(
    entries: Box<[(Value, Value)]>,
    keys: &Schema,
    values: Option<&Schema>,
) -> Result<Box<[(Value, Value)]>, NotData> {
    let mut out = DistinctEntries::default();
    for (key, item) in entries {
        let key = align(keys, key)?;
        let item = match values {
            Some(values) => align(values, item)?,
            None => item,
        };
        out.insert(key, item);
    }
    Ok(out.into_entries())
}
