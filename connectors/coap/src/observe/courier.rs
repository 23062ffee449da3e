//! The loop that owns the client's socket, and looks up addresses and offsets for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::plugin::{OffsetReader, SourceTaskStart, TaskId};
use lavka_api::{Error, Result};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::ServerName;
use super::reading::Reading;
use super::record;
use super::watcher::{Errand, News, Outbox, Settings, Tally, Watcher};
use crate::channel::{Channel, canonical};
use crate::counters::Counters;
use crate::environment::Environment;
use crate::handover::Handover;

/// How long a look-up may take.
const LOOK_UP: Duration = Duration::from_secs(20);

/// What was looked up.
#[derive(Debug)]
enum Found {
    Address(usize, Result<SocketAddr, String>),
    Etag(u64, Option<Vec<u8>>),
}

/// What the client counts, for metrics.
pub(crate) fn counters() -> Counters<Tally> {
    Counters::new(&[
        ("coap-notification-total", |tally| tally.notifications),
        ("coap-answer-total", |tally| tally.answers),
        ("coap-outdated-total", |tally| tally.outdated),
        ("coap-repeated-total", |tally| tally.repeated),
        ("coap-missed-total", |tally| tally.missed),
        ("coap-stale-total", |tally| tally.stale),
        ("coap-refused-total", |tally| tally.refused),
        ("coap-unanswered-total", |tally| tally.unanswered),
        ("coap-too-large-total", |tally| tally.too_large),
        ("coap-acknowledged-early-total", |tally| tally.acknowledged_early),
    ])
}

/// A socket at the first of the addresses that can be had.
///
/// # Errors
/// Where none can.
pub(crate) async fn open(id: &TaskId, bind: &[SocketAddr], receive_buffer: usize) -> Result<Channel> {
    let mut opened = Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
    for address in bind {
        opened = Channel::open(id.clone(), *address, receive_buffer).await;
        if opened.is_ok() {
            break;
        }
    }
    opened.map_err(|error| {
        let reason = Error::fatal(error.to_string());
        Error::config(format!(
            "Cannot ask for CoAP resources from {} (lavka.coap.bind): {error}. Choose an address of this machine and a \
             port that is free, or none.",
            bind.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
        ))
        .caused_by(reason)
    })
}

/// A client: it ends its observations when it ends.
pub(crate) struct Client {
    id: TaskId,
    channel: Channel,
    servers: Vec<ServerName>,
    watcher: Watcher,
    handover: Arc<Handover<Reading>>,
    counters: Counters<Tally>,
    offsets: Arc<dyn OffsetReader>,
    /// At most one for each server and resource at a time, which bounds the channel of finds too.
    errands: JoinSet<()>,
    found: mpsc::UnboundedSender<Found>,
    finds: mpsc::UnboundedReceiver<Found>,
    environment: Environment,
}

