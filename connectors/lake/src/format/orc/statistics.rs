//! What a footer says of the values of a column.

use super::message::Message;

/// Counts and bounds.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    values: u64,
    has_null: bool,
    integers: Option<(i64, i64)>,
    doubles: Option<(f64, f64)>,
    /// A value was not a number, with which bounds mean nothing.
    has_nan: bool,
}

impl Statistics {
    pub(super) fn count(&mut self, values: usize) {
        self.values = self.values.saturating_add(u64::try_from(values).unwrap_or(u64::MAX));
    }

    pub(super) fn null(&mut self) {
        self.has_null = true;
    }

    pub(super) fn integer(&mut self, value: i64) {
        let (least, most) = self.integers.get_or_insert((value, value));
        (*least, *most) = ((*least).min(value), (*most).max(value));
    }

    pub(super) fn double(&mut self, value: f64) {
        if value.is_nan() {
            self.has_nan = true;
            return;
        }
        let (least, most) = self.doubles.get_or_insert((value, value));
        (*least, *most) = (least.min(value), most.max(value));
    }

    /// As `ColumnStatistics`.
    pub(super) fn message(&self, is_date: bool) -> Message {
        let mut message = Message::default().number(1, self.values);
        if let Some((least, most)) = self.integers {
            let bounds = Message::default().signed(1, least).signed(2, most);
            message = message.message(if is_date { 7 } else { 2 }, &bounds);
        }
        if let Some((least, most)) = self.doubles.filter(|_| !self.has_nan) {
            message = message.message(3, &Message::default().double(1, least).double(2, most));
        }
        message.number(10, self.has_null.into())
    }
}
