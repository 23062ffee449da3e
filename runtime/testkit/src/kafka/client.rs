//! What tests ask of a cluster, in blocking calls that fail the test instead of returning errors.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::record::{ConsumedRecord, NewRecord};
use crate::failure::{Context as _, Failure, OrFail as _, fail};

/// How long the cluster may take for one answer.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// A client of one cluster. Every method fails the calling test when the cluster does not do what is asked.
#[derive(Clone, Debug)]
pub struct KafkaClient {
    bootstrap: String,
}

impl KafkaClient {
    /// A client of the cluster behind `bootstrap` (`host:port`, comma separated).
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self { bootstrap: bootstrap.into() }
    }

    /// A librdkafka configuration with the cluster's address, for what this type does not offer.
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// Creates a topic and waits until clients see it.
    #[track_caller]
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        self.create_topic_with(topic, partitions, &[]);
    }

    /// Creates a topic with topic configs, such as `("cleanup.policy", "compact")`.
    #[track_caller]
    pub fn create_topic_with(&self, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let new = configs.iter().fold(new, |new, (key, value)| new.set(key, value));
        let admin = self.admin().or_fail();
        let results = block_on(admin.create_topics([&new], &options()));
        one(results).context(|| format!("cannot create topic {topic}")).or_fail();
        self.wait_for_partitions(topic, partitions);
    }

    /// Raises the number of partitions.
    #[track_caller]
    pub fn grow_topic(&self, topic: &str, partitions: i32) {
        let new = NewPartitions::new(topic, usize::try_from(partitions).unwrap_or_default());
        let admin = self.admin().or_fail();
        let results = block_on(admin.create_partitions([&new], &options()));
        one(results).context(|| format!("cannot add partitions to topic {topic}")).or_fail();
        self.wait_for_partitions(topic, partitions);
    }

    /// Deletes a topic.
    #[track_caller]
    pub fn delete_topic(&self, topic: &str) {
        let admin = self.admin().or_fail();
        let results = block_on(admin.delete_topics(&[topic], &options()));
        one(results).context(|| format!("cannot delete topic {topic}")).or_fail();
    }

    /// Deletes the records of a partition below an offset, as retention does.
    #[track_caller]
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        let admin = self.admin().or_fail();
        let what = || format!("cannot delete records of {topic}-{partition}");
        offsets.add_partition_offset(topic, partition, Offset::Offset(before)).context(what).or_fail();
        let deleted = block_on(admin.delete_records(&offsets, &options())).context(what).or_fail();
        for element in deleted.elements() {
            element.error().context(what).or_fail();
        }
    }

    /// The names of all topics.
    #[track_caller]
    pub fn topics(&self) -> Vec<String> {
        let metadata = self.consumer().or_fail().fetch_metadata(None, PATIENCE);
        let metadata = metadata.context(|| format!("no metadata from {}", self.bootstrap)).or_fail();
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    /// The number of partitions; 0 when there is no such topic.
    #[track_caller]
    pub fn partitions(&self, topic: &str) -> i32 {
        self.count_partitions(&self.consumer().or_fail(), topic).or_fail()
    }

    /// The configs of a topic, defaults included.
    #[track_caller]
    pub fn topic_configs(&self, topic: &str) -> BTreeMap<String, Option<String>> {
        let admin = self.admin().or_fail();
        let results = block_on(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options()));
        let resource = one(results).context(|| format!("cannot describe topic {topic}")).or_fail();
        resource.entries.into_iter().map(|entry| (entry.name, entry.value)).collect()
    }

    /// Produces the records in their order and waits until the cluster has acknowledged every one.
    #[track_caller]
    pub fn produce(&self, topic: &str, records: impl IntoIterator<Item = NewRecord>) {
        self.try_produce(topic, records).or_fail();
    }

    /// The end offset (the next to be written) of every partition, by partition.
    #[track_caller]
    pub fn end_offsets(&self, topic: &str) -> Vec<i64> {
        self.try_end_offsets(topic).or_fail()
    }

    /// Reads a topic from its beginning to its present end, ordered by partition and offset.
    ///
    /// As any librdkafka consumer it reads committed records only.
    #[track_caller]
    pub fn consume_all(&self, topic: &str) -> Vec<ConsumedRecord> {
        let (records, ends) = self.try_consume(topic, PATIENCE, |_, ended, all| ended == all).or_fail();
        if !ends {
            let got = records.len();
            fail(format!("no end of topic {topic} within {PATIENCE:?}; {got} records were read"));
        }
        records
    }

    /// Reads a topic from its beginning until `count` records have come, ordered by partition and offset.
    ///
    /// Waits for a topic that is not there yet. Fails the test when `limit` passes first.
    #[track_caller]
    pub fn consume_count(&self, topic: &str, count: usize, limit: Duration) -> Vec<ConsumedRecord> {
        let (records, enough) = self.try_consume(topic, limit, |read, _, _| read >= count).or_fail();
        if !enough {
            let got = records.len();
            fail(format!("topic {topic} had {got} records of {count} within {limit:?}"));
        }
        records
    }

    /// The committed offset of a group for every partition of a topic, by partition.
    #[track_caller]
    pub fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", group)
            .create()
            .context(|| format!("no consumer for {}", self.bootstrap))
            .or_fail();
        let count = self.count_partitions(&consumer, topic).or_fail();
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(topic, 0, count - 1);
        let deadline = Instant::now() + PATIENCE;
        let answer = loop {
            match consumer.committed_offsets(asked.clone(), PATIENCE) {
                Err(error) if is_starting(&error) && Instant::now() < deadline => std::thread::sleep(POLL),
                answer => break answer,
            }
        };
        let answer = answer.context(|| format!("cannot read the offsets of group {group}")).or_fail();
        let offset = |partition| match answer.find_partition(topic, partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        (0..count).map(offset).collect()
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, Failure> {
        self.config().create().context(|| format!("no admin client for {}", self.bootstrap))
    }

    fn consumer(&self) -> Result<BaseConsumer, Failure> {
        self.config()
            // Named only because librdkafka refuses to assign partitions without it.
            .set("group.id", "lavka-testkit")
            .set("enable.partition.eof", "true")
            .set("enable.auto.commit", "false")
            .create()
            .context(|| format!("no consumer for {}", self.bootstrap))
    }

    fn count_partitions(&self, consumer: &BaseConsumer, topic: &str) -> Result<i32, Failure> {
        // All topics are listed: asking for one by name would create it.
        let metadata = consumer
            .fetch_metadata(None, PATIENCE)
            .context(|| format!("no metadata from {}", self.bootstrap))?;
        let found = metadata.topics().iter().find(|listed| listed.name() == topic);
        Ok(found.map_or(0, |topic| i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX)))
    }

    #[track_caller]
    fn wait_for_partitions(&self, topic: &str, partitions: i32) {
        let consumer = self.consumer().or_fail();
        let deadline = Instant::now() + PATIENCE;
        while self.count_partitions(&consumer, topic).or_fail() < partitions {
            if Instant::now() >= deadline {
                fail(format!(
                    "topic {topic} was created, but clients do not see its {partitions} partitions"
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn try_produce(&self, topic: &str, records: impl IntoIterator<Item = NewRecord>) -> Result<(), Failure> {
        let explain = || format!("cannot produce to topic {topic}");
        let deliveries = Deliveries::default();
        let producer: BaseProducer<Deliveries> = self
            .config()
            .set("partitioner", "murmur2_random")
            // Not idempotent, which costs half a second a call; one request at a time keeps the order all the same.
            .set("acks", "all")
            .set("max.in.flight.requests.per.connection", "1")
            .set("linger.ms", "1")
            .create_with_context(deliveries.clone())
            .context(explain)?;
        for record in records {
            let mut message = BaseRecord::to(topic);
            message.partition = record.partition;
            message.timestamp = record.timestamp;
            message.key = record.key.as_ref();
            message.payload = record.value.as_ref();
            message.headers = record.owned_headers();
            while let Err((error, refused)) = producer.send(message) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error).context(explain);
                }
                producer.poll(POLL);
                message = refused;
            }
        }
        producer.flush(PATIENCE).context(explain)?;
        deliveries.first_failure().map_or(Ok(()), |failure| Err(failure).context(explain))
    }

    fn try_end_offsets(&self, topic: &str) -> Result<Vec<i64>, Failure> {
        let consumer = self.consumer()?;
        let count = self.count_partitions(&consumer, topic)?;
        let end = |partition| {
            let marks = consumer.fetch_watermarks(topic, partition, PATIENCE);
            marks.map(|(_, end)| end).context(|| format!("cannot read the end of {topic}-{partition}"))
        };
        (0..count).map(end).collect()
    }

    /// Reads until `enough(records, partitions ended, partitions)`; `false` when `limit` passed first.
    fn try_consume(
        &self,
        topic: &str,
        limit: Duration,
        enough: impl Fn(usize, usize, usize) -> bool,
    ) -> Result<(Vec<ConsumedRecord>, bool), Failure> {
        let deadline = Instant::now() + limit;
        let consumer = self.consumer()?;
        let mut count = self.count_partitions(&consumer, topic)?;
        while count == 0 && Instant::now() < deadline {
            std::thread::sleep(POLL);
            count = self.count_partitions(&consumer, topic)?;
        }
        if count == 0 {
            return Err(Failure::new(format!("there is no topic {topic}")));
        }
        let mut assigned = TopicPartitionList::new();
        for partition in 0..count {
            assigned
                .add_partition_offset(topic, partition, Offset::Beginning)
                .context(|| format!("cannot read {topic}-{partition}"))?;
        }
        consumer.assign(&assigned).context(|| format!("cannot read topic {topic}"))?;
        let mut records = Vec::new();
        let mut ended = HashSet::new();
        let partitions = assigned.count();
        let mut done = enough(0, 0, partitions);
        while !done && Instant::now() < deadline {
            match consumer.poll(POLL) {
                Some(Ok(message)) => records.push(ConsumedRecord::read(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(error).context(|| format!("cannot read topic {topic}")),
                None => {}
            }
            done = enough(records.len(), ended.len(), partitions);
        }
        records.sort_by_key(|record: &ConsumedRecord| (record.partition, record.offset));
        Ok((records, done))
    }
}

/// librdkafka reports lost connections and goes on by itself.
fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
        )
    )
}

