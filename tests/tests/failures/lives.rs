//! The lives of a worker that is killed again and again: when each of them ends, and what is told of them in a failure.

use std::fmt::Write as _;
use std::time::Duration;

use lavka_testkit::{Chance, LavkaProcess, eventually};

use crate::standalone::PATIENCE;

/// Complaints shown in a failure.
const SHOWN: usize = 20;

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// This long after it was started: while it reads its files, connects, joins its group, recovers.
    AfterStart(Duration),
    /// This long after it has finished a file: while records flow.
    InMidStream(Duration),
}

impl Moment {
    pub(crate) fn draw(round: usize, chance: &mut Chance) -> Self {
        // Every fourth life gets somewhere, however slow the machine.
        match (round % 4, chance.below(3)) {
            (3, _) | (_, 0) => Self::InMidStream(Duration::from_millis(chance.below(400))),
            (_, 1) => Self::AfterStart(Duration::from_millis(chance.below(400))),
            _ => Self::AfterStart(Duration::from_millis(400 + chance.below(2000))),
        }
    }

    /// Waits for it; `finished` counts the files that are finished.
    pub(crate) fn wait(self, finished: impl Fn() -> usize) {
        match self {
            Self::AfterStart(wait) => std::thread::sleep(wait),
            Self::InMidStream(wait) => {
                let before = finished();
                eventually("another file", PATIENCE, || (finished() > before).then_some(()));
                std::thread::sleep(wait);
            }
        }
    }
}

/// What happened, for a failure.
pub(crate) struct Story {
    pub(crate) seed: u64,
    lives: String,
    pub(crate) last_log: String,
}

impl Story {
    pub(crate) fn new(chance: &Chance) -> Self {
        Self { seed: chance.seed(), lives: String::new(), last_log: String::new() }
    }

    pub(crate) fn add_life(&mut self, round: usize, moment: Moment, process: &LavkaProcess, files: usize) {
        let _ = writeln!(self.lives, "{round:3}: killed {moment:?}, {files} files finished");
        for line in process.log().lines().filter(|line| line.contains("WARN") || line.contains("ERROR")) {
            let _ = writeln!(self.lives, "     {line}");
        }
    }

    pub(crate) fn expect_nothing(&self, what: &str, complaints: &[String]) {
        if complaints.is_empty() {
            return;
        }
        let shown: Vec<&str> = complaints.iter().take(SHOWN).map(String::as_str).collect();
        panic!(
            "{what}: {} complaints\n{}\nseed: LAVKA_SEED={}\nlives:\n{}\nend of the last log:\n{}",
            complaints.len(),
            shown.join("\n"),
            self.seed,
            self.lives,
            self.last_log
        );
    }
}
