//! What a running stream keeps: a connection to ask the catalogue, and things that are due from time to time.

use std::time::{Duration, Instant};

use lavka_api::{Error, Result};
use sqlx::postgres::PgConnection;

use super::context::Context;

/// The connection on which the catalogue is asked while the stream runs.
pub(super) struct Catalogue {
    pub(super) connection: Option<PgConnection>,
    pub(super) version: i32,
    pub(super) comments: bool,
}

impl Catalogue {
    pub(super) async fn connection(&mut self, context: &Context) -> Result<&mut PgConnection> {
        if self.connection.is_none() {
            self.connection = Some(context.server.connect().await?);
        }
        self.connection.as_mut().ok_or_else(|| Error::retriable("there is no connection to the catalogue"))
    }
}

/// Something that is due from time to time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Every {
    pub(super) interval: Duration,
    pub(super) last: Instant,
}

impl Every {
    pub(super) fn millis(interval: i64) -> Option<Self> {
        let interval = Duration::from_millis(u64::try_from(interval).ok().filter(|&millis| millis > 0)?);
        Some(Self { interval, last: Instant::now() })
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= self.interval
    }
}
