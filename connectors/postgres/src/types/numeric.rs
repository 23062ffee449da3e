//! `numeric` and `money`.

use lavka_api::data::{Decimal, Logical, Schema, SchemaBuilder, Str, Struct, Type, Value};
use num_bigint::BigInt;

use super::codec::Unconvertible;

/// The scale of a `numeric` is at most this (the server allows 16383 digits behind the point); what is beyond is an attack.
const MAX_SCALE: u32 = 20_000;

/// A `numeric` that is a number, or what it is instead.
enum Number {
    Finite(Decimal),
    Special(&'static str, f64),
}

fn number(text: &[u8]) -> Result<Number, Unconvertible> {
    match text {
        b"NaN" => return Ok(Number::Special("NAN", f64::NAN)),
        b"Infinity" => return Ok(Number::Special("POSITIVE_INFINITY", f64::INFINITY)),
        b"-Infinity" => return Ok(Number::Special("NEGATIVE_INFINITY", f64::NEG_INFINITY)),
        _ => {}
    }
    short(text).or_else(|| long(text)).map(Number::Finite).ok_or(Unconvertible("no numeric"))
}

/// Up to 18 digits fit an integer; nearly all numbers in databases do.
fn short(text: &[u8]) -> Option<Decimal> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    if digits.len() > 19 || !digits.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let mut unscaled = 0_i64;
    let mut scale: Option<i32> = None;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => unscaled = unscaled.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?,
            b'.' if scale.is_none() => {
                scale = Some(0);
                continue;
            }
            _ => return None,
        }
        scale = scale.map(|scale| scale + 1);
    }
    Some(Decimal::new(if negative { -unscaled } else { unscaled }, scale.unwrap_or(0)))
}

/// Anything else, without the limit of [`Decimal::parse`]: a `numeric` may have 131072 digits before the point.
fn long(text: &[u8]) -> Option<Decimal> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(decimal) = Decimal::parse(text) {
        return Some(decimal);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = [whole, fraction].concat();
    let unsigned = digits.strip_prefix('-').unwrap_or(&digits);
    if unsigned.is_empty() || unsigned.len() > 160_000 || !unsigned.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    Some(Decimal::new(BigInt::parse_bytes(digits.as_bytes(), 10)?, i32::try_from(fraction.len()).ok()?))
}

