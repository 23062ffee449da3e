//! The CoAP source under a steady load: how long devices wait for 2.04, which comes after Kafka's acknowledgement.
//!
//! Devices, worker and an embedded broker share the machine. The load is open: requests leave at their time whether or
//! not earlier ones were answered, and latency counts from the time when a request should have left.

use std::error::Error;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_devbroker::{Broker, BrokerConfig};
use lavka_telemetry::metrics::Metrics;

use super::worker;

const DEVICES: usize = 500;
/// Requests a second, of all devices together.
const RATE: usize = 5_000;
const SECONDS: usize = 15;
/// Answers in the first seconds do not count: connections to the broker are made, memory is fetched.
const WARM_UP: usize = 3;
const PAYLOAD: &[u8] = br#"{"t":21.5,"h":40.25,"p":1013.5,"id":"device-with-a-name"}"#;

/// Runs the load once and prints what came of it.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    println!(
        "CoAP source: {RATE} confirmable POSTs a second from {DEVICES} endpoints, embedded broker, {SECONDS} s"
    );
    let broker = Broker::start(BrokerConfig::default()).await?;
    let folder = tempfile::tempdir()?;
    let metrics = Metrics::new();
    let plugins = lavka_connector_coap::plugins();
    let settings = [("producer.linger.ms", "1")];
    let worker = worker::start(&broker.bootstrap(), folder.path(), metrics, plugins, &settings)?;
    let port = lavka_testkit::free_port();
    let connector = Config::from([
        ("connector.class", "io.lavka.connect.coap.CoapServerSourceConnector".to_owned()),
        ("lavka.coap.listen", format!("127.0.0.1:{port}")),
        ("lavka.coap.resources", "readings".into()),
        ("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter".into()),
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter".into()),
    ]);
    worker.handle().put_connector("bench".into(), connector, None, true).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut waits = tokio::task::spawn_blocking(move || load(port)).await??;
    worker.shutdown().await;
    broker.shutdown().await;
    let sent = RATE * (SECONDS - WARM_UP);
    waits.sort_unstable();
    let at = |share: f64| {
        let place = (waits.len() as f64 * share) as usize;
        waits.get(place.min(waits.len().saturating_sub(1))).copied().unwrap_or_default().as_secs_f64()
            * 1000.0
    };
    println!("  answered 2.04: {} of {sent}", waits.len());
    println!("  until 2.04: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms", at(0.5), at(0.99), at(0.999));
    Ok(())
}

/// How long each request waited for its 2.04, those of the warm-up left out.
fn load(port: u16) -> std::io::Result<Vec<Duration>> {
    let devices = (0..DEVICES)
        .map(|_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.connect((Ipv4Addr::LOCALHOST, port))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
        .collect::<std::io::Result<Vec<_>>>()?;
    let total = RATE * SECONDS;
    let due = |request: usize| Duration::from_nanos((request as u64) * 1_000_000_000 / RATE as u64);
    let mut waits = Vec::with_capacity(total);
    let mut buffer = [0; 256];
    let began = Instant::now();
    let mut next = 0;
    while began.elapsed() < Duration::from_secs(SECONDS as u64 + 2) {
        while next < total && due(next) <= began.elapsed() {
            if let Some(device) = devices.get(next % DEVICES) {
                device.send(&post(next / DEVICES))?;
            }
            next += 1;
        }
        for (number, device) in devices.iter().enumerate() {
            while let Ok(length) = device.recv(&mut buffer) {
                // A piggybacked answer repeats the message id and the token.
                let Some([_, 0x44, _, _, high, low]) = buffer.get(..length.min(6)) else { continue };
                let request = usize::from(u16::from_be_bytes([*high, *low])) * DEVICES + number;
                if request >= RATE * WARM_UP {
                    waits.push(began.elapsed().saturating_sub(due(request)));
                }
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(waits)
}

/// A device's request with this number: confirmable POST to /readings, the number as message id and token.
fn post(number: usize) -> Vec<u8> {
    let [.., high, low] = number.to_be_bytes();
    let mut datagram = vec![0x42, 0x02, high, low, high, low, 0xb8];
    datagram.extend_from_slice(b"readings\xff");
    datagram.extend_from_slice(PAYLOAD);
    datagram
}
