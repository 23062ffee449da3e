//! What all phases of a task share.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lavka_api::Result;
use lavka_api::plugin::{TaskId, Topics};
use tokio::sync::watch;

use crate::config::{Settings, run};
use crate::database::Server;
use crate::event::EventSettings;
use crate::metrics::Metrics;
use crate::replication::Target;

/// The task's configuration, in the forms in which it is needed.
pub(super) struct Context {
    pub(super) id: TaskId,
    pub(super) settings: Settings,
    pub(super) events: EventSettings,
    pub(super) server: Server,
    pub(super) target: Target,
    /// What the server may forget.
    pub(super) confirmed: watch::Receiver<u64>,
    /// Records of the stream that are handed out at once.
    pub(super) batch: usize,
    pub(super) metrics: Metrics,
    /// How topics are read, where there is Kafka.
    pub(super) topics: Option<Arc<dyn Topics>>,
}

impl Context {
    /// A context of a task that hands out `max.batch.size` changes at once, but not more than `most`.
    ///
    /// # Errors
    /// Where the configuration is wrong.
    pub(super) fn new(
        settings: Settings,
        id: TaskId,
        confirmed: watch::Receiver<u64>,
        most: usize,
        metrics: Metrics,
        topics: Option<Arc<dyn Topics>>,
    ) -> Result<Self> {
        let millis = u64::try_from(now_nanos() / 1_000_000).unwrap_or_default();
        let random = (u128::from(random()) << 64) | u128::from(random());
        let events = settings.events(run(id.task, millis, random))?;
        let (server, target) = (Server::new(&settings), Target::new(&settings));
        let batch = usize::try_from(settings.run.max_batch_size).unwrap_or(most).clamp(1, most);
        Ok(Self { id, settings, events, server, target, confirmed, batch, metrics, topics })
    }

    /// How long a poll waits.
    pub(super) fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.settings.run.poll_interval_ms.max(1).unsigned_abs())
    }

    /// Drops the slot (`slot.drop.on.stop`); what goes wrong is logged.
    pub(super) async fn drop_slot(&self) {
        let slot = &self.target.slot;
        let dropped = async {
            let mut connection = self.server.connect().await?;
            // The server lets go of a slot a moment after its reader has gone.
            let mut last = Ok(());
            for _ in 0..20 {
                let outcome = sqlx::query("SELECT pg_drop_replication_slot($1::name)")
                    .bind(slot)
                    .execute(&mut connection)
                    .await;
                last = outcome
                    .map(drop)
                    .map_err(|error| crate::database::named(&error, &format!("dropping the slot {slot}")));
                match &last {
                    Err(error) if error.is_retriable() => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    _ => break,
                }
            }
            last
        };
        if let Err(error) = dropped.await {
            tracing::warn!(task = %self.id, "slot.drop.on.stop: {error}");
        }
    }
}

/// The wall clock in nanoseconds of the Unix epoch.
pub(super) fn now_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// 64 random bits: the standard library seeds its hashers with them.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(now_nanos())
}

/// A UUID of version 4: the name of a window or a notification.
pub(super) fn uuid() -> String {
    let (high, low) = (random(), random());
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
