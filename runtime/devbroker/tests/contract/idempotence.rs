//! Sequence numbers and epochs of producers without transactions.

use kafka_protocol::{
    messages::{InitProducerIdRequest, InitProducerIdResponse},
    records::{Compression, Record},
};

use super::{
    produce::{request, send, shown},
    session::{Session, base_time, code, pack, record},
    wire::ask,
};

fn write(session: &mut Session, producer: i64, epoch: i16, sequence: i32, count: usize) {
    let one =
        Record { producer_id: producer, producer_epoch: epoch, sequence, ..record(base_time(), None, "v") };
    let one = request(session, "t", 0, pack(vec![one; count], Compression::None));
    let answer = send(session, 9, one);
    session.note(format!("epoch {epoch} sequence {sequence} count {count}"), shown(&answer));
}

pub(crate) fn sequences(session: &mut Session) {
    session.create("t", 1, &[]);
    let init = |session: &mut Session, id: i64, epoch: i16| {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(id.into())
            .with_producer_epoch(epoch);
        let mut answer = InitProducerIdResponse::default();
        session.until("the coordinator", |session| {
            answer = ask!(session.wire, InitProducerId 4, request.clone());
            answer.error_code != 14
        });
        answer
    };
    let first = init(session, -1, -1);
    session.note("a producer id", format!("{} epoch {}", code(first.error_code), first.producer_epoch));
    let second = init(session, -1, -1);
    session.note(
        "another one",
        format!("{} differs {}", code(second.error_code), first.producer_id != second.producer_id),
    );
    let third = init(session, *first.producer_id, 0);
    session.note(
        "a known one",
        format!(
            "{} epoch {} same {}",
            code(third.error_code),
            third.producer_epoch,
            first.producer_id == third.producer_id
        ),
    );
    let id = *first.producer_id;
    for (epoch, sequence, count) in [
        (0, 0, 2),
        (0, 2, 3),
        (0, 0, 2),
        (0, 2, 3),
        (0, 6, 1),
        (0, 3, 1),
        (0, 5, 1),
        (0, 6, 1),
        (0, 7, 1),
        (0, 8, 1),
        (0, 9, 1),
        (0, 2, 3),
        (0, 5, 1),
        (1, 5, 1),
        (1, 0, 1),
        (0, 10, 1),
        (1, 1, 1),
        (5, 0, 1),
        (1, 2, 1),
    ] {
        write(session, id, epoch, sequence, count);
    }
    session.note("a producer nobody knows", "begins anywhere");
    write(session, *second.producer_id, 0, 100, 1);
    write(session, *second.producer_id, 0, 102, 1);
    write(session, *second.producer_id, 0, 101, 1);
}
