//! The server, datagram by datagram.

use super::*;
use crate::repeats::EXCHANGE_LIFETIME;
use crate::wire::{all, code_of, first, read, uint};

const PEER: u16 = 1;

fn settings() -> Settings {
    Settings {
        resources: ["readings", "s/{device}/+"].map(|text| Resource::parse(text).unwrap()).to_vec(),
        requests: 10,
        bytes: 1 << 20,
        exchanges: 100,
        uploads: UploadLimits { body: 100, all: 10_000 },
        ack_delay: 500,
        retransmission: Retransmission { timeout: 2000, times: 4 },
        retry_after: 7,
        leisure: 5000,
        random: || 0,
    }
}

struct Server {
    responder: Responder,
    now: Millis,
}

impl Server {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        Self { responder: Responder::new(settings), now: 1000 }
    }

    /// What `draft` from peer `peer` brings.
    fn from(&mut self, peer: u16, draft: &Draft) -> Outbox {
        let mut out = Outbox::default();
        self.responder.datagram(self.now, 5, Peer::test(peer), &draft.datagram(), &mut out);
        out
    }

    fn receive(&mut self, draft: &Draft) -> Outbox {
        self.from(PEER, draft)
    }

    /// The one answer to `draft`.
    fn ask(&mut self, draft: &Draft) -> Packet {
        let out = self.receive(draft);
        assert!(out.requests.is_empty());
        only(&out)
    }

    /// The ticket of `draft`, which is taken and not answered yet.
    fn accept(&mut self, draft: &Draft) -> u64 {
        let out = self.receive(draft);
        assert!(out.datagrams.is_empty(), "{out:?}");
        assert_eq!(out.requests.len(), 1);
        out.requests[0].ticket
    }

    fn settle(&mut self, ticket: u64, outcome: Outcome) -> Outbox {
        let mut out = Outbox::default();
        self.responder.settled(self.now, ticket, outcome, &mut out);
        out
    }

    fn wait(&mut self, millis: Millis) -> Outbox {
        self.now += millis;
        let mut out = Outbox::default();
        self.responder.wake(self.now, &mut out);
        out
    }
}

fn only(out: &Outbox) -> Packet {
    assert_eq!(out.datagrams.len(), 1, "{out:?}");
    assert_eq!(out.datagrams[0].0, Peer::test(PEER));
    read(&out.datagrams[0].1).unwrap()
}

fn request(kind: MessageType, id: u16, path: &str) -> Draft {
    let draft = Draft::new(kind, code::POST, id, &[id as u8]);
    path.split('/').fold(draft, |draft, segment| draft.bytes(option::URI_PATH, segment.as_bytes()))
}

fn con(id: u16) -> Draft {
    request(MessageType::Confirmable, id, "readings").payload(vec![1, 2])
}

fn non(id: u16) -> Draft {
    request(MessageType::NonConfirmable, id, "readings").payload(vec![1, 2])
}

fn is(packet: &Packet, kind: MessageType, code: u8, id: u16, token: &[u8]) {
    let found = (packet.header.get_type(), code_of(packet), packet.header.message_id, packet.get_token());
    assert_eq!(found, (kind, code, id, token), "{packet:?}");
}

#[test]
fn a_reading_is_answered_when_kafka_has_it() {
    let mut server = Server::new();
    let ticket = server.accept(&con(7));
    is(
        &only(&server.settle(ticket, Outcome::Delivered)),
        MessageType::Acknowledgement,
        code::CHANGED,
        7,
        &[7],
    );
    // Nothing is left to be done, and a second report means nothing.
    assert!(server.settle(ticket, Outcome::Delivered).datagrams.is_empty());
    assert!(server.wait(100_000).datagrams.is_empty());
    assert_eq!((server.responder.bytes, server.responder.next_wakeup()), (0, None));
}

#[test]
fn what_a_request_carries() {
    let mut server = Server::new();
    let draft = request(MessageType::Confirmable, 7, "s/d 1/temp")
        .bytes(option::URI_QUERY, b"unit=C")
        .number(option::CONTENT_FORMAT, 50)
        .payload(b"{}".to_vec());
    let taken = server.receive(&draft).requests.remove(0);
    assert_eq!((taken.resource, taken.method, taken.confirmable), (1, code::POST, true));
    assert_eq!(taken.path.as_str(), "/s/d 1/temp");
    assert_eq!(taken.variables, [("device".into(), "d 1".into())]);
    assert_eq!((taken.query, taken.content_format), (vec!["unit=C".into()], Some(50)));
    assert_eq!((taken.message_id, taken.token, taken.received), (7, vec![7], 5));
    assert_eq!(taken.payload, b"{}");
}

