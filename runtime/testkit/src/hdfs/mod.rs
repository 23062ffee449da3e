//! HDFS from Hadoop's released jars: a small cluster in one process, one of several that can be killed one by one, and
//! Kerberos for either.

mod cluster;
mod java;
mod kdc;
mod server;
mod site;

use std::path::{Path, PathBuf};

use crate::environment::{HDFS, get};
use crate::failure::{Context as _, Failure};
use crate::folders::try_temp_dir;
use crate::kafka::Unavailable;

use java::Java;

pub use cluster::HdfsCluster;
pub use kdc::Kdc;
pub use server::HdfsServer;
pub(crate) use site::configuration;

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

    /// Copies a directory of the cluster into `folder`, with Hadoop's own client.
    ///
    /// # Errors
    /// When that client fails, with what it printed.
    pub fn copy_out(&self, path: &str, folder: &Path) -> Result<(), Failure> {
        let from = format!("{}{path}", self.url);
        let to = folder.display().to_string();
        // The client does not start without a configuration.
        let conf = try_temp_dir()?;
        site::write_configuration(conf.path(), [("fs.defaultFS", self.url())])?;
        let java = Java::find()?.configured_by(conf.path());
        java.run("org.apache.hadoop.fs.FsShell", &["-copyToLocal", &from, &to])
    }

    /// The log of the cluster that was started for this value, if one was.
    pub fn log_path(&self) -> Option<PathBuf> {
        self.owned.as_ref().map(HdfsServer::log_path)
    }
}
