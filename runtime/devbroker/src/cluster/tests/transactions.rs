//! Transactions: what readers of committed records see, who is shut out, and what ends without its producer.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, DescribeTransactionsRequest,
        EndTxnRequest, EndTxnResponse, GroupId, InitProducerIdRequest, InitProducerIdResponse,
        ListOffsetsRequest, ListTransactionsRequest, OffsetFetchRequest, ProducerId, RequestKind,
        ResponseKind, TransactionalId, TxnOffsetCommitRequest,
        add_partitions_to_txn_request::AddPartitionsToTxnTopic,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
        txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    },
    protocol::StrBytes,
    records::{Compression, Record, RecordBatchDecoder},
};

use super::{Sim, ask, batch, fetch_request, pack, produce_request, record, topic};

const TIMEOUT: i32 = 60_000;

fn id(name: &'static str) -> TransactionalId {
    TransactionalId(StrBytes::from_static_str(name))
}

/// Producer id and epoch.
pub(super) type Producer = (i64, i16);

pub(super) fn init(sim: &mut Sim, name: &'static str) -> InitProducerIdResponse {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(id(name)))
        .with_transaction_timeout_ms(TIMEOUT);
    ask!(sim, InitProducerId 4, request)
}

pub(super) fn producer(sim: &mut Sim, name: &'static str) -> Producer {
    let answer = init(sim, name);
    assert_eq!(answer.error_code, 0);
    (*answer.producer_id, answer.producer_epoch)
}

pub(super) fn add(
    sim: &mut Sim,
    name: &'static str,
    (producer_id, epoch): Producer,
    partitions: &[i32],
) -> Vec<i16> {
    let added = AddPartitionsToTxnTopic::default().with_name(topic("t")).with_partitions(partitions.to_vec());
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id(name))
        .with_v3_and_below_producer_id(ProducerId(producer_id))
        .with_v3_and_below_producer_epoch(epoch)
        .with_v3_and_below_topics(vec![added]);
    let mut answer = ask!(sim, AddPartitionsToTxn 3, request);
    let results = answer.results_by_topic_v3_and_below.remove(0).results_by_partition;
    results.iter().map(|result| result.partition_error_code).collect()
}

