//! The thread that owns a connection.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_odbc_manager::{Cancel, execute_rows};
use odbc_api::buffers::BoxColumBufferRefMut;
use odbc_api::handles::{AnyHandle as _, AsStatementRef as _, ColumnDescription, StatementImpl};
use odbc_api::{ConnectionOptions, Pod, Prepared};
use tokio::sync::{mpsc, oneshot};

use super::attributes::{Attributes, driver_words};
use super::decode::{self, Space, Unread};
use super::failure::Wording;
use super::values::Values;
use crate::dialect::Dialect;
use crate::driver::{Action, Chunk, Failure, FailureKind, Head, Heads};

/// Something to be done with the connection.
pub(super) type Job = Box<dyn for<'c> FnOnce(&mut Worker<'c>) + Send>;

/// Letters of a column's name that there is room for at once.
const MAX_NAME: usize = 1024;
/// What servers say of a login that is wrong.
const REFUSED: &[&str] =
    &["authentication failed", "access denied", "login failed", "invalid username/password"];
/// Prepared statements of a transaction at most.
const MAX_PREPARED: usize = 64;

/// What a thread begins with.
pub(super) struct Prepare {
    pub(super) attributes: Attributes,
    /// `None`: what the driver reports.
    pub(super) dialect: Option<Dialect>,
    pub(super) wording: Wording,
    /// How long logging in may take.
    pub(super) seconds: u32,
    pub(super) cancel: Arc<Cancel>,
}

impl Prepare {
    /// Connects, says so, and works until there is nobody to work for.
    pub(super) fn run(
        mut self,
        mut inbox: mpsc::Receiver<Job>,
        opened: oneshot::Sender<Result<Dialect, Failure>>,
    ) {
        let connection = match self.connect() {
            Ok(connection) => connection,
            Err(failure) => {
                let _ = opened.send(Err(failure));
                return;
            }
        };
        let product = connection.database_management_system_name().unwrap_or_default();
        let dialect = self.dialect.unwrap_or_else(|| Dialect::of_product(&product));
        self.wording.dialect = dialect;
        let mut worker = Worker {
            connection: &connection,
            dialect,
            wording: self.wording,
            cancel: self.cancel,
            prepared: HashMap::new(),
            // SQLite's driver loses bytes where an array of rows begins with none.
            arrays: dialect != Dialect::Sqlite,
            within: false,
            home: None,
            left: None,
        };
        let greeted = worker.greet();
        let failed = greeted.is_err();
        if opened.send(greeted.map(|()| dialect)).is_err() || failed {
            return;
        }
        while let Some(job) = inbox.blocking_recv() {
            job(&mut worker);
        }
        let left = worker.left.take();
        drop(worker);
        // Disconnects; a transaction that was begun is rolled back.
        drop(connection);
        drop(left);
    }

