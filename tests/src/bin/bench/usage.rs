//! What a run took.

use std::fmt;
use std::time::Instant;

/// A measured run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Records a second.
    pub(crate) rate: f64,
    /// Processor seconds of this process, all threads.
    pub(crate) cpu_seconds: f64,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7.0}/s {:>5.2} s CPU", self.rate, self.cpu_seconds)
    }
}

/// A running measurement.
pub(crate) struct Stopwatch {
    /// As proc(5) names it.
    process: String,
    began: Instant,
    before: f64,
}

impl Stopwatch {
    /// Of this process.
    pub(crate) fn start() -> Self {
        Self::of("self".into())
    }

    /// Of another process.
    pub(crate) fn beside(pid: u32) -> Self {
        Self::of(pid.to_string())
    }

    fn of(process: String) -> Self {
        let before = seconds(&process);
        Self { process, began: Instant::now(), before }
    }

    pub(crate) fn stop(&self, records: u32) -> Run {
        let rate = f64::from(records) / self.began.elapsed().as_secs_f64();
        Run { rate, cpu_seconds: seconds(&self.process) - self.before }
    }
}

/// Processor seconds of a process, which Linux counts in hundredths.
fn seconds(process: &str) -> f64 {
    let [user, system] = fields(process, [11, 12]);
    (user + system) / 100.0
}

/// Processor seconds of the children of this process that have ended and were waited for.
pub(crate) fn children_seconds() -> f64 {
    let [user, system] = fields("self", [13, 14]);
    (user + system) / 100.0
}

/// Fields of proc(5)'s stat, counted behind the name: its number 14, user time, is 11.
fn fields(process: &str, places: [usize; 2]) -> [f64; 2] {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    places.map(|at| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0))
}

/// The most memory that a process has had resident, in MB; 0 where Linux does not tell.
pub(crate) fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// From here on [`peak`] of this process counts anew.
pub(crate) fn forget_peak() -> std::io::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5")
}
