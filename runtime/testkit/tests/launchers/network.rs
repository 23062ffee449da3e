use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use lavka_testkit::{Network, eventually};

use crate::LONG;

/// A server that sends back what it gets.
fn echo() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                std::io::copy(&mut from, &mut to)
            });
        }
    });
    port
}

fn connect(network: &Network) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, network.port())).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Whether a byte comes back.
fn echoes(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    stream.write_all(b"x").is_ok() && stream.read(&mut byte).is_ok_and(|count| count == 1)
}

#[test]
fn a_network_is_cut_heals_and_goes_silent() {
    let network = Network::to(echo());
    let mut first = connect(&network);
    assert!(echoes(&mut first));
    network.cut();
    assert_eq!(first.read(&mut [0]).unwrap_or(0), 0, "the end is told");
    assert!(!echoes(&mut connect(&network)));
    network.heal();
    let mut second = connect(&network);
    eventually("a connection after the healing", LONG, || echoes(&mut second).then_some(()));
    network.lose();
    second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(!echoes(&mut second));
    assert!(echoes(&mut connect(&network)));
}
