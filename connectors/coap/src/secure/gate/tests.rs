//! A server's gate and clients' gates, without a network between them.

mod certificates;

use std::sync::LazyLock;

use super::*;
use crate::secure::Files;

const LIMITS: Limits = Limits { sessions: 3, handshakes: 10, idle: 1_000_000 };

fn server_files(lines: &str) -> (lavka_testkit::TempDir, Files) {
    let folder = lavka_testkit::temp_dir();
    let psk = lavka_testkit::write_file(folder.path(), "psk", lines.as_bytes());
    (folder, Files { psk: psk.to_str().unwrap().to_owned(), ..Files::default() })
}

/// Made once: the library tries all its algorithms for each.
static CREDENTIALS: LazyLock<(Credentials, Credentials)> = LazyLock::new(|| {
    let (_folder, files) = server_files("# devices\nd1:0102030405060708\n\nd2:ff00\n");
    let device = Credentials::of_client_with_key("d1", &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    (Credentials::of_server(&files).unwrap(), device)
});

fn server(limits: Limits) -> Gate {
    Gate::of_server(CREDENTIALS.0.clone(), limits, [9; 32])
}

struct Device {
    gate: Gate,
    address: SocketAddr,
    /// What ended, on either side.
    ended: Vec<(SocketAddr, Option<String>)>,
}

/// What peers said.
type Said = Vec<(Peer, Vec<u8>)>;

const SERVER: &str = "127.0.0.1:5684";

impl Device {
    fn new(port: u16, identity: &str, key: &[u8]) -> Self {
        Self::with(port, Credentials::of_client_with_key(identity, key).unwrap())
    }

    fn with(port: u16, credentials: Credentials) -> Self {
        Self::to("server", port, credentials)
    }

    /// One that knows the server by this name.
    fn to(name: &str, port: u16, credentials: Credentials) -> Self {
        let mut gate = Gate::of_client(credentials, LIMITS);
        gate.expect(SERVER.parse().unwrap(), name.to_owned());
        Self { gate, address: SocketAddr::from(([10, 0, 0, 1], port)), ended: vec![] }
    }

    fn d1(port: u16) -> Self {
        Self::with(port, CREDENTIALS.1.clone())
    }

    /// Says something, and carries datagrams between the two until there are no more; what the server hears, and what it
    /// answers with is what it heard.
    fn say(&mut self, server: &mut Gate, plain: &[u8]) -> Vec<(Peer, Vec<u8>)> {
        let mut to_server = Passed::default();
        self.gate.send(0, Peer::at(SERVER.parse().unwrap()), plain, &mut to_server);
        let (heard, answers) = self.carry(server, to_server);
        if !heard.is_empty() {
            assert_eq!(answers.last().map(|(_, plain)| plain.as_slice()), Some(plain));
        }
        heard
    }

    /// Carries datagrams between the two until there are no more; what the server hears, and what is heard from it.
    fn carry(&mut self, server: &mut Gate, mut to_server: Passed) -> (Said, Said) {
        let address: SocketAddr = SERVER.parse().unwrap();
        let mut heard = vec![];
        while !to_server.datagrams.is_empty() {
            let mut to_device = Passed::default();
            for (_, datagram) in to_server.datagrams.drain(..) {
                server.receive(0, self.address, &datagram, &mut to_device);
            }
            for (peer, plain) in std::mem::take(&mut to_device.plain) {
                server.send(0, peer, &plain, &mut to_device);
                heard.push((peer, plain));
            }
            self.ended.append(&mut to_device.ended);
            for (to, datagram) in to_device.datagrams {
                if to == self.address {
                    self.gate.receive(0, address, &datagram, &mut to_server);
                }
            }
        }
        self.ended.append(&mut to_server.ended);
        (heard, to_server.plain)
    }

    /// The hello by which it begins to say something, with the server's cookie; not sent yet.
    fn hello(&mut self, server: &mut Gate, plain: &[u8]) -> Vec<u8> {
        let at: SocketAddr = SERVER.parse().unwrap();
        let (mut hello, mut asked, mut second) = <(Passed, Passed, Passed)>::default();
        self.gate.send(0, Peer::at(at), plain, &mut hello);
        server.receive(0, self.address, &hello.datagrams[0].1, &mut asked);
        self.gate.receive(0, at, &asked.datagrams[0].1, &mut second);
        second.datagrams.swap_remove(0).1
    }
}

#[test]
fn a_device_with_its_key_is_let_in_and_known() {
    let mut server = server(LIMITS);
    let mut device = Device::d1(1);
    let heard = device.say(&mut server, b"hello");
    let [(peer, plain)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((plain.as_slice(), server.identity(peer).as_deref()), (&b"hello"[..], Some("d1")));
    assert_eq!(device.say(&mut server, b"again"), [(*peer, b"again".to_vec())]);
    let mut other = Device::new(2, "d2", &[0xff, 0]);
    let heard = other.say(&mut server, b"x");
    assert_eq!(server.identity(&heard[0].0).as_deref(), Some("d2"));
    assert_eq!(server.tally(), Tally { connected: 2, failed: 0, crowded: 0 });
}

#[test]
fn gates_that_share_their_keys_do_not_take_one_device_for_another() {
    // Both are in the middle of a handshake at any time.
    std::thread::scope(|threads| {
        for (port, identity, key) in [(1, "d1", &[1u8, 2, 3, 4, 5, 6, 7, 8][..]), (2, "d2", &[0xff, 0])] {
            threads.spawn(move || {
                let credentials = Credentials::of_client_with_key(identity, key).unwrap();
                for _ in 0..50 {
                    let mut server = server(LIMITS);
                    let heard = Device::with(port, credentials.clone()).say(&mut server, b"x");
                    assert_eq!(server.identity(&heard[0].0).as_deref(), Some(identity));
                }
            });
        }
    });
}

#[test]
fn others_are_not() {
    let mut server = server(LIMITS);
    for (identity, key) in [("d1", &[1u8, 2][..]), ("d3", &[1, 2, 3, 4, 5, 6, 7, 8])] {
        assert_eq!(Device::new(1, identity, key).say(&mut server, b"x"), []);
        assert_eq!(server.open.len(), 0);
    }
}

#[test]
fn a_wrong_key_and_an_unknown_identity_are_named() {
    let mut server = server(LIMITS);
    for (identity, part) in
        [("d3", "there is no pre-shared key for identity d3"), ("d1", "not that of identity d1")]
    {
        let mut wrong = Device::new(1, identity, &[7]);
        wrong.say(&mut server, b"x");
        let (who, why) = wrong.ended.remove(0);
        let why = why.unwrap();
        assert!(who == wrong.address && why.contains(part), "{why}");
        let (who, why) = wrong.ended.remove(0);
        let why = why.unwrap();
        assert!(who.to_string() == SERVER && why.contains("the peer refused: decrypt error"), "{why}");
    }
    assert_eq!(server.tally(), Tally { connected: 0, failed: 2, crowded: 0 });
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let mut device = Device::d1(1);
    let mut out = Passed::default();
    device.gate.send(0, Peer::at(SERVER.parse().unwrap()), b"x", &mut out);
    while let Some(at) = device.gate.next_wakeup() {
        device.gate.wake(at, &mut out);
    }
    let [(who, Some(why))] = out.ended.as_slice() else { panic!("{:?}", out.ended) };
    assert!(who.to_string() == SERVER && why.contains("not over within 40 seconds"), "{why}");
}

#[test]
fn forged_messages_do_not_end_a_session() {
    let mut server = server(LIMITS);
    let mut device = Device::d1(1);
    let peer = device.say(&mut server, b"a")[0].0;
    let record = |kind: u8, epoch: u8, number: u8, body: &[u8]| {
        let head = [kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, number, 0, body.len() as u8];
        [&head[..], body].concat()
    };
    let alert = record(21, 0, 9, &[2, 40]);
    for forged in [
        record(23, 1, 9, &[0; 40]),
        record(23, 1, 9, &[]),
        record(23, 2, 9, &[0; 40]),
        record(22, 1, 9, &[20; 40]),
        record(21, 1, 9, &[0; 26]),
        record(20, 0, 9, &[1]),
        record(99, 1, 9, &[0; 40]),
        alert.clone(),
        // More records than a datagram may have, and one that is cut off.
        alert.repeat(20),
        record(23, 1, 9, &[0; 40])[..20].to_vec(),
        vec![],
        vec![0x40, 1, 0, 1],
    ] {
        server.receive(0, device.address, &forged, &mut Passed::default());
        let heard = device.say(&mut server, b"b");
        assert_eq!(heard, [(peer, b"b".to_vec())], "{forged:?}");
    }
    assert_eq!(server.tally(), Tally { connected: 1, failed: 0, crowded: 0 });
}

#[test]
fn a_session_that_the_peer_closes_is_over_without_anything_wrong() {
    let mut server = server(LIMITS);
    let mut device = Device::d1(1);
    device.say(&mut server, b"x");
    let (mut to_server, mut to_device) = <(Passed, Passed)>::default();
    device.gate.stop(&mut to_server);
    for (_, datagram) in to_server.datagrams {
        server.receive(0, device.address, &datagram, &mut to_device);
    }
    assert_eq!(to_device.ended, [(device.address, None)]);
    assert_eq!(
        (server.open.len(), server.due.len(), server.heard.len(), server.tally().failed),
        (0, 0, 0, 0)
    );
}

#[test]
fn a_hello_without_cookie_leaves_nothing_behind() {
    let mut server = server(LIMITS);
    for port in 1..1000 {
        let mut device = Device::d1(port);
        let mut out = Passed::default();
        device.gate.send(0, Peer::at(SERVER.parse().unwrap()), b"x", &mut out);
        let mut answer = Passed::default();
        server.receive(0, device.address, &out.datagrams[0].1, &mut answer);
        assert_eq!(answer.datagrams.len(), 1);
        assert!(answer.datagrams[0].1.len() <= out.datagrams[0].1.len());
    }
    assert_eq!((server.opening.len(), server.open.len(), server.due.len()), (0, 0, 0));
}

#[test]
fn a_device_that_begins_anew_takes_its_own_place_when_it_has_shown_its_key() {
    let mut server = server(LIMITS);
    let mut device = Device::d1(1);
    let first = device.say(&mut server, b"a")[0].0;
    // Somebody at the same address, who knows no key, ends nothing.
    assert_eq!(Device::new(1, "d1", &[0]).say(&mut server, b"x"), []);
    assert_eq!(device.say(&mut server, b"b")[0].0, first);
    let second = Device::d1(1).say(&mut server, b"c")[0].0;
    assert_ne!(first, second);
    // What is said to the session that is over goes nowhere.
    let mut out = Passed::default();
    server.send(0, first, b"late", &mut out);
    assert!(out.datagrams.is_empty() && server.identity(&first).is_none());
    assert_eq!(server.open.len(), 1);
}

#[test]
fn a_handshake_that_nobody_goes_on_with_is_in_no_sessions_way() {
    let mut server = server(LIMITS);
    let mut device = Device::d1(1);
    let peer = device.say(&mut server, b"a")[0].0;
    let late = Device::d1(1).hello(&mut server, b"x");
    server.receive(0, device.address, &late, &mut Passed::default());
    assert_eq!(server.opening.len(), 1);
    assert_eq!(device.say(&mut server, b"b"), [(peer, b"b".to_vec())]);
    // Its good-bye is heard as well.
    let (mut goodbye, mut out) = <(Passed, Passed)>::default();
    device.gate.stop(&mut goodbye);
    server.receive(0, device.address, &goodbye.datagrams[0].1, &mut out);
    assert_eq!((out.ended, server.open.len(), server.opening.len()), (vec![(device.address, None)], 0, 1));
}

#[test]
fn the_hello_of_a_session_that_stands_begins_nothing() {
    let mut server = server(LIMITS);
    let mut device = Device::d1(1);
    let hello = device.hello(&mut server, b"a");
    let first = (SERVER.parse().unwrap(), hello.clone());
    let (heard, _) = device.carry(&mut server, Passed { datagrams: vec![first], ..Passed::default() });
    assert_eq!(heard.len(), 1);
    let mut out = Passed::default();
    server.receive(0, device.address, &hello, &mut out);
    assert!(out.datagrams.is_empty() && server.opening.is_empty());
    assert_eq!(device.say(&mut server, b"b"), [(heard[0].0, b"b".to_vec())]);
}

#[test]
fn the_limits_hold() {
    let mut server = server(Limits { handshakes: 2, ..LIMITS });
    let mut devices: Vec<Device> = (1..=5).map(Device::d1).collect();
    for device in &mut devices {
        assert_eq!(device.say(&mut server, b"x").len(), 1);
    }
    assert_eq!((server.open.len(), server.heard.len(), server.tally().crowded), (3, 3, 2));
    // Handshakes that are not gone on with.
    for port in 10..20 {
        let mut device = Device::d1(port);
        let hello = device.hello(&mut server, b"x");
        server.receive(0, device.address, &hello, &mut Passed::default());
    }
    assert_eq!(server.opening.len(), 2);
    // They are given up in time, and silence ends sessions.
    let mut out = Passed::default();
    let mut now = 0;
    while let Some(at) = server.next_wakeup() {
        now = now.max(at);
        server.wake(now, &mut out);
    }
    assert_eq!((server.opening.len(), server.open.len(), server.due.len(), server.heard.len()), (0, 0, 0, 0));
    assert!(now >= LIMITS.idle);
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever comes, at whatever point of a handshake, nobody else's session suffers.
        #[test]
        fn bytes_do_no_harm(
            changes in prop::collection::vec((any::<u16>(), any::<u8>(), 0usize..3), 1..40),
            junk in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut server = server(LIMITS);
            let mut good = Device::d1(1);
            good.say(&mut server, b"a");
            let mut bad = Device::d1(2);
            let at: SocketAddr = SERVER.parse().unwrap();
            let mut to_server = Passed::default();
            bad.gate.send(0, Peer::at(at), b"x", &mut to_server);
            for (place, byte, what) in changes {
                let Some((_, mut datagram)) = to_server.datagrams.pop() else { break };
                let place = usize::from(place) % datagram.len().max(1);
                match what {
                    0 => datagram[place] ^= byte,
                    1 => datagram.truncate(place),
                    _ => datagram.extend_from_slice(&junk),
                }
                let mut back = Passed::default();
                server.receive(0, bad.address, &datagram, &mut back);
                server.receive(0, bad.address, &junk, &mut back);
                for (_, datagram) in back.datagrams {
                    bad.gate.receive(0, at, &datagram, &mut to_server);
                }
            }
            prop_assert_eq!(good.say(&mut server, b"b").len(), 1);
        }
    }
}
