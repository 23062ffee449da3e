//! Memory of a server with many mostly idle DTLS peers, and how fast they are let in.
//!
//! `cargo bench -p lavka-connector-coap --bench dtls_peers`. The peers are another process (this program again), each with
//! a socket, a session with a pre-shared key, and one reading that is answered.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a bench that fails, fails"
)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dimpl::{Dtls, Output, PskResolver};
use lavka_api::config::Config;
use lavka_api::data::OffsetMap;
use lavka_api::plugin::{Factory, OffsetReader, SourceTaskStart, TaskId};

const PEERS: usize = 10_000;
/// Handshakes at a time.
const AT_ONCE: usize = 64;

struct NoOffsets;

#[async_trait]
impl OffsetReader for NoOffsets {
    async fn offsets(&self, partitions: &[OffsetMap]) -> lavka_api::Result<Vec<Option<OffsetMap>>> {
        Ok(vec![None; partitions.len()])
    }
}

/// Everybody's key is their number.
struct Key(Vec<u8>);

impl PskResolver for Key {
    fn resolve(&self, _: &[u8]) -> Option<Vec<u8>> {
        Some(self.0.clone())
    }
}

fn key(peer: usize) -> Vec<u8> {
    (peer as u64 + 1).to_be_bytes().repeat(2)
}

/// Resident memory of this process in MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn main() {
    match std::env::var("DTLS_PEERS_OF") {
        Ok(address) => peers(&address),
        Err(_) => serve(),
    }
}

fn serve() {
    let file = std::env::temp_dir().join(format!("dtls-peers-{}", std::process::id()));
    let mut text = String::new();
    for peer in 0..PEERS {
        let digits: String = key(peer).iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "device-{peer}:{digits}").unwrap();
    }
    std::fs::write(&file, text).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let port = lavka_testkit::free_port();
        let address = format!("127.0.0.1:{port}");
        let config = Config::from([
            ("lavka.coap.listen", address.clone()),
            ("lavka.coap.resources", "r".to_owned()),
            ("lavka.coap.dtls", "true".to_owned()),
            ("lavka.coap.dtls.psk.file", file.to_str().unwrap().to_owned()),
        ]);
        let Factory::Source(make) = lavka_connector_coap::plugins().remove(0).factory else { panic!() };
        let mut task = make().task(&config).unwrap();
        let id = TaskId { connector: "coap".into(), task: 0 };
        task.start(SourceTaskStart { id, offsets: Arc::new(NoOffsets) }).await.unwrap();
        std::fs::remove_file(&file).unwrap();
        let (listener, counters) = (task.delivery_listener().unwrap(), task.counters());
        tokio::spawn(async move {
            loop {
                let tokens: Vec<u64> = task.poll().await.unwrap().iter().map(|record| record.token).collect();
                listener.delivered(&tokens);
            }
        });
        let before = resident();
        let began = Instant::now();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env("DTLS_PEERS_OF", &address);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let connected = counters.iter().find(|counter| counter.name() == "coap-accepted-total").unwrap();
        while connected.value() < PEERS as u64 {
            assert!(child.try_wait().unwrap().is_none(), "the peers ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let took = began.elapsed();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let after = resident();
        println!(
            "{PEERS} DTLS peers: {after:.0} MB resident ({before:.0} MB before, {:.1} KB for each peer), let in at {:.0} a second",
            (after - before) * 1024.0 / PEERS as f64,
            PEERS as f64 / took.as_secs_f64()
        );
        // The end of its input is the end of the peers.
        drop(child.stdin.take());
        child.wait().unwrap();
    });
}

struct Peer {
    socket: UdpSocket,
    dtls: Dtls,
    answered: bool,
    began: Instant,
}

fn peers(address: &str) {
    let mut all: Vec<Peer> = Vec::with_capacity(PEERS);
    let mut active: HashMap<usize, ()> = HashMap::new();
    let mut buffer = vec![0; 65_536];
    // Making a configuration tries all algorithms, so the peers share some.
    let configs: Vec<Arc<dimpl::Config>> = (0..10)
        .map(|peer| {
            let key = Arc::new(Key(key(peer)));
            let config =
                dimpl::Config::builder().with_psk_client(format!("device-{peer}").into_bytes(), key).build();
            Arc::new(config.unwrap())
        })
        .collect();
    while all.len() < PEERS || !active.is_empty() {
        while active.len() < AT_ONCE && all.len() < PEERS {
            let (peer, now) = (all.len(), Instant::now());
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(address).unwrap();
            socket.set_nonblocking(true).unwrap();
            let mut dtls = Dtls::new_12_psk(Arc::clone(&configs[peer % configs.len()]), now);
            dtls.set_active(true);
            dtls.handle_timeout(now).unwrap();
            // A confirmable POST to /r, when the handshake is over.
            dtls.send_application_data(&[0x41, 2, 0, 1, 7, 0xb1, b'r', 0xff, b'x']).unwrap();
            all.push(Peer { socket, dtls, answered: false, began: now });
            active.insert(peer, ());
        }
        for number in active.keys().copied().collect::<Vec<_>>() {
            let Some(peer) = all.get_mut(number) else { continue };
            step(peer, &mut buffer);
            assert!(peer.began.elapsed() < Duration::from_secs(60), "peer {number} is not answered");
            if peer.answered {
                active.remove(&number);
            }
        }
    }
    // Idle until the other side has looked at its memory.
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
}

fn step(peer: &mut Peer, buffer: &mut [u8]) {
    peer.dtls.handle_timeout(Instant::now()).unwrap();
    while let Ok(length) = peer.socket.recv(buffer) {
        peer.dtls.handle_packet(&buffer[..length]).unwrap();
    }
    loop {
        match peer.dtls.poll_output(buffer) {
            Output::Packet(datagram) => drop(peer.socket.send(datagram)),
            Output::ApplicationData(answer) => peer.answered |= answer.get(1) == Some(&0x44),
            Output::Timeout(_) => return,
            _ => {}
        }
    }
}
