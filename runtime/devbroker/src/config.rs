//! What can be set when a broker is started.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::{Fault, SaslConfig, TlsConfig};

/// Settings of a [`Broker`](crate::Broker). The defaults suit a laptop: loopback, a free port, topics created on
/// first use, and at most about a gigabyte of records.
///
/// ```
/// use lavka_devbroker::BrokerConfig;
///
/// let config = BrokerConfig { default_partitions: 4, ..BrokerConfig::default() };
/// assert!(config.auto_create_topics);
/// ```
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Encrypts every connection. `None`: plain text.
    pub tls: Option<TlsConfig>,
    /// Asks every connection for a name and password. `None`: anybody may do anything.
    pub sasl: Option<SaslConfig>,
    /// The host name clients are told to connect to. `None`: the address listened on, or 127.0.0.1 when that is the
    /// unspecified address.
    pub advertised_host: Option<String>,
    /// The id of the one broker.
    pub node_id: i32,
    /// Twenty-two characters of URL-safe Base64, as `kafka-storage random-uuid` prints them. `None`: a new one.
    pub cluster_id: Option<String>,
    /// Whether asking for the metadata of an unknown topic creates it (`auto.create.topics.enable`).
    pub auto_create_topics: bool,
    /// Partitions of a topic that does not say how many (`num.partitions`).
    pub default_partitions: i32,
    /// How long records are kept (`log.retention.ms`); `None` for ever.
    pub retention: Option<Duration>,
    /// Bytes kept per partition (`log.retention.bytes`); `None` without bound but for `memory_limit`.
    pub retention_bytes: Option<u64>,
    /// How often old records, idle producers and forgotten groups are looked for.
    pub retention_check_interval: Duration,
    /// How often compacted topics are looked at while there is something to compact (`log.cleaner.backoff.ms`).
    pub compaction_interval: Duration,
    /// Bytes of records kept in all. Beyond it the oldest records of the largest partition go, except in compacted
    /// topics, which are compacted; when that is not enough, producing fails with KAFKA_STORAGE_ERROR.
    pub memory_limit: u64,
    /// The largest record batch accepted (`message.max.bytes`).
    pub max_message_bytes: i32,
    /// The most bytes of records in one fetch response (`fetch.max.bytes`), unless the first batch alone is larger.
    pub max_fetch_bytes: i32,
    /// Partitions of all topics together.
    pub max_partitions: usize,
    /// Groups known at one time.
    pub max_groups: usize,
    /// Members of one group (`group.max.size`).
    pub max_group_members: usize,
    /// The shortest session timeout a member may ask for (`group.min.session.timeout.ms`).
    pub min_session_timeout: Duration,
    /// The longest session timeout a member may ask for (`group.max.session.timeout.ms`).
    pub max_session_timeout: Duration,
    /// How long a new group waits for more members before its first rebalance (`group.initial.rebalance.delay.ms`).
    pub initial_rebalance_delay: Duration,
    /// The longest time a transaction may stay open (`transaction.max.timeout.ms`).
    pub max_transaction_timeout: Duration,
    /// Transactional ids known at one time.
    pub max_transactional_ids: usize,
    /// How long the offsets of a group without members are kept (`offsets.retention.minutes`).
    pub offsets_retention: Duration,
    /// The longest text committed with an offset (`offset.metadata.max.bytes`).
    pub max_offset_metadata_bytes: usize,
    /// What goes wrong on purpose, from the start.
    pub faults: Vec<Fault>,
    /// Decides which requests are hit by faults that concern a share of them.
    pub fault_seed: u64,
    /// Connections beyond this number are closed at once.
    pub max_connections: usize,
    /// A longer request closes the connection (`socket.request.max.bytes`).
    pub max_request_bytes: usize,
    /// A connection without a request for so long is closed (`connections.max.idle.ms`).
    pub max_connection_idle: Duration,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            sasl: None,
            advertised_host: None,
            node_id: 1,
            cluster_id: None,
            auto_create_topics: true,
            default_partitions: 1,
            retention: Some(Duration::from_hours(7 * 24)),
            retention_bytes: Some(256 * 1024 * 1024),
            retention_check_interval: Duration::from_mins(5),
            compaction_interval: Duration::from_secs(15),
            memory_limit: 1024 * 1024 * 1024,
            max_message_bytes: 1_048_588,
            max_fetch_bytes: 16 * 1024 * 1024,
            max_partitions: 10_000,
            max_groups: 10_000,
            max_group_members: 1_000,
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_mins(30),
            initial_rebalance_delay: Duration::ZERO,
            max_transaction_timeout: Duration::from_mins(15),
            max_transactional_ids: 10_000,
            offsets_retention: Duration::from_hours(7 * 24),
            max_offset_metadata_bytes: 4096,
            faults: Vec::new(),
            fault_seed: 0,
            max_connections: 1_000,
            max_request_bytes: 100 * 1024 * 1024,
            max_connection_idle: Duration::from_mins(10),
        }
    }
}
