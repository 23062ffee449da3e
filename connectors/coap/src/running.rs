//! A loop that runs beside its task.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long the last messages may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// A loop on the runtime of whoever spawned it. Dropping it ends it at once, and closes its socket.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// Runs the loop that `run` makes; it ends when what it is given turns true.
    pub(crate) fn spawn<F>(run: impl FnOnce(watch::Receiver<bool>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopping) = watch::channel(false);
        Self { stop, task: tokio::spawn(run(stopping)) }
    }

    /// Lets the loop end in its own way, within bounded time.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = timeout(FAREWELL, &mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
