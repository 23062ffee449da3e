//! What a task's connection needs, derived from its configuration.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::Password;
use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use rustls::ClientConfig;

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
    pub(crate) qos: Qos,
    pub(crate) credentials: Option<(String, Password)>,
    pub(crate) clean_session: bool,
    pub(crate) keep_alive: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_packet: u32,
    /// For servers that want it; filled in by whoever may block.
    pub(crate) tls: Option<Arc<ClientConfig>>,
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
    /// Settings of task `id`, without the files that `tls` is read from.
    pub(crate) fn new(config: &MqttConfig, id: &TaskId) -> Result<Self> {
        let servers = config.server_uris.iter().map(|uri| Server::parse(uri));
        let servers = servers.collect::<Result<Vec<_>, _>>().map_err(Error::config)?;
        let prefix = config.client_id.clone().unwrap_or_else(|| format!("lavka-{}", id.connector));
        let millis = |ms: i64| Duration::from_millis(ms.unsigned_abs());
        let seconds = |s: i32| Duration::from_secs(s.unsigned_abs().into());
        Ok(Self {
            task: id.clone(),
            servers,
            client_id: format!("{prefix}-{}", id.task),
            filters: config.topics.clone(),
            qos: Qos::from_number(config.qos),
            credentials: (!config.username.is_empty())
                .then(|| (config.username.clone(), config.password.clone())),
            clean_session: config.clean_session,
            keep_alive: seconds(config.keep_alive),
            connect_timeout: seconds(config.connect_timeout),
            max_packet: u32::try_from(config.max_packet).unwrap_or(u32::MAX),
            tls: None,
            backoff: (millis(config.backoff), millis(config.backoff_max)),
            v5: config.is_v5().then(|| V5 {
                receive_maximum: u16::try_from(config.max_inflight).unwrap_or(u16::MAX),
                session_expiry: if config.clean_session {
                    0
                } else {
                    u32::try_from(config.session_expiry).unwrap_or(u32::MAX)
                },
                properties: config.v5_headers || config.goes_by_content_type(),
            }),
        })
    }

    /// The protocol version as configured.
    pub(crate) fn version_name(&self) -> &'static str {
        if self.v5.is_some() { "5" } else { "3.1.1" }
    }
}
