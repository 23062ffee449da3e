//! The socket of a task, of either mode: datagrams in bursts, over DTLS where that is wanted, and what goes wrong with
//! them.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::task::Poll;
use std::time::Duration;

use lavka_api::data::Str;
use lavka_api::plugin::TaskId;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Millis;
use crate::peer::Peer;
use crate::secure::{Gate, Passed, Tally};

/// Datagrams read before outcomes and timers get their turn.
const BURST: usize = 256;
/// UDP carries no more.
const LARGEST_DATAGRAM: usize = 65_535;
/// How long an address may still be in use.
const PREDECESSOR: Duration = Duration::from_secs(3);

/// To whom a datagram was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cast {
    /// To this socket.
    One,
    /// To a group.
    All,
}

/// A socket, and the clock of what runs on it.
pub(crate) struct Channel {
    id: TaskId,
    socket: UdpSocket,
    /// An IPv6 socket, which knows IPv4 addresses by other names.
    ipv6: bool,
    /// Sockets of groups. What they hear is answered by the other one.
    groups: Vec<UdpSocket>,
    buffer: Vec<u8>,
    began: Instant,
    gate: Option<Gate>,
    /// What the gate has to send, and what its peers said.
    passed: Passed,
}

impl Channel {
    /// A socket bound to `address`, with a receive buffer of so many bytes if the system allows.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub(crate) async fn open(id: TaskId, address: SocketAddr, receive_buffer: usize) -> io::Result<Self> {
        let socket = bind(address, receive_buffer).await?;
        let buffer = vec![0; LARGEST_DATAGRAM];
        let (ipv6, began) = (address.is_ipv6(), Instant::now());
        let groups = Vec::new();
        Ok(Self { id, socket, ipv6, groups, buffer, began, gate: None, passed: Passed::default() })
    }

    /// The same, over DTLS if there is a gate.
    pub(crate) fn behind(self, gate: Option<Gate>) -> Self {
        Self { gate, ..self }
    }

    /// The same, hearing groups too.
    pub(crate) fn among(self, groups: Vec<UdpSocket>) -> Self {
        Self { groups, ..self }
    }

    /// What a secure server must be named; a session with that address that there may be is over.
    pub(crate) fn expect(&mut self, address: SocketAddr, name: String) {
        if let Some(gate) = &mut self.gate {
            gate.expect(address, name);
        }
    }

    /// Who a peer has shown to be.
    pub(crate) fn identity(&self, peer: &Peer) -> Option<Str> {
        self.gate.as_ref()?.identity(peer)
    }

    /// What happened in DTLS.
    pub(crate) fn tally(&self) -> Tally {
        self.gate.as_ref().map(Gate::tally).unwrap_or_default()
    }

    /// Handshakes and sessions that are over since the last call: of whom, and what went wrong, if anything did.
    pub(crate) fn take_ended(&mut self) -> Vec<(SocketAddr, Option<String>)> {
        std::mem::take(&mut self.passed.ended)
    }

    /// Whether IPv6 addresses can be reached.
    pub(crate) fn is_ipv6(&self) -> bool {
        self.ipv6
    }

    /// Milliseconds since it was opened.
    pub(crate) fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// Waits until there may be datagrams, or until `wakeup`.
    pub(crate) async fn ready(&self, wakeup: Option<Millis>) -> io::Result<()> {
        let gate = self.gate.as_ref().and_then(Gate::next_wakeup);
        let first = wakeup.into_iter().chain(gate).min();
        let until = first.and_then(|at| self.began.checked_add(Duration::from_millis(at)));
        tokio::select! {
            readable = self.socket.readable() => readable,
            heard = any_readable(&self.groups) => heard,
            () = until_then(until) => Ok(()),
        }
    }

    /// Hands a burst of datagrams to `take`.
    ///
    /// # Errors
    /// Where the socket cannot be used any longer.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(Cast, Peer, &[u8])) -> io::Result<()> {
        let now = self.now();
        if let Some(gate) = &mut self.gate {
            gate.wake(now, &mut self.passed);
        }
        for _ in 0..BURST {
            match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, peer)) => {
                    let (address, datagram) =
                        (canonical(peer), self.buffer.get(..length).unwrap_or_default());
                    match self.gate.as_mut().filter(|gate| gate.is_for(&address)) {
                        Some(gate) => gate.receive(now, address, datagram, &mut self.passed),
                        None => take(Cast::One, Peer::at(address), datagram),
                    }
                    for (peer, plain) in self.passed.plain.drain(..) {
                        take(Cast::One, peer, &plain);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP message about something sent before: that peer is gone, the others are not.
                Err(error) if is_about_a_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        for group in &self.groups {
            for _ in 0..BURST {
                // What is wrong with one of these is said by the other socket, which all answers need.
                let Ok((length, peer)) = group.try_recv_from(&mut self.buffer) else { break };
                take(Cast::All, Peer::at(canonical(peer)), self.buffer.get(..length).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Sends datagrams, and what the gate has to. One that cannot be sent is as good as lost on the way, which the
    /// protocol provides for.
    pub(crate) async fn send(&mut self, datagrams: Vec<(Peer, Vec<u8>)>) {
        let now = self.now();
        for (peer, datagram) in datagrams {
            match self.gate.as_mut().filter(|gate| gate.is_for(&peer.address)) {
                Some(gate) => gate.send(now, peer, &datagram, &mut self.passed),
                None => self.passed.datagrams.push((peer.address, datagram)),
            }
        }
        self.flush().await;
    }

    /// Ends all sessions.
    pub(crate) async fn close(&mut self) {
        if let Some(gate) = &mut self.gate {
            gate.stop(&mut self.passed);
        }
        self.flush().await;
    }

    async fn flush(&mut self) {
        for (peer, datagram) in std::mem::take(&mut self.passed.datagrams) {
            let address = match peer {
                SocketAddr::V4(v4) if self.ipv6 => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
                address => address,
            };
            if let Err(error) = self.socket.send_to(&datagram, address).await {
                tracing::debug!(task = %self.id, %peer, "a datagram could not be sent: {error}");
            }
        }
    }
}

/// An IPv4 address as such, also where it came in over an IPv6 socket; of an IPv6 address what tells peers apart. That is
/// the scope too: a link-local address is reached over its own link alone (RFC 4007).
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match (address, address.ip().to_canonical()) {
        (SocketAddr::V6(v6), IpAddr::V6(ip)) => SocketAddrV6::new(ip, v6.port(), 0, v6.scope_id()).into(),
        (address, ip) => SocketAddr::new(ip, address.port()),
    }
}

/// Waits a while for an address in use: the predecessor of a task that is restarted may be about to close its socket.
async fn bind(address: SocketAddr, receive_buffer: usize) -> io::Result<UdpSocket> {
    let deadline = Instant::now() + PREDECESSOR;
    loop {
        match bind_now(address, receive_buffer) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await;
            }
            bound => return bound,
        }
    }
}

fn bind_now(address: SocketAddr, receive_buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // An address of all interfaces means IPv4 as well.
        socket.set_only_v6(false)?;
    }
    socket.set_recv_buffer_size(receive_buffer)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Waits until one of the sockets has something; for ever if there are none.
async fn any_readable(sockets: &[UdpSocket]) -> io::Result<()> {
    std::future::poll_fn(|context| {
        let mut ready = sockets.iter().map(|socket| socket.poll_recv_ready(context));
        ready.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

async fn until_then(wakeup: Option<Instant>) {
    match wakeup {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn is_about_a_peer(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_what_they_are_reached_by() {
        for (seen, kept) in [
            ("192.0.2.1:5683", "192.0.2.1:5683"),
            ("[::ffff:192.0.2.1]:5683", "192.0.2.1:5683"),
            ("[2001:db8::1]:5683", "[2001:db8::1]:5683"),
            ("[fe80::1%7]:5683", "[fe80::1%7]:5683"),
        ] {
            assert_eq!(canonical(seen.parse().unwrap()), kept.parse().unwrap(), "{seen}");
        }
        let labelled = SocketAddrV6::new("fe80::1".parse().unwrap(), 1, 99, 7);
        assert_eq!(canonical(labelled.into()), "[fe80::1%7]:1".parse().unwrap());
    }
}