#[test]
fn a_slow_kafka_is_announced_by_an_empty_acknowledgement() {
    let mut server = Server::new();
    let ticket = server.accept(&con(7));
    assert!(server.wait(499).datagrams.is_empty());
    is(&only(&server.wait(1)), MessageType::Acknowledgement, code::EMPTY, 7, &[]);
    let answer = only(&server.settle(ticket, Outcome::Delivered));
    is(&answer, MessageType::Confirmable, code::CHANGED, 0, &[7]);
    // It is sent again until the device has acknowledged it.
    is(&only(&server.wait(2000)), MessageType::Confirmable, code::CHANGED, 0, &[7]);
    assert!(server.receive(&Draft::empty_ack(0)).datagrams.is_empty());
    assert!(server.wait(100_000).datagrams.is_empty());
}

#[test]
fn questions_for_everybody_are_answered_at_leisure_and_errors_never() {
    let mut server = Server::with(|settings| settings.random = || 3000);
    let core = |kind, id| {
        Draft::new(kind, code::GET, id, &[9])
            .bytes(option::URI_PATH, b".well-known")
            .bytes(option::URI_PATH, b"core")
    };
    let non = MessageType::NonConfirmable;
    let ask = |server: &mut Server, draft: &Draft| {
        server.responder.datagram_for_all(server.now, Peer::test(PEER), &draft.datagram());
    };
    for passed_over in [
        core(MessageType::Confirmable, 1),
        core(non, 2).bytes(option::URI_QUERY, b"rt=other"),
        core(non, 3).number(option::ACCEPT, 50),
        core(non, 4).number(option::BLOCK2, 7),
        core(non, 5).bytes(option::PROXY_URI, b"coap://x"),
        request(non, 6, "readings"),
        Draft::new(non, code::GET, 7, &[]).bytes(option::URI_PATH, b"nothing"),
        Draft::new(MessageType::Confirmable, code::EMPTY, 8, &[]),
    ] {
        ask(&mut server, &passed_over);
        assert_eq!(server.responder.timers.len(), 0, "{passed_over:?}");
    }
    server.responder.datagram_for_all(server.now, Peer::test(PEER), b"junk");
    // Once, though it came twice.
    ask(&mut server, &core(non, 9).bytes(option::URI_QUERY, b"rt=lavka.ingest"));
    ask(&mut server, &core(non, 9).bytes(option::URI_QUERY, b"rt=lavka.ingest"));
    assert!(server.wait(2999).datagrams.is_empty());
    let answer = only(&server.wait(1));
    assert_eq!(
        (code_of(&answer), answer.header.get_type(), answer.get_token()),
        (code::CONTENT, non, &[9][..])
    );
    assert!(answer.payload.starts_with(b"</readings>"));
    // Not without bounds.
    for id in 0..2000 {
        ask(&mut server, &core(non, id));
    }
    assert_eq!(server.responder.timers.len(), 1000);
}

#[test]
fn timers_are_as_many_as_there_is_to_wait_for() {
    let mut server = Server::new();
    for id in 0..20 {
        let ticket = server.accept(&con(id));
        server.settle(ticket, Outcome::Delivered);
    }
    assert_eq!(server.responder.timers.len(), 0);
    // An answer of its own, until it is acknowledged.
    let ticket = server.accept(&con(20));
    server.wait(500);
    let answer = only(&server.settle(ticket, Outcome::Delivered));
    assert_eq!(server.responder.timers.len(), 1);
    server.receive(&Draft::empty_ack(answer.header.message_id));
    assert_eq!(server.responder.timers.len(), 0);
}

#[test]
fn a_device_that_rejects_the_answer_is_left_alone() {
    let mut server = Server::new();
    let ticket = server.accept(&con(7));
    server.wait(500);
    server.settle(ticket, Outcome::Delivered);
    server.receive(&Draft::reset(0));
    assert!(server.wait(100_000).datagrams.is_empty());
}

