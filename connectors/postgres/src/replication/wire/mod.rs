//! The server's protocol on a socket, as far as replication needs it: logging in, simple queries, streams in both
//! directions.
//!
//! Messages are slices of what was read, in pieces as large as the system has them: a change costs no allocation and no
//! copy. What the messages hold is told apart by `postgres-protocol`, except for the stream's, which it does not know.

mod login;
mod socket;

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use fallible_iterator::FallibleIterator as _;
use lavka_api::Result;
use postgres_protocol::message::{backend, frontend};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(super) use login::Login;
use socket::Duplex;

use crate::database::{TlsFiles, WireError};

/// Bytes for which there is room at each read.
const READ: usize = 64 * 1024;
/// More room than this is given back once what needed it was taken.
const KEPT: usize = 1024 * 1024;
/// Larger messages are refused: the server makes none, since no value of its own is larger.
const MAX_MESSAGE: usize = 1 << 30;

/// A row of a simple query, in text format.
pub(super) type Row = Vec<Option<Bytes>>;

/// A message of the server.
pub(super) enum Message {
    /// From here on both sides may send data (`CopyBothResponse`).
    CopyBoth,
    /// Data of a stream (`CopyData`).
    Copy(Bytes),
    /// Any other.
    Other(backend::Message),
}

/// A connection, and what was read of it and not taken.
pub(super) struct Wire {
    socket: Box<dyn Duplex>,
    read: BytesMut,
    /// The server's major version, as it said at login.
    version: Option<u32>,
}

impl Wire {
    /// Connects; nothing of the protocol was said then but what TLS wants.
    ///
    /// # Errors
    /// Where there is nobody, or no TLS as the configuration wants it.
    pub(super) async fn connect(host: &str, port: u16, files: &TlsFiles) -> Result<Self> {
        Ok(Self::over(socket::connect(host, port, files).await?))
    }

    fn over(socket: Box<dyn Duplex>) -> Self {
        Self { socket, read: BytesMut::new(), version: None }
    }

    /// The server's major version; `None` where it did not say one.
    pub(super) fn version(&self) -> Option<u32> {
        self.version
    }

    /// Sends messages.
    pub(super) async fn send(&mut self, messages: &[u8]) -> Result<(), WireError> {
        self.socket.write_all(messages).await?;
        Ok(self.socket.flush().await?)
    }

    /// Reads what has come; waits until something has. May be dropped while it waits.
    ///
    /// # Errors
    /// [`WireError::Ended`] at the connection's end.
    pub(super) async fn read(&mut self) -> Result<(), WireError> {
        if self.read.is_empty() && self.read.capacity() > KEPT {
            self.read = BytesMut::new();
        }
        // A message grows as its bytes come, whatever length it announces.
        if self.read.capacity() - self.read.len() < READ / 4 {
            self.read.reserve(READ);
        }
        match self.socket.read_buf(&mut self.read).await? {
            0 => Err(WireError::Ended),
            _ => Ok(()),
        }
    }

    /// The next message of what was read, once it is whole.
    pub(super) fn take(&mut self) -> Result<Option<Message>, WireError> {
        let Some((&tag, rest)) = self.read.split_first() else { return Ok(None) };
        let Some(length) = rest.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)) else {
            return Ok(None);
        };
        // The length counts itself.
        let body = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
        let body = body.ok_or_else(|| WireError::Protocol(format!("a message with length {length}")))?;
        if body > MAX_MESSAGE {
            return Err(WireError::TooLarge { bytes: body, limit: MAX_MESSAGE });
        }
        let whole = body + 5;
        if self.read.len() < whole {
            return Ok(None);
        }
        let mut message = self.read.split_to(whole);
        Ok(Some(match tag {
            b'd' => {
                message.advance(5);
                Message::Copy(message.freeze())
            }
            b'W' => Message::CopyBoth,
            _ => {
                let parsed = backend::Message::parse(&mut message).map_err(protocol)?;
                Message::Other(parsed.ok_or_else(|| WireError::Protocol("a message cut off".to_owned()))?)
            }
        }))
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Result<Message, WireError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    /// Runs a query by the simple protocol.
    ///
    /// # Errors
    /// The server's; the connection can be used on then.
    pub(super) async fn query(&mut self, sql: &str) -> Result<Vec<Row>, WireError> {
        self.send_query(sql).await?;
        let (mut rows, mut refused) = (Vec::new(), None);
        loop {
            match self.next().await? {
                Message::Other(backend::Message::DataRow(row)) => rows.push(columns(&row)?),
                Message::Other(backend::Message::ErrorResponse(error)) => {
                    refused = Some(server_error(&error));
                }
                Message::Other(backend::Message::ReadyForQuery(_)) => return refused.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    /// Runs a command that begins a stream in both directions, and waits for its beginning.
    ///
    /// # Errors
    /// The server's, where it refuses.
    pub(super) async fn copy_both(&mut self, sql: &str) -> Result<(), WireError> {
        self.send_query(sql).await?;
        loop {
            match self.next().await? {
                Message::CopyBoth => return Ok(()),
                Message::Other(backend::Message::ErrorResponse(error)) => return Err(server_error(&error)),
                _ => {}
            }
        }
    }

    async fn send_query(&mut self, sql: &str) -> Result<(), WireError> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out).map_err(protocol)?;
        self.send(&out).await
    }

    /// Ends the stream and the session, and waits until the server has ended it too: only then is its slot free.
    pub(super) async fn close(&mut self) -> Result<(), WireError> {
        let mut out = BytesMut::new();
        frontend::copy_done(&mut out);
        frontend::terminate(&mut out);
        self.send(&out).await?;
        loop {
            self.read.clear();
            match self.read().await {
                Err(WireError::Ended) => return Ok(()),
                read => read?,
            }
        }
    }
}

