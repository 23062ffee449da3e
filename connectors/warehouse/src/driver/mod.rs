//! Databases behind one port: sessions that describe tables, run statements and write rows.
//!
//! A driver knows how rows get into its database fast; when, in which order and in which transaction they do is decided
//! above it. Values reach a database bound or copied, never in the text of a statement.

mod answer;
mod failure;
mod multirow;
mod mysql;
pub(crate) mod odbc;
mod postgres;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

pub(crate) use failure::{Failure, FailureKind, WriteFailure};

use crate::data::{Cell, WallClock};
use crate::dialect::{Dialect, Statements};
use crate::settings::Connection;
use crate::table::{Column, ColumnType, Table, TableId};

/// What happens with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Insert,
    Upsert,
    Update,
    /// Rows are keys alone.
    Delete,
}

/// Columns of a table that rows are written to.
#[derive(Debug)]
pub(crate) struct Target {
    /// Tells targets apart for as long as the process lives.
    pub(crate) id: u64,
    pub(crate) table: TableId,
    /// Whether it is a view, which takes rows from statements alone.
    pub(crate) view: bool,
    /// Those of the key first.
    pub(crate) columns: Vec<Column>,
    pub(crate) keys: usize,
    pub(crate) clock: WallClock,
    pub(crate) statements: Statements,
}

impl Target {
    /// Names of the first `count` columns.
    pub(crate) fn names(&self, count: usize) -> Vec<&str> {
        self.columns.iter().take(count).map(|column| column.name.as_str()).collect()
    }

    /// How many columns rows of an action have.
    pub(crate) fn width(&self, action: Action) -> usize {
        if action == Action::Delete { self.keys } else { self.columns.len() }
    }
}

/// Rows to be written, all in one go. For an upsert or a delete no two have the same key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'b, 'a> {
    pub(crate) target: &'b Arc<Target>,
    pub(crate) action: Action,
    /// Row after row, each of the target's [`width`](Target::width) for the action.
    pub(crate) cells: &'b [Cell<'a>],
}

impl Rows<'_, '_> {
    pub(crate) fn width(&self) -> usize {
        self.target.width(self.action).max(1)
    }
}

/// The columns of a query's answer.
pub(crate) type Heads = Arc<[Head]>;

/// A column of a query's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) name: String,
    pub(crate) ty: ColumnType,
    /// Where the database tells it.
    pub(crate) nullable: Option<bool>,
}

/// Rows of a query's answer.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) heads: Heads,
    pub(crate) rows: Vec<Vec<Cell<'static>>>,
}

/// A connection to a database. Calls come one at a time. After a failure of kind [`FailureKind::Lost`] it is of no use any
/// more.
#[async_trait]
pub(crate) trait Session: Send {
    /// Which database it is, where the connection alone could tell.
    fn dialect(&self) -> Option<Dialect> {
        None
    }

    /// The table, if it is there. `written` is its name as it stands in a statement.
    async fn describe(&mut self, id: &TableId, written: &str) -> Result<Option<Table>, Failure>;

    /// Runs a statement without values and tells how many rows it touched.
    async fn execute(&mut self, sql: &str) -> Result<u64, Failure>;

