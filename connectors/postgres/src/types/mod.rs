//! Every type of PostgreSQL as Connect's schemas and values, from the server's text.
//!
//! A column's type is looked at once ([`ColumnType::of`]): it gives the schema and a [`Codec`], which turns texts into values
//! for as long as the relation keeps its shape. The modes of the configuration are in [`Conversions`].
//!
//! # Where values are other than Debezium's
//!
//! Debezium 3.6.3 reads snapshots through JDBC and changes from text, and gives two values for some inputs. Here there is
//! one path, and it gives what Debezium's stream gives: dates before Christ and `infinity` as its stream counts them. Where
//! its stream loses a value, here it stays: columns of the type `name`, fractions in arrays of `timetz`, NaN in arrays of
//! `numeric`, a `bytea` that was not sent where it is Base64, negative scales of `numeric`. Masks apply to `citext` too.
//! The list with examples is in `tests/captures/volatile.rs`.
//!
//! # Map
//!
//! - `modes`: what the configuration says about conversions. `column_type`: from a type to its codec. `codec`: from text to
//!   value. `precision`: length and scale of a type as the JDBC driver reports them, which schemas show.
//! - `calendar`, `clock`: dates and times as text and as numbers. `temporal`: their codecs. `reprint`: those that
//!   keep their digits. `interval`.
//! - `numeric`, `bits`, `binary`, `hstore`, `array`, `geometry`, `vector`: one kind of type each.
//! - `default_value`: defaults of columns. `placeholder`: what stands for a value that the server did not send.

mod array;
mod binary;
mod bits;
mod calendar;
mod clock;
mod codec;
mod column_type;
mod default_value;
mod geometry;
mod hstore;
mod interval;
mod java_hash;
mod modes;
mod numeric;
mod placeholder;
mod precision;
mod reprint;
mod temporal;
#[cfg(test)]
mod tests;
mod vector;

pub use codec::{Codec, Unconvertible};
pub use column_type::ColumnType;
pub use default_value::schema_default;
pub(crate) use java_hash::hash_map_order;
pub(crate) use modes::modes;
pub use modes::{BinaryMode, Conversions, DecimalMode, HstoreMode, IntervalMode, TimePrecision};
pub use placeholder::Placeholder;
pub use precision::{Precision, driver_type_name};
