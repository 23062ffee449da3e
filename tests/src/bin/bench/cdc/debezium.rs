//! Debezium's reader: the connector's own task in a Java process, polled as a worker polls it, its JSON discarded.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use lavka_api::config::Config;
use lavka_testkit::{JarSet, JavaProgram};
use serde_json::{Value as Json, json};

use super::Outcome;
use crate::java::json_of;
use crate::usage::{Run, Stopwatch};

const SOURCE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../connectors/postgres/testdata/java/DebeziumTasks.java");

pub(super) struct Debezium {
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    // Has the compiled classes.
    _program: JavaProgram,
}

impl Debezium {
    pub(super) fn launch() -> Outcome<Self> {
        let program =
            JavaProgram::compile(Path::new(SOURCE), JarSet::DebeziumPostgres, "the bench beside Debezium")
                .ok_or("there is no Java compiler")?;
        let mut process = program
            .java()
            // All of the compiler, and the heap that Kafka's scripts give a Connect worker.
            .args(["-XX:TieredStopAtLevel=4", "-Xms256m", "-Xmx2g", "DebeziumTasks"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        Ok(Self { process, input, output, _program: program })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    fn tell(&mut self, command: &Json) -> Outcome<()> {
        writeln!(self.input.as_mut().ok_or("it has ended")?, "{command}")?;
        Ok(())
    }

    fn said(&mut self) -> Outcome<Json> {
        let line = self.output.next().ok_or("Debezium has ended")??;
        let said: Json = serde_json::from_str(&line)?;
        match said.get("failed") {
            Some(why) => Err(format!("Debezium: {why}").into()),
            None => Ok(said),
        }
    }

    /// Reads so many records from the start.
    pub(super) fn read(&mut self, config: &Config, records: u32) -> Outcome<Run> {
        let config = json_of(config);
        let watch = Stopwatch::beside(self.process.id());
        self.tell(&json!({"do": "start", "task": "t", "config": config, "offset": null, "count": true}))?;
        while self.said()?["count"].as_u64().unwrap_or(0) < u64::from(records) {}
        let run = watch.stop(records);
        self.tell(&json!({"do": "stop", "task": "t"}))?;
        while self.said()?.get("stopped").is_none() {}
        Ok(run)
    }
}

impl Drop for Debezium {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.process.wait();
    }
}
