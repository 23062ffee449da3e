//! Which transactions of the stream readers see, and up to where the log has what they see: what rows that are read beside
//! the stream are compared by, and the bounds of a window without a row in the signal table (`read.only`).

use std::time::{Duration, Instant};

use lavka_api::{Error, Result};
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::database::named;
use crate::pgoutput::Lsn;

/// How long to wait for a transaction that has come by in the stream to be seen by readers: it may wait for a standby.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);
/// Bytes in a page of the log, as servers are built.
const PAGE: u64 = 8192;
/// The longest header of a page.
const PAGE_HEADER: u64 = 40;

/// What `txid_current_snapshot` says, in 64-bit transaction ids.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PgSnapshot {
    /// Everything below is over.
    xmin: u64,
    /// Nothing from here on is.
    xmax: u64,
    /// What of that between is not over.
    running: Vec<u64>,
}

impl PgSnapshot {
    /// Reads `xmin:xmax:xid,xid`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (xmin, xmax) = (number()?, number()?);
        let list = parts.next()?;
        let ids = list.split(',').filter(|id| !id.is_empty());
        let running = ids.map(|id| id.parse().ok()).collect::<Option<Vec<u64>>>()?;
        Some(Self { xmin, xmax, running })
    }

    /// Whether readers see the transaction `xid`, of which the stream tells the lower 32 bits; it is one of the last two
    /// billion.
    fn sees(&self, xid: u32) -> bool {
        const EPOCH: u64 = 1 << 32;
        let near = (self.xmax & !(EPOCH - 1)) | u64::from(xid);
        let whole = if near > self.xmax.saturating_add(EPOCH / 2) {
            near.saturating_sub(EPOCH)
        } else if near.saturating_add(EPOCH / 2) < self.xmax {
            near.saturating_add(EPOCH)
        } else {
            near
        };
        whole < self.xmin || (whole < self.xmax && !self.running.contains(&whole))
    }
}

/// Waits until readers see all of `passed`: transactions that have come by in the stream, where a commit is told of a moment
/// before it counts for others. May be dropped while it waits.
///
/// # Errors
/// Where the server cannot be asked, or one of them does not come to be seen.
pub(crate) async fn see(connection: &mut PgConnection, passed: &[u32]) -> Result<()> {
    let failed = |error: sqlx::Error| named(&error, "asking for txid_current_snapshot");
    let begun = Instant::now();
    loop {
        // Under the name that servers before version 13 know too.
        let row = sqlx::query("SELECT pg_catalog.txid_current_snapshot()::text").fetch_one(&mut *connection);
        let text: String = row.await.and_then(|row| row.try_get(0)).map_err(failed)?;
        let snapshot = PgSnapshot::parse(&text).ok_or_else(|| {
            Error::fatal(format!("txid_current_snapshot says {text}, which is no snapshot"))
        })?;
        let Some(unseen) = passed.iter().find(|&&xid| !snapshot.sees(xid)) else { return Ok(()) };
        if begun.elapsed() > PATIENCE {
            return Err(Error::retriable(format!(
                "the transaction {unseen} was committed, but is not seen by others after {PATIENCE:?}: it waits for a \
                 synchronous standby"
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Where the log has everything that readers see now.
///
/// # Errors
/// Where the server cannot be asked.
pub(crate) async fn reached(connection: &mut PgConnection) -> Result<Lsn> {
    let doing = "asking how far the log is written";
    let row = sqlx::query(
        "SELECT (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
         ELSE pg_catalog.pg_current_wal_insert_lsn() END)::text",
    )
    .fetch_one(connection)
    .await
    .map_err(|error| named(&error, doing))?;
    let text: Option<String> = row.try_get(0).map_err(|error| named(&error, doing))?;
    let lsn = text.as_deref().and_then(Lsn::parse);
    lsn.map(behind).ok_or_else(|| Error::retriable(format!("{doing}: the server has not read any of it yet")))
}

/// The end of the last record, where `lsn` is the start of the next one: that lies behind the header of its page.
fn behind(lsn: Lsn) -> Lsn {
    match lsn.0 % PAGE {
        0..=PAGE_HEADER => Lsn(lsn.0 - lsn.0 % PAGE),
        _ => lsn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_tells_which_transactions_are_seen() {
        let snapshot = PgSnapshot::parse("10:20:12,15").unwrap();
        assert_eq!(snapshot, PgSnapshot { xmin: 10, xmax: 20, running: vec![12, 15] });
        let seen = |xid| snapshot.sees(xid);
        assert_eq!([9, 10, 12, 15, 19, 20, 21].map(seen), [true, true, false, false, true, false, false]);
        assert_eq!(PgSnapshot::parse("7:7:").unwrap().running, Vec::<u64>::new());
        for text in ["", "7", "7:8", "7:8:x", "a:8:"] {
            assert_eq!(PgSnapshot::parse(text), None, "{text}");
        }
    }

    #[test]
    fn transaction_ids_of_32_bits_are_those_nearby() {
        let wrapped = PgSnapshot { xmin: (1 << 32) + 3, xmax: (1 << 32) + 9, running: vec![(1 << 32) + 4] };
        assert!(wrapped.sees(u32::MAX), "before the ids began again");
        assert!(wrapped.sees(5) && !wrapped.sees(4) && !wrapped.sees(9));
        let before = PgSnapshot { xmin: (1 << 32) - 2, xmax: (1 << 32) - 2, running: Vec::new() };
        assert!(!before.sees(5), "after they will have begun again");
        assert!(before.sees(u32::MAX - 9));
    }

    #[test]
    fn the_header_of_a_page_is_no_record() {
        assert_eq!(behind(Lsn(3 * PAGE + 24)), Lsn(3 * PAGE));
        assert_eq!(behind(Lsn(3 * PAGE + 41)), Lsn(3 * PAGE + 41));
    }
}
