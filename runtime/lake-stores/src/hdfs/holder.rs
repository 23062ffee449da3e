//! Who holds a lease: a note beside the log, by which a lease whose holder is dead can be told from one that is in use.
//!
//! HDFS gives a lease up a minute after its holder fell silent. A worker that was killed and started again need not wait
//! for that: the note says which process of which machine it was. Taking the lease of a dead writer is safe even if the
//! note deceives, because a writer whose lease is gone cannot commit any more; it costs only that one its open files.

use std::collections::HashSet;
use std::fs;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::names::random_name;

/// Leases that this process holds, by the names in their notes.
static HELD: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

fn held() -> MutexGuard<'static, HashSet<String>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lease's name while it is held.
#[derive(Debug)]
pub(super) struct Hold(String);

impl Hold {
    pub(super) fn begin() -> Self {
        let name = random_name();
        held().insert(name.clone());
        Self(name)
    }

    /// What to write beside the log.
    pub(super) fn note(&self) -> String {
        let machine = Machine::this();
        format!(
            "process {} on {}\nboot {}\nstarted {}\nlease {}\n",
            std::process::id(),
            machine.name,
            machine.boot,
            started(std::process::id()).unwrap_or_default(),
            self.0
        )
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        held().remove(&self.0);
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Machine {
    name: String,
    /// Of this start of the system, and of the processes that can be seen.
    boot: String,
}

impl Machine {
    fn this() -> Self {
        let system = rustix::system::uname();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let processes = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            name: system.nodename().to_string_lossy().into_owned(),
            boot: format!("{} {}", boot.trim(), processes.display()),
        }
    }
}

/// When a process started, in ticks since the system did; `None` where there is no such process.
fn started(process: u32) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name, in parentheses, may have anything in it.
    status.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

/// Whether the holder that `note` tells of is surely dead: a process of this machine that is no more, or a lease that this
/// process has dropped.
pub(super) fn is_dead(note: &str) -> bool {
    let mut lines = note.lines();
    let field = |line: Option<&str>, name: &str| Some(line?.strip_prefix(name)?.trim().to_owned());
    let (Some(who), Some(boot), Some(start), Some(lease)) = (
        field(lines.next(), "process "),
        field(lines.next(), "boot "),
        field(lines.next(), "started "),
        field(lines.next(), "lease "),
    ) else {
        return false;
    };
    let Some((process, name)) = who.split_once(" on ") else { return false };
    let Ok(process) = process.parse::<u32>() else { return false };
    let known = !boot.starts_with(' ') && !boot.is_empty() && !start.is_empty();
    if !known || Machine::this() != (Machine { name: name.to_owned(), boot }) {
        return false;
    }
    match started(process) {
        Some(now) if now != start => true,
        Some(_) if process == std::process::id() => !held().contains(&lease),
        Some(_) => false,
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_dead_when_it_was_dropped_or_its_process_is_gone() {
        let hold = Hold::begin();
        let note = hold.note();
        assert!(!is_dead(&note), "{note}");
        let other = |from: &str, to: &str| note.replace(from, to);
        let this = std::process::id().to_string();
        assert!(!is_dead(&other(" on ", " on another-")), "of another machine nothing is known");
        assert!(is_dead(&other(&format!("process {this}"), "process 4194999")), "there is no such process");
        assert!(is_dead(&other("started ", "started 1")), "another process has its number");
        drop(hold);
        assert!(is_dead(&note));
        for broken in
            ["", "process", "process x on y", "process 1 on z\nboot \nstarted \nlease \n", "\u{fffd}"]
        {
            assert!(!is_dead(broken), "{broken}");
        }
    }
}
