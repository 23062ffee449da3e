//! Java's Connect worker: connectors are moved from it and to it, and ours are measured beside it.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Jars;
use super::program::jdk;
use crate::failure::{Context as _, Failure};
use crate::rest::RestClient;
use crate::waiting::eventually;

/// How long it may take to start, its plugins found, and to end.
const SLOWEST: Duration = Duration::from_secs(120);
/// Between two looks at whether it answers.
const PAUSE: Duration = Duration::from_millis(200);

/// A standalone worker in a process of its own, which ends when this is dropped.
pub struct JavaWorker {
    process: Child,
    rest: RestClient,
}

impl JavaWorker {
    /// Starts a worker whose class path is `jars`, by Java with `options` more, and waits until it answers. The first of
    /// `files` is the worker's, which says that it listens on `port` of the loopback; the others are connectors'. What it
    /// says goes into `log`.
    ///
    /// # Errors
    /// That there is no Java, or what the worker said where it does not answer.
    pub fn start(
        jars: &Jars,
        options: &[&str],
        files: &[&Path],
        port: u16,
        log: &Path,
    ) -> Result<Self, Failure> {
        let output = File::create(log).context(|| format!("creating {}", log.display()))?;
        let errors = output.try_clone().context(|| format!("opening {} again", log.display()))?;
        let process = Command::new(jdk("java"))
            .args(options)
            .args(["-cp", &jars.class_path(), "org.apache.kafka.connect.cli.ConnectStandalone"])
            .args(files)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .context(|| "starting Java's worker".to_owned())?;
        let worker = Self { process, rest: RestClient::new(format!("http://127.0.0.1:{port}")) };
        let deadline = Instant::now() + SLOWEST;
        while !worker.rest.try_get("/connectors").is_ok_and(|answer| answer.status == 200) {
            if Instant::now() > deadline {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                return Err(Failure::new(format!("Java's worker did not start: {said}")));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(worker)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its REST API.
    pub fn rest(&self) -> &RestClient {
        &self.rest
    }

    /// Stops it as an operator does: it flushes its offsets.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(mut self) {
        let told = Command::new("kill").arg(self.pid().to_string()).status();
        assert!(told.is_ok_and(|status| status.success()), "Java's worker cannot be told to stop");
        eventually("the end of Java's worker", SLOWEST, || self.process.try_wait().ok().flatten());
    }
}

impl Drop for JavaWorker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
