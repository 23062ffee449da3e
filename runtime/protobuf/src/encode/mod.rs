//! From records to bytes: a Connect schema and the message made from it compiled once to what has to be written.
//!
//! Fields are written in the order of their numbers, as Java's messages write theirs. A field without presence is left
//! out where its value is the default.

mod compile;
mod instant;
mod message;
mod scalar;

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::Result;
use lavka_api::data::{Schema, Value};

use crate::mapping::Derived;
use crate::schema::{File, Pool};
use crate::settings::MappingSettings;
pub(crate) use instant::SECONDS;
use message::MessageWriter;
use scalar::ScalarWriter;
pub(crate) use scalar::wire_of;

/// How records of one Connect schema are written.
#[derive(Debug)]
pub(crate) struct EncodePlan {
    root: Root,
}

#[derive(Debug)]
enum Root {
    Message(MessageWriter),
    /// The field of a wrapper message.
    Wrapped(ScalarWriter),
}

impl EncodePlan {
    /// Compiles `schema` for the message that was derived from it.
    ///
    /// # Errors
    /// Where the derived file is no valid schema, or lacks what `schema` needs.
    pub(crate) fn compile(schema: &Schema, derived: &Derived, settings: &MappingSettings) -> Result<Self> {
        let pool = Pool::link(&derived.file, &HashMap::<String, Arc<File>>::new())?;
        compile::root(schema, derived, &pool, settings).map(|root| Self { root })
    }

    /// Appends the bytes of `value`.
    ///
    /// # Errors
    /// Where the value does not fit the schema; `out` then holds a part, which the caller cuts off.
    pub(crate) fn write(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match &self.root {
            Root::Message(writer) => writer.write_value(value, out),
            Root::Wrapped(writer) => writer.write_field(value, out),
        }
    }
}
