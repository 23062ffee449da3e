//! Loopback ports that nobody listens on.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use crate::failure::{Context as _, Failure, OrFail as _};

static HANDED_OUT: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A TCP port of the loopback interface that is free now and was not handed out by this process before.
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
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .context(|| "cannot bind a port of 127.0.0.1".to_owned())?
            .port();
        let mut guard = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
        if guard.get_or_insert_default().insert(port) {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
