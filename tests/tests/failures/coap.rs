//! Many CoAP devices, while the worker is killed and while Kafka is away: what was answered 2.04 is in Kafka.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lavka_testkit::{KafkaClient, KafkaServer, count, eventually, services, unique};
use serde_json::{Value, json};

use crate::standalone::{PATIENCE, Standalone};

const DEVICES: usize = 2000;
/// Each sends so many readings, one after the other.
const READINGS: usize = 4;
/// After which a device sends again what was not answered.
const AGAIN: Duration = Duration::from_millis(400);

/// A device at present.
struct Device {
    socket: UdpSocket,
    reading: usize,
    sent: Option<Instant>,
}

/// Devices that send until all their readings are answered.
struct Fleet {
    confirmed: Arc<AtomicUsize>,
    running: JoinHandle<()>,
}

fn payload(device: usize, reading: usize) -> String {
    format!("{device}/{reading}")
}

/// A confirmable POST to `/r`; message id and token are the reading's number.
fn post(device: usize, reading: usize) -> Vec<u8> {
    let number = reading as u8;
    let mut datagram = vec![0x41, 0x02, 0, number, number, 0xb1, b'r', 0xff];
    datagram.extend_from_slice(payload(device, reading).as_bytes());
    datagram
}

impl Fleet {
    fn start(port: u16) -> Self {
        // A socket each; most systems allow fewer unless asked.
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
        let confirmed = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&confirmed);
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        let mut devices: Vec<Device> = (0..DEVICES)
            .map(|_| {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.set_nonblocking(true).unwrap();
                Device { socket, reading: 0, sent: None }
            })
            .collect();
        let running = std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while devices.iter().any(|device| device.reading < READINGS) {
                for (number, device) in devices.iter_mut().enumerate() {
                    if device.reading < READINGS && device.sent.is_none_or(|sent| sent.elapsed() > AGAIN) {
                        let _ = device.socket.send_to(&post(number, device.reading), server);
                        device.sent = Some(Instant::now());
                    }
                    // Where there is nothing, or nobody: it sends again.
                    if let Ok((length, _)) = device.socket.recv_from(&mut buffer)
                        && device.hears(&buffer[..length], server)
                    {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { confirmed, running }
    }

    fn wait_for(&self, confirmed: usize) {
        eventually("answers to devices", PATIENCE, || {
            (self.confirmed.load(Ordering::Relaxed) >= confirmed).then_some(())
        });
    }
}

impl Device {
    /// Whether its reading is answered.
    fn hears(&mut self, message: &[u8], server: SocketAddr) -> bool {
        let [first, code, high, low, token, ..] = *message else { return false };
        // An answer of its own wants an acknowledgement.
        if first & 0x30 == 0 {
            let _ = self.socket.send_to(&[0x60, 0, high, low], server);
        }
        let answered = code == 0x44 && usize::from(token) == self.reading;
        if answered {
            self.reading += 1;
            self.sent = None;
        }
        answered
    }
}

fn source(port: u16, topic: &str) -> Value {
    json!({
        "connector.class": "io.lavka.connect.coap.CoapServerSourceConnector",
        "lavka.coap.listen": format!("127.0.0.1:{port}"),
        "lavka.coap.resources": "r",
        "lavka.coap.retry.after.seconds": "0",
        "kafka.topic": topic,
        "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
    })
}

/// How many of the readings, all of which were answered, are not in Kafka.
fn missing(kafka: &KafkaClient, topic: &str) -> usize {
    let there: HashSet<String> =
        kafka.consume_all(topic).iter().filter_map(|record| record.value_text().map(str::to_owned)).collect();
    let all = (0..DEVICES).flat_map(|device| (0..READINGS).map(move |reading| payload(device, reading)));
    all.filter(|payload| !there.contains(payload)).count()
}

/// A port below those that systems give to sockets that ask for any, of which the devices take thousands before the
/// source is there to bind this one.
fn free_udp_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = (std::process::id() % 10_000) as u16;
    let mut ports =
        std::iter::repeat_with(|| 20_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
    ports.find(|port| UdpSocket::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

#[test]
fn what_coap_devices_were_answered_survives_kills_of_the_worker() {
    let kafka = services().kafka.client();
    let (topic, port) = (unique("coap-killed"), free_udp_port());
    kafka.create_topic(&topic, 2);
    let worker =
        Standalone::new(services().kafka.bootstrap(), &[]).connector("source", &source(port, &topic));
    let fleet = Fleet::start(port);
    for life in 1..=count(3, 10) {
        let mut process = worker.start();
        let part = DEVICES * READINGS / 12;
        fleet.wait_for(part * life);
        process.kill9();
    }
    let mut process = worker.start();
    fleet.wait_for(DEVICES * READINGS);
    fleet.running.join().unwrap();
    assert_eq!(missing(&kafka, &topic), 0);
    assert!(process.stop().success(), "{}", process.log_tail(20));
}

#[test]
fn what_coap_devices_were_answered_is_there_after_kafka_was_away() {
    const TEST: &str = "what_coap_devices_were_answered_is_there_after_kafka_was_away";
    if !services().kafka.is_real_for(TEST) {
        return;
    }
    let mut server = KafkaServer::start().unwrap();
    let kafka = server.client();
    let (topic, port) = (unique("coap-away"), free_udp_port());
    kafka.create_topic(&topic, 2);
    let worker = Standalone::new(&server.bootstrap(), &[]).connector("source", &source(port, &topic));
    let mut process = worker.start();
    let fleet = Fleet::start(port);
    fleet.wait_for(DEVICES);
    server.kill();
    std::thread::sleep(Duration::from_secs(3));
    server.restart().unwrap();
    fleet.wait_for(DEVICES * READINGS);
    fleet.running.join().unwrap();
    assert_eq!(missing(&kafka, &topic), 0);
    assert!(process.stop().success(), "{}", process.log_tail(20));
}
