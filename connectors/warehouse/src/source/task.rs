//! The task: one query at a time, its rows handed out as they come.
//!
//! A query runs in an activity of its own, which has the session meanwhile and sends chunks of rows through a channel that
//! holds one; so a `poll` that is dropped has taken nothing, and memory holds a few chunks. Tables take turns: the one whose
//! last read began longest ago is next, not before `poll.interval.ms` have passed since.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::data::{OffsetMap, Record, SourcePosition, SourceRecord, Topic};
use lavka_api::plugin::{SourceTask, SourceTaskStart};
use lavka_api::{Error, Result};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::mapping::{Mapping, identity, instant};
use super::position::{Position, old_table_partition, query_partition, table_partition};
use super::select::Criteria;
use super::settings::SourceSettings;
use crate::data::Cell;
use crate::driver::{Chunk, Failure, FailureKind, Session, connect, query};
use crate::table::{ColumnKind, Table, TableId};

/// The wait after a query that failed for something that may pass.
const RETRY: Duration = Duration::from_secs(1);

/// What is read: a table or the query.
struct Feed {
    table: Option<TableId>,
    topic: Topic,
    /// `None` for bulk, which has no offsets.
    partition: Option<OffsetMap>,
    /// Up to where records were handed out.
    position: Position,
    due: Instant,
    /// Reads that failed in a row for something that may pass.
    failures: u32,
}

/// A query that runs.
struct Running {
    feed: usize,
    chunks: mpsc::Receiver<Chunk>,
    activity: JoinHandle<(Box<dyn Session>, Result<(), Failure>)>,
    table: Option<Table>,
    criteria: Criteria,
    mapping: Option<Mapping>,
    /// In mode timestamp: the row whose offset is known when the next one is.
    held: Option<(SourceRecord, i64)>,
}

/// A task of the source.
pub(super) struct QuerySourceTask {
    settings: Arc<SourceSettings>,
    session: Option<Box<dyn Session>>,
    feeds: Vec<Feed>,
    running: Option<Running>,
}

impl QuerySourceTask {
    pub(super) fn new(settings: SourceSettings) -> Self {
        Self { settings: Arc::new(settings), session: None, feeds: Vec::new(), running: None }
    }

    /// A session, and from then on the settings for its database.
    async fn open(&mut self) -> Result<Box<dyn Session>, Failure> {
        let (session, found) = open(&self.settings).await?;
        if let Some(settings) = found {
            self.settings = Arc::new(settings);
        }
        Ok(session)
    }

