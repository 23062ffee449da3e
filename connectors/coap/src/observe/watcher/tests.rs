//! The client, datagram by datagram, against a server that the test plays.

mod floods;
mod hostile;

use coap_lite::{MessageType, Packet};

use super::*;
use crate::wire::{Block, all, code_of, first, option, read, uint};

const PEER: u16 = 7;

fn settings() -> Settings {
    Settings {
        servers: vec![(ServerName::parse("coap://127.0.0.1:7").unwrap(), Share { place: 0, of: 1 })],
        wishes: vec![Wish::parse("temp").unwrap()],
        filters: vec![],
        observe: true,
        poll_interval: 30_000,
        discover_interval: 0,
        hold: 20_000,
        readings: 10,
        bytes: 1 << 20,
        body: 200,
        bodies: 1000,
        exchanges: 100,
        observations: 10,
        retransmission: Retransmission { timeout: 2000, times: 4 },
        backoff: (1000, 60_000),
        reregister: 5000,
        random: || {
            use std::cell::Cell;
            std::thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });
            NEXT.set(NEXT.get() + 1);
            NEXT.get() * 0x0001_0000_0000_0001
        },
    }
}

struct Client {
    watcher: Watcher,
    now: Millis,
    /// What was sent, in order.
    sent: Vec<Packet>,
    readings: Vec<Reading>,
    news: Vec<News>,
    next_id: u16,
}

impl Client {
    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let watcher = Watcher::new(settings);
        let mut client =
            Self { watcher, now: 1000, sent: vec![], readings: vec![], news: vec![], next_id: 100 };
        client.step(|watcher, now, out| watcher.start(now, out));
        client
    }

    /// One that has registered for `temp`, and got `21`.
    fn registered() -> (Self, Packet) {
        let mut client = Self::with(|_| {});
        let asked = client.sent();
        client.answer(&asked, |draft| draft.number(option::OBSERVE, 10).payload(b"21".to_vec()));
        assert_eq!(client.payloads(), ["21"]);
        (client, asked)
    }

    /// Runs errands by itself: the address is found, the offset is none.
    fn step(&mut self, step: impl FnOnce(&mut Watcher, Millis, &mut Outbox)) {
        let mut out = Outbox::default();
        step(&mut self.watcher, self.now, &mut out);
        while !out.errands.is_empty() {
            for errand in std::mem::take(&mut out.errands) {
                match errand {
                    Errand::Resolve(server) => {
                        self.watcher.resolved(self.now, server, Ok(Peer::test(PEER).address), &mut out);
                    }
                    Errand::Recall { target, .. } => self.watcher.recalled(self.now, target, None, &mut out),
                }
            }
        }
        self.sent.extend(out.datagrams.iter().map(|(_, datagram)| read(datagram).unwrap()));
        self.readings.extend(out.readings);
        self.news.extend(out.news);
    }

    fn receive(&mut self, draft: &Draft) {
        let datagram = draft.datagram();
        self.step(|watcher, now, out| watcher.datagram(now, 5, Peer::test(PEER), &datagram, out));
    }

    /// An answer 2.05 with the acknowledgement.
    fn answer(&mut self, asked: &Packet, change: impl FnOnce(Draft) -> Draft) {
        self.answer_with(code::CONTENT, asked, change);
    }

    fn answer_with(&mut self, code: u8, asked: &Packet, change: impl FnOnce(Draft) -> Draft) {
        let id = asked.header.message_id;
        self.receive(&change(Draft::new(MessageType::Acknowledgement, code, id, asked.get_token())));
    }

    /// A notification with a number of its own; its message id.
    fn notify(&mut self, kind: MessageType, asked: &Packet, sequence: u32, payload: &str) -> u16 {
        self.next_id += 1;
        let id = self.next_id;
        self.notify_as(id, kind, asked, sequence, payload);
        id
    }

    fn notify_as(&mut self, id: u16, kind: MessageType, asked: &Packet, sequence: u32, payload: &str) {
        let draft = Draft::new(kind, code::CONTENT, id, asked.get_token())
            .number(option::OBSERVE, sequence)
            .payload(payload.into());
        self.receive(&draft);
    }

    /// The one message sent since the last look.
    fn sent(&mut self) -> Packet {
        assert_eq!(self.sent.len(), 1, "{:?}", self.sent);
        self.sent.remove(0)
    }

    /// The ids of the acknowledgements sent since the last look, which are all that was sent.
    fn acks(&mut self) -> Vec<u16> {
        let ack = |packet: Packet| {
            assert_eq!((packet.header.get_type(), code_of(&packet)), (MessageType::Acknowledgement, 0));
            packet.header.message_id
        };
        std::mem::take(&mut self.sent).into_iter().map(ack).collect()
    }

    fn payloads(&mut self) -> Vec<String> {
        let payload = |reading: &Reading| String::from_utf8(reading.packet.payload.clone()).unwrap();
        self.readings.iter().map(payload).collect()
    }

    /// Everything handed out so far is in Kafka.
    fn settle(&mut self) {
        for ticket in self.readings.drain(..).map(|reading| reading.ticket).collect::<Vec<_>>() {
            self.step(|watcher, now, out| watcher.settled(now, ticket, out));
        }
    }

    fn wait(&mut self, millis: Millis) {
        self.now += millis;
        self.step(|watcher, now, out| watcher.wake(now, out));
    }
}

