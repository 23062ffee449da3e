//! The source task of the server mode.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::data::SourceRecord;
use lavka_api::plugin::{Counter, DeliveryListener, SourceTask, SourceTaskStart};
use lavka_api::{Error, Result};

use crate::config::ServerConfig;
use crate::counters::Counters;
use crate::environment::Environment;
use crate::handover::Handover;
use crate::listener::{self, Listener};
use crate::record::RecordMaker;
use crate::request::Request;
use crate::resource::Resource;
use crate::responder::{Settings, Tally};
use crate::secure::{Credentials, Files, Gate, Limits};
use crate::separate::Retransmission;
use crate::upload::UploadLimits;

/// A task: a socket and all that is answered on it.
pub(crate) struct ServerTask {
    address: SocketAddr,
    receive_buffer: usize,
    batch_size: usize,
    settings: Settings,
    /// What devices know the server by, over DTLS, and how many there may be.
    secure: Option<(Files, Limits)>,
    counters: Counters<Tally>,
    records: RecordMaker,
    /// What keeps `poll` from going on, behind the records before it.
    failure: Option<Error>,
    environment: Environment,
    handover: Arc<Handover<Request>>,
    listener: Option<Listener>,
}

impl ServerTask {
    /// # Errors
    /// Where an address or a resource is none.
    pub(crate) fn new(config: &ServerConfig, environment: Environment) -> Result<Self> {
        let address = config.listen.parse().map_err(|_| {
            Error::invalid_value("lavka.coap.listen", &config.listen, "is no address with a port")
        })?;
        let resources: Vec<Resource> = config
            .resources
            .iter()
            .map(|text| Resource::parse(text))
            .collect::<Result<_, _>>()
            .map_err(Error::config)?;
        let size = |number: i64| usize::try_from(number).unwrap_or(1).max(1);
        let millis = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Self {
            address,
            receive_buffer: size(config.receive_buffer.into()),
            batch_size: size(config.batch_size.into()),
            records: RecordMaker::new(config, &resources),
            failure: None,
            counters: listener::counters(),
            secure: config.dtls.then(|| {
                let files = Files {
                    psk: config.psk_file.clone(),
                    identity: None,
                    certificate: config.certificate.clone(),
                    key: config.private_key.clone(),
                    store: config.key_store.clone(),
                    store_password: config.key_store_password.clone(),
                    store_alias: config.key_store_alias.clone(),
                    trusted: config.trusted.clone(),
                    trusted_password: config.trusted_password.clone(),
                    trusted_aliases: config.trusted_aliases.clone(),
                };
                let limits = Limits {
                    sessions: size(config.sessions.into()),
                    handshakes: size(config.handshakes.into()),
                    idle: millis(config.session_idle),
                };
                (files, limits)
            }),
            settings: Settings {
                resources,
                requests: size(config.max_inflight.into()),
                bytes: size(config.max_inflight_bytes),
                exchanges: size(config.exchanges.into()),
                uploads: UploadLimits { body: size(config.max_body), all: size(config.upload_bytes) },
                ack_delay: millis(config.ack_delay),
                retransmission: Retransmission {
                    timeout: millis(config.ack_timeout),
                    times: u32::try_from(config.max_retransmit).unwrap_or(0),
                },
                retry_after: u32::try_from(config.retry_after).unwrap_or(0),
                random: environment.random,
            },
            environment,
            handover: Arc::default(),
            listener: None,
        })
    }
}

#[async_trait]
impl SourceTask for ServerTask {
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        let gate = match self.secure.clone() {
            None => None,
            Some((files, limits)) => Some(gate(files, limits).await?),
        };
        let listener = Listener::start(
            start.id,
            self.address,
            self.receive_buffer,
            gate,
            self.settings.clone(),
            Arc::clone(&self.handover),
            self.counters.clone(),
            self.environment,
        );
        self.listener = Some(listener.await?);
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        loop {
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            // Nothing is awaited between taking requests out and handing them out.
            let requests = self.handover.take(self.batch_size).await?;
            let made = self.records.make(requests);
            self.failure = made.failure;
            if !made.refused.is_empty() {
                self.handover.refuse(&made.refused);
            }
            if !made.records.is_empty() {
                return Ok(made.records);
            }
        }
    }

    fn delivery_listener(&self) -> Option<Arc<dyn DeliveryListener>> {
        Some(Arc::clone(&self.handover) as Arc<dyn DeliveryListener>)
    }

    fn counters(&self) -> Vec<Counter> {
        self.counters.all()
    }

    async fn stop(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.stop().await;
        }
    }
}

async fn gate(files: Files, limits: Limits) -> Result<Gate> {
    let credentials = tokio::task::spawn_blocking(move || Credentials::of_server(&files)).await;
    let credentials = credentials.map_err(|error| Error::fatal(error.to_string()))??;
    let mut key = [0; 32];
    let filled = rustls::crypto::ring::default_provider().secure_random.fill(&mut key);
    filled.map_err(|_| Error::fatal("The system has no random numbers for the cookies of DTLS"))?;
    Ok(Gate::of_server(credentials, limits, key))
}
