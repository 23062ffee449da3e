//! Reading a chunk, between two rows of the signal table or two places in the log.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use lavka_api::data::Str;
use lavka_api::{Error, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::java_key::KeyType;
use super::signal::Collection;
use super::state::Key;
use super::visibility::{reached, see};
use crate::catalog::describe;
use crate::config::WatermarkStrategy;
use crate::database::{Server, identifier, named, qualified, texts};
use crate::event::{Recorder, TablePlan};
use crate::model::{Table, TableId, TypeCatalog};
use crate::pgoutput::Lsn;

/// The names of the key's columns, known from when the window is opened.
pub(crate) type KeyNames = Arc<OnceLock<Vec<String>>>;

/// What is to be read.
pub(crate) struct Request {
    pub(crate) server: Server,
    pub(crate) version: i32,
    pub(crate) comments: bool,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) types: TypeCatalog,
    pub(crate) bounds: Bounds,
    pub(crate) size: i64,
    pub(crate) table: Collection,
    pub(crate) last: Option<Key>,
    pub(crate) max: Option<Key>,
    pub(crate) key_names: KeyNames,
}

/// What bounds the window.
pub(crate) enum Bounds {
    /// Rows of the signal table.
    Rows(Markers),
    /// What readers see: it begins where they see these transactions, which have come by.
    Places(Vec<u32>),
}

/// Rows of the signal table that bound a window.
pub(crate) struct Markers {
    pub(crate) table: TableId,
    pub(crate) strategy: WatermarkStrategy,
    /// Their ids begin with it.
    pub(crate) window: String,
    /// The time of the window.
    pub(crate) now: String,
}

/// What was read.
pub(crate) struct Chunk {
    pub(crate) plan: Option<Arc<TablePlan>>,
    /// Each with its key, in the order of keys.
    pub(crate) rows: Vec<(Key, Vec<Option<Str>>)>,
    pub(crate) max: Option<Key>,
    /// What the columns of the key are in Java.
    pub(crate) types: Vec<KeyType>,
    /// Nothing of the table is left.
    pub(crate) finished: bool,
    /// Where the window ends, if no row says it.
    pub(crate) until: Option<Lsn>,
}

/// Reads a chunk.
///
/// # Errors
/// Where the table cannot be read, or the signal table not be written; where the key is not the one that was known.
pub(crate) async fn read(request: Request) -> Result<Chunk> {
    let doing = format!("reading {} for an incremental snapshot", request.table.id);
    let failed = |error: sqlx::Error| named(&error, &doing);
    let mut connection = request.server.connect().await?;
    let table = find(&mut connection, &request).await?;
    let key = table.as_ref().map(|table| key_of(table, &request)).unwrap_or_default();
    let table = table.filter(|_| !key.is_empty());
    // Known before anything of the window can come by in the stream.
    if *request.key_names.get_or_init(|| key.clone()) != key {
        return Err(Error::retriable(format!("{doing}: its key has changed")));
    }
    match &request.bounds {
        Bounds::Rows(markers) => markers.write(&mut connection, true).await?,
        Bounds::Places(passed) => see(&mut connection, passed).await?,
    }
    let mut chunk = match &table {
        None => {
            tracing::warn!(
                "{} is not captured, has no key, or is gone: an incremental snapshot leaves it out",
                request.table.id
            );
            Chunk { plan: None, rows: Vec::new(), max: None, types: Vec::new(), finished: true, until: None }
        }
        Some(table) => {
            let plan = request.recorder.plan(table, &request.types)?;
            let types = type_names(&mut connection, table, &key).await?;
            let max = match &request.max {
                Some(max) => Some(max.clone()),
                None => largest(&mut connection, table, &key, &request).await?,
            };
            let rows = match &max {
                None => Vec::new(),
                Some(max) => {
                    rows(&mut connection, table, &plan, &key, &types, max, &request).await.map_err(failed)?
                }
            };
            let finished = rows.len() < usize::try_from(request.size).unwrap_or(usize::MAX)
                || rows.last().map(|(key, _)| key) == max.as_ref();
            let types = types.iter().map(|name| KeyType::named(name)).collect();
            Chunk { plan: Some(plan), rows, max, types, finished, until: None }
        }
    };
    match &request.bounds {
        Bounds::Rows(markers) => markers.write(&mut connection, false).await?,
        Bounds::Places(_) => chunk.until = Some(reached(&mut connection).await?),
    }
    Ok(chunk)
}

async fn find(connection: &mut PgConnection, request: &Request) -> Result<Option<Table>> {
    let Some((schema, name)) = request.table.id.split_once('.') else { return Ok(None) };
    if !request.recorder.settings().tables.takes(&TableId::new(schema, name)) {
        return Ok(None);
    }
    let failed = |error: sqlx::Error| named(&error, "looking for a table of an incremental snapshot");
    let row = sqlx::query(
        "SELECT c.oid::int8 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1::name AND c.relname = $2::name",
    )
    .bind(schema)
    .bind(name)
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let oid = u32::try_from(row.try_get::<i64, _>(0).map_err(failed)?).unwrap_or_default();
    Ok(describe(connection, request.version, &[oid], request.comments).await?.pop())
}

fn key_of(table: &Table, request: &Request) -> Vec<String> {
    if let Some(surrogate) = &request.table.surrogate {
        return table.column(surrogate).map(|column| column.name.to_string()).into_iter().collect();
    }
    let names = table.columns.iter().map(|column| column.name.as_str());
    match request.recorder.settings().keys.positions(&table.id, names) {
        Some(positions) => positions
            .into_iter()
            .filter_map(|position| table.columns.get(position))
            .map(|column| column.name.to_string())
            .collect(),
        None => table.key.iter().map(ToString::to_string).collect(),
    }
}

