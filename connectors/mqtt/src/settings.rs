//! What a task's connection needs, derived from its configuration.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::Password;
use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use rustls::ClientConfig;

use crate::access::Access;
use crate::config::MqttConfig;
use crate::message::Qos;
use crate::server::Server;

/// Settings of the connection of one task. No `Debug`: there are secrets in it.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) task: TaskId,
    /// Tried in this order.
    pub(crate) servers: Vec<Server>,
    pub(crate) client_id: String,
    pub(crate) filters: Vec<String>,
    /// What is asked for.
    pub(crate) qos: Qos,
    /// QoS 1 and 2 messages of our own that may be under way.
    pub(crate) outgoing: u16,
    pub(crate) credentials: Option<(String, Password)>,
    pub(crate) clean_session: bool,
    pub(crate) keep_alive: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_packet: u32,
    /// For servers that want it; filled in by whoever may block.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// What a certificate must be for, in place of the host.
    pub(crate) server_name: Option<String>,
    /// First and longest wait before connecting again.
    pub(crate) backoff: (Duration, Duration),
    /// What MQTT 5 adds; `None` for 3.1.1.
    pub(crate) v5: Option<V5>,
}

/// Settings that MQTT 5 has and 3.1.1 has not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct V5 {
    pub(crate) receive_maximum: u16,
    /// Seconds; 0 ends the session with the connection.
    pub(crate) session_expiry: u32,
    /// Whether properties of messages are kept.
    pub(crate) properties: bool,
}

impl Settings {
    /// Settings of the source's task `id`, without the files that `tls` is read from.
    pub(crate) fn new(config: &MqttConfig, id: &TaskId) -> Result<Self> {
        let session_expiry = u32::try_from(config.session_expiry).unwrap_or(u32::MAX);
        Ok(Self {
            filters: config.topics.clone(),
            qos: Qos::from_number(config.qos),
            clean_session: config.clean_session,
            v5: config.is_v5().then(|| V5 {
                receive_maximum: u16::try_from(config.max_inflight).unwrap_or(u16::MAX),
                session_expiry: if config.clean_session { 0 } else { session_expiry },
                properties: config.v5_headers || config.goes_by_content_type(),
            }),
            ..Self::to_reach(&config.access(), id)?
        })
    }

    /// Settings of a connection of task `id` that asks for nothing, without the files that `tls` is read from.
    ///
    /// Its session ends with it. One that was kept would still hold the packet ids of QoS 2 messages whose `PUBREL` did not
    /// arrive, and the server would throw away the next message that is given such an id (MQTT 3.1.1 and 5, §4.3.3).
    pub(crate) fn to_reach(access: &Access, id: &TaskId) -> Result<Self> {
        let servers = access.servers.iter().map(|uri| Server::parse(uri));
        let servers = servers.collect::<Result<Vec<_>, _>>().map_err(Error::config)?;
        let prefix = access.client_id.clone().unwrap_or_else(|| format!("lavka-{}", id.connector));
        let millis = |ms: i64| Duration::from_millis(ms.unsigned_abs());
        let seconds = |s: i32| Duration::from_secs(s.unsigned_abs().into());
        Ok(Self {
            task: id.clone(),
            servers,
            client_id: format!("{prefix}-{}", id.task),
            filters: Vec::new(),
            qos: Qos::AtMostOnce,
            outgoing: 0,
            credentials: (!access.username.is_empty())
                .then(|| (access.username.clone(), access.password.clone())),
            clean_session: true,
            keep_alive: seconds(access.keep_alive),
            connect_timeout: seconds(access.connect_timeout),
            max_packet: u32::try_from(access.max_packet).unwrap_or(u32::MAX),
            tls: None,
            server_name: access.server_name.clone(),
            backoff: (millis(access.backoff), millis(access.backoff_max)),
            v5: access.v5.then_some(V5 { receive_maximum: u16::MAX, session_expiry: 0, properties: false }),
        })
    }

    /// Bytes of the largest packet that is read.
    pub(crate) fn largest(&self) -> usize {
        usize::try_from(self.max_packet).unwrap_or(usize::MAX)
    }

    /// The protocol version as configured.
    pub(crate) fn version_name(&self) -> &'static str {
        if self.v5.is_some() { "5" } else { "3.1.1" }
    }
}