#[test]
fn repeats_are_answered_again_and_taken_once() {
    let mut server = Server::new();
    let ticket = server.accept(&con(7));
    // While it is under way and nothing was said yet, silence.
    let out = server.receive(&con(7));
    assert!(out.datagrams.is_empty() && out.requests.is_empty());
    server.wait(500);
    is(&server.ask(&con(7)), MessageType::Acknowledgement, code::EMPTY, 7, &[]);
    server.settle(ticket, Outcome::Delivered);
    is(&server.ask(&con(7)), MessageType::Acknowledgement, code::EMPTY, 7, &[]);

    let ticket = server.accept(&con(8));
    server.settle(ticket, Outcome::Delivered);
    for _ in 0..3 {
        is(&server.ask(&con(8)), MessageType::Acknowledgement, code::CHANGED, 8, &[8]);
    }
    assert_eq!(server.responder.tally().repeated, 6);
    assert_eq!(server.responder.tally().accepted, 2);
}

#[test]
fn a_message_id_that_comes_round_is_no_repeat() {
    let mut server = Server::new();
    let ticket = server.accept(&con(7));
    server.settle(ticket, Outcome::Delivered);
    // The same message id with another payload, another token, or from another device.
    let payload = request(MessageType::Confirmable, 7, "readings").payload(vec![3]);
    assert_eq!(server.receive(&payload).requests.len(), 1);
    let token = Draft::new(MessageType::Confirmable, code::POST, 7, &[99])
        .bytes(option::URI_PATH, b"readings")
        .payload(vec![1, 2]);
    assert_eq!(server.receive(&token).requests.len(), 1);
    assert_eq!(server.from(2, &con(7)).requests.len(), 1);
    // And the very same once its lifetime is over.
    server.now += EXCHANGE_LIFETIME;
    assert_eq!(server.receive(&con(7)).requests.len(), 1);
}

#[test]
fn a_non_confirmable_reading_is_answered_in_kind_and_taken_once() {
    let mut server = Server::new();
    let ticket = server.accept(&non(7));
    assert!(server.wait(500).datagrams.is_empty());
    let answer = only(&server.settle(ticket, Outcome::Delivered));
    is(&answer, MessageType::NonConfirmable, code::CHANGED, 0, &[7]);
    let out = server.receive(&non(7));
    assert!(out.requests.is_empty() && out.datagrams.is_empty());
}

#[test]
fn a_device_may_want_no_answer() {
    let mut server = Server::new();
    let ticket = server.accept(&non(7).number(258, 26));
    assert!(server.settle(ticket, Outcome::Delivered).datagrams.is_empty());
    // A confirmable one needs its acknowledgement all the same.
    let ticket = server.accept(&con(8).number(258, 2));
    is(&only(&server.settle(ticket, Outcome::Delivered)), MessageType::Acknowledgement, code::EMPTY, 8, &[]);
    let refused = request(MessageType::NonConfirmable, 9, "nowhere").number(258, 8);
    assert!(server.receive(&refused).datagrams.is_empty());
}

#[test]
fn overload_is_answered_with_when_to_come_back() {
    type Change = fn(&mut Settings);
    let full: [(&str, Change, u16); 3] = [
        ("requests", |s| s.requests = 2, 2),
        ("bytes", |s| s.bytes = 300, 2),
        ("exchanges", |s| s.exchanges = 2, 2),
    ];
    for (what, change, taken) in full {
        let mut server = Server::with(change);
        let tickets: Vec<u64> = (0..taken).map(|id| server.accept(&con(id))).collect();
        let answer = server.ask(&con(50));
        is(&answer, MessageType::Acknowledgement, code::SERVICE_UNAVAILABLE, 50, &[50]);
        assert_eq!(first(&answer, option::MAX_AGE).and_then(uint), Some(7), "{what}");
        assert_eq!(server.responder.tally().overloaded, 1);
        // Not kept: once there is room, the same message is taken.
        for ticket in tickets {
            server.settle(ticket, Outcome::Delivered);
        }
        server.now += EXCHANGE_LIFETIME;
        server.accept(&con(50));
    }
}

