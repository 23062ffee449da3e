//! What is counted and measured of a running stream.

use std::time::{Duration, Instant};

use super::context::{Context, now_nanos};
use super::upkeep::{Catalogue, LONGEST_ANSWER};
use super::watch::look;
use crate::event::Change;
use crate::metrics::{count, number};
use crate::offset::Offset;
use crate::pgoutput::Begin;
use crate::replication::Load;

/// How often the slot is looked at.
const WATCH: Duration = Duration::from_secs(10);
/// How often what takes work is worked out.
const TICK: Duration = Duration::from_secs(1);

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// It became records.
    Records,
    /// Nothing of it is wanted.
    Nothing,
    /// It changed nothing, and such changes are not wanted.
    Unchanged,
    /// It could not be made a record.
    Failed,
}

/// When what was measured.
#[derive(Debug, Default)]
pub(super) struct Measuring {
    /// When the slot was looked at.
    watched: Option<Instant>,
    /// When the rest was worked out.
    ticked: Option<Instant>,
    /// A change came since the last look at the clock.
    changed: bool,
}

impl Measuring {
    /// A transaction begins.
    pub(super) fn begin(begin: &Begin, context: &Context) {
        let behind = now_nanos() / 1_000_000 - begin.commit_micros / 1000;
        context.metrics.stream.behind(u64::try_from(behind).unwrap_or_default());
        context.metrics.stream.last_transaction.set(f64::from(begin.xid));
    }

    /// A change came.
    pub(super) fn count(&mut self, change: &Change<'_>, became: Became, context: &Context) {
        let metrics = &context.metrics.stream;
        metrics.events.add(1);
        match change {
            Change::Insert(_) => metrics.created.add(1),
            Change::Update(_) => metrics.updated.add(1),
            Change::Delete(_) => metrics.deleted.add(1),
            Change::Truncate(_) => metrics.truncated.add(1),
            Change::Logical(_) => {}
        }
        match became {
            Became::Failed => metrics.erroneous.add(1),
            Became::Nothing => metrics.filtered.add(1),
            Became::Unchanged => metrics.unchanged.add(1),
            Became::Records => self.changed = true,
        }
    }

    /// Sets what is measured: the queue, once a second what takes work, and from time to time the slot.
    pub(super) async fn measure(
        &mut self,
        load: Load,
        offset: &Offset,
        catalogue: &mut Catalogue,
        context: &Context,
    ) {
        let metrics = &context.metrics.stream;
        metrics.capacity.set(count(load.bounds.frames));
        metrics.room.set(count(load.bounds.frames.saturating_sub(load.frames)));
        metrics.capacity_bytes.set(count(load.bounds.bytes));
        metrics.queued_bytes.set(count(load.bytes));
        let now = Instant::now();
        if std::mem::take(&mut self.changed) {
            metrics.last.mark(now);
        }
        if is_over(self.ticked, now, TICK) {
            self.ticked = Some(now);
            metrics.tick(now);
            context.metrics.snapshot.tick(now);
            let numbers = [("lsn", offset.lsn.map(|lsn| number(lsn.0))), ("txId", offset.tx_id.map(signed))];
            for (key, value) in numbers.into_iter().filter_map(|(key, value)| Some((key, value?))) {
                metrics.position.set(key, value);
            }
        }
        if !is_over(self.watched, now, WATCH) {
            return;
        }
        self.watched = Some(now);
        let looked = async {
            let Ok(connection) = catalogue.connection(context).await else { return false };
            look(connection, &context.target.slot, &context.metrics.slot).await
        };
        if !tokio::time::timeout(LONGEST_ANSWER, looked).await.unwrap_or(false) {
            catalogue.connection = None;
        }
    }
}

fn is_over(last: Option<Instant>, now: Instant, interval: Duration) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= interval)
}

fn signed(value: i64) -> f64 {
    number(u64::try_from(value).unwrap_or_default())
}
