//! Transactions in both protocols.

use kafka_protocol::{
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, EndTxnResponse,
        InitProducerIdRequest, InitProducerIdResponse, OffsetFetchRequest, TxnOffsetCommitRequest,
        add_partitions_to_txn_request::AddPartitionsToTxnTopic,
        offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
        txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    },
    records::{Compression, Record},
};

use super::{
    produce, reads,
    session::{Session, base_time, code, pack, record, text},
    wire::ask,
};

/// An answer that only asks for patience: the real broker writes its markers later.
const CONCURRENT: i16 = 51;

type Producer = (i64, i16);

fn init_request(session: &Session, id: &str) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(session.transaction(id)))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1)
}

fn init(session: &mut Session, request: InitProducerIdRequest) -> InitProducerIdResponse {
    ask!(session.wire, InitProducerId 4, request)
}

/// Introduces a producer, as often as it takes.
fn producer(session: &mut Session, id: &str) -> Producer {
    session.await_coordinator(id, 1);
    let mut given = (-1, -1);
    session.until("a producer id", |session| {
        let request = init_request(session, id);
        let answer = init(session, request);
        given = (*answer.producer_id, answer.producer_epoch);
        answer.error_code == 0
    });
    given
}

fn add(
    session: &mut Session,
    version: i16,
    id: &str,
    (producer, epoch): Producer,
    partitions: &[(&str, i32)],
) -> Vec<String> {
    let topics = partitions.iter().map(|(name, index)| {
        AddPartitionsToTxnTopic::default().with_name(session.topic(name)).with_partitions(vec![*index])
    });
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(session.transaction(id))
        .with_v3_and_below_producer_id(producer.into())
        .with_v3_and_below_producer_epoch(epoch)
        .with_v3_and_below_topics(topics.collect());
    let mut codes = Vec::new();
    session.until("the transaction before", |session| {
        let answer = ask!(session.wire, AddPartitionsToTxn version, request.clone());
        let mut found: Vec<(String, i16)> = answer
            .results_by_topic_v3_and_below
            .iter()
            .flat_map(|topic| {
                topic
                    .results_by_partition
                    .iter()
                    .map(|one| (topic.name.to_string(), one.partition_error_code))
            })
            .collect();
        found.sort();
        codes = found.iter().map(|(_, found)| code(*found)).collect();
        found.iter().all(|(_, found)| *found != CONCURRENT)
    });
    codes
}

fn write(
    session: &mut Session,
    version: i16,
    id: Option<&str>,
    (producer, epoch): Producer,
    sequence: i32,
    transactional: bool,
) -> String {
    let one = Record {
        transactional,
        producer_id: producer,
        producer_epoch: epoch,
        sequence,
        ..record(base_time(), Some("k"), "v")
    };
    let batch = pack(vec![one], Compression::None);
    let request =
        produce::request(session, "t", 0, batch).with_transactional_id(id.map(|id| session.transaction(id)));
    let mut seen = String::new();
    session.until("the transaction before", |session| {
        let answer = produce::send(session, version, request.clone());
        seen = produce::shown(&answer);
        // The real broker says so while its markers are on their way.
        !matches!(answer.error_code, CONCURRENT | 19)
    });
    seen
}

fn end_request(session: &Session, id: &str, (producer, epoch): Producer, commit: bool) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(session.transaction(id))
        .with_producer_id(producer.into())
        .with_producer_epoch(epoch)
        .with_committed(commit)
}

fn end(session: &mut Session, version: i16, id: &str, producer: Producer, commit: bool) -> EndTxnResponse {
    let request = end_request(session, id, producer, commit);
    let mut last = EndTxnResponse::default();
    session.until("the transaction before", |session| {
        last = ask!(session.wire, EndTxn version, request.clone());
        last.error_code != CONCURRENT
    });
    last
}

/// What readers see once all markers are there.
fn note_log(session: &mut Session, what: &str, stable: i64) {
    let mut seen = String::new();
    session.until("the markers", |session| {
        let request = reads::fetch(session, "t", 0, 0).with_isolation_level(1);
        let answer = ask!(session.wire, Fetch 12, request).responses.remove(0).partitions.remove(0);
        seen = reads::shown(&answer);
        answer.last_stable_offset == stable
    });
    session.note(what, seen);
}

