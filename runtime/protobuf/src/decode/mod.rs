//! From bytes to records: a message compiled once to its Connect schema and to what its fields become.
//!
//! Fields are taken as they come: of a field that is there twice the last value counts, messages that are there twice
//! are merged, members of a oneof replace each other, lists grow, and what the schema does not know is passed over.

mod compile;
mod default;
mod element;
mod json;
mod message;
mod pending;
mod schema;
mod value;

use lavka_api::Result;
use lavka_api::data::{Schema, Value};

use crate::schema::Pool;
use crate::settings::MappingSettings;
use element::Element;
use message::MessageReader;

/// How messages of one type are read.
#[derive(Debug)]
pub(crate) struct DecodePlan {
    schema: Schema,
    root: Root,
}

#[derive(Debug)]
enum Root {
    Message(MessageReader),
    /// The value in a wrapper message.
    Wrapped(Element),
}

impl DecodePlan {
    /// Compiles the message `full_name`. `version` becomes the schema's.
    ///
    /// # Errors
    /// Where there is no such message, or it holds itself, which no Connect schema here can express.
    pub(crate) fn compile(
        pool: &Pool,
        full_name: &str,
        version: Option<i32>,
        settings: &MappingSettings,
    ) -> Result<Self> {
        compile::root(pool, full_name, version, settings).map(|(schema, root)| Self { schema, root })
    }

    /// The schema of every record.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Where `bytes` are no message of this type.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<Value> {
        match &self.root {
            Root::Message(reader) => reader.read(bytes),
            Root::Wrapped(element) => element.read_wrapped(bytes),
        }
    }
}
