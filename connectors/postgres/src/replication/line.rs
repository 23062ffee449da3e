//! The thread that a replication connection runs on.
//!
//! A server hands every single change to the kernel, and whoever waits for the socket is woken up for each: at a hundred
//! thousand changes a second that costs several times what reading them does. So a connection has a thread with a runtime
//! of its own, which may [rest](rest()) between two reads without holding anything else up; whatever comes meanwhile is
//! read at once afterwards.

use std::io;
use std::sync::mpsc::{self, SendError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// How long is rested after everything that had come was read. It is the most that it delays a change, and what the kernel
/// holds back meanwhile, some ten kilobytes, is far from what makes a server wait.
const REST: Duration = Duration::from_millis(1);

/// A thread with a runtime; both end when it is dropped, and with them what runs there.
pub(super) struct Line {
    runtime: Handle,
    _alive: oneshot::Sender<()>,
}

impl Line {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn open() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel();
        let (give, given) = mpsc::channel::<Runtime>();
        // The thread gets the runtime once it is there: what a thread that cannot be started has taken is dropped here,
        // and a runtime must not be dropped within another.
        let thread = move || {
            let Ok(runtime) = given.recv() else { return };
            // Nothing is ever sent: this waits for the other end to be dropped.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        };
        let started = std::thread::Builder::new().name("pg-replication".to_owned()).spawn(thread);
        if let Err(SendError(runtime)) = give.send(runtime) {
            runtime.shutdown_background();
        }
        started.map(|_| Self { runtime: handle, _alive: alive })
    }

    /// Where to spawn what is to run on the thread.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// Lets data gather in the kernel without being woken up for it. Only on a thread of its own: it blocks.
pub(super) fn rest() {
    std::thread::sleep(REST);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_runs_on_a_line_has_its_thread_and_ends_with_it() {
        let line = Line::open().unwrap();
        let name =
            line.runtime().spawn(async { std::thread::current().name().map(str::to_owned) }).await.unwrap();
        assert_eq!(name.as_deref(), Some("pg-replication"));
        let (held, ended) = oneshot::channel::<()>();
        line.runtime().spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drop(line);
        assert!(ended.await.is_err(), "the task was dropped");
    }
}