fn observes(packet: &Packet) -> Option<u32> {
    first(packet, option::OBSERVE).and_then(uint)
}

fn path(packet: &Packet) -> String {
    let segments: Vec<_> = all(packet, option::URI_PATH).map(String::from_utf8_lossy).collect();
    segments.join("/")
}

#[test]
fn registers_and_takes_notifications_in_order() {
    let (mut client, asked) = Client::registered();
    assert_eq!((observes(&asked), path(&asked).as_str(), asked.get_token().len()), (Some(0), "temp", 8));
    client.notify(MessageType::NonConfirmable, &asked, 12, "23");
    client.notify(MessageType::NonConfirmable, &asked, 11, "22");
    client.notify(MessageType::NonConfirmable, &asked, 12, "23");
    client.notify(MessageType::NonConfirmable, &asked, 13, "24");
    assert_eq!(client.payloads(), ["21", "23", "24"]);
    assert_eq!(client.watcher.tally().outdated, 2);
    // After 128 seconds any number is newer.
    client.now += 128_001;
    client.notify(MessageType::NonConfirmable, &asked, 3, "25");
    assert_eq!(client.payloads().last().unwrap(), "25");
}

#[test]
fn a_confirmable_one_is_acknowledged_when_kafka_has_it() {
    let (mut client, asked) = Client::registered();
    client.settle();
    let id = client.notify(MessageType::Confirmable, &asked, 11, "22");
    // The server repeats it meanwhile.
    client.notify_as(id, MessageType::Confirmable, &asked, 11, "22");
    assert_eq!((client.payloads().len(), client.sent.len()), (1, 0));
    client.settle();
    assert_eq!(client.acks(), [id]);
    // And the acknowledgement was lost.
    client.notify_as(id, MessageType::Confirmable, &asked, 11, "22");
    assert_eq!((client.acks(), client.readings.len()), (vec![id], 0));
    // One behind a newer one needs no record.
    let id = client.notify(MessageType::Confirmable, &asked, 9, "old");
    assert_eq!((client.acks(), client.readings.len()), (vec![id], 0));
}

#[test]
fn a_server_is_not_kept_waiting_for_ever() {
    let (mut client, asked) = Client::registered();
    let id = client.notify(MessageType::Confirmable, &asked, 11, "22");
    client.wait(19_999);
    assert_eq!(client.sent.len(), 0);
    client.wait(1);
    assert_eq!(client.acks(), [id]);
    assert_eq!(client.watcher.tally().acknowledged_early, 1);
    client.settle();
    assert_eq!(client.sent.len(), 0);
}

#[test]
fn what_is_unknown_is_reset() {
    let (mut client, asked) = Client::registered();
    for kind in [MessageType::Confirmable, MessageType::NonConfirmable] {
        client.receive(&Draft::new(kind, code::CONTENT, 9, &[1, 2]).number(option::OBSERVE, 1));
        let reset = client.sent();
        assert_eq!((reset.header.get_type(), reset.header.message_id), (MessageType::Reset, 9));
    }
    // Another address with the right token is not the server.
    let forged = Draft::new(MessageType::NonConfirmable, code::CONTENT, 9, asked.get_token())
        .number(option::OBSERVE, 99)
        .payload(b"x".to_vec())
        .datagram();
    client.step(|watcher, now, out| watcher.datagram(now, 5, Peer::test(8), &forged, out));
    assert_eq!(client.payloads(), ["21"]);
    assert_eq!(client.sent().header.get_type(), MessageType::Reset);
}

