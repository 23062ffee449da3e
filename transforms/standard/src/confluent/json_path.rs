//! The part of JSON Path that names one value: `$.a.b`, `$["a"]['b']`, `$.list[0]`.

use std::borrow::Cow;

use lavka_api::data::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// A path to one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

impl JsonPath {
    /// Reads a path; the `$` in front may be left out.
    ///
    /// # Errors
    /// What is wrong with it; paths that may name several values are refused.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut steps = Vec::new();
        // Without $ and dot the text begins with a name.
        let mut may_begin = rest.len() == text.len();
        while !rest.is_empty() {
            let (step, after) = match rest.strip_prefix('[') {
                Some(inner) => bracketed(inner),
                None => match rest.strip_prefix('.') {
                    Some(name) => plain_name(name),
                    None if may_begin => plain_name(rest),
                    None => None,
                },
            }
            .ok_or_else(|| {
                format!(
                    "{text} is no path to one value; such paths are like $.a.b, $[\"a\"][\"b\"] or $.list[0]"
                )
            })?;
            steps.push(step);
            rest = after;
            may_begin = false;
        }
        Ok(Self(steps))
    }

    /// The value that the path leads to; `None` where there is none or a null is in the way.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Option<Cow<'a, Value>> {
        let mut current = value;
        for step in &self.0 {
            current = match (step, current) {
                (Step::Name(name), Value::Object(object)) => object.get(name)?,
                (Step::Name(name), Value::Struct(record)) => record.get(name)?,
                (Step::Name(name), Value::Map(entries)) => {
                    entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)?
                }
                (Step::Index(at), Value::Array(items)) => items.get(*at)?,
                _ => return None,
            };
        }
        (!current.is_null()).then_some(Cow::Borrowed(current))
    }
}

fn plain_name(text: &str) -> Option<(Step, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    let single = !name.is_empty() && !name.contains(['*', '?', '@', '(', ']']);
    single.then(|| (Step::Name(name.to_owned()), after))
}

fn bracketed(text: &str) -> Option<(Step, &str)> {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            let (name, after) = quoted.split_once(quote)?;
            return Some((Step::Name(name.to_owned()), after.strip_prefix(']')?));
        }
    }
    let (index, after) = text.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let document = lavka_converters::json::parse(br#"{"a":{"b.c":[1,{"d":"x"}],"n":null}}"#).unwrap();
        for (path, found) in [
            ("$.a['b.c'][1].d", Some("x")),
            ("$[\"a\"][\"b.c\"][1][\"d\"]", Some("x")),
            ("[\"a\"][\"b.c\"][1].d", Some("x")),
            ("a['b.c'][1].d", Some("x")),
            ("$.a.n", None),
            ("$.a.zz", None),
            ("$.a.n.q", None),
            ("$.a['b.c'][7]", None),
        ] {
            let found_here = JsonPath::parse(path).unwrap().find(&document).map(Cow::into_owned);
            assert_eq!(found_here.as_ref().and_then(Value::as_str), found, "{path}");
        }
        for path in ["$..a", "$.*", "$[*]", "$.a[?(@.b)]", "$[", "$x", "$['a'", "$.", "$[-1]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
