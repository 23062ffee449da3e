//! Rows as the data of a `COPY`.

use super::super::{Rows, WriteFailure};
use super::encode::{NoBinary, binary, text};
use crate::table::ColumnKind;

/// Signature, flags, length of the header's extension: the beginning of binary data.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The form of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Binary,
    Text,
}

impl Form {
    /// What stands behind `COPY t (...) FROM STDIN`.
    pub(super) fn options(self) -> &'static str {
        match self {
            Form::Binary => " WITH (FORMAT binary)",
            Form::Text => "",
        }
    }
}

/// Writes the rows into `out`, which is emptied before, in binary form if `try_binary` and every cell has one.
///
/// # Errors
/// The rows that have no form at all.
pub(super) fn encode(rows: Rows<'_, '_>, try_binary: bool, out: &mut Vec<u8>) -> Result<Form, WriteFailure> {
    if try_binary && binary_rows(rows, out)? {
        return Ok(Form::Binary);
    }
    text_rows(rows, out)?;
    Ok(Form::Text)
}

/// Whether every row got its binary form.
fn binary_rows(rows: Rows<'_, '_>, out: &mut Vec<u8>) -> Result<bool, WriteFailure> {
    let target = rows.target;
    let Ok(width) = i16::try_from(rows.width()) else { return Ok(false) };
    let kinds: Vec<&ColumnKind> = target.columns.iter().map(|column| &column.ty.kind).collect();
    out.clear();
    out.extend_from_slice(HEADER);
    let mut refused = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        out.extend_from_slice(&width.to_be_bytes());
        for (column, (cell, kind)) in row.iter().zip(&kinds).enumerate() {
            match binary(kind, cell, &target.clock, out) {
                Ok(()) => {}
                Err(NoBinary::Text) => return Ok(false),
                Err(NoBinary::Reject(why)) => {
                    let name = target.columns.get(column).map_or("", |column| column.name.as_str());
                    refused.push((at, format!("column {name} cannot hold {why}")));
                    break;
                }
            }
        }
    }
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    if refused.is_empty() { Ok(true) } else { Err(WriteFailure::Rows(refused)) }
}

fn text_rows(rows: Rows<'_, '_>, out: &mut Vec<u8>) -> Result<(), WriteFailure> {
    let target = rows.target;
    out.clear();
    let mut refused = Vec::new();
    let mut form = String::new();
    for (at, row) in rows.iter().enumerate() {
        for (column, (cell, described)) in row.iter().zip(&target.columns).enumerate() {
            if column > 0 {
                out.push(b'\t');
            }
            if cell.is_null() {
                out.extend_from_slice(b"\\N");
                continue;
            }
            form.clear();
            match text(&described.ty.kind, cell, &target.clock, &mut form) {
                Ok(()) if form.contains('\0') => {
                    refused.push((at, format!("column {} cannot hold a text with a NUL", described.name)));
                    break;
                }
                Ok(()) => escape(form.as_bytes(), out),
                Err(why) => {
                    refused.push((at, format!("column {} cannot hold {why}", described.name)));
                    break;
                }
            }
        }
        out.push(b'\n');
    }
    if refused.is_empty() { Ok(()) } else { Err(WriteFailure::Rows(refused)) }
}

/// A value of `COPY`'s text form: delimiters and backslashes behind a backslash.
fn escape(form: &[u8], out: &mut Vec<u8>) {
    for byte in form {
        let escaped = match byte {
            b'\\' => b'\\',
            b'\t' => b't',
            b'\n' => b'n',
            b'\r' => b'r',
            other => {
                out.push(*other);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escaped]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_column() {
        let mut out = Vec::new();
        escape("a\tb\nc\\.\r".as_bytes(), &mut out);
        assert_eq!(out, br"a\tb\nc\\.\r");
    }
}
