//! `access.control.allow.origin`: which web pages may call the API from a browser.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use lavka_api::{Error, Result};

/// The origins that are allowed, and what they may do. Without any there are no such headers at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cors {
    origins: Vec<String>,
    methods: HeaderValue,
}

impl Cors {
    /// `origins` and `methods` are comma-separated; an origin may be `*`, or have `*` in it for any text. Methods are
    /// `GET,POST,HEAD` by default.
    ///
    /// # Errors
    /// A config error where `methods` cannot be the value of a header.
    pub(crate) fn new(origins: &str, methods: &str) -> Result<Option<Self>> {
        if origins.trim().is_empty() {
            return Ok(None);
        }
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
        };
        let mut allowed = list(methods);
        if allowed.is_empty() {
            allowed = ["GET", "POST", "HEAD"].map(str::to_owned).to_vec();
        }
        let joined = allowed.join(",");
        let methods = HeaderValue::try_from(&joined).map_err(|_| {
            Error::invalid_value("access.control.allow.methods", &joined, "write methods such as GET,POST")
        })?;
        Ok(Some(Self { origins: list(origins), methods }))
    }

    /// Adds what a browser asks for to the headers of the answer to a request.
    pub(crate) fn apply(&self, method: &Method, request: &HeaderMap, answer: &mut HeaderMap) {
        answer.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = request.get(header::ORIGIN) else { return };
        if !origin.to_str().is_ok_and(|origin| self.origins.iter().any(|allowed| matches(allowed, origin))) {
            return;
        }
        let mut set = |name: HeaderName, value: HeaderValue| {
            answer.insert(name, value);
        };
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if *method == Method::OPTIONS && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            set(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            set(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type"));
            set(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("60"));
        }
    }
}

/// Whether `origin` is `pattern`, where each `*` stands for any text.
fn matches(pattern: &str, origin: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = origin.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_as_a_whole() {
        for (pattern, origin, expected) in [
            ("http://a.example", "http://a.example", true),
            ("http://a.example", "http://a.example.evil", false),
            ("http://a.example", "http://axexample", false),
            ("*", "null", true),
            ("https://*.b.example", "https://x.y.b.example", true),
            ("https://*.b.example", "https://b.example", false),
            ("http://*:*", "http://h:8", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, origin), expected, "{pattern} {origin}");
        }
    }

    fn answer(cors: &Cors, method: &Method, headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let request = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut answer = HeaderMap::new();
        cors.apply(method, &request.collect(), &mut answer);
        answer
    }

    #[test]
    fn a_preflight_is_told_what_is_allowed() {
        let cors = Cors::new("http://a.example, http://b.example", "").unwrap().unwrap();
        let preflight = [("origin", "http://b.example"), ("access-control-request-method", "PUT")];
        let headers = answer(&cors, &Method::OPTIONS, &preflight);
        assert_eq!(headers["access-control-allow-origin"], "http://b.example");
        assert_eq!(headers["access-control-allow-methods"], "GET,POST,HEAD");
        assert_eq!(headers["access-control-allow-headers"], "Content-Type");
        assert_eq!(headers["vary"], "Origin");
        let headers = answer(&cors, &Method::GET, &preflight);
        assert!(!headers.contains_key("access-control-allow-methods"));
        let headers = answer(&cors, &Method::OPTIONS, &[("origin", "http://c.example")]);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["vary"]);
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        assert_eq!(Cors::new(" ", "GET").unwrap(), None);
        assert!(Cors::new("*", "G\u{1}").is_err());
    }
}