/// The group coordinator is elected and loaded when the first group asks for it.
fn is_starting(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
        )
    )
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

/// The one result of a request about one thing.
fn one<T>(results: Result<Vec<Result<T, impl Into<AdminError>>>, KafkaError>) -> Result<T, Failure> {
    let results = results.context(|| "the request failed".to_owned())?;
    match results.into_iter().next() {
        Some(result) => result.map_err(|error| Failure::new(error.into().0)),
        None => Err(Failure::new("the cluster answered without a result")),
    }
}

/// The text of either shape in which librdkafka's binding hands out one item's error.
struct AdminError(String);

impl From<(String, RDKafkaErrorCode)> for AdminError {
    fn from((_, code): (String, RDKafkaErrorCode)) -> Self {
        Self(KafkaError::AdminOp(code).to_string())
    }
}

impl From<RDKafkaErrorCode> for AdminError {
    fn from(code: RDKafkaErrorCode) -> Self {
        Self(KafkaError::AdminOp(code).to_string())
    }
}

/// Remembers the first record that was not delivered.
#[derive(Clone, Default)]
struct Deliveries(Arc<Mutex<Option<KafkaError>>>);

impl Deliveries {
    fn first_failure(&self) -> Option<KafkaError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| error.clone());
        }
    }
}
