//! Rows in messages.

use super::DecodeError;
use super::cursor::Cursor;
use crate::model::ColumnText;

/// A row in text format, checked when it was decoded: [`columns`](Tuple::columns) gives exactly [`len`](Tuple::len) columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple<'a> {
    columns: u16,
    bytes: &'a [u8],
}

impl<'a> Tuple<'a> {
    /// Walks over a tuple, which checks all of it.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        let columns = cursor.u16("the number of columns")?;
        let start = cursor.rest();
        for _ in 0..columns {
            column(cursor)?;
        }
        let length = start.len() - cursor.rest().len();
        Ok(Self { columns, bytes: start.get(..length).unwrap_or_default() })
    }

    /// The number of columns.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.columns)
    }

    /// Whether there are no columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns == 0
    }

    /// The columns in the relation's order.
    #[must_use]
    pub fn columns(&self) -> TupleColumns<'a> {
        TupleColumns { left: self.columns, cursor: Cursor::new(self.bytes) }
    }
}

/// The columns of a [`Tuple`].
pub struct TupleColumns<'a> {
    left: u16,
    cursor: Cursor<'a>,
}

impl<'a> Iterator for TupleColumns<'a> {
    type Item = ColumnText<'a>;

    #[inline]
    fn next(&mut self) -> Option<ColumnText<'a>> {
        self.left = self.left.checked_sub(1)?;
        column(&mut self.cursor).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

#[inline]
fn column<'a>(cursor: &mut Cursor<'a>) -> Result<ColumnText<'a>, DecodeError> {
    match cursor.u8("the kind of a column")? {
        b'n' => Ok(ColumnText::Null),
        b'u' => Ok(ColumnText::UnchangedToast),
        b't' => {
            let length = cursor.u32("the length of a column")?;
            let length = usize::try_from(length).map_err(|_| cursor.error("the length of a column"))?;
            Ok(ColumnText::Text(cursor.bytes(length, "the text of a column")?))
        }
        _ => Err(cursor.error("the kind of a column ('n', 'u' or 't')")),
    }
}
