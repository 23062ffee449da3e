//! A source connector in the hands of the suite: used as the engine uses it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, SourceRecord};
use lavka_api::plugin::{
    ConnectorContext, DeliveryListener, Factory, Plugin, SourceConnector, SourceTask, SourceTaskStart, TaskId,
};

use super::offsets::OffsetStore;
use super::{GRACE, PATIENCE, done, within};

/// A record and the task that handed it out.
#[derive(Clone, Debug)]
pub(super) struct Handed {
    pub(super) task: usize,
    pub(super) record: SourceRecord,
}

struct RunningTask {
    task: Box<dyn SourceTask>,
    listener: Option<Arc<dyn DeliveryListener>>,
}

/// A started connector with its started tasks. Dropping it is what a kill is: nothing more is called.
pub(super) struct SourceRun {
    connector: Box<dyn SourceConnector>,
    tasks: Vec<RunningTask>,
    store: OffsetStore,
    /// How long records may take to come.
    patience: Duration,
}

pub(super) fn connector(plugin: &Plugin) -> Result<Box<dyn SourceConnector>, String> {
    match plugin.factory {
        Factory::Source(make) => Ok(make()),
        _ => Err("this is no source connector".into()),
    }
}

/// Records that `task` handed out. Places without a record are left out, as if the task ended before they were committed.
fn handed(records: Vec<SourceRecord>, task: usize) -> Vec<Handed> {
    let sent = records.into_iter().filter(|record| !record.is_progress());
    sent.map(|record| Handed { task, record }).collect()
}

/// A context that takes requests for new task configurations and does nothing about them.
pub(super) fn context() -> ConnectorContext {
    ConnectorContext::new("acceptance", || {})
}

pub(super) fn task_id(task: usize) -> TaskId {
    TaskId { connector: "acceptance".into(), task: u32::try_from(task).unwrap_or(u32::MAX) }
}

impl SourceRun {
    /// Starts the connector and at most `max_tasks` tasks, which find their offsets in `store`.
    pub(super) async fn start(
        plugin: &Plugin,
        config: &Config,
        max_tasks: u32,
        store: &OffsetStore,
        patience: Duration,
    ) -> Result<Self, String> {
        let mut connector = connector(plugin)?;
        done(PATIENCE, "the connector's start", connector.start(context(), config)).await?;
        let configs = done(PATIENCE, "task_configs", connector.task_configs(max_tasks)).await?;
        let mut tasks = Vec::new();
        for (number, config) in configs.iter().enumerate() {
            let mut task =
                connector.task(config).map_err(|error| format!("task {number} cannot be made: {error}"))?;
            let start = SourceTaskStart { id: task_id(number), offsets: Arc::new(store.clone()) };
            done(PATIENCE, "the task's start", task.start(start)).await?;
            let listener = task.delivery_listener();
            tasks.push(RunningTask { task, listener });
        }
        if tasks.is_empty() {
            return Err("task_configs gives no task for the sample".into());
        }
        Ok(Self { connector, tasks, store: store.clone(), patience })
    }

    /// The next batch of any task. With one task a `poll` is never dropped here.
    async fn next(&mut self) -> Result<Vec<Handed>, String> {
        let mut polls: Vec<_> = self.tasks.iter_mut().map(|running| running.task.poll()).collect();
        let (task, records) = std::future::poll_fn(|context| {
            let ready =
                polls.iter_mut().enumerate().find_map(|(at, poll)| match poll.as_mut().poll(context) {
                    Poll::Ready(records) => Some((at, records)),
                    Poll::Pending => None,
                });
            ready.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        let records = records.map_err(|error| format!("poll failed: {error}"))?;
        Ok(handed(records, task))
    }

    /// Polls until `count` records have come; whole batches, so some more may.
    pub(super) async fn take(&mut self, count: usize) -> Result<Vec<Handed>, String> {
        let mut taken = Vec::new();
        self.take_until(&mut taken, |taken| taken.len() >= count).await.map_err(|found| {
            let came = taken.len();
            format!("{came} of {count} records came: {found}")
        })?;
        Ok(taken)
    }

    /// Polls until there is `enough`.
    pub(super) async fn take_until(
        &mut self,
        taken: &mut Vec<Handed>,
        enough: impl Fn(&[Handed]) -> bool,
    ) -> Result<(), String> {
        let patience = self.patience;
        let all = async {
            while !enough(taken) {
                taken.extend(self.next().await?);
            }
            Ok(())
        };
        within(patience, "poll", all).await?
    }

    /// What comes within a short while, where nothing should; and how often `poll` came back.
    pub(super) async fn linger(&mut self) -> Result<(Vec<Handed>, usize), String> {
        let (mut taken, mut returns) = (Vec::new(), 0);
        let all = async {
            loop {
                taken.extend(self.next().await?);
                returns += 1;
                // A `poll` that is always ready must not keep the limit from being seen.
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(Duration::from_millis(60), all).await {
            Ok(Err(found)) => Err(found),
            Ok(Ok::<std::convert::Infallible, String>(never)) => match never {},
            Err(_) => Ok((taken, returns)),
        }
    }

    /// Polls the first task's future at most `times` times and drops it.
    pub(super) async fn poll_partly(&mut self, times: usize) -> Result<Option<Vec<Handed>>, String> {
        let Some(running) = self.tasks.first_mut() else { return Ok(None) };
        let mut poll: Pin<Box<_>> = running.task.poll();
        let mut left = times;
        let some = std::future::poll_fn(|context| match poll.as_mut().poll(context) {
            Poll::Ready(records) => Poll::Ready(Some(records)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => {
                left -= 1;
                Poll::Pending
            }
        });
        match tokio::time::timeout(Duration::from_millis(5), some).await {
            Ok(Some(Ok(records))) => Ok(Some(handed(records, 0))),
            Ok(Some(Err(error))) => Err(format!("poll failed: {error}")),
            Ok(None) | Err(_) => Ok(None),
        }
    }

    /// What Kafka's acknowledgement sets off: the listener hears of every record, then of the offsets.
    pub(super) fn acknowledge(&self, records: &[Handed]) -> Result<(), String> {
        self.deliver(records);
        self.commit(records)
    }

    /// Tells the listeners that `records`, in this order, need nothing more.
    pub(super) fn deliver(&self, records: &[Handed]) {
        for Handed { task, record } in records {
            if let Some(listener) = self.tasks.get(*task).and_then(|running| running.listener.as_ref()) {
                listener.delivered(&[record.token]);
            }
        }
    }

    /// Commits the offsets behind `records`, in the order in which they were handed out.
    pub(super) fn commit(&self, records: &[Handed]) -> Result<(), String> {
        for (number, running) in self.tasks.iter().enumerate() {
            let mut newest: Vec<(OffsetMap, OffsetMap)> = Vec::new();
            for position in
                records.iter().filter(|it| it.task == number).filter_map(|it| it.record.position.as_ref())
            {
                self.store.commit(position)?;
                newest.retain(|(partition, _)| *partition != position.partition);
                newest.push((position.partition.clone(), position.offset.clone()));
            }
            if let Some(listener) = running.listener.as_ref().filter(|_| !newest.is_empty()) {
                listener.committed(&newest);
            }
        }
        Ok(())
    }

    /// Stops the tasks and the connector.
    pub(super) async fn stop(mut self) -> Result<(), String> {
        for running in &mut self.tasks {
            within(GRACE, "the task's stop", running.task.stop()).await?;
        }
        within(GRACE, "the connector's stop", self.connector.stop()).await
    }
}