#[test]
fn silence_for_max_age_registers_anew() {
    let mut client = Client::with(|_| {});
    let asked = client.sent();
    let fresh = |draft: Draft| {
        draft.number(option::OBSERVE, 10).number(option::MAX_AGE, 20).bytes(option::ETAG, b"e")
    };
    client.answer(&asked, |draft| fresh(draft).payload(b"21".to_vec()));
    client.wait(24_999);
    assert_eq!(client.sent.len(), 0);
    client.wait(10_001);
    let again = client.sent();
    assert_eq!((observes(&again), again.get_token()), (Some(0), asked.get_token()));
    assert_eq!(first(&again, option::ETAG), Some(&b"e"[..]));
    // 2.03: what Kafka has still holds.
    client.answer_with(code::VALID, &again, fresh);
    assert_eq!((client.payloads().len(), client.watcher.tally().stale), (1, 1));
    client.notify(MessageType::NonConfirmable, &asked, 11, "22");
    assert_eq!(client.payloads(), ["21", "22"]);
    // The same state at a later registration is no news either.
    client.wait(100_000);
    let again = client.sent();
    client.answer(&again, |draft| fresh(draft).payload(b"23".to_vec()));
    client.wait(100_000);
    let again = client.sent();
    client.answer(&again, |draft| fresh(draft).payload(b"23".to_vec()));
    assert_eq!(client.payloads(), ["21", "22", "23"]);
}

#[test]
fn a_server_that_does_not_observe_is_polled() {
    let mut client = Client::with(|_| {});
    for round in 0..3 {
        let asked = client.sent();
        client.answer(&asked, |draft| draft.payload(vec![b'a' + round]));
        client.wait(30_000);
    }
    assert_eq!(client.payloads(), ["a", "b", "c"]);
    assert_eq!(client.news.len(), 1, "{:?}", client.news);
    let mut client = Client::with(|settings| settings.observe = false);
    assert_eq!(observes(&client.sent()), None);
}

#[test]
fn questions_are_repeated_and_the_server_left_alone_for_longer_and_longer() {
    let mut client = Client::with(|settings| settings.wishes.push(Wish::parse("other").unwrap()));
    let first = client.sent();
    client.wait(70_000);
    // 5 in all: each time as long as one after the other was due.
    for _ in 0..10 {
        client.wait(70_000);
    }
    let times =
        client.sent.iter().filter(|packet| packet.header.message_id == first.header.message_id).count();
    assert_eq!(times, 4);
    assert_eq!(client.news.len(), 1, "{:?}", client.news);
    // It comes back: both are asked for.
    client.sent.clear();
    while client.sent.is_empty() {
        client.wait(70_000);
    }
    let asked = client.sent.pop().unwrap();
    client.sent.clear();
    client.answer(&asked, |draft| draft.number(option::OBSERVE, 1).payload(b"a".to_vec()));
    let asked = client.sent();
    assert_eq!(path(&asked), "other");
    assert_eq!(client.news.len(), 2, "{:?}", client.news);
}

#[test]
fn an_answer_may_follow_its_acknowledgement() {
    let mut client = Client::with(|_| {});
    let asked = client.sent();
    client.receive(&Draft::empty_ack(asked.header.message_id));
    client.wait(50_000);
    assert_eq!(client.sent.len(), 0);
    client.notify_as(55, MessageType::Confirmable, &asked, 1, "21");
    assert_eq!(client.payloads(), ["21"]);
    client.settle();
    assert_eq!(client.acks(), [55]);
}

#[test]
fn refusals_are_tried_again_and_said_once() {
    let mut client = Client::with(|_| {});
    let mut waits = vec![];
    for _ in 0..4 {
        let asked = client.sent();
        client.answer_with(0x84, &asked, |draft| draft.payload(b"no such\nthing".to_vec()));
        let before = client.now;
        while client.sent.is_empty() {
            client.wait(100);
        }
        waits.push(client.now - before);
    }
    assert!(waits[3] > waits[0] && waits[3] <= 8100, "{waits:?}");
    let [News::Bad(text)] = client.news.as_slice() else { panic!("{:?}", client.news) };
    assert!(text.contains("/temp of coap://127.0.0.1:7") && text.contains("4.04 (no suchthing)"), "{text}");
    let asked = client.sent();
    client.answer_with(code::SERVICE_UNAVAILABLE, &asked, |draft| draft.number(option::MAX_AGE, 90));
    client.wait(89_999);
    assert_eq!(client.sent.len(), 0);
}