impl Client {
    pub(crate) fn new(
        start: SourceTaskStart,
        channel: Channel,
        settings: Settings,
        handover: Arc<Handover<Reading>>,
        counters: Counters<Tally>,
        environment: Environment,
    ) -> Self {
        let (found, finds) = mpsc::unbounded_channel();
        Self {
            id: start.id,
            channel,
            servers: settings.servers.iter().map(|(name, _)| name.clone()).collect(),
            watcher: Watcher::new(settings),
            handover,
            counters,
            offsets: start.offsets,
            errands: JoinSet::new(),
            found,
            finds,
            environment,
        }
    }

    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut out = Outbox::default();
        self.watcher.start(self.channel.now(), &mut out);
        self.pass_on(out).await;
        loop {
            let mut out = Outbox::default();
            let mut read = Ok(());
            tokio::select! {
                ready = self.channel.ready(self.watcher.next_wakeup()) => {
                    read = ready.and_then(|()| self.read(&mut out));
                }
                () = self.handover.outcomes_due() => {}
                Some(found) = self.finds.recv() => self.take(found, &mut out),
                Some(_) = self.errands.join_next(), if !self.errands.is_empty() => {}
                _ = stopping.wait_for(|stop| *stop) => break,
            }
            self.settle(&mut out);
            self.pass_on(out).await;
            if let Err(error) = read {
                self.handover.fail(Error::retriable(format!("The CoAP socket failed: {error}")));
                return;
            }
        }
        let mut out = Outbox::default();
        self.settle(&mut out);
        self.watcher.stop(self.channel.now(), &mut out);
        self.channel.send(out.datagrams).await;
        self.channel.close().await;
    }

    fn read(&mut self, out: &mut Outbox) -> io::Result<()> {
        let (now, received) = (self.channel.now(), (self.environment.now)());
        let watcher = &mut self.watcher;
        self.channel.receive(|_, peer, datagram| watcher.datagram(now, received, peer, datagram, out))
    }

    fn take(&mut self, found: Found, out: &mut Outbox) {
        let now = self.channel.now();
        match found {
            Found::Address(server, address) => {
                if let (Ok(address), Some(name)) =
                    (&address, self.servers.get(server).filter(|name| name.secure))
                {
                    self.channel.expect(*address, name.host.clone());
                }
                self.watcher.resolved(now, server, address, out);
            }
            Found::Etag(target, etag) => self.watcher.recalled(now, target, etag, out),
        }
    }

    fn settle(&mut self, out: &mut Outbox) {
        let now = self.channel.now();
        for (ticket, _) in self.handover.take_outcomes() {
            self.watcher.settled(now, ticket, out);
        }
        self.watcher.wake(now, out);
        self.counters.show(self.watcher.tally(), self.channel.tally());
    }

    /// Carries out what a step brought, and what comes of that: a session that ended leaves its server alone for a while,
    /// so there is an end to it.
    async fn pass_on(&mut self, mut out: Outbox) {
        loop {
            self.handover.push(out.readings);
            for news in out.news {
                match news {
                    News::Good(text) => tracing::info!(task = %self.id, "{text}"),
                    News::Bad(text) => tracing::warn!(task = %self.id, "{text}"),
                }
            }
            self.run_errands(out.errands);
            self.channel.send(out.datagrams).await;
            let ended = self.channel.take_ended();
            if ended.is_empty() {
                return;
            }
            out = Outbox::default();
            let now = self.channel.now();
            for (address, why) in ended {
                self.watcher.session_ended(now, address, why.as_deref(), &mut out);
            }
        }
    }

    fn run_errands(&mut self, errands: Vec<Errand>) {
        let mut recalls = Vec::new();
        for errand in errands {
            match errand {
                Errand::Resolve(server) => {
                    let Some(name) = self.servers.get(server).cloned() else { continue };
                    let (found, ipv6) = (self.found.clone(), self.channel.is_ipv6());
                    self.errands.spawn(async move {
                        let _ = found.send(Found::Address(server, resolve(&name, ipv6).await));
                    });
                }
                Errand::Recall { target, server, resource } => {
                    let Some(name) = self.servers.get(server) else { continue };
                    recalls.push((target, record::partition(&name.to_string(), &resource)));
                }
            }
        }
        if recalls.is_empty() {
            return;
        }
        let (found, offsets, id) = (self.found.clone(), Arc::clone(&self.offsets), self.id.clone());
        self.errands.spawn(async move {
            let partitions: Vec<_> = recalls.iter().map(|(_, partition)| partition.clone()).collect();
            let known = match timeout(LOOK_UP, offsets.offsets(&partitions)).await {
                Ok(Ok(known)) => known,
                // Without it a representation may come twice, which is better than not at all.
                Ok(Err(error)) => {
                    tracing::warn!(task = %id, "committed offsets could not be read: {error}");
                    Vec::new()
                }
                Err(_) => Vec::new(),
            };
            let mut known = known.into_iter();
            for (target, _) in recalls {
                let etag = known.next().flatten().and_then(|offset| record::etag(&offset));
                let _ = found.send(Found::Etag(target, etag));
            }
        });
    }
}

async fn resolve(name: &ServerName, ipv6: bool) -> Result<SocketAddr, String> {
    let found = match timeout(LOOK_UP, tokio::net::lookup_host((name.host.as_str(), name.port))).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(format!("its address cannot be found: {error}")),
        Err(_) => return Err("its address cannot be found in time".to_owned()),
    };
    // As the addresses that answers come from.
    let mut found = found.map(canonical).filter(|address| ipv6 || address.is_ipv4());
    found.next().ok_or_else(|| "it has no address that can be reached from here".to_owned())
}
