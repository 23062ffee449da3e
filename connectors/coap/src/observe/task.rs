//! The source task of the observe mode.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigSpec, KeyError, Password};
use lavka_api::data::{SourceRecord, Topic};
use lavka_api::plugin::{Counter, DeliveryListener, SourceTask, SourceTaskStart, TaskId};
use lavka_api::{Error, Result, hex};

use super::address::ServerName;
use super::config::ObserveConfig;
use super::courier::{self, Client};
use super::reading::Reading;
use super::record::RecordMaker;
use super::watcher::{Settings, Tally};
use super::wish::{Share, Wish};
use crate::Millis;
use crate::counters::Counters;
use crate::environment::Environment;
use crate::links::Filter;
use crate::outlet::{Outlet, Recorder};
use crate::payload::Payloads;
use crate::running::Running;
use crate::secure::{Credentials, Files, Gate, Limits, loaded, loaded_for};
use crate::separate::Retransmission;

/// The key of a task's configuration that says which share of each server's resources is the task's.
pub(crate) const SHARES: &str = "lavka.coap.task.shares";

/// What a configuration says.
#[derive(Debug)]
pub(crate) struct Plan {
    /// In order of preference.
    bind: Vec<SocketAddr>,
    receive_buffer: usize,
    batch_size: usize,
    topics: Vec<Topic>,
    records: Box<dyn Recorder<Reading>>,
    settings: Settings,
    /// What secure servers know this client by, if there are any.
    identity: Option<Identity>,
}

/// What a client is known by.
#[derive(Clone, Debug)]
enum Identity {
    Key { identity: String, key: Password },
    Files(Files),
}

impl Identity {
    /// Blocks.
    fn credentials(&self) -> Result<Credentials, KeyError> {
        match self {
            Self::Key { identity, key } => {
                let key = key.reveal();
                let bytes = match key.strip_prefix("hex:") {
                    Some(digits) => hex::decode(digits).ok_or_else(|| {
                        let why = "behind hex: there are hexadecimal digits, two for each byte";
                        KeyError::invalid("lavka.coap.dtls.psk.key", "[hidden]", why)
                    })?,
                    None => key.as_bytes().to_vec(),
                };
                Credentials::of_client_with_key(identity, &bytes)
            }
            Self::Files(files) => Credentials::of_client(files),
        }
    }
}

impl Plan {
    /// # Errors
    /// Where a server, a resource or a filter is none.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let shares: Vec<Share> =
            config.get(SHARES).unwrap_or_default().split(',').filter_map(Share::parse).collect();
        let config = ObserveConfig::from_config(config)?;
        let servers: Vec<ServerName> = parsed(&config.servers, ServerName::parse)?;
        let wishes: Vec<Wish> = parsed(&config.resources, Wish::parse)?;
        let default = Topic::from(config.kafka_topic.as_str());
        let topic = |wish: &Wish| wish.resource.topic.clone().unwrap_or_else(|| default.clone());
        let payloads = Payloads::new(&config.payload_format, &config.payload_on_error);
        let size = |number: i64| usize::try_from(number).unwrap_or(1).max(1);
        let millis = |number: i64| u64::try_from(number).unwrap_or(0);
        let bind =
            match config.bind.as_str() {
                "" => vec![
                    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0).into(),
                    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0).into(),
                ],
                text => vec![text.parse().map_err(|_| {
                    Error::invalid_value("lavka.coap.bind", text, "is no address with a port")
                })?],
            };
        let secure = servers.iter().any(|name| name.secure);
        let identity = secure.then(|| match (config.psk_key.reveal(), &config.psk_identity) {
            ("", _) => Identity::Files(config.files()),
            (_, identity) => Identity::Key { identity: identity.clone(), key: config.psk_key.clone() },
        });
        Ok(Self {
            identity,
            bind,
            receive_buffer: size(config.receive_buffer.into()),
            batch_size: size(config.batch_size.into()),
            records: Box::new(RecordMaker::new(&servers, wishes.iter().map(topic).collect(), payloads)),
            topics: wishes.iter().map(topic).collect(),
            settings: Settings {
                servers: servers
                    .into_iter()
                    .enumerate()
                    .map(|(place, name)| {
                        (name, shares.get(place).copied().unwrap_or(Share { place: 0, of: 1 }))
                    })
                    .collect(),
                wishes,
                filters: parsed(&config.filters, Filter::parse)?,
                observe: config.mode == "observe",
                poll_interval: millis(config.poll_interval),
                discover_interval: millis(config.discover_interval),
                hold: millis(config.hold),
                readings: size(config.max_inflight.into()),
                bytes: size(config.max_inflight_bytes),
                body: size(config.max_body),
                bodies: size(config.bodies),
                exchanges: size(config.exchanges.into()),
                observations: size(config.observations.into()),
                retransmission: Retransmission {
                    timeout: millis(config.ack_timeout),
                    times: u32::try_from(config.max_retransmit).unwrap_or(0),
                },
                backoff: (millis(config.backoff), millis(config.backoff_max)),
                reregister: millis(config.reregister),
                random: Environment::SYSTEM.random,
            },
        })
    }
}