/// `BigDecimal.toPlainString`.
fn plain(decimal: &Decimal) -> String {
    let (sign, digits) = match decimal.unscaled().to_string() {
        text if text.starts_with('-') => ("-", text.get(1..).unwrap_or_default().to_owned()),
        text => ("", text),
    };
    let scale = usize::try_from(decimal.scale()).unwrap_or(0);
    if scale == 0 {
        let zeros = if digits == "0" { 0 } else { usize::try_from(-decimal.scale()).unwrap_or(0) };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    }
    let padded = format!("{}{digits}", "0".repeat((scale + 1).saturating_sub(digits.len())));
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// `Decimal` with the precision that Debezium adds.
pub(super) fn decimal_schema(precision: i32, scale: i32) -> SchemaBuilder {
    SchemaBuilder::logical(Logical::Decimal(scale))
        .parameter("connect.decimal.precision", precision.to_string())
}

/// `io.debezium.data.VariableScaleDecimal`.
pub(super) fn variable_schema() -> SchemaBuilder {
    Schema::structure()
        .name("io.debezium.data.VariableScaleDecimal")
        .version(1)
        .doc("Variable scaled decimal")
        .field("scale", Schema::of(Type::Int32))
        .field("value", Schema::of(Type::Bytes))
}

/// `numeric(p,s)` as an exact decimal.
pub(super) fn decimal(text: &[u8], scale: i32) -> Result<Value, Unconvertible> {
    match number(text)? {
        Number::Finite(decimal) => decimal
            .with_scale(scale)
            .map(Value::from)
            .ok_or(Unconvertible("a numeric with more digits than its column has")),
        Number::Special(..) => Err(Unconvertible(
            "NaN or Infinity, which decimal.handling.mode=precise cannot show (string or double can)",
        )),
    }
}

/// `numeric` without a scale of its column, as a struct with the smallest scale that shows the number.
pub(super) fn variable(text: &[u8], schema: &Schema) -> Result<Value, Unconvertible> {
    let zeros = text.iter().rev().take_while(|&&digit| digit == b'0').count();
    let significant = match text.contains(&b'.') {
        true => text
            .get(..text.len() - zeros)
            .map(|text| text.strip_suffix(b".").unwrap_or(text))
            .unwrap_or_default(),
        false => text,
    };
    match number(significant)? {
        Number::Finite(decimal) => variable_value(&decimal, schema),
        Number::Special(..) => Err(Unconvertible(
            "NaN or Infinity, which decimal.handling.mode=precise cannot show (string or double can)",
        )),
    }
}

fn variable_value(decimal: &Decimal, schema: &Schema) -> Result<Value, Unconvertible> {
    let fields = vec![Value::Int32(decimal.scale()), Value::Bytes(decimal.to_be_bytes().into())];
    Struct::new(schema.clone(), fields).map(Value::from).map_err(|_| Unconvertible("no numeric"))
}

/// Zero of a `numeric` without a scale.
pub(super) fn variable_zero(schema: &Schema) -> Value {
    variable_value(&Decimal::new(0, 0), schema).unwrap_or_default()
}

/// `numeric` as text; the digits are the server's unless the scale of the column wants more.
pub(super) fn text(text: &[u8], scale: Option<i32>) -> Result<Value, Unconvertible> {
    Ok(match number(text)? {
        Number::Special(name, _) => Value::from(name),
        Number::Finite(decimal) => match scale {
            Some(scale) => {
                let decimal = decimal
                    .with_scale(scale)
                    .ok_or(Unconvertible("a numeric with more digits than its column has"))?;
                Value::from(plain(&decimal))
            }
            None => Value::from(plain(&decimal)),
        },
    })
}

/// `numeric` as the nearest double.
pub(super) fn double(text: &[u8]) -> Result<Value, Unconvertible> {
    Ok(Value::Float64(match number(text)? {
        Number::Special(_, value) => value,
        Number::Finite(decimal) => decimal.to_f64(),
    }))
}

/// `money` as the server prints it with `lc_monetary C` or a locale alike: `$1,234.56`, `-$0.05`, `($0.05)`.
fn money(text: &[u8], digits: i32) -> Result<Decimal, Unconvertible> {
    let negative = matches!(text.first(), Some(b'-' | b'('));
    let mut number = Vec::with_capacity(text.len() + 1);
    if negative {
        number.push(b'-');
    }
    number.extend(text.iter().filter(|byte| byte.is_ascii_digit() || **byte == b'.'));
    let decimal = short(&number).or_else(|| long(&number)).ok_or(Unconvertible("no money"))?;
    let wanted = decimal.clone().with_scale(digits);
    wanted.or_else(|| rounded(&decimal, digits)).ok_or(Unconvertible("no money"))
}

/// Half up, to a smaller scale.
fn rounded(decimal: &Decimal, scale: i32) -> Option<Decimal> {
    let by = decimal.scale().checked_sub(scale)?;
    let power = BigInt::from(10).pow(u32::try_from(by).ok().filter(|by| *by <= MAX_SCALE)?);
    let half: BigInt = &power / 2;
    let shifted = match decimal.unscaled().sign() {
        num_bigint::Sign::Minus => decimal.unscaled() - half,
        _ => decimal.unscaled() + half,
    };
    Some(Decimal::new(shifted / power, scale))
}

/// `money` as an exact decimal.
pub(super) fn money_decimal(text: &[u8], digits: i32) -> Result<Value, Unconvertible> {
    Ok(Value::from(money(text, digits)?))
}

/// `money` as text.
pub(super) fn money_text(text: &[u8], digits: i32) -> Result<Value, Unconvertible> {
    Ok(Value::String(Str::from(plain(&money(text, digits)?))))
}

/// `money` as a double.
pub(super) fn money_double(text: &[u8], digits: i32) -> Result<Value, Unconvertible> {
    Ok(Value::Float64(money(text, digits)?.to_f64()))
}

/// Zero as text at a scale.
pub(super) fn zero_text(scale: i32) -> Value {
    Value::from(plain(&Decimal::new(0, scale)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_exact() {
        let digits = "9".repeat(5000);
        let text = format!("-{digits}.50");
        let Value::Decimal(value) = decimal(text.as_bytes(), 2).unwrap() else { panic!() };
        assert_eq!(plain(&value), text);
        for wrong in ["", "-", ".", "1e", "0x1", "1.2.3", "--1", "१"] {
            assert!(decimal(wrong.as_bytes(), 2).is_err(), "{wrong}");
        }
    }

    #[test]
    fn plain_text_has_no_exponent() {
        for (unscaled, scale, text) in [
            (5, 3, "0.005"),
            (-5, 3, "-0.005"),
            (1200, 2, "12.00"),
            (12, -2, "1200"),
            (0, -2, "0"),
            (0, 2, "0.00"),
        ] {
            assert_eq!(plain(&Decimal::new(unscaled, scale)), text);
        }
    }

    #[test]
    fn money_is_rounded_to_its_digits() {
        for (text, digits, value) in
            [("$1,234.56", 2, "1234.56"), ("-$0.05", 2, "-0.05"), ("($0.05)", 1, "-0.1"), ("$2", 2, "2.00")]
        {
            assert_eq!(money_text(text.as_bytes(), digits).unwrap(), Value::from(value), "{text}");
        }
        assert!(money_text(b"$", 2).is_err());
    }

    #[test]
    fn variable_scales_are_as_small_as_possible() {
        let schema = variable_schema().build().unwrap();
        for (text, scale, bytes) in [
            ("123.4567", 4, vec![0x12, 0xD6, 0x87]),
            ("56.00", 0, vec![56]),
            ("0.0", 0, vec![0]),
            ("100", 0, vec![100]),
        ] {
            let Value::Struct(value) = variable(text.as_bytes(), &schema).unwrap() else { panic!() };
            assert_eq!(value.values(), [Value::Int32(scale), Value::Bytes(bytes.into())], "{text}");
        }
    }
}