pub(crate) fn first_protocol(session: &mut Session) {
    session.create("t", 2, &[]);
    let one = producer(session, "one");
    session.note("a new id", format!("epoch {}", one.1));
    for (what, commit) in [("commit of nothing", true), ("abort of nothing", false)] {
        let answer = end(session, 3, "one", one, commit);
        session.note(what, code(answer.error_code));
    }
    let seen = write(session, 9, Some("one"), one, 0, true);
    session.note("not added", seen);
    let seen = write(session, 11, Some("one"), one, 0, true);
    session.note("not added, a newer client", seen);
    let seen = add(session, 3, "one", one, &[("t", 0), ("t9", 0)]);
    session.note("add with an unknown topic", format!("{seen:?}"));
    let seen = add(session, 3, "one", one, &[("t", 9)]);
    session.note("add an unknown partition", format!("{seen:?}"));
    let seen = add(session, 3, "nobody", one, &[("t", 0)]);
    session.note("add under an unknown id", format!("{seen:?}"));
    let seen = add(session, 3, "one", (one.0 + 1000, one.1), &[("t", 0)]);
    session.note("add of another producer", format!("{seen:?}"));
    for version in [1, 3] {
        let seen = add(session, version, "one", (one.0, one.1 + 1), &[("t", 0)]);
        session.note(format!("add of another epoch, version {version}"), format!("{seen:?}"));
    }
    let seen = add(session, 3, "one", one, &[("t", 0)]);
    session.note("added", format!("{seen:?}"));
    let seen = write(session, 9, Some("one"), one, 0, true);
    session.note("written", seen);
    let seen = write(session, 9, Some("one"), one, 0, true);
    session.note("written twice", seen);
    let seen = write(session, 9, Some("one"), one, 1, false);
    session.note("written outside", seen);
    let seen = write(session, 9, None, one, 1, true);
    session.note("written without the id", seen);
    note_log(session, "open", 0);
    let answer = end(session, 3, "one", (one.0 + 1000, one.1), true);
    session.note("end of another producer", code(answer.error_code));
    let answer = end(session, 3, "nobody", one, true);
    session.note("end under an unknown id", code(answer.error_code));
    for version in [0, 3] {
        let answer = end(session, version, "one", (one.0, one.1 + 1), true);
        session.note(format!("end of another epoch, version {version}"), code(answer.error_code));
    }
    let answer = end(session, 3, "one", one, true);
    session.note("commit", code(answer.error_code));
    note_log(session, "committed", 2);
    for (what, commit) in [("commit again", true), ("abort after commit", false)] {
        let answer = end(session, 3, "one", one, commit);
        session.note(what, code(answer.error_code));
    }
    add(session, 3, "one", one, &[("t", 0)]);
    let seen = write(session, 9, Some("one"), one, 1, true);
    session.note("written again", seen);
    let answer = end(session, 3, "one", one, false);
    session.note("abort", code(answer.error_code));
    note_log(session, "aborted", 4);
    for (what, commit) in [("abort again", false), ("commit after abort", true)] {
        let answer = end(session, 3, "one", one, commit);
        session.note(what, code(answer.error_code));
    }
}

pub(crate) fn second_protocol(session: &mut Session) {
    session.create("t", 1, &[]);
    let one = producer(session, "one");
    let note_end = |session: &mut Session, what: &str, producer: Producer, commit: bool| -> i16 {
        let answer = end(session, 5, "one", producer, commit);
        let raised = answer.producer_epoch - producer.1;
        let seen = match answer.error_code {
            0 => format!("ok, epoch +{raised}, same id {}", *answer.producer_id == producer.0),
            failed => format!("{} id {} epoch {}", code(failed), *answer.producer_id, answer.producer_epoch),
        };
        session.note(what, seen);
        answer.producer_epoch
    };
    note_end(session, "commit of nothing", one, true);
    let next = (one.0, note_end(session, "abort of nothing", one, false));
    let seen = write(session, 12, Some("one"), next, 0, true);
    session.note("written", seen);
    let after = (next.0, note_end(session, "commit", next, true));
    note_log(session, "committed", 2);
    note_end(session, "commit again", next, true);
    note_end(session, "abort after commit", next, false);
    note_end(session, "commit of nothing more", after, true);
    let seen = write(session, 12, Some("one"), next, 1, true);
    session.note("an old epoch writes", seen);
    let seen = write(session, 12, Some("one"), after, 1, true);
    session.note("a new epoch goes on counting", seen);
    let seen = write(session, 12, Some("one"), after, 0, true);
    session.note("a new epoch begins", seen);
    note_end(session, "an old epoch commits", next, true);
    let last = (after.0, note_end(session, "abort", after, false));
    note_log(session, "aborted", 4);
    note_end(session, "abort again", after, false);
    note_end(session, "commit after abort", after, true);
    let seen = write(session, 12, Some("nobody"), last, 0, true);
    session.note("an unknown id writes", seen);
    let seen = write(session, 12, Some("one"), (last.0 + 1000, 0), 0, true);
    session.note("another producer writes", seen);
}

