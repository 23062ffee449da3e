//! Listeners, connections, shutdown.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use lavka_telemetry::log::LogControl;
use lavka_worker::WorkerHandle;
use lavka_worker::config::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::config::RestConfig;
use crate::membership::{Alone, Membership};
use crate::routes::{self, Ends, Site};

/// How long a client may take for the head of a request, and how long an idle connection stays open.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests under way are waited for at the end. Those that the worker had to answer were answered when it
/// ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections at a time per listener; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 1000;
/// How long to wait when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Sockets that listen, but answer nobody yet.
#[derive(Debug)]
pub struct BoundRest {
    config: RestConfig,
    main: Vec<TcpListener>,
    admin: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl BoundRest {
    /// Listens on every address of `config`.
    ///
    /// # Errors
    /// Where an address cannot be listened on; the text names the key and the address.
    pub async fn bind(config: RestConfig) -> io::Result<Self> {
        let mut bound = Self { main: Vec::new(), admin: Vec::new(), addresses: Vec::new(), config };
        for listener in &bound.config.listeners {
            let socket = bind("listeners", listener).await?;
            bound.addresses.push(socket.local_addr()?);
            bound.main.push(socket);
        }
        for listener in bound.config.admin_listeners.iter().flatten() {
            let socket = bind("admin.listeners", listener).await?;
            bound.addresses.push(socket.local_addr()?);
            bound.admin.push(socket);
        }
        Ok(bound)
    }

    /// `host:port` that others reach the API by, which is the worker's id: `rest.advertised.*`, else the first
    /// listener's host (an address of this machine where that is all interfaces) and the port really listened on.
    #[must_use]
    pub fn worker_id(&self) -> String {
        let address = self.addresses.first();
        let listener = self.config.listeners.first();
        let host = match (&self.config.advertised_host, listener) {
            (Some(host), _) => host.clone(),
            (None, Some(listener)) if !matches!(listener.host.as_str(), "" | "0.0.0.0" | "::") => {
                listener.host.clone()
            }
            (None, _) => own_address().to_string(),
        };
        let port = self.config.advertised_port.or(address.map(SocketAddr::port)).unwrap_or_default();
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The addresses listened on: those of `listeners`, then those of `admin.listeners`.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves the API of a worker. `logs` are the levels that the admin endpoints change; without them there are no
    /// admin endpoints. Must be called within a tokio runtime.
    #[must_use]
    pub fn serve(self, worker: WorkerHandle, logs: Option<LogControl>) -> RestServer {
        let alone = Arc::new(Alone(worker.clone()));
        self.serve_member(worker, alone, logs)
    }

    /// Serves the API of a worker that is one of several. Must be called within a tokio runtime.
    #[must_use]
    pub fn serve_member(
        self,
        worker: WorkerHandle,
        membership: Arc<dyn Membership>,
        logs: Option<LogControl>,
    ) -> RestServer {
        let (stop, stopped) = watch::channel(false);
        let shared = self.config.admin_listeners.is_none();
        let main = Arc::new(Site {
            worker: Some((worker, membership)),
            logs: logs.clone().filter(|_| shared),
            cors: self.config.cors,
            headers: self.config.headers,
        });
        let admin = Arc::new(Site { worker: None, logs, cors: None, headers: Vec::new() });
        let sockets = self.main.into_iter().map(|socket| (socket, Arc::clone(&main)));
        let sockets = sockets.chain(self.admin.into_iter().map(|socket| (socket, Arc::clone(&admin))));
        let serving =
            sockets.map(|(socket, site)| tokio::spawn(accept(socket, site, stopped.clone()))).collect();
        RestServer { addresses: self.addresses, stop, serving }
    }
}

async fn bind(key: &str, listener: &Listener) -> io::Result<TcpListener> {
    let host = if listener.host.is_empty() { "0.0.0.0" } else { &listener.host };
    TcpListener::bind((host, listener.port)).await.map_err(|error| {
        let text = format!(
            "The REST API cannot listen on {} ({key}): {error}; choose another address or port",
            listener.url
        );
        io::Error::new(error.kind(), text)
    })
}

/// The address this machine has towards others. Connecting a datagram socket sends nothing; 192.0.2.0/24 is nobody's
/// (RFC 5737).
fn own_address() -> IpAddr {
    let towards = |target: Ipv4Addr| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((target, 9))?;
        Ok::<_, io::Error>(socket.local_addr()?.ip())
    };
    towards(Ipv4Addr::new(192, 0, 2, 1)).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// A running REST server.
#[derive(Debug)]
pub struct RestServer {
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
}

impl RestServer {
    /// The addresses listened on: those of `listeners`, then those of `admin.listeners`.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no more connections and closes idle ones; waits for requests under way, for five seconds at most, and then
    /// closes theirs too.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        for serving in self.serving {
            let _ = serving.await;
        }
    }
}

/// Accepts connections until told to stop, then sees to their end.
async fn accept(socket: TcpListener, site: Arc<Site>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let told = stopped.clone();
    loop {
        // Ended ones are taken out, so that the set holds no more than there is room for.
        while connections.try_join_next().is_some() {}
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, socket.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (site, told) = (Arc::clone(&site), told.clone());
                connections.spawn(async move {
                    converse(stream, site, told).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!("a connection to the REST API could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(socket);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, ended).await.is_err() {
        tracing::warn!("requests to the REST API that did not end in time are cut off");
    }
}

/// Serves one connection. Told to stop, it ends after the request under way.
async fn converse(stream: TcpStream, site: Arc<Site>, mut stopped: watch::Receiver<bool>) {
    // Answers are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let ends = Ends { local: stream.local_addr().ok(), peer: stream.peer_addr().ok() };
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(routes::answer(&site, ends, request.map(Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let told = async {
        // What it gives holds a lock, which must not live on.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let ended = tokio::select! {
        outcome = connection.as_mut() => Some(outcome),
        () = told => None,
    };
    let outcome = match ended {
        Some(outcome) => outcome,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!("a connection to the REST API ended: {error}");
    }
}