#[test]
fn a_session_that_fails_is_named_at_once_and_the_server_tried_again() {
    let (mut client, asked) = Client::registered();
    let address = Peer::test(PEER).address;
    client.step(|watcher, now, out| watcher.session_ended(now, Peer::test(8).address, Some("x"), out));
    // Without a question under way, only the observations went with it.
    client.step(|watcher, now, out| watcher.session_ended(now, address, None, out));
    assert!(client.sent.is_empty() && client.news.is_empty());
    client.wait(5000);
    let again = client.sent();
    assert_eq!((observes(&again), again.get_token()), (Some(0), asked.get_token()));
    client.step(|watcher, now, out| watcher.session_ended(now, address, Some("certificate expired"), out));
    let [News::Bad(text)] = client.news.as_slice() else { panic!("{:?}", client.news) };
    assert!(text.contains("coap://127.0.0.1:7 cannot be reached: certificate expired"), "{text}");
    // A second failure is no news; the end of them is.
    client.wait(1000);
    client.sent();
    client.step(|watcher, now, out| watcher.session_ended(now, address, Some("certificate expired"), out));
    client.wait(2000);
    let again = client.sent();
    client.answer(&again, |draft| draft.number(option::OBSERVE, 11).payload(b"22".to_vec()));
    assert_eq!((client.payloads(), client.news.len()), (vec!["21".to_owned(), "22".to_owned()], 2));
    assert_eq!(client.watcher.exchanges.len(), 0);
}

#[test]
fn timers_are_as_many_as_there_is_to_wait_for() {
    let (mut client, asked) = Client::registered();
    for number in 11..1000 {
        client.notify(MessageType::Confirmable, &asked, number, "x");
        client.settle();
    }
    // When the observation is stale.
    assert_eq!(client.watcher.timers.len(), 1);
}

#[test]
fn an_observation_ends_with_an_error() {
    let (mut client, asked) = Client::registered();
    client.receive(&Draft::new(MessageType::NonConfirmable, 0x84, 9, asked.get_token()));
    client.wait(2000);
    assert_eq!(observes(&client.sent()), Some(0));
}

fn block(number: u32, more: bool, etag: &'static [u8]) -> impl FnOnce(Draft) -> Draft {
    move |draft| {
        let payload = vec![b'a' + number as u8; if more { 16 } else { 3 }];
        draft
            .bytes(option::ETAG, etag)
            .block(option::BLOCK2, Block { number, more, size_exponent: 0 })
            .payload(payload)
    }
}

fn asks_for_block(packet: &Packet) -> u32 {
    assert_eq!(observes(packet), None);
    Block::parse(first(packet, option::BLOCK2).unwrap()).unwrap().number
}

#[test]
fn a_notification_in_blocks_is_fetched_and_a_change_begins_again() {
    let (mut client, asked) = Client::registered();
    client.settle();
    let notification = Draft::new(MessageType::Confirmable, code::CONTENT, 77, asked.get_token());
    client.receive(&block(0, true, b"1")(notification.number(option::OBSERVE, 11)));
    let next = client.sent();
    assert_eq!(asks_for_block(&next), 1);
    assert_ne!(next.get_token(), asked.get_token());
    // Meanwhile it changed.
    client.answer(&next, block(1, true, b"2"));
    let next = client.sent();
    assert_eq!(asks_for_block(&next), 0);
    client.answer(&next, block(0, true, b"2"));
    let next = client.sent();
    assert_eq!(asks_for_block(&next), 1);
    client.answer(&next, block(1, false, b"2"));
    assert_eq!(client.payloads(), ["aaaaaaaaaaaaaaaabbb"]);
    let reading = &client.readings[0];
    assert_eq!((reading.etag.as_deref(), observes(&reading.packet)), (Some(&b"2"[..]), Some(11)));
    assert!(reading.notification && client.sent.is_empty());
    client.settle();
    assert_eq!(client.acks(), [77]);
    assert_eq!(client.watcher.partial, 0);
}

