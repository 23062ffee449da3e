//! SQLite: a file, or memory.
//!
//! Dates and times are numbers of milliseconds, as sqlite-jdbc writes them, or texts with `date_class=text` in the URL.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::error::DatabaseError;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, Row as _, Sqlite,
    TypeInfo as _, ValueRef as _,
};
use tokio::sync::mpsc;

use super::answer::Reading;
use super::failure::{Failure, FailureKind, WriteFailure};
use super::{Action, Chunk, Head, Heads, Rows, Session, Target, multirow};
use crate::data::{Cell, WallClock, date_text, datetime_text, decimal_text, time_text};
use crate::settings::Connection;
use crate::table::{Column, ColumnKind, ColumnType, Table, TableId, TableKind};

/// Parameters of a statement at most, in SQLite as it is built in here.
const MAX_PARAMETERS: usize = 32_766;
/// How long sqlite-jdbc waits for a lock.
const BUSY_MS: u64 = 3000;

const KIND: &str =
    "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(?)";
const COLUMNS: &str = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk FROM pragma_table_info(?)";
const TABLES: &str = "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' \
     ESCAPE '\\' ORDER BY 1";

/// Opens a session.
pub(super) async fn open(connection: &Connection) -> Result<Box<dyn Session>, Failure> {
    let url = &connection.url;
    let mut options = match &url.database {
        Some(file) => SqliteConnectOptions::new().filename(file).create_if_missing(true),
        None => SqliteConnectOptions::new().in_memory(true),
    };
    let property = |name: &str| url.property(name).map(str::to_ascii_lowercase);
    let busy = url.property("busy_timeout").and_then(|text| text.parse().ok()).unwrap_or(BUSY_MS);
    options = options
        .busy_timeout(Duration::from_millis(busy))
        .foreign_keys(matches!(property("foreign_keys").as_deref(), Some("true" | "on" | "yes" | "1")))
        .disable_statement_logging();
    if let Some(mode) = property("journal_mode") {
        options = options.journal_mode(match mode.as_str() {
            "delete" => SqliteJournalMode::Delete,
            "truncate" => SqliteJournalMode::Truncate,
            "persist" => SqliteJournalMode::Persist,
            "memory" => SqliteJournalMode::Memory,
            "wal" => SqliteJournalMode::Wal,
            "off" => SqliteJournalMode::Off,
            other => {
                return Err(unknown("journal_mode", other, "delete, truncate, persist, memory, wal or off"));
            }
        });
    }
    if let Some(level) = property("synchronous") {
        options = options.synchronous(match level.as_str() {
            "off" | "0" => SqliteSynchronous::Off,
            "normal" | "1" => SqliteSynchronous::Normal,
            "full" | "2" => SqliteSynchronous::Full,
            "extra" | "3" => SqliteSynchronous::Extra,
            other => return Err(unknown("synchronous", other, "off, normal, full or extra")),
        });
    }
    let texts = property("date_class").as_deref() == Some("text");
    let connection = options.connect().await.map_err(failed)?;
    Ok(Box::new(SqliteSession { connection, texts }))
}

fn unknown(name: &str, value: &str, allowed: &str) -> Failure {
    Failure::new(FailureKind::Config, format!("{name} in connection.url is {value}; use {allowed}"))
}

struct SqliteSession {
    connection: SqliteConnection,
    /// Whether dates and times are written as texts.
    texts: bool,
}

/// A failure of the database or the client, classified.
fn failed(error: sqlx::Error) -> Failure {
    Failure::of(error, said)
}

fn said(database: &dyn DatabaseError) -> Failure {
    let code: u32 = database.code().and_then(|code| code.parse().ok()).unwrap_or(1);
    let text = database.message().to_owned();
    let kind = kind(code, &text);
    let remedy = remedy(code, &text).map(|remedy| format!(". {remedy}")).unwrap_or_default();
    Failure::new(kind, format!("{text}{remedy} (SQLite error {code})"))
}

/// What to do about a failure, where it can be told.
pub(super) fn remedy(code: u32, text: &str) -> Option<&'static str> {
    Some(match code & 0xff {
        8 => {
            "Let the worker's user write to the file and to its directory, on a file system that is not read-only"
        }
        13 => "Make room on the disk of the file",
        14 => "Check the path in connection.url, and that the worker's user may write to the directory",
        _ if text.contains("ON CONFLICT clause does not match") => {
            "An upsert needs a primary key or unique constraint on exactly the key's columns"
        }
        _ => return None,
    })
}

