//! Rows as columns of one C type each, as ODBC binds them.
//!
//! A column's form is chosen by what the table's column is and by the cells that are there: numbers as numbers where all of
//! them are, dates and times as ODBC's structures where these can hold them, the rest as text, which every database reads.
//! Buffers are as long as the longest cell, so nothing is ever cut; how many rows go together is bounded in bytes.

use odbc_api::Bit;

use super::form::Form;
use super::values::{Pieces, TextType, Values};
use crate::data::Cell;
use crate::table::ColumnKind;

/// Rows that go together at most.
const MAX_ROWS: usize = 4096;
/// Bytes that the buffers of rows that go together take at most, unless one row alone takes more.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Digits of a number that databases take as one.
const MAX_DIGITS: usize = 38;

/// How many of the rows of `width` cells in `cells` go together, at least one.
pub(super) fn fitting(cells: &[Cell<'_>], width: usize) -> usize {
    let width = width.max(1);
    let mut longest = vec![0_usize; width];
    let mut count = 0;
    for row in cells.chunks(width).take(MAX_ROWS) {
        for (longest, cell) in longest.iter_mut().zip(row) {
            // UTF-16 takes at most two bytes for each of UTF-8.
            *longest = cell.size().saturating_mul(2).max(*longest);
        }
        let bytes = longest.iter().fold(0_usize, |sum, longest| sum.saturating_add(*longest));
        if count > 0 && bytes.saturating_mul(count + 1) > MAX_BYTES {
            break;
        }
        count += 1;
    }
    count.max(1)
}

/// The values of a column.
///
/// # Errors
/// The row whose cell cannot be held, and what it is.
pub(super) fn column<'c, 'a: 'c>(
    form: Form<'_>,
    cells: impl Iterator<Item = &'c Cell<'a>> + Clone,
) -> Result<Values, (usize, String)> {
    for (row, cell) in cells.clone().enumerate() {
        form.check(cell).map_err(|why| (row, why))?;
    }
    if cells.clone().all(Cell::is_null) {
        return Ok(Values::nulls(form.kind, cells.count()));
    }
    let all = |fits: &dyn Fn(&Cell<'_>) -> bool| cells.clone().all(|cell| cell.is_null() || fits(cell));
    if form.kind == &ColumnKind::Boolean && all(&|cell| matches!(cell, Cell::Bool(_))) {
        let bit = |cell: &Cell<'_>| match cell {
            Cell::Bool(value) => Some(Bit::from_bool(*value)),
            _ => None,
        };
        return Ok(Values::Bit(cells.map(bit).collect()));
    }
    if form.takes_numbers() && all(&|cell| form.int(cell).is_some()) {
        return Ok(Values::Int(cells.map(|cell| form.int(cell)).collect()));
    }
    if form.takes_numbers() && form.takes_floats() {
        if all(&|cell| matches!(cell, Cell::Float32(_))) {
            let float = |cell: &Cell<'_>| if let Cell::Float32(value) = cell { Some(*value) } else { None };
            return Ok(Values::Float32(cells.map(float).collect()));
        }
        if all(&|cell| matches!(cell, Cell::Float64(_))) {
            let float = |cell: &Cell<'_>| if let Cell::Float64(value) = cell { Some(*value) } else { None };
            return Ok(Values::Float64(cells.map(float).collect()));
        }
    }
    if all(&|cell| form.date(cell).is_some()) {
        return Ok(Values::Date(cells.map(|cell| form.date(cell)).collect()));
    }
    if all(&|cell| form.time(cell).is_some()) {
        return Ok(Values::Time(cells.map(|cell| form.time(cell)).collect()));
    }
    if all(&|cell| form.timestamp(cell).is_some()) {
        return Ok(Values::Timestamp(cells.map(|cell| form.timestamp(cell)).collect()));
    }
    if all(&|cell| form.bytes(cell).is_some()) {
        let mut pieces = Pieces::default();
        for cell in cells {
            let bytes = form.bytes(cell);
            pieces.push(bytes.as_deref().map(|bytes| bytes.iter().copied()));
        }
        return Ok(Values::Bytes(pieces));
    }
    texts(form, cells)
}

