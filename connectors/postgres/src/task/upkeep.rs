//! What a running stream keeps: a connection to ask the catalogue, and things that are due from time to time.

use std::time::{Duration, Instant};

use lavka_api::data::SourceRecord;
use lavka_api::{Error, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::context::{Context, now_nanos};
use crate::config::Settings;
use crate::database::named;
use crate::event::Emitter;

/// How long a silent server has to answer, whatever `status.update.interval.ms` says.
const SHORTEST_ANSWER: Duration = Duration::from_secs(2);
pub(super) const LONGEST_ANSWER: Duration = Duration::from_secs(30);

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

/// What has to be done from time to time, whatever the stream brings.
#[derive(Debug)]
pub(super) struct Upkeep {
    heartbeat: Option<Every>,
    xmin: Option<Every>,
    /// When the server was last heard of, or asked whether it is there.
    probed: Option<Every>,
}

impl Upkeep {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            heartbeat: Every::millis(settings.records.heartbeat_interval_ms.into()),
            xmin: Every::millis(settings.replication.xmin_fetch_interval_ms),
            probed: Every::millis(settings.replication.status_update_interval_ms.max(1).into()),
        }
    }

    /// The server was heard of.
    pub(super) fn heard(&mut self, now: Instant) {
        if let Some(probed) = &mut self.probed {
            probed.last = now;
        }
    }

    /// How long to wait for the stream, at most `wait`.
    pub(super) fn wait(&self, wait: Duration) -> Duration {
        self.heartbeat.map_or(wait, |heartbeat| wait.min(heartbeat.interval))
    }

    /// Asks a server that has been silent whether it is still there: of a network that lets nothing through, a connection
    /// that only listens learns nothing.
    pub(super) async fn probe(&mut self, catalogue: &mut Catalogue, context: &Context) -> Result<()> {
        let now = Instant::now();
        let Some(probed) = self.probed.as_mut().filter(|probed| probed.is_due(now)) else { return Ok(()) };
        probed.last = now;
        let place = context.server.place();
        let limit = probed.interval.clamp(SHORTEST_ANSWER, LONGEST_ANSWER);
        let asked = async {
            let connection = catalogue.connection(context).await?;
            let answer = sqlx::raw_sql("SELECT 1").execute(connection).await;
            answer.map_err(|error| named(&error, &format!("asking {place} whether it is there")))
        };
        let outcome = tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| {
            Err(Error::retriable(format!("{place} has been silent, and did not answer within {limit:?}")))
        });
        if outcome.is_err() {
            catalogue.connection = None;
        }
        outcome.map(|_| ())
    }

    /// A heartbeat, if one is due: the action query first, then the record.
    pub(super) async fn beat(
        &mut self,
        catalogue: &mut Catalogue,
        emitter: &Emitter,
        context: &Context,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let now = Instant::now();
        if !self.heartbeat.is_some_and(|heartbeat| heartbeat.is_due(now)) {
            return Ok(());
        }
        if let Some(query) = context.settings.records.heartbeat_action_query.as_deref() {
            let connection = catalogue.connection(context).await?;
            // What the user configured to be run is run as it is.
            let run = sqlx::raw_sql(AssertSqlSafe(query)).execute(connection).await;
            if let Err(error) = run {
                let code =
                    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
                let error = named(&error, "running heartbeat.action.query");
                // The table that it writes to is not there, or the server throws us out.
                if code == "42P01" || error.is_retriable() {
                    catalogue.connection = None;
                    return Err(error);
                }
                tracing::warn!(task = %context.id, "{error}");
            }
        }
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.last = now;
        }
        // Before anything was seen there is nothing to carry.
        if emitter.offset().lsn.is_some() {
            out.push(emitter.recorder().heartbeat(emitter.offset(), now_nanos())?);
        }
        Ok(())
    }

    /// Asks for the slot's `catalog_xmin`, if that is due (`xmin.fetch.interval.ms`).
    pub(super) async fn fetch_xmin(
        &mut self,
        catalogue: &mut Catalogue,
        emitter: &mut Emitter,
        context: &Context,
    ) -> Result<()> {
        let now = Instant::now();
        if !self.xmin.is_some_and(|xmin| xmin.is_due(now)) {
            return Ok(());
        }
        let connection = catalogue.connection(context).await?;
        let failed = |error: sqlx::Error| named(&error, "reading the slot's catalog_xmin");
        let row = sqlx::query(
            "SELECT catalog_xmin::text::int8 FROM pg_catalog.pg_replication_slots WHERE slot_name = $1::name",
        )
        .bind(&context.target.slot)
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
        let xmin = row.map(|row| row.try_get::<Option<i64>, _>(0)).transpose().map_err(failed)?;
        emitter.offset_mut().xmin = xmin.flatten();
        if let Some(every) = &mut self.xmin {
            every.last = now;
        }
        Ok(())
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
