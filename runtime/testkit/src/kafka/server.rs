//! One real Apache Kafka: a combined broker and controller in KRaft mode, run from the released jars.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::jars::{JarSet, Jars};
use super::{java, probe};
use crate::failure::{Context as _, Failure, OrFail as _};
use crate::folders::{try_temp_dir, try_write_file};
use crate::leash::{Launch, Leashed};
use crate::ports::{on_free_port, try_free_port};
use crate::progress::say;

/// Sixteen bytes in URL-safe base 64, as Kafka writes its UUIDs; the same for all, for none outlives its run.
const CLUSTER_ID: &str = "bGF2a2EtdGVzdGtpdC0wMQ";
const SLOWEST_START: Duration = Duration::from_secs(120);
const SLOWEST_STOP: Duration = Duration::from_secs(60);

/// Starts fast and stays small: the throughput of the test cluster is nobody's measure.
const JVM: [&str; 8] = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dlog4j2.statusLoggerLevel=OFF",
];

/// One node needs one replica of everything; groups form at once; a killed member is missed after a second.
const SETTINGS: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=true
num.partitions=1
num.network.threads=2
num.io.threads=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
";

/// A broker that was killed may register again only when its last session has expired: by default after 9 seconds.
/// Not for the shared server, which a busy machine must not make look dead.
const RESTARTABLE: [(&str, &str); 2] =
    [("broker.session.timeout.ms", "2000"), ("broker.heartbeat.interval.ms", "500")];

/// A server of a test's own, which the test may stop, kill and start again.
///
/// Data and ports stay the same from start to start; both end with the value, or with the process that made it.
/// Most tests should share [`services().kafka`](crate::Services::kafka) instead.
#[derive(Debug)]
pub struct KafkaServer {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    process: Leashed,
    java: PathBuf,
    jars: Jars,
    port: u16,
    folder: TempDir,
}

impl KafkaServer {
    /// Starts a server with the settings above and waits until it serves.
    ///
    /// # Errors
    /// When Java or the jars are missing (and what to install), or the server does not come up (with its log).
    pub fn start() -> Result<Self, Failure> {
        Self::start_with(&[])
    }

    /// Starts a server with more settings, `server.properties` keys and values; the last of equal keys wins.
    ///
    /// # Errors
    /// As [`KafkaServer::start`].
    pub fn start_with(settings: &[(&str, &str)]) -> Result<Self, Failure> {
        Self::start_on(Jars::resolve(JarSet::Server)?, &[&RESTARTABLE, settings].concat())
    }

    pub(super) fn start_on(jars: Jars, settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let java = java::find()?;
        let folder = try_temp_dir()?;
        let began = Instant::now();
        let mut formatted = false;
        let (port, process) = on_free_port("already in use", |port| {
            let properties = properties(folder.path(), port, try_free_port()?, settings);
            let file = try_write_file(folder.path(), "server.properties", properties.as_bytes())?;
            if !formatted {
                format_storage(&java, &jars, &file)?;
                formatted = true;
            }
            launch(&java, &jars, folder.path(), port)
        })?;
        let (version, took) = (Jars::version(), began.elapsed());
        say(&format!("Apache Kafka {version} ready at 127.0.0.1:{port} in {took:.1?}"));
        Ok(Self { process, java, jars, port, folder })
    }

    /// `127.0.0.1:port`, for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A client of this server.
    #[cfg(feature = "harness")]
    pub fn client(&self) -> super::KafkaClient {
        super::KafkaClient::new(self.bootstrap())
    }

    /// The file that holds the server's output.
    pub fn log_path(&self) -> PathBuf {
        log_path(self.folder.path())
    }

    /// Stops the server in an orderly way (SIGTERM) and waits for its end.
    #[track_caller]
    pub fn stop(&mut self) {
        self.process.stop(SLOWEST_STOP).or_fail();
    }

    /// Kills the server (SIGKILL), as a crash of its machine would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the server from running (SIGSTOP): connections stand, and nobody answers.
    #[track_caller]
    pub fn pause(&mut self) {
        self.process.pause().or_fail();
    }

    /// Lets a paused server go on (SIGCONT).
    #[track_caller]
    pub fn resume(&mut self) {
        self.process.resume().or_fail();
    }

    /// Starts the server again on its ports and data, after stopping it in an orderly way if it still runs.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.process.stop(SLOWEST_STOP)?;
        self.process = launch(&self.java, &self.jars, self.folder.path(), self.port)?;
        Ok(())
    }
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("kafka.log")
}

fn properties(folder: &Path, port: u16, controller: u16, settings: &[(&str, &str)]) -> String {
    let mut text = SETTINGS.to_owned();
    let _ = write!(
        text,
        "listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         log.dirs={}\n",
        folder.join("data").display()
    );
    for (key, value) in settings {
        let _ = writeln!(text, "{key}={value}");
    }
    text
}

fn format_storage(java: &Path, jars: &Jars, properties: &Path) -> Result<(), Failure> {
    let output = Command::new(java)
        .args(JVM)
        .args(["-cp", &jars.class_path(), "kafka.tools.StorageTool", "format"])
        .args(["--cluster-id", CLUSTER_ID, "--config"])
        .arg(properties)
        .output()
        .context(|| format!("cannot run {}", java.display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "Apache Kafka could not format its storage ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )))
}

fn launch(java: &Path, jars: &Jars, folder: &Path, port: u16) -> Result<Leashed, Failure> {
    let log = log_path(folder);
    let mut command = Command::new(java);
    command.args(JVM).args(["-cp", &jars.class_path(), "kafka.Kafka"]).arg(folder.join("server.properties"));
    let launch = Launch { name: "Apache Kafka", command: &command, log: Some(&log), remove: Some(folder) };
    let mut process = launch.start()?;
    let address = format!("127.0.0.1:{port}");
    process.wait_ready(SLOWEST_START, || probe::serves(&address))?;
    Ok(process)
}
