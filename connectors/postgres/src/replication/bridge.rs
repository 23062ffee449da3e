//! TLS for the replication connection.
//!
//! `pgwire-replication` comes with TLS on another provider than the rest of the binary, so it is built without. What it
//! speaks to instead is a Unix socket in a folder that only this user can enter; its one connection is carried on over
//! TLS. Where the connection goes in the clear, there is no bridge.

use std::io;
use std::path::{Path, PathBuf};

use lavka_api::{Error, Result};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::database::TlsFiles;

/// The request for TLS: length 8, code 80877103 (protocol documentation, "SSL Session Encryption").
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// One connection over TLS, carried on until it ends.
pub(super) struct Bridge {
    folder: TempDir,
    port: u16,
    carrier: JoinHandle<()>,
}

impl Bridge {
    /// Connects to the server; `None` where the server has no TLS and the mode does not insist.
    pub(super) async fn open(host: &str, port: u16, files: &TlsFiles) -> Result<Option<Self>> {
        let failed = |error: io::Error| Error::retriable(format!("connecting to {host}:{port}: {error}"));
        let mut tcp = TcpStream::connect((host, port)).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        tcp.write_all(&SSL_REQUEST).await.map_err(failed)?;
        let answer = tcp.read_u8().await.map_err(failed)?;
        if answer != b'S' {
            if files.optional() {
                return Ok(None);
            }
            return Err(Error::config(format!(
                "{host}:{port} has no TLS, and database.sslmode insists on it: set ssl = on in postgresql.conf, or \
                 database.sslmode=disable."
            )));
        }
        let reader = files.clone();
        let config = blocking(move || reader.client_config()).await??;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| Error::invalid_value("database.hostname", host, error))?;
        let mut tls = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
            Error::config(format!(
                "TLS with {host}:{port} failed: {error}. Check database.sslmode and database.sslrootcert (the authority \
                 that signed the server's certificate)."
            ))
        })?;
        let folder =
            blocking(|| tempfile::Builder::new().prefix("lavka-postgres-").tempdir()).await?.map_err(
                |error| Error::retriable(format!("a folder for the TLS bridge cannot be made: {error}")),
            )?;
        let path = socket(folder.path(), port);
        let listener = UnixListener::bind(&path)
            .map_err(|error| Error::retriable(format!("{} cannot be bound: {error}", path.display())))?;
        let carrier = tokio::spawn(async move {
            let Ok((mut local, _)) = listener.accept().await else { return };
            drop(listener);
            // Either side's end is the end of the other.
            let _ = copy_bidirectional(&mut local, &mut tls).await;
        });
        Ok(Some(Self { folder, port, carrier }))
    }

    /// The folder that takes the place of the host.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port that is part of the socket's name.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

fn socket(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::fatal(format!("a blocking step of the connection was cut off: {error}")))
}

/// Where the bridge, or the server itself, is to be connected to.
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    /// Kept as long as the connection.
    _bridge: Option<Bridge>,
}

impl Endpoint {
    /// The endpoint for the mode of `files`.
    pub(super) async fn open(host: &str, port: u16, files: &TlsFiles) -> Result<Self> {
        let direct = || Self { host: host.to_owned(), port, _bridge: None };
        // A host that is a folder is a Unix socket, which has no TLS.
        if !files.wanted() || host.starts_with('/') {
            return Ok(direct());
        }
        Ok(match Bridge::open(host, port, files).await? {
            Some(bridge) => Self {
                host: bridge.folder().to_string_lossy().into_owned(),
                port: bridge.port(),
                _bridge: Some(bridge),
            },
            None => direct(),
        })
    }
}
