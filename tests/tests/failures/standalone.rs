//! A standalone worker as a user starts it: the executable, a worker file, connector files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lavka_testkit::{LavkaCommand, LavkaProcess, RestClient, TempDir, eventually, temp_dir, write_file};
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

    /// How it is started.
    pub(crate) fn command(&self) -> LavkaCommand {
        let worker = self.folder.path().join("worker.properties");
        LavkaCommand::new(["standalone".into(), worker]).args(self.connectors.iter().cloned())
    }

    pub(crate) fn start(&self) -> LavkaProcess {
        self.command().start()
    }

    /// Starts it and waits for its REST API.
    pub(crate) fn serve(&self) -> (LavkaProcess, RestClient) {
        let mut process = self.start();
        let rest = process.wait_for_announced_rest(PATIENCE);
        (process, rest)
    }
}

/// Waits until the connector's first task is in `state`, and returns its status; fails with the last one.
#[track_caller]
pub(crate) fn wait_for_task(rest: &RestClient, connector: &str, state: &str) -> Value {
    let mut last = String::new();
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let answer = rest.get(&format!("/connectors/{connector}/status"));
        let task = &answer.body["tasks"][0];
        if task["state"] == state {
            return task.clone();
        }
        last.clone_from(&answer.text);
        assert!(std::time::Instant::now() < deadline, "no task of {connector} is {state}: {last}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// Waits until the task has failed, and returns its trace.
#[track_caller]
pub(crate) fn wait_for_trace(rest: &RestClient, connector: &str) -> String {
    wait_for_task(rest, connector, "FAILED")["trace"].as_str().expect("a failed task has a trace").to_owned()
}

/// Restarts what failed, over REST, and waits until it runs.
#[track_caller]
pub(crate) fn restart_failed(rest: &RestClient, connector: &str) {
    let path = format!("/connectors/{connector}/restart?includeTasks=true&onlyFailed=true");
    let answer = rest.send("POST", &path, &[], None);
    assert_eq!(answer.status, 202, "{}", answer.text);
    eventually("the restart", PATIENCE, || {
        let status = rest.get(&format!("/connectors/{connector}/status"));
        (status.body["tasks"][0]["state"] == "RUNNING").then_some(())
    });
}
