//! Values to bytes and bytes to values, through plans that are compiled once.

mod cursor;
mod decode_plan;
mod decoder;
mod encode_plan;
mod encoder;
mod resolution;
mod schemaless;
mod varint;

pub use cursor::read_length;
pub use decoder::Decoder;
pub use encoder::Encoder;
pub(crate) use resolution::unreadable;
pub use varint::write_length;