    fn connect(&mut self) -> Result<odbc_api::Connection<'static>, Failure> {
        let environment =
            lavka_odbc_manager::environment().map_err(|why| Failure::new(FailureKind::Config, why))?;
        let named = ["DSN", "Driver", "FileDSN"].iter().any(|name| self.attributes.get(name).is_some());
        if !named {
            let driver = self.driver(environment)?;
            self.attributes.add("Driver", &driver);
        }
        if self
            .attributes
            .get("Driver")
            .is_some_and(|driver| driver.to_ascii_lowercase().contains("postgres"))
        {
            // So that booleans and bytes are what they are, and texts have no length that is made up.
            for (name, value) in [("BoolsAsChar", "0"), ("ByteaAsLongVarBinary", "1"), ("UnknownSizes", "2")]
            {
                self.attributes.add(name, value);
            }
        }
        let options = ConnectionOptions { login_timeout_sec: Some(self.seconds), packet_size: None };
        let text = self.attributes.connection_string();
        environment.connect_with_connection_string(&text, options).map_err(|error| {
            let failure = self.wording.failed(&error);
            let text = failure.to_string();
            let lower = text.to_ascii_lowercase();
            let kind = match failure.kind {
                // Some drivers say of every login that the connection failed.
                FailureKind::Other | FailureKind::Lost
                    if REFUSED.iter().any(|refused| lower.contains(refused)) =>
                {
                    FailureKind::Config
                }
                // One that says no more than that it did not work: most often a server that is not there.
                FailureKind::Other => FailureKind::Lost,
                kind => kind,
            };
            Failure::new(kind, text)
        })
    }

    /// The installed driver for the URL's database.
    fn driver(&self, environment: &odbc_api::Environment) -> Result<String, Failure> {
        let installed = environment.drivers().map_err(|error| self.wording.failed(&error))?;
        let mut names: Vec<String> = installed.into_iter().map(|driver| driver.description).collect();
        names.sort();
        let words = driver_words(self.wording.dialect);
        let fits = |name: &&String| words.iter().any(|word| name.to_ascii_lowercase().contains(word));
        names.iter().rev().find(fits).cloned().ok_or_else(|| {
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Failure::new(
                FailureKind::Config,
                format!(
                    "no ODBC driver for this database is installed (installed: {names}); install it, or name a Driver or \
                     a DSN in lavka.odbc.connection"
                ),
            )
        })
    }
}

/// A connection in its thread.
pub(super) struct Worker<'c> {
    pub(super) connection: &'c odbc_api::Connection<'static>,
    pub(super) dialect: Dialect,
    pub(super) wording: Wording,
    cancel: Arc<Cancel>,
    /// Statements of the transaction, by target and action. Some databases forget theirs at its end.
    prepared: HashMap<(u64, Action), Prepared<StatementImpl<'c>>>,
    /// Whether the driver takes arrays of rows.
    arrays: bool,
    /// Whether it is within a transaction.
    pub(super) within: bool,
    /// The schema of tables without one.
    pub(super) home: Option<String>,
    left: Option<oneshot::Sender<()>>,
}

impl<'c> Worker<'c> {
    /// What is asked and set once.
    fn greet(&mut self) -> Result<(), Failure> {
        if let Some(sql) = self.dialect.utc() {
            self.execute(sql).map_err(|failure| failure.at("setting the session's time zone to UTC"))?;
        }
        if let Some(sql) = self.dialect.home() {
            let (sender, mut receiver) = mpsc::channel(1);
            self.stream(sql, Vec::new(), 1, &sender)
                .map_err(|failure| failure.at("asking for the schema"))?;
            if let Some(crate::data::Cell::Text(home)) =
                receiver.try_recv().ok().and_then(|chunk| chunk.rows.into_iter().next()?.into_iter().next())
            {
                self.home = Some(home.trim().to_owned()).filter(|home| !home.is_empty());
            }
        }
        Ok(())
    }

    /// `left` is dropped when the connection is.
    pub(super) fn leave(&mut self, left: oneshot::Sender<()>) {
        self.left = Some(left);
    }

