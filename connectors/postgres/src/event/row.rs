//! Rows to structs.

use lavka_api::data::{Struct, Value};
use lavka_api::{Error, Result};

use super::plan::{ColumnPlan, FieldPlan, TablePlan};
use super::settings::OnUnconvertible;
use crate::model::ColumnText;
use crate::types::Unconvertible;

/// A row as a struct, and its key.
pub(super) struct Row {
    pub(super) row: Struct,
    pub(super) key: Option<Struct>,
}

impl TablePlan {
    /// The struct and the key of a row. `older` has the old row's texts, for values that the server did not send.
    pub(super) fn row<'a>(
        &self,
        texts: impl Iterator<Item = ColumnText<'a>>,
        mut older: impl Iterator<Item = ColumnText<'a>>,
        on_unconvertible: OnUnconvertible,
    ) -> Result<Row> {
        let mut row = Vec::with_capacity(self.row_fields);
        let mut key = self.key.as_ref().map(|key| Vec::with_capacity(key.fields()));
        let mut columns = self.columns.iter();
        for mut text in texts {
            let Some(column) = columns.next() else { return Err(self.misfit()) };
            if let (ColumnText::UnchangedToast, Some(old @ ColumnText::Text(_))) = (text, older.next()) {
                text = old;
            }
            if let (Some(field), Some(slots)) = (&column.key, &mut key) {
                self.fill_key(column, field, text, slots)?;
            }
            let Some(field) = &column.row else { continue };
            row.push(match field.value(text) {
                Ok(value) => value,
                Err(reason) => self.unconvertible(column, reason, on_unconvertible)?,
            });
        }
        if columns.next().is_some() {
            return Err(self.misfit());
        }
        Ok(Row { row: Struct::new(self.row_schema.clone(), row)?, key: self.key_of(key)? })
    }

    fn key_of(&self, slots: Option<Vec<Value>>) -> Result<Option<Struct>> {
        match (&self.key, slots) {
            (Some(key), Some(mut slots)) => {
                slots.resize(key.columns, Value::Null);
                slots.extend(key.table.clone().map(Value::String));
                Struct::new(key.schema.clone(), slots).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn fill_key(
        &self,
        column: &ColumnPlan,
        (index, field): &(usize, FieldPlan),
        text: ColumnText<'_>,
        slots: &mut Vec<Value>,
    ) -> Result<()> {
        let value = field.value(text).map_err(|reason| {
            Error::fatal(format!(
                "The key column {}.{} of a change cannot be read: {reason} where its type wants one",
                self.table, column.name
            ))
        })?;
        match slots.get_mut(*index) {
            Some(slot) => *slot = value,
            // The columns of most keys come in the key's order.
            None => {
                slots.resize(*index, Value::Null);
                slots.push(value);
            }
        }
        Ok(())
    }

    fn unconvertible(
        &self,
        column: &ColumnPlan,
        reason: Unconvertible,
        mode: OnUnconvertible,
    ) -> Result<Value> {
        match mode {
            OnUnconvertible::Fail => Err(Error::fatal(format!(
                "The column {}.{} of a change cannot be converted: {reason} (event.converting.failure.handling.mode=warn \
                 would make it null)",
                self.table, column.name
            ))),
            OnUnconvertible::Warn => {
                if column.warns_first() {
                    tracing::warn!(table = %self.table, column = %column.name, %reason, "a value cannot be converted and becomes null; more of this column are not reported");
                }
                Ok(Value::Null)
            }
            OnUnconvertible::Skip => Ok(Value::Null),
        }
    }

    /// A row with another number of columns than its relation announced.
    fn misfit(&self) -> Error {
        Error::fatal(format!(
            "A row of {} does not have the {} columns that were announced for it",
            self.table,
            self.columns.len()
        ))
    }
}

impl FieldPlan {
    #[inline]
    fn value(&self, text: ColumnText<'_>) -> Result<Value, Unconvertible> {
        let value = match text {
            ColumnText::Text(text) => self.codec.value(text)?,
            ColumnText::Null => self.null.clone(),
            ColumnText::UnchangedToast => self
                .unavailable
                .clone()
                .ok_or(Unconvertible("a value that was not sent, and whose type has no placeholder"))?,
        };
        Ok(match &self.mapper {
            None => value,
            Some(mapper) => mapper.apply(value),
        })
    }
}