impl Plan {
    /// Whether a server is spoken to over DTLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.identity.is_some()
    }

    /// What is wrong with the files for DTLS, if there is a secure server.
    pub(crate) async fn wrong_files(self) -> Option<KeyError> {
        let identity = self.identity?;
        loaded(move || identity.credentials()).await.err()
    }

    /// The same with records of another dialect, made for servers and the topics of the resources.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn recorded_by(
        self,
        make: impl FnOnce(&[ServerName], Vec<Topic>) -> Result<Box<dyn Recorder<Reading>>>,
    ) -> Result<Self> {
        let servers: Vec<ServerName> = self.settings.servers.iter().map(|(name, _)| name.clone()).collect();
        Ok(Self { records: make(&servers, self.topics.clone())?, ..self })
    }
}

fn parsed<T>(texts: &[String], parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>> {
    texts.iter().map(|text| parse(text)).collect::<Result<_, _>>().map_err(Error::config)
}

/// A task: a socket, and what is observed over it.
pub(crate) struct ObserveTask {
    bind: Vec<SocketAddr>,
    receive_buffer: usize,
    settings: Settings,
    identity: Option<Identity>,
    environment: Environment,
    counters: Counters<Tally>,
    outlet: Outlet<Reading>,
    running: Option<Running>,
}

impl ObserveTask {
    pub(crate) fn new(plan: Plan, environment: Environment) -> Self {
        Self {
            bind: plan.bind,
            receive_buffer: plan.receive_buffer,
            settings: Settings { random: environment.random, ..plan.settings },
            identity: plan.identity,
            environment,
            counters: courier::counters(),
            outlet: Outlet::new(plan.records, plan.batch_size),
            running: None,
        }
    }

    async fn gate(&mut self, id: &TaskId) -> Result<Option<Gate>> {
        let Some(identity) = self.identity.clone() else { return Ok(None) };
        let now = (self.environment.now)();
        let credentials = loaded_for(id, now, move || identity.credentials()).await?;
        let sessions = self.settings.servers.len();
        // Servers are not forgotten: a session ends when they do not answer in it.
        let limits = Limits { sessions, handshakes: sessions, idle: Millis::MAX };
        Ok(Some(Gate::of_client(credentials, limits)))
    }
}

#[async_trait]
impl SourceTask for ObserveTask {
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        let gate = self.gate(&start.id).await?;
        let channel = courier::open(&start.id, &self.bind, self.receive_buffer).await?;
        let client = Client::new(
            start,
            channel.behind(gate),
            self.settings.clone(),
            self.outlet.handover(),
            self.counters.clone(),
            self.environment,
        );
        self.running = Some(Running::spawn(|stopping| client.run(stopping)));
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        self.outlet.poll().await
    }

    fn delivery_listener(&self) -> Option<Arc<dyn DeliveryListener>> {
        Some(self.outlet.listener())
    }

    fn counters(&self) -> Vec<Counter> {
        self.counters.all()
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }
}
