//! Processes that end with their owner, however the owner ends.
//!
//! Test statics are never dropped and a killed test binary runs no code at all, so neither `Drop` nor an exit
//! handler can be trusted to stop a broker. A pipe can: the kernel closes it with the process. Each service runs
//! behind `leash.sh`, which watches such a pipe. (`PR_SET_PDEATHSIG` would not do: it fires when the *thread*
//! that started the child ends, and every test has a thread of its own.)

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::{Context as _, Failure};

const LEASH: &str = include_str!("leash.sh");
const POLL: Duration = Duration::from_millis(10);

/// What to start, and how.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// What messages call the process.
    pub(crate) name: &'a str,
    /// Program, arguments, environment and working folder; its streams are not looked at.
    pub(crate) command: &'a Command,
    /// Where both output streams are appended; the owner's own streams when absent.
    pub(crate) log: Option<&'a Path>,
    /// Folder removed when the owner dies without having stopped the process.
    pub(crate) remove: Option<&'a Path>,
}

impl Launch<'_> {
    pub(crate) fn start(&self) -> Result<Leashed, Failure> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", LEASH, "leash"]);
        command.arg(self.remove.unwrap_or(Path::new("")));
        command.arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = self.command.get_current_dir() {
            command.current_dir(directory);
        }
        command.stdin(Stdio::piped());
        // Its own group: Ctrl-C on the terminal reaches the owner, and the leash brings it here.
        command.process_group(0);
        if let Some(path) = self.log {
            let file = open_log(path)?;
            let copy = file.try_clone().context(|| format!("cannot share {}", path.display()))?;
            command.stdout(file).stderr(copy);
        }
        let mut child = command.spawn().context(|| format!("cannot start {}", self.name))?;
        let leash = child.stdin.take();
        let log = self.log.map(Path::to_path_buf);
        Ok(Leashed { name: self.name.to_owned(), child, leash, log, status: None })
    }
}

fn open_log(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .context(|| format!("cannot open the log file {}", path.display()))
}

/// A running process; killed when dropped, and when this process ends in any way.
#[derive(Debug)]
pub(crate) struct Leashed {
    name: String,
    child: Child,
    leash: Option<ChildStdin>,
    log: Option<PathBuf>,
    status: Option<ExitStatus>,
}

impl Leashed {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The status, once the process has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        if self.status.is_none() {
            self.status = self.child.try_wait().context(|| format!("cannot wait for {}", self.name))?;
            if self.status.is_some() {
                self.release();
            }
        }
        Ok(self.status)
    }

    /// Sends SIGTERM; a process that has ended already is left alone.
    pub(crate) fn terminate(&mut self) -> Result<(), Failure> {
        self.signal(Signal::TERM, "SIGTERM")
    }

    /// Sends SIGINT; a process that has ended already is left alone.
    pub(crate) fn interrupt(&mut self) -> Result<(), Failure> {
        self.signal(Signal::INT, "SIGINT")
    }

    /// Sends SIGQUIT; a process that has ended already is left alone.
    pub(crate) fn quit(&mut self) -> Result<(), Failure> {
        self.signal(Signal::QUIT, "SIGQUIT")
    }

    /// Stops the process from running (SIGSTOP), so that its connections stand and nobody answers.
    pub(crate) fn pause(&mut self) -> Result<(), Failure> {
        self.signal(Signal::STOP, "SIGSTOP")
    }

    /// Lets a paused process go on (SIGCONT).
    pub(crate) fn resume(&mut self) -> Result<(), Failure> {
        self.signal(Signal::CONT, "SIGCONT")
    }

    /// Sends a signal; a process that has ended already is left alone.
    fn signal(&mut self, signal: Signal, name: &str) -> Result<(), Failure> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), signal)
            .context(|| format!("cannot send {name} to {}", self.name))
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub(crate) fn kill(&mut self) {
        if self.status.is_some() {
            return;
        }
        // Fails only for a process that is gone already.
        let _ = self.child.kill();
        self.status = self.child.wait().ok();
        self.release();
    }

    /// Waits for the end; `None` when `limit` has passed before it.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>, Failure> {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.ended()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for the end, however long it takes.
    pub(crate) fn join(&mut self) -> Result<ExitStatus, Failure> {
        let status = self.child.wait().context(|| format!("cannot wait for {}", self.name))?;
        self.status = Some(status);
        self.release();
        Ok(status)
    }

    /// SIGTERM, and after `limit` a failure that shows the log (the process is then killed).
    pub(crate) fn stop(&mut self, limit: Duration) -> Result<ExitStatus, Failure> {
        self.terminate()?;
        if let Some(status) = self.wait(limit)? {
            return Ok(status);
        }
        self.kill();
        Err(self.failure(&format!("did not stop within {limit:?} of SIGTERM")))
    }

    /// Waits until `ready` says so; a failure with the log's end when the process ends or `limit` passes first.
    pub(crate) fn wait_ready(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        loop {
            // Asked before the end is looked for: a port that answers may belong to someone else.
            let answered = ready();
            if let Some(status) = self.ended()? {
                return Err(self.failure(&format!("ended ({status}) before it was ready")));
            }
            if answered {
                return Ok(());
            }
            if Instant::now() >= deadline {
                self.kill();
                return Err(self.failure(&format!("was not ready after {limit:?}")));
            }
            std::thread::sleep(POLL);
        }
    }

    /// A failure about this process, with the end of its log.
    pub(crate) fn failure(&self, what: &str) -> Failure {
        Failure::new(format!("{} {what}{}", self.name, self.shown_log()))
    }

    fn shown_log(&self) -> String {
        self.log.as_deref().map_or_else(String::new, |path| {
            let tail = log_tail(path, 60);
            if tail.is_empty() {
                "; it wrote no log".to_owned()
            } else {
                format!("; the end of its log:\n{tail}")
            }
        })
    }

    /// Tells the watcher that the process is gone, before its id can be given to another.
    fn release(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            let _ = leash.write_all(b"ended\n");
        }
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() && self.log.is_some() {
            // Captured by the test harness, which shows it below the failed test.
            eprintln!("{}{}", self.name, self.shown_log());
        }
    }
}

