//! Reading and waiting; finding offsets by time.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        ApiKey, DeleteTopicsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest,
        OffsetForLeaderEpochRequest, RequestKind, ResponseKind,
        fetch_request::{FetchPartition, FetchTopic},
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    },
    records::{Compression, RecordBatchDecoder},
};

use super::{Sim, ask, batch, fetch_request, pack, record, topic};
use crate::cluster::{ConnectionId, Ticket};

fn values(records: Option<Bytes>) -> Vec<String> {
    let sets = RecordBatchDecoder::decode_all(&mut records.unwrap()).unwrap();
    let values = sets.into_iter().flat_map(|set| set.records).map(|record| record.value.unwrap());
    values.map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

fn wait(sim: &mut Sim, request: FetchRequest) -> Ticket {
    sim.park(ApiKey::Fetch, 12, RequestKind::Fetch(request))
}

fn read_late(sim: &mut Sim, ticket: Ticket) -> Option<Vec<String>> {
    match sim.late.remove(&ticket)? {
        ResponseKind::Fetch(mut fetch) => {
            Some(values(fetch.responses.remove(0).partitions.remove(0).records))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reader_gets_whole_batches_from_the_one_that_holds_its_offset() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    sim.produce("t", 0, batch(&["0", "1", "2"]));
    sim.produce("t", 0, batch(&["3"]));
    assert_eq!(values(sim.read("t", 0).records), ["0", "1", "2", "3"]);
    assert_eq!(values(sim.read("t", 1).records), ["0", "1", "2", "3"]);
    let last = sim.read("t", 3);
    assert_eq!((last.high_watermark, last.last_stable_offset, last.log_start_offset), (4, 4, 0));
    assert_eq!(values(last.records), ["3"]);
    assert_eq!(sim.read("t", 4).records.unwrap().len(), 0);
    for outside in [-1, 5] {
        let answer = sim.read("t", outside);
        assert_eq!((answer.error_code, answer.high_watermark), (1, -1));
    }
}

#[test]
fn a_fetch_waits_until_its_time_is_up() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let ticket = wait(&mut sim, fetch_request("t", 0, 1, 500));
    assert_eq!(sim.cluster.next_wakeup(), Some(Duration::from_millis(500)));
    sim.pass(Duration::from_millis(499));
    assert_eq!(read_late(&mut sim, ticket), None);
    sim.pass(Duration::from_millis(1));
    assert_eq!(read_late(&mut sim, ticket), Some(vec![]));
    assert_eq!(sim.cluster.next_wakeup(), None, "nothing to do, so nothing is done");
}

#[test]
fn a_waiting_fetch_is_answered_by_the_produce_that_completes_it() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let size = i32::try_from(batch(&["a"]).len()).unwrap();
    let one = wait(&mut sim, fetch_request("t", 0, 1, 500));
    let more = wait(&mut sim, fetch_request("t", 0, size * 2, 500));
    sim.produce("t", 0, batch(&["a"]));
    assert_eq!(read_late(&mut sim, one), Some(vec!["a".to_owned()]));
    assert_eq!(read_late(&mut sim, more), None, "not enough yet");
    sim.produce("t", 0, batch(&["b"]));
    assert_eq!(read_late(&mut sim, more), Some(vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn what_is_there_already_counts_towards_the_minimum() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    sim.produce("t", 0, batch(&["a"]));
    let size = i32::try_from(batch(&["a"]).len()).unwrap();
    let ticket = wait(&mut sim, fetch_request("t", 0, size + 1, 500));
    sim.pass(Duration::from_millis(500));
    assert_eq!(read_late(&mut sim, ticket), Some(vec!["a".to_owned()]), "what there is when the time is up");
    let answer = ask!(sim, Fetch 12, fetch_request("t", 0, size, 500));
    assert_eq!(values(answer.responses[0].partitions[0].records.clone()), ["a"]);
}

#[test]
fn errors_do_not_wait_and_deleting_a_topic_ends_waiting_for_it() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let answer = ask!(sim, Fetch 12, fetch_request("nowhere", 0, 1, 500));
    assert_eq!(answer.responses[0].partitions[0].error_code, 3);
    let ticket = wait(&mut sim, fetch_request("t", 0, 1, 500));
    let request = DeleteTopicsRequest::default().with_topic_names(vec![topic("t")]);
    assert_eq!(ask!(sim, DeleteTopics 5, request).responses[0].error_code, 0);
    match sim.late.remove(&ticket) {
        Some(ResponseKind::Fetch(fetch)) => assert_eq!(fetch.responses[0].partitions[0].error_code, 3),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_closed_connection_waits_no_longer() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let ticket = wait(&mut sim, fetch_request("t", 0, 1, 500));
    sim.cluster.disconnected(ConnectionId(1));
    assert_eq!(sim.cluster.next_wakeup(), None);
    sim.produce("t", 0, batch(&["a"]));
    assert_eq!(read_late(&mut sim, ticket), None);
}

fn of_topics(topics: &[(&'static str, &[i32])], max_bytes: i32, partition_max_bytes: i32) -> FetchRequest {
    let partition = |index: &i32| {
        FetchPartition::default().with_partition(*index).with_partition_max_bytes(partition_max_bytes)
    };
    let topics = topics.iter().map(|(name, indexes)| {
        FetchTopic::default().with_topic(topic(name)).with_partitions(indexes.iter().map(partition).collect())
    });
    FetchRequest::default().with_max_bytes(max_bytes).with_session_epoch(-1).with_topics(topics.collect())
}

#[test]
fn several_topics_share_the_bytes_of_a_response_and_the_first_batch_always_fits() {
    let mut sim = Sim::new();
    sim.create("a", 2, &[]);
    sim.create("b", 1, &[]);
    for (name, index) in [("a", 0), ("a", 1), ("b", 0), ("b", 0)] {
        sim.produce(name, index, batch(&["some value"]));
    }
    let size = i32::try_from(batch(&["some value"]).len()).unwrap();
    let mut counts = |max_bytes, partition_max_bytes| {
        let request = of_topics(&[("a", &[0, 1]), ("b", &[0])], max_bytes, partition_max_bytes);
        let answer = ask!(sim, Fetch 11, request);
        let partitions = answer.responses.into_iter().flat_map(|topic| topic.partitions);
        partitions.map(|partition| values(partition.records).len()).collect::<Vec<_>>()
    };
    assert_eq!(counts(i32::MAX, i32::MAX), [1, 1, 2]);
    assert_eq!(counts(size * 3, i32::MAX), [1, 1, 1]);
    assert_eq!(counts(i32::MAX, size), [1, 1, 1]);
    assert_eq!(counts(1, i32::MAX), [1, 0, 0]);
    assert_eq!(counts(i32::MAX, 1), [1, 0, 0]);
    assert_eq!(counts(0, 0), [1, 0, 0]);
}

#[test]
fn newer_fetches_name_topics_by_id() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    sim.produce("t", 0, batch(&["a"]));
    let metadata = ask!(sim, Metadata 12, MetadataRequest::default().with_topics(None));
    let id = metadata.topics[0].topic_id;
    let mut request = fetch_request("t", 0, 1, 500);
    request.topics[0].topic = Default::default();
    request.topics[0].topic_id = id;
    let answer = ask!(sim, Fetch 16, request.clone());
    assert_eq!(answer.responses[0].topic_id, id);
    assert_eq!(values(answer.responses[0].partitions[0].records.clone()), ["a"]);
    request.topics[0].topic_id = uuid::Uuid::from_u128(1);
    let answer = ask!(sim, Fetch 13, request);
    assert_eq!(answer.responses[0].partitions[0].error_code, ResponseError::UnknownTopicId.code());
}

#[test]
fn sessions_are_never_given_out() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let mut request = fetch_request("t", 0, 0, 0).with_session_epoch(0);
    assert_eq!(ask!(sim, Fetch 12, request.clone()).session_id, 0);
    request.session_id = 5;
    request.session_epoch = 1;
    let answer = ask!(sim, Fetch 12, request);
    assert_eq!(answer.error_code, ResponseError::FetchSessionIdNotFound.code());
}

#[test]
fn leader_epochs_are_compared() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    sim.produce("t", 0, batch(&["a"]));
    let mut request = fetch_request("t", 0, 0, 0);
    request.topics[0].partitions[0].current_leader_epoch = 3;
    assert_eq!(ask!(sim, Fetch 12, request).responses[0].partitions[0].error_code, 75);
    let mut end = |epoch| {
        let partition = OffsetForLeaderPartition::default().with_leader_epoch(epoch);
        let topic = OffsetForLeaderTopic::default().with_topic(topic("t")).with_partitions(vec![partition]);
        let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
        let answer = ask!(sim, OffsetForLeaderEpoch 4, request);
        (answer.topics[0].partitions[0].leader_epoch, answer.topics[0].partitions[0].end_offset)
    };
    assert_eq!(end(0), (0, 1));
    assert_eq!(end(1), (-1, -1));
}

fn offset_at(sim: &mut Sim, timestamp: i64) -> (i64, i64) {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
    let answer = ask!(sim, ListOffsets 10, ListOffsetsRequest::default().with_topics(vec![topic]));
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    (partition.timestamp, partition.offset)
}

#[test]
fn offsets_are_found_by_time_within_batches_of_every_codec() {
    let start = super::START;
    for codec in
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        let mut sim = Sim::new();
        sim.create("t", 1, &[]);
        assert_eq!(offset_at(&mut sim, start), (-1, -1), "an empty log");
        assert_eq!(offset_at(&mut sim, -3), (-1, -1), "an empty log");
        let times = |times: [i64; 3]| pack(times.map(|time| record(time, None, "v")).into(), codec);
        sim.produce("t", 0, times([0, 10, 20]));
        sim.produce("t", 0, times([50, 30, 40]));
        sim.produce("t", 0, times([25, 50, 26]));
        assert_eq!(offset_at(&mut sim, -1), (-1, 9), "latest");
        assert_eq!(offset_at(&mut sim, -2), (-1, 0), "earliest");
        assert_eq!(offset_at(&mut sim, -3), (start + 50, 3), "greatest timestamp, {codec:?}");
        assert_eq!(offset_at(&mut sim, -4), (-1, 0), "earliest local");
        assert_eq!(offset_at(&mut sim, -5), (-1, -1), "latest tiered");
        assert_eq!(offset_at(&mut sim, 0), (start, 0));
        assert_eq!(offset_at(&mut sim, start + 1), (start + 10, 1), "{codec:?}");
        assert_eq!(offset_at(&mut sim, start + 20), (start + 20, 2));
        assert_eq!(offset_at(&mut sim, start + 21), (start + 50, 3));
        assert_eq!(offset_at(&mut sim, start + 51), (-1, -1), "nothing so late");
    }
}

#[test]
fn naming_a_partition_twice_gains_nothing() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let mut request = fetch_request("t", 0, 200, 500);
    let partition = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = vec![partition; 30_000];
    let ticket = wait(&mut sim, request);
    sim.produce("t", 0, batch(&["a"]));
    assert_eq!(read_late(&mut sim, ticket), None, "its bytes count once");
    sim.pass(Duration::from_millis(500));
    assert_eq!(read_late(&mut sim, ticket), Some(vec!["a".to_owned()]));
    let partition = ListOffsetsPartition::default().with_timestamp(-1);
    let topic = ListOffsetsTopic::default().with_name(topic("t")).with_partitions(vec![partition; 2]);
    let answer = ask!(sim, ListOffsets 7, ListOffsetsRequest::default().with_topics(vec![topic]));
    assert_eq!(answer.topics[0].partitions.iter().map(|one| one.error_code).collect::<Vec<_>>(), [42, 42]);
}
