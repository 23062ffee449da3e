//! The registry in memory behind a port, for programs that others wrote.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::MockRegistry;
use crate::transport::{Answer, Method, Request};

/// A longer body than this is no schema of a test.
const MOST: usize = 1 << 20;

/// A [`MockRegistry`] that speaks HTTP on a port of 127.0.0.1, until this is dropped.
#[derive(Debug)]
pub struct MockServer {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl MockServer {
    pub(super) fn start(registry: &MockRegistry) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let (registry, ending) = (registry.clone(), Arc::clone(&ended));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ending.load(Ordering::Relaxed) {
                    return;
                }
                let registry = registry.clone();
                if let Ok(stream) = stream {
                    // Whoever breaks off has had what it wanted.
                    thread::spawn(move || drop(serve(&registry, &stream)));
                }
            }
        });
        Ok(Self { address, ended })
    }

    /// For `schema.registry.url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener, which sees that it has ended.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers the requests of one connection.
fn serve(registry: &MockRegistry, stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = next(&mut reader)? {
        let Answer { status, body } = registry.answer(&request);
        let head = format!(
            "HTTP/1.1 {status} Answer\r\ncontent-type: application/vnd.schemaregistry.v1+json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = stream;
        stream.write_all(&[head.as_bytes(), &body].concat())?;
    }
    Ok(())
}

/// The next request; `None` where the connection has ended.
fn next(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Request>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace();
    let method = if words.next() == Some("GET") { Method::Get } else { Method::Post };
    let path = words.next().unwrap_or("/").to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; MOST.min(length)];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, path, body }))
}
