//! The side of a session that the rest of the sink sees: it hands work to the thread and waits for its answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::Password;
use lavka_odbc_manager::Cancel;
use tokio::sync::{mpsc, oneshot};

use super::encode;
use super::failure::Wording;
use super::form::Form;
use super::stages::Stages;
use super::values::Values;
use super::worker::{Job, Prepare, Worker};
use crate::data::{Cell, WallClock};
use crate::dialect::{Dialect, placeholders};
use crate::driver::{Action, Chunk, Failure, FailureKind, Rows, Session, Target, WriteFailure, multirow};
use crate::settings::Connection;
use crate::table::{ColumnKind, Table, TableId, TableKind};

/// How long leaving the server may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// Parameters of a statement at most, for databases that take rows in the text of one.
const MAX_PARAMETERS: usize = 2000;

/// Opens a session. `limit` is how long the driver may take to log in.
pub(in super::super) async fn open(
    connection: &Connection,
    limit: Duration,
) -> Result<Box<dyn Session>, Failure> {
    let Some(attributes) = &connection.url.odbc else {
        return Err(Failure::new(FailureKind::Config, "connection.url is none of ODBC"));
    };
    let mut attributes = attributes.clone();
    if let Some(user) = &connection.user {
        attributes.add("UID", user);
    }
    if let Some(password) = &connection.password {
        attributes.add("PWD", password.reveal());
    }
    let secrets = ["PWD", "Password", "Token", "PRIV_KEY_FILE_PWD", "MechanismKey"];
    let secrets = secrets.iter().filter_map(|name| attributes.get(name)).map(Password::new).collect();
    let wording = Wording { dialect: connection.url.dialect, secrets };
    let cancel = Arc::new(Cancel::default());
    let (jobs, inbox) = mpsc::channel(1);
    let (opened, told) = oneshot::channel();
    let worker = Prepare {
        attributes,
        dialect: (!connection.url.asks).then_some(connection.url.dialect),
        wording,
        // None would be for ever.
        seconds: u32::try_from(limit.as_secs()).unwrap_or(u32::MAX).max(1),
        cancel: cancel.clone(),
    };
    std::thread::Builder::new()
        .name("odbc".to_owned())
        .spawn(move || worker.run(inbox, opened))
        .map_err(|error| Failure::new(FailureKind::Again, format!("no thread for ODBC: {error}")))?;
    let dialect = told.await.map_err(|_| gone())??;
    Ok(Box::new(OdbcSession { jobs, cancel, dialect, stages: Stages::default() }))
}

/// The thread has ended, which it does by a panic alone: the driver answered what no driver may.
fn gone() -> Failure {
    Failure::new(FailureKind::Lost, "the ODBC driver misbehaved; the connection was given up")
}

struct OdbcSession {
    jobs: mpsc::Sender<Job>,
    cancel: Arc<Cancel>,
    dialect: Dialect,
    stages: Stages,
}

/// Cancels what runs if nobody waits for it any more.
struct Abandoned<'a>(Option<&'a Arc<Cancel>>);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if let Some(cancel) = self.0.take() {
            let cancel = cancel.clone();
            // A driver may ask its server for it, and wait.
            let _ = std::thread::Builder::new().name("odbc-cancel".to_owned()).spawn(move || cancel.cancel());
        }
    }
}

impl OdbcSession {
    /// Has the thread do something.
    async fn call<R: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&mut Worker<'c>) -> R + Send + 'static,
    ) -> Result<R, Failure> {
        let (answer, told) = oneshot::channel();
        let job: Job = Box::new(move |worker| {
            let _ = answer.send(work(worker));
        });
        self.jobs.send(job).await.map_err(|_| gone())?;
        let mut abandoned = Abandoned(Some(&self.cancel));
        let outcome = told.await;
        abandoned.0 = None;
        outcome.map_err(|_| gone())
    }

    /// The values of `cells`, the rows of a target with its columns in the order in which a statement has them.
    fn values(
        &self,
        target: &Target,
        cells: &[Cell<'_>],
        width: usize,
        order: &[usize],
    ) -> Result<Vec<Values>, (usize, String)> {
        let column = |place: &usize| {
            let kind = target.columns.get(*place).map_or(&ColumnKind::Other, |column| &column.ty.kind);
            let form = Form { dialect: self.dialect, kind, clock: &target.clock };
            encode::column(form, cells.iter().skip(*place).step_by(width)).map_err(|(row, why)| {
                let name = target.columns.get(*place).map_or("", |column| column.name.as_str());
                (row, format!("column {name} cannot hold {why}"))
            })
        };
        order.iter().map(column).collect()
    }

    /// The statement of a row.
    fn statement(target: &Target, action: Action, names: &[&str], stage: Option<&str>) -> String {
        let statements = &target.statements;
        match action {
            Action::Upsert => match stage {
                Some(stage) => {
                    let head = statements.insert_head(&TableId::of(None, stage), names);
                    head + &placeholders(1, names.len(), false)
                }
                None => statements.upsert_row(&target.table, names, target.keys),
            },
            Action::Delete => statements.delete_row(&target.table, names),
            Action::Insert | Action::Update => multirow::statement(statements, target, action, names, 1),
        }
    }

    /// Rows in the text of one statement, as Hive has them: with arrays its driver would run a job for each row.
    async fn write_many(&self, rows: Rows<'_, '_>) -> Result<(), WriteFailure> {
        let (target, width) = (rows.target, rows.width());
        let names = target.names(width);
        let most = multirow::rows_per_statement(rows.action, width, MAX_PARAMETERS, usize::MAX);
        let mut rest = rows.cells;
        let mut done = 0;
        while !rest.is_empty() {
            let count = encode::fitting(rest, width).min(most).min(rest.len().div_ceil(width));
            let (part, tail) = rest.split_at((count * width).min(rest.len()));
            rest = tail;
            let sql = multirow::statement(&target.statements, target, rows.action, &names, count);
            let mut values = Vec::with_capacity(part.len());
            for (row, cells) in part.chunks(width).enumerate() {
                let order: Vec<usize> = (0..cells.len()).collect();
                let of_row = self.values(target, cells, width, &order);
                values.extend(of_row.map_err(|(_, why)| WriteFailure::Rows(vec![(done + row, why)]))?);
            }
            self.call(move |worker| worker.write(None, &sql, values, 1)).await??;
            done += count;
        }
        Ok(())
    }
}