/// The names of the key columns' types, as the server writes them in SQL.
async fn type_names(connection: &mut PgConnection, table: &Table, key: &[String]) -> Result<Vec<String>> {
    let failed = |error: sqlx::Error| named(&error, "reading the types of a key");
    let mut names = Vec::new();
    for name in key {
        let column = table.column(name);
        let row = sqlx::query("SELECT pg_catalog.format_type($1::int8::oid, $2)")
            .bind(i64::from(column.map(|column| column.type_oid).unwrap_or_default()))
            .bind(column.map_or(-1, |column| column.type_modifier))
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        names.push(row.try_get(0).map_err(failed)?);
    }
    Ok(names)
}

fn list(names: &[String], each: &str) -> String {
    names.iter().map(|name| format!("{}{each}", identifier(name))).collect::<Vec<_>>().join(", ")
}

fn and_condition(request: &Request) -> String {
    // What the user's signal says is run as it is.
    request.table.condition.as_ref().map(|condition| format!(" AND {condition}")).unwrap_or_default()
}

/// The largest key of the table; `None` where it is empty.
async fn largest(
    connection: &mut PgConnection,
    table: &Table,
    key: &[String],
    request: &Request,
) -> Result<Option<Key>> {
    let query = format!(
        "SELECT {} FROM {} WHERE true{} ORDER BY {} LIMIT 1",
        list(key, ""),
        qualified(&table.id),
        and_condition(request),
        list(key, " DESC")
    );
    let row = sqlx::raw_sql(AssertSqlSafe(query)).fetch_all(connection).await;
    let rows = row.map_err(|error| named(&error, "looking for the largest key of a table"))?;
    rows.first().map(texts).transpose().map_err(|error| named(&error, "reading the largest key of a table"))
}

async fn rows(
    connection: &mut PgConnection,
    table: &Table,
    plan: &TablePlan,
    key: &[String],
    types: &[String],
    max: &Key,
    request: &Request,
) -> Result<Vec<(Key, Vec<Option<Str>>)>, sqlx::Error> {
    let columns: Vec<String> = plan.column_names().map(str::to_owned).collect();
    let place = |from: usize| {
        let marks = types.iter().enumerate().map(|(index, ty)| format!("${}::text::{ty}", from + index));
        marks.collect::<Vec<_>>().join(", ")
    };
    let mut query = format!(
        "DECLARE lavka_chunk NO SCROLL CURSOR FOR SELECT {} FROM {} WHERE ({}) <= ({})",
        list(&columns, ""),
        qualified(&table.id),
        list(key, ""),
        place(1)
    );
    if request.last.is_some() {
        let _ = write!(query, " AND ({}) > ({})", list(key, ""), place(key.len() + 1));
    }
    let _ = write!(query, "{} ORDER BY {} LIMIT {}", and_condition(request), list(key, ""), request.size);
    sqlx::raw_sql("BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY")
        .execute(&mut *connection)
        .await?;
    let mut declare = sqlx::query(AssertSqlSafe(query));
    for text in max.iter().chain(request.last.iter().flatten()) {
        declare = declare.bind(text.as_ref().map(|text| text.as_str().to_owned()));
    }
    declare.execute(&mut *connection).await?;
    // By the simple protocol, which sends values as text.
    let fetched = sqlx::raw_sql("FETCH ALL FROM lavka_chunk").fetch_all(&mut *connection).await?;
    sqlx::raw_sql("COMMIT").execute(connection).await?;
    fetched
        .iter()
        .map(|row| {
            let values = texts(row)?;
            let key = key
                .iter()
                .map(|name| {
                    let at = columns.iter().position(|column| column == name);
                    at.and_then(|at| values.get(at)).cloned().flatten()
                })
                .collect();
            Ok((key, values))
        })
        .collect()
}

impl Markers {
    /// Writes the row that opens or closes the window.
    async fn write(&self, connection: &mut PgConnection, open: bool) -> Result<()> {
        let table = qualified(&self.table);
        let doing = || format!("writing to the signal table {}", self.table);
        let failed = |error: sqlx::Error| {
            let error = named(&error, &doing());
            if error.is_retriable() {
                return error;
            }
            Error::fatal(format!(
                "{error} The user needs INSERT and DELETE on it: GRANT INSERT, DELETE ON {table} TO … It has the columns id, \
                 type and data."
            ))
        };
        let (id, ty, key) = match open {
            true => ("-open", "snapshot-window-open", "openWindowTimestamp"),
            false => ("-close", "snapshot-window-close", "closeWindowTimestamp"),
        };
        if !open && self.strategy == WatermarkStrategy::InsertDelete {
            // The signal table's first column is the id, whatever it is called.
            let column = sqlx::query(
                "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT \
                 attisdropped ORDER BY attnum LIMIT 1",
            )
            .bind(&table)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
            let column: String = column.try_get(0).map_err(failed)?;
            let statement = format!("DELETE FROM {table} WHERE {} = $1", identifier(&column));
            sqlx::query(AssertSqlSafe(statement))
                .bind(format!("{}-open", self.window))
                .execute(connection)
                .await
                .map_err(failed)?;
            return Ok(());
        }
        let data = match open {
            true => format!("{{\"{key}\": \"{}\"}}", self.now),
            false => format!("{{\"openWindowTimestamp\": \"{0}\", \"{key}\": \"{0}\"}}", self.now),
        };
        sqlx::query(AssertSqlSafe(format!("INSERT INTO {table} VALUES ($1, $2, $3)")))
            .bind(format!("{}{id}", self.window))
            .bind(ty)
            .bind(data)
            .execute(connection)
            .await
            .map_err(failed)?;
        Ok(())
    }
}
