//! The connections that read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt as _;
use lavka_api::{Error, ErrorClass, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::plan::{Progress, condition};
use super::view::Readers;
use crate::database::{identifier, named, qualified};
use crate::metrics::Waiting;
use crate::model::TableId;

/// Rows that travel together.
const BATCH_ROWS: usize = 256;
/// Bytes after which rows travel on.
const BATCH_BYTES: usize = 256 * 1024;
/// Batches that may wait to be taken.
const BATCHES: usize = 4;

/// A table to be read.
#[derive(Clone, Debug)]
pub(crate) struct TableRead {
    pub(crate) id: TableId,
    /// `pg_class.oid`.
    pub(crate) oid: u32,
    /// Where its rows are kept.
    pub(crate) filenode: u32,
    /// The columns in the order in which rows bring them.
    pub(crate) columns: Vec<String>,
    /// A query that takes the table's place.
    pub(crate) statement: Option<String>,
    /// Whether its rows are those of its partitions.
    pub(crate) partitioned: bool,
    /// How many ranges it is read in.
    pub(crate) count: u64,
    /// What an earlier run did of it.
    pub(crate) before: Option<Progress>,
    /// How many rows it has, by the server's statistics.
    pub(crate) estimate: Option<f64>,
}

impl TableRead {
    /// Where its rows are kept, if that is a single place.
    fn filenode(&self) -> Option<u32> {
        (self.filenode != 0).then_some(self.filenode)
    }

    /// The statement that reads range `chunk`.
    fn copy(&self, chunk: u64) -> String {
        let columns = self.columns.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
        let from = match &self.statement {
            // What the user configured to be run is run as it is.
            Some(statement) => format!("({}) AS chosen", statement.trim_end().trim_end_matches(';')),
            None => qualified(&self.id),
        };
        let mut conditions: Vec<String> = condition(chunk, self.count).into_iter().collect();
        if let Some(before) = self.before.as_ref().filter(|before| before.is_done(chunk)) {
            // Rows that an update has moved here since; everything else of this range was handed out.
            conditions.push(format!("age(xmin) <= age('{}'::xid)", before.xmin % (1 << 32)));
        }
        let wanted = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        // An inheritance child has a topic of its own.
        let only = if self.partitioned || self.statement.is_some() { "" } else { "ONLY " };
        format!("COPY (SELECT {columns} FROM {only}{from}{wanted}) TO STDOUT")
    }
}

/// What a reader has to tell. Everything of a table comes before anything of the next.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Rows of `COPY`, as lines.
    Rows { table: usize, lines: Vec<Bytes>, bytes: usize },
    /// A range is read.
    ChunkDone { table: usize, chunk: u64 },
    /// All ranges of a table are read.
    TableDone { table: usize },
    /// All tables are read.
    Done,
    /// Nothing more comes.
    Failed(Error),
}

/// What the readers have to tell, in its order.
pub(crate) struct Readings {
    queue: mpsc::Receiver<Reading>,
    /// Bytes of the rows in it.
    waiting: Arc<AtomicUsize>,
    /// Dropped with it, which ends the readers.
    _readers: JoinSet<()>,
}

impl Readings {
    /// The next; `None` where the readers have ended.
    pub(crate) async fn next(&mut self) -> Option<Reading> {
        let reading = self.queue.recv().await?;
        if let Reading::Rows { bytes, .. } = &reading {
            self.waiting.fetch_sub(*bytes, Ordering::Relaxed);
        }
        Some(reading)
    }

    /// What waits. Batches count as full ones.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting {
            rows: self.queue.len() * BATCH_ROWS,
            bytes: self.waiting.load(Ordering::Relaxed),
            most_rows: BATCHES * BATCH_ROWS,
            most_bytes: BATCHES * BATCH_BYTES,
        }
    }
}

/// Where the readers tell it.
#[derive(Clone)]
struct Telling {
    queue: mpsc::Sender<Reading>,
    waiting: Arc<AtomicUsize>,
}

impl Telling {
    /// Waits for room; whether anybody still wants to know.
    async fn send(&self, reading: Reading) -> bool {
        let Ok(room) = self.queue.reserve().await else { return false };
        if let Reading::Rows { bytes, .. } = &reading {
            self.waiting.fetch_add(*bytes, Ordering::Relaxed);
        }
        room.send(reading);
        true
    }
}

