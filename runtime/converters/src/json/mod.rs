//! Connect's JSON: what `JsonConverter` is made of, for everyone else who speaks it.
//!
//! | For | Use |
//! |---|---|
//! | payloads without a schema, one after another | [`JsonReader`], one per task: it owns the shapes it has seen |
//! | lines of a file, one schema or none | [`JsonWriter`], one per task: it keeps a plan per schema |
//! | payloads of a known schema, as `JsonSchemaConverter` has them | [`PayloadReader`], [`PayloadWriter`] |
//! | one value, one document | [`write_value`], [`parse`] |
//! | schemas in files, in envelope syntax | [`parse_schema`], [`schema_text`] |
//! | keys and values of stored source offsets | [`offsets`] |
//!
//! The bytes are those of Java's `JsonConverter`, which are those of Jackson: no white space, members in order,
//! numbers as Java prints them, characters above U+FFFF as two escapes. Documents are read as laxly as Java reads
//! them. The deliberate differences: nesting is limited to [`MAX_DEPTH`] instead of 1000 levels, half a surrogate pair
//! is read as U+FFFD, only UTF-8 is read (Jackson also detects UTF-16 and UTF-32), and objects keep their order. Where
//! several things are wrong with a message's data, the first in the message is reported, not the first in the schema;
//! and of a member that comes twice each value has to be convertible, though only the last counts.
//!
//! Inside, from the bytes up: `scan` finds the next byte of interest; `reader` and `number` are a pull parser;
//! `decoder` reads values without schema, `read_plan` (with `read_containers` and `place`) those of a schema, `schema_reader` the schemas
//! themselves and `envelope` both together; `nesting` bounds the schemas that are compiled; `escape`, `lead`, `plain_writer`, `write_plan` and `schema_writer` are
//! their counterparts; `codec` is the converter, `resilient` Lenses' that never fails. `dialect` is what `JsonSchemaConverter` does otherwise, with `union` for its unions.

mod base64_text;
mod codec;
mod decoder;
mod dialect;
mod envelope;
mod escape;
mod lead;
mod lru;
mod met;
mod nesting;
mod number;
pub mod offsets;
mod place;
mod plain_writer;
mod read_containers;
mod read_plan;
mod reader;
mod resilient;
mod scan;
mod schema_reader;
mod schema_writer;
mod stand_in;
mod union;
mod write_plan;
mod writer;

pub(crate) use codec::{JsonCodec, definition};
pub use decoder::{JsonReader, parse};
pub use dialect::{GENERALIZED_UNION, ONE_OF, PayloadReader, PayloadWriter};
pub use plain_writer::write_value;
pub use reader::MAX_DEPTH;
pub(crate) use resilient::ResilientCodec;
pub use schema_reader::parse_schema;
pub use schema_writer::schema_text;
pub use write_plan::WriteOptions;
pub use writer::{DecimalFormat, JsonWriter};