    /// Runs a statement whose `?` stand for `values`.
    async fn run(&mut self, sql: &str, values: &[Cell<'_>]) -> Result<u64, Failure>;

    /// Runs a query whose `?` stand for `values`, and sends its answer in chunks of at most `chunk` rows. It ends early
    /// when nobody listens any more.
    async fn stream(
        &mut self,
        sql: &str,
        values: &[Cell<'_>],
        chunk: usize,
        answer: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure>;

    /// The tables that the user sees, for the source.
    async fn tables(&mut self) -> Result<Vec<(TableId, crate::table::TableKind)>, Failure>;

    /// Makes ready for writes of `action` to `target`, outside of any transaction.
    async fn prepare(&mut self, target: &Arc<Target>, action: Action) -> Result<(), Failure>;

    /// Writes rows: all of them or none, where it is within a transaction.
    async fn write(&mut self, rows: Rows<'_, '_>) -> Result<(), WriteFailure>;

    /// Whether there are [streams](Self::open_stream) of rows.
    fn has_streams(&self) -> bool {
        false
    }

    /// Within a transaction: opens a stream of rows to be inserted. `None` where there are no such streams.
    async fn open_stream<'s>(
        &'s mut self,
        _target: &Arc<Target>,
    ) -> Result<Option<Box<dyn RowStream + 's>>, Failure> {
        Ok(None)
    }

    /// Within a transaction, behind a stream: makes sure that the rows went into columns as they were described.
    async fn confirm(&mut self, _target: &Arc<Target>) -> Result<(), Failure> {
        Ok(())
    }

    /// Begins a transaction.
    async fn begin(&mut self) -> Result<(), Failure>;

    /// Keeps what was done in the transaction.
    async fn commit(&mut self) -> Result<(), Failure> {
        self.execute("COMMIT").await.map(drop)
    }

    /// Takes back what was done in the transaction.
    async fn rollback(&mut self) -> Result<(), Failure> {
        self.execute("ROLLBACK").await.map(drop)
    }

    /// Within a transaction: lets violations of constraints show at once, where the database would wait for its end.
    async fn check_at_once(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Takes leave of the server.
    async fn close(self: Box<Self>);
}

/// Rows on their way into a table while more of them come. One that is dropped before its end takes the session with it.
#[async_trait]
pub(crate) trait RowStream: Send {
    /// Adds rows, each of all of the target's columns. The database may refuse them as late as at the end.
    ///
    /// # Errors
    /// The stream is to be aborted then.
    async fn push(&mut self, cells: &[Cell<'_>]) -> Result<(), WriteFailure>;

    /// Ends it: the rows are in the table, as far as the transaction goes.
    async fn finish(self: Box<Self>) -> Result<(), Failure>;

    /// Ends it so that the transaction can be rolled back.
    async fn abort(self: Box<Self>) -> Result<(), Failure>;
}

/// The longest wait for a connection, where the URL says nothing else.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens a session, trying `connection.attempts` times.
///
/// # Errors
/// That of the last try.
pub(crate) async fn connect(connection: &Connection) -> Result<Box<dyn Session>, Failure> {
    let mut attempt = 1;
    loop {
        match connect_once(connection).await {
            Err(failure) if failure.kind.passes() && attempt < connection.attempts => {
                tracing::info!("connecting to {} failed, try {attempt}: {failure}", connection.url.place());
                tokio::time::sleep(Duration::from_millis(connection.backoff_ms)).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Opens a session with the first host that answers; each has the whole time.
///
/// # Errors
/// What is wrong, of the last host, with the place and, where it can be told, the remedy.
pub(crate) async fn connect_once(connection: &Connection) -> Result<Box<dyn Session>, Failure> {
    let seconds = connection.url.property("connectTimeout").and_then(|text| text.parse::<u64>().ok());
    let limit = match seconds {
        Some(0) | None => CONNECT_TIMEOUT,
        // MySQL's driver counts milliseconds.
        Some(number) if connection.url.dialect.is_mysql() => Duration::from_millis(number),
        Some(number) => Duration::from_secs(number),
    };
    let place = |failure: Failure| failure.at(&format!("connecting to {}", connection.url.place()));
    let dialect = connection.url.dialect;
    if connection.url.odbc.is_some() {
        return within(limit, odbc::open(connection, limit)).await.map_err(place);
    }
    if dialect == Dialect::Sqlite {
        return within(limit, sqlite::open(connection)).await.map_err(place);
    }
    let mut last = Failure::new(FailureKind::Config, "connection.url names no host");
    for (host, port) in &connection.url.hosts {
        let opened = if dialect.is_postgres() {
            within(limit, postgres::open(connection, host, *port)).await
        } else {
            within(limit, mysql::open(connection, host, *port)).await
        };
        match opened {
            Ok(session) => return Ok(session),
            Err(failure) => last = failure,
        }
    }
    Err(place(last))
}

async fn within(
    limit: Duration,
    open: impl Future<Output = Result<Box<dyn Session>, Failure>>,
) -> Result<Box<dyn Session>, Failure> {
    tokio::time::timeout(limit, open).await.unwrap_or_else(|_| {
        Err(Failure::new(FailureKind::Lost, format!("no answer within {} s", limit.as_secs_f32())))
    })
}

/// Runs a query and collects its answer, at most `limit` rows of it.
///
/// # Errors
/// That of the query.
pub(crate) async fn query(
    session: &mut dyn Session,
    sql: &str,
    values: &[Cell<'_>],
    limit: usize,
) -> Result<Vec<Vec<Cell<'static>>>, Failure> {
    let (sender, mut receiver) = mpsc::channel::<Chunk>(1);
    let collect = async {
        let mut rows = Vec::new();
        while let Some(chunk) = receiver.recv().await {
            rows.extend(chunk.rows);
            if rows.len() >= limit {
                break;
            }
        }
        receiver.close();
        rows.truncate(limit);
        rows
    };
    let ask = async {
        let outcome = session.stream(sql, values, limit.clamp(1, 1000), &sender).await;
        drop(sender);
        outcome
    };
    let (outcome, rows) = futures::join!(ask, collect);
    outcome.map(|()| rows)
}
