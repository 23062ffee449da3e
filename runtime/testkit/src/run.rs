//! One run of tests with the services started once, around all of its test binaries.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Instant;

use crate::environment::{BINARY, BOOTSTRAP, HDFS, KAFKA_KIND, MQTT, REGISTRY, REPORT, THREADS, get};
use crate::failure::{Context as _, Failure};
use crate::folders::{try_temp_dir, workspace_root};
use crate::hdfs::Hdfs;
use crate::kafka::{JarSet, Jars, Kafka, Unavailable};
use crate::lavka::{Artifacts, cargo};
use crate::leash::{Launch, find_program};
use crate::missed::say_missed;
use crate::mosquitto::SharedMosquitto;
use crate::progress::say;
use crate::schema_registry::SchemaRegistry;

/// A command that is run with the services at hand, and what its children are told of them.
#[derive(Debug)]
pub struct TestRun {
    command: Command,
    /// Whether tests with a schema registry are among what is run.
    with_registry: bool,
    /// Whether tests with HDFS are.
    with_hdfs: bool,
}

/// Test targets of this name are run with one schema registry for all.
const REGISTRY_TESTS: &str = "registry";
/// And those of this name with one HDFS cluster.
const HDFS_TESTS: &str = "hdfs";

impl TestRun {
    /// `cargo test ARGS…`. Compiles first, so that a broken build starts nothing, and so that tests find the
    /// executable that was built along with them.
    ///
    /// # Errors
    /// When Kafka's jars are not to be had, or the build fails.
    pub fn cargo_test(args: Vec<OsString>) -> Result<Self, Failure> {
        if get(BOOTSTRAP).is_none()
            && let Err(Unavailable::Broken(failure)) = Jars::resolve(JarSet::Server)
        {
            return Err(failure);
        }
        // What follows `--` is for the test binaries, which are not run yet.
        let for_cargo = args.iter().take_while(|arg| *arg != "--").cloned();
        let built = Artifacts::build(["test".into(), "--no-run".into()].into_iter().chain(for_cargo))?;
        let mut command = cargo();
        command.arg("test").args(args);
        if get(THREADS).is_none() {
            command.env(THREADS, threads().to_string());
        }
        if get(BINARY).is_none()
            && let Some(path) = built.binary("lavka")
        {
            command.env(BINARY, path);
        }
        Ok(Self {
            command,
            with_registry: built.has_test(REGISTRY_TESTS),
            with_hdfs: built.has_test(HDFS_TESTS),
        })
    }

    /// Any command, such as a bench.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn command(program: &OsStr, args: Vec<OsString>) -> Result<Self, Failure> {
        let known = program.to_string_lossy().contains('/') || find_program(program).is_some();
        if !known {
            return Err(Failure::new(format!("there is no program {}", program.display())));
        }
        let mut command = Command::new(program);
        command.args(args);
        Ok(Self { command, with_registry: false, with_hdfs: false })
    }

    /// Starts the services, runs the command, stops the services, and says in closing lines what was missed.
    ///
    /// Returns the command's exit code (128 and the signal's number when a signal ended it).
    ///
    /// # Errors
    /// When a service or the command cannot be started.
    pub fn run(mut self) -> Result<u8, Failure> {
        let registry = self.with_registry.then(|| std::thread::spawn(SchemaRegistry::attach_or_start));
        let hdfs = self.with_hdfs.then(|| std::thread::spawn(Hdfs::attach_or_start));
        let kafka = Kafka::attach_or_start()?;
        let mosquitto = SharedMosquitto::attach_or_start()?;
        // Without one each test says what it wants.
        let registry = registry.and_then(|starting| starting.join().ok()?.ok());
        let hdfs = hdfs.and_then(|starting| starting.join().ok()?.ok());
        let folder = try_temp_dir()?;
        let report = folder.path().join("missed");
        let address = format!("{}:{}", mosquitto.host(), mosquitto.port());
        self.command
            .env(BOOTSTRAP, kafka.bootstrap())
            .env(KAFKA_KIND, kafka.kind().word())
            .env(MQTT, &address)
            .env(REPORT, &report);
        if let Some(registry) = &registry {
            self.command.env(REGISTRY, registry.url());
            say(&format!("schema registry at {}", registry.url()));
        }
        if let Some(hdfs) = &hdfs {
            self.command.env(HDFS, hdfs.url());
            say(&format!("HDFS at {}", hdfs.url()));
        }
        say(&format!("Kafka ({}) at {}, Mosquitto at {address}", kafka.kind().word(), kafka.bootstrap()));

        let began = Instant::now();
        let launch =
            Launch { name: "the command", command: &self.command, log: None, remove: Some(folder.path()) };
        let status = launch.start()?.join()?;
        let took = began.elapsed();

        if !status.success() {
            let registry = registry.as_ref().and_then(SchemaRegistry::log_path);
            let hdfs = hdfs.as_ref().and_then(Hdfs::log_path);
            keep_logs([kafka.log_path(), mosquitto.log_path(), registry, hdfs].into_iter().flatten());
        }
        drop((kafka, mosquitto, registry, hdfs));
        say(&format!("took {took:.0?}; services stopped"));
        if let Ok(notes) = std::fs::read_to_string(&report) {
            say_missed(&notes);
        }
        Ok(exit_code(status))
    }
}

/// How many tests run at once, where nobody has said. Twice what the harness takes by itself, which is one for each core: tests
/// with services mostly wait, for a cluster that starts, a lease that runs out, a worker that comes back.
fn threads() -> usize {
    2 * std::thread::available_parallelism().map_or(1, usize::from)
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Copies the services' logs to `service-logs` in the build folder before they go with their services.
fn keep_logs(logs: impl Iterator<Item = PathBuf>) {
    let target = get("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from);
    let folder = target.join("service-logs");
    for log in logs {
        match keep(&log, &folder) {
            Ok(kept) => say(&format!("log kept as {}", kept.display())),
            Err(failure) => say(&format!("{failure}")),
        }
    }
}

fn keep(log: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let explain = || format!("cannot keep {} in {}", log.display(), folder.display());
    std::fs::create_dir_all(folder).context(explain)?;
    let kept = folder.join(log.file_name().unwrap_or_default());
    std::fs::copy(log, &kept).context(explain)?;
    Ok(kept)
}
