//! Length and scale of a column's type as the JDBC driver reports them: Debezium shows them in schema parameters and decides
//! by them.

use crate::model::oid;

/// What stands for no limit.
const UNLIMITED: i32 = i32::MAX;

/// Length and scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    /// The length or precision; `i32::MAX` where there is no limit.
    pub length: i32,
    /// The scale, or the number of fractional digits of seconds.
    pub scale: i32,
}

impl Precision {
    /// Of a type (of the elements, for an array) with a modifier, -1 for none.
    #[must_use]
    pub fn of(type_oid: u32, modifier: i32) -> Self {
        let seconds = if modifier < 0 { 6 } else { modifier };
        // Width of the fraction with its point as the driver shows it; one digit takes two.
        let fraction = match seconds {
            0 => 0,
            1 => 3,
            digits => digits.saturating_add(1),
        };
        let (length, scale) = match type_oid {
            oid::INT2 => (5, 0),
            oid::OID | oid::INT4 => (10, 0),
            oid::INT8 => (19, 0),
            oid::FLOAT4 => (8, 8),
            oid::FLOAT8 => (17, 17),
            oid::CHAR | oid::BOOL => (1, 0),
            oid::NUMERIC if modifier < 4 => (131_089, 0),
            oid::NUMERIC => {
                let packed = modifier - 4;
                // Eleven bits with a sign: the server allows negative scales since version 15.
                let scale = ((packed & 0x7FF) ^ 0x400) - 0x400;
                ((packed >> 16) & 0xFFFF, scale)
            }
            oid::BPCHAR | oid::VARCHAR if modifier >= 4 => (modifier - 4, 0),
            oid::DATE => (13, 0),
            oid::TIME => (8_i32.saturating_add(fraction), seconds),
            oid::TIMETZ => (14_i32.saturating_add(fraction), seconds),
            oid::TIMESTAMP => (22_i32.saturating_add(fraction), seconds),
            oid::TIMESTAMPTZ => (28_i32.saturating_add(fraction), seconds),
            oid::INTERVAL => (49, if modifier < 0 { 6 } else { modifier & 0xFFFF }),
            oid::BIT | oid::VARBIT if modifier >= 0 => (modifier, 0),
            oid::BIT => (1, 0),
            _ => (UNLIMITED, 0),
        };
        Self { length, scale }
    }
}

/// The type's name as the driver gives it: that of `pg_type`, or `serial` and its kin where the default is a sequence's next
/// value.
#[must_use]
pub fn driver_type_name<'a>(type_oid: u32, name: &'a str, default: Option<&str>) -> &'a str {
    let is_serial = default.is_some_and(|default| default.contains("nextval("));
    match type_oid {
        oid::INT2 if is_serial => "smallserial",
        oid::INT4 if is_serial => "serial",
        oid::INT8 if is_serial => "bigserial",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_scales_are_the_drivers() {
        for (type_oid, modifier, length, scale) in [
            (oid::INT4, -1, 10, 0),
            (oid::NUMERIC, (10 << 16 | 2) + 4, 10, 2),
            (oid::NUMERIC, (3 << 16 | 0x7FE) + 4, 3, -2),
            (oid::NUMERIC, -1, 131_089, 0),
            (oid::VARCHAR, 14, 10, 0),
            (oid::VARCHAR, -1, UNLIMITED, 0),
            (oid::TIMESTAMPTZ, -1, 35, 6),
            (oid::TIMESTAMP, 0, 22, 0),
            (oid::VARBIT, -1, UNLIMITED, 0),
            (oid::BIT, 8, 8, 0),
            (oid::NUMERIC, i32::MIN, 131_089, 0),
            (oid::TIME, i32::MAX, i32::MAX, i32::MAX),
        ] {
            assert_eq!(
                Precision::of(type_oid, modifier),
                Precision { length, scale },
                "{type_oid} {modifier}"
            );
        }
    }
}
