//! A Java program beside Kafka's released classes, for comparisons with them.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{JarSet, Jars, Unavailable};
use crate::folders::temp_dir;
use crate::missed::cannot_run;

/// A Java source file, compiled.
#[derive(Debug)]
pub struct JavaProgram {
    classes: TempDir,
    jars: Jars,
}

/// A program of the JDK: of `JAVA_HOME`, else on the search path.
fn jdk(name: &str) -> PathBuf {
    std::env::var_os("JAVA_HOME")
        .map(|home| PathBuf::from(home).join("bin").join(name))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| name.into())
}

impl JavaProgram {
    /// Compiles `source` against the jars, with the sources beside it that it needs. Where this machine has no compiler or cannot have the jars, `None`, and
    /// [`cannot_run`] says so of `test`.
    ///
    /// # Panics
    /// If the compiler refuses the source; where something is missing, as [`cannot_run`].
    pub fn compile(source: &Path, jars: JarSet, test: &str) -> Option<Self> {
        let jars = match Jars::resolve(jars) {
            Ok(jars) => jars,
            Err(Unavailable::Unresolvable(failure) | Unavailable::Broken(failure)) => {
                cannot_run(test, &format!("Kafka's jars: {failure}"));
                return None;
            }
        };
        let classes = temp_dir();
        let mut javac = Command::new(jdk("javac"));
        javac.args(["-nowarn", "-cp", &jars.class_path(), "-d"]).arg(classes.path());
        if let Some(folder) = source.parent() {
            javac.arg("-sourcepath").arg(folder);
        }
        javac.arg(source);
        match javac.output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "javac: {said}");
                Some(Self { classes, jars })
            }
            Err(error) => {
                let want = format!("javac, which comes with a JDK (Debian: default-jdk-headless): {error}");
                cannot_run(test, &want);
                None
            }
        }
    }

    /// Java with the class path set; options, the main class and its arguments are to be added.
    pub fn java(&self) -> Command {
        let mut java = Command::new(jdk("java"));
        java.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-XX:TieredStopAtLevel=1"])
            .args(["-cp", &format!("{}:{}", self.classes.path().display(), self.jars.class_path())]);
        java
    }
}
