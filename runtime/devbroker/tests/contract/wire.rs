//! Raw requests on a socket.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};

use super::PATIENCE;

/// A connection on which requests are written and answers read, in order.
pub(crate) struct Wire {
    stream: TcpStream,
    waiting: std::collections::VecDeque<(ApiKey, i16)>,
}

impl Wire {
    pub(crate) fn connect(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, waiting: std::collections::VecDeque::new() }
    }

    /// Writes a request; its answer may be read later.
    pub(crate) fn send(&mut self, api: ApiKey, version: i16, request: &RequestKind) {
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        frame.put_i16(api as i16);
        frame.put_i16(version);
        frame.put_i32(1);
        frame.put_i16(8);
        frame.put_slice(b"contract");
        if api.request_header_version(version) >= 2 {
            frame.put_u8(0);
        }
        request.encode(&mut frame, version).unwrap();
        let length = i32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).unwrap();
        self.waiting.push_back((api, version));
    }

    /// The next answer; `None` if the broker has closed the connection.
    pub(crate) fn receive(&mut self) -> Option<ResponseKind> {
        let (api, version) = self.waiting.pop_front().expect("a request that was sent");
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame).ok()?;
        let mut body = Bytes::from(frame);
        let header = if api.response_header_version(version) == 0 { 4 } else { 5 };
        let mut body = body.split_off(header);
        Some(ResponseKind::decode(api, &mut body, version).unwrap())
    }

    pub(crate) fn ask(&mut self, api: ApiKey, version: i16, request: &RequestKind) -> ResponseKind {
        self.send(api, version, request);
        self.receive().expect("an answer")
    }
}

/// Asks in a version and takes the answer apart.
macro_rules! ask {
    ($wire:expr, $kind:ident $version:expr, $request:expr) => {{
        let request = kafka_protocol::messages::RequestKind::$kind($request);
        match $wire.ask(kafka_protocol::messages::ApiKey::$kind, $version, &request) {
            kafka_protocol::messages::ResponseKind::$kind(response) => response,
            other => panic!("an answer of another kind: {other:?}"),
        }
    }};
}
pub(crate) use ask;

/// The answer to a request sent before.
macro_rules! answer {
    ($wire:expr, $kind:ident) => {
        match $wire.receive() {
            Some(kafka_protocol::messages::ResponseKind::$kind(response)) => response,
            other => panic!("an answer of another kind: {other:?}"),
        }
    };
}
pub(crate) use answer;
