//! Who is at the other end.

use std::fmt;
use std::net::SocketAddr;

/// A device as far as the transport tells: the address it sends from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
impl Peer {
    /// A peer for tests, by number.
    pub(crate) fn test(number: u16) -> Self {
        Self(SocketAddr::from(([127, 0, 0, 1], number)))
    }
}
