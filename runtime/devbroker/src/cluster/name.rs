//! Names that are kept.

use std::{borrow::Borrow, fmt, hash::Hash, ops::Deref};

use kafka_protocol::protocol::StrBytes;

/// A topic, group, member or protocol name that outlives the request it came in.
///
/// Strings of a decoded request are slices of the whole frame; keeping one would keep the frame, record batches and
/// all. A `Name` has storage of its own, and cloning it is a reference count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Name(StrBytes);

impl Name {
    /// The same characters for a response.
    pub(super) fn wire(&self) -> StrBytes {
        self.0.clone()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(StrBytes::from_string(text.to_owned()))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(StrBytes::from_string(text))
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self
    }
}

impl Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.deref().hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.deref(), formatter)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self)
    }
}
