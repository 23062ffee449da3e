//! MySQL and MariaDB: statements with many rows. (sqlx has no `LOAD DATA LOCAL`.)
//!
//! The session's zone is UTC, so that `TIMESTAMP` columns hold instants, and its mode is strict, as with the Java drivers:
//! what does not fit is an error and not cut.

mod decode;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::config::Password;
use sqlx::error::DatabaseError;
use sqlx::mysql::{
    MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow, MySqlSslMode,
};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, MySql, Row as _};
use tokio::sync::mpsc;

pub(super) use self::decode::kind_of_bytes;
use self::decode::{cells, kind_of};
use super::answer::Reading;
use super::failure::{Failure, FailureKind, WriteFailure};
use super::{Action, Chunk, Rows, Session, Target, multirow};
use crate::data::{
    Cell, DAY_MICROS, WallClock, date_text, datetime_text, decimal_text, parse_zoned_time, time_text,
};
use crate::settings::Connection;
use crate::table::{Column, ColumnKind, ColumnType, Table, TableId, TableKind};

/// Parameters of a statement at most.
const MAX_PARAMETERS: usize = 65_535;

const COLUMNS: &str = "SELECT CAST(t.table_schema AS CHAR), CAST(t.table_name AS CHAR), CAST(t.table_type AS CHAR), \
     CAST(c.column_name AS CHAR), CAST(c.data_type AS CHAR), CAST(c.column_type AS CHAR), c.is_nullable = 'YES', \
     c.column_default IS NOT NULL OR c.extra LIKE '%auto_increment%', c.column_key = 'PRI', \
     c.extra LIKE '%auto_increment%', CAST(c.numeric_precision AS SIGNED), CAST(c.numeric_scale AS SIGNED) \
     FROM information_schema.tables t JOIN information_schema.columns c \
     ON c.table_schema = t.table_schema AND c.table_name = t.table_name \
     WHERE t.table_schema = COALESCE(?, DATABASE()) AND t.table_name = ? \
     AND c.extra NOT LIKE '%GENERATED' ORDER BY c.ordinal_position";

const TABLES: &str = "SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), CAST(table_type AS CHAR) \
     FROM information_schema.tables WHERE table_schema = COALESCE(DATABASE(), table_schema) \
     AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY 1, 2";

/// Opens a session with a host.
pub(super) async fn open(
    connection: &Connection,
    host: &str,
    port: u16,
) -> Result<Box<dyn Session>, Failure> {
    let connection = options(connection, host, port)?.connect().await.map_err(failed)?;
    let mut session = MySqlSession { connection, packet: 0 };
    session.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')").await?;
    let row = sqlx::raw_sql("SELECT CAST(@@max_allowed_packet AS SIGNED)");
    let row = row.fetch_one(&mut session.connection).await.map_err(failed)?;
    let packet: i64 = row.try_get(0).map_err(failed)?;
    session.packet = usize::try_from(packet).unwrap_or(1 << 20);
    Ok(Box::new(session))
}

fn options(connection: &Connection, host: &str, port: u16) -> Result<MySqlConnectOptions, Failure> {
    let url = &connection.url;
    let on = |name: &str| {
        url.property(name).is_some_and(|value| value.is_empty() || value.eq_ignore_ascii_case("true"))
    };
    let off = |name: &str| url.property(name).is_some_and(|value| value.eq_ignore_ascii_case("false"));
    let mode = match url.property("sslMode").map(str::to_ascii_lowercase).as_deref() {
        Some("disabled" | "disable") => MySqlSslMode::Disabled,
        Some("preferred") => MySqlSslMode::Preferred,
        Some("required" | "trust") => MySqlSslMode::Required,
        Some("verify_ca" | "verify-ca") => MySqlSslMode::VerifyCa,
        Some("verify_identity" | "verify-full") => MySqlSslMode::VerifyIdentity,
        Some(other) => {
            return Err(Failure::new(
                FailureKind::Config,
                format!(
                    "sslMode in connection.url is {other}; use DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY"
                ),
            ));
        }
        None if off("useSSL") => MySqlSslMode::Disabled,
        None if on("verifyServerCertificate") => MySqlSslMode::VerifyCa,
        None if on("requireSSL") || on("useSSL") => MySqlSslMode::Required,
        None => MySqlSslMode::Preferred,
    };
    let user = connection.user.as_deref().or(url.property("user"));
    let mut options = MySqlConnectOptions::new()
        .host(host)
        .port(port)
        .username(user.unwrap_or("root"))
        .ssl_mode(mode)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone("+00:00".to_owned())
        .statement_cache_capacity(32)
        .disable_statement_logging();
    if let Some(database) = &url.database {
        options = options.database(database);
    }
    if let Some(password) = connection.password.as_ref().map(Password::reveal).or(url.property("password")) {
        options = options.password(password);
    }
    if let Some(file) = url.property("serverSslCert") {
        options = options.ssl_ca(file);
    }
    Ok(options)
}

