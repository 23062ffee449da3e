//! Raw sockets: nonsense, limits, and what happens to connections.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use lavka_devbroker::BrokerConfig;

use super::{PATIENCE, Running, until};

fn connect(running: &Running) -> TcpStream {
    let stream = TcpStream::connect(running.broker.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// ApiVersions version 0 with a correlation id and an empty client id.
fn api_versions(correlation: i32) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 10, 0, 18, 0, 0];
    frame.extend(correlation.to_be_bytes());
    frame.extend([0, 0]);
    frame
}

fn read_correlation(stream: &mut TcpStream) -> i32 {
    let mut head = [0; 8];
    stream.read_exact(&mut head).unwrap();
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    stream.read_exact(&mut vec![0; length - 4]).unwrap();
    i32::from_be_bytes([head[4], head[5], head[6], head[7]])
}

/// Whether the broker has closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_))
}

fn still_serves(running: &Running) {
    let mut stream = connect(running);
    stream.write_all(&api_versions(7)).unwrap();
    assert_eq!(read_correlation(&mut stream), 7);
}

#[test]
fn requests_may_come_in_pieces_or_many_at_once() {
    let running = Running::new();
    let mut stream = connect(&running);
    for byte in api_versions(1) {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(read_correlation(&mut stream), 1);
    let many: Vec<u8> = (2..50).flat_map(api_versions).collect();
    stream.write_all(&many).unwrap();
    (2..50).for_each(|number| assert_eq!(read_correlation(&mut stream), number));
    running.shutdown();
}

#[test]
fn random_bytes_end_the_connection_and_nothing_else() {
    let running = Running::new();
    let mut state: u64 = 4711;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    for round in 0..200_usize {
        let mut stream = connect(&running);
        let body: Vec<u8> = (0..round * 3).map(|_| random()).collect();
        let mut bytes = Vec::new();
        match round % 4 {
            // Anything at all.
            0 => bytes.extend(&body),
            // A right length and a wrong body.
            1 => {
                bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
                bytes.extend(&body);
            }
            // A right beginning too: a key and version that exist.
            2 => {
                bytes.extend(u32::try_from(body.len() + 10).unwrap().to_be_bytes());
                bytes.extend([0, random() % 48, 0, random() % 10, 0, 0, 0, 1, 0xff, 0xff]);
                bytes.extend(&body);
            }
            // A request that ends too early.
            _ => {
                bytes.extend(u32::try_from(body.len() + 100).unwrap().to_be_bytes());
                bytes.extend(&body);
            }
        }
        // The broker may close while this is being sent.
        drop(stream.write_all(&bytes));
        drop(stream.shutdown(Shutdown::Write));
        drop(stream.read_to_end(&mut Vec::new()));
    }
    still_serves(&running);
    until("all connections to be given back", || {}, || running.broker.stats().connections == 0);
    running.shutdown();
}

#[test]
fn lengths_beyond_reason_are_refused_at_once() {
    let running = Running::with(BrokerConfig { max_request_bytes: 1000, ..BrokerConfig::default() });
    for length in [i32::MAX, i32::MIN, -1, 1001] {
        let mut stream = connect(&running);
        stream.write_all(&length.to_be_bytes()).unwrap();
        assert!(is_closed(&mut stream), "{length}");
    }
    still_serves(&running);
    running.shutdown();
}

#[test]
fn there_is_room_for_so_many_connections_and_no_more() {
    let running = Running::with(BrokerConfig { max_connections: 2, ..BrokerConfig::default() });
    let mut first = connect(&running);
    let second = connect(&running);
    first.write_all(&api_versions(1)).unwrap();
    assert_eq!(read_correlation(&mut first), 1);
    until("the second connection", || {}, || running.broker.stats().connections == 2);
    assert!(is_closed(&mut connect(&running)));
    drop(second);
    until("a free place", || {}, || running.broker.stats().connections == 1);
    still_serves(&running);
    running.shutdown();
}

#[test]
fn a_silent_connection_is_closed() {
    let max_connection_idle = Duration::from_millis(50);
    let running = Running::with(BrokerConfig { max_connection_idle, ..BrokerConfig::default() });
    assert!(is_closed(&mut connect(&running)));
    running.shutdown();
}

#[test]
fn shutting_down_closes_connections_and_frees_the_port() {
    let running = Running::new();
    let addr = running.broker.addr();
    let mut stream = connect(&running);
    stream.write_all(&api_versions(1)).unwrap();
    assert_eq!(read_correlation(&mut stream), 1);
    running.shutdown();
    assert!(is_closed(&mut stream));
    let again = Running::with(BrokerConfig { listen: addr, ..BrokerConfig::default() });
    still_serves(&again);
    again.shutdown();
}

#[test]
fn a_port_that_is_taken_is_named_in_the_error() {
    let running = Running::new();
    let listen = running.broker.addr();
    let config = BrokerConfig { listen, ..BrokerConfig::default() };
    let error = running.runtime.block_on(lavka_devbroker::Broker::start(config)).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("the embedded broker cannot listen on {listen}: ")),
        "{error}"
    );
    running.shutdown();
}
