//! A network that loses a tenth of the datagrams and delays another tenth, so that they come out of order; both ways.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::libcoap_server::Server;
use crate::source::Source;

struct Network {
    port: u16,
    lost: Arc<AtomicU64>,
    running: JoinHandle<()>,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn tenth(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.is_multiple_of(10)
    }
}

impl Network {
    /// In front of `port`.
    async fn before(port: u16) -> Self {
        let outside = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let lost = Arc::new(AtomicU64::new(0));
        let (own_port, count) = (outside.local_addr().unwrap().port(), Arc::clone(&lost));
        let running = tokio::spawn(async move {
            let mut inside: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
            let mut buffer = vec![0; 65_535];
            loop {
                let (length, client) = outside.recv_from(&mut buffer).await.unwrap();
                let socket = match inside.get(&client) {
                    Some(socket) => Arc::clone(socket),
                    None => {
                        let socket = back(&outside, client, port, &count).await;
                        inside.insert(client, Arc::clone(&socket));
                        socket
                    }
                };
                let datagram = buffer[..length].to_vec();
                carry(&mut dice, &count, async move {
                    let _ = socket.send(&datagram).await;
                })
                .await;
            }
        });
        Self { port: own_port, lost, running }
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// A socket to `port` for a client, and the way back to it.
async fn back(
    outside: &Arc<UdpSocket>,
    client: SocketAddr,
    port: u16,
    count: &Arc<AtomicU64>,
) -> Arc<UdpSocket> {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    socket.connect(("127.0.0.1", port)).await.unwrap();
    let (outside, count, inside) = (Arc::clone(outside), Arc::clone(count), Arc::clone(&socket));
    tokio::spawn(async move {
        let mut dice = Dice(u64::from(client.port()) << 20 | 1);
        let mut buffer = vec![0; 65_535];
        loop {
            // An error tells that nobody listens at present.
            let Ok(length) = inside.recv(&mut buffer).await else { continue };
            let (outside, datagram) = (Arc::clone(&outside), buffer[..length].to_vec());
            carry(&mut dice, &count, async move {
                let _ = outside.send_to(&datagram, client).await;
            })
            .await;
        }
    });
    socket
}

async fn carry(dice: &mut Dice, lost: &AtomicU64, send: impl Future<Output = ()> + Send + 'static) {
    if dice.tenth() {
        lost.fetch_add(1, Ordering::Relaxed);
    } else if dice.tenth() {
        tokio::spawn(async move {
            sleep(Duration::from_millis(30)).await;
            send.await;
        });
    } else {
        send.await;
    }
}

const DEVICES: u16 = 200;
const READINGS: u16 = 10;

/// A device that sends each of its readings until it is answered; what it sent when it had its 2.04 for all.
async fn device(port: u16, number: u16) -> Vec<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(("127.0.0.1", port)).await.unwrap();
    let mut confirmed = Vec::new();
    let mut buffer = [0; 1500];
    for reading in 0..READINGS {
        let payload = format!("{number}/{reading}");
        let [high, low] = reading.to_be_bytes();
        let mut datagram = vec![0x42, 2, high, low, high, low, 0xb1, b'r', 0xff];
        datagram.extend_from_slice(payload.as_bytes());
        'answered: loop {
            socket.send(&datagram).await.unwrap();
            while let Ok(Ok(length)) = timeout(Duration::from_millis(250), socket.recv(&mut buffer)).await {
                let message = &buffer[..length];
                if message[0] & 0x30 == 0 {
                    socket.send(&[0x60, 0, message[2], message[3]]).await.unwrap();
                }
                if message[1] == 0x44 && message[4..6] == [high, low] {
                    break 'answered;
                }
            }
        }
        confirmed.push(payload);
    }
    confirmed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_once() {
    let source = Source::start("r", Duration::from_millis(20)).await;
    let network = Network::before(source.port).await;
    let devices: Vec<_> = (0..DEVICES).map(|number| tokio::spawn(device(network.port, number))).collect();
    let mut confirmed = Vec::new();
    for device in devices {
        confirmed.extend(device.await.unwrap());
    }
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    for payload in source.payloads() {
        *found.entry(String::from_utf8(payload).unwrap()).or_default() += 1;
    }
    assert_eq!(confirmed.len(), usize::from(DEVICES * READINGS));
    for payload in &confirmed {
        assert_eq!(found.get(payload), Some(&1), "{payload}");
    }
    assert!(network.lost() > 200, "{} datagrams were lost", network.lost());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_state_arrives_and_nothing_goes_back() {
    let test = "the_newest_state_arrives_and_nothing_goes_back";
    let Some(server) = Server::start(test).await else { return };
    let network = Network::before(server.port).await;
    let uri = format!("coap://127.0.0.1:{}", network.port);
    let source = Source::observe(&uri, "example_data,time", &[]).await;
    source.wait_for("first states", |payloads| payloads.len() >= 2).await;
    let mut last = String::new();
    for number in 100..140 {
        // Small ones and such as come in blocks.
        last = if number % 4 == 0 { number.to_string().repeat(700) } else { number.to_string() };
        server.put(&last).await;
    }
    source.wait_for("last state", |payloads| payloads.iter().any(|payload| payload == last.as_bytes())).await;
    let numbers: Vec<u32> = source
        .payloads()
        .iter()
        .filter_map(|payload| std::str::from_utf8(payload).ok()?.get(..3)?.parse().ok())
        .collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert!(network.lost() > 0);
}
