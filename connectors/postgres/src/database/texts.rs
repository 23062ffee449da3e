//! Rows as the server writes them.

use lavka_api::data::Str;
use sqlx::postgres::PgRow;
use sqlx::{Column as _, Row as _, ValueRef as _};

/// The texts of a row that the simple protocol sent.
pub(crate) fn texts(row: &PgRow) -> Result<Vec<Option<Str>>, sqlx::Error> {
    row.columns()
        .iter()
        .map(|column| {
            let value = row.try_get_raw(column.ordinal())?;
            if value.is_null() {
                return Ok(None);
            }
            value.as_str().map(|text| Some(Str::from(text))).map_err(sqlx::Error::Decode)
        })
        .collect()
}
