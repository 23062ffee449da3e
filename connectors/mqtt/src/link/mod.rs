//! One face for the client library's two protocol versions.
//!
//! What was read in the sources of rumqttc 0.25 and decides how it is used here:
//!
//! - With manual acks nothing is acknowledged by the library: `PUBACK` and `PUBREC` go out when asked for. `PUBREL` is
//!   always answered by itself, but only for packet ids whose `PUBLISH` came over the same event loop; any other is
//!   an error that ends the connection, also the `PUBREL` that a server repeats after a reconnect, which would come
//!   again for ever. [`Events::expect_releases`] prevents that.
//! - An event loop that reconnects keeps requests of the connection before, `PUBREC`s among them. So it is never used
//!   twice: a new connection gets a new one.
//! - Everything happens inside `poll`: reading, pings, requests. It must be polled all the time, and its future must
//!   not be dropped while it may be writing, or what it writes is lost.
//! - Requests travel over a bounded channel that `poll` empties, so whoever polls must never wait for room in it. Each
//!   request makes an event, after which there is room again.
//! - A topic alias is resolved after the message has been handed out, with an empty topic; so none is allowed for.
//! - What was read together with the end of the connection is still in the library's hands when `poll` reports the
//!   end, and is handed out here before it.
//! - Packets above 10 KiB are refused unless told otherwise, and v5 makes room for 65535 outgoing messages (13 MB)
//!   unless told otherwise.

mod v3;
mod v5;

use std::time::Duration;

use crate::message::{Message, Publication};
use crate::refusal::Cause;
use crate::server::Server;
use crate::settings::Settings;
use crate::window::Ack;

/// Requests that may wait to be written.
const REQUESTS: usize = 64;
/// The largest packet that MQTT knows; our own packets have no other limit.
const LARGEST_PACKET: u32 = 268_435_455 + 5;

/// What a connection has to say.
#[derive(Debug)]
pub(crate) enum Event {
    /// The server accepted the connection.
    Connected {
        /// Whether it still had our session.
        session_present: bool,
        /// How often it wants to be pinged, in seconds, if it overrules us.
        keep_alive: Option<u16>,
        /// How long it keeps the session while we are away, in seconds, if it overrules us.
        session_expiry: Option<u32>,
        /// QoS 1 and 2 messages of ours that it takes before it has acknowledged some (MQTT 5).
        receive_maximum: Option<u16>,
        /// Bytes of the largest packet that it takes (MQTT 5).
        max_packet: Option<u32>,
    },
    /// A message arrived.
    Message(Message),
    /// For each filter, in order, the QoS granted or why it was refused.
    Subscribed(Vec<Result<u8, Denial>>),
    /// The next message of ours, in the order of [`Requests::publish`], was written under this packet id; 0 for QoS 0.
    Written(u16),
    /// The server has the message with this packet id, or gives up on it.
    Settled(u16, Result<(), Denial>),
    /// Something else was read or written.
    Other,
}

/// A subscription or a message that was refused.
#[derive(Debug)]
pub(crate) struct Denial {
    /// The server's words.
    pub(crate) words: String,
    /// Whether it will be the same at the next try.
    pub(crate) for_good: bool,
}

/// Takes requests; never waits.
pub(crate) enum Requests {
    V3(rumqttc::AsyncClient),
    V5(rumqttc::v5::AsyncClient),
}

impl Requests {
    /// Asks for the filters of `settings`; false if there is no room for the request now.
    pub(crate) fn subscribe(&self, settings: &Settings) -> bool {
        match self {
            Requests::V3(client) => v3::subscribe(client, settings),
            Requests::V5(client) => v5::subscribe(client, settings),
        }
    }

    /// Acknowledges a message; false if there is no room for the request now.
    pub(crate) fn acknowledge(&self, ack: Ack) -> bool {
        match self {
            Requests::V3(client) => v3::acknowledge(client, ack),
            Requests::V5(client) => v5::acknowledge(client, ack),
        }
    }

