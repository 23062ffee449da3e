//! Names of records, enums and fixed types.

use lavka_api::error::ErrorClass;
use lavka_api::{Error, Result};

use super::{Kind, SCHEMA_PARSE};

/// A full name: the simple one behind the last dot, the namespace before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name(String);

impl Name {
    /// The name that `name` means where `space` is the namespace around it. One with a dot says its own.
    pub(crate) fn new(name: &str, space: Option<&str>) -> Result<Self> {
        let (space, simple) = match name.rsplit_once('.') {
            Some((space, simple)) => (Some(space), simple),
            None => (space, name),
        };
        valid(simple)?;
        Ok(match space.filter(|space| !space.is_empty()) {
            Some(space) => Self(format!("{space}.{simple}")),
            None if Kind::primitive(simple).is_some() => {
                return Err(parse_error(format!("Schemas may not be named after primitives: {simple}"))
                    .with_exception("org.apache.avro.AvroTypeException"));
            }
            None => Self(simple.to_owned()),
        })
    }

    pub(crate) fn full(&self) -> &str {
        &self.0
    }

    pub(crate) fn simple(&self) -> &str {
        self.0.rsplit_once('.').map_or(&*self.0, |(_, simple)| simple)
    }

    pub(crate) fn space(&self) -> Option<&str> {
        self.0.rsplit_once('.').map(|(space, _)| space)
    }

    /// How it is referred to from inside of the namespace `space`.
    pub(crate) fn qualified(&self, space: Option<&str>) -> &str {
        match self.space() {
            own if own == space && Kind::primitive(self.simple()).is_none() => self.simple(),
            _ => self.full(),
        }
    }
}

/// Holds `name` to Avro's rule with Java's wording: a letter or underscore first, then digits too. Letters are Unicode's.
pub(crate) fn valid(name: &str) -> Result<()> {
    let mut letters = name.chars();
    let Some(first) = letters.next() else { return Err(parse_error("Empty name")) };
    if !(first.is_alphabetic() || first == '_') {
        return Err(parse_error(format!("Illegal initial character: {name}")));
    }
    if !letters.all(|letter| letter.is_alphanumeric() || letter == '_') {
        return Err(parse_error(format!("Illegal character in: {name}")));
    }
    Ok(())
}

pub(crate) fn parse_error(message: impl Into<String>) -> Error {
    Error::new(ErrorClass::Data, SCHEMA_PARSE, message)
}
