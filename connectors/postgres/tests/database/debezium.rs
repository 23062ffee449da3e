//! Debezium's own connector, to compare with and to hand over to.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_testkit::{JarSet, JavaProgram};
use serde_json::{Value as Json, json};

use crate::shown::Shown;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/java/DebeziumTasks.java");
/// The longest wait for something that has to come.
const LONG: Duration = Duration::from_secs(120);

/// A Java process that runs tasks. It ends with its input.
pub(crate) struct Debezium {
    process: Child,
    input: Option<ChildStdin>,
    output: Receiver<Json>,
    said: HashMap<String, VecDeque<Json>>,
    // Has the compiled classes.
    _program: JavaProgram,
}

impl Debezium {
    /// `None` where this machine has no Java compiler or cannot have the jars, unless they are required.
    pub(crate) fn launch(test: &str) -> Option<Self> {
        let program = JavaProgram::compile(Path::new(SOURCE), JarSet::DebeziumPostgres, test)?;
        let mut process = program
            .java()
            .args(["-Xmx1g", "-Duser.timezone=UTC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"])
            .arg("DebeziumTasks")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    break;
                }
            }
        });
        Some(Self { process, input, output, said: HashMap::new(), _program: program })
    }

    fn tell(&mut self, command: &Json) {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
    }

    /// The next thing that is said of a task.
    fn next(&mut self, task: &str) -> Json {
        let until = Instant::now() + LONG;
        loop {
            if let Some(said) = self.said.get_mut(task).and_then(VecDeque::pop_front) {
                assert!(said.get("failed").is_none(), "Debezium's task {task}: {}", said["failed"]);
                return said;
            }
            let wait = until.saturating_duration_since(Instant::now());
            let said = self.output.recv_timeout(wait);
            let said = said.unwrap_or_else(|_| panic!("Debezium's task {task} said nothing more"));
            let of = said["task"].as_str().unwrap().to_owned();
            self.said.entry(of).or_default().push_back(said);
        }
    }

    /// What is wrong with a configuration: keys and messages.
    pub(crate) fn validate(&mut self, config: &Config) -> Vec<(String, String)> {
        self.tell(&json!({"do": "validate", "task": "validation", "config": entries(config)}));
        let said = self.next("validation");
        let text = |json: &Json| json.as_str().unwrap().to_owned();
        said["errors"].as_array().unwrap().iter().map(|error| (text(&error[0]), text(&error[1]))).collect()
    }

    /// Starts a task where `offset` says; comes back when it is started.
    pub(crate) fn start(&mut self, task: &str, config: &Config, offset: Option<&Json>) {
        let config = entries(config);
        self.tell(&json!({"do": "start", "task": task, "config": config, "offset": offset}));
        let said = self.next(task);
        assert_eq!(said["started"], true, "{said}");
    }

    /// The next record.
    pub(crate) fn record(&mut self, task: &str) -> Shown {
        let said = self.next(task);
        assert!(said.get("topic").is_some(), "{said}");
        Shown::of_debezium(&said)
    }

    /// Everything that was said of records so far is in Kafka. Comes back when Debezium knows.
    pub(crate) fn commit(&mut self, task: &str) {
        self.tell(&json!({"do": "commit", "task": task}));
        self.until(task, "committed");
    }

    /// Stops a task in an orderly way.
    pub(crate) fn stop(&mut self, task: &str) {
        self.tell(&json!({"do": "stop", "task": task}));
        self.until(task, "stopped");
    }

    /// What is said until then is left out.
    fn until(&mut self, task: &str, what: &str) {
        while self.next(task)[what] != true {}
    }
}

fn entries(config: &Config) -> Json {
    Json::Object(config.iter().map(|(key, value)| (key.to_owned(), Json::from(value))).collect())
}

impl Drop for Debezium {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.process.wait();
    }
}
