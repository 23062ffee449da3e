//! Servers that say more than anybody can remember.

use super::*;

const EXCHANGES: usize = 5;

/// One that remembers little and has registered for `temp`.
fn registered() -> (Client, Packet) {
    let mut client = Client::with(|settings| settings.exchanges = EXCHANGES);
    let asked = client.sent();
    client.answer(&asked, |draft| draft.number(option::OBSERVE, 10).payload(b"21".to_vec()));
    client.settle();
    (client, asked)
}

#[test]
fn outdated_notifications_are_acknowledged_and_not_remembered() {
    let (mut client, asked) = registered();
    for number in 0..20 {
        let id = client.notify(MessageType::Confirmable, &asked, 9, &format!("old {number}"));
        assert_eq!(client.acks(), [id]);
    }
    assert_eq!(client.watcher.tally().outdated, 20);
    assert!(client.watcher.receipts.is_empty());
    // There is room for what is new.
    client.notify(MessageType::Confirmable, &asked, 11, "22");
    assert_eq!(client.payloads(), ["22"]);
}

/// Whatever their code: here 2.03 with the ETag of another representation.
#[test]
fn what_cannot_be_remembered_is_not_acknowledged() {
    let (mut client, asked) = registered();
    for number in 0..20 {
        let draft = Draft::new(MessageType::Confirmable, code::VALID, number, asked.get_token())
            .number(option::OBSERVE, 11 + u32::from(number));
        client.receive(&draft);
    }
    assert_eq!(client.acks().len(), EXCHANGES);
    assert_eq!(client.watcher.tally().missed, 20 - EXCHANGES as u64);
}

#[test]
fn broken_blocks_leave_nothing_behind() {
    let (mut client, asked) = registered();
    for number in 0..20 {
        // More bytes than a block of this size has.
        let draft = Draft::new(MessageType::Confirmable, code::CONTENT, number, asked.get_token())
            .number(option::OBSERVE, 11 + u32::from(number))
            .block(option::BLOCK2, Block { number: 0, more: true, size_exponent: 0 })
            .payload(vec![b'x'; 17]);
        client.receive(&draft);
    }
    assert!(client.sent.is_empty() && client.readings.is_empty());
    client.notify(MessageType::Confirmable, &asked, 99, "22");
    assert_eq!(client.payloads(), ["22"]);
}
