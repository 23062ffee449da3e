//! One client connection: frames in, frames out, one request at a time.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{RequestKind, ResponseKind},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    cluster::{Caller, Cluster, ConnectionId, Interference, Outcome},
    shared::{Answer, Pending, Shared},
    wire::{self, Cursor, Header, Incoming, Malformed, Unencodable},
};

/// Room made for each read, and how much of the next requests is read while one waits.
const READ_AHEAD: usize = 64 * 1024;
const LENGTH: usize = 4;

/// What the connection needs to know of its surroundings.
pub(crate) struct Connection<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) id: ConnectionId,
    /// The client's address, as descriptions of groups show it.
    pub(crate) host: &'a str,
    pub(crate) max_request_bytes: usize,
    pub(crate) max_idle: Duration,
}

/// Why a connection ends before the client closes it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("a request of {length} bytes, where socket.request.max.bytes is {limit}")]
    TooLarge { length: i32, limit: usize },
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("the response cannot be written: {0}")]
    Unencodable(#[from] Unencodable),
    #[error("the client neither sent nor took anything for {0:?}")]
    Idle(Duration),
    #[error("a request that cannot be answered")]
    Refused,
    #[error("closed on purpose, by a fault that was asked for")]
    OnPurpose,
}

impl Connection<'_> {
    /// Answers requests until the client closes the connection or breaks the protocol.
    pub(crate) async fn serve<S>(&self, stream: S) -> Result<(), Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut frames = Frames { stream, buffer: BytesMut::new(), limit: self.max_request_bytes };
        let result = self.answer_all(&mut frames).await;
        self.shared.disconnected(self.id, None);
        result
    }

    async fn answer_all<S>(&self, frames: &mut Frames<S>) -> Result<(), Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let next = tokio::time::timeout(self.max_idle, frames.next()).await;
            let Some(frame) = next.map_err(|_| Broken::Idle(self.max_idle))?? else { return Ok(()) };
            let reply = match wire::decode(&frame)? {
                Incoming::UnknownApiVersions { correlation } => {
                    wire::encode_unknown_api_versions(correlation)?
                }
                Incoming::Request(header, request) => {
                    let interference = self.shared.interfere(header.api);
                    if let Interference::Delay(by) = interference {
                        tokio::time::sleep(by).await;
                    }
                    // What is kept of the request has been copied; the frame need not live while the answer waits.
                    drop(frame);
                    let response = match interference {
                        Interference::Drop => return Err(Broken::OnPurpose),
                        Interference::Refuse(error) => refuse(&header, &request, error)?,
                        Interference::None | Interference::Cut | Interference::Delay(_) => {
                            self.answer(&header, request, frames).await?
                        }
                    };
                    let reply = response.map(|response| {
                        wire::encode(header.api, header.version, header.correlation, &response)
                    });
                    let reply = reply.transpose()?;
                    if interference == Interference::Cut {
                        let half = reply.map(|mut reply| reply.split_to(reply.len() / 2));
                        self.write(frames, &half.unwrap_or_default()).await?;
                        return Err(Broken::OnPurpose);
                    }
                    match reply {
                        Some(reply) => reply,
                        None => continue,
                    }
                }
            };
            self.write(frames, &reply).await?;
        }
    }

    async fn write<S>(&self, frames: &mut Frames<S>, bytes: &[u8]) -> Result<(), Broken>
    where
        S: AsyncWrite + Unpin,
    {
        let write = async {
            frames.stream.write_all(bytes).await?;
            // TLS keeps what is not flushed.
            frames.stream.flush().await
        };
        let written = tokio::time::timeout(self.max_idle, write).await;
        Ok(written.map_err(|_| Broken::Idle(self.max_idle))??)
    }

    /// The response to one request; `None` if the client wants none.
    async fn answer<S>(
        &self,
        header: &Header,
        request: RequestKind,
        frames: &mut Frames<S>,
    ) -> Result<Option<ResponseKind>, Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let caller = Caller {
            connection: self.id,
            client_id: &header.client_id,
            host: self.host,
            version: header.version,
        };
        match self.shared.handle(caller, request) {
            Answer::Now(response) => Ok(Some(response)),
            Answer::Never => Ok(None),
            Answer::Disconnect => Err(Broken::Refused),
            Answer::Later(pending) => self.wait(pending, frames).await.map(Some),
        }
    }

    /// Waits for an answer and for the client to go away, whichever comes first.
    async fn wait<S>(&self, mut pending: Pending, frames: &mut Frames<S>) -> Result<ResponseKind, Broken>
    where
        S: AsyncRead + Unpin,
    {
        let error = tokio::select! {
            response = &mut pending.response => return response.map_err(|_| Broken::Refused),
            error = frames.closed() => error,
        };
        self.shared.disconnected(self.id, Some(pending));
        Err(error.into())
    }
}

/// The answer that refuses a request; `None` where it cannot be refused, or wants no answer.
fn refuse(
    header: &Header,
    request: &RequestKind,
    error: ResponseError,
) -> Result<Option<ResponseKind>, Broken> {
    match Cluster::refuse(header.version, request, error) {
        Outcome::Reply(response) => Ok(Some(response)),
        Outcome::Silent | Outcome::Parked(_) | Outcome::Disconnect => Err(Broken::OnPurpose),
    }
}

/// Cuts a stream of bytes into frames.
struct Frames<S> {
    stream: S,
    buffer: BytesMut,
    limit: usize,
}

impl<S: AsyncRead + Unpin> Frames<S> {
    /// The next frame without its length; `None` when the client has closed the connection between two frames.
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            let mut cursor = Cursor::new(&self.buffer);
            let missing = match cursor.i32() {
                None => LENGTH - self.buffer.len(),
                Some(length) => {
                    let size = usize::try_from(length).ok().filter(|size| *size <= self.limit);
                    let size = size.ok_or(Broken::TooLarge { length, limit: self.limit })?;
                    if cursor.skip(size).is_some() {
                        let mut frame = self.buffer.split_to(LENGTH + size).freeze();
                        return Ok(Some(frame.split_off(LENGTH)));
                    }
                    size - cursor.remaining()
                }
            };
            // Room grows with what has come, not with what the length promises.
            self.buffer.reserve(missing.clamp(READ_AHEAD, READ_AHEAD.max(self.buffer.len())));
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return match self.buffer.len() {
                    0 => Ok(None),
                    _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                };
            }
        }
    }

    /// Resolves when the client is gone. Requests it has sent ahead are kept for later, a little of them.
    async fn closed(&mut self) -> io::Error {
        while self.buffer.len() < READ_AHEAD {
            self.buffer.reserve(READ_AHEAD);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return io::ErrorKind::ConnectionAborted.into(),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        std::future::pending().await
    }
}