struct MySqlSession {
    connection: MySqlConnection,
    /// The longest message that the server takes, in bytes.
    packet: usize,
}

/// A failure of the server or the client, classified.
fn failed(error: sqlx::Error) -> Failure {
    Failure::of(error, said)
}

fn said(database: &dyn DatabaseError) -> Failure {
    let Some(server) = database.try_downcast_ref::<MySqlDatabaseError>() else {
        return Failure::new(FailureKind::Other, database.to_string());
    };
    let (number, state) = (server.number(), server.code().unwrap_or_default());
    let mut text = match number {
        // What the server says of a duplicate has the row's values in it; the key's name is enough.
        1062 | 1586 => match server.message().rsplit_once(" for key ") {
            Some((_, key)) => format!("Duplicate entry for key {key}"),
            None => "Duplicate entry".to_owned(),
        },
        _ => server.message().to_owned(),
    };
    if let Some(remedy) = remedy(number) {
        text.push_str(". ");
        text.push_str(remedy);
    }
    Failure::new(kind(number, state), format!("{text} (error {number}, SQLSTATE {state})"))
}

pub(super) fn kind(number: u16, state: &str) -> FailureKind {
    match number {
        // Deadlock, lock waits, read-only, full, too many connections, interrupted.
        1213 | 1205 | 1290 | 1836 | 1792 | 1114 | 1021 | 1030 | 1040 | 1203 | 1317 | 1969 | 3024 => {
            FailureKind::Again
        }
        1053 | 1077 | 1152 | 1158..=1161 | 1927 | 2006 | 2013 => FailureKind::Lost,
        1146 | 1054 => FailureKind::Changed,
        1050 | 1060 => FailureKind::Exists,
        1044 | 1045 | 1049 | 1142 | 1143 | 1227 | 1698 => FailureKind::Config,
        // The message is too long, or a value is for its column.
        1153 | 1366 | 1406 | 1264 | 1265 | 1292 | 1411 | 1525 | 1690 | 3819 | 4025 => FailureKind::Row,
        // Raised by a trigger.
        1644 => FailureKind::Row,
        _ => match state.get(..2).unwrap_or_default() {
            "08" => FailureKind::Lost,
            "40" => FailureKind::Again,
            "22" | "23" => FailureKind::Row,
            "28" => FailureKind::Config,
            _ => FailureKind::Other,
        },
    }
}

/// What to do about a failure, where it can be told.
pub(super) fn remedy(number: u16) -> Option<&'static str> {
    Some(match number {
        1045 | 1698 => "Check the user and the password of the connection",
        1044 | 1142 | 1143 | 1227 => {
            "Give the user the right: GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER ON db.*"
        }
        1049 => "Check the database in connection.url",
        1114 | 1021 => "The server's disk is full",
        1153 => "Raise max_allowed_packet",
        1290 | 1836 => "The server only reads: check that connection.url leads to the primary",
        _ => return None,
    })
}

type Bound<'q> = Query<'q, MySql, MySqlArguments>;

