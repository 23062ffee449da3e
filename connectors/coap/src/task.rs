//! The source task of the server mode.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::data::SourceRecord;
use lavka_api::plugin::{Counter, DeliveryListener, SourceTask, SourceTaskStart, TaskId};
use lavka_api::{Error, Result};

use crate::config::ServerConfig;
use crate::counters::Counters;
use crate::environment::Environment;
use crate::listener::{self, Server};
use crate::multicast::Group;
use crate::outlet::Outlet;
use crate::record::RecordMaker;
use crate::request::Request;
use crate::resource::Resource;
use crate::responder::{Responder, Settings, Tally};
use crate::running::Running;
use crate::secure::{Credentials, Files, Gate, Limits, loaded_for};
use crate::separate::Retransmission;
use crate::upload::UploadLimits;

/// A task: a socket and all that is answered on it.
pub(crate) struct ServerTask {
    address: SocketAddr,
    groups: Vec<Group>,
    receive_buffer: usize,
    settings: Settings,
    /// What devices know the server by, over DTLS, and how many there may be.
    secure: Option<(Files, Limits)>,
    counters: Counters<Tally>,
    environment: Environment,
    outlet: Outlet<Request>,
    running: Option<Running>,
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
        let groups = config.multicast.iter().map(|text| Group::parse(text));
        let groups: Vec<Group> = groups.collect::<Result<_, _>>().map_err(Error::config)?;
        let size = |number: i64| usize::try_from(number).unwrap_or(1).max(1);
        let millis = |number: i64| u64::try_from(number).unwrap_or(0);
        let limits = Limits {
            sessions: size(config.sessions.into()),
            handshakes: size(config.handshakes.into()),
            idle: millis(config.session_idle),
        };
        let records = RecordMaker::new(config, &resources);
        Ok(Self {
            address,
            groups,
            receive_buffer: size(config.receive_buffer.into()),
            secure: config.dtls.then(|| (config.files(), limits)),
            counters: listener::counters(),
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
                leisure: millis(config.leisure),
                random: environment.random,
            },
            environment,
            outlet: Outlet::new(Box::new(records), size(config.batch_size.into())),
            running: None,
        })
    }

    async fn gate(&mut self, id: &TaskId) -> Result<Option<Gate>> {
        let Some((files, limits)) = self.secure.clone() else { return Ok(None) };
        let now = (self.environment.now)();
        let credentials = loaded_for(id, now, move || Credentials::of_server(&files)).await?;
        let mut key = [0; 32];
        let filled = rustls::crypto::ring::default_provider().secure_random.fill(&mut key);
        filled.map_err(|_| Error::fatal("The system has no random numbers for the cookies of DTLS"))?;
        Ok(Some(Gate::of_server(credentials, limits, key)))
    }
}

#[async_trait]
impl SourceTask for ServerTask {
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        let gate = self.gate(&start.id).await?;
        let channel = listener::open(&start.id, self.address, &self.groups, self.receive_buffer).await?;
        let server = Server::new(
            start.id,
            channel.behind(gate),
            Responder::new(self.settings.clone()),
            self.outlet.handover(),
            self.counters.clone(),
            self.environment,
        );
        self.running = Some(Running::spawn(|stopping| server.run(stopping)));
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