    /// Starts the query of a feed.
    async fn begin(&mut self, feed: usize) -> Result<(), Failure> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.open().await?,
        };
        let settings = self.settings.clone();
        let Some(reading) = self.feeds.get_mut(feed) else { return Ok(()) };
        let statements = &settings.statements;
        let name = reading.table.as_ref().map(TableId::to_string).unwrap_or_default();
        let mut criteria = Criteria {
            mode: settings.mode,
            incrementing: settings.incrementing_of(&name).to_owned(),
            timestamps: settings.timestamps_of(&name).to_vec(),
        };
        let (mut sql, table) = match &reading.table {
            Some(id) => {
                let written = statements.table(id);
                let Some(table) = session.describe(id, &written).await? else {
                    self.session = Some(session);
                    return Err(Failure::new(
                        FailureKind::Changed,
                        format!("table {id} is not there any more"),
                    ));
                };
                settle(&mut criteria, &table, &settings)?;
                let columns = table.selection.as_deref().unwrap_or("*");
                (format!("SELECT {columns} FROM {}", statements.table(&table.id)), Some(table))
            }
            None => (settings.query.clone().unwrap_or_default(), None),
        };
        sql.push_str(&criteria.condition(statements));
        if !settings.suffix.is_empty() {
            sql.push(' ');
            sql.push_str(&settings.suffix);
        }
        let window = if criteria.mode.timestamp {
            let now = now(&mut *session, &settings).await?;
            let until = now.saturating_sub(settings.delay_ms.saturating_mul(1000));
            let from = reading.position.timestamp.unwrap_or(match settings.initial {
                Some(-1) => now,
                Some(millis) => millis.saturating_mul(1000),
                None => 0,
            });
            let utc = table.as_ref().is_some_and(|table| {
                let columns = criteria.timestamps.iter().filter_map(|name| table.column(name));
                statements.dialect.is_mysql()
                    && columns.into_iter().all(|it| it.ty.kind == ColumnKind::TimestampTz)
            });
            let shown = |instant: i64| Cell::Local(if utc { instant } else { settings.clock.local(instant) });
            Some([shown(from), shown(until)])
        } else {
            None
        };
        let values = criteria.values(reading.position, window);
        let (sender, chunks) = mpsc::channel(1);
        let batch = settings.batch;
        let activity = tokio::spawn(async move {
            let outcome = session.stream(&sql, &values, batch, &sender).await;
            (session, outcome)
        });
        reading.due = Instant::now() + Duration::from_millis(settings.poll_ms);
        self.running = Some(Running { feed, chunks, activity, table, criteria, mapping: None, held: None });
        Ok(())
    }

    /// The records of the next chunk; `None` at the end of the answer. Nothing is taken if it is dropped.
    async fn next(&mut self) -> Result<Option<Vec<SourceRecord>>> {
        let Some(running) = &mut self.running else { return Ok(None) };
        if let Some(chunk) = running.chunks.recv().await {
            let Some(feed) = self.feeds.get_mut(running.feed) else { return Ok(None) };
            return running.records(chunk, feed, &self.settings).map(Some);
        }
        let ended = (&mut running.activity).await;
        let held = running.held.take();
        let feed = running.feed;
        self.running = None;
        let (session, outcome) = ended.map_err(|error| Error::fatal(format!("a query ended: {error}")))?;
        match outcome {
            Ok(()) => {
                self.session = Some(session);
                if let Some(feed) = self.feeds.get_mut(feed) {
                    feed.failures = 0;
                }
                let last = held.map(|(mut record, at)| {
                    if let Some(feed) = self.feeds.get_mut(feed) {
                        feed.position.timestamp = Some(at);
                        record.position = feed.at();
                    }
                    record
                });
                Ok(Some(last.into_iter().collect()))
            }
            Err(failure) => {
                // What another kind of failure leaves behind is not worth the risk.
                if failure.kind == FailureKind::Changed {
                    self.session = Some(session);
                }
                self.put_off(feed, &failure).await?;
                Ok(Some(Vec::new()))
            }
        }
    }

    /// Has a read that failed wait for its next turn, while others have theirs.
    ///
    /// # Errors
    /// Where it is not to be tried again.
    async fn put_off(&mut self, feed: usize, failure: &Failure) -> Result<()> {
        let retries = self.settings.retries;
        let pause = Duration::from_millis(self.settings.poll_ms).max(RETRY);
        let Some(feed) = self.feeds.get_mut(feed) else { return Ok(()) };
        // A table may be gone, or have got other columns; the connector will notice.
        if failure.kind == FailureKind::Changed && feed.table.is_some() {
            tracing::warn!("{failure}; the other tables are read on");
            feed.due = Instant::now() + pause;
            return Ok(());
        }
        if !failure.kind.passes() {
            return Err(failure.error());
        }
        feed.failures = feed.failures.saturating_add(1);
        if retries > 0 && feed.failures >= retries {
            return Err(Error::fatal(format!(
                "{failure}; this was the last of {retries} tries (query.retry.attempts)"
            )));
        }
        tracing::warn!("{failure}; it is tried again");
        tokio::time::sleep(RETRY).await;
        Ok(())
    }
}

impl Feed {
    fn at(&self) -> Option<SourcePosition> {
        let partition = self.partition.clone()?;
        Some(SourcePosition { partition, offset: self.position.to_map() })
    }
}

