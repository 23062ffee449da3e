//! The data model: schemas, values, records.
//!
//! Kafka Connect's model (types, logical types, structs, schemaless maps) with two changes for speed: schemas are
//! shared and compared by pointer, then fingerprint; and the keys of a schemaless object live in a shared [`Shape`].
//!
//! # Which type for what
//!
//! | Connect | here | remarks |
//! | --- | --- | --- |
//! | `Schema`, `SchemaBuilder` | [`Schema`], [`SchemaBuilder`] | a clone is a pointer |
//! | `SchemaAndValue` | [`Datum`] | |
//! | `Struct` | [`Struct`] | values by position |
//! | `Map` with string keys, without a schema | [`Object`] | in insertion order |
//! | any other `Map` | [`Value::Map`] | pairs |
//! | `byte[]`, `ByteBuffer` | [`Blob`] | shared |
//! | `String` | [`Str`] | short ones inline |
//! | `java.util.Date` under `Date`, `Time`, `Timestamp` | [`Value::Date`], [`Value::Time`], [`Value::Timestamp`] | days, ms, ms |
//! | `BigDecimal` | [`Decimal`] | |
//! | `SourceRecord`, `SinkRecord` | [`SourceRecord`], [`SinkRecord`] | each around the [`Record`] that transforms see |
//! | source partition, source offset | [`OffsetMap`] | |

mod decimal;
mod key_list;
mod object;
mod offset;
mod record;
mod schema;
mod schema_builder;
mod shape;
mod structs;
mod text;
mod types;
mod validate;
mod value;
mod values;

pub use decimal::Decimal;
pub use key_list::KeyList;
pub use object::Object;
pub use offset::{OffsetMap, SourcePosition};
pub use record::{
    Datum, Header, Headers, KafkaOrigin, Record, RecordKind, SinkRecord, SourceRecord, TimestampType, Topic,
    TopicPartition,
};
pub use schema::{Field, Schema};
pub use schema_builder::SchemaBuilder;
pub use shape::{Shape, ShapeCursor, ShapeTable};
pub use structs::Struct;
pub use text::{Blob, Str};
pub use types::{Logical, Type};
pub use validate::validate;
pub use value::Value;
