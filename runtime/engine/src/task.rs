//! What the worker sees of a running task.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::data::Topic;
use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;

/// What a task should be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Moving records.
    Running,
    /// Holding what it has, moving nothing.
    Paused,
    /// Ending: what is in flight is waited for, offsets are committed.
    Stopping,
}

impl Target {
    /// Whether the task is to end.
    #[must_use]
    pub fn is_stopping(self) -> bool {
        self == Target::Stopping
    }
}

/// What a task has become.
#[derive(Debug, Clone)]
pub enum TaskState {
    /// It moves records.
    Running,
    /// It holds.
    Paused,
    /// It ended by an error.
    Failed(Error),
    /// It ended because it was told to.
    Stopped,
}

/// Hears of a task's life. Called from the task's own thread of execution: must not block.
pub trait TaskObserver: Send + Sync {
    /// The task has become `state`. [`TaskState::Failed`] and [`TaskState::Stopped`] are last words.
    fn changed(&self, id: &TaskId, state: TaskState);

    /// An error as it may be shown to whoever reads the log or asks for the task's state.
    fn presentable(&self, error: Error) -> Error {
        error
    }

    /// A record of `topic` was sent or handed to the sink. Called for each topic again after a second, so that what a
    /// user has reset comes back.
    fn topic_used(&self, id: &TaskId, topic: &Topic);
}

/// A running task. Dropping the handle tells the task to stop.
#[derive(Debug)]
pub struct TaskHandle {
    id: TaskId,
    target: watch::Sender<Target>,
    body: AbortHandle,
    join: JoinHandle<()>,
}

/// How long a cancelled task may take to let go of what it holds. Only one that is stuck in the middle of a blocking
/// call takes any time at all.
const CANCELLATION: Duration = Duration::from_secs(1);

impl TaskHandle {
    /// Runs `body` to its end; whatever way that comes, the observer hears of it.
    pub(crate) fn spawn(
        id: TaskId,
        target: watch::Sender<Target>,
        observer: Arc<dyn TaskObserver>,
        body: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Self {
        let inner = tokio::spawn(body);
        let body = inner.abort_handle();
        let task = id.clone();
        let join = tokio::spawn(async move {
            let state = match inner.await {
                Ok(Ok(())) => TaskState::Stopped,
                Ok(Err(error)) => TaskState::Failed(observer.presentable(error)),
                Err(crashed) if crashed.is_cancelled() => TaskState::Stopped,
                Err(crashed) => TaskState::Failed(Error::fatal(format!("the task crashed: {crashed}"))),
            };
            match &state {
                TaskState::Failed(error) => {
                    tracing::error!(task = %task, "task failed: {}", error.trace().trim_end());
                }
                _ => tracing::info!(task = %task, "task ended"),
            }
            observer.changed(&task, state);
        });
        Self { id, target, body, join }
    }

    /// Which task it is.
    #[must_use]
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Tells the task what to do from now on. Once it is stopping it does not go back.
    pub fn set_target(&self, target: Target) {
        self.target.send_if_modified(|current| {
            let change = !current.is_stopping() && *current != target;
            if change {
                *current = target;
            }
            change
        });
    }

    /// Waits for the task's end, at most for `patience`; then it is dropped where it stands, which loses nothing that
    /// was committed. Whether it ended by itself.
    pub async fn stopped(mut self, patience: Duration) -> bool {
        if timeout(patience, &mut self.join).await.is_ok() {
            return true;
        }
        tracing::warn!(task = %self.id, "task did not stop within {} ms and is cancelled", patience.as_millis());
        self.body.abort();
        // Its successor is not to find it still holding a group membership or a file.
        let _ = timeout(CANCELLATION, &mut self.join).await;
        false
    }
}

/// Waits while a task that has not started yet is to hold, as Connect does not start a paused task either. False if it
/// is to stop, or nobody is left who could tell.
pub(crate) async fn may_start(
    id: &TaskId,
    target: &mut watch::Receiver<Target>,
    observer: &dyn TaskObserver,
) -> bool {
    loop {
        match *target.borrow_and_update() {
            Target::Running => return true,
            Target::Stopping => return false,
            Target::Paused => observer.changed(id, TaskState::Paused),
        }
        if target.changed().await.is_err() {
            return false;
        }
    }
}