pub(crate) fn fencing(session: &mut Session) {
    session.create("t", 1, &[]);
    let old = producer(session, "one");
    add(session, 3, "one", old, &[("t", 0)]);
    write(session, 9, Some("one"), old, 0, true);
    let request = init_request(session, "one");
    let answer = init(session, request);
    session.note("the next producer", format!("{} epoch {}", code(answer.error_code), answer.producer_epoch));
    let new = producer(session, "one");
    session
        .note("the next producer in the end", format!("epoch +{} same id {}", new.1 - old.1, new.0 == old.0));
    note_log(session, "aborted", 2);
    let seen = write(session, 9, Some("one"), old, 1, true);
    session.note("the old one writes", seen);
    let seen = add(session, 3, "one", old, &[("t", 0)]);
    session.note("the old one adds", format!("{seen:?}"));
    let answer = end(session, 3, "one", old, true);
    session.note("the old one commits", code(answer.error_code));
    for (what, id, epoch) in [
        ("the old one introduces itself", old.0, old.1),
        ("the new one introduces itself", new.0, new.1),
        ("the new one repeats that", new.0, new.1),
        ("another introduces itself", new.0 + 1000, 0),
        ("an id without an epoch", new.0, -1),
    ] {
        let request = init_request(session, "one").with_producer_id(id.into()).with_producer_epoch(epoch);
        let answer = init(session, request);
        let raised =
            if answer.error_code == 0 { answer.producer_epoch - new.1 } else { answer.producer_epoch };
        session.note(what, format!("{} epoch {raised}", code(answer.error_code)));
    }
    for timeout in [0, -1, 900_000, 900_001] {
        let request = init_request(session, "two").with_transaction_timeout_ms(timeout);
        session.await_coordinator("two", 1);
        let answer = init(session, request);
        session.note(format!("a time-out of {timeout}"), code(answer.error_code));
    }
    let shut_out = producer(session, "three");
    add(session, 3, "three", shut_out, &[("t", 0)]);
    let request = init_request(session, "three");
    let answer = init(session, request);
    session.note("another one shuts out", code(answer.error_code));
    let request =
        init_request(session, "three").with_producer_id(shut_out.0.into()).with_producer_epoch(shut_out.1);
    let mut answer = InitProducerIdResponse::default();
    session.until("the transaction before", |session| {
        answer = init(session, request.clone());
        answer.error_code != CONCURRENT
    });
    session.note(
        "the one that was shut out",
        format!("{} epoch {}", code(answer.error_code), answer.producer_epoch),
    );
    let mut request = init_request(session, "one");
    request.transactional_id = Some(kafka_protocol::messages::TransactionalId(text("")));
    let answer = init(session, request);
    session.note("an empty id", code(answer.error_code));
}

