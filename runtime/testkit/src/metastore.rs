//! Hive's metastore from its released jars, with a database of its own in the process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::class_archive;
use crate::failure::Failure;
use crate::folders::{try_temp_dir, try_write_file};
use crate::hdfs::configuration;
use crate::kafka::{JarSet, Jars, Unavailable, find_java_with_version};
use crate::leash::{Launch, Leashed};
use crate::ports::on_free_port;
use crate::progress::say;

/// It makes its tables at the first start.
const SLOWEST_START: Duration = Duration::from_secs(120);
const JVM: [&str; 4] =
    ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"];

/// A metastore of a test's own. It ends with the value, or with the process that made it.
#[derive(Debug)]
pub struct HiveMetastore {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    process: Leashed,
    java: Java,
    port: u16,
    folder: TempDir,
}

#[derive(Clone, Debug)]
struct Java {
    program: PathBuf,
    class_path: String,
    /// What lets it start faster, where that is to be had.
    option: Option<String>,
}

impl HiveMetastore {
    /// Starts a metastore with the database `default`, and waits until it answers.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when its jars are not to be had; otherwise when Java is missing, or it does not
    /// come up (with its log).
    pub fn start() -> Result<Self, Unavailable> {
        let (jars, found) = (Jars::resolve(JarSet::Metastore)?, find_java_with_version()?);
        let java = Java { program: found.program.clone(), class_path: jars.class_path(), option: None };
        let start = |option| {
            let Self { process, folder, .. } =
                Self::start_with(Java { option: Some(option), ..java.clone() })?;
            Ok((process, folder))
        };
        let option = class_archive::option(&found, &jars, start);
        Ok(Self::start_with(Java { option, ..java })?)
    }

    fn start_with(java: Java) -> Result<Self, Failure> {
        let folder = try_temp_dir()?;
        let began = Instant::now();
        let (port, process) = on_free_port("already in use", |port| {
            try_write_file(folder.path(), "metastore-site.xml", site(folder.path(), port).as_bytes())?;
            launch(&java, folder.path(), port)
        })?;
        say(&format!("Hive Metastore ready at 127.0.0.1:{port} in {:.1?}", began.elapsed()));
        Ok(Self { process, java, port, folder })
    }

    /// Its address for `hive.metastore.uris`, the same from start to start.
    pub fn url(&self) -> String {
        format!("thrift://127.0.0.1:{}", self.port)
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on its port, with what it knew.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.process.kill();
        self.process = launch(&self.java, self.folder.path(), self.port)?;
        Ok(())
    }
}

fn site(folder: &Path, port: u16) -> String {
    let database = format!("jdbc:derby:;databaseName={}/database;create=true", folder.display());
    let warehouse = format!("{}/warehouse", folder.display());
    let uri = format!("thrift://127.0.0.1:{port}");
    configuration([
        ("javax.jdo.option.ConnectionURL", database.as_str()),
        ("javax.jdo.option.ConnectionDriverName", "org.apache.derby.jdbc.EmbeddedDriver"),
        ("datanucleus.schema.autoCreateAll", "true"),
        ("metastore.schema.verification", "false"),
        ("metastore.warehouse.dir", &warehouse),
        ("metastore.thrift.uris", &uri),
        ("metastore.expression.proxy", "org.apache.hadoop.hive.metastore.DefaultPartitionExpressionProxy"),
        ("metastore.task.threads.always", "org.apache.hadoop.hive.metastore.events.EventCleanerTask"),
    ])
}

fn launch(java: &Java, folder: &Path, port: u16) -> Result<Leashed, Failure> {
    let log = folder.join("metastore.log");
    let mut command = Command::new(&java.program);
    command
        .args(JVM)
        .args(&java.option)
        .arg(format!("-Dderby.stream.error.file={}/derby.log", folder.display()))
        .args(["-cp", &format!("{}:{}", java.class_path, folder.display())])
        .args(["org.apache.hadoop.hive.metastore.HiveMetaStore", "-p"])
        .arg(port.to_string())
        .current_dir(folder);
    let launch = Launch { name: "Hive Metastore", command: &command, log: Some(&log), remove: Some(folder) };
    let mut process = launch.start()?;
    process.wait_ready(SLOWEST_START, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    Ok(process)
}
