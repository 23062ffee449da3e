//! The socket of a task, of either mode: datagrams in bursts, and what goes wrong with them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use lavka_api::plugin::TaskId;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Millis;
use crate::peer::Peer;

/// Datagrams read before outcomes and timers get their turn.
const BURST: usize = 256;
/// UDP carries no more.
const LARGEST_DATAGRAM: usize = 65_535;
/// How long an address may still be in use.
const PREDECESSOR: Duration = Duration::from_secs(3);

/// A socket, and the clock of what runs on it.
#[derive(Debug)]
pub(crate) struct Channel {
    id: TaskId,
    socket: UdpSocket,
    buffer: Vec<u8>,
    began: Instant,
}

impl Channel {
    /// A socket bound to `address`, with a receive buffer of so many bytes if the system allows.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub(crate) async fn open(id: TaskId, address: SocketAddr, receive_buffer: usize) -> io::Result<Self> {
        let socket = bind(address, receive_buffer).await?;
        Ok(Self { id, socket, buffer: vec![0; LARGEST_DATAGRAM], began: Instant::now() })
    }

    /// The address it is bound to.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// Milliseconds since it was opened.
    pub(crate) fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// Waits until there may be datagrams, or until `wakeup`.
    pub(crate) async fn ready(&self, wakeup: Option<Millis>) -> io::Result<()> {
        let until = wakeup.map(|at| self.began + Duration::from_millis(at));
        tokio::select! {
            readable = self.socket.readable() => readable,
            () = until_then(until) => Ok(()),
        }
    }

    /// Hands a burst of datagrams to `take`.
    ///
    /// # Errors
    /// Where the socket cannot be used any longer.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(Peer, &[u8])) -> io::Result<()> {
        for _ in 0..BURST {
            match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, peer)) => {
                    let datagram = self.buffer.get(..length).unwrap_or_default();
                    take(Peer(canonical(peer)), datagram);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP message about something sent before: that peer is gone, the others are not.
                Err(error) if is_about_a_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends datagrams. One that cannot be sent is as good as lost on the way, which the protocol provides for.
    pub(crate) async fn send(&self, datagrams: Vec<(Peer, Vec<u8>)>) {
        let mapped = self.local_address().is_some_and(|local| local.is_ipv6());
        for (peer, datagram) in datagrams {
            let address = match peer.0 {
                SocketAddr::V4(v4) if mapped => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
                address => address,
            };
            if let Err(error) = self.socket.send_to(&datagram, address).await {
                tracing::debug!(task = %self.id, %peer, "a datagram could not be sent: {error}");
            }
        }
    }
}

/// An IPv4 address as such, also where it came in over an IPv6 socket.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
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