fn commit_offset(
    session: &mut Session,
    version: i16,
    (producer, epoch): Producer,
    topic: &str,
    offset: i64,
) -> String {
    let partition = TxnOffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_leader_epoch(-1)
        .with_committed_metadata(Some(text("meta")));
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(session.topic(topic))
        .with_partitions(vec![partition]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(session.transaction("one"))
        .with_group_id(session.group("g"))
        .with_producer_id(producer.into())
        .with_producer_epoch(epoch)
        .with_generation_id(-1)
        .with_topics(vec![topic]);
    let mut seen = 0;
    session.until("the transaction before", |session| {
        seen = ask!(session.wire, TxnOffsetCommit version, request.clone())
            .topics
            .remove(0)
            .partitions
            .remove(0)
            .error_code;
        !matches!(seen, CONCURRENT | 14 | 15)
    });
    code(seen)
}

fn offset(session: &mut Session, stable: bool) -> String {
    let wanted =
        OffsetFetchRequestTopics::default().with_name(session.topic("t")).with_partition_indexes(vec![0]);
    let group =
        OffsetFetchRequestGroup::default().with_group_id(session.group("g")).with_topics(Some(vec![wanted]));
    let request = OffsetFetchRequest::default().with_groups(vec![group]).with_require_stable(stable);
    let answer =
        ask!(session.wire, OffsetFetch 8, request).groups.remove(0).topics.remove(0).partitions.remove(0);
    format!("{} {} {:?}", code(answer.error_code), answer.committed_offset, answer.metadata.as_deref())
}

fn note_offset(session: &mut Session, what: &str) {
    let seen = format!("{} / stable {}", offset(session, false), offset(session, true));
    session.note(what, seen);
}

pub(crate) fn offsets(session: &mut Session) {
    session.create("t", 1, &[]);
    session.await_group("g");
    let one = producer(session, "one");
    for version in [3, 4] {
        let seen = commit_offset(session, version, one, "t", 7);
        session.note(format!("not added, version {version}"), seen);
    }
    let add_offsets = |session: &mut Session, version: i16, (producer, epoch): Producer| {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(session.transaction("one"))
            .with_producer_id(producer.into())
            .with_producer_epoch(epoch)
            .with_group_id(session.group("g"));
        let mut seen = 0;
        session.until("the transaction before", |session| {
            seen = ask!(session.wire, AddOffsetsToTxn version, request.clone()).error_code;
            seen != CONCURRENT
        });
        code(seen)
    };
    for version in [1, 3] {
        let seen = add_offsets(session, version, (one.0, one.1 + 1));
        session.note(format!("added by another epoch, version {version}"), seen);
    }
    let seen = add_offsets(session, 3, one);
    session.note("added", seen);
    let seen = commit_offset(session, 3, one, "t", 7);
    session.note("committed", seen);
    let seen = commit_offset(session, 3, one, "nowhere", 7);
    session.note("of an unknown topic", seen);
    note_offset(session, "open");
    end(session, 3, "one", one, true);
    session.until("the offset", |session| offset(session, true).starts_with("ok"));
    note_offset(session, "committed");
    add_offsets(session, 3, one);
    commit_offset(session, 3, one, "t", 9);
    note_offset(session, "open again");
    end(session, 3, "one", one, false);
    session.until("the offset", |session| offset(session, true).starts_with("ok"));
    note_offset(session, "aborted");
    let seen = commit_offset(session, 5, one, "t", 11);
    session.note("adding by writing", seen);
    end(session, 5, "one", one, true);
    session.until("the offset", |session| offset(session, true).starts_with("ok"));
    note_offset(session, "committed");
    let seen = commit_offset(session, 5, one, "t", 12);
    session.note("an old epoch", seen);
}

/// The real broker looks for dead producers every ten seconds.
pub(crate) fn timeout(session: &mut Session) {
    session.create("t", 1, &[]);
    session.await_coordinator("one", 1);
    let mut one = (-1, -1);
    session.until("a producer id", |session| {
        let request = init_request(session, "one").with_transaction_timeout_ms(1000);
        let answer = init(session, request);
        one = (*answer.producer_id, answer.producer_epoch);
        answer.error_code == 0
    });
    add(session, 3, "one", one, &[("t", 0)]);
    let seen = write(session, 9, Some("one"), one, 0, true);
    session.note("written", seen);
    note_log(session, "aborted without its producer", 2);
    let answer = end(session, 3, "one", one, true);
    session.note("its commit", code(answer.error_code));
    let seen = write(session, 9, Some("one"), one, 1, true);
    session.note("its next record", seen);
    let seen = add(session, 3, "one", one, &[("t", 0)]);
    session.note("its next transaction", format!("{seen:?}"));
    let request = init_request(session, "one").with_producer_id(one.0.into()).with_producer_epoch(one.1);
    let answer = init(session, request);
    session.note("its way back", format!("{} epoch {}", code(answer.error_code), answer.producer_epoch));
    let new = producer(session, "one");
    session.note("the next producer", format!("epoch +{} same id {}", new.1 - one.1, new.0 == one.0));
}
