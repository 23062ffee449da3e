//! The whole broker as a state machine: topics, logs, producers and groups, without a clock, a socket or a thread.
//!
//! The driver calls [`Cluster::handle`] with every request and the time it came, [`Cluster::advance`] when
//! [`Cluster::next_wakeup`] has come, and fetches the answers of requests that had to wait with
//! [`Cluster::take_completed`] after each of these calls. The same calls with the same times and seed give the same
//! answers.
//!
//! Invariants: a [`Ticket`] handed out by [`Outcome::Parked`] is completed exactly once, unless its connection is
//! [gone](Cluster::disconnected); time never moves back; nothing that is kept points into a request.

mod agenda;
mod batch;
mod config_admin;
mod faults;
mod fetch;
mod groups;
mod isolation;
mod list_offsets;
mod log;
mod metadata;
mod name;
mod operations;
mod produce;
mod producers;
mod random;
mod records;
mod retention;
mod sasl;
#[cfg(test)]
mod tests;
mod topic_admin;
mod topic_config;
mod topics;
mod transactions;

use std::{collections::HashSet, fmt, time::Duration};

use kafka_protocol::{
    ResponseError,
    messages::{RequestKind, ResponseKind},
};

use crate::{BrokerConfig, wire};

pub use self::faults::Interference;

use self::{
    agenda::{Agenda, Alarm},
    faults::Faults,
    fetch::WaitingFetches,
    groups::{Client, Groups},
    random::Random,
    sasl::Sasl,
    topics::Topics,
    transactions::Transactions,
};

/// Answers each thing once, however often a request names it: what one element asks for can be large.
fn unique<T, K: std::hash::Hash + Eq>(items: Vec<T>, key: impl Fn(&T) -> K) -> impl Iterator<Item = T> {
    let mut seen = HashSet::new();
    items.into_iter().filter(move |item| seen.insert(key(item)))
}

/// A point in time, as the driver sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since some start that never changes; for time-outs.
    pub elapsed: Duration,
    /// Milliseconds since 1970 by the wall clock; for timestamps and the age of records.
    pub unix_millis: i64,
}

/// One client connection, numbered by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Who sent a request, and how it wants the answer.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The connection it came on.
    pub connection: ConnectionId,
    /// The client's name for itself; may be empty.
    pub client_id: &'a str,
    /// The client's address, as descriptions of groups show it.
    pub host: &'a str,
    /// The version of the request, which the answer follows. It must be one that is advertised.
    pub version: i16,
}

/// What becomes of a request.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "moved once per request; a box would be an allocation per request"
)]
pub enum Outcome {
    /// This is the answer.
    Reply(ResponseKind),
    /// The client does not want an answer (produce with acks=0).
    Silent,
    /// The answer comes later, by [`Cluster::take_completed`].
    Parked(Ticket),
    /// The connection is to be closed: there is no way to tell the client what is wrong.
    Disconnect,
}

/// Where clients are told to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// What a cluster holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Bytes of batches in memory, with what each batch costs beside its bytes.
    pub bytes: usize,
    /// Records in memory.
    pub records: u64,
    /// Topics.
    pub topics: usize,
    /// Partitions of all topics.
    pub partitions: usize,
    /// Groups, with or without members.
    pub groups: usize,
}

/// A cluster of one broker. See the [module](self).
pub struct Cluster {
    config: BrokerConfig,
    endpoint: Endpoint,
    cluster_id: String,
    topics: Topics,
    groups: Groups,
    fetches: WaitingFetches,
    transactions: Transactions,
    sasl: Sasl,
    faults: Faults,
    agenda: Agenda,
}

impl fmt::Debug for Cluster {
    /// Shows how much there is, never what it is.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Cluster");
        shown.field("id", &self.cluster_id).field("holdings", &self.holdings()).finish_non_exhaustive()
    }
}

impl Cluster {
    /// An empty cluster. `seed` decides every identifier it will make up.
    pub fn new(config: &BrokerConfig, endpoint: Endpoint, seed: u64, now: Moment) -> Self {
        let mut random = Random::new(seed);
        let cluster_id = config.cluster_id.clone().unwrap_or_else(|| random::kafka_text(random.uuid()));
        let mut cluster = Self {
            config: config.clone(),
            endpoint,
            cluster_id,
            topics: Topics::default(),
            groups: Groups::default(),
            fetches: WaitingFetches::default(),
            transactions: Transactions::default(),
            sasl: Sasl::default(),
            faults: Faults::new(config.fault_seed),
            agenda: Agenda::new(now, random),
        };
        cluster.set_faults(now, config.faults.clone());
        cluster
    }

    /// The id clients see: 22 characters of URL-safe Base64.
    pub fn id(&self) -> &str {
        &self.cluster_id
    }

    /// What is held right now.
    pub fn holdings(&self) -> Holdings {
        let held = self.topics.held();
        Holdings {
            bytes: held.bytes,
            records: held.records,
            topics: self.topics.count(),
            partitions: self.topics.partition_count(),
            groups: self.groups.count(),
        }
    }

