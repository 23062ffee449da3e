//! Bytes that no client of ours would write.

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use lavka_devbroker::{Broker, BrokerConfig};

use super::*;

/// A batch of one record with the headers `abc` and `good`, the first renamed to three bytes that are not UTF-8.
fn odd_batch() -> Bytes {
    let header = |name| (StrBytes::from_static_str(name), Some(Bytes::from_static(b"1")));
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: NO_SEQUENCE,
        timestamp: 1,
        key: None,
        value: Some(Bytes::from_static(b"value")),
        headers: IndexMap::from([header("abc"), header("good")]),
    };
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, [&record], &options).unwrap();
    let at = batch.windows(3).position(|bytes| bytes == b"abc").unwrap();
    batch[at..at + 3].copy_from_slice(&[0xff, 0xfe, 0xfd]);
    // The checksum stands at byte 17 and covers what follows it.
    let checksum = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    batch.freeze()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_whose_name_is_not_text_keeps_its_place() {
    let broker = Broker::start(BrokerConfig::default()).await.unwrap();
    let config: Config = [
        ("bootstrap.servers", broker.bootstrap()),
        ("group.id", "g".into()),
        ("auto.offset.reset", "earliest".into()),
    ]
    .into_iter()
    .collect();
    let mut consumer = RdKafkaConsumer::new(&config, Buffer { records: 10, bytes: 1 << 20 }).unwrap();
    let name = TopicName(StrBytes::from_static_str("odd"));
    let data = PartitionProduceData::default().with_index(0).with_records(Some(odd_batch()));
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(1000)
        .with_topic_data(vec![TopicProduceData::default().with_name(name).with_partition_data(vec![data])]);
    let topic = Subscription::Topics(vec!["odd".into()]);
    consumer.subscribe(&topic).await.unwrap();
    let answer = consumer.wire.any().await.unwrap().call(3..=8, |_| request).await.unwrap();
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    let record = loop {
        match consumer.next(1, Duration::from_secs(5)).await.unwrap() {
            ConsumerEvent::Records(mut records) => break records.remove(0),
            ConsumerEvent::Assigned(_) | ConsumerEvent::Idle => {}
            other => panic!("{other:?}"),
        }
    };
    let headers: Vec<_> = record.headers.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
    assert_eq!(headers, [("\u{fffd}", None), ("good", Some(&b"1"[..]))]);
    assert_eq!(record.value.as_deref(), Some(&b"value"[..]));
    Box::new(consumer).close().await;
}