impl Running {
    fn records(
        &mut self,
        chunk: Chunk,
        feed: &mut Feed,
        settings: &SourceSettings,
    ) -> Result<Vec<SourceRecord>> {
        if self.mapping.is_none() {
            self.mapping = Some(Mapping::of(&chunk.heads, self.table.as_ref(), settings)?);
        }
        let Some(mapping) = &self.mapping else { return Ok(Vec::new()) };
        let missing =
            |name: &str| Error::fatal(format!("column {name} is not in the answer of {}", feed.topic));
        let mode = self.criteria.mode;
        let id_at = match mode.incrementing {
            true => Some(
                mapping
                    .place(&self.criteria.incrementing)
                    .ok_or_else(|| missing(&self.criteria.incrementing))?,
            ),
            false => None,
        };
        let mut times = Vec::new();
        for name in &self.criteria.timestamps {
            if mode.timestamp {
                times.push(mapping.place(name).ok_or_else(|| missing(name))?);
            }
        }
        let mut records = Vec::with_capacity(chunk.rows.len());
        for row in chunk.rows {
            let mut position = feed.position;
            if let Some(at) = id_at {
                let id = row.get(at).and_then(identity);
                position.incrementing = Some(id.ok_or_else(|| {
                    Error::fatal(format!(
                        "column {} of {} has a value that is no integer of 64 bits",
                        self.criteria.incrementing, feed.topic
                    ))
                })?);
            }
            let time = times
                .iter()
                .filter_map(|at| row.get(*at).filter(|cell| !cell.is_null()))
                .find_map(|cell| instant(cell, &settings.clock));
            let record = Record { value: mapping.row(row)?, ..Record::for_topic(feed.topic.clone()) };
            let record = SourceRecord { record, position: None, token: 0 };
            if mode.timestamp && !mode.incrementing {
                // Rows of one timestamp are one: a restart in between reads all of them again.
                let time =
                    time.ok_or_else(|| Error::fatal(format!("a row of {} has no timestamp", feed.topic)))?;
                if let Some((mut before, at)) = self.held.replace((record, time)) {
                    if at < time {
                        feed.position.timestamp = Some(at);
                    }
                    before.position = feed.at();
                    records.push(before);
                }
                continue;
            }
            if mode.timestamp {
                position.timestamp = time.or(position.timestamp);
            }
            feed.position = position;
            records.push(SourceRecord { position: feed.at(), ..record });
        }
        Ok(records)
    }
}

/// Finds the columns of a table that new rows are told by.
fn settle(criteria: &mut Criteria, table: &Table, settings: &SourceSettings) -> Result<(), Failure> {
    let config = |text: String| Failure::new(FailureKind::Config, text);
    let missing = |name: &str| config(format!("table {} has no column {name}", table.id));
    if criteria.mode.incrementing {
        let column = if criteria.incrementing.is_empty() {
            table.columns.iter().find(|column| column.autoincrement).ok_or_else(|| {
                config(format!(
                    "table {} has no column that counts up: set incrementing.column.name",
                    table.id
                ))
            })?
        } else {
            table.column(&criteria.incrementing).ok_or_else(|| missing(&criteria.incrementing))?
        };
        if settings.validate && column.nullable {
            return Err(config(format!(
                "Cannot make incremental queries using incrementing column {} on {} because this column is nullable.",
                column.name, table.id
            )));
        }
        criteria.incrementing.clone_from(&column.name);
    }
    if criteria.mode.timestamp {
        let mut nullable = true;
        for name in &mut criteria.timestamps {
            let column = table.column(name).ok_or_else(|| missing(name))?;
            nullable &= column.nullable;
            name.clone_from(&column.name);
        }
        if settings.validate && nullable {
            return Err(config(format!(
                "Cannot make incremental queries using timestamp columns [{}] on {} because all of these columns nullable.",
                criteria.timestamps.join(", "),
                table.id
            )));
        }
    }
    Ok(())
}

