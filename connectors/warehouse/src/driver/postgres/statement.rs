//! Statements with values: `?` become `$1`, cells become parameters in the binary form of what they are.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, Postgres};
use sqlx::{Arguments as _, Encode, Type};

use super::encode::{NoBinary, binary};
use crate::data::{Cell, WallClock};
use crate::table::ColumnKind;

/// A parameter: its type (0: the server finds out) and its binary form with the length before it.
struct Parameter {
    oid: u32,
    form: Vec<u8>,
}

impl Type<Postgres> for Parameter {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Parameter {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // A length below 0 is a null, which sqlx writes by itself, as it does the length.
        match self.form.split_at_checked(4) {
            Some((head, form)) if !head.starts_with(&[0xff]) => {
                buffer.extend_from_slice(form);
                Ok(IsNull::No)
            }
            _ => Ok(IsNull::Yes),
        }
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.oid)))
    }
}

/// Adds `cell` for a column of this kind and object id.
///
/// # Errors
/// Why the column cannot hold it.
pub(super) fn add(
    arguments: &mut PgArguments,
    kind: &ColumnKind,
    oid: u32,
    cell: &Cell<'_>,
    clock: &WallClock,
) -> Result<(), String> {
    let mut form = Vec::new();
    match binary(kind, cell, clock, &mut form) {
        Ok(()) => arguments.add(Parameter { oid, form }).map_err(|error| error.to_string()),
        Err(NoBinary::Reject(why)) => Err(why),
        Err(NoBinary::Text) => Err(format!("a value of another type ({})", shape(cell))),
    }
}

/// Adds a value whose column is not known: by what it is itself.
///
/// # Errors
/// Where it has no form.
pub(super) fn add_value(arguments: &mut PgArguments, cell: &Cell<'_>) -> Result<(), String> {
    let (kind, oid) = match cell {
        Cell::Bool(_) => (ColumnKind::Boolean, 16),
        Cell::Int(_) => (ColumnKind::Int64, 20),
        Cell::Float32(_) | Cell::Float64(_) => (ColumnKind::Float64, 701),
        Cell::Bytes(_) => (ColumnKind::Bytes, 17),
        Cell::Date(_) => (ColumnKind::Date, 1082),
        Cell::Time(_) => (ColumnKind::Time, 1083),
        Cell::Local(_) => (ColumnKind::Timestamp, 1114),
        Cell::Instant(_) => (ColumnKind::TimestampTz, 1184),
        Cell::Decimal(_) => (ColumnKind::Numeric, 1700),
        Cell::Duration(_) => (ColumnKind::Interval, 1186),
        Cell::Null
        | Cell::UInt(_)
        | Cell::Text(_)
        | Cell::Forever { .. }
        | Cell::Geometry(_)
        | Cell::Array(_) => (ColumnKind::Text, 25),
    };
    add(arguments, &kind, oid, cell, &WallClock::utc())
}

fn shape(cell: &Cell<'_>) -> &'static str {
    match cell {
        Cell::Null => "null",
        Cell::Bool(_) => "boolean",
        Cell::Int(_) | Cell::UInt(_) => "integer",
        Cell::Float32(_) | Cell::Float64(_) => "floating point",
        Cell::Text(_) => "text",
        Cell::Bytes(_) => "bytes",
        Cell::Decimal(_) => "decimal",
        Cell::Date(_) => "date",
        Cell::Time(_) => "time",
        Cell::Local(_) | Cell::Instant(_) | Cell::Forever { .. } => "timestamp",
        Cell::Duration(_) => "length of time",
        Cell::Geometry(_) => "geometry",
        Cell::Array(_) => "array",
    }
}

/// `sql` with `$1`, `$2` ... for its question marks outside of quotes.
pub(super) fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 8);
    let (mut number, mut quote) = (0_usize, None);
    for c in sql.chars() {
        match quote {
            Some(open) => {
                if c == open {
                    quote = None;
                }
                out.push(c);
            }
            None if c == '?' => {
                number += 1;
                out.push('$');
                out.push_str(&number.to_string());
            }
            None => {
                if matches!(c, '"' | '\'') {
                    quote = Some(c);
                }
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_in_names_stay() {
        assert_eq!(
            numbered(r#"UPDATE "a?" SET b = ? WHERE c = '?' AND d = ?"#),
            r#"UPDATE "a?" SET b = $1 WHERE c = '?' AND d = $2"#
        );
    }
}