#[test]
fn refusals() {
    let mut server = Server::new();
    let post = |path: &str| request(MessageType::Confirmable, 1, path);
    let get = |path: &str| {
        let draft = Draft::new(MessageType::Confirmable, code::GET, 1, &[1]);
        path.split('/').fold(draft, |draft, segment| draft.bytes(option::URI_PATH, segment.as_bytes()))
    };
    for (draft, expected) in [
        (post("nowhere"), code::NOT_FOUND),
        (post("s/1"), code::NOT_FOUND),
        (get("readings"), code::METHOD_NOT_ALLOWED),
        (post(".well-known/core"), code::METHOD_NOT_ALLOWED),
        (post("readings").bytes(option::PROXY_URI, b"coap://x"), code::PROXYING_NOT_SUPPORTED),
        (post("readings").bytes(5, b""), code::BAD_OPTION),
        (post("readings").bytes(option::URI_PATH, &[0xff]), code::BAD_OPTION),
        (post("readings").number(option::BLOCK1, 7), code::BAD_REQUEST),
        (post("readings").payload(vec![0; 101]), code::REQUEST_ENTITY_TOO_LARGE),
    ] {
        is(&server.ask(&draft), MessageType::Acknowledgement, expected, 1, &[1]);
    }
    let non = request(MessageType::NonConfirmable, 1, "readings").bytes(5, b"");
    assert!(server.receive(&non).datagrams.is_empty());
    assert_eq!(server.responder.tally().refused, 9);
}

#[test]
fn pings_and_strays() {
    let mut server = Server::new();
    let ping = Draft::new(MessageType::Confirmable, code::EMPTY, 3, &[]);
    is(&server.ask(&ping), MessageType::Reset, code::EMPTY, 3, &[]);
    let stray = Draft::new(MessageType::Confirmable, code::CONTENT, 4, &[1]);
    is(&server.ask(&stray), MessageType::Reset, code::EMPTY, 4, &[]);
    for kind in [MessageType::NonConfirmable, MessageType::Acknowledgement, MessageType::Reset] {
        assert!(server.receive(&Draft::new(kind, code::CONTENT, 5, &[1])).datagrams.is_empty());
    }
}

#[test]
fn what_cannot_be_decoded_is_refused() {
    let mut server = Server::new();
    let ticket = server.accept(&con(1));
    let answer = only(&server.settle(ticket, Outcome::Undecodable));
    is(&answer, MessageType::Acknowledgement, code::BAD_REQUEST, 1, &[1]);
    assert!(!answer.payload.is_empty());
    is(&server.ask(&con(1)), MessageType::Acknowledgement, code::BAD_REQUEST, 1, &[1]);
}

#[test]
fn what_is_open_at_the_end_is_refused() {
    let mut server = Server::new();
    server.accept(&con(2));
    server.accept(&non(3));
    let mut out = Outbox::default();
    server.responder.stop(server.now, &mut out);
    let codes: Vec<u8> = out.datagrams.iter().map(|(_, bytes)| code_of(&read(bytes).unwrap())).collect();
    assert_eq!(codes, [code::SERVICE_UNAVAILABLE; 2]);
}

/// Block `number` of a body of 40 bytes, as message `id`.
fn block(id: u16, number: u32) -> Draft {
    let body: Vec<u8> = (0..40).collect();
    let start = number as usize * 16;
    let more = start + 16 < body.len();
    request(MessageType::Confirmable, id, "readings")
        .block(option::BLOCK1, Block { number, more, size_exponent: 0 })
        .payload(body[start..(start + 16).min(body.len())].to_vec())
}

#[test]
fn a_body_in_blocks() {
    let mut server = Server::new();
    for number in 0..2 {
        let id = 10 + number as u16;
        for _ in 0..2 {
            // A repeated block is answered as the first was.
            let answer = server.ask(&block(id, number));
            is(&answer, MessageType::Acknowledgement, code::CONTINUE, id, &[id as u8]);
            let echo = first(&answer, option::BLOCK1).and_then(Block::parse).unwrap();
            assert_eq!(echo, Block { number, more: true, size_exponent: 0 });
        }
    }
    let out = server.receive(&block(12, 2));
    assert!(out.datagrams.is_empty());
    assert_eq!(out.requests[0].payload, (0..40).collect::<Vec<u8>>());
    let answer = only(&server.settle(out.requests[0].ticket, Outcome::Delivered));
    is(&answer, MessageType::Acknowledgement, code::CHANGED, 12, &[12]);
    assert!(!Block::parse(first(&answer, option::BLOCK1).unwrap()).unwrap().more);
    assert_eq!(all(&answer, option::SIZE1).count(), 0);
    // The last block once more, though its body is gone.
    is(&server.ask(&block(12, 2)), MessageType::Acknowledgement, code::CHANGED, 12, &[12]);
}