fn stage_name(target: u64) -> String {
    format!("lavka_stage_{target}")
}

#[async_trait]
impl Session for OdbcSession {
    fn dialect(&self) -> Option<Dialect> {
        Some(self.dialect)
    }

    async fn describe(&mut self, id: &TableId, _written: &str) -> Result<Option<Table>, Failure> {
        let id = id.clone();
        self.call(move |worker| worker.describe(&id)).await?
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, Failure> {
        let sql = sql.to_owned();
        self.call(move |worker| worker.execute(&sql)).await?
    }

    async fn run(&mut self, sql: &str, values: &[Cell<'_>]) -> Result<u64, Failure> {
        let sql = sql.to_owned();
        let values = parameters(self.dialect, values)?;
        self.call(move |worker| worker.write(None, &sql, values, 1)).await?
    }

    async fn stream(
        &mut self,
        sql: &str,
        values: &[Cell<'_>],
        chunk: usize,
        answer: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure> {
        let sql = sql.to_owned();
        let values = parameters(self.dialect, values)?;
        let answer = answer.clone();
        self.call(move |worker| worker.stream(&sql, values, chunk, &answer)).await?
    }

    async fn tables(&mut self) -> Result<Vec<(TableId, TableKind)>, Failure> {
        self.call(|worker| worker.tables()).await?
    }

    async fn prepare(&mut self, target: &Arc<Target>, action: Action) -> Result<(), Failure> {
        if action != Action::Upsert || !target.statements.stages_upserts() || !self.stages.want(target.id) {
            return Ok(());
        }
        let names = target.names(target.columns.len());
        let sql = target.statements.create_stage(&stage_name(target.id), &target.table, &names);
        if let Some(oldest) = self.stages.evict() {
            let name = target.statements.quoted(&stage_name(oldest));
            self.execute(&format!("DROP TABLE {name}")).await?;
        }
        self.execute(&sql).await.map_err(|failure| failure.at("making a temporary table"))?;
        self.stages.made(target.id);
        Ok(())
    }

    async fn write(&mut self, rows: Rows<'_, '_>) -> Result<(), WriteFailure> {
        if !self.dialect.has_transactions() {
            return self.write_many(rows).await;
        }
        let (target, width) = (rows.target, rows.width());
        let names = target.names(width);
        let stage =
            (rows.action == Action::Upsert && self.stages.contains(target.id)).then(|| stage_name(target.id));
        if let Some(stage) = &stage {
            self.execute(&format!("DELETE FROM {}", target.statements.quoted(stage))).await?;
        }
        let sql: Arc<str> = Self::statement(target, rows.action, &names, stage.as_deref()).into();
        let order = multirow::order(rows.action, width, target.keys);
        let mut rest = rows.cells;
        let mut done = 0;
        while !rest.is_empty() {
            let count = encode::fitting(rest, width).min(rest.len().div_ceil(width));
            let (part, tail) = rest.split_at((count * width).min(rest.len()));
            rest = tail;
            let values = self
                .values(target, part, width, &order)
                .map_err(|(row, why)| WriteFailure::Rows(vec![(done + row, why)]))?;
            let (sql, key) = (sql.clone(), (target.id, rows.action));
            self.call(move |worker| worker.write(Some(key), &sql, values, count)).await??;
            done += count;
        }
        if let Some(stage) = &stage {
            self.execute(&target.statements.merge_stage(&target.table, stage, &names, target.keys)).await?;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), Failure> {
        self.stages.begin();
        if !self.dialect.has_transactions() {
            return Ok(());
        }
        self.call(|worker| worker.begin()).await?
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        self.call(|worker| worker.end(true)).await?
    }

    async fn rollback(&mut self) -> Result<(), Failure> {
        self.call(|worker| worker.end(false)).await?
    }

    async fn check_at_once(&mut self) -> Result<(), Failure> {
        if self.dialect == Dialect::Postgres {
            self.execute("SET CONSTRAINTS ALL IMMEDIATE").await?;
        }
        Ok(())
    }

    async fn close(self: Box<Self>) {
        // The thread takes its leave when nobody can give it work any more, and lets go of its end then.
        let (left, gone) = oneshot::channel::<()>();
        let job: Job = Box::new(move |worker| worker.leave(left));
        if self.jobs.send(job).await.is_ok() {
            drop(self.jobs);
            let _ = tokio::time::timeout(FAREWELL, gone).await;
        }
    }
}

/// Values of a statement's question marks.
fn parameters(dialect: Dialect, values: &[Cell<'_>]) -> Result<Vec<Values>, Failure> {
    let clock = WallClock::utc();
    let one = |cell: &Cell<'_>| {
        let form = Form { dialect, kind: &ColumnKind::Other, clock: &clock };
        encode::column(form, std::iter::once(cell)).map_err(|(_, why)| Failure::new(FailureKind::Row, why))
    };
    values.iter().map(one).collect()
}
