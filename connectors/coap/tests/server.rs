//! The server mode over real sockets, from a client that speaks bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::net::UdpSocket;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::{acceptance, free_port};

const MESSAGES: usize = 8;

/// A confirmable POST to `/readings`.
fn post(id: u16, payload: &str) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let mut datagram = vec![0x41, 0x02, high, low, low, 0xb8];
    datagram.extend_from_slice(b"readings");
    datagram.push(0xff);
    datagram.extend_from_slice(payload.as_bytes());
    datagram
}

/// A device that has `MESSAGES` readings: sends each until it is answered with 2.04, as RFC 7252 has it.
fn device(address: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answered = [false; MESSAGES];
    let mut buffer = [0; 2048];
    for _ in 0..200 {
        for (message, _) in answered.iter().enumerate().filter(|(_, answered)| !**answered) {
            let _ = socket.send_to(&post(message as u16, &message.to_string()), address);
        }
        while let Ok((length, _)) = socket.recv_from(&mut buffer) {
            if let [first, 0x44, high, low, token, ..] = buffer[..length] {
                answered[usize::from(token)] = true;
                // An answer of its own wants an acknowledgement.
                if first & 0x30 == 0 {
                    let _ = socket.send_to(&[0x60, 0, high, low], address);
                }
            }
        }
        if answered.iter().all(|answered| *answered) {
            return;
        }
    }
    panic!("no answer to some of {answered:?}");
}

#[test]
fn the_server_keeps_what_the_runtime_counts_on() {
    let round = |_: usize| {
        Config::from([
            ("lavka.coap.listen", format!("127.0.0.1:{}", free_port())),
            ("lavka.coap.resources", "readings".into()),
        ])
    };
    acceptance::source(lavka_connector_coap::plugins().remove(0))
        .config(round(0))
        .refuses("lavka.coap.listen", "everywhere")
        .refuses("lavka.coap.resources", "a/#/b")
        .records(MESSAGES)
        .round(round)
        // The device goes on sending until it was answered, so a round's messages come while it is being read.
        .fill(|config| {
            let address = config.get("lavka.coap.listen").unwrap().to_owned();
            std::thread::spawn(move || device(&address));
        })
        .identity(|handed| format!("{:?}", handed.record.value.value))
        // A device whose answer was lost with the process sends again, and the new process does not know it.
        .may_repeat()
        .check()
        .assert_clean();
}
