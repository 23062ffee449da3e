//! Threads of their own for what talks to databases.
//!
//! A task that decodes a poll keeps its thread of the worker's runtime busy for milliseconds. Whatever it wakes up waits on
//! that thread until it is done, as does the answer of a database, where nobody else happens to wait for sockets: the
//! database would be idle meanwhile. So connections, and what writes to them ahead of the task, belong to a runtime of their
//! own, which all tasks share (`runtime/adr/0019-threads-for-databases.md`).

use std::sync::OnceLock;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

/// Made by the first task, and there until the process ends. `None` where the system has no more threads.
static THREADS: OnceLock<Option<Runtime>> = OnceLock::new();

/// The runtime of the threads; the caller's own where there are none. Within a runtime only.
pub(super) fn handle() -> Handle {
    let threads = THREADS.get_or_init(|| {
        let count = available_parallelism().map_or(1, usize::from);
        let made = Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name("warehouse-sink")
            .enable_all()
            .build();
        made.inspect_err(|error| {
            tracing::warn!(
                "no threads for writing to databases, which shares those of the worker now and is slower: {error}"
            );
        })
        .ok()
    });
    threads.as_ref().map_or_else(Handle::current, |threads| threads.handle().clone())
}

/// Does `work` on the threads; where the caller stops waiting, it ends. `None` where it panicked.
pub(super) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let mut only = JoinSet::new();
    only.spawn_on(work, &handle());
    only.join_next().await?.ok()
}
