//! How a message names its schema.
//!
//! | form | bytes |
//! | --- | --- |
//! | prefix, by id | `0x00`, the id as 4 bytes big-endian, the payload |
//! | prefix, by GUID | `0x01`, 16 bytes, the payload |
//! | header, by GUID | the payload alone; the header [`KEY_HEADER`] or [`VALUE_HEADER`] holds `0x01` and 16 bytes |
//!
//! Protobuf has the place of the message in its file behind the id or GUID: [`read_indexes`], [`write_indexes`].

use lavka_api::data::{Blob, Datum, Headers, Schema, Type, Value};
use lavka_api::error::exception;
use lavka_api::plugin::{ConverterRole, Undecoded};
use lavka_api::{Error, Result};

use crate::schema::{Guid, RegisteredSchema, SchemaKey};

/// The header that names the schema of a key.
pub const KEY_HEADER: &str = "__key_schema_id";
/// The header that names the schema of a value.
pub const VALUE_HEADER: &str = "__value_schema_id";

const BY_ID: u8 = 0;
const BY_GUID: u8 = 1;

/// Deeper nested messages than this are refused: real files have a handful of levels.
const MAX_INDEXES: usize = 64;

/// Where the name of a schema is written (`key.schema.id.serializer`, `value.schema.id.serializer`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdForm {
    /// `PrefixSchemaIdSerializer`: the id before the payload.
    Prefix,
    /// `HeaderSchemaIdSerializer`: the GUID in a header.
    Header,
}

/// Where the name of a schema is looked for (`key.schema.id.deserializer`, `value.schema.id.deserializer`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdPlace {
    /// `DualSchemaIdDeserializer`: the header if there is one, otherwise before the payload.
    HeaderOrPrefix,
    /// `PrefixSchemaIdDeserializer`: before the payload alone.
    Prefix,
}

/// The name of the header of `role`.
#[must_use]
pub fn header_name(role: ConverterRole) -> &'static str {
    match role {
        ConverterRole::Key => KEY_HEADER,
        ConverterRole::Value | ConverterRole::Header => VALUE_HEADER,
    }
}

/// A payload and the name of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located<'a> {
    /// What the schema is called.
    pub key: SchemaKey,
    /// What follows the name in the header: the message indexes of Protobuf. `None` where the name was before the
    /// payload, which then begins with them.
    pub in_header: Option<&'a [u8]>,
    /// What is behind the name.
    pub payload: &'a [u8],
}

impl<'a> Located<'a> {
    /// Takes the message indexes of Protobuf off the header or the payload: the indexes, and what is left.
    ///
    /// # Errors
    /// Where they are not well-formed.
    pub fn take_indexes(&self) -> Result<(MessageIndexes, &'a [u8])> {
        let mut rest = self.in_header.unwrap_or(self.payload);
        let indexes = read_indexes(&mut rest)?;
        Ok((indexes, if self.in_header.is_some() { self.payload } else { rest }))
    }
}

/// Finds the name of the schema of `undecoded`; `None` for null bytes.
///
/// # Errors
/// A data error where neither a header nor the first bytes are the name of a schema.
pub fn locate<'a>(
    undecoded: &Undecoded<'a>,
    role: ConverterRole,
    place: IdPlace,
) -> Result<Option<Located<'a>>> {
    let Some(payload) = undecoded.payload else { return Ok(None) };
    if place == IdPlace::HeaderOrPrefix {
        let wanted = header_name(role);
        let header = undecoded.headers.iter().rev().find(|(name, _)| *name == *wanted);
        if let Some((_, Some(value))) = header {
            let (key, rest) = split_key(value)
                .map_err(|why| named(format!("Header {wanted} does not name a schema: {why}")))?;
            return Ok(Some(Located { key, in_header: Some(rest), payload }));
        }
    }
    let (key, rest) = split_key(payload).map_err(named)?;
    Ok(Some(Located { key, in_header: None, payload: rest }))
}

/// Splits `bytes` into the name of a schema and what is behind it.
fn split_key(bytes: &[u8]) -> Result<(SchemaKey, &[u8]), String> {
    match bytes.split_first() {
        Some((&BY_ID, rest)) => match rest.split_first_chunk::<4>() {
            Some((id, rest)) => Ok((SchemaKey::Id(i32::from_be_bytes(*id)), rest)),
            None => Err(format!("Unexpected end after {} bytes: an id of 4 bytes is missing", bytes.len())),
        },
        Some((&BY_GUID, rest)) => match rest.split_first_chunk::<16>() {
            Some((guid, rest)) => Ok((SchemaKey::Guid(Guid::from_bytes(*guid)), rest)),
            None => Err(format!("Unexpected end after {} bytes: a GUID of 16 bytes is missing", bytes.len())),
        },
        Some((first, _)) => Err(format!(
            "Unknown magic byte! It is {first}, where messages with a schema of a registry begin with 0 or 1; was this \
             one written by another converter?"
        )),
        None => Err("Unknown magic byte! The message is empty".into()),
    }
}

