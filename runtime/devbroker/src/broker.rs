//! The broker on a socket.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::{debug, info, warn};

use crate::{
    BrokerConfig, Fault,
    cluster::{Cluster, ConnectionId, Endpoint},
    connection::{Broken, Connection},
    shared::{Clock, Shared},
};

/// How long to wait when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a client may take for its part of the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What a broker holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of records in memory, with the small cost of each batch.
    pub bytes: usize,
    /// Records in memory.
    pub records: u64,
    /// Topics.
    pub topics: usize,
    /// Partitions of all topics.
    pub partitions: usize,
    /// Groups, with or without members.
    pub groups: usize,
    /// Open client connections.
    pub connections: usize,
}

/// A running broker. It stops when it is [shut down](Self::shutdown) or dropped; its records are gone then.
#[derive(Debug)]
pub struct Broker {
    addr: SocketAddr,
    endpoint: Endpoint,
    cluster_id: String,
    shared: Arc<Shared>,
    connections: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Broker {
    /// Listens, and serves clients in the background from then on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the TLS settings cannot be used; the message names them.
    pub async fn start(config: BrokerConfig) -> io::Result<Self> {
        let tls = config.tls.as_ref().map(|tls| tls.server().map(TlsAcceptor::from)).transpose()?;
        let listener = TcpListener::bind(config.listen).await.map_err(|error| {
            let text = format!("the embedded broker cannot listen on {}: {error}", config.listen);
            io::Error::new(error.kind(), text)
        })?;
        let addr = listener.local_addr()?;
        let endpoint = Endpoint { host: advertised_host(&config, addr), port: addr.port() };
        let clock = Clock::start();
        let seed = RandomState::new().hash_one(addr);
        let cluster = Cluster::new(&config, endpoint.clone(), seed, clock.now());
        let cluster_id = cluster.id().to_owned();
        let shared = Arc::new(Shared::new(clock, cluster));
        let connections = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = watch::channel(false);
        info!(%addr, cluster = %cluster_id, "embedded broker is ready; it keeps records in memory only");
        let acceptor = Acceptor {
            listener,
            config,
            shared: Arc::clone(&shared),
            tls,
            connections: Arc::clone(&connections),
        };
        let running = tokio::spawn(acceptor.run(stopped));
        Ok(Self { addr, endpoint, cluster_id, shared, connections, stop, running })
    }

    /// The address listened on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `host:port` for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        let Endpoint { host, port } = &self.endpoint;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The cluster's id, 22 characters of URL-safe Base64.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// What is held right now.
    pub fn stats(&self) -> Stats {
        let holdings = self.shared.holdings();
        Stats {
            bytes: holdings.bytes,
            records: holdings.records,
            topics: holdings.topics,
            partitions: holdings.partitions,
            groups: holdings.groups,
            connections: self.connections.load(Ordering::Relaxed),
        }
    }

    /// Puts these faults in force instead of those before; none make the broker well again.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.change(|cluster, now| cluster.set_faults(now, faults));
    }

    /// The faults in force and how often each struck: how many requests it hit, or how many elections took records away. A
    /// test under a fault that never struck would show nothing.
    pub fn faults(&self) -> Vec<(Fault, u64)> {
        self.shared.faults()
    }

    /// Moves the coordinator of all groups and transactional ids away for a while, once.
    pub fn move_coordinator(&self, away: Duration) {
        self.shared.change(|cluster, _| cluster.move_coordinator(away));
    }

    /// Gives every partition a new leader that lacks so many of the newest records, once.
    pub fn elect_uncleanly(&self, lose: u64) {
        self.shared.change(|cluster, _| {
            cluster.elect_uncleanly(lose);
        });
    }

    /// Closes the listener and every connection, and returns when all of it is gone.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.running).await {
            warn!(%error, "the embedded broker did not stop by itself");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn advertised_host(config: &BrokerConfig, addr: SocketAddr) -> String {
    match &config.advertised_host {
        Some(host) => host.clone(),
        None if addr.ip().is_unspecified() => "127.0.0.1".to_owned(),
        None => addr.ip().to_string(),
    }
}

struct Acceptor {
    listener: TcpListener,
    config: BrokerConfig,
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
    connections: Arc<AtomicUsize>,
}

impl Acceptor {
    /// Accepts until told to stop. All tasks live in here and end with it.
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        let timer = Arc::clone(&self.shared);
        tasks.spawn(async move { timer.keep_time().await });
        let mut next_id = 0;
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        next_id += 1;
                        self.admit(stream, peer, ConnectionId(next_id), &mut tasks);
                    }
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        warn!(%error, "a connection ended by a mistake of the broker");
                    }
                }
                _ = stopped.changed() => break,
            }
        }
        tasks.shutdown().await;
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, id: ConnectionId, tasks: &mut JoinSet<()>) {
        let Some(place) = Place::take(&self.connections, self.config.max_connections) else {
            warn!(%peer, limit = self.config.max_connections, "connection refused: there are too many");
            return;
        };
        // Without this, small responses wait for the client's delayed acknowledgements.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%peer, %error, "cannot switch off Nagle's algorithm");
        }
        let shared = Arc::clone(&self.shared);
        let tls = self.tls.clone();
        let (max_request_bytes, max_idle) = (self.config.max_request_bytes, self.config.max_connection_idle);
        tasks.spawn(async move {
            let host = format!("/{}", peer.ip());
            let connection = Connection { shared: &shared, id, host: &host, max_request_bytes, max_idle };
            let served = match tls {
                None => connection.serve(stream).await,
                Some(tls) => match encrypt(&tls, stream).await {
                    Ok(stream) => connection.serve(stream).await,
                    Err(error) => Err(error),
                },
            };
            match served {
                Ok(()) => debug!(%peer, "connection closed by the client"),
                Err(error) => debug!(%peer, %error, "connection closed"),
            }
            drop(place);
        });
    }
}

/// Agrees with a client on keys.
async fn encrypt(tls: &TlsAcceptor, stream: TcpStream) -> Result<Box<TlsStream<TcpStream>>, Broken> {
    match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(encrypted) => Ok(Box::new(encrypted?)),
        Err(_) => Err(Broken::Idle(HANDSHAKE)),
    }
}

/// One of the connections there may be; given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(connections: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        if connections.fetch_add(1, Ordering::Relaxed) >= limit {
            connections.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self(Arc::clone(connections)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
