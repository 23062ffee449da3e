//! What a table's records look like before there is a record: which tables and columns, under which names, with which
//! schemas.
//!
//! # Map
//!
//! - `pattern`: Debezium's lists of regular expressions. `filter`: which tables and columns.
//! - `topics`: names of topics. `adjust`: names that Avro takes.
//! - `mapper`: masks, hashes, truncation, and types shown in parameters. `key`: the columns of the key.
//! - `envelope`: the schemas that all tables share.

mod adjust;
mod envelope;
mod filter;
mod hash;
mod key;
mod mapper;
mod pattern;
mod topics;

pub use adjust::NameAdjustment;
pub use envelope::{CONNECTOR, VERSION};
pub(crate) use envelope::{SharedSchemas, envelope};
pub use filter::{ColumnFilter, TableFilter};
pub use key::KeyColumns;
pub use mapper::ColumnMappers;
pub(crate) use mapper::{SourceColumn, TextMapper};
pub use pattern::PatternList;
pub use topics::{TopicNaming, TopicRegex};