fn texts<'c, 'a: 'c>(
    form: Form<'_>,
    cells: impl Iterator<Item = &'c Cell<'a>>,
) -> Result<Values, (usize, String)> {
    let mut pieces = Pieces::default();
    let (mut whole, mut scale, mut numbers) = (1, 0, true);
    for (row, cell) in cells.enumerate() {
        let text = form.text(cell).map_err(|why| (row, why))?;
        if let Some(text) = &text {
            numbers &= matches!(cell, Cell::Decimal(_) | Cell::Int(_) | Cell::UInt(_));
            let digits = text.trim_start_matches('-');
            let (before, behind) = digits.split_once('.').unwrap_or((digits, ""));
            whole = whole.max(before.len());
            scale = scale.max(behind.len());
        }
        pieces.push(text.as_deref().map(str::encode_utf16));
    }
    let decimals = numbers && pieces.longest > 0 && whole + scale <= MAX_DIGITS && form.takes_numbers();
    let ty = if decimals { TextType::Decimal(whole + scale, scale) } else { TextType::Text };
    Ok(Values::Text(pieces, ty))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::data::WallClock;
    use crate::dialect::Dialect;

    fn shown(dialect: Dialect, kind: &ColumnKind, cells: &[Cell<'_>]) -> String {
        let clock = WallClock::utc();
        match column(Form { dialect, kind, clock: &clock }, cells.iter()) {
            Ok(Values::Text(pieces, ty)) => {
                let texts: Vec<Option<String>> =
                    pieces.iter().map(|piece| piece.map(String::from_utf16_lossy)).collect();
                format!("{ty:?} {texts:?}")
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn cells_choose_the_form_of_their_column() {
        let decimal = |text: &str| Cell::Decimal(Cow::Owned(lavka_api::data::Decimal::parse(text).unwrap()));
        let (numeric, text) = (ColumnKind::Numeric, ColumnKind::Text);
        for (dialect, kind, cells, expected) in [
            (Dialect::SqlServer, &numeric, vec![Cell::Int(1), Cell::Null], "Ok(Int([Some(1), None]))"),
            (Dialect::Oracle, &numeric, vec![Cell::Int(-17)], "Decimal(2, 0) [Some(\"-17\")]"),
            (
                Dialect::Db2,
                &numeric,
                vec![decimal("-12.50"), decimal("3")],
                "Decimal(4, 2) [Some(\"-12.50\"), Some(\"3\")]",
            ),
            (Dialect::Db2, &text, vec![Cell::Int(7)], "Text [Some(\"7\")]"),
            (Dialect::Db2, &text, vec![Cell::Null], "Text [None]"),
            (Dialect::Db2, &ColumnKind::Date, vec![Cell::Null], "Ok(Date([None]))"),
            (Dialect::Postgres, &ColumnKind::Float64, vec![Cell::Float64(0.1)], "Text [Some(\"0.1\")]"),
            (Dialect::Oracle, &ColumnKind::Float64, vec![Cell::Float64(0.5)], "Ok(Float64([Some(0.5)]))"),
            (
                Dialect::Sqlite,
                &numeric,
                vec![Cell::Date(1), Cell::Instant(1_500)],
                "Ok(Int([Some(86400000), Some(1)]))",
            ),
            (
                Dialect::Postgres,
                &ColumnKind::Array(Box::new(ColumnKind::Text), 0),
                vec![Cell::Array(vec![Cell::Null, Cell::Text("a\"\\".into())])],
                r#"Text [Some("{NULL,\"a\\\"\\\\\"}")]"#,
            ),
            (Dialect::Sqlite, &numeric, vec![Cell::Float64(f64::NAN)], "Err((0, \"NaN"),
            (Dialect::Oracle, &ColumnKind::Timestamp, vec![Cell::Instant(i64::MIN)], "Err((0, "),
            (
                Dialect::Oracle,
                &text,
                vec![Cell::Bytes([255][..].into()), Cell::Bool(true)],
                "Err((0, \"bytes",
            ),
        ] {
            let shown = shown(dialect, kind, &cells);
            assert!(shown.starts_with(expected), "{shown} is not {expected}");
        }
    }

    #[test]
    fn moments_become_structures() {
        let clock = WallClock::utc();
        let form = |kind| Form { dialect: Dialect::SqlServer, kind, clock: &clock };
        let at = form(&ColumnKind::Timestamp).timestamp(&Cell::Instant(1_709_209_800_500_001)).unwrap();
        assert_eq!((at.year, at.month, at.day, at.hour, at.minute), (2024, 2, 29, 12, 30));
        assert_eq!((at.second, at.fraction), (0, 500_001_000));
        assert_eq!(form(&ColumnKind::Date).date(&Cell::Date(-719_163)), None);
        assert_eq!(form(&ColumnKind::Time).time(&Cell::Time(86_400_000_000)), None);
        assert_eq!(form(&ColumnKind::Time).time(&Cell::Time(1)), None);
        assert!(form(&ColumnKind::Time).time(&Cell::Time(86_399_000_000)).is_some());
    }

    #[test]
    fn long_rows_go_in_small_numbers() {
        let long = "x".repeat(1024 * 1024);
        let cells: Vec<Cell<'_>> =
            (0..100).map(|row| Cell::Text(if row == 50 { &long } else { "x" }.into())).collect();
        assert_eq!(fitting(&cells, 1), 50);
        assert!(fitting(&cells[50..], 1) < 10);
        assert_eq!(fitting(&[], 0), 1);
        assert_eq!(fitting(&vec![Cell::Null; 10_000], 1), MAX_ROWS);
    }
}
