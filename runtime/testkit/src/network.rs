//! A network between a client and a server, which can be cut and can go silent.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::failure::{Context as _, OrFail as _};

/// How often a carrier looks whether the network is still there.
const LOOK: Duration = Duration::from_millis(20);

/// Carries TCP connections to a server. What carries them ends with the process.
#[derive(Debug)]
pub struct Network {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// New connections end at once.
    down: AtomicBool,
    /// Connections up to this number are cut.
    cut: AtomicUsize,
    /// On connections up to this number nothing arrives any more, and nobody is told.
    silent: AtomicUsize,
    connections: AtomicUsize,
    /// Where new connections go.
    server: AtomicU16,
}

impl Network {
    /// To whoever listens on port `server` of 127.0.0.1.
    #[track_caller]
    pub fn to(server: u16) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(|| "cannot listen on 127.0.0.1".to_owned());
        let listener = listener.or_fail();
        let address = listener.local_addr().context(|| "a listener has no address".to_owned()).or_fail();
        let state = Arc::new(State { server: server.into(), ..State::default() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.down.load(Relaxed) {
                    continue;
                }
                let port = shared.server.load(Relaxed);
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                let number = shared.connections.fetch_add(1, Relaxed) + 1;
                let copies = (client.try_clone(), server.try_clone());
                let (Ok(to_client), Ok(to_server)) = copies else { continue };
                for (from, to) in [(client, to_server), (server, to_client)] {
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || carry(from, to, number, &shared));
                }
            }
        });
        Self { port: address.port(), state }
    }

    /// The port on 127.0.0.1 that leads to the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every connection ends, and none can be made.
    pub fn cut(&self) {
        self.state.down.store(true, Relaxed);
        self.state.cut.store(self.state.connections.load(Relaxed), Relaxed);
    }

    /// New connections lead to whoever listens on this port of 127.0.0.1.
    pub fn lead_to(&self, server: u16) {
        self.state.server.store(server, Relaxed);
    }

    /// Connections can be made again.
    pub fn heal(&self) {
        self.state.down.store(false, Relaxed);
    }

    /// Every connection is dead without either end knowing; new ones work.
    pub fn lose(&self) {
        self.state.silent.store(self.state.connections.load(Relaxed), Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, number: usize, state: &State) {
    let mut buffer = [0; 65_536];
    let mut there = from.set_read_timeout(Some(LOOK)).is_ok();
    let is_cut = || number <= state.cut.load(Relaxed);
    let is_silent = || number <= state.silent.load(Relaxed);
    while there && !is_cut() {
        if is_silent() {
            std::thread::sleep(LOOK);
            continue;
        }
        there = match from.read(&mut buffer) {
            Ok(0) => false,
            // What came while it was waited for is lost with the network.
            Ok(_) if is_cut() || is_silent() => true,
            Ok(count) => buffer.get(..count).is_some_and(|bytes| to.write_all(bytes).is_ok()),
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
