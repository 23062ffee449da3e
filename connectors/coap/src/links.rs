//! What `/.well-known/core` of a server says: the CoRE link format (RFC 6690). Pure.

/// A link to a resource of the server itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<String>,
    /// Names in lower case; a value may be a list of words.
    attributes: Vec<(String, Option<String>)>,
}

/// A condition on an attribute of links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    name: String,
    /// None where the attribute only has to be there.
    value: Option<String>,
}

impl Filter {
    /// Reads `name` or `name=value`; a `*` at the end of the value stands for anything.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (text.trim(), None),
        };
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*');
        if name.is_empty() || !name.chars().all(good) {
            return Err(format!("{text} is no filter, such as rt=temperature, if=core.s, rt=sensor* or obs"));
        }
        Ok(Self { name: name.to_ascii_lowercase(), value: value.map(str::to_owned) })
    }

    /// What a server may be asked for (RFC 6690, section 4.1), which has no way to ask for an attribute alone.
    pub(crate) fn query(&self) -> Option<String> {
        self.value.as_ref().map(|value| format!("{}={value}", self.name))
    }

    fn holds(&self, link: &Link) -> bool {
        // The target itself is asked for like an attribute (section 4.1).
        if self.name == "href" {
            let path = format!("/{}", link.path.join("/"));
            return self.value.as_deref().is_none_or(|wanted| fits(wanted, &path));
        }
        link.attributes.iter().any(|(name, value)| {
            *name == self.name
                && self.value.as_deref().is_none_or(|wanted| {
                    // A value of rt or if is a list of words (section 3.1), and each may be the one.
                    let value = value.as_deref().unwrap_or_default();
                    fits(wanted, value) || value.split(' ').any(|word| fits(wanted, word))
                })
        })
    }
}

fn fits(wanted: &str, value: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(prefix) => value.starts_with(prefix),
        None => value == wanted,
    }
}

impl Link {
    /// Whether all filters hold.
    pub(crate) fn passes(&self, filters: &[Filter]) -> bool {
        filters.iter().all(|filter| filter.holds(self))
    }
}

/// The links of a directory. What is malformed, and links to other servers, are passed over: a directory is somebody
/// else's text, and the rest of it still holds.
pub(crate) fn parse(text: &str) -> Vec<Link> {
    pieces(text, ',').filter_map(link).collect()
}

fn link(text: &str) -> Option<Link> {
    let (target, attributes) = text.trim().strip_prefix('<')?.split_once('>')?;
    let relative = target.strip_prefix('/').filter(|rest| !rest.starts_with('/'))?;
    let (path, query) = relative.split_once('?').unwrap_or((relative, ""));
    let path = path.split('/').map(unescape).collect::<Option<Vec<_>>>()?;
    let query = query.split('&').filter(|part| !part.is_empty()).map(unescape).collect::<Option<Vec<_>>>()?;
    let attributes: Vec<_> = pieces(attributes, ';').filter_map(attribute).collect();
    // A link with another anchor is a statement about something else.
    let foreign = attributes.iter().any(|(name, _)| name == "anchor");
    // Segments and parts are options, of at most 255 bytes each (RFC 7252, section 5.10).
    let too_long = path.iter().chain(&query).any(|part| part.len() > 255);
    (!foreign && !too_long).then_some(Link { path, query, attributes })
}

fn attribute(text: &str) -> Option<(String, Option<String>)> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim(), Some(unquote(value.trim()))),
        None => (text.trim(), None),
    };
    (!name.is_empty()).then(|| (name.to_ascii_lowercase(), value))
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

/// The pieces between separators that stand neither in quotes nor in a target.
fn pieces(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped, mut target) = (false, false, false);
    text.split(move |c: char| {
        let splits = !quoted && !target && c == separator;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !target => quoted = !quoted,
            '<' if !quoted => target = true,
            '>' if !quoted => target = false,
            _ => {}
        }
        splits
    })
}

/// A part of a URI without its percent-encoding; none where that is malformed.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push((high << 4 | low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observe::shown;

    fn paths(text: &str, filters: &[&str]) -> Vec<String> {
        let filters: Vec<Filter> = filters.iter().map(|text| Filter::parse(text).unwrap()).collect();
        let links = parse(text).into_iter().filter(|link| link.passes(&filters));
        links.map(|link| shown(&link.path, &link.query)).collect()
    }

    #[test]
    fn links_and_filters() {
        let text = r#"</sensors/temp>;rt="temperature-c core.s";if="sensor";obs, </light?x=1&y>;rt=light-lux;title="a, \"b\"; <c>",</a%20b>"#;
        assert_eq!(paths(text, &[]), ["/sensors/temp", "/light?x=1&y", "/a b"]);
        assert_eq!(paths(text, &["rt=temp*"]), ["/sensors/temp"]);
        assert_eq!(paths(text, &["rt=core.s"]), ["/sensors/temp"]);
        assert_eq!(paths(text, &["rt=light-lux"]), ["/light?x=1&y"]);
        assert_eq!(paths(text, &["rt=light"]), [""; 0]);
        assert_eq!(paths(text, &["obs"]), ["/sensors/temp"]);
        assert_eq!(paths(text, &["obs", "rt=light*"]), [""; 0]);
        assert_eq!(paths(text, &["href=/sensors/*"]), ["/sensors/temp"]);
        assert_eq!(paths(text, &["href=/sensors"]), [""; 0]);
        assert_eq!(paths(text, &["title=a, \"b\"; <c>"]), ["/light?x=1&y"]);
    }

    #[test]
    fn others_and_malformed_ones_are_passed_over() {
        let text = r#"<coap://other/x>,<//other/x>,</a>;anchor="/b",nonsense,</%zz>,</%ff>,</ok>;;=,<"#;
        assert_eq!(paths(text, &[]), ["/ok"]);
        assert!(Filter::parse("=x").is_err() && Filter::parse("a b=x").is_err());
        assert_eq!(Filter::parse("rt=\"x\"").unwrap().query().as_deref(), Some("rt=x"));
        assert_eq!(Filter::parse("obs").unwrap().query(), None);
    }

    proptest! {
        #[test]
        fn hostile_text_is_read_without_harm(text in r#"[</>;,="\\%a0 ]{0,80}"#, any: String) {
            prop_assert!(parse(&text).len() <= text.len());
            parse(&any);
        }
    }
}
