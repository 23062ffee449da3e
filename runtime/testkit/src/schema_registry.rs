//! Apicurio Registry for tests: an implementation of the Schema Registry's API by others.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::environment::{REGISTRY, get};
use crate::failure::{Context as _, Failure, OrFail as _};
use crate::folders::try_temp_dir;
use crate::kafka::{JarSet, Jars, Unavailable, find_java};
use crate::leash::{Launch, Leashed};
use crate::ports::on_free_port;
use crate::progress::say;

const SLOWEST_START: Duration = Duration::from_secs(120);
const SLOWEST_STOP: Duration = Duration::from_secs(60);
/// Where it speaks as the Schema Registry.
const API: &str = "/apis/ccompat/v7";
/// What it prints once it serves.
const READY: &str = "Listening on: http";

/// Starts fast and stays small.
const JVM: [&str; 5] = [
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dquarkus.http.host=127.0.0.1",
];

/// A registry of a test's own, which keeps everything in memory. It ends with the value, or with the process that made
/// it.
#[derive(Debug)]
pub struct SchemaRegistryServer {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    process: Leashed,
    program: Program,
    port: u16,
    folder: TempDir,
}

#[derive(Debug)]
struct Program {
    java: PathBuf,
    jar: PathBuf,
}

impl SchemaRegistryServer {
    /// Starts a registry and waits until it answers.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when its jars are not to be had; otherwise when Java is missing, or it does not come
    /// up (with its log).
    pub fn start() -> Result<Self, Unavailable> {
        let jars = Jars::resolve(JarSet::Registry)?;
        let program = Program { java: find_java()?, jar: starter(jars.folder())? };
        let folder = try_temp_dir()?;
        let began = Instant::now();
        let (port, process) = on_free_port("already in use", |port| launch(&program, folder.path(), port))?;
        say(&format!("schema registry ready at 127.0.0.1:{port} in {:.1?}", began.elapsed()));
        Ok(Self { process, program, port, folder })
    }

    /// The URL for `schema.registry.url`, the same from start to start.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{API}", self.port)
    }

    /// The file that holds the registry's output.
    pub fn log_path(&self) -> PathBuf {
        log_path(self.folder.path())
    }

    /// Kills the registry (SIGKILL): connections are refused.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the registry from running (SIGSTOP): connections stand, and nobody answers.
    #[track_caller]
    pub fn pause(&mut self) {
        self.process.pause().or_fail();
    }

    /// Lets a paused registry go on (SIGCONT).
    #[track_caller]
    pub fn resume(&mut self) {
        self.process.resume().or_fail();
    }

    /// Starts the registry again on its port, without what was in it.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.process.stop(SLOWEST_STOP)?;
        self.process = launch(&self.program, self.folder.path(), self.port)?;
        Ok(())
    }
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("schema-registry.log")
}

/// The jar that starts the registry.
fn starter(folder: &Path) -> Result<PathBuf, Failure> {
    let explain = || format!("cannot read {}", folder.display());
    for entry in std::fs::read_dir(folder).context(explain)? {
        let path = entry.context(explain)?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with("-runner.jar")) {
            return Ok(path);
        }
    }
    Err(Failure::new(format!(
        "no jar in {} ends in -runner.jar: remove the folder to fetch it anew",
        folder.display()
    )))
}

fn launch(program: &Program, folder: &Path, port: u16) -> Result<Leashed, Failure> {
    let log = log_path(folder);
    // What an earlier start printed says nothing of this one.
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new(&program.java);
    command.args(JVM).arg(format!("-Dquarkus.http.port={port}")).arg("-jar").arg(&program.jar);
    command.current_dir(folder);
    let launch =
        Launch { name: "Apicurio Registry", command: &command, log: Some(&log), remove: Some(folder) };
    let mut process = launch.start()?;
    process.wait_ready(SLOWEST_START, || {
        std::fs::read(&log).is_ok_and(|text| String::from_utf8_lossy(&text).contains(READY))
    })?;
    Ok(process)
}

/// The registry that a whole test run shares: subjects are told apart by name, see [`unique`](crate::unique).
#[derive(Debug)]
pub struct SchemaRegistry {
    url: String,
    owned: Option<SchemaRegistryServer>,
}

impl SchemaRegistry {
    /// Uses the registry of `LAVKA_TEST_REGISTRY`, else starts one.
    ///
    /// # Errors
    /// As [`SchemaRegistryServer::start`], and when nobody answers at that URL.
    pub fn attach_or_start() -> Result<Self, Unavailable> {
        let Some(url) = get(REGISTRY) else {
            let server = SchemaRegistryServer::start()?;
            return Ok(Self { url: server.url(), owned: Some(server) });
        };
        let address = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let address = address.split('/').next().unwrap_or_default();
        TcpStream::connect(address)
            .context(|| format!("no schema registry answers at {address}, which {REGISTRY} names"))?;
        Ok(Self { url, owned: None })
    }

    /// The URL for `schema.registry.url`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The log of the registry that was started for this value, if one was.
    pub fn log_path(&self) -> Option<PathBuf> {
        self.owned.as_ref().map(SchemaRegistryServer::log_path)
    }
}
