//! Rows as the data of a `COPY`.

use super::super::{Failure, FailureKind, Rows, Target, WriteFailure};
use super::encode::{NoBinary, binary, text};
use crate::data::Cell;

/// Signature, flags, length of the header's extension: the beginning of binary data.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The form of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Binary,
    Text,
}

impl Form {
    /// The statement that takes such data of a target's first `width` columns into a table.
    pub(super) fn statement(self, target: &Target, into: &str, width: usize) -> String {
        let names = target.statements.list(&target.names(width));
        let options = match self {
            Form::Binary => " WITH (FORMAT binary)",
            Form::Text => "",
        };
        format!("COPY {into} ({names}) FROM STDIN{options}")
    }
}

/// Why the rest of the rows has no data.
#[derive(Debug)]
pub(super) enum NoData {
    /// A cell has no binary form: all rows have to be sent as text.
    Text,
    /// These rows have no form at all, by their places, each with why.
    Rows(Vec<(usize, String)>),
}

/// The failure of a write whose rows have no data.
pub(super) fn no_data(none: NoData) -> WriteFailure {
    match none {
        NoData::Rows(rows) => WriteFailure::Rows(rows),
        NoData::Text => Failure::new(
            FailureKind::Form,
            "a value that has to be sent as text came after others that had not",
        )
        .into(),
    }
}

/// Writes rows of a target into the data of a `COPY`, one after the other.
pub(super) struct Encoder<'t> {
    target: &'t Target,
    form: Form,
    text: String,
}

impl<'t> Encoder<'t> {
    pub(super) fn new(target: &'t Target, form: Form) -> Self {
        Self { target, form, text: String::new() }
    }

    /// What goes before the first row.
    pub(super) fn begin(&self, out: &mut Vec<u8>) {
        if self.form == Form::Binary {
            out.extend_from_slice(HEADER);
        }
    }

    /// What goes behind the last row.
    pub(super) fn end(&self, out: &mut Vec<u8>) {
        if self.form == Form::Binary {
            out.extend_from_slice(&(-1_i16).to_be_bytes());
        }
    }

    /// # Errors
    /// Where the row has no such form; `out` may hold a part of it then.
    pub(super) fn row(&mut self, row: &[Cell<'_>], out: &mut Vec<u8>) -> Result<(), NoBinary> {
        match self.form {
            Form::Binary => self.binary_row(row, out),
            Form::Text => self.text_row(row, out),
        }
    }

    fn binary_row(&self, row: &[Cell<'_>], out: &mut Vec<u8>) -> Result<(), NoBinary> {
        // The server has no tables of more columns than that.
        let width = i16::try_from(row.len()).map_err(|_| NoBinary::Text)?;
        out.extend_from_slice(&width.to_be_bytes());
        for (cell, column) in row.iter().zip(&self.target.columns) {
            binary(&column.ty.kind, cell, &self.target.clock, out)
                .map_err(|none| none.of_column(&column.name))?;
        }
        Ok(())
    }

    fn text_row(&mut self, row: &[Cell<'_>], out: &mut Vec<u8>) -> Result<(), NoBinary> {
        for (place, (cell, column)) in row.iter().zip(&self.target.columns).enumerate() {
            if place > 0 {
                out.push(b'\t');
            }
            if cell.is_null() {
                out.extend_from_slice(b"\\N");
                continue;
            }
            self.text.clear();
            text(&column.ty.kind, cell, &self.target.clock, &mut self.text)
                .and_then(
                    |()| if self.text.contains('\0') { Err("a text with a NUL".to_owned()) } else { Ok(()) },
                )
                .map_err(|why| NoBinary::Reject(why).of_column(&column.name))?;
            escape(self.text.as_bytes(), out);
        }
        out.push(b'\n');
        Ok(())
    }
}

/// Rows on their way into the data of a `COPY`, piece by piece, so that the server is at work on one while the next is
/// made.
pub(super) struct Data<'b, 'a> {
    rows: Rows<'b, 'a>,
    encoder: Encoder<'b>,
    /// How many rows are done.
    done: usize,
    refused: Vec<(usize, String)>,
}

impl<'b, 'a> Data<'b, 'a> {
    pub(super) fn new(rows: Rows<'b, 'a>, form: Form) -> Self {
        Self { rows, encoder: Encoder::new(rows.target, form), done: 0, refused: Vec::new() }
    }

    /// Puts the next piece, of some more than `size` bytes, into `out`, which is emptied before. Says whether it is the
    /// last one.
    ///
    /// # Errors
    /// Where rows are refused: all of them, once every row was looked at.
    pub(super) fn piece(&mut self, size: usize, out: &mut Vec<u8>) -> Result<bool, NoData> {
        out.clear();
        if self.done == 0 {
            self.encoder.begin(out);
        }
        let width = self.rows.width();
        let rest = self.rows.cells.get(self.done.saturating_mul(width)..).unwrap_or_default();
        for row in rest.chunks(width) {
            match self.encoder.row(row, out) {
                Ok(()) => {}
                Err(NoBinary::Text) => return Err(NoData::Text),
                Err(NoBinary::Reject(why)) => self.refused.push((self.done, why)),
            }
            self.done += 1;
            if !self.refused.is_empty() {
                out.clear();
            }
            if out.len() >= size {
                return Ok(false);
            }
        }
        if !self.refused.is_empty() {
            return Err(NoData::Rows(std::mem::take(&mut self.refused)));
        }
        self.encoder.end(out);
        Ok(true)
    }
}

impl NoBinary {
    fn of_column(self, name: &str) -> Self {
        match self {
            NoBinary::Text => NoBinary::Text,
            NoBinary::Reject(why) => NoBinary::Reject(format!("column {name} cannot hold {why}")),
        }
    }
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
