//! Hadoop's programs in Java.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::server;
use crate::class_archive;
use crate::failure::{Context as _, Failure};
use crate::kafka::{JarSet, Jars, Unavailable, find_java_with_version};

/// Starts fast and stays small; the shaded jars log through reload4j.
const JVM: [&str; 5] = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dlog4j.rootLogger=INFO",
];

/// Java with Hadoop's jars.
#[derive(Clone, Debug)]
pub(super) struct Java {
    program: PathBuf,
    class_path: String,
    options: Vec<String>,
    ticket_cache: Option<PathBuf>,
}

impl Java {
    /// # Errors
    /// [`Unavailable::Unresolvable`] when the jars are not to be had; otherwise when Java is missing.
    pub(super) fn find() -> Result<Self, Unavailable> {
        let (jars, found) = (Jars::resolve(JarSet::Hadoop)?, find_java_with_version()?);
        let (program, class_path) = (found.program.clone(), jars.class_path());
        let java = Self { program, class_path, options: Vec::new(), ticket_cache: None };
        let start = |option| server::start_plainly(java.clone().option(option));
        let archive = class_archive::option(&found, &jars, start);
        Ok(archive.into_iter().fold(java, Self::option))
    }

    /// With the configuration files of a folder, of which there are none in the jars.
    pub(super) fn configured_by(mut self, folder: &Path) -> Self {
        self.class_path = format!("{}:{}", self.class_path, folder.display());
        self
    }

    /// With one more option of Java's own.
    pub(super) fn option(mut self, option: String) -> Self {
        self.options.push(option);
        self
    }

    /// Acting for whom the tickets in a file are of.
    pub(super) fn ticket_cache(mut self, cache: &Path) -> Self {
        self.ticket_cache = Some(cache.to_path_buf());
        self
    }

    /// A program, to which arguments are to be added.
    pub(super) fn command(&self, main: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(JVM).args(&self.options).args(["-cp", &self.class_path, main]);
        command.envs(self.ticket_cache.iter().map(|cache| ("KRB5CCNAME", cache)));
        command
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// When it fails, with what it printed.
    pub(super) fn run(&self, main: &str, args: &[&str]) -> Result<(), Failure> {
        let output = self.command(main).args(args).output().context(|| format!("cannot run {main}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let args = args.join(" ");
        Err(Failure::new(format!(
            "{main} {args} failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&said)
        )))
    }
}