/// What the server says is wrong.
pub(super) fn server_error(error: &backend::ErrorResponseBody) -> WireError {
    let (mut code, mut message) = (String::new(), String::new());
    let mut fields = error.fields();
    while let Ok(Some(field)) = fields.next() {
        // Before the login is done the server speaks in an encoding of its own.
        let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => code = text(),
            b'M' => message = text(),
            _ => {}
        }
    }
    WireError::Server { code, message }
}

fn columns(row: &backend::DataRowBody) -> Result<Row, WireError> {
    let buffer = row.buffer_bytes();
    let column = |range: Option<std::ops::Range<usize>>| match range {
        Some(range) if range.start <= range.end && range.end <= buffer.len() => Ok(Some(buffer.slice(range))),
        Some(_) => Err(io::Error::from(io::ErrorKind::InvalidData)),
        None => Ok(None),
    };
    row.ranges().map(column).collect().map_err(protocol)
}

fn protocol(error: io::Error) -> WireError {
    WireError::Protocol(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A wire at whose other end `bytes` were written in pieces, and nothing more comes.
    fn wire(bytes: &[u8], piece: usize) -> Wire {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let pieces: Vec<Vec<u8>> = bytes.chunks(piece.max(1)).map(<[u8]>::to_vec).collect();
        tokio::spawn(async move {
            for piece in pieces {
                far.write_all(&piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        Wire::over(Box::new(near))
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag], length.as_slice(), body].concat()
    }

    #[tokio::test]
    async fn messages_come_whole_however_they_are_cut() {
        let long = vec![b'x'; 200_000];
        let bytes = [message(b'W', b"\0\0\0"), message(b'd', b"one"), message(b'd', &long)].concat();
        for piece in [1, 7, 4096, bytes.len()] {
            let mut wire = wire(&bytes, piece);
            assert!(matches!(wire.next().await, Ok(Message::CopyBoth)));
            for expected in [b"one".as_slice(), &long] {
                assert!(matches!(wire.next().await, Ok(Message::Copy(data)) if data == expected));
            }
            assert!(matches!(wire.next().await, Err(WireError::Ended)));
        }
    }

    #[tokio::test]
    async fn a_query_gives_rows_or_what_the_server_says() {
        let row = message(b'D', b"\0\x02\0\0\0\x01a\xff\xff\xff\xff");
        let done = message(b'Z', b"I");
        let mut answered = wire(&[row, done.clone()].concat(), 5);
        assert_eq!(answered.query("SELECT").await.unwrap(), [vec![Some(Bytes::from_static(b"a")), None]]);
        let refusal = message(b'E', b"SERROR\0C42501\0Mno \xff right\0\0");
        let mut refused = wire(&[refusal, done].concat(), 5);
        let Err(WireError::Server { code, message }) = refused.query("SELECT").await else { panic!() };
        assert_eq!((code.as_str(), message.as_str()), ("42501", "no \u{fffd} right"));
    }

    #[tokio::test]
    async fn lengths_are_believed_as_far_as_bytes_come() {
        let mut short = wire(b"d\0\0\0\x03", 5);
        assert!(matches!(short.next().await, Err(WireError::Protocol(_))));
        let mut endless = wire(b"d\xff\xff\xff\xff", 5);
        assert!(matches!(endless.next().await, Err(WireError::TooLarge { .. })));
        let mut large = wire(b"d\x30\0\0\0x", 6);
        assert!(matches!(large.next().await, Err(WireError::Ended)));
        assert!(large.read.capacity() <= 2 * READ, "{}", large.read.capacity());
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(tag in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let (near, _far) = tokio::io::duplex(1);
            let mut wire = Wire::over(Box::new(near));
            wire.read.extend_from_slice(&message(tag, &body));
            match wire.take() {
                Ok(Some(Message::Other(backend::Message::DataRow(row)))) => drop(columns(&row)),
                Ok(Some(Message::Other(backend::Message::ErrorResponse(error)))) => drop(server_error(&error)),
                _ => {}
            }
        }
    }
}
