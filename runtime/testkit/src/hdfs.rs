//! HDFS from Hadoop's released jars: a name node and a data node in one Java process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::environment::{HDFS, get};
use crate::failure::{Context as _, Failure, OrFail as _};
use crate::folders::try_temp_dir;
use crate::kafka::{JarSet, Jars, Unavailable, find_java};
use crate::leash::{Launch, Leashed};
use crate::ports::on_free_port;
use crate::progress::say;

const SLOWEST_START: Duration = Duration::from_secs(120);
/// What it prints once the data node has reported to the name node.
const READY: &str = "Started MiniDFSCluster";
const CLUSTER: &str = "org.apache.hadoop.test.MiniDFSClusterManager";

/// Starts fast and stays small; the shaded jars log through reload4j.
const JVM: [&str; 5] = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dlog4j.rootLogger=INFO",
];

/// Settings of the cluster: small blocks, so that files have several, and no waiting where there is one data node.
const SETTINGS: [&str; 5] = [
    "dfs.namenode.fs-limits.min-block-size=1024",
    "dfs.namenode.safemode.extension=0",
    "dfs.namenode.replication.considerLoad=false",
    "dfs.permissions.superusergroup=supergroup",
    "dfs.namenode.lease-recheck-interval-ms=500",
];

/// A cluster of a test's own. It ends with the value, or with the process that made it.
#[derive(Debug)]
pub struct HdfsServer {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    process: Leashed,
    java: PathBuf,
    class_path: String,
    port: u16,
    folder: TempDir,
}

impl HdfsServer {
    /// Starts a cluster and waits until files can be written.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when its jars are not to be had; otherwise when Java is missing, or it does not come
    /// up (with its log).
    pub fn start() -> Result<Self, Unavailable> {
        let jars = Jars::resolve(JarSet::Hadoop)?;
        let (java, class_path) = (find_java()?, jars.class_path());
        let folder = try_temp_dir()?;
        let began = Instant::now();
        let (port, process) =
            on_free_port("already in use", |port| launch(&java, &class_path, folder.path(), port, true))?;
        say(&format!("HDFS ready at 127.0.0.1:{port} in {:.1?}", began.elapsed()));
        Ok(Self { process, java, class_path, port, folder })
    }

    /// The URL for `store.url`, the same from start to start.
    pub fn url(&self) -> String {
        format!("hdfs://127.0.0.1:{}", self.port)
    }

    /// The file that holds the cluster's output.
    pub fn log_path(&self) -> PathBuf {
        log_path(self.folder.path())
    }

    /// Kills name node and data node (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the cluster from running (SIGSTOP): connections stand, and nobody answers.
    #[track_caller]
    pub fn pause(&mut self) {
        self.process.pause().or_fail();
    }

    /// Lets a paused cluster go on (SIGCONT).
    #[track_caller]
    pub fn resume(&mut self) {
        self.process.resume().or_fail();
    }

    /// Starts the cluster again on its port, with the files that were in it.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.process.kill();
        self.process = launch(&self.java, &self.class_path, self.folder.path(), self.port, false)?;
        Ok(())
    }
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("hdfs.log")
}

fn launch(java: &Path, class_path: &str, folder: &Path, port: u16, format: bool) -> Result<Leashed, Failure> {
    let log = log_path(folder);
    // What an earlier start printed says nothing of this one.
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new(java);
    command.args(JVM).args(["-cp", class_path, CLUSTER, "-datanodes", "1", "-nnport"]).arg(port.to_string());
    for setting in SETTINGS {
        command.args(["-D", setting]);
    }
    if format {
        command.arg("-format");
    }
    command.current_dir(folder);
    let launch = Launch { name: "HDFS", command: &command, log: Some(&log), remove: Some(folder) };
    let mut process = launch.start()?;
    process.wait_ready(SLOWEST_START, || {
        std::fs::read(&log).is_ok_and(|text| String::from_utf8_lossy(&text).contains(READY))
    })?;
    Ok(process)
}

/// The cluster that a whole test run shares: directories are told apart by name, see [`unique`](crate::unique).
#[derive(Debug)]
pub struct Hdfs {
    url: String,
    owned: Option<HdfsServer>,
}

impl Hdfs {
    /// Uses the cluster of `LAVKA_TEST_HDFS`, else starts one.
    ///
    /// # Errors
    /// As [`HdfsServer::start`], and when nobody answers at that URL.
    pub fn attach_or_start() -> Result<Self, Unavailable> {
        let Some(url) = get(HDFS) else {
            let server = HdfsServer::start()?;
            return Ok(Self { url: server.url(), owned: Some(server) });
        };
        let address = url.trim_start_matches("hdfs://").trim_end_matches('/');
        std::net::TcpStream::connect(address)
            .context(|| format!("no name node answers at {address}, which {HDFS} names"))?;
        Ok(Self { url, owned: None })
    }

    /// The URL for `store.url`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The log of the cluster that was started for this value, if one was.
    pub fn log_path(&self) -> Option<PathBuf> {
        self.owned.as_ref().map(HdfsServer::log_path)
    }
}
