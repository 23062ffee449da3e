//! A common schema for the elements of a container, and bringing the elements to it.

use lavka_api::data::{Logical, Schema, Type, Value};

use super::NotData;

const MS_PER_DAY: i64 = 86_400_000;

/// The schema of all elements so far.
#[derive(Debug, Clone, Default)]
pub(super) enum Common {
    /// Nothing but nulls.
    #[default]
    Unknown,
    /// One that fits all.
    Of(Schema),
    /// None fits all.
    Nothing,
}

impl Common {
    /// Takes the schema of one more element into account; `None` for null. Integers widen to what comes next in the
    /// row of number types; of two schemas of one type the later one counts.
    pub(super) fn add(&mut self, latest: Option<Schema>) {
        let Some(latest) = latest else { return };
        *self = match std::mem::take(self) {
            Self::Unknown => Self::Of(latest),
            Self::Nothing => Self::Nothing,
            Self::Of(previous) if previous.ty() == latest.ty() => Self::Of(latest),
            Self::Of(previous) => match (rank(&previous), rank(&latest)) {
                (Some(before), Some(after)) => Self::Of(if before > after { previous } else { latest }),
                _ => Self::Nothing,
            },
        };
    }

    /// The schema, if one fits all.
    pub(super) fn into_schema(self) -> Option<Schema> {
        match self {
            Self::Of(schema) => Some(schema),
            Self::Unknown | Self::Nothing => None,
        }
    }
}

/// The place of a number type in the order of widening.
fn rank(schema: &Schema) -> Option<u8> {
    Some(match schema.ty() {
        Type::Int8 => 0,
        Type::Int16 => 1,
        Type::Int32 => 2,
        Type::Int64 => 3,
        Type::Float32 => 4,
        Type::Float64 => 5,
        _ => return None,
    })
}

/// `value`, which is of the type of `schema` or of a number type before it, as a value of `schema`.
///
/// # Errors
/// For null, which no inferred schema allows, and for instants where the schema is one of plain numbers.
pub(super) fn align(schema: &Schema, value: Value) -> Result<Value, NotData> {
    if value.is_null() {
        return Err(NotData);
    }
    // Casts cut off what the type has no room for, as Java's do.
    Ok(match (schema.logical(), schema.ty()) {
        (Some(Logical::Decimal(_)), _) => value,
        (Some(logical), _) => align_instant(logical, value)?,
        (None, Type::Int8) => Value::Int8(value.as_i64().ok_or(NotData)? as i8),
        (None, Type::Int16) => Value::Int16(value.as_i64().ok_or(NotData)? as i16),
        (None, Type::Int32) => Value::Int32(value.as_i64().ok_or(NotData)? as i32),
        (None, Type::Int64) => Value::Int64(value.as_i64().ok_or(NotData)?),
        (None, Type::Float32) => match value {
            Value::Float32(_) => value,
            other => Value::Float32(to_double(&other)? as f32),
        },
        (None, Type::Float64) => Value::Float64(to_double(&value)?),
        _ => value,
    })
}

/// Java has one class for all instants, and does not look at it closely: any of them passes for another. They come in
/// the variant of the schema, as far as that can hold them.
fn align_instant(logical: Logical, value: Value) -> Result<Value, NotData> {
    let ms = match value {
        Value::Date(days) => i64::from(days) * MS_PER_DAY,
        Value::Time(ms) => i64::from(ms),
        Value::Timestamp(ms) => ms,
        number => {
            let number = number.as_i64().ok_or(NotData)?;
            return match logical {
                Logical::Date => Ok(Value::Date(number as i32)),
                Logical::Time if (0..=MS_PER_DAY).contains(&i64::from(number as i32)) => {
                    Ok(Value::Time(number as i32))
                }
                Logical::Timestamp => Ok(Value::Timestamp(number)),
                _ => Err(NotData),
            };
        }
    };
    let same = match logical {
        Logical::Date if ms % MS_PER_DAY == 0 => i32::try_from(ms / MS_PER_DAY).ok().map(Value::Date),
        Logical::Time if (0..=MS_PER_DAY).contains(&ms) => i32::try_from(ms).ok().map(Value::Time),
        Logical::Timestamp => Some(Value::Timestamp(ms)),
        _ => None,
    };
    Ok(same.unwrap_or(value))
}

#[expect(clippy::cast_precision_loss, reason = "rounds to nearest, as Java's cast does")]
fn to_double(value: &Value) -> Result<f64, NotData> {
    match value {
        Value::Float32(value) => Ok((*value).into()),
        Value::Float64(value) => Ok(*value),
        other => other.as_i64().map(|value| value as f64).ok_or(NotData),
    }
}