fn named(message: impl Into<String>) -> Error {
    Error::data(message).with_exception(exception::SERIALIZATION)
}

/// What a converter writes before a payload, or beside it, for one schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// These bytes before the payload.
    Prefix(Box<[u8]>),
    /// This header.
    Header {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: Blob,
    },
}

impl Frame {
    /// The frame of messages of `registered`; `indexes` is what [`write_indexes`] wrote, empty for all but Protobuf.
    ///
    /// # Errors
    /// Where the form wants an id or a GUID, and the registry gave none.
    pub fn new(
        form: IdForm,
        role: ConverterRole,
        registered: &RegisteredSchema,
        indexes: &[u8],
    ) -> Result<Self> {
        match form {
            IdForm::Prefix => {
                let id = registered.id.ok_or_else(|| {
                    Error::data(format!(
                        "The registry gave no id for the schema of subject {}",
                        registered.subject
                    ))
                })?;
                let mut bytes = vec![BY_ID];
                bytes.extend_from_slice(&id.to_be_bytes());
                bytes.extend_from_slice(indexes);
                Ok(Frame::Prefix(bytes.into_boxed_slice()))
            }
            IdForm::Header => {
                let guid = registered.guid.ok_or_else(|| {
                    Error::config(format!(
                        "The registry gave no GUID for the schema of subject {}, so {}.schema.id.serializer cannot be \
                         HeaderSchemaIdSerializer with it: a newer registry is needed",
                        registered.subject,
                        if role == ConverterRole::Key { "key" } else { "value" }
                    ))
                })?;
                let mut bytes = vec![BY_GUID];
                bytes.extend_from_slice(guid.as_bytes());
                bytes.extend_from_slice(indexes);
                Ok(Frame::Header { name: header_name(role), value: bytes.into() })
            }
        }
    }

    /// Appends the prefix to `out`, or the header to `headers` where it is not there already.
    #[inline]
    pub fn write(&self, headers: &mut Headers, out: &mut Vec<u8>) {
        match self {
            Frame::Prefix(bytes) => out.extend_from_slice(bytes),
            Frame::Header { name, value } => {
                let same = |datum: &Datum| matches!(&datum.value, Value::Bytes(there) if there == value);
                if !headers.last(name).is_some_and(same) {
                    headers.add(*name, Datum::new(Schema::of(Type::Bytes), value.clone()));
                }
            }
        }
    }
}

/// The place of a message in a `.proto` file: the index of a top-level message, of a message within it, and so on.
pub type MessageIndexes = Vec<i32>;

/// Appends `indexes`: their number and each of them, zig-zag; `[0]`, the first message of the file, is a single 0.
///
/// ```
/// use lavka_schema_registry::wire::write_indexes;
///
/// let written = |indexes: &[i32]| {
///     let mut out = Vec::new();
///     write_indexes(indexes, &mut out);
///     out
/// };
/// assert_eq!(written(&[0]), [0]);
/// assert_eq!(written(&[1, 0]), [4, 2, 0]);
/// ```
pub fn write_indexes(indexes: &[i32], out: &mut Vec<u8>) {
    if indexes == [0] {
        out.push(0);
        return;
    }
    write_varint(i32::try_from(indexes.len()).unwrap_or(i32::MAX), out);
    for index in indexes {
        write_varint(*index, out);
    }
}

/// Reads what [`write_indexes`] wrote off the front of `bytes`.
///
/// # Errors
/// Where `bytes` end too early, or hold a number that is no place in a file.
pub fn read_indexes(bytes: &mut &[u8]) -> Result<MessageIndexes> {
    let count = read_varint(bytes)?;
    if count == 0 {
        return Ok(vec![0]);
    }
    let count = usize::try_from(count).ok().filter(|count| *count <= MAX_INDEXES).ok_or_else(|| {
        named(format!("Invalid message indexes: there cannot be {count}, at most {MAX_INDEXES} are read"))
    })?;
    let mut indexes = Vec::with_capacity(count);
    for _ in 0..count {
        let index = read_varint(bytes)?;
        if index < 0 {
            return Err(named(format!("Invalid message indexes: {index} is no place in a file")));
        }
        indexes.push(index);
    }
    Ok(indexes)
}

