//! Records there and back: codecs, headers, nulls, timestamps, idempotence, volume, positions.

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use rdkafka::{
    ClientContext, Message, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{DeliveryResult, Header, Headers, OwnedHeaders, OwnedMessage},
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
    types::RDKafkaErrorCode,
};

use super::{PATIENCE, Running, flush, receive};

fn assign(consumer: &BaseConsumer, topic: &str, partition: i32, offset: Offset) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset).unwrap();
    consumer.assign(&list).unwrap();
}

fn text(message: &OwnedMessage) -> &str {
    std::str::from_utf8(message.payload().unwrap()).unwrap()
}

fn headers(message: &OwnedMessage) -> Vec<(String, Option<Vec<u8>>)> {
    let all = message.headers().into_iter().flat_map(|headers| headers.iter());
    all.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
}

#[test]
fn every_codec_brings_back_keys_values_headers_and_timestamps() {
    let running = Running::new();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("codec-{codec}");
        let producer = running.producer(&[("compression.type", codec), ("linger.ms", "50")]);
        let long = "compressible ".repeat(1000);
        for number in 0..100 {
            let headers = OwnedHeaders::new()
                .insert(Header { key: "number", value: Some(&number.to_string()) })
                .insert(Header { key: "nothing", value: None::<&str> })
                .insert(Header { key: "number", value: Some("again") });
            let record = BaseRecord::to(&topic)
                .partition(0)
                .key("key")
                .payload(&long)
                .timestamp(1_700_000_000_000 + number)
                .headers(headers);
            producer.send(record).unwrap();
        }
        let tombstone = BaseRecord::<str, str>::to(&topic).partition(0).key("gone");
        producer.send(tombstone).unwrap();
        producer.send(BaseRecord::<(), [u8]>::to(&topic).partition(0).payload(&[])).unwrap();
        flush(&producer);

        let consumer = running.consumer(&[]);
        assign(&consumer, &topic, 0, Offset::Beginning);
        let messages = receive(&consumer, 102);
        for (number, message) in (0..).zip(&messages[..100]) {
            assert_eq!((message.offset(), message.key()), (number, Some(&b"key"[..])), "{codec}");
            assert_eq!(text(message), long);
            assert_eq!(message.timestamp().to_millis(), Some(1_700_000_000_000 + number));
            assert_eq!(
                headers(message),
                [
                    ("number".to_owned(), Some(number.to_string().into_bytes())),
                    ("nothing".to_owned(), None),
                    ("number".to_owned(), Some(b"again".to_vec())),
                ]
            );
        }
        assert_eq!((messages[100].key(), messages[100].payload()), (Some(&b"gone"[..]), None));
        assert_eq!((messages[101].key(), messages[101].payload()), (None, Some(&b""[..])));
    }
    running.shutdown();
}

/// Notes where every record went.
#[derive(Default)]
struct Deliveries(Mutex<Vec<Result<i64, RDKafkaErrorCode>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let delivery = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap()),
        };
        self.0.lock().unwrap().push(delivery);
    }
}

#[test]
fn an_idempotent_producer_numbers_its_batches_to_the_brokers_liking() {
    let running = Running::new();
    running.create_topic("idempotent", 3, &[]);
    let mut config = running.client();
    config.set("enable.idempotence", "true").set("linger.ms", "1").set("batch.num.messages", "7");
    let producer: BaseProducer<Deliveries> =
        BaseProducer::from_config_and_context(&config, Deliveries::default()).unwrap();
    for number in 0..3_000 {
        let value = number.to_string();
        producer.send(BaseRecord::<(), str>::to("idempotent").partition(number % 3).payload(&value)).unwrap();
        producer.poll(Duration::ZERO);
    }
    flush(&producer);
    let deliveries = producer.context().0.lock().unwrap().clone();
    assert_eq!(deliveries.len(), 3_000);
    assert!(deliveries.iter().all(Result::is_ok), "{deliveries:?}");
    for partition in 0..3 {
        let consumer = running.consumer(&[]);
        assign(&consumer, "idempotent", partition, Offset::Beginning);
        let values: Vec<i32> =
            receive(&consumer, 1_000).iter().map(|message| text(message).parse().unwrap()).collect();
        assert_eq!(values, (0..1_000).map(|n| n * 3 + partition).collect::<Vec<_>>());
    }
    running.shutdown();
}

#[test]
fn a_batch_beyond_the_limit_of_its_topic_is_refused() {
    let running = Running::new();
    running.create_topic("small", 1, &[("max.message.bytes", "1000")]);
    running.create_topic("large", 1, &[("max.message.bytes", "10000000")]);
    let mut config = running.client();
    config.set("message.max.bytes", "9000000");
    let producer: BaseProducer<Deliveries> =
        BaseProducer::from_config_and_context(&config, Deliveries::default()).unwrap();
    let payload = vec![7_u8; 5_000_000];
    for topic in ["small", "large"] {
        producer.send(BaseRecord::<(), [u8]>::to(topic).partition(0).payload(&payload)).unwrap();
        flush(&producer);
    }
    let deliveries = producer.context().0.lock().unwrap().clone();
    assert_eq!(deliveries, [Err(RDKafkaErrorCode::MessageSizeTooLarge), Ok(0)]);
    let consumer = running.consumer(&[]);
    assign(&consumer, "large", 0, Offset::Beginning);
    assert_eq!(receive(&consumer, 1)[0].payload().unwrap(), payload);
    running.shutdown();
}

