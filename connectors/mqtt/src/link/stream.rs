//! Connections to servers: TCP, TLS, WebSocket.

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::websocket;
use crate::refusal::Cause;
use crate::server::Server;
use crate::settings::Settings;

/// Bytes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Connects to `server`, and speaks TLS and WebSocket where that is wanted.
pub(super) async fn dial(settings: &Settings, server: &Server) -> Result<Box<dyn Duplex>, Cause> {
    let tcp =
        TcpStream::connect((server.host.as_str(), server.port)).await.map_err(|error| Cause::from(&error))?;
    // Acknowledgements are small and each opens the window a little.
    tcp.set_nodelay(true).map_err(|error| Cause::from(&error))?;
    let stream: Box<dyn Duplex> = match &settings.tls {
        Some(tls) if server.tls => {
            let name = settings.server_name.as_deref().unwrap_or(&server.host);
            let name = ServerName::try_from(name.to_owned()).map_err(|_| {
                Cause::Passing(format!("a certificate cannot be checked against the name {name}"))
            })?;
            let connector = TlsConnector::from(tls.clone());
            Box::new(connector.connect(name, tcp).await.map_err(|error| Cause::from(&error))?)
        }
        _ => Box::new(tcp),
    };
    match &server.path {
        None => Ok(stream),
        Some(path) => Ok(Box::new(websocket::upgrade(stream, server, path, settings.largest()).await?)),
    }
}
