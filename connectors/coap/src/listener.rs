//! The loop that owns the socket: datagrams to the responder, its answers to the network.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Millis;
use crate::environment::Environment;
use crate::handover::Handover;
use crate::peer::Peer;
use crate::responder::{Outbox, Responder, Settings, Tally};

/// Datagrams read before outcomes and timers get their turn.
const BURST: usize = 256;
/// UDP carries no more.
const LARGEST_DATAGRAM: usize = 65_535;
/// How long the last answers may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long an address may still be in use.
const PREDECESSOR: Duration = Duration::from_secs(3);
/// How often overload is mentioned in the log.
const REPORT: Duration = Duration::from_secs(10);

/// A running server. Dropping it closes the socket.
pub(crate) struct Listener {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens at `address`, served on the runtime of the caller.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub(crate) async fn start(
        id: TaskId,
        address: SocketAddr,
        receive_buffer: usize,
        settings: Settings,
        handover: Arc<Handover>,
        environment: Environment,
    ) -> Result<Self> {
        let cannot = |error: io::Error| {
            let reason = Error::fatal(error.to_string());
            Error::config(format!(
                "Cannot listen for CoAP on {address} (lavka.coap.listen): {error}. Choose an address of this machine and a \
                 port that is free."
            ))
            .caused_by(reason)
        };
        let socket = bind(address, receive_buffer).await.map_err(cannot)?;
        tracing::info!(task = %id, "listening for CoAP on {address}");
        let (stop, stopping) = watch::channel(false);
        let server = Server {
            id,
            socket,
            responder: Responder::new(settings),
            handover,
            environment,
            began: Instant::now(),
            reported: (Instant::now(), Tally::default()),
        };
        Ok(Self { stop, task: tokio::spawn(server.run(stopping)) })
    }

    /// Sends the answers that are due, refuses what is open, and ends, within bounded time.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = timeout(FAREWELL, &mut self.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
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

struct Server {
    id: TaskId,
    socket: UdpSocket,
    responder: Responder,
    handover: Arc<Handover>,
    environment: Environment,
    began: Instant,
    /// When overload was last looked at, and what had happened by then.
    reported: (Instant, Tally),
}

impl Server {
    async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        loop {
            let wakeup = self.responder.next_wakeup().map(|at| self.began + Duration::from_millis(at));
            let readable = tokio::select! {
                readable = self.socket.readable() => Some(readable),
                () = self.handover.outcomes_due() => None,
                () = until(wakeup) => None,
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            let mut out = Outbox::default();
            let read = match readable {
                Some(Ok(())) => self.read(&mut buffer, &mut out),
                Some(Err(error)) => Err(error),
                None => Ok(()),
            };
            self.settle(&mut out);
            self.send(out).await;
            if let Err(error) = read {
                self.handover.fail(Error::retriable(format!("The CoAP socket failed: {error}")));
                return;
            }
            self.report();
        }
        let mut out = Outbox::default();
        self.settle(&mut out);
        self.responder.stop(self.now(), &mut out);
        self.send(out).await;
    }

    /// Milliseconds since the server began.
    fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn read(&mut self, buffer: &mut [u8], out: &mut Outbox) -> io::Result<()> {
        let (now, received) = (self.now(), (self.environment.now)());
        for _ in 0..BURST {
            match self.socket.try_recv_from(buffer) {
                Ok((length, peer)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    self.responder.datagram(now, received, Peer(peer), datagram, out);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP message about something sent before: that peer is gone, the others are not.
                Err(error) if is_about_a_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn settle(&mut self, out: &mut Outbox) {
        let now = self.now();
        for (ticket, outcome) in self.handover.take_outcomes() {
            self.responder.settled(now, ticket, outcome, out);
        }
        self.responder.wake(now, out);
    }

    async fn send(&self, out: Outbox) {
        self.handover.push(out.requests);
        for (peer, datagram) in out.datagrams {
            // A datagram that cannot be sent is as good as lost on the way, which the protocol provides for.
            if let Err(error) = self.socket.send_to(&datagram, peer.0).await {
                tracing::debug!(task = %self.id, %peer, "an answer could not be sent: {error}");
            }
        }
    }

    fn report(&mut self) {
        let (when, before) = self.reported;
        if when.elapsed() < REPORT {
            return;
        }
        let tally = self.responder.tally();
        self.reported = (Instant::now(), tally);
        let overloaded = tally.overloaded.saturating_sub(before.overloaded);
        if overloaded > 0 {
            tracing::warn!(
                task = %self.id,
                overloaded,
                accepted = tally.accepted.saturating_sub(before.accepted),
                "devices were refused with 5.03 because too much is under way to Kafka (lavka.coap.max.inflight, \
                 lavka.coap.max.inflight.bytes, lavka.coap.max.exchanges)"
            );
        }
    }
}

async fn until(wakeup: Option<Instant>) {
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