/// The low byte is the primary result code.
pub(super) fn kind(code: u32, text: &str) -> FailureKind {
    match code & 0xff {
        // Busy, locked, read-only, interrupted, I/O, full.
        5 | 6 | 8 | 9 | 10 | 13 => FailureKind::Again,
        18..=20 => FailureKind::Row,
        3 | 14 | 23 | 26 => FailureKind::Config,
        17 => FailureKind::Changed,
        1 if text.contains("no such table")
            || text.contains("no column named")
            || text.contains("no such column") =>
        {
            FailureKind::Changed
        }
        1 if text.contains("already exists") || text.contains("duplicate column") => FailureKind::Exists,
        _ => FailureKind::Other,
    }
}

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds a cell.
fn bind<'q>(query: Bound<'q>, cell: &Cell<'_>, clock: &WallClock, texts: bool) -> Result<Bound<'q>, String> {
    let local = |local: i64, instant: i64| {
        if texts { Moment::Text(datetime_text(local)) } else { Moment::Millis(instant.div_euclid(1000)) }
    };
    let moment = match cell {
        Cell::Null => return Ok(query.bind(None::<i64>)),
        Cell::Bool(value) => return Ok(query.bind(i64::from(*value))),
        Cell::Int(value) => return Ok(query.bind(*value)),
        Cell::UInt(value) => {
            return match i64::try_from(*value) {
                Ok(value) => Ok(query.bind(value)),
                Err(_) => Ok(query.bind(value.to_string())),
            };
        }
        // SQLite makes NaN a null without a word.
        Cell::Float32(value) if value.is_nan() => return Err("NaN, which SQLite has not".to_owned()),
        Cell::Float64(value) if value.is_nan() => return Err("NaN, which SQLite has not".to_owned()),
        Cell::Float32(value) => return Ok(query.bind(f64::from(*value))),
        Cell::Float64(value) => return Ok(query.bind(*value)),
        Cell::Text(text) => return Ok(query.bind(text.as_ref().to_owned())),
        Cell::Bytes(bytes) => return Ok(query.bind(bytes.as_ref().to_owned())),
        Cell::Decimal(value) => {
            return Ok(query.bind(decimal_text(value).ok_or("a number with too many digits")?));
        }
        Cell::Date(days) if texts => Moment::Text(date_text((*days).into())),
        Cell::Date(days) => Moment::Millis(i64::from(*days) * 86_400_000),
        Cell::Time(micros) if texts => Moment::Text(time_text(*micros)),
        Cell::Time(micros) => Moment::Millis(micros.div_euclid(1000)),
        Cell::Local(at) => local(*at, *at),
        Cell::Instant(at) => local(clock.local(*at), *at),
        Cell::Duration(micros) => return Ok(query.bind(*micros)),
        Cell::Forever { .. } => return Err("an infinity, which SQLite has not".to_owned()),
        Cell::Geometry(geometry) => return Ok(query.bind(geometry.wkb().to_vec())),
        Cell::Array(_) => return Err("an array".to_owned()),
    };
    Ok(match moment {
        Moment::Text(text) => query.bind(text),
        Moment::Millis(millis) => query.bind(millis),
    })
}

enum Moment {
    Text(String),
    Millis(i64),
}

#[async_trait]
impl Session for SqliteSession {
    async fn describe(&mut self, id: &TableId, _written: &str) -> Result<Option<Table>, Failure> {
        let query = sqlx::query(KIND).bind(id.table());
        let Some(found) = query.fetch_optional(&mut self.connection).await.map_err(failed)? else {
            return Ok(None);
        };
        let (name, ty): (String, String) =
            (found.try_get(0).map_err(failed)?, found.try_get(1).map_err(failed)?);
        let rows =
            sqlx::query(COLUMNS).bind(name.as_str()).fetch_all(&mut self.connection).await.map_err(failed)?;
        let keys = rows.iter().filter(|row| row.try_get::<i64, _>(4).is_ok_and(|pk| pk > 0)).count();
        let column = |row: &SqliteRow| -> Result<Column, sqlx::Error> {
            let ty: String = row.try_get(1)?;
            let key = row.try_get::<i64, _>(4)? > 0;
            // A single INTEGER PRIMARY KEY is the row's number, counted up where it is left out.
            let rowid = key && keys == 1 && ty.eq_ignore_ascii_case("INTEGER");
            Ok(Column {
                name: row.try_get(0)?,
                ty: column_type(&ty),
                nullable: row.try_get::<i64, _>(2)? == 0 && !key,
                has_default: row.try_get::<i64, _>(3)? != 0 || rowid,
                primary_key: key,
                autoincrement: rowid,
            })
        };
        let columns = rows.iter().map(column).collect::<Result<_, sqlx::Error>>().map_err(failed)?;
        let id = TableId::of(id.schema(), &name);
        Ok(Some(Table { id, kind: table_kind(&ty), columns, selection: None }))
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, Failure> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.connection)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected())
    }

    async fn run(&mut self, sql: &str, values: &[Cell<'_>]) -> Result<u64, Failure> {
        let query = self.bound(sql, values)?;
        Ok(query.execute(&mut self.connection).await.map_err(failed)?.rows_affected())
    }

    async fn stream(
        &mut self,
        sql: &str,
        values: &[Cell<'_>],
        chunk: usize,
        answer: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure> {
        let query = self.bound(sql, values)?.persistent(false);
        let reading = Reading { heads, cells, failed };
        reading.send(self.connection.fetch(query), chunk, answer).await
    }

    async fn tables(&mut self) -> Result<Vec<(TableId, TableKind)>, Failure> {
        let rows = sqlx::raw_sql(TABLES).fetch_all(&mut self.connection).await.map_err(failed)?;
        rows.iter()
            .map(|row| {
                let (name, ty): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                Ok((TableId::of(None, &name), table_kind(&ty)))
            })
            .collect::<Result<_, sqlx::Error>>()
            .map_err(failed)
    }

    async fn prepare(&mut self, _target: &Arc<Target>, _action: Action) -> Result<(), Failure> {
        Ok(())
    }

    async fn write(&mut self, rows: Rows<'_, '_>) -> Result<(), WriteFailure> {
        let target = rows.target;
        let width = rows.width();
        let names = target.names(width);
        let order = multirow::order(rows.action, width, target.keys);
        let per_statement = multirow::rows_per_statement(rows.action, width, MAX_PARAMETERS, 256);
        for (at, part) in rows.cells.chunks(per_statement * width).enumerate() {
            let count = part.len() / width;
            let sql = multirow::statement(&target.statements, target, rows.action, &names, count);
            let persistent = multirow::persistent(target.statements.dialect, count, per_statement);
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(persistent);
            for (row, cells) in part.chunks(width).enumerate() {
                for place in &order {
                    let (Some(cell), Some(column)) = (cells.get(*place), target.columns.get(*place)) else {
                        continue;
                    };
                    query = bind(query, cell, &target.clock, self.texts).map_err(|why| {
                        let refused =
                            (at * per_statement + row, format!("column {} cannot hold {why}", column.name));
                        WriteFailure::Rows(vec![refused])
                    })?;
                }
            }
            query.execute(&mut self.connection).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), Failure> {
        // The lock at once: a transaction that reads first and then finds another writer cannot wait for it.
        self.execute("BEGIN IMMEDIATE").await.map(drop)
    }

    async fn close(self: Box<Self>) {
        let _ = self.connection.close().await;
    }
}

impl SqliteSession {
    fn bound<'q>(&self, sql: &str, values: &[Cell<'_>]) -> Result<Bound<'q>, Failure> {
        let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        for value in values {
            query = bind(query, value, &WallClock::utc(), self.texts)
                .map_err(|why| Failure::new(FailureKind::Row, why))?;
        }
        Ok(query)
    }
}

