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
