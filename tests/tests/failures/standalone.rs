//! A standalone worker as a user starts it: the executable, a worker file, connector files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lavka_testkit::{LavkaCommand, LavkaProcess, TempDir, temp_dir, write_file};
use serde_json::{Value, json};

/// Ends a hanging test; nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The files of a worker, which outlive its processes.
pub(crate) struct Standalone {
    folder: TempDir,
    connectors: Vec<PathBuf>,
}

impl Standalone {
    /// A worker of the Kafka at `bootstrap`, with more lines for its file.
    pub(crate) fn new(bootstrap: &str, settings: &[&str]) -> Self {
        let folder = temp_dir();
        let offsets = folder.path().join("offsets");
        let text = format!(
            "bootstrap.servers={bootstrap}\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter.schemas.enable=false\n\
             offset.storage.file.filename={}\n\
             offset.flush.interval.ms=500\n\
             listeners=http://127.0.0.1:0\n\
             {}\n",
            offsets.display(),
            settings.join("\n")
        );
        write_file(folder.path(), "worker.properties", text);
        Self { folder, connectors: Vec::new() }
    }

    /// Adds a connector file that every start is given.
    pub(crate) fn connector(mut self, name: &str, config: &Value) -> Self {
        let text = json!({ "name": name, "config": config }).to_string();
        self.connectors.push(write_file(self.folder.path(), &format!("{name}.json"), text));
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn start(&self) -> LavkaProcess {
        let worker = self.folder.path().join("worker.properties");
        LavkaCommand::new(["standalone".into(), worker]).args(self.connectors.iter().cloned()).start()
    }
}