fn table_kind(ty: &str) -> TableKind {
    if ty == "view" { TableKind::View } else { TableKind::Table }
}

/// A declared type by its affinity (<https://www.sqlite.org/datatype3.html>, 3.1), with what programs mean by dates.
pub(super) fn column_type(declared: &str) -> ColumnType {
    let upper = declared.to_ascii_uppercase();
    let has = |part: &str| upper.contains(part);
    let kind = if has("INT") {
        ColumnKind::Int64
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        ColumnKind::Text
    } else if has("BLOB") || upper.is_empty() {
        ColumnKind::Bytes
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        ColumnKind::Float64
    } else if has("BOOL") {
        ColumnKind::Boolean
    } else if has("TIMESTAMP") || has("DATETIME") {
        ColumnKind::Timestamp
    } else if upper == "DATE" {
        ColumnKind::Date
    } else if upper == "TIME" {
        ColumnKind::Time
    } else {
        ColumnKind::Numeric
    };
    ColumnType { name: declared.to_owned(), kind, oid: 0, digits: None }
}

fn heads(row: &SqliteRow) -> Heads {
    row.columns()
        .iter()
        .map(|column| {
            let name = column.type_info().name();
            let declared = if name == "NULL" { "" } else { name };
            Head { name: column.name().to_owned(), ty: column_type(declared), nullable: None }
        })
        .collect()
}

/// By what each value is: SQLite's columns hold anything.
fn cells(row: &SqliteRow, heads: &[Head]) -> Result<Vec<Cell<'static>>, Failure> {
    (0..heads.len())
        .map(|at| {
            let value = row.try_get_raw(at).map_err(failed)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let name = value.type_info().name().to_ascii_uppercase();
            Ok(match name.as_str() {
                "INTEGER" | "BOOLEAN" => Cell::Int(row.try_get_unchecked(at).map_err(failed)?),
                "REAL" => Cell::Float64(row.try_get_unchecked(at).map_err(failed)?),
                "BLOB" => Cell::Bytes(Cow::Owned(row.try_get_unchecked(at).map_err(failed)?)),
                _ => Cell::Text(Cow::Owned(row.try_get_unchecked(at).map_err(failed)?)),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_to_do() {
        for (code, text, expected) in [
            (5, "database is locked", FailureKind::Again),
            (517, "database is locked", FailureKind::Again),
            (13, "database or disk is full", FailureKind::Again),
            (8, "attempt to write a readonly database", FailureKind::Again),
            (1555, "UNIQUE constraint failed: t.k", FailureKind::Row),
            (1, "no such table: t", FailureKind::Changed),
            (1, "table t has no column named c", FailureKind::Changed),
            (1, "table t already exists", FailureKind::Exists),
            (1, "near \"x\": syntax error", FailureKind::Other),
            (26, "file is not a database", FailureKind::Config),
        ] {
            assert_eq!(kind(code, text), expected, "{text}");
        }
    }
}
