//! Reading whole topics.
//!
//! A transaction that is open below the end of the topic hides what was committed behind it, so its end is waited for
//! first: then the end of what is committed is not below the end that was asked for. Only then a consumer is made, whose
//! end-of-partition events therefore mean that everything up to that end was handed out; librdkafka says nothing of the
//! markers and gaps that it steps over. It costs a connection for each read that finds something new.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::Config;
use lavka_api::data::TopicPartition;
use lavka_api::plugin::Offsets;
use lavka_api::{Error, Result};
use lavka_ports::{Buffer, EachRecord, LogReader, LogRecord};
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::admin::{offsets, topics};
use crate::failure;
use crate::log::NativeLog;
use crate::oauth::Tokens;
use crate::settings;
use crate::wire::WireClient;

/// What is read ahead of the reader.
const AHEAD: Buffer = Buffer { records: 10_000, bytes: 8 << 20 };

/// Records handed over at a time, and how many such batches may wait.
const BATCH: usize = 500;
const BATCHES: usize = 2;

/// How long a read may go without a record or an end before it is given up and tried again.
const SILENCE: Duration = Duration::from_secs(30);

/// Pauses between looks at a transaction that is open, and when it is first told of.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
const PATIENCE: Duration = Duration::from_secs(5);

/// Callbacks of the consumer.
struct Context {
    log: NativeLog,
    tokens: Tokens,
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> std::result::Result<OAuthToken, Box<dyn std::error::Error>> {
        self.tokens.next()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
    }
}

impl ConsumerContext for Context {}

/// A record, copied out of the client.
struct Read {
    partition: i32,
    offset: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

/// The reader behind the port.
pub(crate) struct TopicLog {
    topic: String,
    config: Config,
    wire: WireClient,
    /// Where to go on, by partition; from the beginning where there is nothing.
    positions: Offsets,
}

impl TopicLog {
    /// Makes a reader; connects to nothing yet.
    pub(crate) fn new(config: &Config, topic: &str) -> Result<Self> {
        let settings = settings::log_reader(config, AHEAD)?;
        Ok(Self {
            topic: topic.to_owned(),
            config: config.clone(),
            wire: WireClient::new(settings.wire),
            positions: Offsets::new(),
        })
    }

    /// The partitions that have something new, with their ends.
    async fn news(&self) -> Result<Offsets> {
        let Some(info) = topics::describe(&self.wire, &self.topic).await? else {
            return Err(Error::retriable(format!("Topic {} does not exist", self.topic)));
        };
        let all: Vec<_> = (0..info.partitions)
            .map(|partition| TopicPartition::new(self.topic.as_str(), partition))
            .collect();
        let mut ends = offsets::ends(&self.wire, &all, false).await?;
        ends.retain(|place, end| *end > self.positions.get(place).copied().unwrap_or(0));
        Ok(ends)
    }

    /// Waits until no transaction is open below `ends`.
    async fn settled(&self, ends: &Offsets) -> Result<()> {
        let places: Vec<_> = ends.keys().cloned().collect();
        let (mut pause, most) = PAUSES;
        let mut told = Some(Instant::now() + PATIENCE);
        loop {
            let stable = offsets::ends(&self.wire, &places, true).await?;
            let open = ends.iter().find(|(place, end)| stable.get(place).is_some_and(|stable| stable < end));
            let Some((place, _)) = open else { return Ok(()) };
            if told.is_some_and(|moment| Instant::now() >= moment) {
                told = None;
                tracing::warn!(
                    "reading {place} waits for a transaction that is open there to end or to time out"
                );
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(most);
        }
    }

    fn consumer(&self, ends: &Offsets) -> Result<BaseConsumer<Context>> {
        let settings = settings::log_reader(&self.config, AHEAD)?;
        let context = Context {
            log: NativeLog::new(&settings.wire.client_id),
            tokens: Tokens::of(&settings.wire.security),
        };
        let consumer = BaseConsumer::from_config_and_context(&settings.native.client_config(), context)
            .map_err(|error| failure::creation(&error, "consumer"))?;
        let mut list = TopicPartitionList::new();
        let assigned = ends
            .keys()
            .try_for_each(|place| {
                let from = self.positions.get(place).map_or(Offset::Beginning, |at| Offset::Offset(*at));
                list.add_partition_offset(&place.topic, place.partition, from)
            })
            .and_then(|()| consumer.assign(&list));
        assigned.map_err(|error| Error::fatal(format!("Reading topic {}: {error}", self.topic)))?;
        Ok(consumer)
    }
}

#[async_trait]
impl LogReader for TopicLog {
    async fn read_to_end(&mut self, each: &mut EachRecord<'_>) -> Result<()> {
        let ends = self.news().await?;
        if ends.is_empty() {
            return Ok(());
        }
        self.settled(&ends).await?;
        let consumer = self.consumer(&ends)?;
        let (batches, mut incoming) = mpsc::channel(BATCHES);
        let (topic, wanted) = (self.topic.clone(), Arc::new(ends));
        let asked = Arc::clone(&wanted);
        let reading = tokio::task::spawn_blocking(move || read(&consumer, &topic, &asked, &batches));
        while let Some(batch) = incoming.recv().await {
            for record in batch {
                let Read { partition, offset, key, value } = record;
                each(LogRecord { key: key.as_deref(), value: value.as_deref() });
                self.positions.insert(TopicPartition::new(self.topic.as_str(), partition), offset + 1);
            }
        }
        reading.await.unwrap_or_else(|error| {
            Err(Error::retriable(format!("Reading topic {}: {error}", self.topic)))
        })?;
        for (place, end) in wanted.iter() {
            let position = self.positions.entry(place.clone()).or_insert(*end);
            *position = (*position).max(*end);
        }
        Ok(())
    }
}

/// Reads every partition to its end. Ends early, without an error, where nobody takes the records any more.
fn read(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    ends: &Offsets,
    batches: &mpsc::Sender<Vec<Read>>,
) -> Result<()> {
    let mut open: HashSet<i32> = ends.keys().map(|place| place.partition).collect();
    let mut batch = Vec::with_capacity(BATCH);
    while !open.is_empty() {
        match consumer.poll(SILENCE) {
            Some(Ok(message)) => {
                batch.push(Read {
                    partition: message.partition(),
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                });
                if batch.len() >= BATCH && batches.blocking_send(std::mem::take(&mut batch)).is_err() {
                    return Ok(());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => {
                let subject = format!("Reading topic {topic}");
                match error.rdkafka_error_code() {
                    // The group is a name without a meaning; who may not see it need not.
                    Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {}
                    Some(code) => {
                        let failure = failure::native(code, &subject);
                        if !failure.is_retriable() {
                            return Err(failure);
                        }
                        tracing::debug!("{failure}");
                    }
                    None => return Err(Error::retriable(format!("{subject}: {error}"))),
                }
            }
            None => {
                return Err(Error::retriable(format!(
                    "Reading topic {topic}: nothing came for {} s",
                    SILENCE.as_secs()
                )));
            }
        }
    }
    let _ = batches.blocking_send(batch);
    Ok(())
}
