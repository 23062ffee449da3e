//! What the clients cost over librdkafka alone, on the embedded broker in the same process.
//!
//! Prints figures; nothing is asserted. `cargo bench -p lavka-kafka --bench clients`

#![expect(clippy::unwrap_used, reason = "a bench ends where something goes wrong")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_api::data::Topic;
use lavka_devbroker::{Broker, BrokerConfig};
use lavka_kafka::RdKafkaCluster;
use lavka_ports::{
    Ack, Buffer, Cluster, Consumer, ConsumerEvent, OutgoingRecord, Producer, SendError, Subscription,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

const COUNT: usize = 200_000;
const SIZE: usize = 1024;
/// Topics where there are many: tables of a large database.
const TOPICS: usize = 5_000;

/// Work per second of time and per second of processor, the broker's share included.
struct Meter {
    started: Instant,
    processor: Duration,
}

impl Meter {
    fn start() -> Self {
        Self { started: Instant::now(), processor: processor_time() }
    }

    fn rate(&self, what: &str, count: usize) -> f64 {
        let (time, processor) = (self.started.elapsed(), processor_time() - self.processor);
        #[expect(clippy::cast_precision_loss, reason = "a count of records")]
        let rate = count as f64 / time.as_secs_f64();
        println!("{what:<44} {rate:>10.0} records/s  {:>6.2} s of processor", processor.as_secs_f64());
        rate
    }
}

/// User and system time of this process, from `/proc/self/stat`, in hundredths of a second.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn resident_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn config(bootstrap: &str, entries: &[(&str, &str)]) -> Config {
    [("bootstrap.servers", bootstrap)].iter().chain(entries).copied().collect()
}

/// librdkafka with the settings that ours come to.
fn bare(bootstrap: &str, entries: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    for (key, value) in entries {
        config.set(*key, *value);
    }
    config
}

/// Sends `COUNT` records to the topics in turn, by their names.
fn produce_bare(bootstrap: &str, topics: &[Topic]) -> f64 {
    let settings = [
        ("acks", "all"),
        ("max.in.flight.requests.per.connection", "1"),
        ("linger.ms", "5"),
        ("queue.buffering.max.kbytes", "32768"),
        ("partitioner", "murmur2_random"),
    ];
    let producer: BaseProducer = bare(bootstrap, &settings).create().unwrap();
    let value = [b'x'; SIZE];
    let send = |number: usize, topic: &Topic| {
        let key = number.to_be_bytes();
        let mut record = BaseRecord::to(topic).key(&key).payload(&value);
        while let Err((error, again)) = producer.send(record) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull));
            producer.poll(Duration::from_millis(1));
            record = again;
        }
        if number.is_multiple_of(1000) {
            producer.poll(Duration::ZERO);
        }
    };
    // The time until the topics are there is nobody's.
    topics.iter().for_each(|topic| send(0, topic));
    producer.flush(Duration::from_secs(60)).unwrap();
    let meter = Meter::start();
    (0..COUNT).zip(topics.iter().cycle()).for_each(|(number, topic)| send(number, topic));
    producer.flush(Duration::from_secs(60)).unwrap();
    meter.rate("producer, librdkafka alone", COUNT)
}

/// Our producer, and what it has acknowledged.
struct Sender {
    producer: Arc<dyn Producer>,
    acks: Vec<Ack>,
    acknowledged: usize,
}

impl Sender {
    async fn send(&mut self, number: usize, topic: &Topic) {
        let key = number.to_be_bytes();
        let value = [b'x'; SIZE];
        let record = OutgoingRecord {
            topic,
            partition: None,
            key: Some(&key),
            value: Some(&value),
            timestamp: None,
            headers: &[],
            token: number,
        };
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err(SendError::QueueFull) => self.collect().await,
                Err(other) => unreachable!("{other:?}"),
            }
        }
    }

    async fn collect(&mut self) {
        self.producer.acks(&mut self.acks).await;
        self.acknowledged += self.acks.drain(..).filter(|ack| ack.outcome.is_ok()).count();
    }

    async fn all(&mut self, count: usize) {
        while self.acknowledged < count {
            self.collect().await;
        }
        self.acknowledged = 0;
    }
}

async fn produce(bootstrap: &str, topics: &[Topic]) -> f64 {
    let settings =
        [("acks", "all"), ("max.in.flight.requests.per.connection", "1"), ("enable.idempotence", "false")];
    let producer = RdKafkaCluster::new().producer(&config(bootstrap, &settings)).unwrap();
    let mut sender = Sender { producer, acks: Vec::new(), acknowledged: 0 };
    for topic in topics {
        sender.send(0, topic).await;
    }
    sender.all(topics.len()).await;
    let meter = Meter::start();
    for (number, topic) in (0..COUNT).zip(topics.iter().cycle()) {
        sender.send(number, topic).await;
    }
    sender.all(COUNT).await;
    meter.rate("producer, ours", COUNT)
}