    /// Sends a message; false if there is no room for the request now. What comes of it is told by
    /// [`Event::Written`], and with QoS 1 and 2 by [`Event::Settled`].
    pub(crate) fn publish(&self, publication: &Publication) -> bool {
        match self {
            Requests::V3(client) => v3::publish(client, publication),
            Requests::V5(client) => v5::publish(client, publication),
        }
    }

    /// Says good-bye after everything asked for before; false if there is no room for the request now.
    pub(crate) fn disconnect(&self) -> bool {
        match self {
            Requests::V3(client) => client.try_disconnect().is_ok(),
            Requests::V5(client) => client.try_disconnect().is_ok(),
        }
    }
}

/// The connection itself: driven by [`next`](Self::next), over when that fails.
pub(crate) struct Events {
    library: Library,
    connected: bool,
    /// The end, reported when everything read before it was handed out.
    ended: Option<Cause>,
}

enum Library {
    V3(Box<rumqttc::EventLoop>),
    V5 {
        events: Box<rumqttc::v5::EventLoop>,
        /// Whether properties of messages are kept.
        properties: bool,
        /// How often we want to ping, in case the server does not care.
        keep_alive: Duration,
    },
}

impl Events {
    /// Drives the connection until it has something to say; `now` gives epoch milliseconds.
    ///
    /// # Errors
    /// Why the connection is over.
    pub(crate) async fn next(&mut self, now: fn() -> i64) -> Result<Event, Cause> {
        if self.ended.is_none() {
            let next = match &mut self.library {
                Library::V3(events) => v3::next(events, now).await,
                Library::V5 { events, properties, keep_alive } => {
                    v5::next(events, *properties, *keep_alive, now).await
                }
            };
            match next {
                Ok(event) => {
                    self.connected |= matches!(event, Event::Connected { .. });
                    return Ok(event);
                }
                Err(Cause::Closed) if !self.connected => self.ended = Some(Cause::ClosedBeforeAnswer),
                Err(cause) => self.ended = Some(cause),
            }
        }
        let left = match &mut self.library {
            Library::V3(events) => v3::left(events, now),
            Library::V5 { events, properties, .. } => v5::left(events, *properties, now),
        };
        left.ok_or_else(|| self.ended.take().unwrap_or(Cause::Closed))
    }

    /// Makes the library answer a `PUBREL` for any packet id. For a session that was there before: its server may
    /// still wait for the answer to a `PUBREL` whose message another connection, or another process, received. To be
    /// called after `Connected`, before anything else was read.
    pub(crate) fn expect_releases(&mut self) {
        match &mut self.library {
            Library::V3(events) => v3::expect_releases(events),
            Library::V5 { events, .. } => v5::expect_releases(events),
        }
    }
}

/// A connection to `server` that has yet to be made, by driving the events.
pub(crate) fn open(settings: &Settings, server: &Server) -> (Requests, Events) {
    let (requests, library) = match settings.v5 {
        None => {
            let (client, events) = v3::open(settings, server);
            (Requests::V3(client), Library::V3(Box::new(events)))
        }
        Some(v5) => {
            let (client, events) = v5::open(settings, v5, server);
            (
                Requests::V5(client),
                Library::V5 {
                    events: Box::new(events),
                    properties: v5.properties,
                    keep_alive: settings.keep_alive,
                },
            )
        }
    };
    (requests, Events { library, connected: false, ended: None })
}

/// TLS of a connection, where `server` wants it.
fn transport(settings: &Settings, server: &Server) -> rumqttc::Transport {
    match &settings.tls {
        Some(tls) if server.tls => {
            rumqttc::Transport::tls_with_config(rumqttc::TlsConfiguration::Rustls(tls.clone()))
        }
        _ => rumqttc::Transport::tcp(),
    }
}

fn network() -> rumqttc::NetworkOptions {
    let mut options = rumqttc::NetworkOptions::new();
    // Acknowledgements are small and each opens the window a little.
    options.set_tcp_nodelay(true);
    options
}
