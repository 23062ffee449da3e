//! The observe mode over real sockets, with a server that speaks bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::acceptance;

const RESOURCES: usize = 8;

/// Sockets of servers that do not answer yet: bound, so that nobody else gets their ports.
#[derive(Clone, Default)]
struct Silent(Arc<Mutex<HashMap<String, UdpSocket>>>);

impl Silent {
    /// The URI of another one.
    fn bind(&self) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let uri = format!("coap://{}", socket.local_addr().unwrap());
        self.0.lock().unwrap().insert(uri.clone(), socket);
        uri
    }

    /// From now on it answers.
    fn serve(&self, uri: &str) {
        let socket = self.0.lock().unwrap().remove(uri).unwrap();
        std::thread::spawn(move || serve(&socket));
    }
}

/// Answers each GET of `/sN` with `N`, as an observation, or as one that still holds where the client knows its ETag.
fn serve(socket: &UdpSocket) {
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = [0; 2048];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        let request = &buffer[..length];
        // Behind the header and a token of eight random bytes.
        let Some(options) = request.get(12..) else { continue };
        let Some(at) = options.windows(2).position(|pair| pair[0] & 0x0f == 2 && pair[1] == b's') else {
            continue;
        };
        let name = options[at + 2];
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
    let silent = Silent::default();
    let bound = silent.clone();
    let round = move |_: usize| {
        Config::from([
            ("lavka.coap.servers", bound.bind()),
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
        .fill(move |config| silent.serve(config.get("lavka.coap.servers").unwrap()))
        .identity(|handed| format!("{:?}", handed.record.value.value))
        .check()
        .assert_clean();
}

#[test]
fn lenses_source_keeps_it_too() {
    let statements: Vec<String> =
        (0..RESOURCES).map(|number| format!("INSERT INTO readings SELECT * FROM s{number}")).collect();
    let kcql = statements.join(";");
    let silent = Silent::default();
    let bound = silent.clone();
    let round = move |_: usize| {
        Config::from([
            ("connect.coap.uri", bound.bind()),
            ("connect.coap.kcql", kcql.clone()),
            ("lavka.coap.ack.timeout.ms", "100".into()),
            ("lavka.coap.retry.backoff.max.ms", "200".into()),
        ])
    };
    let mut plugins = lavka_connector_coap::plugins().into_iter();
    let plugin = plugins.find(|plugin| plugin.class.starts_with("com.datamountaineer.")).unwrap();
    acceptance::source(plugin)
        .config(round(0))
        .refuses("connect.coap.uri", "coap://DiscoverIP4")
        .refuses("connect.coap.kcql", "INSERT INTO t SELECT a FROM r")
        .records(RESOURCES)
        .round(round)
        .fill(move |config| silent.serve(config.get("connect.coap.uri").unwrap()))
        .identity(|handed| {
            let lavka_api::data::Value::Struct(reading) = &handed.record.value.value else { panic!() };
            format!("{:?}", reading.get("payload"))
        })
        .check()
        .assert_clean();
}