fn write_varint(value: i32, out: &mut Vec<u8>) {
    let mut rest = (value.cast_unsigned() << 1) ^ (value >> 31).cast_unsigned();
    while let Ok(low) = u8::try_from(rest & 0x7f) {
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn read_varint(bytes: &mut &[u8]) -> Result<i32> {
    let mut value = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Err(named("Invalid message indexes: unexpected end"));
        };
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    Err(named("Invalid message indexes: a number is longer than 5 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ResolvedSchema, SchemaText, SchemaType};
    use lavka_api::data::{Str, Topic};
    use proptest::prelude::*;

    fn registered(id: Option<i32>, guid: Option<Guid>) -> RegisteredSchema {
        let schema = ResolvedSchema::alone(SchemaText::new(SchemaType::Avro, "\"int\""));
        RegisteredSchema { subject: "t-value".into(), id, guid, version: Some(1), schema }
    }

    const GUID: Guid = Guid::from_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

    #[test]
    fn a_prefix_is_found_again() {
        let frame =
            Frame::new(IdForm::Prefix, ConverterRole::Value, &registered(Some(258), None), &[]).unwrap();
        let (mut headers, mut out) = (Headers::new(), Vec::new());
        frame.write(&mut headers, &mut out);
        assert_eq!(out, [0, 0, 0, 1, 2]);
        assert!(headers.is_empty());
        out.push(9);
        let (topic, payload) = (Topic::from("t"), Blob::from(out));
        let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers: &[] };
        let located = locate(&undecoded, ConverterRole::Value, IdPlace::HeaderOrPrefix).unwrap().unwrap();
        assert_eq!(located, Located { key: SchemaKey::Id(258), in_header: None, payload: &[9] });
    }

    #[test]
    fn a_header_is_written_once_and_found_again() {
        let frame =
            Frame::new(IdForm::Header, ConverterRole::Key, &registered(None, Some(GUID)), &[2, 0]).unwrap();
        let (mut headers, mut out) = (Headers::new(), Vec::new());
        frame.write(&mut headers, &mut out);
        frame.write(&mut headers, &mut out);
        assert_eq!((out.len(), headers.len()), (0, 1));
        let Value::Bytes(value) = &headers.last(KEY_HEADER).unwrap().value else { panic!("no bytes") };
        let there: Vec<(Str, Option<Blob>)> = vec![(KEY_HEADER.into(), Some(value.clone()))];
        let (topic, payload) = (Topic::from("t"), Blob::from(b"\x00payload"));
        let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers: &there };
        let located = locate(&undecoded, ConverterRole::Key, IdPlace::HeaderOrPrefix).unwrap().unwrap();
        assert_eq!(located.key, SchemaKey::Guid(GUID));
        assert_eq!(located.take_indexes().unwrap(), (vec![0], b"\x00payload".as_slice()));
        // The header of a key says nothing of the value.
        assert!(
            locate(&undecoded, ConverterRole::Value, IdPlace::HeaderOrPrefix)
                .is_ok_and(|it| it.is_some_and(|it| it.in_header.is_none()))
        );
    }

    #[test]
    fn what_the_registry_left_out_is_said() {
        let error = Frame::new(IdForm::Header, ConverterRole::Value, &registered(Some(1), None), &[]);
        assert!(error.unwrap_err().to_string().contains("value.schema.id.serializer"));
        assert!(
            Frame::new(IdForm::Prefix, ConverterRole::Value, &registered(None, Some(GUID)), &[]).is_err()
        );
    }

    #[test]
    fn other_bytes_are_no_message() {
        let topic = Topic::from("t");
        for (bytes, part) in [
            (&b""[..], "Unknown magic byte!"),
            (b"{\"a\":1}", "Unknown magic byte!"),
            (b"\x00\x00\x00", "4 bytes"),
            (b"\x01\x00\x00\x00\x00", "16 bytes"),
        ] {
            let payload = Blob::from(bytes);
            let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers: &[] };
            let error = locate(&undecoded, ConverterRole::Value, IdPlace::Prefix).unwrap_err();
            assert_eq!(error.exception(), exception::SERIALIZATION);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    /// Any bytes, more often than not behind one of the two that a name begins with.
    fn message() -> impl Strategy<Value = Vec<u8>> {
        let any = proptest::collection::vec(any::<u8>(), 0..32);
        (prop::sample::select(vec![None, Some(0), Some(1)]), any)
            .prop_map(|(first, rest)| first.into_iter().chain(rest).collect())
    }

    proptest! {
        #[test]
        fn indexes_come_back(indexes in proptest::collection::vec(0..i32::MAX, 1..8), tail in any::<[u8; 3]>()) {
            let mut bytes = Vec::new();
            write_indexes(&indexes, &mut bytes);
            bytes.extend_from_slice(&tail);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(read_indexes(&mut rest).unwrap(), indexes);
            prop_assert_eq!(rest, tail);
        }

        #[test]
        fn hostile_messages_are_located_or_refused(
            payload in message(), header in proptest::option::of(message()), key: bool
        ) {
            let (role, name) = if key { (ConverterRole::Key, "__key_schema_id") } else { (ConverterRole::Value, "__value_schema_id") };
            let (topic, payload) = (Topic::from("t"), Blob::from(payload));
            let headers = [("other".into(), None), (name.into(), header.map(Blob::from))];
            let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers: &headers };
            for place in [IdPlace::Prefix, IdPlace::HeaderOrPrefix] {
                if let Ok(Some(located)) = locate(&undecoded, role, place) {
                    prop_assert!(payload.ends_with(located.payload));
                    let _ = located.take_indexes();
                }
            }
        }

        #[test]
        fn hostile_indexes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            let mut rest = bytes.as_slice();
            if let Ok(indexes) = read_indexes(&mut rest) {
                prop_assert!(indexes.len() <= MAX_INDEXES);
            }
        }
    }
}
