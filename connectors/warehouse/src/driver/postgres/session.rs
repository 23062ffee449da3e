//! A session with PostgreSQL.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, Row as _, ValueRef as _,
};
use tokio::sync::mpsc;

use super::super::answer::Reading;
use super::super::failure::{Failure, FailureKind, WriteFailure};
use super::super::multirow;
use super::super::{Action, Chunk, Head, Heads, RowStream, Rows, Session, Target};
use super::catalog;
use super::copy::{Data, Form, NoData, no_data};
use super::decode;
use super::failure::failed;
use super::statement::{add, add_value, numbered};
use super::stream::{Copying, abort};
use crate::data::Cell;
use crate::dialect::Dialect;
use crate::settings::Connection;
use crate::table::{ColumnType, Table, TableId, TableKind};

/// Temporary tables that a session keeps beyond those of the batch at hand; more means that schemas change all the time.
const MAX_STAGES: usize = 64;
/// Parameters of a statement at most: the protocol counts them with 16 bits.
const MAX_PARAMETERS: usize = 65_535;
/// Bytes of a `COPY` that are sent at once.
pub(super) const PIECE: usize = 128 * 1024;
/// What is kept of their buffer, which one large row may blow up.
pub(super) const KEEP_PIECE: usize = 1024 * 1024;

/// Opens a session with a host.
pub(in super::super) async fn open(
    connection: &Connection,
    host: &str,
    port: u16,
) -> Result<Box<dyn Session>, Failure> {
    let mut opened = options(connection, host, port)?.connect().await.map_err(failed)?;
    let multirow = connection.url.dialect == Dialect::Redshift || !has_copy(&mut opened).await?;
    Ok(Box::new(PostgresSession {
        connection: opened,
        dialect: connection.url.dialect,
        multirow,
        stages: HashMap::new(),
        wanted: HashSet::new(),
        next_stage: 0,
        filled: HashSet::new(),
        confirmed: HashSet::new(),
        text_only: HashSet::new(),
        piece: Vec::new(),
    }))
}

/// Whether the server has PostgreSQL's `COPY FROM STDIN` and temporary tables: CockroachDB does not quite.
async fn has_copy(connection: &mut PgConnection) -> Result<bool, Failure> {
    let row = sqlx::raw_sql("SELECT version()").fetch_one(connection).await.map_err(failed)?;
    let version: String = row.try_get(0).map_err(failed)?;
    Ok(!version.contains("CockroachDB") && !version.contains("Redshift"))
}