    /// A failure, classified. Some drivers have no words of their own for a connection that is gone, but tell who asks.
    pub(super) fn failed(&self, error: &odbc_api::Error) -> Failure {
        let failure = self.wording.failed(error);
        match failure.kind {
            FailureKind::Other if self.connection.is_dead().unwrap_or(false) => {
                Failure::new(FailureKind::Lost, failure.to_string())
            }
            _ => failure,
        }
    }

    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        self.connection.set_autocommit(false).map_err(|error| self.failed(&error))?;
        self.within = true;
        Ok(())
    }

    /// Commits or rolls back.
    pub(super) fn end(&mut self, commit: bool) -> Result<(), Failure> {
        if !std::mem::take(&mut self.within) {
            return Ok(());
        }
        self.prepared.clear();
        let ended = if commit { self.connection.commit() } else { self.connection.rollback() };
        // A transaction that cannot be ended leaves a connection that cannot be used.
        ended.map_err(|error| self.failed(&error))?;
        self.connection.set_autocommit(true).map_err(|error| self.failed(&error))
    }

    pub(super) fn execute(&mut self, sql: &str) -> Result<u64, Failure> {
        let mut statement = self.connection.preallocate().map_err(|error| self.failed(&error))?;
        let running = self.cancel.running(&statement.as_stmt_ref());
        let outcome = statement.execute(sql, ()).map(drop);
        drop(running);
        outcome.map_err(|error| self.failed(&error))?;
        Ok(statement.row_count().ok().flatten().map_or(0, |count| count as u64))
    }

    /// Executes a statement for `count` rows of values, and tells how many it touched. With a key it stays prepared until
    /// the transaction ends.
    pub(super) fn write(
        &mut self,
        key: Option<(u64, Action)>,
        sql: &str,
        values: Vec<Values>,
        count: usize,
    ) -> Result<u64, Failure> {
        let kept = key.and_then(|key| self.prepared.remove(&key));
        let mut prepared = match kept {
            Some(prepared) => prepared,
            None => self.connection.prepare(sql).map_err(|error| self.failed(&error))?,
        };
        self.bind_and_execute(&mut prepared, &values, count)?;
        let touched = prepared.row_count().ok().flatten().map_or(0, |count| count as u64);
        if let Some(key) = key.filter(|_| self.within && self.prepared.len() < MAX_PREPARED) {
            self.prepared.insert(key, prepared);
        }
        Ok(touched)
    }

    fn bind_and_execute(
        &mut self,
        prepared: &mut Prepared<StatementImpl<'c>>,
        values: &[Values],
        count: usize,
    ) -> Result<(), Failure> {
        let mut from = 0;
        while from < count {
            let rows = if self.arrays { count - from } else { 1 };
            let handle = prepared.as_stmt_ref().as_handle();
            let running = self.cancel.running(&prepared.as_stmt_ref());
            let descriptions: Vec<_> = values.iter().map(Values::description).collect();
            let mut inserter =
                prepared.column_inserter(rows, descriptions).map_err(|error| self.failed(&error))?;
            inserter.set_num_rows(rows);
            for (at, values) in values.iter().enumerate() {
                fill(inserter.column_mut(at), values, from, rows);
            }
            let outcome = execute_rows(handle, &mut inserter);
            drop(inserter);
            drop(running);
            match outcome {
                None => {
                    tracing::warn!("the ODBC driver takes no arrays of rows: they go one by one");
                    self.arrays = false;
                }
                Some(Err(error)) => return Err(self.failed(&error)),
                Some(Ok(not_done)) if not_done.is_empty() => from += rows,
                Some(Ok(_)) => {
                    // What the driver said of them is gone by now: it is said of the last call alone. Done again with care,
                    // each of them fails by itself.
                    let why = "the ODBC driver did some of the rows and not others";
                    return Err(Failure::new(FailureKind::Row, why));
                }
            }
        }
        Ok(())
    }

    /// Runs a query and sends its answer in chunks of at most `chunk` rows, until nobody listens any more.
    pub(super) fn stream(
        &mut self,
        sql: &str,
        values: Vec<Values>,
        chunk: usize,
        answer: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure> {
        let mut prepared = self.connection.prepare(sql).map_err(|error| self.failed(&error))?;
        let cancel = self.cancel.clone();
        let running = cancel.running(&prepared.as_stmt_ref());
        let outcome = if values.is_empty() {
            match prepared.execute(()) {
                Ok(Some(cursor)) => self.send(cursor, chunk, answer),
                Ok(None) => Ok(()),
                Err(error) => Err(self.failed(&error)),
            }
        } else {
            let descriptions: Vec<_> = values.iter().map(Values::description).collect();
            let mut inserter =
                prepared.column_inserter(1, descriptions).map_err(|error| self.failed(&error))?;
            inserter.set_num_rows(1);
            for (at, values) in values.iter().enumerate() {
                fill(inserter.column_mut(at), values, 0, 1);
            }
            match inserter.execute() {
                Ok(Some(cursor)) => self.send(cursor, chunk, answer),
                Ok(None) => Ok(()),
                Err(error) => Err(self.failed(&error)),
            }
        };
        drop(running);
        outcome
    }

    fn send(
        &self,
        cursor: impl odbc_api::Cursor,
        chunk: usize,
        answer: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure> {
        // Its end is that of its statement: closing it here would panic where the connection is gone.
        let mut cursor = std::mem::ManuallyDrop::new(cursor);
        let heads = self.heads(&mut *cursor)?;
        let mut space = Space::default();
        let mut rows = Vec::new();
        loop {
            let mut row = match cursor.next_row() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                Err(error) => return Err(self.failed(&error)),
            };
            let cells =
                heads.iter().zip(1_u16..).map(|(head, at)| decode::cell(&mut row, at, head, &mut space));
            let cells: Result<Vec<_>, Unread> = cells.collect();
            rows.push(cells.map_err(|unread| match unread {
                Unread::Odbc(error) => self.failed(&error),
                Unread::Value(failure) => failure,
            })?);
            if rows.len() >= chunk.max(1) {
                let full = Chunk { heads: heads.clone(), rows: std::mem::take(&mut rows) };
                if answer.blocking_send(full).is_err() {
                    return Ok(());
                }
            }
        }
        if !rows.is_empty() {
            let _ = answer.blocking_send(Chunk { heads, rows });
        }
        Ok(())
    }

    fn heads(&self, cursor: &mut impl odbc_api::Cursor) -> Result<Heads, Failure> {
        let columns = cursor.num_result_cols().map_err(|error| self.failed(&error))?;
        let columns = u16::try_from(columns).unwrap_or(0);
        let mut heads: Vec<Head> = Vec::with_capacity(columns.into());
        for at in 1..=columns {
            // With room for any name: where one just fits without the NUL behind it, its last letter would be lost.
            let mut description =
                ColumnDescription { name: Vec::with_capacity(MAX_NAME), ..ColumnDescription::default() };
            cursor.describe_col(at, &mut description).map_err(|error| self.failed(&error))?;
            let name = String::from_utf16_lossy(&description.name);
            let unsigned = self.dialect.is_mysql() && cursor.column_is_unsigned(at).unwrap_or(false);
            heads.push(decode::head(self.dialect, name, &description, unsigned));
        }
        Ok(heads.into())
    }
}

