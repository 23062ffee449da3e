//! Keys and values of stored source offsets, in the offsets topic and in the standalone file.
//!
//! A key is the array `["<connector>",{<partition>}]`, a value the object of the offset. Both are JSON without schema.
//! Offsets are found by the exact bytes of their key, so the order of a partition's members matters: it is that of
//! the [`OffsetMap`].

use std::fmt;

use lavka_api::data::{OffsetMap, Value};
use lavka_api::{Error, Result};

use super::decoder::parse;
use super::escape::write_string;
use super::plain_writer::write_value;

/// Appends the key of `partition` of `connector`: `["file-src",{"filename":"a.txt"}]`.
///
/// # Errors
/// As [`write_offset`].
pub fn write_key(connector: &str, partition: &OffsetMap, out: &mut Vec<u8>) -> Result<()> {
    out.push(b'[');
    write_string(out, connector);
    out.push(b',');
    write_offset(partition, out)?;
    out.push(b']');
    Ok(())
}

/// Appends the members of `offset`: `{"position":30}`. Partitions have the same form.
///
/// # Errors
/// A data error that names the key of a value that is not primitive. `out` then holds a part, which the caller cuts
/// off.
pub fn write_offset(offset: &OffsetMap, out: &mut Vec<u8>) -> Result<()> {
    out.push(b'{');
    for (i, (key, value)) in offset.entries().iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(out, key);
        out.push(b':');
        check_primitive(key, value)?;
        write_value(value, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Checks that `value` may be part of an offset (`OffsetUtils.validateFormat`): a string, number, boolean, bytes or
/// null.
///
/// # Errors
/// A data error that names `key`.
pub fn check_primitive(key: &str, value: &Value) -> Result<()> {
    let found = match value {
        Value::Decimal(_) | Value::Date(_) | Value::Time(_) | Value::Timestamp(_) => {
            format!("class {}", value.java_class())
        }
        other => match other.natural_type() {
            Some(ty) if !ty.is_primitive() => ty.to_string(),
            _ => return Ok(()),
        },
    };
    Err(Error::data(format!(
        "Offsets may only contain primitive types as values, but field {key} contains {found}"
    )))
}

/// Why a key in the offsets topic is not one of this connect cluster. Readers skip it: [`NullPartition`] silently,
/// the others with a warning, for which this has the text.
///
/// [`NullPartition`]: KeyRefusal::NullPartition
#[derive(Debug, Clone)]
pub enum KeyRefusal {
    /// Not JSON; the error tells why.
    UnknownSerialization(Error),
    /// JSON, but not an array; the Java class of what it is, if anything.
    NotAnArray(Option<&'static str>),
    /// An array of another length than 2.
    WrongLength(usize),
    /// The first element is not a string; its Java class.
    NoConnector(&'static str),
    /// The second element is not an object; its Java class.
    NoPartition(&'static str),
    /// The partition is null.
    NullPartition,
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ignoring offset partition key with ")?;
        match self {
            Self::UnknownSerialization(error) => write!(f, "unknown serialization. Expected json. {error}"),
            Self::NotAnArray(class) => write!(
                f,
                "an unexpected format. Expected type: java.util.List, actual type: {}",
                class.unwrap_or("null")
            ),
            Self::WrongLength(length) => {
                write!(f, "an unexpected number of elements. Expected: 2, actual: {length}")
            }
            Self::NoConnector(class) => write!(
                f,
                "an unexpected format for the first element in the partition key list. Expected type: \
                 java.lang.String, actual type: {class}"
            ),
            Self::NoPartition(class) => write!(
                f,
                "an unexpected format for the second element in the partition key list. Expected type: \
                 java.util.Map, actual type: {class}"
            ),
            Self::NullPartition => f.write_str("an unexpected null value"),
        }
    }
}

impl std::error::Error for KeyRefusal {}

/// The connector and the partition of a key. Integers come back as `Int64`.
///
/// # Errors
/// Why the key is none. Values of the partition are not checked: Java does not here, either.
pub fn read_key(key: &[u8]) -> Result<(String, OffsetMap), KeyRefusal> {
    let value = parse(key).map_err(KeyRefusal::UnknownSerialization)?;
    let elements = match value {
        Value::Array(elements) => elements.into_vec(),
        Value::Null => return Err(KeyRefusal::NotAnArray(None)),
        other => return Err(KeyRefusal::NotAnArray(Some(other.java_class()))),
    };
    let [connector, partition] =
        <[Value; 2]>::try_from(elements).map_err(|elements| KeyRefusal::WrongLength(elements.len()))?;
    let Value::String(connector) = connector else {
        return Err(KeyRefusal::NoConnector(connector.java_class()));
    };
    match partition {
        Value::Null => Err(KeyRefusal::NullPartition),
        other => match to_map(other) {
            Ok(partition) => Ok((connector.into(), partition)),
            Err(class) => Err(KeyRefusal::NoPartition(class)),
        },
    }
}

/// The offset of a value; `None` for null. Members keep their order, integers come back as `Int64`.
///
/// # Errors
/// A data error for bytes that are not JSON, or JSON that is not an object.
pub fn read_offset(value: &[u8]) -> Result<Option<OffsetMap>> {
    match parse(value)? {
        Value::Null => Ok(None),
        other => to_map(other).map(Some).map_err(|class| {
            Error::data(format!("A source offset should be stored as a JSON object, but found a {class}"))
        }),
    }
}

/// The members of an object; the Java class of anything else.
fn to_map(value: Value) -> Result<OffsetMap, &'static str> {
    let Value::Object(object) = value else { return Err(value.java_class()) };
    let (shape, values) = object.into_parts();
    Ok(OffsetMap::new(shape.keys().iter().cloned().zip(values)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lavka_api::data::Decimal;

    fn key_of(connector: &str, partition: &OffsetMap) -> String {
        let mut out = Vec::new();
        write_key(connector, partition, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keys_and_offsets_have_java_s_bytes() {
        let partition = OffsetMap::new([("filename", "a.txt")]);
        assert_eq!(key_of("file-src", &partition), r#"["file-src",{"filename":"a.txt"}]"#);
        let partition = OffsetMap::new([
            ("z", Value::from(1i32)),
            ("a", "é😀".into()),
            ("f", 1e10.into()),
            ("b", Value::Bytes((&[0, 0xff]).into())),
            ("n", Value::Null),
            ("t", true.into()),
        ]);
        assert_eq!(
            key_of("c\"", &partition),
            r#"["c\"",{"z":1,"a":"é\uD83D\uDE00","f":1.0E10,"b":"AP8=","n":null,"t":true}]"#
        );
        let mut out = Vec::new();
        write_offset(&OffsetMap::new([("position", 30i64)]), &mut out).unwrap();
        assert_eq!(out, br#"{"position":30}"#);
    }

    #[test]
    fn what_is_written_is_read_in_order() {
        let partition = OffsetMap::new([("z", Value::Int64(1)), ("a", "x".into()), ("n", Value::Null)]);
        let (connector, read) = read_key(key_of("c", &partition).as_bytes()).unwrap();
        assert_eq!((connector.as_str(), read.entries()), ("c", partition.entries()));
        assert_eq!(read_offset(br#"{"position":30}"#).unwrap(), Some(OffsetMap::new([("position", 30i64)])));
        assert_eq!(read_offset(b"null").unwrap(), None);
        assert_eq!(read_offset(b"").unwrap(), None);
        assert!(read_offset(b"[1]").is_err());
        assert!(read_offset(b"{").is_err());
    }

    #[test]
    fn k19_integers_come_back_as_int64() {
        let offset = OffsetMap::new([("a", Value::Int8(1)), ("b", Value::Int32(-2)), ("c", 1.5f32.into())]);
        let mut out = Vec::new();
        write_offset(&offset, &mut out).unwrap();
        let normal = [("a", Value::Int64(1)), ("b", Value::Int64(-2)), ("c", 1.5.into())];
        assert_eq!(read_offset(&out).unwrap(), Some(OffsetMap::new(normal)));
    }

    #[test]
    fn k14_k15_k16_keys_that_are_skipped() {
        let text = |key: &str| read_key(key.as_bytes()).unwrap_err().to_string();
        for key in ["\0", "i-am-not-json"] {
            assert!(text(key).contains("unknown serialization"), "{key}");
        }
        for (key, expected) in [
            ("", "an unexpected format. Expected type: java.util.List, actual type: null"),
            ("{}", "an unexpected format. Expected type: java.util.List, actual type: java.util.HashMap"),
            ("[\"\"]", "an unexpected number of elements. Expected: 2, actual: 1"),
            (
                "[1,{}]",
                "an unexpected format for the first element in the partition key list. Expected type: \
                 java.lang.String, actual type: java.lang.Long",
            ),
            (
                "[\"c\",[]]",
                "an unexpected format for the second element in the partition key list. Expected type: \
                 java.util.Map, actual type: java.util.ArrayList",
            ),
        ] {
            assert_eq!(text(key), format!("Ignoring offset partition key with {expected}"));
        }
        assert!(matches!(read_key(b"[\"c\",null]"), Err(KeyRefusal::NullPartition)));
        assert_eq!(read_key(b"[\"c\",{}]").unwrap().1.entries(), []);
    }

    #[test]
    fn k17_values_are_primitive() {
        for (value, found) in [
            (Value::from(vec![Value::Int32(1)]), "ARRAY"),
            (Value::Map(Box::default()), "MAP"),
            (Decimal::new(1, 0).into(), "class java.math.BigDecimal"),
            (Value::Timestamp(0), "class java.util.Date"),
        ] {
            let error = write_offset(&OffsetMap::new([("k", value)]), &mut Vec::new()).unwrap_err();
            let text =
                format!("Offsets may only contain primitive types as values, but field k contains {found}");
            assert_eq!(error.message(), Some(&*text));
        }
    }
}
