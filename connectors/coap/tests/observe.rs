//! The observe mode over real sockets, with a server that speaks bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::net::UdpSocket;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::acceptance;

const RESOURCES: usize = 8;

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Answers each GET of `/sN` with `N`, as an observation, or as one that still holds where the client knows its ETag.
fn serve(address: &str) {
    let Ok(socket) = UdpSocket::bind(address) else { return };
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = [0; 2048];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        let request = &buffer[..length];
        let Some(at) = request.windows(2).position(|pair| pair[0] & 0x0f == 2 && pair[1] == b's') else {
            continue;
        };
        let name = request[at + 2];
        // ETag is option 4, of one byte: the first option of the request where there is one.
        let known = request.get(12) == Some(&0x41);
        let mut answer = vec![0x68, if known { 0x43 } else { 0x45 }];
        answer.extend_from_slice(&request[2..12]);
        answer.extend_from_slice(&[0x41, name, 0x21, 1]);
        if !known {
            answer.extend_from_slice(&[0xff, name]);
        }
        let _ = socket.send_to(&answer, client);
    }
}

#[test]
fn the_client_keeps_what_the_runtime_counts_on() {
    let resources: Vec<String> = (0..RESOURCES).map(|number| format!("s{number}")).collect();
    let round = move |_: usize| {
        Config::from([
            ("lavka.coap.servers", format!("coap://127.0.0.1:{}", free_port())),
            ("lavka.coap.observe", resources.join(",")),
            ("lavka.coap.ack.timeout.ms", "100".into()),
            ("lavka.coap.retry.backoff.max.ms", "200".into()),
        ])
    };
    let mut plugins = lavka_connector_coap::plugins().into_iter();
    let plugin = plugins.find(|plugin| plugin.aliases == ["CoapObserveSource"]).unwrap();
    acceptance::source(plugin)
        .config(round(0))
        .refuses("lavka.coap.servers", "http://a")
        .refuses("lavka.coap.observe", "a/#/b")
        .refuses("lavka.coap.discover.filter", "=x")
        .refuses("lavka.coap.bind", "here")
        .records(RESOURCES)
        .round(round)
        .fill(|config| {
            let server = config.get("lavka.coap.servers").unwrap();
            let address = server.strip_prefix("coap://").unwrap().to_owned();
            std::thread::spawn(move || serve(&address));
        })
        .identity(|handed| format!("{:?}", handed.record.value.value))
        .check()
        .assert_clean();
}
