//! What the slot costs the server, looked at from time to time.

use std::time::Duration;

use lavka_api::Result;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::database::named;
use crate::metrics::{SlotMetrics, flag};

/// The longest wait for the answer. Who calls bounds the whole look, a connection that has to be opened first included.
const PATIENCE: Duration = Duration::from_secs(5);

/// The row as JSON, since its columns differ from version to version; and how far the server has written beyond it.
const LOOK: &str = "
    SELECT to_jsonb(s)::text, pg_catalog.pg_wal_lsn_diff(now.lsn, s.confirmed_flush_lsn)::float8, \
           pg_catalog.pg_wal_lsn_diff(now.lsn, s.restart_lsn)::float8
    FROM pg_catalog.pg_replication_slots s, \
         (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() \
                      ELSE pg_catalog.pg_current_wal_lsn() END AS lsn) now
    WHERE s.slot_name = $1::name";

/// Looks at the slot `name` and sets what was found. Whether the connection can be used again; what goes wrong is logged.
pub(super) async fn look(connection: &mut PgConnection, name: &str, metrics: &SlotMetrics) -> bool {
    match tokio::time::timeout(PATIENCE, measure(connection, name, metrics)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!("{error}");
            false
        }
        Err(_) => {
            tracing::debug!("looking at the replication slot {name} took longer than {PATIENCE:?}");
            false
        }
    }
}

async fn measure(connection: &mut PgConnection, name: &str, metrics: &SlotMetrics) -> Result<()> {
    let failed = |error: sqlx::Error| named(&error, &format!("looking at the replication slot {name}"));
    let row = sqlx::query(LOOK).bind(name).fetch_optional(connection).await.map_err(failed)?;
    let Some(row) = row else {
        metrics.wal_status.set(-1.0);
        return Ok(());
    };
    let text: String = row.try_get(0).map_err(failed)?;
    let slot: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let bytes = |index: usize| row.try_get::<Option<f64>, _>(index).map(|bytes| bytes.unwrap_or(f64::NAN));
    metrics.lag_bytes.set(bytes(1).map_err(failed)?);
    metrics.retained_bytes.set(bytes(2).map_err(failed)?);
    metrics.safe_bytes.set(slot["safe_wal_size"].as_f64().unwrap_or(f64::NAN));
    metrics.active.set(flag(slot["active"].as_bool().unwrap_or_default()));
    metrics.wal_status.set(match slot["wal_status"].as_str() {
        Some("extended") => 1.0,
        Some("unreserved") => 2.0,
        Some("lost") => 3.0,
        _ => 0.0,
    });
    Ok(())
}