/// Writes values into a bound column, those of `rows` rows from `from` on.
fn fill(column: BoxColumBufferRefMut<'_>, values: &Values, from: usize, rows: usize) {
    match values {
        Values::Bit(values) => fill_fixed(column, values, from, rows),
        Values::Int(values) => fill_fixed(column, values, from, rows),
        Values::Float32(values) => fill_fixed(column, values, from, rows),
        Values::Float64(values) => fill_fixed(column, values, from, rows),
        Values::Date(values) => fill_fixed(column, values, from, rows),
        Values::Time(values) => fill_fixed(column, values, from, rows),
        Values::Timestamp(values) => fill_fixed(column, values, from, rows),
        Values::Text(pieces, _) => {
            if let Some(mut column) = column.as_wide_text() {
                for (row, text) in pieces.iter().skip(from).take(rows).enumerate() {
                    column.set_cell(row, text);
                }
            }
        }
        Values::Bytes(pieces) => {
            if let Some(mut column) = column.as_binary() {
                for (row, bytes) in pieces.iter().skip(from).take(rows).enumerate() {
                    column.set_cell(row, bytes);
                }
            }
        }
    }
}

fn fill_fixed<T: Pod>(column: BoxColumBufferRefMut<'_>, values: &[Option<T>], from: usize, rows: usize) {
    if let Some(mut column) = column.as_nullable_slice::<T>() {
        for (row, value) in values.iter().skip(from).take(rows).enumerate() {
            column.set_cell(row, *value);
        }
    }
}