/// What is still to be read.
struct Work {
    state: Mutex<State>,
    /// A range or a table is done.
    progressed: Notify,
}

struct State {
    /// The table that is being read.
    table: usize,
    /// Its ranges that nobody has taken.
    chunks: VecDeque<u64>,
    /// Its ranges that somebody reads.
    under_way: usize,
    /// Somebody failed: the others stop.
    failed: bool,
}

enum Next {
    Chunk(usize, u64),
    Wait,
    Over,
}

/// Reads `tables`, in their order. Reading ends when what is returned is dropped.
pub(crate) fn start(readers: Readers, tables: Arc<[TableRead]>) -> Readings {
    let (queue, receive) = mpsc::channel(BATCHES);
    if tables.is_empty() {
        // There is room: nothing was sent yet.
        let _ = queue.try_send(Reading::Done);
    }
    let waiting = Arc::new(AtomicUsize::new(0));
    let tell = Telling { queue, waiting: Arc::clone(&waiting) };
    let first = tables.first().map_or(0, |table| table.count);
    let work = Arc::new(Work {
        state: Mutex::new(State { table: 0, chunks: (0..first).collect(), under_way: 0, failed: false }),
        progressed: Notify::new(),
    });
    let mut tasks = JoinSet::new();
    for connection in readers.into_connections() {
        tasks.spawn(read(connection, Arc::clone(&work), Arc::clone(&tables), tell.clone()));
    }
    Readings { queue: receive, waiting, _readers: tasks }
}

async fn read(mut connection: PgConnection, work: Arc<Work>, tables: Arc<[TableRead]>, tell: Telling) {
    loop {
        let wait = work.progressed.notified();
        match work.next(tables.len()) {
            Next::Chunk(table, chunk) => {
                let Some(read) = tables.get(table) else { return };
                match copy(&mut connection, read, table, chunk, &tell).await {
                    Ok(true) => {}
                    // Nobody wants to know any more.
                    Ok(false) => return,
                    Err(error) => {
                        work.fail();
                        tell.send(Reading::Failed(error)).await;
                        return;
                    }
                }
                // What is told here is told before anybody begins the next table.
                if !tell.send(Reading::ChunkDone { table, chunk }).await {
                    return;
                }
                if work.finish(table) {
                    tell.send(Reading::TableDone { table }).await;
                    let over = work.begin_next(&tables);
                    if over {
                        tell.send(Reading::Done).await;
                    }
                }
            }
            Next::Wait => wait.await,
            Next::Over => {
                // The snapshot is read; nothing depends on how the transaction ends.
                let _ = connection.close().await;
                return;
            }
        }
    }
}

impl Work {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn next(&self, tables: usize) -> Next {
        self.with(|state| {
            if state.failed || state.table >= tables {
                return Next::Over;
            }
            match state.chunks.pop_front() {
                Some(chunk) => {
                    state.under_way += 1;
                    Next::Chunk(state.table, chunk)
                }
                None => Next::Wait,
            }
        })
    }

    /// A range of `table` is read; whether it was the last.
    fn finish(&self, table: usize) -> bool {
        self.with(|state| {
            state.under_way = state.under_way.saturating_sub(1);
            state.table == table && state.chunks.is_empty() && state.under_way == 0
        })
    }

    /// Goes on to the next table; whether there is none.
    fn begin_next(&self, tables: &[TableRead]) -> bool {
        let over = self.with(|state| {
            state.table += 1;
            let count = tables.get(state.table).map_or(0, |table| table.count);
            state.chunks = (0..count).collect();
            state.table >= tables.len()
        });
        self.progressed.notify_waiters();
        over
    }

    fn fail(&self) {
        self.with(|state| state.failed = true);
        self.progressed.notify_waiters();
    }
}

/// Whether a table, a column or a schema is not there any more: somebody has altered what was described.
fn is_altered(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("42P01" | "42703" | "3F000"))
}

