//! Where the connection lives: a thread and a runtime of its own.
//!
//! Decoding a poll takes a thread of the worker's runtime for milliseconds, and with it, as often as not, whoever looks for
//! what comes over the network: a database in the middle of a `COPY` would wait for all that time.

use lavka_api::{Error, Result};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::driver::{Failure, FailureKind, Session, connect};
use crate::settings::Connection;

/// A runtime with one thread, which ends with the value.
pub(super) struct Home(Option<Runtime>);

impl Home {
    /// # Errors
    /// Where the system has no more threads.
    pub(super) fn new() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("warehouse-writer")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::fatal(format!("a thread for the connection cannot be started: {error}"))
            })?;
        Ok(Self(Some(runtime)))
    }

    pub(super) fn handle(&self) -> Result<&Handle> {
        self.0.as_ref().map(Runtime::handle).ok_or_else(|| Error::fatal("the connection's thread has ended"))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Waiting for its thread is not allowed on a thread of the worker's runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Opens a session whose network is looked after by `home`.
pub(super) async fn connect_at(home: &Handle, connection: &Connection) -> Result<Box<dyn Session>, Failure> {
    let connection = connection.clone();
    match home.spawn(async move { connect(&connection).await }).await {
        Ok(outcome) => outcome,
        Err(error) => {
            Err(Failure::new(FailureKind::Other, format!("connecting ended without a result: {error}")))
        }
    }
}
