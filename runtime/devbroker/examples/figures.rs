//! Measures the broker with librdkafka on the other side, in one process:
//! `cargo run --release -p lavka-devbroker --example figures`.
//!
//! Prints how long a start takes, the time from produce to consume one record at a time, what a stream of 1 KB records
//! reaches, and the CPU that the broker's own threads use while ten consumers wait. Reads `/proc`, so Linux only.

#![expect(clippy::unwrap_used, reason = "a program for developers; a failed step ends it")]

use std::{
    fs,
    time::{Duration, Instant},
};

use lavka_devbroker::{Broker, BrokerConfig};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    producer::{BaseProducer, BaseRecord, Producer as _},
    types::RDKafkaErrorCode,
};

const THREADS: &str = "broker";
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name(THREADS)
        .enable_all()
        .build()
        .unwrap();
    let start = Instant::now();
    let broker = runtime.block_on(Broker::start(BrokerConfig::default())).unwrap();
    println!("start                      {:?}", start.elapsed());
    let bootstrap = broker.bootstrap();
    latency(&bootstrap);
    throughput(&bootstrap);
    idle(&bootstrap);
    runtime.block_on(broker.shutdown());
}

fn client(bootstrap: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

fn reader(bootstrap: &str, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = client(bootstrap, &[("group.id", "figures")]).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    consumer
}

fn latency(bootstrap: &str) {
    let producer: BaseProducer = client(bootstrap, &[("linger.ms", "0"), ("acks", "all")]).create().unwrap();
    let consumer = reader(bootstrap, "latency");
    let mut times: Vec<Duration> = Vec::new();
    for round in 0..2_200 {
        let sent = Instant::now();
        producer.send(BaseRecord::<(), [u8]>::to("latency").partition(0).payload(&[7; 100])).unwrap();
        while consumer.poll(PATIENCE).unwrap().is_err() {}
        if round >= 200 {
            times.push(sent.elapsed());
        }
        producer.poll(Duration::ZERO);
    }
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    println!("produce to consume         median {:?}, p99 {:?}", at(0.5), at(0.99));
}

fn throughput(bootstrap: &str) {
    const RECORDS: u32 = 200_000;
    let settings = [("linger.ms", "5"), ("acks", "all"), ("queue.buffering.max.messages", "100000")];
    let producer: BaseProducer = client(bootstrap, &settings).create().unwrap();
    let payload = [7_u8; 1024];
    let before = broker_cpu();
    let start = Instant::now();
    for _ in 0..RECORDS {
        let mut record = BaseRecord::<(), [u8]>::to("throughput").partition(0).payload(&payload);
        while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) =
            producer.send(record)
        {
            producer.poll(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(PATIENCE).unwrap();
    report("produced", RECORDS, start.elapsed(), broker_cpu() - before);
    let before = broker_cpu();
    let start = Instant::now();
    let consumer = reader(bootstrap, "throughput");
    let mut bytes = 0;
    for _ in 0..RECORDS {
        bytes += consumer.poll(PATIENCE).unwrap().unwrap().payload_len();
    }
    assert_eq!(bytes, RECORDS as usize * payload.len());
    report("consumed", RECORDS, start.elapsed(), broker_cpu() - before);
}

fn report(what: &str, records: u32, time: Duration, cpu: Duration) {
    let rate = f64::from(records) / time.as_secs_f64();
    println!("{what} 1 KB records       {rate:.0}/s; broker CPU {:?} a record", cpu / records);
}

fn idle(bootstrap: &str) {
    let settings = [("group.id", "idle"), ("auto.offset.reset", "earliest")];
    let consumers: Vec<BaseConsumer> =
        (0..10).map(|_| client(bootstrap, &settings).create().unwrap()).collect();
    for consumer in &consumers {
        consumer.subscribe(&["idle"]).unwrap();
    }
    let poll_all = |time: Duration| {
        let end = Instant::now() + time;
        while Instant::now() < end {
            for consumer in &consumers {
                assert!(consumer.poll(Duration::from_millis(10)).is_none_or(|message| message.is_err()));
            }
        }
    };
    poll_all(Duration::from_secs(8));
    let before = broker_cpu();
    poll_all(Duration::from_secs(20));
    let used = broker_cpu() - before;
    println!("ten idle consumers         {:.3} % of a core", used.as_secs_f64() / 20.0 * 100.0);
}

/// CPU time of the broker's threads so far.
fn broker_cpu() -> Duration {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        if read("comm").trim() == THREADS {
            nanos +=
                read("schedstat").split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Duration::from_nanos(nanos)
}
