//! Levels that change while the worker runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::level_filters::LevelFilter;

use super::filter::{LevelFilterLayer, Shared, Table, ask_anew};
use super::{LogConfig, LogLevel, java};

/// The name of the logger above all others.
pub const ROOT: &str = "root";

/// The level of a logger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggerLevel {
    /// The level in force.
    pub level: LogLevel,
    /// When it was set, in epoch milliseconds; `None` for what it was at the start or takes from above.
    pub last_modified: Option<i64>,
}

/// Reads and sets the levels of loggers. Clones share them.
#[derive(Debug, Clone)]
pub struct LogControl {
    shared: Arc<Shared>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    root: LoggerLevel,
    /// Loggers with a level of their own, by dotted name; Java's names too.
    loggers: BTreeMap<String, LoggerLevel>,
    /// Loggers that something logs with.
    known: BTreeSet<String>,
}

impl State {
    /// The level in force for `name`: its own, or the nearest above it.
    fn effective(&self, name: &str) -> LogLevel {
        let mut name = name;
        loop {
            if let Some(own) = self.loggers.get(name) {
                return own.level;
            }
            match name.rsplit_once('.') {
                Some((above, _)) => name = above,
                None => return self.root.level,
            }
        }
    }

    /// The loggers that a level for `name` is for.
    fn affected(&self, name: &str) -> BTreeSet<String> {
        let every = || self.known.iter().chain(self.loggers.keys());
        if name == ROOT {
            return every().cloned().chain([ROOT.to_owned()]).collect();
        }
        let mut affected: BTreeSet<String> =
            every().filter(|known| known.starts_with(name)).cloned().collect();
        affected.insert(name.to_owned());
        for logger in java::loggers(name) {
            affected.extend(every().filter(|known| java::is_at_or_below(known, logger)).cloned());
            affected.insert(logger.to_owned());
        }
        affected
    }

    fn table(&self) -> Table {
        let differing = |(name, own): (&String, &LoggerLevel)| {
            let above = name.rsplit_once('.').map_or(self.root.level, |(above, _)| self.effective(above));
            let level: LevelFilter = own.level.filter();
            (level != above.filter()).then(|| (name.clone(), level))
        };
        Table::new(self.root.level.filter(), self.loggers.iter().filter_map(differing).collect())
    }
}

/// The dotted form of a name.
fn dotted(name: &str) -> String {
    name.trim().replace("::", ".")
}

impl LogControl {
    pub(super) fn new(config: &LogConfig) -> Self {
        let at_start = |level| LoggerLevel { level, last_modified: None };
        let mut state =
            State { root: at_start(config.root), loggers: BTreeMap::new(), known: BTreeSet::new() };
        for (name, level) in &config.loggers {
            let name = dotted(name);
            if name == ROOT {
                state.root = at_start(*level);
                continue;
            }
            for logger in java::loggers(&name) {
                state.loggers.insert(logger.to_owned(), at_start(*level));
            }
            state.loggers.insert(name, at_start(*level));
        }
        Self { shared: Arc::new(Shared::new(state.table())), state: Arc::new(Mutex::new(state)) }
    }

    pub(super) fn filter(&self) -> LevelFilterLayer {
        LevelFilterLayer(Arc::clone(&self.shared))
    }

    pub(super) fn started(&self) {
        self.shared.started();
    }

    /// The state, with what has logged since last time.
    fn state(&self) -> MutexGuard<'_, State> {
        let seen = self.shared.take_seen();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.known.extend(seen.into_iter().map(dotted));
        state
    }

    /// Loggers with a level of their own, and [`ROOT`], by name.
    #[must_use]
    pub fn list(&self) -> BTreeMap<String, LoggerLevel> {
        let state = self.state();
        let mut levels = state.loggers.clone();
        levels.insert(ROOT.to_owned(), state.root);
        levels
    }

    /// The level in force for a logger: `root`, one with a level of its own, one that something logs with, or one that
    /// Java users know. `None` for names that are none of these.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<LoggerLevel> {
        let name = dotted(name);
        let state = self.state();
        if name == ROOT {
            return Some(state.root);
        }
        if let Some(own) = state.loggers.get(&name) {
            return Some(*own);
        }
        let stands_for = java::loggers(&name);
        let logger = if state.known.contains(&name) { name.as_str() } else { stands_for.first()? };
        Some(LoggerLevel { level: state.effective(logger), last_modified: None })
    }

    /// Sets the level of `namespace` and of every logger whose name starts with it (plain text; [`ROOT`] stands for
    /// all) at `now` (epoch milliseconds). Dots or `::` may separate the parts of the name; names that Java users know
    /// stand for the loggers that do their work here.
    ///
    /// The answer are the names of all these loggers, sorted. Those that had the level before are named too but keep
    /// the time of their last change.
    pub fn set(&self, namespace: &str, level: LogLevel, now: i64) -> Vec<String> {
        let name = dotted(namespace);
        let mut state = self.state();
        let affected = state.affected(&name);
        let changed: Vec<&String> =
            affected.iter().filter(|name| *name != ROOT && state.effective(name) != level).collect();
        let setting = LoggerLevel { level, last_modified: Some(now) };
        if name == ROOT && state.root.level != level {
            state.root = setting;
        }
        for name in changed {
            state.loggers.insert(name.clone(), setting);
        }
        // Within the lock, so that of two changes at a time the later one stays.
        self.shared.replace(state.table());
        drop(state);
        ask_anew();
        affected.into_iter().collect()
    }
}