pub(super) fn write(
    sim: &mut Sim,
    version: i16,
    name: &'static str,
    (producer_id, producer_epoch): Producer,
    sequence: i32,
    values: &[&'static str],
) -> i16 {
    let records = values.iter().map(|value| Record {
        transactional: true,
        producer_id,
        producer_epoch,
        sequence,
        ..record(0, Some("key"), value)
    });
    let batch = pack(records.collect(), Compression::None);
    let request = produce_request("t", 0, batch, -1).with_transactional_id(Some(id(name)));
    match sim.call(ApiKey::Produce, version, RequestKind::Produce(request)) {
        ResponseKind::Produce(mut answer) => {
            answer.responses.remove(0).partition_responses.remove(0).error_code
        }
        other => panic!("another kind: {other:?}"),
    }
}

fn end_request(name: &'static str, (producer_id, epoch): Producer, commit: bool) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(id(name))
        .with_producer_id(ProducerId(producer_id))
        .with_producer_epoch(epoch)
        .with_committed(commit)
}

pub(super) fn end(sim: &mut Sim, name: &'static str, producer: Producer, commit: bool) -> i16 {
    ask!(sim, EndTxn 3, end_request(name, producer, commit)).error_code
}

pub(super) fn end_and_raise(
    sim: &mut Sim,
    name: &'static str,
    producer: Producer,
    commit: bool,
) -> EndTxnResponse {
    ask!(sim, EndTxn 5, end_request(name, producer, commit))
}

/// What a reader of committed records gets, the way clients filter it; with where it has to stop.
pub(super) fn committed(sim: &mut Sim) -> (Vec<String>, i64) {
    let request = fetch_request("t", 0, 0, 0).with_isolation_level(1);
    let mut answer = ask!(sim, Fetch 12, request).responses.remove(0).partitions.remove(0);
    let stable = answer.last_stable_offset;
    let aborted = answer.aborted_transactions.unwrap();
    let mut bytes = answer.records.take().unwrap();
    let mut skipped: Vec<i64> = Vec::new();
    let mut values = Vec::new();
    if bytes.is_empty() {
        return (values, stable);
    }
    for set in RecordBatchDecoder::decode_all(&mut bytes).unwrap() {
        for one in set.records {
            let starts = aborted.iter().filter(|a| a.first_offset <= one.offset);
            let aborts = starts.filter(|a| *a.producer_id == one.producer_id).count();
            let ended = skipped.iter().filter(|id| **id == one.producer_id).count();
            if one.control {
                if one.key.as_ref().unwrap()[..] == [0, 0, 0, 0] {
                    skipped.push(one.producer_id);
                }
            } else if aborts <= ended {
                values.push(String::from_utf8(one.value.unwrap().to_vec()).unwrap());
            }
        }
    }
    (values, stable)
}

fn latest(sim: &mut Sim, isolation: i8) -> i64 {
    let partition = ListOffsetsPartition::default().with_timestamp(-1);
    let wanted = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_isolation_level(isolation).with_topics(vec![wanted]);
    ask!(sim, ListOffsets 7, request).topics.remove(0).partitions.remove(0).offset
}

fn sim() -> Sim {
    let mut sim = Sim::new();
    sim.create("t", 2, &[]);
    sim
}

#[test]
fn what_is_committed_is_seen_and_what_is_aborted_is_not() {
    let mut sim = sim();
    let one = producer(&mut sim, "one");
    let other = producer(&mut sim, "other");
    assert_ne!(one.0, other.0);
    assert_eq!(add(&mut sim, "one", one, &[0]), [0]);
    assert_eq!(add(&mut sim, "other", other, &[0]), [0]);
    assert_eq!(write(&mut sim, 9, "one", one, 0, &["a", "b"]), 0);
    assert_eq!(write(&mut sim, 9, "other", other, 0, &["x"]), 0);
    assert_eq!(sim.produce("t", 0, batch(&["plain"])).base_offset, 3);
    assert_eq!(committed(&mut sim), (vec![], 0), "nobody sees past an open transaction");
    assert_eq!((latest(&mut sim, 0), latest(&mut sim, 1)), (4, 0));
    assert_eq!(end(&mut sim, "other", other, false), 0);
    assert_eq!(committed(&mut sim).1, 0);
    assert_eq!(end(&mut sim, "one", one, true), 0);
    assert_eq!(committed(&mut sim), (vec!["a".into(), "b".into(), "plain".into()], 6));
    assert_eq!(latest(&mut sim, 1), 6, "two markers");
    // The next transaction of the aborted producer goes on with its sequence, and is seen.
    assert_eq!(write(&mut sim, 9, "other", other, 1, &["y"]), 48, "the partition was not added");
    assert_eq!(add(&mut sim, "other", other, &[0]), [0]);
    assert_eq!(write(&mut sim, 9, "other", other, 2, &["y"]), 45, "sequence 1 is missing");
    assert_eq!(write(&mut sim, 9, "other", other, 1, &["y"]), 0);
    assert_eq!(end(&mut sim, "other", other, true), 0);
    assert_eq!(committed(&mut sim).0, ["a", "b", "plain", "y"]);
}

#[test]
fn waiting_readers_of_committed_records_are_woken_by_the_marker_alone() {
    let mut sim = sim();
    let one = producer(&mut sim, "one");
    add(&mut sim, "one", one, &[0]);
    let request = fetch_request("t", 0, 1, 30_000).with_isolation_level(1);
    let ticket = sim.park(ApiKey::Fetch, 12, RequestKind::Fetch(request));
    write(&mut sim, 9, "one", one, 0, &["a"]);
    assert!(!sim.late.contains_key(&ticket), "it is not committed");
    end(&mut sim, "one", one, true);
    match sim.late.remove(&ticket) {
        Some(ResponseKind::Fetch(answer)) => {
            assert_eq!(answer.responses[0].partitions[0].last_stable_offset, 2);
        }
        other => panic!("not woken: {other:?}"),
    }
}

#[test]
fn markers_are_as_kafka_writes_them() {
    let mut sim = sim();
    let one = producer(&mut sim, "one");
    add(&mut sim, "one", one, &[0]);
    write(&mut sim, 9, "one", one, 0, &["a"]);
    end(&mut sim, "one", one, true);
    let mut records = sim.read("t", 1).records.unwrap();
    assert_eq!(records.len(), 78);
    let marker = RecordBatchDecoder::decode(&mut records).unwrap().records.remove(0);
    assert!(marker.control && marker.transactional);
    assert_eq!((marker.offset, marker.producer_id, marker.producer_epoch), (1, one.0, one.1));
    assert_eq!(marker.key, Some(Bytes::from_static(&[0, 0, 0, 1])));
    assert_eq!(marker.value, Some(Bytes::from_static(&[0; 6])));
}

#[test]
fn the_second_protocol_adds_by_writing_and_raises_the_epoch() {
    let mut sim = sim();
    let one = producer(&mut sim, "one");
    assert_eq!(write(&mut sim, 11, "one", one, 0, &["a"]), ResponseError::TransactionAbortable.code());
    assert_eq!(write(&mut sim, 12, "one", one, 0, &["a"]), 0);
    let ended = end_and_raise(&mut sim, "one", one, true);
    assert_eq!((ended.error_code, *ended.producer_id, ended.producer_epoch), (0, one.0, one.1 + 1));
    let again = end_and_raise(&mut sim, "one", one, true);
    assert_eq!((again.error_code, again.producer_epoch), (0, one.1 + 1), "repeated");
    let next = (one.0, one.1 + 1);
    assert_eq!(write(&mut sim, 12, "one", one, 1, &["late"]), 47, "an old epoch");
    assert_eq!(write(&mut sim, 12, "one", next, 1, &["b"]), 45, "a new epoch begins at 0");
    assert_eq!(write(&mut sim, 12, "one", next, 0, &["b"]), 0);
    let ended = end_and_raise(&mut sim, "one", next, false);
    assert_eq!((ended.error_code, ended.producer_epoch), (0, one.1 + 2));
    assert_eq!(committed(&mut sim).0, ["a"]);
}

#[test]
fn a_new_producer_aborts_what_the_old_one_left_and_shuts_it_out() {
    let mut sim = sim();
    let old = producer(&mut sim, "one");
    add(&mut sim, "one", old, &[0]);
    write(&mut sim, 9, "one", old, 0, &["a"]);
    assert_eq!(init(&mut sim, "one").error_code, ResponseError::ConcurrentTransactions.code());
    let new = producer(&mut sim, "one");
    assert_eq!(new, (old.0, old.1 + 2));
    assert_eq!(committed(&mut sim), (vec![], 2));
    assert_eq!(write(&mut sim, 9, "one", old, 1, &["b"]), ResponseError::InvalidProducerEpoch.code());
    assert_eq!(end(&mut sim, "one", old, true), ResponseError::ProducerFenced.code());
    let answer = ask!(sim, EndTxn 1, end_request("one", old, true));
    assert_eq!(answer.error_code, ResponseError::InvalidProducerEpoch.code(), "what older clients know");
    assert_eq!(add(&mut sim, "one", old, &[0]), [ResponseError::ProducerFenced.code()]);
    assert_eq!(add(&mut sim, "one", (99, 0), &[0]), [ResponseError::InvalidProducerIdMapping.code()]);
    assert_eq!(add(&mut sim, "one", new, &[0]), [0]);
}

#[test]
fn a_dead_producers_transaction_is_aborted_in_time() {
    let mut sim = sim();
    let one = producer(&mut sim, "one");
    add(&mut sim, "one", one, &[0]);
    write(&mut sim, 9, "one", one, 0, &["a"]);
    sim.pass(Duration::from_secs(59));
    assert_eq!(committed(&mut sim).1, 0);
    sim.pass(Duration::from_secs(1));
    assert_eq!(committed(&mut sim), (vec![], 2));
    assert_eq!(end(&mut sim, "one", one, true), ResponseError::ProducerFenced.code());
    assert_eq!(write(&mut sim, 9, "one", one, 1, &["b"]), ResponseError::InvalidProducerEpoch.code());
}

#[test]
fn ids_and_timeouts_are_checked() {
    let mut sim = sim();
    let with = |timeout: i32, id: Option<TransactionalId>| {
        InitProducerIdRequest::default().with_transactional_id(id).with_transaction_timeout_ms(timeout)
    };
    let code = |sim: &mut Sim, request| ask!(sim, InitProducerId 4, request).error_code;
    let timeout = ResponseError::InvalidTransactionTimeout.code();
    assert_eq!(code(&mut sim, with(0, Some(id("one")))), timeout);
    assert_eq!(code(&mut sim, with(900_001, Some(id("one")))), timeout);
    assert_eq!(code(&mut sim, with(900_000, Some(id("one")))), 0);
    assert_eq!(code(&mut sim, with(1, Some(id("")))), ResponseError::InvalidRequest.code());
    assert_eq!(code(&mut sim, with(0, None)), 0, "idempotent producers have no timeout");
    let half = with(1, Some(id("one"))).with_producer_id(ProducerId(1));
    assert_eq!(code(&mut sim, half), ResponseError::InvalidRequest.code());
    let one = producer(&mut sim, "one");
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let untried = ResponseError::OperationNotAttempted.code();
    assert_eq!(add(&mut sim, "one", one, &[0, 9]), [untried, unknown]);
    assert_eq!(add(&mut sim, "two", one, &[0]), [ResponseError::InvalidProducerIdMapping.code()]);
    assert_eq!(end(&mut sim, "one", one, true), ResponseError::InvalidTxnState.code());
}

#[test]
fn batches_say_truly_whether_they_belong_to_a_transaction() {
    let mut sim = sim();
    let one = producer(&mut sim, "one");
    add(&mut sim, "one", one, &[0]);
    write(&mut sim, 9, "one", one, 0, &["a"]);
    let plain = super::sequenced(one.0, one.1, 1, 1);
    assert_eq!(sim.produce("t", 0, plain).error_code, ResponseError::InvalidTxnState.code());
    let anonymous = Record {
        transactional: true,
        producer_id: one.0,
        producer_epoch: one.1,
        sequence: 1,
        ..record(0, None, "b")
    };
    let answer = sim.produce("t", 0, pack(vec![anonymous], Compression::None));
    assert_eq!(answer.error_code, ResponseError::TransactionalIdAuthorizationFailed.code());
}

fn commit_offset(sim: &mut Sim, one: Producer, offset: i64) -> i16 {
    let partition = TxnOffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_metadata(Some(StrBytes::from_static_str("meta")));
    let topic = TxnOffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(id("one"))
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_producer_id(ProducerId(one.0))
        .with_producer_epoch(one.1)
        .with_generation_id(-1)
        .with_topics(vec![topic]);
    ask!(sim, TxnOffsetCommit 3, request).topics.remove(0).partitions.remove(0).error_code
}

/// Error and offset, asking for stable offsets or not.
fn offset(sim: &mut Sim, stable: bool) -> (i16, i64) {
    let wanted = OffsetFetchRequestTopics::default().with_name(topic("t")).with_partition_indexes(vec![0]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_topics(Some(vec![wanted]));
    let request = OffsetFetchRequest::default().with_groups(vec![group]).with_require_stable(stable);
    let answer = ask!(sim, OffsetFetch 8, request).groups.remove(0).topics.remove(0).partitions.remove(0);
    (answer.error_code, answer.committed_offset)
}

#[test]
fn offsets_count_when_their_transaction_is_committed() {
    let mut sim = sim();
    let one = producer(&mut sim, "one");
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(id("one"))
        .with_producer_id(ProducerId(one.0))
        .with_producer_epoch(one.1)
        .with_group_id(GroupId(StrBytes::from_static_str("g")));
    assert_eq!(commit_offset(&mut sim, one, 7), ResponseError::InvalidTxnState.code(), "not added");
    assert_eq!(ask!(sim, AddOffsetsToTxn 3, request.clone()).error_code, 0);
    assert_eq!(commit_offset(&mut sim, one, 7), 0);
    assert_eq!(offset(&mut sim, false), (0, -1));
    assert_eq!(offset(&mut sim, true), (ResponseError::UnstableOffsetCommit.code(), -1));
    assert_eq!(end(&mut sim, "one", one, true), 0);
    assert_eq!((offset(&mut sim, false), offset(&mut sim, true)), ((0, 7), (0, 7)));
    assert_eq!(ask!(sim, AddOffsetsToTxn 3, request).error_code, 0);
    assert_eq!(commit_offset(&mut sim, one, 9), 0);
    assert_eq!(end(&mut sim, "one", one, false), 0);
    assert_eq!(offset(&mut sim, true), (0, 7));
}

#[test]
fn transactions_can_be_listed_and_described() {
    let mut sim = sim();
    let one = producer(&mut sim, "one");
    producer(&mut sim, "two");
    add(&mut sim, "one", one, &[1, 0]);
    let ongoing = ListTransactionsRequest::default()
        .with_state_filters(vec![StrBytes::from_static_str("Ongoing"), StrBytes::from_static_str("Odd")]);
    let listed = ask!(sim, ListTransactions 1, ongoing.with_duration_filter(-1));
    assert_eq!(listed.unknown_state_filters, [StrBytes::from_static_str("Odd")]);
    assert_eq!(listed.transaction_states.len(), 1);
    assert_eq!(listed.transaction_states[0].transactional_id, id("one"));
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id("one"), id("three")]);
    let described = ask!(sim, DescribeTransactions 0, request).transaction_states;
    assert_eq!(described[0].transaction_state.as_str(), "Ongoing");
    assert_eq!(
        (described[0].transaction_timeout_ms, described[0].transaction_start_time_ms),
        (TIMEOUT, super::START)
    );
    assert_eq!(described[0].topics[0].partitions, [0, 1]);
    assert_eq!(described[1].error_code, ResponseError::TransactionalIdNotFound.code());
}