    /// Handles one request.
    pub fn handle(&mut self, now: Moment, caller: Caller<'_>, request: RequestKind) -> Outcome {
        self.advance(now);
        let Caller { connection, version, .. } = caller;
        if !self.admits(connection, &request) {
            return Outcome::Disconnect;
        }
        if let Some(error) = self.coordinator_is_away(&request) {
            return Self::refuse(version, &request, error);
        }
        let client = Client { id: caller.client_id, host: caller.host, version };
        let Self { groups, agenda, config, topics, .. } = self;
        Outcome::Reply(match request {
            RequestKind::Produce(request) => return self.produce(version, request),
            RequestKind::Fetch(request) => return self.fetch(connection, version, request),
            RequestKind::JoinGroup(request) => return groups.join(agenda, config, client, request),
            RequestKind::SyncGroup(request) => return groups.sync(agenda, config, client, request),
            RequestKind::Heartbeat(request) => groups.heartbeat(agenda, &request),
            RequestKind::LeaveGroup(request) => groups.leave(agenda, version, request),
            RequestKind::OffsetCommit(request) => groups.commit(agenda, config, topics, request),
            RequestKind::OffsetFetch(request) => groups.committed(version, request),
            RequestKind::OffsetDelete(request) => groups.delete_offsets(topics, request),
            RequestKind::ListGroups(request) => groups.list(&request),
            RequestKind::DescribeGroups(request) => groups.describe(version, request),
            RequestKind::DeleteGroups(request) => groups.delete(request),
            RequestKind::SaslHandshake(request) => self.sasl_handshake(connection, &request),
            RequestKind::SaslAuthenticate(request) => self.sasl_authenticate(connection, &request),
            RequestKind::ApiVersions(_) => ResponseKind::ApiVersions(wire::advertised(0)),
            RequestKind::Metadata(request) => self.metadata(version, request),
            RequestKind::DescribeCluster(request) => self.describe_cluster(&request),
            RequestKind::FindCoordinator(request) => self.find_coordinator(version, request),
            RequestKind::ListOffsets(request) => self.list_offsets(version, request),
            RequestKind::OffsetForLeaderEpoch(request) => self.offset_for_leader_epoch(request),
            RequestKind::InitProducerId(request) => self.init_producer_id(version, &request),
            RequestKind::AddPartitionsToTxn(request) => self.add_partitions_to_txn(version, request),
            RequestKind::AddOffsetsToTxn(request) => self.add_offsets_to_txn(version, &request),
            RequestKind::TxnOffsetCommit(request) => self.txn_offset_commit(client, request),
            RequestKind::EndTxn(request) => self.end_txn(version, &request),
            RequestKind::DescribeTransactions(request) => self.describe_transactions(request),
            RequestKind::ListTransactions(request) => self.list_transactions(&request),
            RequestKind::CreateTopics(request) => self.create_topics(request),
            RequestKind::DeleteTopics(request) => self.delete_topics(version, request),
            RequestKind::CreatePartitions(request) => self.create_partitions(request),
            RequestKind::DeleteRecords(request) => self.delete_records(request),
            RequestKind::DescribeConfigs(request) => self.describe_configs(request),
            RequestKind::AlterConfigs(request) => self.alter_configs(request),
            RequestKind::IncrementalAlterConfigs(request) => self.incremental_alter_configs(request),
            _ => return Outcome::Disconnect,
        })
    }

    /// The answer that refuses a request with this error, where it has a place for one; else the connection is to be
    /// closed.
    pub fn refuse(version: i16, request: &RequestKind, error: ResponseError) -> Outcome {
        match request {
            RequestKind::Produce(request) if request.acks == 0 => Outcome::Disconnect,
            request => faults::refusal(version, request, error).map_or(Outcome::Disconnect, Outcome::Reply),
        }
    }

    /// Lets time pass: everything due by `now` happens.
    pub fn advance(&mut self, now: Moment) {
        self.agenda.advance(now);
        while let Some(alarm) = self.agenda.next_due() {
            match alarm {
                Alarm::Fetch(ticket) => self.complete_fetch(ticket),
                Alarm::Session { group, member } => {
                    self.groups.session_expired(&mut self.agenda, &group, &member);
                }
                Alarm::Rebalance { group } => self.groups.rebalance_due(&mut self.agenda, &group),
                Alarm::Sync { group } => self.groups.sync_due(&mut self.agenda, &group),
                Alarm::Transaction { id } => self.transaction_timed_out(&id),
                Alarm::Fault(index) => self.fault_due(index),
                Alarm::Compaction => self.compact_topics(),
                Alarm::Retention => self.enforce_retention(),
            }
        }
    }

    /// When [`advance`](Self::advance) is to be called next, as [`Moment::elapsed`]; `None` while nothing waits.
    pub fn next_wakeup(&self) -> Option<Duration> {
        self.agenda.next_wakeup()
    }

    /// The answers, since the last call, to requests that had been parked.
    pub fn take_completed(&mut self) -> Vec<(Ticket, ResponseKind)> {
        self.agenda.take_completed()
    }

    /// A connection is gone. Its fetches wait no longer; its group members stay until their session expires, as in
    /// Kafka, and answers for them are completed all the same.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        self.drop_fetches(connection);
        self.sasl.forget(connection);
    }
}
