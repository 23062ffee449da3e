//! What the client asks of whoever carries its requests: HTTP, or a registry in memory.

use std::fmt;

use lavka_api::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The verb of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Register or look up.
    Post,
}

/// One request, to be sent to any URL of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Path and query behind the registry's URL, percent-encoded, beginning with a slash.
    pub path: String,
    /// The body, as JSON; empty for none.
    pub body: Vec<u8>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In a sentence without a full stop and without secrets.
    pub text: String,
    /// Whether another try may help: the network, a server that is down. Otherwise the user has to change something.
    pub passes: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Carries requests to the URLs of one registry.
#[async_trait]
pub trait Transport: Send + Sync {
    /// The URLs without credentials, for error texts; at least one.
    fn urls(&self) -> &[String];

    /// Sends `request` to the URL at place `url` and waits for the answer. Whoever drops this gives the request up.
    async fn exchange(&self, url: usize, request: &Request) -> Result<Answer, Trouble>;
}

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Appends `text` to a path, percent-encoded but for unreserved characters.
pub(crate) fn push_encoded(path: &mut String, text: &str) {
    path.extend(utf8_percent_encode(text, RESERVED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_become_one_segment() {
        let mut path = String::from("/subjects/");
        push_encoded(&mut path, ":.ctx:a/b c-ü");
        assert_eq!(path, "/subjects/%3A.ctx%3Aa%2Fb%20c-%C3%BC");
    }
}