/// The last lines of a log, whatever bytes are in it; empty when there is none.
pub(crate) fn log_tail(path: &Path, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Finds a program on the search path, then in the folders where servers are kept.
pub(crate) fn find_program(name: impl AsRef<Path>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(servers)
        .map(|folder| folder.join(&name))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;

    use super::{Launch, Leashed, log_tail};
    use crate::failure::Failure;
    use crate::folders::temp_dir;
    use crate::waiting::eventually;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, log: Option<&Path>) -> Leashed {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Launch { name: "the shell", command: &command, log, remove: None }.start().unwrap()
    }

    fn exists(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn the_command_has_the_process_id_of_the_child_and_its_own_status() {
        let folder = temp_dir();
        let log = folder.path().join("log");
        let mut process = shell("echo $$; exit 7", Some(&log));
        assert_eq!(process.join().unwrap().code(), Some(7));
        assert_eq!(log_tail(&log, 1), process.pid().to_string());
    }

    #[test]
    fn a_paused_process_stands_still_until_it_is_resumed() {
        let state = |pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            status.lines().find_map(|line| line.strip_prefix("State:\t")).map(|state| state[..1].to_owned())
        };
        let mut process = shell("exec sleep 600", None);
        process.pause().unwrap();
        eventually("the stop", LONG, || (state(process.pid())? == "T").then_some(()));
        process.resume().unwrap();
        eventually("the resumption", LONG, || (state(process.pid())? == "S").then_some(()));
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = shell("exec sleep 600", None);
        let pid = process.pid();
        assert!(exists(pid));
        drop(process);
        assert!(!exists(pid));
    }

    #[test]
    fn sigterm_lets_the_process_end_by_itself() {
        let folder = temp_dir();
        let log = folder.path().join("log");
        let mut process = shell("trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done", Some(&log));
        eventually("the trap to be set", LONG, || (log_tail(&log, 1) == "up").then_some(()));
        assert_eq!(process.stop(LONG).unwrap().code(), Some(3));
        assert_eq!(process.stop(LONG).unwrap().code(), Some(3), "a second stop changes nothing");
    }

    #[test]
    fn a_closed_leash_ends_the_process_and_removes_its_folder() {
        let folder = temp_dir().keep();
        let mut command = Command::new("sleep");
        command.arg("600");
        let launch = Launch { name: "sleep", command: &command, log: None, remove: Some(&folder) };
        let mut process = launch.start().unwrap();
        // What the kernel does when the owner dies.
        process.leash = None;
        assert!(!process.join().unwrap().success());
        eventually("the folder to be removed", LONG, || (!folder.exists()).then_some(()));
    }

    #[test]
    fn a_process_that_ends_before_it_is_ready_shows_its_log() {
        let folder = temp_dir();
        let log = folder.path().join("log");
        let mut process = shell("echo no room >&2; exit 1", Some(&log));
        let failure: Failure = process.wait_ready(LONG, || false).unwrap_err();
        let message = failure.to_string();
        assert!(message.starts_with("the shell ended"), "{message}");
        assert!(message.ends_with("no room"), "{message}");
    }
}
