//! CBOR (RFC 8949) to schemaless values.

use std::fmt;

use lavka_api::data::{Blob, Decimal, Object, ShapeTable, Str, Value};
use lavka_api::{Error, Result};
use num_bigint::{BigInt, BigUint, Sign};

use super::head::{Head, Input, Major, half};
use crate::json::MAX_DEPTH;

/// Reads payloads, one after another; objects with the same keys in the same order share a shape.
///
/// | CBOR | value |
/// |---|---|
/// | integer | INT64, or a decimal without fraction where it does not fit |
/// | byte string, text string | BYTES, STRING |
/// | array | ARRAY |
/// | map whose keys are all text | object; of a key that comes twice the last value counts |
/// | other maps | MAP |
/// | float of any width | FLOAT64 |
/// | false, true, null, undefined | BOOLEAN, null |
/// | tag 1, seconds since 1970 | timestamp in milliseconds |
/// | tags 2, 3, 4: big integers, decimal fractions | decimal |
/// | other tags | what they are on |
pub struct CborReader {
    shapes: ShapeTable,
}

/// Transitions between keys that are remembered.
const SHAPES: usize = 10_000;
/// A decimal fraction's exponent beyond this is an attack on whoever prints the number.
const LARGEST_EXPONENT: i64 = 10_000;

impl Default for CborReader {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CborReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CborReader").finish_non_exhaustive()
    }
}

impl CborReader {
    /// A reader that has seen no shapes yet.
    #[must_use]
    pub fn new() -> Self {
        Self { shapes: ShapeTable::new(SHAPES) }
    }

    /// The one value of `payload`.
    ///
    /// # Errors
    /// A data error that tells the place where the payload is not CBOR, or goes on behind its value.
    pub fn read(&mut self, payload: &[u8]) -> Result<Value> {
        let mut input = Input::new(payload);
        let value = self.value(&mut input, 0)?;
        match input.left() {
            0 => Ok(value),
            _ => Err(input.error("something behind the value")),
        }
    }

    fn value(&mut self, input: &mut Input<'_>, depth: usize) -> Result<Value> {
        let head = input.head()?;
        self.item(head, input, depth)
    }

    fn item(&mut self, head: Head, input: &mut Input<'_>, depth: usize) -> Result<Value> {
        if depth >= MAX_DEPTH {
            return Err(input.error(&format!("more than {MAX_DEPTH} levels")));
        }
        Ok(match (head.major, head.argument) {
            (Major::Unsigned, Some(number)) => integer(BigInt::from(number)),
            (Major::Negative, Some(number)) => integer(-1 - BigInt::from(number)),
            (Major::Bytes, length) => Value::from(Blob::from(chunks(input, length, Major::Bytes)?.as_ref())),
            (Major::Text, length) => {
                let bytes = chunks(input, length, Major::Text)?;
                Value::String(Str::from_utf8(&bytes).map_err(|_| input.error("text that is not UTF-8"))?)
            }
            (Major::Array, length) => self.array(input, length, depth)?,
            (Major::Map, length) => self.map(input, length, depth)?,
            (Major::Tag, Some(tag)) => {
                let tagged = self.value(input, depth + 1)?;
                tagged_value(tag, tagged, input)?
            }
            (Major::Simple, Some(argument)) => simple(head.info, argument, input)?,
            (_, None) => return Err(input.error("a break where a value should be")),
        })
    }

    fn array(&mut self, input: &mut Input<'_>, length: Option<u64>, depth: usize) -> Result<Value> {
        // Nothing is reserved by what a length says; each element takes a byte at least.
        let mut elements = Vec::new();
        let mut rest = length;
        while let Some(head) = next_of(input, &mut rest)? {
            elements.push(self.item(head, input, depth + 1)?);
        }
        Ok(Value::Array(elements.into_boxed_slice()))
    }

    fn map(&mut self, input: &mut Input<'_>, length: Option<u64>, depth: usize) -> Result<Value> {
        let mut entries: Vec<(Value, Value)> = Vec::new();
        let mut rest = length;
        while let Some(head) = next_of(input, &mut rest)? {
            let key = self.item(head, input, depth + 1)?;
            entries.push((key, self.value(input, depth + 1)?));
        }
        if entries.iter().all(|(key, _)| matches!(key, Value::String(_))) {
            let entries = entries.into_iter().filter_map(|(key, value)| match key {
                Value::String(key) => Some((key, value)),
                _ => None,
            });
            return Ok(Object::shared(entries, &mut self.shapes).into());
        }
        Ok(Value::Map(entries.into_boxed_slice()))
    }
}