#[test]
fn a_newer_notification_takes_the_place_of_an_unfinished_one() {
    let (mut client, asked) = Client::registered();
    client.settle();
    let notification = Draft::new(MessageType::Confirmable, code::CONTENT, 77, asked.get_token());
    client.receive(&block(0, true, b"1")(notification.number(option::OBSERVE, 11)));
    let next = client.sent();
    client.notify_as(78, MessageType::Confirmable, &asked, 12, "short");
    assert_eq!((client.acks(), client.payloads()), (vec![77], vec!["short".to_owned()]));
    client.answer(&next, block(1, false, b"1"));
    client.settle();
    assert_eq!(client.acks(), [78]);
}

#[test]
fn what_is_too_large_is_left_out_by_name() {
    let (mut client, asked) = Client::registered();
    let id = client.notify(MessageType::Confirmable, &asked, 11, &"x".repeat(201));
    assert_eq!((client.acks(), client.payloads().len()), (vec![id], 1));
    assert!(
        matches!(client.news.as_slice(), [News::Bad(text)] if text.contains("lavka.coap.max.body.bytes"))
    );
}

#[test]
fn when_full_nothing_is_taken_and_nothing_asked() {
    let mut client = Client::with(|settings| settings.readings = 1);
    let asked = client.sent();
    client.answer(&asked, |draft| draft.number(option::OBSERVE, 1).payload(b"1".to_vec()));
    client.notify_as(50, MessageType::Confirmable, &asked, 2, "2");
    client.notify_as(51, MessageType::NonConfirmable, &asked, 3, "3");
    assert_eq!((client.payloads().len(), client.sent.len(), client.watcher.tally().missed), (1, 0, 2));
    client.wait(1000);
    assert_eq!(client.sent.len(), 0);
    // With room again, the state that was missed is asked for, and the server's repetition is taken.
    client.settle();
    let again = client.sent();
    client.answer(&again, |draft| draft.number(option::OBSERVE, 3).payload(b"3".to_vec()));
    assert_eq!(client.payloads(), ["3"]);
    client.settle();
    client.notify_as(52, MessageType::Confirmable, &asked, 4, "4");
    client.settle();
    assert_eq!(client.acks(), [52]);
}

#[test]
fn directories_are_read_again() {
    let mut client = Client::with(|settings| {
        settings.wishes = vec![Wish::parse("s/{device}=>t").unwrap()];
        settings.filters = vec![Filter::parse("rt=temp").unwrap()];
        settings.discover_interval = 10_000;
    });
    let asked = client.sent();
    assert_eq!(path(&asked), ".well-known/core");
    assert_eq!(first(&asked, option::URI_QUERY), Some(&b"rt=temp"[..]));
    let links = "</s/1>;rt=temp,</s/2>;rt=temp,</s/3>;rt=other,</x>;rt=temp";
    client.answer(&asked, |draft| draft.payload(links.into()));
    let mut tokens = vec![];
    for device in ["1", "2"] {
        let asked = client.sent();
        assert_eq!(path(&asked), format!("s/{device}"));
        tokens.push(asked.get_token().to_vec());
        client.answer(&asked, |draft| draft.number(option::OBSERVE, 1).payload(device.into()));
    }
    assert_eq!(client.readings[1].variables, [("device".into(), "2".into())]);
    client.wait(10_000);
    let asked = client.sent();
    client.answer(&asked, |draft| draft.payload(b"</s/2>;rt=temp".to_vec()));
    let ended = client.sent();
    assert_eq!((observes(&ended), ended.get_token()), (Some(1), &tokens[0][..]));
    assert_eq!(client.watcher.targets.len(), 1);
}

#[test]
fn a_stop_ends_the_observations() {
    let (mut client, asked) = Client::registered();
    client.step(|watcher, now, out| watcher.stop(now, out));
    let ended = client.sent();
    assert_eq!((observes(&ended), ended.get_token()), (Some(1), asked.get_token()));
    assert_eq!(ended.header.get_type(), MessageType::NonConfirmable);
}

#[test]
fn pings_and_requests_are_reset() {
    let (mut client, _) = Client::registered();
    for code in [code::EMPTY, code::GET] {
        client.receive(&Draft::new(MessageType::Confirmable, code, 3, &[]));
        assert_eq!(client.sent().header.get_type(), MessageType::Reset);
    }
    client.receive(&Draft::new(MessageType::NonConfirmable, code::GET, 3, &[]));
    assert!(client.sent.is_empty());
}