/// Keeps a table as it is until the end of the transaction, and sees to it that its rows are kept where they were: to a
/// snapshot from before a table was rewritten, the server shows it as empty.
async fn hold(connection: &mut PgConnection, read: &TableRead, filenode: u32) -> sqlx::Result<Result<()>> {
    // A query in its place may be all that the user may read.
    if read.statement.is_none() {
        let lock = format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", qualified(&read.id));
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *connection).await?;
    }
    // The function looks at what is there now, whatever the snapshot.
    let row = sqlx::query("SELECT pg_catalog.pg_relation_filenode($1::int8::oid)::int8")
        .bind(i64::from(read.oid))
        .fetch_one(connection)
        .await?;
    let now: Option<i64> = row.try_get(0)?;
    if now == Some(filenode.into()) {
        return Ok(Ok(()));
    }
    Ok(Err(Error::retriable(format!(
        "the table {} was written anew (by ALTER TABLE, TRUNCATE or VACUUM FULL) before the snapshot came to it",
        read.id
    ))))
}

/// Reads one range; false where nobody takes rows any more.
async fn copy(
    connection: &mut PgConnection,
    read: &TableRead,
    table: usize,
    chunk: u64,
    tell: &Telling,
) -> Result<bool> {
    let failed = |error: sqlx::Error| {
        let named = named(&error, &format!("reading the table {} for the snapshot", read.id));
        if read.statement.is_none() && is_altered(&error) {
            // The next attempt looks at it again.
            return named.with_class(ErrorClass::Retriable);
        }
        named
    };
    if let Some(filenode) = read.filenode() {
        hold(connection, read, filenode).await.map_err(failed)??;
    }
    let mut rows = connection.copy_out_raw(&read.copy(chunk)).await.map_err(failed)?;
    let mut lines: Vec<Bytes> = Vec::new();
    let mut size = 0;
    while let Some(line) = rows.next().await {
        let line = line.map_err(failed)?;
        size += line.len();
        lines.push(line);
        if lines.len() >= BATCH_ROWS || size >= BATCH_BYTES {
            let bytes = std::mem::take(&mut size);
            if !tell.send(Reading::Rows { table, lines: std::mem::take(&mut lines), bytes }).await {
                return Ok(false);
            }
        }
    }
    if lines.is_empty() {
        return Ok(true);
    }
    Ok(tell.send(Reading::Rows { table, lines, bytes: size }).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(count: u64) -> TableRead {
        TableRead {
            id: TableId::new("s", "t"),
            oid: 1,
            filenode: 1,
            columns: vec!["id".into(), "a\"b".into()],
            statement: None,
            partitioned: false,
            count,
            before: None,
            estimate: None,
        }
    }

    #[test]
    fn statements_name_the_columns_and_the_range() {
        assert_eq!(table(1).copy(0), r#"COPY (SELECT "id", "a""b" FROM ONLY "s"."t") TO STDOUT"#);
        assert_eq!(
            table(3).copy(2),
            r#"COPY (SELECT "id", "a""b" FROM ONLY "s"."t" WHERE ctid >= '(8192,0)'::tid) TO STDOUT"#
        );
        let mut before = Progress { xmin: 740, table: "s.t".into(), count: 3, ..Progress::default() };
        before.finish(2);
        let again = TableRead { before: Some(before), ..table(3) };
        assert_eq!(
            again.copy(2),
            "COPY (SELECT \"id\", \"a\"\"b\" FROM ONLY \"s\".\"t\" WHERE ctid >= '(8192,0)'::tid AND age(xmin) <= \
             age('740'::xid)) TO STDOUT"
        );
        let chosen = TableRead { statement: Some("select * from s.t where id < 5;".into()), ..table(1) };
        assert_eq!(
            chosen.copy(0),
            r#"COPY (SELECT "id", "a""b" FROM (select * from s.t where id < 5) AS chosen) TO STDOUT"#
        );
    }

    #[test]
    fn tables_come_one_after_the_other() {
        let tables: Vec<TableRead> = vec![table(2), table(1)];
        let work = Work {
            state: Mutex::new(State { table: 0, chunks: (0..2).collect(), under_way: 0, failed: false }),
            progressed: Notify::new(),
        };
        assert!(matches!(work.next(2), Next::Chunk(0, 0)));
        assert!(matches!(work.next(2), Next::Chunk(0, 1)));
        assert!(matches!(work.next(2), Next::Wait));
        assert!(!work.finish(0));
        assert!(work.finish(0));
        assert!(!work.begin_next(&tables));
        assert!(matches!(work.next(2), Next::Chunk(1, 0)));
        assert!(work.finish(1));
        assert!(work.begin_next(&tables));
        assert!(matches!(work.next(2), Next::Over));
    }
}
