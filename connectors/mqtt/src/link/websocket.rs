//! MQTT over WebSocket (MQTT 5, section 6): bytes in binary frames.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::stream::Duplex;
use crate::refusal::Cause;
use crate::server::Server;

/// Bytes of the largest frame that is read where no larger packet is allowed. Frames are read whole; a larger one is refused.
/// Packets may be spread over frames, and frames hold several packets, as a server likes.
const LARGEST_FRAME: usize = 16 * 1024 * 1024;
/// Bytes that a frame may have beyond the largest packet: the packet's fixed header, and small ones beside it.
const BESIDE: usize = 1024;

/// A WebSocket as a stream of bytes.
pub(super) struct WebSocket {
    frames: WebSocketStream<Box<dyn Duplex>>,
    /// Of the last frame, what was not read yet.
    rest: Bytes,
}

/// Asks the server behind `stream` for a WebSocket, in which a packet may have `max_packet` bytes.
pub(super) async fn upgrade(
    stream: Box<dyn Duplex>,
    server: &Server,
    path: &str,
    max_packet: usize,
) -> Result<WebSocket, Cause> {
    let scheme = if server.tls { "wss" } else { "ws" };
    let passing = |error: Error| match error {
        Error::Http(response) => Cause::Refused {
            words: format!(
                "it answers the request for a WebSocket at {path} with HTTP status {}",
                response.status()
            ),
            for_good: response.status().is_client_error(),
        },
        other => Cause::Passing(format!("no WebSocket at {path}: {other}")),
    };
    let mut request =
        format!("{scheme}://{}{path}", server.authority()).into_client_request().map_err(passing)?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
    let largest = LARGEST_FRAME.max(max_packet.saturating_add(BESIDE));
    let limits = WebSocketConfig::default().max_frame_size(Some(largest)).max_message_size(Some(largest));
    let upgraded = client_async_with_config(request, stream, Some(limits)).await;
    let (frames, _) = upgraded.map_err(passing)?;
    Ok(WebSocket { frames, rest: Bytes::new() })
}

/// The bytes of the frame that was too large to be read, if that is what went wrong.
pub(super) fn too_large(error: &io::Error) -> Option<usize> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) => Some(*size),
        _ => None,
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::UnexpectedEof.into(),
        other => io::Error::other(other),
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.frames).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::other(
                        "a WebSocket frame of text, where MQTT's are binary",
                    )));
                }
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(())),
                // Pings are answered by the library.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
            }
        }
        let length = self.rest.len().min(out.remaining());
        out.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let frames = &mut self.frames;
        ready!(Pin::new(&mut *frames).poll_ready(cx)).map_err(io_error)?;
        let frame = Message::Binary(Bytes::copy_from_slice(bytes));
        Pin::new(frames).start_send(frame).map_err(io_error)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.frames).poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.frames).poll_close(cx).map_err(io_error)
    }
}