/// Binds a cell for a column of this kind.
fn bind<'q>(
    query: Bound<'q>,
    kind: &ColumnKind,
    cell: &'q Cell<'_>,
    clock: &WallClock,
) -> Result<Bound<'q>, String> {
    let moment = |local: i64| {
        let text = datetime_text(local);
        // The years that MySQL has.
        if text.len() < 19 || text.ends_with("BC") || text.as_bytes().get(4) != Some(&b'-') {
            return Err(format!("{text}, which is out of the range of dates"));
        }
        Ok(text)
    };
    Ok(match cell {
        Cell::Null => query.bind(None::<i8>),
        Cell::Bool(value) => query.bind(i8::from(*value)),
        Cell::Int(value) => query.bind(*value),
        Cell::UInt(value) => query.bind(*value),
        Cell::Float32(value) if value.is_finite() => query.bind(*value),
        Cell::Float64(value) if value.is_finite() => query.bind(*value),
        Cell::Float32(_) | Cell::Float64(_) => {
            return Err("NaN or an infinity, which MySQL has not".to_owned());
        }
        Cell::Text(text) if *kind == ColumnKind::Bits => {
            query.bind(bits(text).ok_or("a text that is no row of bits")?)
        }
        Cell::Text(text) if *kind == ColumnKind::Time => query.bind(wall_time(text, clock)),
        Cell::Text(text) => query.bind(&**text),
        Cell::Duration(micros) => query.bind(*micros),
        Cell::Forever { negative } if *kind == ColumnKind::TimestampTz => query.bind(end_of_time(*negative)),
        Cell::Forever { .. } => return Err("an infinity, which MySQL has not".to_owned()),
        Cell::Geometry(geometry) if *kind == ColumnKind::Geometry => query.bind(geometry.of_mysql()),
        Cell::Geometry(geometry) => query.bind(geometry.wkb().to_vec()),
        Cell::Bytes(bytes) => query.bind(&**bytes),
        Cell::Decimal(value) => query.bind(decimal_text(value).ok_or("a number with too many digits")?),
        Cell::Date(days) => {
            moment(i64::from(*days).saturating_mul(DAY_MICROS))?;
            query.bind(date_text((*days).into()))
        }
        Cell::Time(micros) => query.bind(time_text(*micros)),
        Cell::Local(local) if *kind == ColumnKind::TimestampTz => query.bind(moment(clock.instant(*local))?),
        Cell::Local(local) => query.bind(moment(*local)?),
        Cell::Instant(instant) if *kind == ColumnKind::TimestampTz => query.bind(moment(*instant)?),
        Cell::Instant(instant) => query.bind(moment(clock.local(*instant))?),
        Cell::Array(_) => return Err("an array".to_owned()),
    })
}

/// What a `TIME` column takes of a text: a time with an offset becomes that of `clock`.
pub(super) fn wall_time<'t>(text: &'t str, clock: &WallClock) -> Cow<'t, str> {
    parse_zoned_time(text).map_or(Cow::Borrowed(text), |utc| Cow::Owned(time_text(clock.time(utc))))
}

/// The ends of a `TIMESTAMP` column, which stand for the infinities, as in Debezium's sink.
pub(super) fn end_of_time(negative: bool) -> &'static str {
    if negative { "1970-01-01 00:00:01" } else { "2038-01-19 03:14:07" }
}

/// The bytes of digits of bits, the last of which is the least significant.
pub(super) fn bits(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.is_empty() || !digits.iter().all(|digit| matches!(digit, b'0' | b'1')) {
        return None;
    }
    let byte = |eight: &[u8]| eight.iter().fold(0, |byte, digit| byte << 1 | (digit - b'0'));
    let mut bytes: Vec<u8> = digits.rchunks(8).map(byte).collect();
    bytes.reverse();
    Some(bytes)
}

#[async_trait]
impl Session for MySqlSession {
    async fn describe(&mut self, id: &TableId, _written: &str) -> Result<Option<Table>, Failure> {
        let query = sqlx::query(COLUMNS).bind(id.schema()).bind(id.table());
        let rows = query.fetch_all(&mut self.connection).await.map_err(failed)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let (schema, name): (String, String) =
            (first.try_get(0).map_err(failed)?, first.try_get(1).map_err(failed)?);
        let ty: String = first.try_get(2).map_err(failed)?;
        let columns = rows.iter().map(column).collect::<Result<_, sqlx::Error>>().map_err(failed)?;
        Ok(Some(Table {
            id: TableId::of(Some(&schema), &name),
            kind: table_kind(&ty),
            columns,
            selection: None,
        }))
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, Failure> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.map_err(failed)?;
        Ok(done.rows_affected())
    }

