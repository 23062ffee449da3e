//! The data types of metrics (Sparkplug 3.0, section 6.4.16).

use lavka_api::data::Value;

use super::message::unsigned;
use super::wire::Wrong;

macro_rules! datatypes {
    ($($name:ident = $number:literal),* $(,)?) => {
        /// A data type.
        #[expect(clippy::upper_case_acronyms, reason = "the names of the specification, which are shown")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(super) enum DataType {
            /// Not said, or not known.
            #[default]
            Unknown,
            $($name,)*
        }

        impl DataType {
            /// By its number.
            pub(super) fn of(number: u64) -> Self {
                match number {
                    $($number => Self::$name,)*
                    _ => Self::Unknown,
                }
            }

            /// As the specification calls it.
            pub(super) fn name(self) -> &'static str {
                match self {
                    Self::Unknown => "Unknown",
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

datatypes! {
    Int8 = 1, Int16 = 2, Int32 = 3, Int64 = 4, UInt8 = 5, UInt16 = 6, UInt32 = 7, UInt64 = 8, Float = 9, Double = 10,
    Boolean = 11, String = 12, DateTime = 13, Text = 14, UUID = 15, DataSet = 16, Bytes = 17, File = 18, Template = 19,
    PropertySet = 20, PropertySetList = 21, Int8Array = 22, Int16Array = 23, Int32Array = 24, Int64Array = 25,
    UInt8Array = 26, UInt16Array = 27, UInt32Array = 28, UInt64Array = 29, FloatArray = 30, DoubleArray = 31,
    BooleanArray = 32, StringArray = 33, DateTimeArray = 34,
}

impl DataType {
    /// Of an array, what its elements are.
    pub(super) fn element(self) -> Option<Self> {
        Some(match self {
            Self::Int8Array => Self::Int8,
            Self::Int16Array => Self::Int16,
            Self::Int32Array => Self::Int32,
            Self::Int64Array => Self::Int64,
            Self::UInt8Array => Self::UInt8,
            Self::UInt16Array => Self::UInt16,
            Self::UInt32Array => Self::UInt32,
            Self::UInt64Array => Self::UInt64,
            Self::FloatArray => Self::Float,
            Self::DoubleArray => Self::Double,
            Self::BooleanArray => Self::Boolean,
            Self::StringArray => Self::String,
            Self::DateTimeArray => Self::DateTime,
            _ => return None,
        })
    }
}

/// The elements of an array, which is written without gaps and least byte first; booleans as their count and bits, texts
/// with a null character behind each.
pub(super) fn array(element: DataType, bytes: &[u8]) -> Result<Value, Wrong> {
    let elements = match element {
        DataType::Int8 => numbers(bytes, |b: [u8; 1]| Value::Int64(i8::from_le_bytes(b).into()))?,
        DataType::Int16 => numbers(bytes, |b| Value::Int64(i16::from_le_bytes(b).into()))?,
        DataType::Int32 => numbers(bytes, |b| Value::Int64(i32::from_le_bytes(b).into()))?,
        DataType::Int64 => numbers(bytes, |b| Value::Int64(i64::from_le_bytes(b)))?,
        DataType::UInt8 => numbers(bytes, |b: [u8; 1]| Value::Int64(u8::from_le_bytes(b).into()))?,
        DataType::UInt16 => numbers(bytes, |b| Value::Int64(u16::from_le_bytes(b).into()))?,
        DataType::UInt32 => numbers(bytes, |b| Value::Int64(u32::from_le_bytes(b).into()))?,
        DataType::UInt64 => numbers(bytes, |b| unsigned(u64::from_le_bytes(b)))?,
        DataType::Float => numbers(bytes, |b| Value::Float64(f32::from_le_bytes(b).into()))?,
        DataType::Double => numbers(bytes, |b| Value::Float64(f64::from_le_bytes(b)))?,
        DataType::DateTime => numbers(bytes, |b| Value::Int64(i64::from_le_bytes(b)))?,
        DataType::Boolean => booleans(bytes)?,
        DataType::String => {
            let text = str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")?;
            text.split_terminator('\0').map(Value::from).collect()
        }
        _ => return Err("an array of this data type is not known"),
    };
    Ok(Value::from(elements))
}

fn numbers<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> Value) -> Result<Vec<Value>, Wrong> {
    let (elements, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err("the last element of an array is cut off");
    }
    Ok(elements.iter().map(|element| read(*element)).collect())
}

/// The highest bit of a byte comes first.
fn booleans(bytes: &[u8]) -> Result<Vec<Value>, Wrong> {
    let (count, bits) = bytes.split_first_chunk::<4>().ok_or("an array of booleans has no length")?;
    let count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
    if count.div_ceil(8) != bits.len() {
        return Err("an array of booleans has not the length that it says");
    }
    let bit = |at: usize| bits.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
    Ok((0..count).map(|at| Value::Boolean(bit(at))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays() {
        let values = |value: Value| match value {
            Value::Array(elements) => elements.into_vec(),
            other => panic!("{other:?}"),
        };
        let ints = |numbers: &[i64]| numbers.iter().copied().map(Value::Int64).collect::<Vec<_>>();
        // The examples of the specification.
        for (element, bytes, expected) in [
            (DataType::Int8, &[0xef, 0x7b][..], ints(&[-17, 123])),
            (DataType::Int16, &[0x4f, 0x8b, 0x30, 0x75], ints(&[-29_873, 30_000])),
            (DataType::Int32, &[0xff, 0xff, 0xff, 0x7f], ints(&[2_147_483_647])),
            (DataType::UInt16, &[0x1e, 0x00, 0x88, 0xd5], ints(&[30, 54_664])),
            (
                DataType::Boolean,
                &[0x0c, 0, 0, 0, 0x34, 0xd0],
                [0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1].map(|bit| Value::Boolean(bit == 1)).to_vec(),
            ),
            (DataType::String, b"ABC\0hello\0", vec!["ABC".into(), "hello".into()]),
        ] {
            assert_eq!(values(array(element, bytes).unwrap()), expected, "{element:?}");
        }
        for (element, bytes) in [
            (DataType::Int16, &[1][..]),
            (DataType::Boolean, &[1, 0]),
            (DataType::Boolean, &[255, 255, 255, 255, 1]),
            (DataType::String, &[0xff]),
            (DataType::Template, &[]),
        ] {
            assert!(array(element, bytes).is_err(), "{element:?}");
        }
    }
}
