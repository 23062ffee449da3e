//! Java's Connect worker: connectors are moved from it and to it, and ours are measured beside it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Jars, find_java};
use crate::failure::{Failure, OrFail as _};
use crate::leash::{Launch, Leashed};
use crate::rest::RestClient;

/// How long it may take to start, its plugins found, and to end.
const SLOWEST: Duration = Duration::from_secs(120);

/// A standalone worker in a process of its own, which ends when this is dropped.
pub struct JavaWorker {
    process: Leashed,
    rest: RestClient,
}

impl JavaWorker {
    /// Starts a worker whose class path is `jars`, by Java with `options` more, and waits until it answers. The first of
    /// `files` is the worker's, which says that it listens on `port` of the loopback; the others are connectors'. What it
    /// says is appended to `log`.
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
        let mut command = Command::new(find_java()?);
        command
            .args(options)
            .args(["-cp", &jars.class_path(), "org.apache.kafka.connect.cli.ConnectStandalone"])
            .args(files);
        let launch = Launch { name: "Java's worker", command: &command, log: Some(log), remove: None };
        let mut process = launch.start()?;
        let rest = RestClient::new(format!("http://127.0.0.1:{port}"));
        process
            .wait_ready(SLOWEST, || rest.try_get("/connectors").is_ok_and(|answer| answer.status == 200))?;
        Ok(Self { process, rest })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its REST API.
    pub fn rest(&self) -> &RestClient {
        &self.rest
    }

    /// Stops it as an operator does: it flushes its offsets.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn stop(mut self) {
        self.process.stop(SLOWEST).or_fail();
    }
}
