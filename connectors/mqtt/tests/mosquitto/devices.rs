//! Very many devices at once.

use std::collections::HashSet;

use lavka_testkit::{Mosquitto, MosquittoConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::VERSIONS;
use crate::source::{Source, config, payloads};

/// Devices that are connected together; thousands in the long run.
const DEVICES: usize = 500;
const IN_THE_LONG_RUN: usize = 3000;
/// Messages of each.
const MESSAGES: u8 = 5;

/// Connects, publishes with QoS 1 and waits for each acknowledgement, all by MQTT 3.1.1's bare packets.
async fn device(port: u16, number: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let id = format!("device{number:06}");
    let mut connect = vec![0x10, 12 + id.len() as u8, 0, 4];
    connect.extend_from_slice(b"MQTT\x04\x02\x00\x3c\x00");
    connect.push(id.len() as u8);
    connect.extend_from_slice(id.as_bytes());
    stream.write_all(&connect).await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0]);
    for message in 1..=MESSAGES {
        let payload = format!("{number:06}-{message}");
        let mut publish = vec![0x32, 7 + payload.len() as u8, 0, 3];
        publish.extend_from_slice(b"t/d");
        publish.extend_from_slice(&[0, message]);
        publish.extend_from_slice(payload.as_bytes());
        stream.write_all(&publish).await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0x40, 2, 0, message]);
    }
    // Stays connected until all are done.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_very_many_devices_arrive_each_once() {
    let devices = lavka_testkit::count(DEVICES, IN_THE_LONG_RUN);
    let config_of_server = MosquittoConfig { max_inflight: Some(0), ..MosquittoConfig::default() };
    for version in VERSIONS {
        let broker = Mosquitto::start(&config_of_server).unwrap();
        let mut source =
            Source::subscribed(&config(&broker, &[("lavka.mqtt.version", version)]), &broker).await;
        let running: Vec<_> =
            (0..devices).map(|number| tokio::spawn(device(broker.port(), number))).collect();
        let expected = devices * usize::from(MESSAGES);
        let came: Vec<String> = payloads(&source.drain(expected).await);
        for device in running {
            device.await.unwrap();
        }
        assert_eq!(came.iter().collect::<HashSet<_>>().len(), expected, "{version}");
        // Of each device in order.
        for device in 0..devices {
            let prefix = format!("{device:06}-");
            let own: Vec<&str> = came.iter().filter_map(|text| text.strip_prefix(&prefix)).collect();
            assert_eq!(own, ["1", "2", "3", "4", "5"]);
        }
        source.stop().await;
    }
}