/// A session whose zone is that of the configuration, and the settings for the database that the driver reported, where
/// it is another one than was known.
pub(super) async fn open(
    settings: &SourceSettings,
) -> Result<(Box<dyn Session>, Option<SourceSettings>), Failure> {
    let mut session = connect(&settings.connection).await?;
    let reported = session.dialect().filter(|dialect| *dialect != settings.statements.dialect);
    let found = reported.map(|dialect| settings.for_dialect(dialect));
    let settings = found.as_ref().unwrap_or(settings);
    if settings.statements.dialect.is_postgres() {
        // So that a wall clock's reading can be compared with instants.
        let zone = Cell::Text(settings.zone.clone().into());
        session.run("SELECT set_config('TimeZone', ?, false)", &[zone]).await?;
    }
    let config =
        |detail: String| Failure::new(FailureKind::Config, format!("transaction.isolation.mode: {detail}"));
    if let Some(statement) = settings.isolate().map_err(config)? {
        session.execute(&statement).await?;
    }
    Ok((session, found))
}

/// The database's time, in microseconds.
async fn now(session: &mut dyn Session, settings: &SourceSettings) -> Result<i64, Failure> {
    let dialect = settings.statements.dialect;
    let rows = query(session, dialect.now(), &[], 1).await?;
    let cell = rows.first().and_then(|row| row.first());
    // Over ODBC PostgreSQL's comes as what a clock of the session shows, whose zone is the configured one.
    let utc = crate::data::WallClock::utc();
    let clock = if dialect.is_postgres() { &settings.clock } else { &utc };
    cell.and_then(|cell| instant(cell, clock))
        .ok_or_else(|| Failure::new(FailureKind::Other, "the database does not tell its time"))
}

#[async_trait]
impl SourceTask for QuerySourceTask {
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        let settings = self.settings.clone();
        let due = Instant::now();
        let bulk = settings.mode.is_bulk();
        if settings.query.is_some() {
            let partition = query_partition();
            let found = start.offsets.offsets(std::slice::from_ref(&partition)).await?;
            let position =
                found.first().and_then(Option::as_ref).map_or_else(Position::default, Position::from_map);
            self.feeds.push(Feed {
                table: None,
                topic: settings.prefix.as_str().into(),
                partition: (!bulk).then_some(partition),
                position,
                due,
                failures: 0,
            });
        }
        for name in settings.tables.iter().filter(|_| settings.query.is_none()) {
            let id = TableId::parse(name, settings.statements.dialect.quote());
            let partitions = [table_partition(&id), old_table_partition(&id)];
            let found = start.offsets.offsets(&partitions).await?;
            let position = found.iter().flatten().next().map_or_else(Position::default, Position::from_map);
            let [partition, _] = partitions;
            self.feeds.push(Feed {
                topic: format!("{}{}", settings.prefix, id.table()).into(),
                table: Some(id),
                partition: (!bulk).then_some(partition),
                position,
                due,
                failures: 0,
            });
        }
        self.session = Some(self.open().await.map_err(|failure| failure.error())?);
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        loop {
            if self.running.is_some() {
                match self.next().await {
                    Ok(Some(records)) if !records.is_empty() => return Ok(records),
                    Ok(_) => continue,
                    Err(error) => return Err(error),
                }
            }
            let next = self.feeds.iter().enumerate().min_by_key(|(_, feed)| feed.due);
            let Some((feed, due)) = next.map(|(at, feed)| (at, feed.due)) else {
                return std::future::pending().await;
            };
            tokio::time::sleep_until(due).await;
            if let Err(failure) = self.begin(feed).await {
                self.put_off(feed, &failure).await?;
            }
        }
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.activity.abort();
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        self.feeds.clear();
    }
}

/// Parts tables among at most `max` tasks, as evenly as can be, in their order.
pub(super) fn part(tables: Vec<String>, max: usize) -> Vec<Vec<String>> {
    let groups = max.min(tables.len()).max(1);
    let (each, more) = (tables.len() / groups, tables.len() % groups);
    let mut rest: VecDeque<String> = tables.into();
    (0..groups).map(|group| rest.drain(..each + usize::from(group < more)).collect()).collect()
}
