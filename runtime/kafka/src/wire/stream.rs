//! Opening a stream to a broker.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use lavka_api::{Error, ErrorClass, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::tls;
use crate::failure;
use crate::settings::{Endpoint, WireSettings};

/// A connection to a broker, plain or encrypted.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The broker cannot be talked to now.
pub(super) fn unreachable(broker: &Endpoint, detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorClass::Retriable, failure::TIMEOUT, format!("Cannot connect to {broker}: {detail}"))
}

impl Stream {
    /// Connects within `socket.connection.setup.timeout.ms`, to the first of the host's addresses that answers.
    pub(super) async fn open(broker: &Endpoint, settings: &WireSettings) -> Result<Self> {
        let limit = settings.connect_timeout;
        match tokio::time::timeout(limit, Self::connect(broker, settings)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unreachable(broker, format_args!("no connection within {} ms", limit.as_millis()))),
        }
    }

    async fn connect(broker: &Endpoint, settings: &WireSettings) -> Result<Self> {
        // Settings that are wrong are wrong for every broker: find out before any is bothered.
        let connector = match &settings.security.tls {
            Some(tls) => Some(tls::connector(tls).await?),
            None => None,
        };
        let tcp = TcpStream::connect((broker.host.as_str(), broker.port))
            .await
            .map_err(|error| unreachable(broker, error))?;
        // Requests are small and answered one by one; waiting to fill a segment would only add latency.
        tcp.set_nodelay(true).map_err(|error| unreachable(broker, error))?;
        let Some(connector) = connector else { return Ok(Self::Plain(tcp)) };
        match connector.connect(tls::server_name(&broker.host)?, tcp).await {
            Ok(stream) => Ok(Self::Tls(Box::new(stream))),
            Err(error) if tls::is_permanent(&error) => Err(Error::new(
                ErrorClass::Fatal,
                failure::TLS,
                format!(
                    "SSL handshake with {broker} failed: {error}; check ssl.truststore, ssl.keystore and the port"
                ),
            )),
            Err(error) => Err(unreachable(broker, format_args!("SSL handshake: {error}"))),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
