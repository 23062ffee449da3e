//! The same through librdkafka.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    message::{Header, Headers, OwnedHeaders, OwnedMessage},
    producer::{BaseProducer, BaseRecord, Producer},
};

use super::{PATIENCE, session::Session};

fn client(session: &Session, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &session.bootstrap);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

fn consumer(session: &Session, settings: &[(&str, &str)]) -> BaseConsumer {
    let group = session.name("group");
    let own = [
        ("group.id", group.as_str()),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "earliest"),
        ("heartbeat.interval.ms", "100"),
        ("session.timeout.ms", "6000"),
        ("fetch.wait.max.ms", "100"),
    ];
    client(session, &[&own[..], settings].concat()).create().unwrap()
}

fn receive(consumer: &BaseConsumer, count: usize) -> Vec<OwnedMessage> {
    let start = Instant::now();
    let mut messages = Vec::new();
    while messages.len() < count {
        assert!(start.elapsed() < PATIENCE, "only {} of {count} messages came", messages.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            messages.push(message.unwrap().detach());
        }
    }
    messages
}

fn shown(message: &OwnedMessage) -> String {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let headers: Vec<String> = message
        .headers()
        .into_iter()
        .flat_map(Headers::iter)
        .map(|header| format!("{}={:?}", header.key, header.value.map(String::from_utf8_lossy)))
        .collect();
    format!(
        "{}-{} {:?} {:?} {:?} {headers:?}",
        message.partition(),
        message.offset(),
        text(message.key()),
        text(message.payload()),
        message.timestamp()
    )
}

pub(crate) fn codecs(session: &mut Session) {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        session.create(codec, 1, &[]);
        let topic = session.name(codec);
        let settings = [("compression.type", codec), ("linger.ms", "50"), ("enable.idempotence", "true")];
        let producer: BaseProducer = client(session, &settings).create().unwrap();
        for number in 0..5 {
            let headers = OwnedHeaders::new()
                .insert(Header { key: "number", value: Some(&number.to_string()) })
                .insert(Header { key: "nothing", value: None::<&str> });
            let value = "compressible ".repeat(number);
            let record = BaseRecord::to(&topic)
                .partition(0)
                .key("key")
                .payload(&value)
                .timestamp(1_700_000_000_000 + i64::try_from(number).unwrap())
                .headers(headers);
            producer.send(record).unwrap();
        }
        producer.send(BaseRecord::<str, str>::to(&topic).partition(0).key("gone").timestamp(1)).unwrap();
        producer.flush(PATIENCE).unwrap();
        let consumer = consumer(session, &[]);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        for message in receive(&consumer, 6) {
            session.note(codec, shown(&message));
        }
        list.set_partition_offset(&topic, 0, Offset::Offset(1_700_000_000_003)).unwrap();
        let found = consumer.offsets_for_times(list, PATIENCE).unwrap();
        session.note(codec, format!("{:?}", found.elements()[0].offset()));
        session.note(codec, format!("{:?}", consumer.fetch_watermarks(&topic, 0, PATIENCE).unwrap()));
    }
}

fn settle(consumers: &[(&BaseConsumer, usize)]) {
    let start = Instant::now();
    while !consumers.iter().all(|(consumer, wanted)| consumer.assignment().unwrap().count() == *wanted) {
        assert!(start.elapsed() < PATIENCE, "the group does not settle");
        for (consumer, _) in consumers {
            drop(consumer.poll(Duration::from_millis(5)));
        }
    }
}

pub(crate) fn groups(session: &mut Session) {
    session.create("t", 4, &[]);
    let topic = session.name("t");
    let producer: BaseProducer = client(session, &[("linger.ms", "0")]).create().unwrap();
    for partition in 0..4 {
        producer.send(BaseRecord::<(), str>::to(&topic).partition(partition).payload("value")).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    for strategy in ["range", "cooperative-sticky"] {
        let group = session.name(strategy);
        let settings = [("partition.assignment.strategy", strategy), ("group.id", group.as_str())];
        let first = consumer(session, &settings);
        first.subscribe(&[&topic]).unwrap();
        let mut seen: Vec<String> =
            receive(&first, 4).iter().map(|one| format!("{}-{}", one.partition(), one.offset())).collect();
        seen.sort();
        session.note(strategy, format!("alone {seen:?}"));
        let second = consumer(session, &settings);
        second.subscribe(&[&topic]).unwrap();
        settle(&[(&first, 2), (&second, 2)]);
        let list = first.fetch_group_list(Some(&group), PATIENCE).unwrap();
        let found = &list.groups()[0];
        session.note(
            strategy,
            format!(
                "{} {} {} with {} members",
                found.state(),
                found.protocol_type(),
                found.protocol(),
                found.members().len()
            ),
        );
        let mut offsets = TopicPartitionList::new();
        let mine = first.assignment().unwrap().elements()[0].partition();
        offsets.add_partition_offset(&topic, mine, Offset::Offset(1)).unwrap();
        first.commit(&offsets, CommitMode::Sync).unwrap();
        drop(second);
        settle(&[(&first, 4)]);
        let committed = first.committed_offsets(offsets, PATIENCE).unwrap();
        session.note(strategy, format!("committed {:?}", committed.elements()[0].offset()));
    }
}

pub(crate) fn transactions(session: &mut Session) {
    session.create("t", 1, &[]);
    let (topic, id) = (session.name("t"), session.name("id"));
    let new = |session: &Session| {
        let producer: BaseProducer =
            client(session, &[("transactional.id", id.as_str()), ("linger.ms", "0")]).create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer
    };
    let send = |producer: &BaseProducer, value: &str| {
        producer.send(BaseRecord::<(), str>::to(&topic).partition(0).payload(value)).unwrap();
        producer.flush(PATIENCE).unwrap();
    };
    let first = new(session);
    for (value, commit) in [("a", true), ("b", false), ("c", true)] {
        first.begin_transaction().unwrap();
        send(&first, value);
        let ended =
            if commit { first.commit_transaction(PATIENCE) } else { first.abort_transaction(PATIENCE) };
        session.note(format!("{value} commit {commit}"), format!("{:?}", ended.is_ok()));
    }
    first.begin_transaction().unwrap();
    send(&first, "left open");
    let second = new(session);
    let refused = first.commit_transaction(PATIENCE).unwrap_err();
    session.note("the first one commits", format!("{:?}", refused.rdkafka_error_code()));
    second.begin_transaction().unwrap();
    send(&second, "d");
    second.commit_transaction(PATIENCE).unwrap();
    for isolation in ["read_uncommitted", "read_committed"] {
        let consumer = consumer(session, &[("isolation.level", isolation)]);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let count = if isolation == "read_committed" { 3 } else { 5 };
        let seen: Vec<String> = receive(&consumer, count)
            .iter()
            .map(|one| {
                format!("{}={}", one.offset(), String::from_utf8_lossy(one.payload().unwrap_or_default()))
            })
            .collect();
        session.note(isolation, format!("{seen:?}"));
    }
}
