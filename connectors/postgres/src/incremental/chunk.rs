//! Reading a chunk, between two rows of the signal table or two places in the log.

use std::sync::{Arc, OnceLock};

use lavka_api::data::Str;
use lavka_api::{Error, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::java_key::KeyType;
use super::paging::{KeyColumn, Paging};
use super::signal::Collection;
use super::state::Key;
use super::visibility::{reached, see};
use crate::catalog::describe;
use crate::config::WatermarkStrategy;
use crate::database::{Server, identifier, named, qualified, texts};
use crate::event::{Recorder, TablePlan};
use crate::model::{Table, TableId, TypeCatalog};
use crate::pgoutput::Lsn;

/// The names of the columns by which a changed row is told, known from when the window is opened.
pub(crate) type KeyNames = Arc<OnceLock<Vec<String>>>;

/// The version from which on a query can end with all rows that are the same as its last.
const WITH_TIES: i32 = 130_000;
/// How many rows a chunk may have in addition, since they are the same as its last.
const MOST_TIES: usize = 100_000;
/// The largest number that the server takes.
const MOST_FETCHED: usize = i32::MAX as usize;

/// What is to be read.
pub(crate) struct Request {
    pub(crate) server: Server,
    pub(crate) version: i32,
    pub(crate) comments: bool,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) types: TypeCatalog,
    /// Transactions that have come by: what is read must not be older.
    pub(crate) passed: Vec<u32>,
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
    /// What readers see: it begins where they see what has come by.
    Places,
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
    /// Each with what tells that it has changed, in the order of the columns that the table is paged by.
    pub(crate) rows: Vec<(Key, Vec<Option<Str>>)>,
    /// How far that is in these columns; `None` where there are no rows.
    pub(crate) last: Option<Key>,
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
    let told_by = match &table {
        Some(table) => told_by(&mut connection, table).await?,
        None => Vec::new(),
    };
    // Known before anything of the window can come by in the stream.
    if *request.key_names.get_or_init(|| told_by.clone()) != told_by {
        return Err(Error::retriable(format!("{doing}: its key has changed")));
    }
    see(&mut connection, &request.passed).await?;
    if let Bounds::Rows(markers) = &request.bounds {
        markers.write(&mut connection, true).await?;
    }
    let mut chunk = match &table {
        None => {
            tracing::warn!(
                "{} is not captured, has no key, or is gone: an incremental snapshot leaves it out",
                request.table.id
            );
            Chunk {
                plan: None,
                rows: Vec::new(),
                last: None,
                max: None,
                types: Vec::new(),
                finished: true,
                until: None,
            }
        }
        Some(table) => {
            let plan = request.recorder.plan(table, &request.types)?;
            let paging = paging(&mut connection, table, &key, &request).await?;
            // Keys of other columns, since altered, are none: the table is begun again.
            let known = |key: &Option<Key>| key.clone().filter(|key| paging.takes(key));
            let (max, last) = (known(&request.max), known(&request.last));
            let (max, last) = match max {
                Some(max) => (Some(max), last),
                None => (largest(&mut connection, table, &paging, &request).await?, None),
            };
            let read = match &max {
                None => Vec::new(),
                Some(max) => {
                    let bounds = (last.as_ref(), max);
                    rows(&mut connection, table, &plan, &paging, bounds, &request).await.map_err(failed)?
                }
            };
            if read.len() > most(request.size) {
                return Err(Error::fatal(format!(
                    "{doing}: more than {} rows are the same in {}, and would have to be held at once. Send the signal with \
                     another surrogate-key, a column in which fewer are the same",
                    most(request.size),
                    key.join(", ")
                )));
            }
            let columns: Vec<&str> = plan.column_names().collect();
            let last = read.last().map(|row| picked(row, &columns, &key));
            let finished = read.len() < usize::try_from(request.size).unwrap_or(usize::MAX) || last == max;
            let types = paging.columns.iter().map(|column| KeyType::named(&column.ty)).collect();
            let rows = read.into_iter().map(|row| (picked(&row, &columns, &told_by), row)).collect();
            Chunk { plan: Some(plan), rows, last, max, types, finished, until: None }
        }
    };
    match &request.bounds {
        Bounds::Rows(markers) => markers.write(&mut connection, false).await?,
        Bounds::Places => chunk.until = Some(reached(&mut connection).await?),
    }
    Ok(chunk)
}

