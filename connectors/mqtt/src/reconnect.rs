//! One connection after another, until there is to be none: what source and sink have in common.

use std::time::Duration;

use lavka_api::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::Backoff;
use crate::environment::Environment;
use crate::refusal::{Cause, Loss, judge};
use crate::server::Server;
use crate::settings::Settings;

/// How long the last requests and the good-bye may take.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// How a connection ended.
pub(crate) enum End {
    /// As asked.
    Stopped,
    /// It was lost, after having been up that long, if at all.
    Lost(Cause, Option<Duration>),
}

/// Who has connections.
pub(crate) trait Serve {
    /// One connection, from beginning to end.
    async fn serve(&mut self, server: &Server) -> End;

    /// There is none for a while, and why.
    fn lost(&mut self, why: String);

    /// There will be none.
    fn failed(&mut self, error: Error);
}

/// Has `session` serve connections to the servers of `settings`, until it or `stopping` says that it is enough, or a server
/// refuses for good. The servers are tried in their order, with longer and longer waits between the rounds.
pub(crate) async fn keep_connected(
    session: &mut impl Serve,
    settings: &Settings,
    environment: Environment,
    mut stopping: watch::Receiver<bool>,
) {
    let (first, longest) = settings.backoff;
    let mut backoff = Backoff::new(first, longest);
    loop {
        for server in &settings.servers {
            let (cause, lifetime) = match session.serve(server).await {
                End::Stopped => return,
                End::Lost(cause, lifetime) => (cause, lifetime),
            };
            match judge(cause, settings, server) {
                Loss::ForGood(error) => {
                    tracing::error!(task = %settings.task, "{error}");
                    return session.failed(error);
                }
                Loss::Passing(text) => {
                    tracing::warn!(task = %settings.task, "{text}");
                    session.lost(text);
                }
            }
            if let Some(lifetime) = lifetime {
                // It did answer: after a while, begin again with the server that was named first.
                backoff.connection_ended(lifetime);
                break;
            }
        }
        let wait = backoff.next((environment.random)());
        tracing::info!(task = %settings.task, "connecting to MQTT again in {} ms", wait.as_millis());
        tokio::select! {
            () = sleep(wait) => {}
            () = told(&mut stopping) => return,
        }
    }
}

/// Waits until the connection is to end.
pub(crate) async fn told(stopping: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could tell, which is the same.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Waits for a point in time; for ever where there is none.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
