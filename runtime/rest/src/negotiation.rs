//! Media types: JSON goes in, JSON comes out.

/// What the type of a request body says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyType {
    /// JSON, whatever its parameters.
    Json,
    /// None is given.
    Missing,
    /// Some other one: 415.
    Other,
    /// It is no media type: 400.
    Malformed,
}

/// What a `Content-Type` header says.
pub(crate) fn body_type(header: Option<&[u8]>) -> BodyType {
    let Some(header) = header else { return BodyType::Missing };
    let text = String::from_utf8_lossy(header);
    match media_range(&text) {
        None if text.trim().is_empty() => BodyType::Missing,
        None => BodyType::Malformed,
        Some((main, sub)) => {
            if main.eq_ignore_ascii_case("application") && sub.eq_ignore_ascii_case("json") {
                BodyType::Json
            } else {
                BodyType::Other
            }
        }
    }
}

/// Whether one of the `Accept` headers takes JSON. None at all, or an empty one, takes anything. The weights do not
/// matter, as there is one type to choose from.
pub(crate) fn accepts_json<'h>(headers: impl Iterator<Item = &'h [u8]>) -> bool {
    let mut any = false;
    for header in headers {
        let text = String::from_utf8_lossy(header);
        for range in text.split(',').filter(|range| !range.trim().is_empty()) {
            any = true;
            if let Some((main, sub)) = media_range(range)
                && (main == "*" || main.eq_ignore_ascii_case("application"))
                && (sub == "*" || sub.eq_ignore_ascii_case("json"))
            {
                return true;
            }
        }
    }
    !any
}

fn media_range(text: &str) -> Option<(&str, &str)> {
    let (main, sub) = text.split(';').next()?.trim().split_once('/')?;
    let (main, sub) = (main.trim(), sub.trim());
    (!main.is_empty() && !sub.is_empty()).then_some((main, sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_any_form() {
        let of = |text: &str| body_type(Some(text.as_bytes()));
        assert_eq!(of("application/json"), BodyType::Json);
        assert_eq!(of("Application/JSON; charset=utf-8"), BodyType::Json);
        assert_eq!(of("application/jsonx"), BodyType::Other);
        assert_eq!(of("application/vnd.api+json"), BodyType::Other);
        assert_eq!(of("foo"), BodyType::Malformed);
        assert_eq!(of(" "), BodyType::Missing);
        assert_eq!(body_type(None), BodyType::Missing);
    }

    #[test]
    fn accepted_ranges() {
        let accepts = |texts: &[&str]| accepts_json(texts.iter().map(|text| text.as_bytes()));
        for yes in [&[][..], &[""], &["*/*"], &["application/*"], &["text/html, application/json;q=0.5"]] {
            assert!(accepts(yes), "{yes:?}");
        }
        assert!(accepts(&["text/html", "application/json"]));
        for no in [&["text/html"][..], &["foo"], &["application/xml, text/*"], &["*/xml"]] {
            assert!(!accepts(no), "{no:?}");
        }
    }
}
