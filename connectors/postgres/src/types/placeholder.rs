//! What stands for an out-of-line value that a change did not touch and the server did not send.

use lavka_api::data::{Blob, Schema, Type, Value};
use lavka_api::hex;
use md5::{Digest, Md5};

use super::{BinaryMode, HstoreMode, hstore};
use crate::model::oid;

/// `unavailable.value.placeholder`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    bytes: Box<[u8]>,
}

impl Default for Placeholder {
    fn default() -> Self {
        Self { bytes: b"__debezium_unavailable_value".as_slice().into() }
    }
}

/// Types whose placeholder goes by more than their schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As the schema wants it: a text or bytes.
    Plain,
    /// An hstore: one pair.
    Hstore,
    /// An array of texts: one element.
    Texts,
    /// An array of bytes: one element.
    Binaries,
    /// An array of 32-bit integers or days: the codes of the bytes.
    Integers,
    /// An array of 64-bit integers: likewise.
    Longs,
    /// An array of UUIDs: one element that is made of the bytes.
    Uuids,
}

impl Shape {
    /// The shape of an array by its elements' type.
    pub(super) fn of_array(element: u32) -> Self {
        match element {
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::JSON | oid::JSONB => Self::Texts,
            oid::BYTEA => Self::Binaries,
            oid::INT4 | oid::DATE => Self::Integers,
            oid::INT8 => Self::Longs,
            oid::UUID => Self::Uuids,
            _ => Self::Plain,
        }
    }
}

impl Placeholder {
    /// Reads the configuration's value: a text, or raw bytes as `hex:` and digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = match text.strip_prefix("hex:") {
            Some(digits) => hex::decode(digits)?,
            None => text.as_bytes().to_vec(),
        };
        Some(Self { bytes: bytes.into() })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The value for a column of `schema`; `None` where its type has room for none, so that null stands for it.
    pub(super) fn value(&self, shape: Shape, schema: &Schema, hstore_mode: HstoreMode) -> Option<Value> {
        let one = |value: Value| Some(Value::Array([value].into()));
        let codes =
            |element: fn(u8) -> Value| Value::Array(self.bytes.iter().map(|&byte| element(byte)).collect());
        let item = schema.values().map(Schema::ty);
        match shape {
            Shape::Hstore => Some(hstore::value(&[(self.text(), Some(self.text()))], hstore_mode)),
            Shape::Texts => one(Value::from(self.text())),
            Shape::Binaries if item == Some(Type::Bytes) => one(Value::Bytes(Blob::from(&*self.bytes))),
            Shape::Integers if item == Some(Type::Int32) && plain_days(schema) => {
                Some(codes(|byte| Value::Int32(byte.cast_signed().into())))
            }
            Shape::Longs => Some(codes(|byte| Value::Int64(byte.cast_signed().into()))),
            Shape::Uuids => one(Value::from(name_uuid(&self.bytes))),
            Shape::Plain if schema.ty() == Type::String => Some(Value::from(self.text())),
            Shape::Plain if schema.ty() == Type::Bytes && schema.logical().is_none() => {
                Some(BinaryMode::Bytes.value(&self.bytes))
            }
            _ => None,
        }
    }
}

/// Whether the elements are plain integers or Debezium's days; Connect's dates are no integers in Java.
fn plain_days(schema: &Schema) -> bool {
    schema.values().is_some_and(|items| items.logical().is_none())
}

/// `UUID.nameUUIDFromBytes`: version 3, from the MD5 of the bytes.
fn name_uuid(name: &[u8]) -> String {
    let mut bytes: [u8; 16] = Md5::digest(name).into();
    bytes[6] = bytes[6] & 0x0F | 0x30;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let digits = hex::encode(&bytes);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_made_as_java_makes_them() {
        assert_eq!(name_uuid(b"__debezium_unavailable_value"), "b68a35a7-17ad-35b3-af2a-ae46edb4545a");
    }

    #[test]
    fn placeholders_are_texts_or_raw_bytes() {
        assert_eq!(Placeholder::parse("hex:00ff"), Some(Placeholder { bytes: [0, 255].into() }));
        assert_eq!(Placeholder::parse("hex:0"), None);
        assert_eq!(Placeholder::parse("gone"), Some(Placeholder { bytes: b"gone".as_slice().into() }));
    }
}
