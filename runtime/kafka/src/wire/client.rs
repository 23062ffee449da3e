//! All brokers of a cluster: one connection each, and calls that are repeated while trouble passes.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use lavka_api::{Error, ErrorClass, Result};
use tokio::time::Instant;

use super::connection::Connection;
use super::stream::unreachable;
use crate::failure;
use crate::settings::{Endpoint, WireSettings};

/// Who has a coordinator, by the kinds of the protocol (KIP-98).
#[derive(Debug, Clone, Copy)]
enum Coordinated<'a> {
    Group(&'a str),
    TransactionalId(&'a str),
}

impl Coordinated<'_> {
    fn kind(self) -> i8 {
        match self {
            Self::Group(_) => 0,
            Self::TransactionalId(_) => 1,
        }
    }

    fn key(self) -> StrBytes {
        let (Self::Group(key) | Self::TransactionalId(key)) = self;
        StrBytes::from_string(key.to_owned())
    }
}

impl fmt::Display for Coordinated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => write!(f, "group {name}"),
            Self::TransactionalId(id) => write!(f, "transactional id {id}"),
        }
    }
}

/// The connection to a broker, while it lasts; the lock is held while it is opened, so that it is opened once.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Connection>>>>;

/// A client of a cluster. Opens nothing before the first call; an error never outlives the call.
pub(crate) struct WireClient {
    settings: WireSettings,
    slots: Mutex<HashMap<Endpoint, Slot>>,
    /// Brokers as the cluster last listed them; asked where no bootstrap server answers.
    known: Mutex<Vec<Endpoint>>,
}

impl WireClient {
    pub(crate) fn new(settings: WireSettings) -> Self {
        Self { settings, slots: Mutex::default(), known: Mutex::default() }
    }

    pub(crate) fn settings(&self) -> &WireSettings {
        &self.settings
    }

    /// Repeats `attempt` with growing pauses while its error is retriable, for `default.api.timeout.ms` in all.
    ///
    /// # Errors
    /// The last error, or a timeout that says what was asked.
    pub(crate) async fn repeat<T, F, A>(&self, what: &str, mut attempt: F) -> Result<T>
    where
        F: FnMut() -> A,
        A: Future<Output = Result<T>>,
    {
        let limit = self.settings.call_timeout;
        let deadline = Instant::now() + limit;
        let mut pause = self.settings.backoff;
        let mut last: Option<Error> = None;
        loop {
            match tokio::time::timeout_at(deadline, attempt()).await {
                Ok(Err(error)) if error.is_retriable() => {
                    tracing::debug!("{what} will be tried again: {error}");
                    last = Some(error);
                }
                Ok(outcome) => return outcome,
                Err(_) => return Err(timed_out(what, limit, last)),
            }
            if Instant::now() + pause >= deadline {
                return Err(timed_out(what, limit, last));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.settings.backoff_max);
        }
    }

    /// The connection to `broker`, opened if need be.
    pub(crate) async fn connection(&self, broker: &Endpoint) -> Result<Arc<Connection>> {
        let slot = Arc::clone(self.slots().entry(broker.clone()).or_default());
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| connection.is_open()) {
            return Ok(Arc::clone(connection));
        }
        *slot = None;
        let connection = Arc::new(Connection::open(broker, &self.settings).await?);
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// A connection to whichever broker answers: first one that is open, then the bootstrap servers, then those that the
    /// cluster once listed.
    pub(crate) async fn any(&self) -> Result<Arc<Connection>> {
        if let Some(connection) = self.open_connection() {
            return Ok(connection);
        }
        let mut candidates = self.settings.bootstrap.clone();
        for broker in self.known().iter() {
            if !candidates.contains(broker) {
                candidates.push(broker.clone());
            }
        }
        let mut failures = Vec::new();
        for broker in &candidates {
            match self.connection(broker).await {
                Ok(connection) => return Ok(connection),
                Err(error) if error.is_retriable() => failures.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorClass::Retriable, failure::TIMEOUT, failures.join("; ")))
    }

    fn open_connection(&self) -> Option<Arc<Connection>> {
        let slots = self.slots();
        slots
            .values()
            .find_map(|slot| slot.try_lock().ok()?.clone().filter(|connection| connection.is_open()))
    }