    async fn run(&mut self, sql: &str, values: &[Cell<'_>]) -> Result<u64, Failure> {
        let query = bound(sql, values)?;
        Ok(query.execute(&mut self.connection).await.map_err(failed)?.rows_affected())
    }

    async fn stream(
        &mut self,
        sql: &str,
        values: &[Cell<'_>],
        chunk: usize,
        answer: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure> {
        let query = bound(sql, values)?.persistent(false);
        let reading = Reading { heads: decode::heads, cells, failed };
        reading.send(self.connection.fetch(query), chunk, answer).await
    }

    async fn tables(&mut self) -> Result<Vec<(TableId, TableKind)>, Failure> {
        let rows = sqlx::raw_sql(TABLES).fetch_all(&mut self.connection).await.map_err(failed)?;
        rows.iter()
            .map(|row| {
                let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let ty: String = row.try_get(2)?;
                Ok((TableId::of(Some(&schema), &name), table_kind(&ty)))
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
        let per_statement = multirow::rows_per_statement(rows.action, width, MAX_PARAMETERS, usize::MAX);
        // Half of what the server takes, since the sizes are estimates.
        let budget = (self.packet / 2).clamp(1024, 32 * 1024 * 1024);
        let mut rest = rows.cells;
        let mut done = 0;
        while !rest.is_empty() {
            let mut bytes = 0_usize;
            let fitting = rest.chunks(width).take(per_statement).take_while(|row| {
                let first = bytes == 0;
                bytes = bytes.saturating_add(row.iter().map(Cell::size).sum());
                first || bytes <= budget
            });
            let count = fitting.count().max(1);
            let (part, tail) = rest.split_at((count * width).min(rest.len()));
            rest = tail;
            let sql = multirow::statement(&target.statements, target, rows.action, &names, count);
            let persistent = multirow::persistent(target.statements.dialect, count, per_statement);
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(persistent);
            let mut refused = Vec::new();
            for (row, cells) in part.chunks(width).enumerate() {
                for place in &order {
                    let (Some(cell), Some(column)) = (cells.get(*place), target.columns.get(*place)) else {
                        continue;
                    };
                    match bind(query, &column.ty.kind, cell, &target.clock) {
                        Ok(bound) => query = bound,
                        Err(why) => {
                            refused.push((done + row, format!("column {} cannot hold {why}", column.name)));
                            return Err(WriteFailure::Rows(refused));
                        }
                    }
                }
            }
            query.execute(&mut self.connection).await.map_err(failed)?;
            done += count;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), Failure> {
        self.execute("START TRANSACTION").await.map(drop)
    }

    async fn close(self: Box<Self>) {
        let _ = self.connection.close().await;
    }
}

fn bound<'q>(sql: &str, values: &'q [Cell<'_>]) -> Result<Bound<'q>, Failure> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for value in values {
        query = bind(query, &ColumnKind::Other, value, &WallClock::utc())
            .map_err(|why| Failure::new(FailureKind::Row, why))?;
    }
    Ok(query)
}

fn table_kind(ty: &str) -> TableKind {
    if ty.contains("VIEW") { TableKind::View } else { TableKind::Table }
}

fn column(row: &MySqlRow) -> Result<Column, sqlx::Error> {
    let (data_type, column_type): (String, String) = (row.try_get(4)?, row.try_get(5)?);
    let flag = |at: usize| row.try_get_unchecked::<i64, _>(at).map(|flag| flag != 0);
    let kind =
        kind_of(&data_type.to_ascii_lowercase(), column_type.to_ascii_lowercase().contains("unsigned"));
    let number = |at: usize| row.try_get_unchecked::<Option<i64>, _>(at);
    let digits = match (number(10)?, number(11)?) {
        (Some(precision), Some(scale)) if kind == ColumnKind::Numeric => {
            Some((i32::try_from(precision).unwrap_or(65), i32::try_from(scale).unwrap_or(0)))
        }
        _ => None,
    };
    Ok(Column {
        name: row.try_get(3)?,
        ty: ColumnType { name: column_type, kind, oid: 0, digits },
        nullable: flag(6)?,
        has_default: flag(7)?,
        primary_key: flag(8)?,
        autoincrement: flag(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_become_bits() {
        for (text, bytes) in [("1", Some(vec![1])), ("100000001", Some(vec![1, 1])), ("", None), ("2", None)]
        {
            assert_eq!(bits(text), bytes, "{text}");
        }
    }

    #[test]
    fn numbers_say_what_to_do() {
        for (number, state, expected) in [
            (1213, "40001", FailureKind::Again),
            (1205, "HY000", FailureKind::Again),
            (1062, "23000", FailureKind::Row),
            (1264, "22003", FailureKind::Row),
            (1366, "HY000", FailureKind::Row),
            (1153, "08S01", FailureKind::Row),
            (1146, "42S02", FailureKind::Changed),
            (1054, "42S22", FailureKind::Changed),
            (1050, "42S01", FailureKind::Exists),
            (1045, "28000", FailureKind::Config),
            (2013, "HY000", FailureKind::Lost),
            (1064, "42000", FailureKind::Other),
        ] {
            assert_eq!(kind(number, state), expected, "{number}");
        }
    }
}
