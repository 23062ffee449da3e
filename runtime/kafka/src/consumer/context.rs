//! What librdkafka calls while the main queue is polled.
//!
//! Rebalances are only noted here: the thread takes them up after the poll and answers them when the reader is ready, so
//! that it is never stuck inside a callback. librdkafka waits for the answer meanwhile.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lavka_api::data::TopicPartition;
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::log::NativeLog;
use crate::oauth::Tokens;
use crate::settings::WireSettings;

/// What the group coordinator wants of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Assign,
    Revoke,
}

/// A rebalance that waits for an answer.
pub(super) struct Rebalance {
    pub(super) change: Change,
    pub(super) list: TopicPartitionList,
}

impl Rebalance {
    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        self.list.elements().iter().map(|e| TopicPartition::new(e.topic(), e.partition())).collect()
    }

    /// Answers the coordinator: from here on the partitions are read, or no longer ours.
    pub(super) fn answer(&self, consumer: &BaseConsumer<Context>) -> KafkaResult<()> {
        let step_by_step = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        match (self.change, step_by_step) {
            (Change::Assign, true) => consumer.incremental_assign(&self.list),
            (Change::Assign, false) => consumer.assign(&self.list),
            (Change::Revoke, true) => consumer.incremental_unassign(&self.list),
            (Change::Revoke, false) => consumer.unassign(),
        }
    }
}

pub(super) struct Context {
    log: NativeLog,
    tokens: Tokens,
    rebalances: Mutex<VecDeque<Rebalance>>,
    /// Counts callbacks: a poll that returned nothing may have served one, and more may follow.
    activity: AtomicU64,
    /// The last error's own words, which come apart from its code.
    reason: Mutex<String>,
    /// Nobody waits for rebalances any more: they are answered at once.
    closing: AtomicBool,
}

impl Context {
    pub(super) fn new(settings: &WireSettings) -> Self {
        Self {
            log: NativeLog::new(&settings.client_id),
            tokens: Tokens::of(&settings.security),
            rebalances: Mutex::default(),
            activity: AtomicU64::new(0),
            reason: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    fn rebalances(&self) -> MutexGuard<'_, VecDeque<Rebalance>> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_rebalance(&self) -> Option<Rebalance> {
        self.rebalances().pop_front()
    }

    pub(super) fn activity(&self) -> u64 {
        self.activity.load(Ordering::Relaxed)
    }

    pub(super) fn reason(&self) -> String {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    fn active(&self) {
        self.activity.fetch_add(1, Ordering::Relaxed);
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.active();
        self.tokens.next()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.active();
        self.log.line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.active();
        self.log.error(&error, reason);
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason.to_owned();
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        self.active();
        let change = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            Change::Assign
        } else {
            Change::Revoke
        };
        let rebalance = Rebalance { change, list: list.clone() };
        if !self.closing.load(Ordering::Acquire) {
            self.rebalances().push_back(rebalance);
        } else if let Err(error) = rebalance.answer(consumer) {
            tracing::warn!("a partition could not be handed back while closing: {error}");
        }
    }

    fn commit_callback(&self, _: KafkaResult<()>, _: &TopicPartitionList) {
        self.active();
    }
}