/// The head of the next element, none behind the last: where `rest` are counted down, or a break comes.
fn next_of(input: &mut Input<'_>, rest: &mut Option<u64>) -> Result<Option<Head>> {
    match rest {
        Some(0) => return Ok(None),
        Some(rest) => *rest -= 1,
        None => {}
    }
    let head = input.head()?;
    Ok((rest.is_some() || !head.is_break()).then_some(head))
}

/// The bytes of a string, put together where it comes in chunks.
fn chunks<'a>(
    input: &mut Input<'a>,
    length: Option<u64>,
    major: Major,
) -> Result<std::borrow::Cow<'a, [u8]>> {
    if let Some(length) = length {
        return Ok(input.take(length)?.into());
    }
    let mut whole = Vec::new();
    loop {
        let head = input.head()?;
        match head.argument {
            Some(length) if head.major == major => whole.extend_from_slice(input.take(length)?),
            None if head.is_break() => return Ok(whole.into()),
            _ => return Err(input.error("a chunk of another type")),
        }
    }
}

fn integer(number: BigInt) -> Value {
    match i64::try_from(&number) {
        Ok(number) => Value::Int64(number),
        Err(_) => Value::from(Decimal::new(number, 0)),
    }
}

fn simple(info: u8, argument: u64, input: &Input<'_>) -> Result<Value> {
    Ok(match (info, argument) {
        (20, _) => Value::Boolean(false),
        (21, _) => Value::Boolean(true),
        (22 | 23, _) => Value::Null,
        (25, bits) => Value::Float64(half(bits as u16)),
        (26, bits) => Value::Float64(f32::from_bits(bits as u32).into()),
        (27, bits) => Value::Float64(f64::from_bits(bits)),
        _ => return Err(input.error("a simple value without meaning")),
    })
}

fn tagged_value(tag: u64, value: Value, input: &Input<'_>) -> Result<Value> {
    let big = |bytes: &Blob| BigInt::from_biguint(Sign::Plus, BigUint::from_bytes_be(bytes));
    Ok(match (tag, value) {
        (1, Value::Int64(seconds)) => {
            Value::Timestamp(seconds.checked_mul(1000).ok_or_else(|| beyond(input))?)
        }
        (1, Value::Float64(seconds)) => {
            let millis = (seconds * 1000.0).round();
            // Exactly representable, and far beyond any date.
            let fits = millis.abs() < 9.0e15;
            Value::Timestamp(if fits { millis as i64 } else { return Err(beyond(input)) })
        }
        (2, Value::Bytes(bytes)) => integer(big(&bytes)),
        (3, Value::Bytes(bytes)) => integer(-1 - big(&bytes)),
        (4, Value::Array(parts)) => decimal_fraction(&parts, input)?,
        (_, value) => value,
    })
}

/// Exponent to the base of ten, and mantissa (RFC 8949, section 3.4.4).
fn decimal_fraction(parts: &[Value], input: &Input<'_>) -> Result<Value> {
    let malformed = || input.error("a decimal fraction that is not two integers");
    let [Value::Int64(exponent), mantissa] = parts else { return Err(malformed()) };
    if exponent.abs() > LARGEST_EXPONENT {
        return Err(input.error("a decimal fraction with an exponent out of proportion"));
    }
    let unscaled = match mantissa {
        Value::Int64(number) => BigInt::from(*number),
        Value::Decimal(number) if number.scale() == 0 => number.unscaled().clone(),
        _ => return Err(malformed()),
    };
    let scale = i32::try_from(-exponent).map_err(|_| malformed())?;
    Ok(Value::from(Decimal::new(unscaled, scale)))
}

