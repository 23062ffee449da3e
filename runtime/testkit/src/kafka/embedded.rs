//! Lavka's own in-memory broker as a process: what is left when Apache Kafka's jars cannot be resolved.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::probe;
use crate::failure::Failure;
use crate::folders::try_temp_dir;
use crate::lavka::binary;
use crate::leash::{Launch, Leashed};
use crate::ports::on_free_port;

const SLOWEST_START: Duration = Duration::from_secs(120);

/// `lavka broker --port N`.
#[derive(Debug)]
pub(super) struct EmbeddedBroker {
    _process: Leashed,
    folder: TempDir,
    address: String,
}

impl EmbeddedBroker {
    pub(super) fn start() -> Result<Self, Failure> {
        let program = binary::find()?;
        let folder = try_temp_dir()?;
        let log = log_path(folder.path());
        let (port, process) = on_free_port("already in use", |port| {
            let mut command = Command::new(&program);
            command.args(["broker", "--port", &port.to_string()]);
            let (log, remove) = (Some(log.as_path()), Some(folder.path()));
            let mut process = Launch { name: "lavka broker", command: &command, log, remove }.start()?;
            process.wait_ready(SLOWEST_START, || probe::serves(&address(port)))?;
            Ok(process)
        })?;
        Ok(Self { _process: process, folder, address: address(port) })
    }

    pub(super) fn bootstrap(&self) -> String {
        self.address.clone()
    }

    pub(super) fn log_path(&self) -> PathBuf {
        log_path(self.folder.path())
    }
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("broker.log")
}
