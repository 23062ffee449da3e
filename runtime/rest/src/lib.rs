//! The Connect REST API on axum.
//!
//! # Map
//!
//! - [`serve`]: listeners and their shutdown.
//! - `routes`: paths, methods, status codes.
//! - `body`: request bodies, with errors that say what is wrong and where.
//! - `shapes`: answers, in Connect's order of keys.
//! - `loggers`: the admin endpoints.
//!
//! # Invariants
//!
//! - Every answer is JSON; every error is `{"error_code":…,"message":…}`.
//! - No JSON shape of the API is known outside this crate; no decision about connectors is made in it.
//! - A request body is at most 10 MiB, and a request takes at most 90 seconds.

mod body;
mod loggers;
mod routes;
mod shapes;

use std::io;
use std::net::SocketAddr;

use lavka_telemetry::log::LogControl;
use lavka_worker::WorkerHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where and how to serve.
#[derive(Debug, Clone, Default)]
pub struct RestConfig {
    /// `listeners`: `http://HOST:PORT`; no host means all interfaces, port 0 a free one.
    pub listeners: Vec<String>,
    /// `admin.listeners`: the same as `listeners` if `None`; no admin endpoints if empty.
    pub admin_listeners: Option<Vec<String>>,
}

/// A running REST server.
#[derive(Debug)]
pub struct RestServer {
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
}

impl RestServer {
    /// The addresses listened on, in the order of `listeners`.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no more requests, and waits for those under way.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        for serving in self.serving {
            let _ = serving.await;
        }
    }
}

/// Serves the API of a worker. `logs` are the levels that the admin endpoints change.
///
/// # Errors
/// Where an address cannot be listened on; the text names `listeners` and the address.
pub async fn serve(
    config: RestConfig,
    worker: WorkerHandle,
    logs: Option<LogControl>,
) -> io::Result<RestServer> {
    let (stop, stopped) = watch::channel(false);
    let mut server = RestServer { addresses: Vec::new(), stop, serving: Vec::new() };
    let shared_admin = config.admin_listeners.is_none();
    let main = routes::router(worker, logs.clone().filter(|_| shared_admin));
    let admin = logs.map(routes::admin_router);
    let admin_listeners = config.admin_listeners.unwrap_or_default();
    let all = config.listeners.iter().map(|address| ("listeners", address, Some(&main)));
    let all = all.chain(admin_listeners.iter().map(|address| ("admin.listeners", address, admin.as_ref())));
    for (key, address, router) in all {
        let Some(router) = router.filter(|_| !address.is_empty()) else { continue };
        let listener = TcpListener::bind(host_and_port(address)).await.map_err(|error| {
            let text =
                format!("The REST API cannot listen on {address} ({key}): {error}; choose another port");
            io::Error::new(error.kind(), text)
        })?;
        server.addresses.push(listener.local_addr()?);
        let (router, mut stopped) = (router.clone(), stopped.clone());
        server.serving.push(tokio::spawn(async move {
            let until = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
                tracing::error!("the REST API ended: {error}");
            }
        }));
    }
    Ok(server)
}

/// `0.0.0.0:8083` of `http://:8083`.
fn host_and_port(listener: &str) -> String {
    let address = listener.split_once("://").map_or(listener, |(_, address)| address).trim_end_matches('/');
    match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.to_owned(),
    }
}
