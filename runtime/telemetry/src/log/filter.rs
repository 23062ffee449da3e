//! Decides which events are logged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Levels as the filter reads them. A table never changes; another one takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    root: LevelFilter,
    /// Loggers, by dotted name, that differ from what is above them; longer names first.
    entries: Vec<(String, LevelFilter)>,
    loudest: LevelFilter,
}

impl Table {
    pub(super) fn new(root: LevelFilter, mut entries: Vec<(String, LevelFilter)>) -> Self {
        entries.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let loudest = entries.iter().map(|(_, level)| *level).max().unwrap_or(root).max(root);
        Self { root, entries, loudest }
    }

    /// What the target lets through.
    pub(super) fn level(&self, target: &str) -> LevelFilter {
        let entry = self.entries.iter().find(|(name, _)| is_target_below(target, name));
        entry.map_or(self.root, |(_, level)| *level)
    }

    fn lets_through(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.loudest && *metadata.level() <= self.level(metadata.target())
    }
}

/// Whether `target`, a path with `::` or dots, is the dotted `name` or below it.
fn is_target_below(target: &str, name: &str) -> bool {
    let separated = |rest: &'_ str| -> Option<usize> {
        if rest.starts_with("::") {
            Some(2)
        } else if rest.starts_with('.') {
            Some(1)
        } else {
            None
        }
    };
    let mut rest = target;
    for (i, part) in name.split('.').enumerate() {
        if i > 0 {
            match separated(rest) {
                Some(length) => rest = rest.get(length..).unwrap_or_default(),
                None => return false,
            }
        }
        match rest.strip_prefix(part) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty() || separated(rest).is_some()
}

/// What the filter and the control share.
#[derive(Debug)]
pub(super) struct Shared {
    table: RwLock<Arc<Table>>,
    /// Targets seen so far that the control has not been told of.
    seen: Mutex<Vec<&'static str>>,
    /// Until the log is installed, everything counts as let through: the `log` crate takes its level from that moment
    /// for good, and this filter is asked about its records later.
    starting: AtomicBool,
}

impl Shared {
    pub(super) fn new(table: Table) -> Self {
        Self {
            table: RwLock::new(Arc::new(table)),
            seen: Mutex::new(Vec::new()),
            starting: AtomicBool::new(true),
        }
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts `table` in the place of the one before. It is in force for all log statements after [`ask_anew`].
    pub(super) fn replace(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    /// The log is installed.
    pub(super) fn started(&self) {
        self.starting.store(false, Ordering::Relaxed);
        ask_anew();
    }

    /// Takes the targets seen since the last call.
    pub(super) fn take_seen(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Has `tracing` ask about every log statement again. Leads to [`LevelFilterLayer::register_callsite`], so no lock that
/// is taken there may be held.
pub(super) fn ask_anew() {
    tracing::callsite::rebuild_interest_cache();
}

/// The layer that asks the table.
///
/// `tracing` keeps the answer per log statement and asks again when the table was replaced, so the table is not read
/// when something is logged. Records of the `log` crate come with targets of their own and are looked up each time.
pub(super) struct LevelFilterLayer(pub(super) Arc<Shared>);

impl<S: Subscriber> Layer<S> for LevelFilterLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(&metadata.target()) {
            seen.push(metadata.target());
        }
        drop(seen);
        if self.0.table().lets_through(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.0.table().lets_through(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.0.starting.load(Ordering::Relaxed) {
            LevelFilter::TRACE
        } else {
            self.0.table().loudest
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_go_by_the_nearest_name() {
        let table = Table::new(
            LevelFilter::INFO,
            vec![
                ("a".into(), LevelFilter::WARN),
                ("a.b".into(), LevelFilter::TRACE),
                ("c".into(), LevelFilter::OFF),
            ],
        );
        for (target, level) in [
            ("a", LevelFilter::WARN),
            ("a::x", LevelFilter::WARN),
            ("a::b", LevelFilter::TRACE),
            ("a::b::c", LevelFilter::TRACE),
            ("a.b.c", LevelFilter::TRACE),
            ("a::bc", LevelFilter::WARN),
            ("ab", LevelFilter::INFO),
            ("c::d", LevelFilter::OFF),
            ("", LevelFilter::INFO),
        ] {
            assert_eq!(table.level(target), level, "{target}");
        }
        assert_eq!(table.loudest, LevelFilter::TRACE);
    }
}