async fn find(connection: &mut PgConnection, request: &Request) -> Result<Option<Table>> {
    let failed = |error: sqlx::Error| named(&error, "looking for a table of an incremental snapshot");
    // Names may have dots themselves: any of them may be the one between.
    let id = &request.table.id;
    let (schemas, names): (Vec<&str>, Vec<&str>) = id
        .match_indices('.')
        .filter_map(|(at, _)| id.get(..at).zip(id.get(at + 1..)))
        .filter(|&(schema, name)| request.recorder.settings().tables.takes(&TableId::new(schema, name)))
        .unzip();
    if schemas.is_empty() {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT c.oid::int8 FROM unnest($1::text[], $2::text[]) AS wanted (schema, name) \
         JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema::name \
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name::name ORDER BY c.oid LIMIT 1",
    )
    .bind(schemas)
    .bind(names)
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

/// The columns by which a change tells its row: those of the replica identity, which the old row of an update or a delete
/// has whatever else it lacks. Where no index is the identity, all columns are, or rows are inserted only.
async fn told_by(connection: &mut PgConnection, table: &Table) -> Result<Vec<String>> {
    let failed = |error: sqlx::Error| named(&error, "reading the replica identity of a table");
    let rows = sqlx::query(
        "SELECT a.attname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index i ON i.indrelid = c.oid \
         AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) \
         WHERE c.oid::int8 = $1 ORDER BY a.attnum",
    )
    .bind(i64::from(table.oid))
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let names = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>().map_err(failed)?;
    if !names.is_empty() {
        return Ok(names);
    }
    // The stream leaves generated columns out.
    let sent = table.columns.iter().filter(|column| !column.generated);
    Ok(sent.map(|column| column.name.to_string()).collect())
}

/// How the table is paged by the columns `key`.
async fn paging(
    connection: &mut PgConnection,
    table: &Table,
    key: &[String],
    request: &Request,
) -> Result<Paging> {
    let failed = |error: sqlx::Error| named(&error, "reading the types of a key");
    let mut columns = Vec::new();
    for name in key {
        let column = table.column(name);
        let row = sqlx::query("SELECT pg_catalog.format_type($1::int8::oid, $2)")
            .bind(i64::from(column.map(|column| column.type_oid).unwrap_or_default()))
            .bind(column.map_or(-1, |column| column.type_modifier))
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        columns.push(KeyColumn {
            name: name.clone(),
            ty: row.try_get(0).map_err(failed)?,
            nullable: column.is_none_or(|column| column.optional),
        });
    }
    // Rows that are the same in all of them stay in one chunk, where the server can do that.
    let distinct = table.key.iter().map(Str::as_str).eq(key.iter().map(String::as_str))
        && !columns.iter().any(|column| column.nullable);
    Ok(Paging { columns, ties: !distinct && request.version >= WITH_TIES })
}

/// The columns `wanted` of a row that has `columns`.
fn picked(row: &[Option<Str>], columns: &[&str], wanted: &[String]) -> Key {
    let value = |name: &String| row.get(columns.iter().position(|column| column == name)?).cloned().flatten();
    wanted.iter().map(value).collect()
}

/// How many rows a chunk may have that is to have so many.
fn most(size: i64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX).saturating_add(MOST_TIES)
}

fn and_condition(request: &Request) -> String {
    // What the user's signal says is run as it is, within one statement (see `declared`).
    request.table.condition.as_ref().map(|condition| format!(" AND {condition}")).unwrap_or_default()
}

/// The largest key of the table, where null is larger than anything else; `None` where it is empty.
async fn largest(
    connection: &mut PgConnection,
    table: &Table,
    paging: &Paging,
    request: &Request,
) -> Result<Option<Key>> {
    let query = format!(
        "SELECT {} FROM {} WHERE true{} ORDER BY {} LIMIT 1",
        paging.list(""),
        qualified(&table.id),
        and_condition(request),
        paging.list(" DESC")
    );
    let rows = declared(connection, query, Vec::new(), 1).await;
    Ok(rows.map_err(|error| named(&error, "looking for the largest key of a table"))?.pop())
}

/// The rows of a chunk, and one too many where there are more than a chunk may have.
async fn rows(
    connection: &mut PgConnection,
    table: &Table,
    plan: &TablePlan,
    paging: &Paging,
    (last, max): (Option<&Key>, &Key),
    request: &Request,
) -> Result<Vec<Vec<Option<Str>>>, sqlx::Error> {
    let mut bound = Vec::new();
    let mut condition = paging.up_to(max, &mut bound);
    if let Some(last) = last {
        condition = format!("{condition} AND {}", paging.above(last, &mut bound));
    }
    let columns = plan.column_names().map(identifier).collect::<Vec<_>>().join(", ");
    let query = format!(
        "SELECT {columns} FROM {} WHERE {condition}{} ORDER BY {} FETCH FIRST {} ROWS {}",
        qualified(&table.id),
        and_condition(request),
        paging.list(""),
        request.size,
        if paging.ties { "WITH TIES" } else { "ONLY" }
    );
    declared(connection, query, bound, most(request.size).saturating_add(1).min(MOST_FETCHED)).await
}

/// Up to `most` rows of `query`, as text. A condition that a signal brings can make no second statement of it: a cursor is
/// declared by the extended protocol, which takes one.
async fn declared(
    connection: &mut PgConnection,
    query: String,
    bound: Vec<String>,
    most: usize,
) -> Result<Vec<Vec<Option<Str>>>, sqlx::Error> {
    sqlx::raw_sql("BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY")
        .execute(&mut *connection)
        .await?;
    let query = format!("DECLARE lavka_chunk NO SCROLL CURSOR FOR {query}");
    let mut declare = sqlx::query(AssertSqlSafe(query));
    for text in bound {
        declare = declare.bind(text);
    }
    declare.execute(&mut *connection).await?;
    // By the simple protocol, which sends values as text.
    let fetch = format!("FETCH {most} FROM lavka_chunk");
    let fetched = sqlx::raw_sql(AssertSqlSafe(fetch)).fetch_all(&mut *connection).await?;
    sqlx::raw_sql("COMMIT").execute(connection).await?;
    fetched.iter().map(texts).collect()
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