#[test]
fn blocks_that_do_not_fit() {
    let mut server = Server::new();
    let answer = server.ask(&block(11, 1));
    is(&answer, MessageType::Acknowledgement, code::REQUEST_ENTITY_INCOMPLETE, 11, &[11]);
    let far = request(MessageType::Confirmable, 12, "readings")
        .block(option::BLOCK1, Block { number: 7, more: true, size_exponent: 0 })
        .payload(vec![0; 16]);
    let answer = server.ask(&far);
    is(&answer, MessageType::Acknowledgement, code::REQUEST_ENTITY_TOO_LARGE, 12, &[12]);
    assert_eq!(first(&answer, option::SIZE1).and_then(uint), Some(100));
}

#[test]
fn an_overload_at_the_last_block_does_not_cost_the_body() {
    let mut server = Server::with(|settings| settings.requests = 1);
    server.ask(&block(10, 0));
    server.ask(&block(11, 1));
    let ticket = server.accept(&con(20));
    is(&server.ask(&block(12, 2)), MessageType::Acknowledgement, code::SERVICE_UNAVAILABLE, 12, &[12]);
    server.settle(ticket, Outcome::Delivered);
    assert_eq!(server.receive(&block(13, 2)).requests[0].payload.len(), 40);
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Datagram(u16, Vec<u8>),
        Post(u16, u16, u8, bool),
        Settle(u64),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let bytes = prop::collection::vec(any::<u8>(), 0..40);
        let shaped = (0x40u8..0x7f, 0u8..5, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(first, code, rest)| [&[first, code, 0][..], &rest].concat());
        let step = prop_oneof![
            (0u16..3, prop_oneof![bytes, shaped]).prop_map(|(peer, bytes)| Step::Datagram(peer, bytes)),
            (0u16..3, 0u16..20, any::<u8>(), any::<bool>()).prop_map(|(p, i, b, c)| Step::Post(p, i, b, c)),
            (0u64..30).prop_map(Step::Settle),
            (0u64..3000).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..150)
    }

    proptest! {
        /// Whatever comes in whatever order: every confirmable request that was taken gets exactly one acknowledgement
        /// with its id before its repeats, each ticket is settled once, and what is held stays within the limits.
        #[test]
        fn the_books_are_kept(steps in steps()) {
            let mut server = Server::with(|s| { s.exchanges = 12; s.requests = 4; s.bytes = 2000; });
            let mut open: Vec<u64> = Vec::new();
            for step in steps {
                let out = match step {
                    Step::Datagram(peer, bytes) => {
                        let mut out = Outbox::default();
                        server.responder.datagram(server.now, 0, Peer::test(peer), &bytes, &mut out);
                        out
                    }
                    Step::Post(peer, id, byte, confirmable) => {
                        let kind = if confirmable { MessageType::Confirmable } else { MessageType::NonConfirmable };
                        server.from(peer, &request(kind, id, "readings").payload(vec![byte; 8]))
                    }
                    Step::Settle(ticket) => {
                        let known = open.iter().position(|other| *other == ticket);
                        let out = server.settle(ticket, Outcome::Delivered);
                        prop_assert_eq!(known.is_some(), !out.datagrams.is_empty());
                        if let Some(place) = known {
                            open.remove(place);
                        }
                        out
                    }
                    Step::Wait(millis) => server.wait(millis),
                };
                open.extend(out.requests.iter().map(|request| request.ticket));
                for (_, datagram) in &out.datagrams {
                    prop_assert!(read(datagram).is_ok());
                }
                prop_assert_eq!(server.responder.pending.len(), open.len());
                prop_assert!(open.len() <= 4);
                prop_assert!(server.responder.next_wakeup().is_none_or(|at| at > server.now || !out.requests.is_empty()));
            }
            let mut out = Outbox::default();
            server.responder.stop(server.now, &mut out);
            prop_assert_eq!(server.responder.bytes, 0);
        }
    }
}
