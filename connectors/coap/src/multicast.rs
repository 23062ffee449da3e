//! Groups of addresses that questions for any CoAP server are sent to (RFC 7252, section 8).

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// A multicast group, such as All CoAP Nodes (RFC 7252, section 12.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    address: IpAddr,
    /// Of IPv6: the index of the interface, 0 for the system's choice.
    interface: u32,
}

impl Group {
    /// Reads `224.0.1.187`, `ff05::fd` or `ff02::fd%2`, the interface with index 2.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (address, interface) = match text.split_once('%') {
            Some((address, index)) => (address.parse(), index.parse().ok()),
            None => (text.parse(), Some(0)),
        };
        let group = address.ok().zip(interface).filter(|(address, _): &(IpAddr, u32)| address.is_multicast());
        let group = group.filter(|(address, interface)| address.is_ipv6() || *interface == 0);
        let (address, interface) = group.ok_or_else(|| {
            format!(
                "{text} is no multicast group, such as 224.0.1.187, ff05::fd or ff02::fd%2 (of interface 2)"
            )
        })?;
        Ok(Self { address, interface })
    }

    /// Why a server at `listen` cannot answer questions to this group, if so. It answers from that address, and joins on
    /// its interface; a socket for all addresses would get what is sent to the group as if it were for it alone.
    pub(crate) fn unfit(self, listen: SocketAddr) -> Option<&'static str> {
        if listen.ip().is_unspecified() {
            Some("lavka.coap.listen must be one address of this machine for that, not all of them")
        } else if listen.is_ipv4() != self.address.is_ipv4() {
            Some("lavka.coap.listen is of the other address family")
        } else {
            None
        }
    }

    /// A socket for what is sent to the group, at the port of `listen`.
    ///
    /// # Errors
    /// Where the group cannot be joined.
    pub(crate) fn join(self, listen: SocketAddr) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
        // Other servers of this machine may be in the group too.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        let address = match self.address {
            IpAddr::V4(group) => {
                let IpAddr::V4(interface) = listen.ip() else {
                    return Err(io::ErrorKind::InvalidInput.into());
                };
                socket.join_multicast_v4(&group, &interface)?;
                SocketAddr::from((group, listen.port()))
            }
            IpAddr::V6(group) => {
                socket.set_only_v6(true)?;
                socket.join_multicast_v6(&group, self.interface)?;
                SocketAddrV6::new(group, listen.port(), 0, self.interface).into()
            }
        };
        socket.bind(&address.into())?;
        UdpSocket::from_std(socket.into())
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.interface {
            0 => self.address.fmt(f),
            index => write!(f, "{}%{index}", self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_where_they_fit() {
        for (text, listen, fits) in [
            ("224.0.1.187", "10.0.0.1:5683", true),
            ("224.0.1.187", "0.0.0.0:5683", false),
            ("224.0.1.187", "[2001:db8::1]:5683", false),
            ("ff05::fd", "[2001:db8::1]:5683", true),
            ("ff02::fd%2", "10.0.0.1:5683", false),
        ] {
            let group = Group::parse(text).unwrap();
            assert_eq!(group.to_string(), text);
            assert_eq!(group.unfit(listen.parse().unwrap()).is_none(), fits, "{text} {listen}");
        }
        for wrong in ["", "10.0.0.1", "224.0.1.187%2", "ff02::fd%eth0", "ff02::fd%", "2001:db8::1", "x"] {
            assert!(Group::parse(wrong).is_err(), "{wrong}");
        }
    }
}
