//! Sockets to the server, in the clear or over TLS.

use std::io;
use std::net::SocketAddr;

use lavka_api::{Error, Result};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;

use crate::database::TlsFiles;

/// The request for TLS: length 8, code 80877103 (protocol documentation, "SSL Session Encryption").
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Bytes that a server on the same machine may send ahead. A server writes each change by itself. What finds no room
/// here gathers on its side to few large pieces, which are cheaper to send and to receive than many small ones; from
/// another machine that would cost a round trip each time. Half of it is too little, twice of it gathers less.
const NEAR_WINDOW: u32 = 8 * 1024;

/// What is read from and written to.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to the server before anything of its protocol was said. A host that is a folder is that of a Unix socket.
///
/// # Errors
/// Where there is nobody, or no TLS as the configuration wants it.
pub(super) async fn connect(host: &str, port: u16, files: &TlsFiles) -> Result<Box<dyn Duplex>> {
    let failed = |error: io::Error| Error::retriable(format!("connecting to {host}:{port}: {error}"));
    if host.starts_with('/') {
        let path = format!("{host}/.s.PGSQL.{port}");
        let failed = |error: io::Error| Error::retriable(format!("connecting to {path}: {error}"));
        return Ok(Box::new(UnixStream::connect(&path).await.map_err(failed)?));
    }
    let mut tcp = open(host, port).await.map_err(failed)?;
    if !files.wanted() {
        return Ok(Box::new(tcp));
    }
    tcp.write_all(&SSL_REQUEST).await.map_err(failed)?;
    // Read by itself: bytes that follow in the clear are nobody's (CVE-2021-23222), and the handshake refuses them.
    if tcp.read_u8().await.map_err(failed)? != b'S' {
        if files.optional() {
            // A server without TLS goes on in the clear.
            return Ok(Box::new(tcp));
        }
        return Err(Error::config(format!(
            "{host}:{port} has no TLS, and database.sslmode insists on it: set ssl = on in postgresql.conf, or \
             database.sslmode=disable."
        )));
    }
    let reader = files.clone();
    let config = tokio::task::spawn_blocking(move || reader.client_config()).await.map_err(|error| {
        Error::fatal(format!("reading the files of database.ssl* was cut off: {error}"))
    })??;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| Error::invalid_value("database.hostname", host, error))?;
    let tls = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
        Error::config(format!(
            "TLS with {host}:{port} failed: {error}. Check database.sslmode and database.sslrootcert (the authority that \
             signed the server's certificate)."
        ))
    })?;
    Ok(Box::new(tls))
}

/// Tries the host's addresses one after the other.
async fn open(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut why = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((host, port)).await? {
        match open_at(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => why = error,
        }
    }
    Err(why)
}

async fn open_at(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if address.ip().is_loopback() {
        socket.set_recv_buffer_size(NEAR_WINDOW)?;
    }
    let tcp = socket.connect(address).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}