/// One after the other, each to topics of its own; ours are returned.
async fn produce_beside(bootstrap: &str, name: &str, count: usize) -> Vec<Topic> {
    let topics = |whose: &str| -> Vec<Topic> {
        (0..count).map(|number| Topic::from(format!("{whose}-{name}-{number}"))).collect()
    };
    let (theirs, address) = (topics("bare"), bootstrap.to_owned());
    let alone = tokio::task::spawn_blocking(move || produce_bare(&address, &theirs)).await.unwrap();
    let ours = topics("ours");
    let with = produce(bootstrap, &ours).await;
    println!("{:<44} {:>9.0} %", "producer, ours of librdkafka's", 100.0 * with / alone);
    ours
}

fn consume_bare(bootstrap: &str, topic: &str) -> f64 {
    let settings = [
        ("group.id", "bare"),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
        ("check.crcs", "true"),
    ];
    let consumer: BaseConsumer = bare(bootstrap, &settings).create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    // The time until the group has formed is nobody's.
    while consumer.poll(Duration::from_millis(100)).is_none() {}
    let meter = Meter::start();
    let mut count = 1;
    while count < COUNT {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            std::hint::black_box(message.unwrap().detach());
            count += 1;
        }
    }
    meter.rate("consumer, librdkafka alone", count)
}

async fn reader(bootstrap: &str, group: &str, topic: &str, buffer: Buffer) -> Box<dyn Consumer> {
    let settings = [("group.id", group), ("auto.offset.reset", "earliest")];
    let mut consumer = RdKafkaCluster::new().consumer(&config(bootstrap, &settings), buffer).unwrap();
    consumer.subscribe(&Subscription::Topics(vec![topic.into()])).await.unwrap();
    loop {
        if let ConsumerEvent::Assigned(_) = consumer.next(0, Duration::from_secs(1)).await.unwrap() {
            return consumer;
        }
    }
}

/// Reads `count` records at least, and tells how many it were.
async fn read(consumer: &mut dyn Consumer, count: usize) -> usize {
    let mut seen = 0;
    while seen < count {
        if let ConsumerEvent::Records(records) = consumer.next(500, Duration::from_secs(1)).await.unwrap() {
            seen += std::hint::black_box(records).len();
        }
    }
    seen
}

async fn consume(bootstrap: &str, topic: &str) -> f64 {
    let buffer = Buffer { records: 10_000, bytes: 16 << 20 };
    let mut consumer = reader(bootstrap, "ours", topic, buffer).await;
    let first = read(&mut *consumer, 1).await;
    let meter = Meter::start();
    let rest = read(&mut *consumer, COUNT - first).await;
    let rate = meter.rate("consumer, ours", rest);
    consumer.close().await;
    rate
}

async fn idle(bootstrap: &str, topic: &str) {
    let before = resident_megabytes();
    let mut consumer = reader(bootstrap, "idle", topic, Buffer { records: 10_000, bytes: 16 << 20 }).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let processor = processor_time();
    let window = Duration::from_secs(10);
    let until = Instant::now() + window;
    while Instant::now() < until {
        let _ = consumer.next(500, Duration::from_secs(1)).await.unwrap();
    }
    let used = processor_time() - processor;
    let percent = 100.0 * used.as_secs_f64() / window.as_secs_f64();
    println!("an idle consumer and the idle broker use {percent:.1} % of a processor");
    println!("memory: {before} MB before, {} MB with the consumer", resident_megabytes());
    consumer.close().await;
}

async fn slow(bootstrap: &str, topic: &str) {
    let before = resident_megabytes();
    let mut consumer = reader(bootstrap, "slow", topic, Buffer { records: 10_000, bytes: 8 << 20 }).await;
    read(&mut *consumer, 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let backlog = COUNT * SIZE / (1 << 20);
    println!(
        "a reader that stands still before {backlog} MB, buffer 8 MB, 4 partitions: {} MB more resident",
        resident_megabytes().saturating_sub(before)
    );
    consumer.close().await;
}

/// A broker that has room for all that is sent: one that dropped records would leave readers waiting.
async fn start_broker(partitions: i32) -> Broker {
    let config =
        BrokerConfig { default_partitions: partitions, memory_limit: 4 << 30, ..BrokerConfig::default() };
    Broker::start(config).await.unwrap()
}

#[tokio::main]
async fn main() {
    let broker = start_broker(4).await;
    let bootstrap = broker.bootstrap();
    idle(&bootstrap, "quiet").await;
    for round in 1..=3 {
        println!("round {round}");
        let ours = produce_beside(&bootstrap, &round.to_string(), 1).await.remove(0);
        let (address, name) = (bootstrap.clone(), ours.to_string());
        let alone = tokio::task::spawn_blocking(move || consume_bare(&address, &name)).await.unwrap();
        let with = consume(&bootstrap, &ours).await;
        println!("{:<44} {:>9.0} %", "consumer, ours of librdkafka's", 100.0 * with / alone);
        if round == 1 {
            slow(&bootstrap, &ours).await;
        }
    }
    broker.shutdown().await;
    let broker = start_broker(1).await;
    println!("{TOPICS} topics, a record to each in turn");
    produce_beside(&broker.bootstrap(), "many", TOPICS).await;
    broker.shutdown().await;
}
