//! Fetch, ListOffsets and DeleteRecords.

use kafka_protocol::{
    messages::{
        DeleteRecordsRequest, FetchRequest, ListOffsetsRequest,
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::PartitionData,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    },
    records::Compression,
};
use uuid::Uuid;

use super::{
    produce,
    session::{Session, base_time, batch, code, pack, record},
    wire::ask,
};

pub(crate) fn fetch(session: &Session, topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let wanted = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_current_leader_epoch(-1)
        .with_last_fetched_epoch(-1)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(session.topic(topic)).with_partitions(vec![wanted]);
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_bytes(1 << 24)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

pub(crate) fn shown(answer: &PartitionData) -> String {
    let bytes = answer.records.as_ref().map_or(0, bytes::Bytes::len);
    let aborted = answer
        .aborted_transactions
        .as_ref()
        .map(|all| all.iter().map(|one| one.first_offset).collect::<Vec<_>>());
    format!(
        "{} high={} stable={} start={} aborted={aborted:?} bytes={bytes}",
        code(answer.error_code),
        answer.high_watermark,
        answer.last_stable_offset,
        answer.log_start_offset
    )
}

fn note(session: &mut Session, what: &str, version: i16, request: FetchRequest) {
    let mut answer = ask!(session.wire, Fetch version, request);
    let seen = if answer.responses.is_empty() {
        format!("nothing, {}", code(answer.error_code))
    } else {
        format!("{}, {}", code(answer.error_code), shown(&answer.responses.remove(0).partitions.remove(0)))
    };
    session.note(what, seen);
}

pub(crate) fn fetches(session: &mut Session) {
    let id = session.create("t", 1, &[]);
    for values in [&["a", "b", "c"][..], &["d", "e"], &["f"]] {
        let one = produce::request(session, "t", 0, batch(values));
        produce::send(session, 9, one);
    }
    for offset in [0, 1, 3, 5, 6, 7, -1, -5] {
        let one = fetch(session, "t", 0, offset);
        note(session, &format!("from {offset}"), 12, one);
    }
    let one = fetch(session, "nowhere", 0, 0);
    note(session, "unknown topic", 12, one);
    let one = fetch(session, "t", 4, 0);
    note(session, "unknown partition", 12, one);
    for epoch in [0, 1, 5] {
        let mut one = fetch(session, "t", 0, 0);
        one.topics[0].partitions[0].current_leader_epoch = epoch;
        note(session, &format!("leader epoch {epoch}"), 12, one);
    }
    for limit in [0, 1, 90, 200] {
        let mut one = fetch(session, "t", 0, 0);
        one.topics[0].partitions[0].partition_max_bytes = limit;
        note(session, &format!("at most {limit} bytes of the partition"), 12, one);
        let one = fetch(session, "t", 0, 0).with_max_bytes(limit);
        note(session, &format!("at most {limit} bytes in all"), 12, one);
    }
    let one = fetch(session, "t", 0, 0).with_isolation_level(1);
    note(session, "committed records", 12, one);
    for version in 4..=16 {
        let mut one = fetch(session, "t", 0, 3);
        if version >= 13 {
            one.topics[0].topic_id = id;
        }
        note(session, &format!("version {version}"), version, one);
    }
    let mut one = fetch(session, "t", 0, 0);
    one.topics[0].topic_id = Uuid::from_u128(42);
    note(session, "unknown topic id", 13, one);
    let one = fetch(session, "t", 0, 0).with_session_id(77).with_session_epoch(3);
    note(session, "a session nobody knows", 12, one);
    let one = fetch(session, "t", 0, 6).with_min_bytes(1).with_max_wait_ms(300);
    note(session, "waiting in vain", 12, one);
}

fn look(
    session: &mut Session,
    version: i16,
    index: i32,
    time: i64,
    epoch: i32,
    isolation: i8,
    base: i64,
) -> String {
    let wanted = ListOffsetsPartition::default()
        .with_partition_index(index)
        .with_current_leader_epoch(epoch)
        .with_timestamp(time);
    let wanted = ListOffsetsTopic::default().with_name(session.topic("t")).with_partitions(vec![wanted]);
    let request = ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_isolation_level(isolation)
        .with_topics(vec![wanted]);
    let found = ask!(session.wire, ListOffsets version, request).topics.remove(0).partitions.remove(0);
    let time = if found.timestamp >= 0 { found.timestamp - base } else { found.timestamp };
    format!("{} time={time} offset={} epoch={}", code(found.error_code), found.offset, found.leader_epoch)
}

pub(crate) fn list_offsets(session: &mut Session) {
    session.create("t", 1, &[]);
    let base = base_time();
    let seen = look(session, 7, 0, -3, -1, 0, base);
    session.note("the greatest time of nothing", seen);
    let seen = look(session, 7, 0, base, -1, 0, base);
    session.note("a time of nothing", seen);
    for (times, codec) in [
        (&[10, 40, 20][..], Compression::Gzip),
        (&[30, 50], Compression::None),
        (&[50, 45], Compression::Lz4),
        (&[5], Compression::Zstd),
    ] {
        let records = times.iter().map(|time| record(base + time, None, "v"));
        let one = produce::request(session, "t", 0, pack(records.collect(), codec));
        produce::send(session, 9, one);
    }
    for time in [0, 5, 10, 11, 20, 30, 40, 41, 45, 50, 51] {
        let seen = look(session, 7, 0, base + time, -1, 0, base);
        session.note(format!("time {time}"), seen);
    }
    for time in [-1, -2, -3, -4, -5, -6, -7] {
        for version in [1, 3, 4, 7, 8, 9, 10] {
            let seen = look(session, version, 0, time, -1, 0, base);
            session.note(format!("special {time} in version {version}"), seen);
        }
    }
    for epoch in [0, 1] {
        let seen = look(session, 7, 0, -1, epoch, 1, base);
        session.note(format!("leader epoch {epoch}, committed"), seen);
    }
    let seen = look(session, 7, 3, -1, -1, 0, base);
    session.note("unknown partition", seen);
}

pub(crate) fn delete_records(session: &mut Session) {
    session.create("t", 1, &[]);
    session.create("compacted", 1, &[("cleanup.policy", "compact")]);
    session.create("both", 1, &[("cleanup.policy", "compact,delete")]);
    for topic in ["t", "compacted", "both"] {
        for values in [&["0", "1", "2"][..], &["3", "4"]] {
            let one = produce::request(session, topic, 0, batch(values));
            produce::send(session, 9, one);
        }
    }
    for (topic, index, offset) in [
        ("t", 0, 0),
        ("t", 0, 1),
        ("t", 0, 0),
        ("t", 0, 3),
        ("t", 0, 6),
        ("t", 0, -2),
        ("t", 0, -1),
        ("t", 9, 0),
        ("compacted", 0, 1),
        ("both", 0, 1),
        ("nowhere", 0, 0),
    ] {
        let partition = DeleteRecordsPartition::default().with_partition_index(index).with_offset(offset);
        let wanted =
            DeleteRecordsTopic::default().with_name(session.topic(topic)).with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default().with_topics(vec![wanted]).with_timeout_ms(10_000);
        let answer = ask!(session.wire, DeleteRecords 2, request).topics.remove(0).partitions.remove(0);
        session.note(
            format!("{topic}-{index} before {offset}"),
            format!("{} low={}", code(answer.error_code), answer.low_watermark),
        );
    }
    for offset in [4, 5] {
        let one = fetch(session, "t", 0, offset);
        note(session, &format!("then from {offset}"), 12, one);
    }
}
