//! Who is at the other end.

use std::fmt;
use std::net::SocketAddr;

/// A device or server as far as the transport tells: the address it sends from, and its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Of DTLS: a message belongs to the session that it came in (RFC 7252, section 9.1.1), so that two devices that have
    /// an address one after the other are two peers. 0 without DTLS, and for servers.
    pub(crate) session: u64,
}

impl Peer {
    /// A peer without a session.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, session: 0 }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
impl Peer {
    /// A peer for tests, by number.
    pub(crate) fn test(number: u16) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], number)))
    }
}
