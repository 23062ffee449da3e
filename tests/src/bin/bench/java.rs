//! Java's Connect worker, with a connector of somebody else's.

use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lavka_testkit::{JarSet, Jars, RestClient, TempDir, temp_dir, write_file};
use serde_json::{Value as Json, json};

use crate::median;
use crate::usage::{Run, peak};

/// How long it may take to start and to find its plugins.
const SLOWEST: Duration = Duration::from_secs(120);

/// A standalone worker in a process of its own, which ends with this.
pub(crate) struct JavaWorker {
    process: Child,
    rest: RestClient,
    folder: TempDir,
}

impl JavaWorker {
    /// Starts a worker whose class path is `classes`, with `settings` beside those that every worker must have.
    pub(crate) fn launch(
        bootstrap: &str,
        classes: JarSet,
        settings: &[(&str, &str)],
    ) -> Result<Self, Box<dyn Error>> {
        let classes = Jars::resolve(classes).map_err(lavka_testkit::Failure::from)?;
        let folder = temp_dir();
        let port = lavka_testkit::free_port();
        let mut worker = format!(
            "bootstrap.servers={bootstrap}\nlisteners=http://127.0.0.1:{port}\n\
             offset.storage.file.filename={}\n",
            folder.path().join("offsets").display()
        );
        for (key, value) in settings {
            worker += &format!("{key}={value}\n");
        }
        let file = write_file(folder.path(), "worker.properties", worker);
        let log = std::fs::File::create(folder.path().join("log"))?;
        let process = Command::new("java")
            // The heap that Kafka's scripts give a Connect worker.
            .args(["-Xms256m", "-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])
            .args(["-cp", &classes.class_path(), "org.apache.kafka.connect.cli.ConnectStandalone"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let rest = RestClient::new(format!("http://127.0.0.1:{port}"));
        let worker = Self { process, rest, folder };
        let deadline = Instant::now() + SLOWEST;
        while !worker.rest.try_get("/connectors").is_ok_and(|answer| answer.status == 200) {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(worker.folder.path().join("log"))?;
                return Err(format!("Java's worker did not start: {log}").into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(worker)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Starts a connector.
    pub(crate) fn start(&self, name: &str, config: &Json) -> Result<(), Box<dyn Error>> {
        let answer = self.rest.post("/connectors", &json!({"name": name, "config": config}));
        if answer.status == 201 { Ok(()) } else { Err(answer.text.into()) }
    }

    /// What the worker says of a connector.
    pub(crate) fn status(&self, name: &str) -> String {
        self.rest.get(&format!("/connectors/{name}/status")).text
    }

    /// Stops a connector, and forgets it.
    pub(crate) fn delete(&self, name: &str) {
        self.rest.send("DELETE", &format!("/connectors/{name}"), &[], None);
    }
}

impl Drop for JavaWorker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs of ours, each beside one of theirs.
pub(crate) struct Beside<'a> {
    /// What runs.
    what: &'a str,
    warm: bool,
    rates: Vec<f64>,
    costs: Vec<f64>,
}

impl<'a> Beside<'a> {
    pub(crate) fn new(what: &'a str) -> Self {
        Self { what, warm: false, rates: Vec::new(), costs: Vec::new() }
    }

    /// Takes and prints a round. The first has warmed Java's compiler up and does not count.
    pub(crate) fn add(&mut self, us: Run, them: Run) {
        if std::mem::replace(&mut self.warm, true) {
            println!("  {}: Lavka {us}   Java {them}", self.what);
            self.rates.push(us.rate / them.rate);
            self.costs.push(them.cpu_seconds / us.cpu_seconds);
        }
    }

    /// Prints the medians, and the most memory of this process and of Java's.
    pub(crate) fn print(mut self, java: u32) {
        println!(
            "  {}: {:.1} times the rate, {:.1} times less CPU (medians); at most {} MB resident, Java {} MB",
            self.what,
            median(&mut self.rates),
            median(&mut self.costs),
            peak(std::process::id()),
            peak(java)
        );
    }
}
