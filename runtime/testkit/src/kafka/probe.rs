//! Asks a server whether it serves, with nothing but a socket.
//!
//! One Metadata request, version 1 (the Kafka protocol guide): a KRaft broker accepts connections and answers
//! ApiVersions before the controller has let it in, but appears in its own metadata only when clients can use it.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);
const CORRELATION: [u8; 4] = *b"lavk";
/// A metadata answer without topics names brokers only.
const LONGEST_ANSWER: usize = 1 << 16;

/// Whether the Kafka server at `address` (`host:port`) lists at least one live broker.
pub(super) fn serves(address: &str) -> bool {
    brokers(address).is_some_and(|count| count > 0)
}

/// Whether any of a comma separated list of servers serves.
pub(super) fn any_serves(bootstrap: &str) -> bool {
    bootstrap.split(',').any(|address| serves(address.trim()))
}

fn brokers(address: &str) -> Option<i32> {
    let address = address.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(&request()).ok()?;
    let mut size = [0; 4];
    stream.read_exact(&mut size).ok()?;
    let size = usize::try_from(i32::from_be_bytes(size)).ok().filter(|size| *size <= LONGEST_ANSWER)?;
    let mut answer = vec![0; size];
    stream.read_exact(&mut answer).ok()?;
    brokers_in(&answer)
}

/// Header version 1 and a body that asks for no topics.
fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(3_i16.to_be_bytes()); // Metadata
    body.extend(1_i16.to_be_bytes()); // version
    body.extend(CORRELATION);
    body.extend((-1_i16).to_be_bytes()); // no client id
    body.extend(0_i32.to_be_bytes()); // no topics
    let size = i32::try_from(body.len()).unwrap_or(i32::MAX);
    [size.to_be_bytes().as_slice(), &body].concat()
}

fn brokers_in(answer: &[u8]) -> Option<i32> {
    let rest = answer.strip_prefix(&CORRELATION)?;
    rest.first_chunk().map(|count| i32::from_be_bytes(*count))
}

#[cfg(test)]
mod tests {
    use super::{brokers_in, request};

    #[test]
    fn the_request_is_framed_by_its_own_length() {
        let request = request();
        assert_eq!(&request[..4], (request.len() as i32 - 4).to_be_bytes());
    }

    #[test]
    fn an_answer_counts_only_when_it_is_complete_and_ours() {
        assert_eq!(brokers_in(b"lavk\0\0\0\x03rest"), Some(3));
        assert_eq!(brokers_in(b"lavk\0\0\0"), None);
        assert_eq!(brokers_in(b"HTTP/1.1 400 Bad Request"), None);
        assert_eq!(brokers_in(b""), None);
    }
}
