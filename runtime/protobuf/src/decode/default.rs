//! What missing values stand for, and what is left of the entries of a map.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash, Hasher};

use lavka_api::data::{Blob, Value};

use super::element::{Narrow, narrowed};
use crate::schema::Scalar;

/// So many entries are compared with each other.
const FEW: usize = 8;

/// The entries of a map: of two with one key the last value counts.
pub(super) fn distinct(keys: Vec<Value>, items: Vec<Value>) -> Box<[(Value, Value)]> {
    let mut entries: Vec<(Value, Value)> = Vec::with_capacity(keys.len());
    let hashing = keys.len() > FEW;
    let state = RandomState::new();
    let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
    for (key, item) in keys.into_iter().zip(items) {
        let known = if hashing {
            let mut hasher = state.build_hasher();
            hash(&key, &mut hasher);
            match by_hash.entry(hasher.finish()) {
                Entry::Occupied(mut same) => {
                    let found =
                        same.get().iter().copied().find(|&at| entries.get(at).is_some_and(|e| e.0 == key));
                    if found.is_none() {
                        same.get_mut().push(entries.len());
                    }
                    found
                }
                Entry::Vacant(none) => {
                    none.insert(vec![entries.len()]);
                    None
                }
            }
        } else {
            entries.iter().position(|(known, _)| *known == key)
        };
        match known.and_then(|at| entries.get_mut(at)) {
            Some(entry) => entry.1 = item,
            None => entries.push((key, item)),
        }
    }
    entries.into_boxed_slice()
}

/// Hashes what keys may be; what else there is compares by itself.
fn hash(value: &Value, hasher: &mut impl Hasher) {
    match value {
        Value::Boolean(value) => value.hash(hasher),
        Value::String(text) => text.hash(hasher),
        Value::Bytes(bytes) => bytes.hash(hasher),
        Value::Float32(value) => value.to_bits().hash(hasher),
        Value::Float64(value) => value.to_bits().hash(hasher),
        Value::Date(value) | Value::Time(value) => value.hash(hasher),
        Value::Timestamp(value) => value.hash(hasher),
        Value::Decimal(value) => value.hash(hasher),
        Value::Array(items) => items.iter().for_each(|item| hash(item, hasher)),
        Value::Struct(record) => record.values().iter().for_each(|item| hash(item, hasher)),
        Value::Map(entries) => entries.iter().for_each(|(key, item)| {
            hash(key, hasher);
            hash(item, hasher);
        }),
        other => other.as_i64().hash(hasher),
    }
}

/// The value that a descriptor's `default_value` says for a field of proto2; none where it is not one of its type.
pub(super) fn parse(text: &str, scalar: Scalar, narrow: Narrow) -> Option<Value> {
    Some(match scalar {
        Scalar::Int32 | Scalar::SInt32 | Scalar::SFixed32 => narrowed(text.parse().ok()?, narrow),
        Scalar::UInt32 | Scalar::Fixed32 => Value::Int64(text.parse::<u32>().ok()?.into()),
        Scalar::Int64 | Scalar::SInt64 | Scalar::SFixed64 => Value::Int64(text.parse().ok()?),
        Scalar::UInt64 | Scalar::Fixed64 => Value::Int64(text.parse::<u64>().ok()?.cast_signed()),
        Scalar::Float => Value::Float32(text.parse().ok()?),
        Scalar::Double => Value::Float64(text.parse().ok()?),
        Scalar::Bool => Value::Boolean(text.parse().ok()?),
        Scalar::String => text.into(),
        Scalar::Bytes => Blob::from(unescape(text)).into(),
    })
}

/// Bytes as C writes them in a string.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(escape) = bytes.next() else { break };
        let mut digits = |radix: u32, count: usize, mut number: u32| {
            for _ in 0..count {
                let digit = bytes.peek().and_then(|&next| char::from(next).to_digit(radix));
                let Some(digit) = digit else { break };
                number = number * radix + digit;
                bytes.next();
            }
            number as u8
        };
        out.push(match escape {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'x' | b'X' => digits(16, 2, 0),
            b'0'..=b'7' => digits(8, 2, u32::from(escape - b'0')),
            other => other,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_of_a_key_counts() {
        for count in [3_i32, 100] {
            let keys = (0..count).chain([1]).map(Value::Int32).collect();
            let items = (0..=count).map(Value::Int32).collect();
            let entries = distinct(keys, items);
            assert_eq!(entries.len(), count as usize);
            assert_eq!(entries[1], (Value::Int32(1), Value::Int32(count)));
        }
    }

    #[test]
    fn defaults_are_read_as_they_are_written() {
        assert_eq!(parse("-7", Scalar::Int32, Narrow::To8), Some(Value::Int8(-7)));
        assert_eq!(parse("4294967295", Scalar::UInt32, Narrow::Not), Some(Value::Int64(4_294_967_295)));
        assert_eq!(parse("18446744073709551615", Scalar::UInt64, Narrow::Not), Some(Value::Int64(-1)));
        assert_eq!(parse("-inf", Scalar::Double, Narrow::Not), Some(Value::Float64(f64::NEG_INFINITY)));
        assert_eq!(parse("true", Scalar::Bool, Narrow::Not), Some(Value::Boolean(true)));
        assert_eq!(parse("x", Scalar::Int64, Narrow::Not), None);
        let bytes = parse("a\\001\\xff\\\\\\n\\377", Scalar::Bytes, Narrow::Not);
        assert_eq!(bytes, Some(Blob::from(b"a\x01\xff\\\n\xff").into()));
    }
}
