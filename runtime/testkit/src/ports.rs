//! Loopback ports that nobody listens on.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::failure::{Failure, OrFail as _};

/// The lowest port. All are below those that the kernel gives to sockets that ask for none (on Linux from 32768), which
/// come and go by the hundred: a server that starts again finds its port as it left it.
const FIRST: u16 = 10_000;
/// How many pairs of ports there are.
const PAIRS: u16 = 10_000;
/// Sets processes that follow each other far apart: of all strides, close to the golden section meets itself last.
const STRIDE: u32 = 6181;

static HANDED_OUT: AtomicU32 = AtomicU32::new(0);

/// A port of the loopback interface that is free now, for TCP and UDP, as is the one after it. Neither was handed out by
/// this process before, nor is given by the kernel to whoever asks for any.
///
/// Another process can still take it before it is used: whoever starts a server on it has to be ready to start
/// again on another, as the launchers of this crate are.
#[track_caller]
pub fn free_port() -> u16 {
    try_free_port().or_fail()
}

/// How often a server is started before the failure counts.
const ATTEMPTS: usize = 3;

/// Starts a server on a free port, and again on another where somebody else took it between choosing it and binding it,
/// which the failure tells by `taken`. Gives the port as well.
///
/// # Errors
/// The failure of the last try.
pub(crate) fn on_free_port<T>(
    taken: &str,
    mut start: impl FnMut(u16) -> Result<T, Failure>,
) -> Result<(u16, T), Failure> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let port = try_free_port()?;
        match start(port) {
            Ok(server) => return Ok((port, server)),
            Err(failure) if attempt < ATTEMPTS && failure.to_string().contains(taken) => {}
            Err(failure) => return Err(failure),
        }
    }
}

pub(crate) fn try_free_port() -> Result<u16, Failure> {
    let begin = std::process::id().wrapping_mul(STRIDE);
    let pair = || begin.wrapping_add(HANDED_OUT.fetch_add(1, Ordering::Relaxed)) % u32::from(PAIRS);
    (0..PAIRS)
        .filter_map(|_| u16::try_from(pair()).ok())
        .map(|pair| FIRST + 2 * pair)
        .find(|port| is_free(*port) && is_free(port + 1))
        .ok_or_else(|| {
            Failure::new(format!("no port of 127.0.0.1 is free from {FIRST} to {}", FIRST + 2 * PAIRS - 1))
        })
}

fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ports_are_apart_from_the_kernels_and_from_what_is_taken() {
        let port = free_port();
        // Whether this binds it or another process had it: it is taken.
        let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 3));
        let later: HashSet<u16> = (0..20).map(|_| free_port()).collect();
        assert_eq!(later.len(), 20);
        assert!(!later.contains(&port) && !later.contains(&(port + 2)), "{later:?} after {port}");
        assert!(later.iter().all(|port| (10_000..30_000).contains(port) && port % 2 == 0), "{later:?}");
    }

    #[test]
    fn a_server_whose_port_was_taken_gets_another_and_other_failures_count_at_once() {
        let mut ports = Vec::new();
        let (port, tries) = on_free_port("already in use", |port| {
            ports.push(port);
            if ports.len() < ATTEMPTS {
                Err(Failure::new("bind: Address already in use"))
            } else {
                Ok(ports.len())
            }
        })
        .unwrap();
        assert_eq!((ports.last(), tries), (Some(&port), ATTEMPTS));
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ATTEMPTS, "each on another");
        for (text, want) in [("already in use", ATTEMPTS), ("no such file", 1)] {
            let mut tries = 0;
            let outcome = on_free_port::<()>("already in use", |_| {
                tries += 1;
                Err(Failure::new(text))
            });
            assert!(outcome.unwrap_err().to_string().contains(text));
            assert_eq!(tries, want, "{text}");
        }
    }
}