#[test]
fn compaction_takes_aborted_records_and_later_their_markers() {
    let mut sim = Sim::new();
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "1"),
        ("min.cleanable.dirty.ratio", "0"),
        ("delete.retention.ms", "60000"),
    ];
    sim.create("t", 1, &settings);
    let one = producer(&mut sim, "one");
    for (sequence, commit) in [(0, true), (1, false), (2, true)] {
        add(&mut sim, "one", one, &[0]);
        assert_eq!(write(&mut sim, 9, "one", one, sequence, &["a"]), 0);
        sim.pass(Duration::from_secs(1));
        assert_eq!(end(&mut sim, "one", one, commit), 0);
    }
    add(&mut sim, "one", one, &[0]);
    write(&mut sim, 9, "one", one, 3, &["open"]);
    sim.pass(Duration::from_secs(16));
    let offsets = |sim: &mut Sim| {
        let mut bytes = sim.read("t", 0).records.unwrap();
        let sets = RecordBatchDecoder::decode_all(&mut bytes).unwrap();
        let all = sets.into_iter().flat_map(|set| set.records);
        all.map(|one| (one.offset, one.control)).collect::<Vec<_>>()
    };
    let markers = [(1, true), (3, true)];
    assert_eq!(offsets(&mut sim), [&markers[..], &[(4, false), (5, true), (6, false)]].concat());
    assert_eq!(committed(&mut sim), (vec!["a".to_owned()], 6));
    end(&mut sim, "one", one, true);
    sim.pass(Duration::from_secs(100));
    assert_eq!(offsets(&mut sim), [(6, false), (7, true)], "markers without records are gone");
    assert_eq!(committed(&mut sim).0, ["open"]);
}