fn options(connection: &Connection, host: &str, port: u16) -> Result<PgConnectOptions, Failure> {
    let url = &connection.url;
    let ssl = url.property("ssl").is_some_and(|ssl| ssl.is_empty() || ssl.eq_ignore_ascii_case("true"));
    let mode = match url.property("sslmode").map(str::to_ascii_lowercase).as_deref() {
        Some("disable") => PgSslMode::Disable,
        Some("allow") => PgSslMode::Allow,
        Some("prefer") => PgSslMode::Prefer,
        Some("require") => PgSslMode::Require,
        Some("verify-ca") => PgSslMode::VerifyCa,
        Some("verify-full") => PgSslMode::VerifyFull,
        Some(other) => {
            return Err(Failure::new(
                FailureKind::Config,
                format!(
                    "sslmode in connection.url is {other}; use disable, allow, prefer, require, verify-ca or verify-full"
                ),
            ));
        }
        None if ssl => PgSslMode::VerifyFull,
        None => PgSslMode::Prefer,
    };
    let user = connection.user.as_deref().or(url.property("user"));
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(host)
        .port(port)
        .username(user.unwrap_or("postgres"))
        .application_name(url.property("ApplicationName").unwrap_or("Lavka warehouse connector"))
        .ssl_mode(mode)
        .statement_cache_capacity(64)
        .disable_statement_logging();
    if let Some(database) = url.database.as_deref().or(user) {
        options = options.database(database);
    }
    let given = connection.password.as_ref().map(lavka_api::config::Password::reveal);
    if let Some(password) = given.or(url.property("password")) {
        options = options.password(password);
    }
    if let Some(file) = url.property("sslrootcert") {
        options = options.ssl_root_cert(file);
    }
    if let Some(file) = url.property("sslcert") {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = url.property("sslkey") {
        options = options.ssl_client_key(file);
    }
    if url.dialect == Dialect::Postgres {
        // Literals of defaults rely on it.
        options = options.options([("standard_conforming_strings", "on")]);
        if let Some(path) = url.property("currentSchema") {
            options = options.options([("search_path", path)]);
        }
    }
    Ok(options)
}

struct PostgresSession {
    connection: PgConnection,
    dialect: Dialect,
    /// Rows are bound to statements instead of copied.
    multirow: bool,
    /// Temporary tables by target, and whether they have all columns or those of the key alone.
    stages: HashMap<(u64, bool), String>,
    /// Those that were made ready since the last transaction began: the next one writes to them.
    wanted: HashSet<(u64, bool)>,
    next_stage: u64,
    /// Those that rows were copied into since the transaction began.
    filled: HashSet<String>,
    /// Targets that rows were copied into since then and whose columns are as they were described.
    confirmed: HashSet<u64>,
    /// Targets of which a value had no binary form.
    text_only: HashSet<u64>,
    piece: Vec<u8>,
}

impl PostgresSession {
    /// Copies rows into a table. Those that have no form are found before the server hears of any, or the transaction is
    /// of no use any more.
    async fn copy(&mut self, into: &str, rows: Rows<'_, '_>) -> Result<(), WriteFailure> {
        let mut piece = std::mem::take(&mut self.piece);
        let outcome = self.copy_pieces(into, rows, &mut piece).await;
        piece.clear();
        piece.shrink_to(KEEP_PIECE);
        self.piece = piece;
        outcome
    }

    async fn copy_pieces(
        &mut self,
        into: &str,
        rows: Rows<'_, '_>,
        piece: &mut Vec<u8>,
    ) -> Result<(), WriteFailure> {
        let target = rows.target;
        let mut form = if self.text_only.contains(&target.id) { Form::Text } else { Form::Binary };
        let mut data = Data::new(rows, form);
        let mut first = data.piece(PIECE, piece);
        if let Err(NoData::Text) = first {
            self.text_only.insert(target.id);
            form = Form::Text;
            data = Data::new(rows, form);
            first = data.piece(PIECE, piece);
        }
        let mut last = first.map_err(no_data)?;
        let statement = form.statement(target, into, rows.width());
        let mut copy = self.connection.copy_in_raw(&statement).await.map_err(failed)?;
        loop {
            copy.send(piece.as_slice()).await.map_err(failed)?;
            if last {
                copy.finish().await.map_err(failed)?;
                return Ok(());
            }
            last = match data.piece(PIECE, piece) {
                Ok(last) => last,
                Err(none) => {
                    abort(copy).await?;
                    if matches!(none, NoData::Text) {
                        self.text_only.insert(target.id);
                    }
                    return Err(no_data(none));
                }
            };
        }
    }

    /// Rows bound to statements, as many a statement as the protocol allows.
    async fn bind(&mut self, rows: Rows<'_, '_>) -> Result<(), WriteFailure> {
        let target = rows.target;
        let width = rows.width();
        let names = target.names(width);
        let per_statement = multirow::rows_per_statement(rows.action, width, MAX_PARAMETERS, usize::MAX);
        for (at, part) in rows.cells.chunks(per_statement.saturating_mul(width).max(width)).enumerate() {
            let count = part.len() / width;
            let sql = multirow::statement(&target.statements, target, rows.action, &names, count);
            let mut arguments = PgArguments::default();
            let order = multirow::order(rows.action, width, target.keys);
            let mut refused = Vec::new();
            for (row, cells) in part.chunks(width).enumerate() {
                for place in &order {
                    let (Some(cell), Some(column)) = (cells.get(*place), target.columns.get(*place)) else {
                        continue;
                    };
                    let (kind, oid) = (&column.ty.kind, column.ty.oid);
                    if let Err(why) = add(&mut arguments, kind, oid, cell, &target.clock) {
                        refused.push((
                            at * per_statement + row,
                            format!("column {} cannot hold {why}", column.name),
                        ));
                        break;
                    }
                }
            }
            if !refused.is_empty() {
                return Err(WriteFailure::Rows(refused));
            }
            let query = sqlx::query_with::<sqlx::Postgres, _>(AssertSqlSafe(numbered(&sql)), arguments);
            query.execute(&mut self.connection).await.map_err(failed)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Session for PostgresSession {
    async fn describe(&mut self, id: &TableId, written: &str) -> Result<Option<Table>, Failure> {
        if self.dialect == Dialect::Redshift {
            return catalog::describe_standard(&mut self.connection, id).await;
        }
        catalog::describe(&mut self.connection, written).await
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, Failure> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.map_err(failed)?;
        Ok(done.rows_affected())
    }

    async fn run(&mut self, sql: &str, values: &[Cell<'_>]) -> Result<u64, Failure> {
        let arguments = arguments(values)?;
        let query = sqlx::query_with::<sqlx::Postgres, _>(AssertSqlSafe(numbered(sql)), arguments);
        Ok(query.execute(&mut self.connection).await.map_err(failed)?.rows_affected())
    }

    async fn stream(
        &mut self,
        sql: &str,
        values: &[Cell<'_>],
        chunk: usize,
        answer: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure> {
        let arguments = arguments(values)?;
        // A query of the user's without values may have question marks of its own: operators of jsonb.
        let sql = if values.is_empty() { sql.to_owned() } else { numbered(sql) };
        let query = sqlx::query_with::<sqlx::Postgres, _>(AssertSqlSafe(sql), arguments).persistent(false);
        let reading = Reading { heads, cells, failed };
        reading.send(self.connection.fetch(query), chunk, answer).await
    }

    async fn tables(&mut self) -> Result<Vec<(TableId, TableKind)>, Failure> {
        catalog::tables(&mut self.connection).await
    }

    async fn prepare(&mut self, target: &Arc<Target>, action: Action) -> Result<(), Failure> {
        let keys_only = action == Action::Delete;
        if self.multirow || copies(target, action) {
            return Ok(());
        }
        self.wanted.insert((target.id, keys_only));
        if self.stages.contains_key(&(target.id, keys_only)) {
            return Ok(());
        }
        if self.stages.len() >= MAX_STAGES {
            let stages = std::mem::take(&mut self.stages);
            let (kept, dropped) = stages.into_iter().partition(|(key, _)| self.wanted.contains(key));
            self.stages = kept;
            let dropped: HashMap<(u64, bool), String> = dropped;
            for stage in dropped.into_values() {
                self.execute(&format!("DROP TABLE IF EXISTS {stage}")).await?;
            }
        }
        self.next_stage += 1;
        let stage = format!("pg_temp.lavka_stage_{}", self.next_stage);
        let statements = &target.statements;
        let names = statements.list(&target.names(target.width(action)));
        let table = statements.table(&target.table);
        // CREATE TABLE AS takes the columns' types, and none of their constraints.
        self.execute(&format!(
            "CREATE TEMPORARY TABLE lavka_stage_{} ON COMMIT DELETE ROWS AS SELECT {names} FROM {table} WITH NO DATA",
            self.next_stage
        ))
        .await?;
        self.stages.insert((target.id, keys_only), stage.clone());
        catalog::confirm(&mut self.connection, &stage, &target.columns).await
    }

    async fn write(&mut self, rows: Rows<'_, '_>) -> Result<(), WriteFailure> {
        if self.multirow {
            return self.bind(rows).await;
        }
        let target = rows.target;
        let statements = &target.statements;
        if copies(target, rows.action) {
            let table = statements.table(&target.table);
            self.copy(&table, rows).await?;
            return Ok(self.confirm(target).await?);
        }
        let Some(stage) = self.stages.get(&(target.id, rows.action == Action::Delete)).cloned() else {
            return Err(Failure::new(FailureKind::Changed, "there is no table to copy into").into());
        };
        // The end of a transaction empties it by itself.
        if !self.filled.insert(stage.clone()) {
            self.execute(&format!("TRUNCATE {stage}")).await?;
        }
        self.copy(&stage, rows).await?;
        let names = target.names(rows.width());
        let apply = match rows.action {
            Action::Upsert => format!(
                "{}SELECT {} FROM {stage}{}",
                statements.insert_head(&target.table, &names),
                statements.list(&names),
                statements.upsert_tail(&names, target.keys)
            ),
            Action::Update => statements.update_from(&target.table, &stage, &names, target.keys),
            Action::Insert => format!(
                "{}SELECT {} FROM {stage}",
                statements.insert_head(&target.table, &names),
                statements.list(&names)
            ),
            Action::Delete => statements.delete_using(&target.table, &stage, &names),
        };
        self.execute(&apply).await?;
        Ok(())
    }

    fn has_streams(&self) -> bool {
        !self.multirow
    }

    async fn open_stream<'s>(
        &'s mut self,
        target: &Arc<Target>,
    ) -> Result<Option<Box<dyn RowStream + 's>>, Failure> {
        if self.multirow {
            return Ok(None);
        }
        let Self { connection, piece, text_only, .. } = self;
        let copying = Copying::open(connection, target, piece, text_only).await?;
        Ok(Some(Box::new(copying)))
    }

    async fn confirm(&mut self, target: &Arc<Target>) -> Result<(), Failure> {
        // The copy has locked the table, so that its columns stay as they are until the transaction ends. One of another
        // type but the same size would have taken the bytes of the rows for something else.
        if self.confirmed.insert(target.id) {
            let table = target.statements.table(&target.table);
            catalog::confirm(&mut self.connection, &table, &target.columns).await?;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), Failure> {
        self.filled.clear();
        self.confirmed.clear();
        self.wanted.clear();
        self.execute("BEGIN").await.map(drop)
    }

    async fn check_at_once(&mut self) -> Result<(), Failure> {
        self.execute("SET CONSTRAINTS ALL IMMEDIATE").await.map(drop)
    }

    async fn close(self: Box<Self>) {
        let _ = self.connection.close().await;
    }
}

/// Whether rows are copied right into the target.
fn copies(target: &Target, action: Action) -> bool {
    action == Action::Insert && !target.view
}

fn arguments(values: &[Cell<'_>]) -> Result<PgArguments, Failure> {
    let mut arguments = PgArguments::default();
    for value in values {
        add_value(&mut arguments, value).map_err(|why| Failure::new(FailureKind::Row, why))?;
    }
    Ok(arguments)
}

fn heads(row: &PgRow) -> Heads {
    row.columns()
        .iter()
        .map(|column| {
            let info = column.type_info();
            let oid = info.oid().map_or(0, |oid| oid.0);
            let name = info.to_string().to_lowercase();
            let kind = match catalog::array_kind_of(oid) {
                Some(array) => array,
                None if matches!(info.kind(), sqlx::postgres::PgTypeKind::Enum(_)) => {
                    crate::table::ColumnKind::Text
                }
                None => catalog::kind_of(oid),
            };
            Head {
                name: column.name().to_owned(),
                ty: ColumnType { name, kind, oid, digits: None },
                nullable: None,
            }
        })
        .collect()
}

fn cells(row: &PgRow, heads: &[Head]) -> Result<Vec<Cell<'static>>, Failure> {
    heads
        .iter()
        .enumerate()
        .map(|(at, head)| {
            let value = row.try_get_raw(at).map_err(failed)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let bytes =
                value.as_bytes().map_err(|error| Failure::new(FailureKind::Other, error.to_string()))?;
            decode::cell(&head.ty.kind, bytes)
                .map_err(|why| Failure::new(FailureKind::Other, format!("column {}: {why}", head.name)))
        })
        .collect()
}
