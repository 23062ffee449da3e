//! How servers are reached, as configured: what source and sink have in common.

use std::sync::Arc;

use lavka_api::config::{KeyError, Password};
use rustls::ClientConfig;

use crate::server::Server;
use crate::tls;

/// Servers, credentials and certificates. No `Debug`: there are secrets in it.
#[derive(Clone)]
pub(crate) struct Access {
    /// `mqtt.server.uri`, tried in this order.
    pub(crate) servers: Vec<String>,
    pub(crate) username: String,
    pub(crate) password: Password,
    /// What client ids begin with, in place of `lavka-` and the connector's name.
    pub(crate) client_id: Option<String>,
    /// Seconds.
    pub(crate) connect_timeout: i32,
    /// Seconds.
    pub(crate) keep_alive: i32,
    /// Whether the protocol is MQTT 5.
    pub(crate) v5: bool,
    /// Bytes of the largest packet that is read.
    pub(crate) max_packet: i64,
    /// Milliseconds.
    pub(crate) backoff: i64,
    /// Milliseconds.
    pub(crate) backoff_max: i64,
    /// What a certificate must be for, in place of the host.
    pub(crate) server_name: Option<String>,
    pub(crate) files: tls::Files,
}

/// The access of a configuration, which has the fields that [`keys`](crate::keys) are for under the same names.
macro_rules! access_of {
    ($config:expr) => {{
        let config = $config;
        $crate::access::Access {
            servers: config.server_uris.clone(),
            username: config.username.clone(),
            password: config.password.clone(),
            client_id: config.client_id.clone(),
            connect_timeout: config.connect_timeout,
            keep_alive: config.keep_alive,
            v5: config.is_v5(),
            max_packet: config.max_packet,
            backoff: config.backoff,
            backoff_max: config.backoff_max,
            server_name: config.server_name.clone(),
            files: $crate::tls::Files {
                ca: config.ca_pem.clone(),
                certificate: config.cert_pem.clone(),
                key: config.key_pem.clone(),
                trust_store: $crate::tls::Store {
                    path: config.trust_store.clone(),
                    password: config.trust_store_password.clone(),
                },
                key_store: $crate::tls::Store {
                    path: config.key_store.clone(),
                    password: config.key_store_password.clone(),
                },
                key_password: config.key_password.clone(),
                alpn: config.alpn.clone(),
            },
        }
    }};
}

pub(crate) use access_of;

impl Access {
    /// Whether some server wants TLS.
    pub(crate) fn wants_tls(&self) -> bool {
        self.servers.iter().any(|uri| Server::parse(uri).is_ok_and(|server| server.tls))
    }

    /// What TLS needs, none where no server wants it. Reads files, so it blocks.
    ///
    /// # Errors
    /// What is wrong with the files, by key.
    pub(crate) fn tls(&self) -> Result<Option<Arc<ClientConfig>>, KeyError> {
        self.wants_tls().then(|| tls::client_config(&self.files)).transpose()
    }
}