    /// Metadata of `topics`, of all of them where `None`. Creates no topic.
    pub(crate) async fn metadata(&self, topics: Option<&[&str]>) -> Result<MetadataResponse> {
        self.ask_metadata(topics, false).await
    }

    /// Metadata of `topics`, which the broker may create where they do not exist, if it is set to do that. A topic that
    /// is being created shows as unknown.
    pub(crate) async fn metadata_creating(&self, topics: &[&str]) -> Result<MetadataResponse> {
        self.ask_metadata(Some(topics), true).await
    }

    async fn ask_metadata(&self, topics: Option<&[&str]>, create: bool) -> Result<MetadataResponse> {
        let topics = topics.map(|names| {
            let named = |name: &&str| {
                MetadataRequestTopic::default()
                    .with_name(Some(TopicName(StrBytes::from_string((*name).to_owned()))))
            };
            names.iter().map(named).collect()
        });
        let connection = self.any().await?;
        // Before version 4 asking creates.
        let request =
            |_| MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(create);
        let metadata = connection.call(4..=13, request).await?;
        if metadata.error_code != 0 {
            return Err(failure::protocol(metadata.error_code, "Metadata of the cluster", None));
        }
        self.remember(&metadata);
        Ok(metadata)
    }

    fn remember(&self, metadata: &MetadataResponse) {
        let brokers: Vec<_> = metadata.brokers.iter().filter_map(|b| endpoint(&b.host, b.port)).collect();
        let bootstrap = &self.settings.bootstrap;
        self.slots().retain(|broker, _| brokers.contains(broker) || bootstrap.contains(broker));
        *self.known() = brokers;
    }

    /// A connection to the broker with this id, which `metadata` lists.
    pub(crate) async fn broker(&self, metadata: &MetadataResponse, id: BrokerId) -> Result<Arc<Connection>> {
        let listed = metadata.brokers.iter().find(|broker| broker.node_id == id);
        match listed.and_then(|broker| endpoint(&broker.host, broker.port)) {
            Some(broker) => self.connection(&broker).await,
            None => Err(Error::retriable(format!("Broker {} is not in the cluster's list now", id.0))),
        }
    }

    /// A connection to the coordinator of a consumer group.
    ///
    /// # Errors
    /// Retriable while the group has none.
    pub(crate) async fn coordinator(&self, group: &str) -> Result<Arc<Connection>> {
        self.coordinator_of(Coordinated::Group(group)).await
    }

    /// A connection to the coordinator of a transactional id.
    ///
    /// # Errors
    /// Retriable while it has none.
    pub(crate) async fn transaction_coordinator(&self, id: &str) -> Result<Arc<Connection>> {
        self.coordinator_of(Coordinated::TransactionalId(id)).await
    }

    async fn coordinator_of(&self, whose: Coordinated<'_>) -> Result<Arc<Connection>> {
        let connection = self.any().await?;
        let key = whose.key();
        let request = |version| {
            let request = FindCoordinatorRequest::default().with_key_type(whose.kind());
            if version >= 4 { request.with_coordinator_keys(vec![key]) } else { request.with_key(key) }
        };
        let answer = connection.call(1..=6, request).await?;
        let (code, message, host, port) = match answer.coordinators.into_iter().next() {
            Some(found) => (found.error_code, found.error_message, found.host, found.port),
            None => (answer.error_code, answer.error_message, answer.host, answer.port),
        };
        if code != 0 {
            return Err(failure::protocol(code, &format!("Coordinator of {whose}"), message.as_deref()));
        }
        match endpoint(&host, port) {
            Some(broker) => self.connection(&broker).await,
            None => Err(unreachable(connection.broker(), format_args!("it knows no coordinator of {whose}"))),
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Endpoint, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Endpoint>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn endpoint(host: &StrBytes, port: i32) -> Option<Endpoint> {
    let port = u16::try_from(port).ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| Endpoint { host: host.to_string(), port })
}

fn timed_out(what: &str, limit: Duration, last: Option<Error>) -> Error {
    let text = format!("{what}: timed out after {} ms", limit.as_millis());
    let error = Error::new(ErrorClass::Retriable, failure::TIMEOUT, text);
    match last {
        Some(last) => error.caused_by(last),
        None => error,
    }
}
