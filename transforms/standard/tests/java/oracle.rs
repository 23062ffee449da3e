//! The Java program that runs the released classes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use lavka_testkit::{JarSet, Jars, TempDir, Unavailable, cannot_run, temp_dir};
use serde_json::Value as Json;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/java/TransformOracle.java");

/// The program, compiled.
pub(crate) struct Oracle {
    classes: TempDir,
    jars: Jars,
}

/// A program of the JDK: of `JAVA_HOME`, else on the search path.
fn program(name: &str) -> PathBuf {
    std::env::var_os("JAVA_HOME")
        .map(|home| PathBuf::from(home).join("bin").join(name))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| name.into())
}

impl Oracle {
    /// Compiles the program; `None` where this machine has no compiler or cannot have the jars, unless they are required.
    pub(crate) fn find() -> Option<Self> {
        let jars = match Jars::resolve(JarSet::Connect) {
            Ok(jars) => jars,
            Err(Unavailable::Unresolvable(failure) | Unavailable::Broken(failure)) => {
                return missing(&format!("Kafka's jars: {failure}"));
            }
        };
        let classes = temp_dir();
        let compiled = Command::new(program("javac"))
            .args(["-nowarn", "-cp", &jars.class_path(), "-d"])
            .arg(classes.path())
            .arg(SOURCE)
            .output();
        match compiled {
            Ok(output) if output.status.success() => Some(Self { classes, jars }),
            Ok(output) => panic!("javac: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                missing(&format!("javac, which comes with a JDK (Debian: default-jdk-headless): {error}"))
            }
        }
    }

    /// One result for each case, in order.
    pub(crate) fn run(&self, cases: impl Iterator<Item = Json>) -> Vec<Json> {
        let class_path = format!("{}:{}", self.classes.path().display(), self.jars.class_path());
        let mut java = Command::new(program("java"))
            .args(["-Duser.language=en", "-Duser.country=US", "-Duser.timezone=UTC"])
            .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-XX:TieredStopAtLevel=1"])
            .args(["-cp", &class_path, "TransformOracle"])
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

fn missing(what: &str) -> Option<Oracle> {
    cannot_run("the comparison with Java's transforms", what);
    None
}
