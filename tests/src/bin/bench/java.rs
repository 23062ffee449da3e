//! Java's Connect worker, with a connector of somebody else's.

use std::error::Error;

use lavka_api::config::Config;
use lavka_testkit::{JarSet, Jars, JavaWorker, TempDir, temp_dir, write_file};
use serde_json::{Map, Value as Json, json};

use crate::median;
use crate::usage::{Run, peak};

/// A standalone worker that a bench gives connectors to.
pub(crate) struct Java {
    worker: JavaWorker,
    _folder: TempDir,
}

impl Java {
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
        // The heap that Kafka's scripts give a Connect worker.
        let options = ["-Xms256m", "-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"];
        let worker = JavaWorker::start(&classes, &options, &[&file], port, &folder.path().join("log"))?;
        Ok(Self { worker, _folder: folder })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.worker.pid()
    }

    /// Starts a connector.
    pub(crate) fn start(&self, name: &str, config: &Config) -> Result<(), Box<dyn Error>> {
        let answer =
            self.worker.rest().post("/connectors", &json!({"name": name, "config": json_of(config)}));
        if answer.status == 201 { Ok(()) } else { Err(answer.text.into()) }
    }

    /// What the worker says of a connector.
    pub(crate) fn status(&self, name: &str) -> String {
        self.worker.rest().get(&format!("/connectors/{name}/status")).text
    }

    /// Stops a connector, and forgets it.
    pub(crate) fn delete(&self, name: &str) {
        self.worker.rest().send("DELETE", &format!("/connectors/{name}"), &[], None);
    }
}

/// A configuration as Java takes it.
pub(crate) fn json_of(config: &Config) -> Map<String, Json> {
    config.iter().map(|(key, value)| (key.to_owned(), Json::from(value))).collect()
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
