//! Servers that are found by a question to a group.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::{cannot_run, free_port};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::source::Source;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 187);

/// A socket that speaks to groups of the loopback interface.
fn asker() -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    UdpSocket::from_std(socket.into()).unwrap()
}

/// A port that is free on the second address of the loopback interface too.
fn free_on_both() -> u16 {
    let is_free = |port: &u16| std::net::UdpSocket::bind(("127.0.0.2", *port)).is_ok();
    (0..100).map(|_| free_port()).find(is_free).expect("no port is free on both addresses")
}

#[tokio::test]
async fn all_servers_of_a_group_answer_from_their_own_addresses() {
    let port = free_on_both();
    let mut servers = BTreeSet::new();
    let mut sources = Vec::new();
    for address in ["127.0.0.1", "127.0.0.2"] {
        let config = Config::from([
            ("lavka.coap.resources", "readings"),
            ("lavka.coap.multicast", "224.0.1.187"),
            ("lavka.coap.multicast.leisure.ms", "50"),
        ]);
        sources.push(Source::serve_at(&format!("{address}:{port}"), config).await);
        servers.insert(SocketAddr::new(address.parse().unwrap(), port));
    }
    let socket = asker();
    // NON GET /.well-known/core, and a reading that is for nobody.
    let core = [&[0x51, 1, 0, 1, 9, 0xbb][..], b".well-known", &[0x04], b"core"].concat();
    let reading = [&[0x51, 2, 0, 2, 9, 0xb8][..], b"readings", &[0xff, b'x']].concat();
    for message in [&reading, &core] {
        if let Err(error) = socket.send_to(message, (GROUP, port)).await {
            cannot_run(
                "all_servers_of_a_group_answer_from_their_own_addresses",
                &format!("multicast: {error}"),
            );
            return;
        }
    }
    let mut buffer = [0; 1500];
    while !servers.is_empty() {
        let answer = timeout(Duration::from_secs(30), socket.recv_from(&mut buffer)).await;
        let (length, server) = answer.unwrap().unwrap();
        assert_eq!((buffer[0], buffer[1], buffer[4]), (0x51, 0x45, 9), "{:?}", &buffer[..length]);
        assert!(servers.remove(&server), "{server}");
    }
    assert!(sources.iter().all(|source| source.records().is_empty()));
}
