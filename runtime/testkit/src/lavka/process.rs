//! A running `lavka`.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;

use super::disk;
use crate::failure::{Failure, OrFail as _, fail};
use crate::leash::{Leashed, log_tail};

const SLOWEST_STOP: Duration = Duration::from_secs(60);

/// A `lavka` that was started by a test. Its output goes to a file, whose end is shown when the test fails. It ends
/// with the value, or with the process that made it.
#[derive(Debug)]
pub struct LavkaProcess {
    // Dropped before the folder, which holds the log.
    process: Leashed,
    log: PathBuf,
    _folder: TempDir,
}

impl LavkaProcess {
    pub(super) fn new(process: Leashed, log: PathBuf, folder: TempDir) -> Self {
        Self { process, log, _folder: folder }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Mounts the disk at `folder` that [`LavkaCommand::disk`](crate::LavkaCommand::disk) gave it again, with other
    /// options, such as `size=64m` or `ro`.
    #[track_caller]
    pub fn remount(&self, folder: &Path, options: &str) {
        disk::remount(self.pid(), folder, options).or_fail();
    }

    /// As [`LavkaProcess::remount`]; false where the kernel refuses, as it does `ro` while a file is open for writing.
    pub fn try_remount(&self, folder: &Path, options: &str) -> bool {
        disk::remount(self.pid(), folder, options).is_ok()
    }

    /// Where the process sees `path`, its own disk included: valid while it runs.
    pub fn sees(&self, path: &Path) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.pid())).join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Everything written to standard output and standard error so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last `lines` lines of that.
    pub fn log_tail(&self, lines: usize) -> String {
        log_tail(&self.log, lines)
    }

    /// The file that holds the output.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Whether it has not ended.
    #[track_caller]
    pub fn is_running(&mut self) -> bool {
        self.process.ended().or_fail().is_none()
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Sends SIGTERM and waits for the end; fails the test after a minute.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.process.stop(SLOWEST_STOP).or_fail()
    }

    /// Waits for it to end by itself; fails the test when it has not after `limit`.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        match self.process.wait(limit).or_fail() {
            Some(status) => status,
            None => fail(self.process.failure(&format!("had not ended after {limit:?}"))),
        }
    }

    /// Waits until the output contains `text`; fails the test when it ends or `limit` passes first.
    #[track_caller]
    pub fn wait_for_log(&mut self, text: &str, limit: Duration) {
        let log = self.log.clone();
        let seen = || String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).contains(text);
        self.wait_until(limit, seen).or_fail();
    }

    /// Waits until the REST API at `url` (`http://127.0.0.1:8083`) answers, and returns a client of it; fails the
    /// test when the process ends or `limit` passes first.
    #[cfg(feature = "harness")]
    #[track_caller]
    pub fn wait_for_rest(&mut self, url: &str, limit: Duration) -> crate::RestClient {
        let client = crate::RestClient::new(url);
        self.wait_until(limit, || client.try_get("/").is_ok_and(|answer| answer.status == 200)).or_fail();
        client
    }

    /// Waits until the worker says where its REST API is (of `listeners` with port 0 nobody knows before), and returns
    /// a client of it; fails the test when the process ends or `limit` passes first.
    #[cfg(feature = "harness")]
    #[track_caller]
    pub fn wait_for_announced_rest(&mut self, limit: Duration) -> crate::RestClient {
        const ANNOUNCEMENT: &str = "REST API at ";
        let log = self.log.clone();
        let mut url = None;
        let found = self.wait_until(limit, || {
            let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
            // A line without its end may be without the end of the address.
            url = text
                .split_once(ANNOUNCEMENT)
                .and_then(|(_, rest)| rest.split_once('\n'))
                .map(|(line, _)| line.split_whitespace().next().unwrap_or_default().to_owned());
            url.is_some()
        });
        found.or_fail();
        self.wait_for_rest(&url.unwrap_or_default(), limit)
    }

    /// The resident set in bytes (`VmRSS`), as the kernel counts it now.
    #[track_caller]
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kibibytes.map_or_else(|| fail(format!("no VmRSS in {path}")), |count| count * 1024)
    }

    fn wait_until(&mut self, limit: Duration, ready: impl FnMut() -> bool) -> Result<(), Failure> {
        self.process.wait_ready(limit, ready)
    }
}
