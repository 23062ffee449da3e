//! The Java program that runs the released classes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use lavka_testkit::{JarSet, JavaProgram};
use serde_json::Value as Json;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/java/TransformOracle.java");

/// The program.
pub(crate) struct Oracle(JavaProgram);

impl Oracle {
    /// Compiles the program; `None` where this machine has no compiler or cannot have the jars, unless they are required.
    pub(crate) fn find(jars: JarSet) -> Option<Self> {
        let test = "the comparison with Java's transforms";
        JavaProgram::compile(Path::new(SOURCE), jars, test).map(Self)
    }

    /// One result for each case, in order.
    pub(crate) fn run(&self, cases: impl Iterator<Item = Json>) -> Vec<Json> {
        let mut java = self
            .0
            .java()
            .args(["-Duser.language=en", "-Duser.country=US", "-Duser.timezone=UTC"])
            // What is refused is in the results.
            .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "TransformOracle"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = java.stdin.take().unwrap();
        let output = BufReader::new(java.stdout.take().unwrap());
        let text: String = cases.map(|case| format!("{case}\n")).collect();
        // Beside reading, or both sides would wait for each other once the pipes are full.
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let results = output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        assert!(java.wait().unwrap().success(), "the Java side failed; its message is above");
        writer.join().unwrap().unwrap();
        results
    }
}