#[test]
fn twenty_megabytes_come_through_in_order_and_are_counted() {
    let running = Running::new();
    running.create_topic("stream", 1, &[]);
    let producer = running.producer(&[("linger.ms", "5"), ("queue.buffering.max.kbytes", "65536")]);
    let body = "x".repeat(1000);
    for number in 0..20_000 {
        let value = format!("{number:08}{body}");
        let mut record = BaseRecord::<(), str>::to("stream").partition(0).payload(&value);
        while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) =
            producer.send(record)
        {
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    flush(&producer);
    let stats = running.broker.stats();
    assert_eq!((stats.records, stats.topics, stats.partitions), (20_000, 1, 1));
    assert!(stats.bytes > 20_000_000);
    let consumer = running.consumer(&[]);
    assign(&consumer, "stream", 0, Offset::Beginning);
    for (number, message) in receive(&consumer, 20_000).iter().enumerate() {
        assert_eq!(text(message)[..8], format!("{number:08}"));
    }
    running.shutdown();
}

#[test]
fn positions_are_found_by_number_by_time_and_at_both_ends() {
    let running = Running::new();
    running.create_topic("times", 2, &[]);
    let producer = running.producer(&[("linger.ms", "0"), ("compression.type", "zstd")]);
    for number in 0..50 {
        let value = number.to_string();
        let record = BaseRecord::<(), str>::to("times").partition(0).payload(&value);
        producer.send(record.timestamp(1_700_000_000_000 + number * 10)).unwrap();
        if number % 7 == 0 {
            flush(&producer);
        }
    }
    flush(&producer);
    let consumer = running.consumer(&[]);
    assert_eq!(consumer.fetch_watermarks("times", 0, PATIENCE).unwrap(), (0, 50));
    assert_eq!(consumer.fetch_watermarks("times", 1, PATIENCE).unwrap(), (0, 0));
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_offset("times", 0, Offset::Offset(1_700_000_000_195)).unwrap();
    wanted.add_partition_offset("times", 1, Offset::Offset(1_700_000_000_000)).unwrap();
    let found = consumer.offsets_for_times(wanted, PATIENCE).unwrap();
    assert_eq!(found.find_partition("times", 0).unwrap().offset(), Offset::Offset(20));
    assert_eq!(found.find_partition("times", 1).unwrap().offset(), Offset::End);

    assign(&consumer, "times", 0, Offset::Offset(45));
    assert_eq!(receive(&consumer, 5).iter().map(Message::offset).collect::<Vec<_>>(), [45, 46, 47, 48, 49]);
    consumer.seek("times", 0, Offset::Offset(3), PATIENCE).unwrap();
    assert_eq!(receive(&consumer, 2).iter().map(Message::offset).collect::<Vec<_>>(), [3, 4]);
    consumer.seek("times", 0, Offset::OffsetTail(1), PATIENCE).unwrap();
    assert_eq!(receive(&consumer, 1)[0].offset(), 49);
    running.shutdown();
}

#[test]
fn a_position_that_is_gone_starts_again_where_the_consumer_says() {
    let running = Running::new();
    running.create_topic("short", 1, &[("retention.bytes", "3000")]);
    let value = "x".repeat(1000);
    for _ in 0..10 {
        running.send("short", 0, &[&value]);
    }
    let consumer = running.consumer(&[]);
    let (low, high) = consumer.fetch_watermarks("short", 0, PATIENCE).unwrap();
    assert_eq!((low, high), (8, 10));
    assign(&consumer, "short", 0, Offset::Offset(1));
    assert_eq!(receive(&consumer, 2).iter().map(Message::offset).collect::<Vec<_>>(), [8, 9]);
    running.shutdown();
}

#[test]
fn a_consumer_that_waits_gets_records_of_all_its_partitions() {
    let running = Running::new();
    running.create_topic("a", 3, &[]);
    running.create_topic("b", 3, &[]);
    let consumer = running.consumer(&[]);
    let mut list = TopicPartitionList::new();
    for topic in ["a", "b"] {
        (0..3).for_each(|index| list.add_partition_offset(topic, index, Offset::Beginning).unwrap());
    }
    consumer.assign(&list).unwrap();
    let mut seen = BTreeSet::new();
    for topic in ["a", "b"] {
        for partition in 0..3 {
            running.send(topic, partition, &["hello"]);
            let message = receive(&consumer, 1).remove(0);
            seen.insert((message.topic().to_owned(), message.partition()));
        }
    }
    assert_eq!(seen.len(), 6);
    running.shutdown();
}
