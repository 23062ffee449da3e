//! A name node and a data node in one Java process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Kdc;
use super::java::Java;
use super::site::write_configuration;
use crate::failure::{Failure, OrFail as _};
use crate::folders::try_temp_dir;
use crate::kafka::Unavailable;
use crate::leash::{Launch, Leashed};
use crate::ports::on_free_port;
use crate::progress::say;

const SLOWEST_START: Duration = Duration::from_secs(120);
/// What it prints once the data node has reported to the name node.
const READY: &str = "Started MiniDFSCluster";
const CLUSTER: &str = "org.apache.hadoop.test.MiniDFSClusterManager";

/// Settings of the cluster: small blocks, so that files have several, and no waiting where there is one data node.
const SETTINGS: [(&str, &str); 7] = [
    ("dfs.namenode.fs-limits.min-block-size", "1024"),
    ("dfs.namenode.safemode.extension", "0"),
    ("dfs.namenode.replication.considerLoad", "false"),
    ("dfs.permissions.superusergroup", "supergroup"),
    ("dfs.namenode.lease-recheck-interval-ms", "500"),
    // How long clients rest before they ask a name node again that does not answer.
    ("dfs.client.failover.sleep.base.millis", "100"),
    ("dfs.client.failover.sleep.max.millis", "1000"),
];

/// A cluster of a test's own. It ends with the value, or with the process that made it.
#[derive(Debug)]
pub struct HdfsServer {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    process: Leashed,
    java: Java,
    host: &'static str,
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
        Self::start_with("127.0.0.1", Java::find()?, Vec::new())
    }

    /// The same for a cluster that asks everybody for Kerberos tickets. `protection` is that of calls and of data:
    /// `authentication`, `integrity` or `privacy`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with_kerberos(kdc: &Kdc, protection: &str) -> Result<Self, Unavailable> {
        let java = Java::find()?;
        let java = java.option(format!("-Djava.security.krb5.conf={}", kdc.config().display()));
        let keytab = kdc.keytab().display().to_string();
        let settings = [
            ("hadoop.security.authentication", "kerberos"),
            ("hadoop.security.authorization", "true"),
            ("hadoop.rpc.protection", protection),
            ("dfs.data.transfer.protection", protection),
            ("dfs.block.access.token.enable", "true"),
            ("dfs.namenode.kerberos.principal", Kdc::CLUSTER),
            ("dfs.namenode.keytab.file", &keytab),
            ("dfs.datanode.kerberos.principal", Kdc::CLUSTER),
            ("dfs.datanode.keytab.file", &keytab),
            ("dfs.web.authentication.kerberos.principal", Kdc::WEB),
            ("dfs.web.authentication.kerberos.keytab", &keytab),
            // Data nodes want either ports that are root's or certificates for their web pages.
            ("ignore.secure.ports.for.testing", "true"),
            // The client may write anywhere, although this machine has no account of that name.
            ("hadoop.user.group.static.mapping.overrides", "lavka=supergroup;"),
        ];
        // Tickets are for hosts by name.
        Self::start_with("localhost", java, settings.map(|(name, value)| (name, value.to_owned())).to_vec())
    }

    fn start_with(
        host: &'static str,
        java: Java,
        settings: Vec<(&str, String)>,
    ) -> Result<Self, Unavailable> {
        let folder = try_temp_dir()?;
        let began = Instant::now();
        let java = java.configured_by(&conf_dir(folder.path()));
        let (port, process) = on_free_port("already in use", |port| {
            let url = url(host, port);
            let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
            let settings = SETTINGS.into_iter().chain(settings).chain([("fs.defaultFS", url.as_str())]);
            write_configuration(&conf_dir(folder.path()), settings)?;
            launch(&java, folder.path(), port, true)
        })?;
        say(&format!("HDFS ready at {host}:{port} in {:.1?}", began.elapsed()));
        Ok(Self { process, java, host, port, folder })
    }

    /// The URL for `store.url`, the same from start to start.
    pub fn url(&self) -> String {
        url(self.host, self.port)
    }

    /// The directory with the configuration of clients, for `hadoop.conf.dir`.
    pub fn conf_dir(&self) -> PathBuf {
        conf_dir(self.folder.path())
    }

    /// Writes a delegation token for this cluster into `file`, for `HADOOP_TOKEN_FILE_LOCATION`, with Hadoop's own client and
    /// the ticket in `cache`.
    ///
    /// # Errors
    /// When that client fails, with what it printed.
    pub fn get_token(&self, cache: &Path, file: &Path) -> Result<(), Failure> {
        let java = self.java.clone().ticket_cache(cache);
        let file = file.display().to_string();
        java.run("org.apache.hadoop.hdfs.tools.DelegationTokenFetcher", &["--renewer", Kdc::CLIENT, &file])
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
        self.process = launch(&self.java, self.folder.path(), self.port, false)?;
        Ok(())
    }
}

/// A cluster of which nothing is wanted but the process and its folder.
pub(super) fn start_plainly(java: Java) -> Result<(Leashed, TempDir), Failure> {
    let HdfsServer { process, folder, .. } = HdfsServer::start_with("127.0.0.1", java, Vec::new())?;
    Ok((process, folder))
}

fn url(host: &str, port: u16) -> String {
    format!("hdfs://{host}:{port}")
}

fn conf_dir(folder: &Path) -> PathBuf {
    folder.join("conf")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("hdfs.log")
}

fn launch(java: &Java, folder: &Path, port: u16, format: bool) -> Result<Leashed, Failure> {
    let log = log_path(folder);
    // What an earlier start printed says nothing of this one.
    let _ = std::fs::remove_file(&log);
    let mut command = java.command(CLUSTER);
    command.args(["-datanodes", "1", "-nnport"]).arg(port.to_string());
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
