//! Which resources devices may write to, and where their readings go.

use lavka_api::data::{Str, Topic};

/// A resource pattern and the topic for what is written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The pattern as it was configured.
    pub(crate) pattern: String,
    segments: Vec<Segment>,
    /// The topic, if not that of the connector.
    pub(crate) topic: Option<Topic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Exactly(String),
    /// `{name}`: one segment, whose text is kept under this name.
    Variable(Str),
    /// `+`: one segment.
    Any,
    /// `#`, only at the end: any number of segments, none as well.
    Rest,
}

/// The variables of a path that matched, in the order of the pattern.
pub(crate) type Variables = Vec<(Str, Str)>;

impl Resource {
    /// Reads `pattern` or `pattern=>topic`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (pattern, topic) = match text.split_once("=>") {
            Some((pattern, topic)) => (pattern.trim(), Some(topic.trim())),
            None => (text.trim(), None),
        };
        if topic.is_some_and(str::is_empty) {
            return Err(format!("{text}: the topic behind => is missing"));
        }
        let path = pattern.strip_prefix('/').unwrap_or(pattern);
        if path.is_empty() {
            return Err(format!("{text}: a resource needs a path, for example sensors/{{device}}"));
        }
        let names: Vec<&str> = path.split('/').collect();
        let mut segments = Vec::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            let segment = match *name {
                "" => return Err(format!("{text}: an empty segment")),
                "+" => Segment::Any,
                "#" if place + 1 == names.len() => Segment::Rest,
                "#" => return Err(format!("{text}: # may only stand at the end")),
                name => match name.strip_prefix('{').map(|rest| rest.strip_suffix('}')) {
                    Some(Some(variable)) => Segment::Variable(checked_name(variable, &segments, text)?),
                    Some(None) => return Err(format!("{text}: {name} is not closed with }}")),
                    None => Segment::Exactly(name.to_owned()),
                },
            };
            segments.push(segment);
        }
        let topic = topic.map(Topic::from);
        Ok(Self { pattern: format!("/{path}"), segments, topic })
    }

    /// The variables of `path` if it matches.
    pub(crate) fn matches(&self, path: &[&str]) -> Option<Variables> {
        let mut variables = Variables::new();
        let mut rest = path.iter();
        for segment in &self.segments {
            if *segment == Segment::Rest {
                return Some(variables);
            }
            let text = rest.next()?;
            match segment {
                Segment::Exactly(name) if name == text => {}
                Segment::Exactly(_) => return None,
                Segment::Variable(name) => variables.push((name.clone(), Str::from(*text))),
                Segment::Any | Segment::Rest => {}
            }
        }
        rest.next().is_none().then_some(variables)
    }

    /// The segments of a pattern without wildcards: the one path it stands for.
    pub(crate) fn fixed(&self) -> Option<Vec<String>> {
        let exactly = |segment: &Segment| match segment {
            Segment::Exactly(name) => Some(name.clone()),
            _ => None,
        };
        self.segments.iter().map(exactly).collect()
    }

    /// The entry in `/.well-known/core` (RFC 6690): a link for a path that is fixed, a template (RFC 6570) in an attribute
    /// of the fixed part before it otherwise.
    pub(crate) fn link(&self) -> String {
        let fixed: Vec<&str> = self
            .segments
            .iter()
            .map_while(|segment| match segment {
                Segment::Exactly(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let path = fixed.iter().map(|name| escape(name)).collect::<Vec<_>>().join("/");
        if fixed.len() == self.segments.len() {
            format!("</{path}>;rt=\"lavka.ingest\"")
        } else {
            format!("</{path}>;rt=\"lavka.ingest\";title=\"{}\"", self.pattern.replace(['\\', '"'], "_"))
        }
    }
}

fn checked_name(name: &str, before: &[Segment], text: &str) -> Result<Str, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(good) {
        return Err(format!("{text}: a variable's name has letters, digits, _, - and ., not {{{name}}}"));
    }
    if before.iter().any(|segment| matches!(segment, Segment::Variable(other) if other == name)) {
        return Err(format!("{text}: {{{name}}} stands there twice"));
    }
    Ok(Str::from(name))
}

/// A path segment in a URI reference (RFC 3986, section 3.3).
fn escape(segment: &str) -> String {
    let mut escaped = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
        let path: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let variables = Resource::parse(pattern).unwrap().matches(&path)?;
        Some(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn patterns() {
        let var = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(matched("readings", "readings"), Some(vec![]));
        assert_eq!(matched("/readings", "readings"), Some(vec![]));
        assert_eq!(matched("readings", "readings/1"), None);
        assert_eq!(matched("readings/1", "readings"), None);
        assert_eq!(
            matched("s/{site}/+/{device}", "s/brno/floor2/d7"),
            Some(vec![var("site", "brno"), var("device", "d7")])
        );
        assert_eq!(matched("raw/#", "raw"), Some(vec![]));
        assert_eq!(matched("raw/#", "raw/a/b"), Some(vec![]));
        assert_eq!(matched("#", "anything/at/all"), Some(vec![]));
        assert_eq!(matched("+", ""), None);
    }

    #[test]
    fn topics() {
        let resource = Resource::parse(" sensors/{device} => readings ").unwrap();
        assert_eq!(resource.topic.as_deref(), Some("readings"));
        assert_eq!(resource.pattern, "/sensors/{device}");
        assert_eq!(Resource::parse("a").unwrap().topic, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("", "needs a path"),
            ("/", "needs a path"),
            ("a//b", "an empty segment"),
            ("a/#/b", "# may only stand at the end"),
            ("a/{b", "is not closed"),
            ("a/{}", "letters, digits"),
            ("a/{b}/{b}", "stands there twice"),
            ("a=>", "the topic behind => is missing"),
        ] {
            let error = Resource::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn links_of_the_directory() {
        let link = |pattern: &str| Resource::parse(pattern).unwrap().link();
        assert_eq!(link("a/b c"), "</a/b%20c>;rt=\"lavka.ingest\"");
        assert_eq!(link("s/{device}/+"), "</s>;rt=\"lavka.ingest\";title=\"/s/{device}/+\"");
    }
}