fn beyond(input: &Input<'_>) -> Error {
    input.error("a time beyond what a timestamp can hold")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn read(text: &str) -> Result<Value> {
        CborReader::new().read(&hex(text))
    }

    /// RFC 8949, appendix A.
    #[test]
    fn examples_of_the_rfc() {
        let object = |entries: Vec<(&str, Value)>| Value::Object(Box::new(Object::from_entries(entries)));
        let text = |text: &str| Value::from(text);
        let array = |values: Vec<Value>| Value::from(values);
        let decimal = |number: &str| Value::from(Decimal::parse(number).unwrap());
        for (bytes, expected) in [
            ("00", Value::Int64(0)),
            ("1903e8", Value::Int64(1000)),
            ("1bffffffffffffffff", decimal("18446744073709551615")),
            ("c249010000000000000000", decimal("18446744073709551616")),
            ("3bffffffffffffffff", decimal("-18446744073709551616")),
            ("c349010000000000000000", decimal("-18446744073709551617")),
            ("20", Value::Int64(-1)),
            ("3903e7", Value::Int64(-1000)),
            ("f90000", Value::Float64(0.0)),
            ("fb3ff199999999999a", Value::Float64(1.1)),
            ("fa47c35000", Value::Float64(100_000.0)),
            ("f97c00", Value::Float64(f64::INFINITY)),
            ("f4", Value::Boolean(false)),
            ("f5", Value::Boolean(true)),
            ("f6", Value::Null),
            ("f7", Value::Null),
            ("c074323031332d30332d32315432303a30343a30305a", text("2013-03-21T20:04:00Z")),
            ("c11a514b67b0", Value::Timestamp(1_363_896_240_000)),
            ("c1fb41d452d9ec200000", Value::Timestamp(1_363_896_240_500)),
            ("c48221196ab3", decimal("273.15")),
            ("d74401020304", Value::from(Blob::from(&[1, 2, 3, 4]))),
            ("4401020304", Value::from(Blob::from(&[1, 2, 3, 4]))),
            ("6449455446", text("IETF")),
            ("62c3bc", text("ü")),
            ("80", array(vec![])),
            ("83010203", array([1i64, 2, 3].map(Value::from).to_vec())),
            ("a0", object(vec![])),
            ("a201020304", Value::Map(Box::new([(1i64.into(), 2i64.into()), (3i64.into(), 4i64.into())]))),
            (
                "a26161016162820203",
                object(vec![("a", 1i64.into()), ("b", array([2i64, 3].map(Value::from).to_vec()))]),
            ),
            ("5f42010243030405ff", Value::from(Blob::from(&[1, 2, 3, 4, 5]))),
            ("7f657374726561646d696e67ff", text("streaming")),
            ("9f018202039f0405ffff", {
                let inner = |numbers: [i64; 2]| array(numbers.map(Value::from).to_vec());
                array(vec![1i64.into(), inner([2, 3]), inner([4, 5])])
            }),
            ("bf6346756ef563416d7421ff", object(vec![("Fun", true.into()), ("Amt", (-2i64).into())])),
        ] {
            assert_eq!(read(bytes).unwrap(), expected, "{bytes}");
        }
    }

    #[test]
    fn what_is_not_cbor() {
        for (bytes, part) in [
            ("", "the end of the payload at byte 0"),
            ("0000", "something behind the value at byte 1"),
            ("62ff", "an item that is longer than the rest"),
            ("62fffe", "text that is not UTF-8"),
            ("ff", "a break where a value should be"),
            ("82ff", "a break where a value should be"),
            ("bf01ff", "a break where a value should be"),
            ("5f6161ff", "a chunk of another type"),
            ("1c", "a reserved length"),
            ("f8ff", "a simple value without meaning"),
            ("c482f500", "a decimal fraction that is not two integers"),
            ("c4821a7fffffff01", "out of proportion"),
            ("c11b7fffffffffffffff", "beyond what a timestamp can hold"),
            ("9bffffffffffffffff", "the end of the payload"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.message().unwrap().contains(part), "{bytes}: {error}");
        }
        let deep = [vec![0x81; 300], vec![0]].concat();
        assert!(CborReader::new().read(&deep).unwrap_err().to_string().contains("more than 256 levels"));
    }

    #[test]
    fn shapes_are_shared_and_the_last_of_a_key_counts() {
        let mut reader = CborReader::new();
        let mut shape = |text: &str| match reader.read(&hex(text)).unwrap() {
            Value::Object(object) => object.shape().clone(),
            other => panic!("{other:?}"),
        };
        assert!(shape("a2616101616202").same(&shape("a2616103616204")));
        let twice = read("a3616101616202616103").unwrap();
        let expected = Object::from_entries([("a", Value::Int64(3)), ("b", Value::Int64(2))]);
        assert_eq!(twice, Value::Object(Box::new(expected)));
    }

    #[test]
    fn more_keys_than_the_table_holds() {
        let mut reader = CborReader { shapes: ShapeTable::new(3) };
        let Value::Object(object) = reader.read(&hex("a5616101616202616303616404616305")).unwrap() else {
            panic!("no object")
        };
        let expected =
            [("a", 1i64), ("b", 2), ("c", 5), ("d", 4)].map(|(key, value)| (key, Value::from(value)));
        assert_eq!(*object, Object::from_entries(expected));
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_read_without_harm(bytes: Vec<u8>) {
            let _ = CborReader::new().read(&bytes);
        }

        #[test]
        fn hostile_structures_are_read_without_harm(bytes in prop::collection::vec(
            prop_oneof![Just(0x9fu8), Just(0xbf), Just(0xff), Just(0x5f), Just(0xc4), Just(0x82), Just(0x61), 0u8..32, any::<u8>()], 0..60,
        )) {
            let _ = CborReader::new().read(&bytes);
        }
    }
}
