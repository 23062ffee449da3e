//! A connection to a server, of either protocol version.
//!
//! - `request`, `packet`, `property`, `reason`: packets to bytes and back. Pure.
//! - `stream`, `websocket`: TCP, TLS, WebSocket.
//! - `line`: reads, writes and pings.
//!
//! Requests are written into one buffer, which the connection empties with as few writes as the network allows: what is
//! acknowledged together goes out together. `PUBREL` is answered at once, whoever received the message: the server may still
//! wait for the answer to one whose message another connection, or another process, received. Everything happens while
//! [`Events::next`] is driven; dropping its future loses nothing.

mod line;
mod packet;
mod property;
mod reason;
mod request;
mod stream;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use line::{Line, Outgoing};
use tokio::time::timeout;

use crate::message::{Message, Publication};
use crate::refusal::Cause;
use crate::server::Server;
use crate::settings::Settings;
use crate::window::Ack;

/// Added to what a server may take for an answer before the connection counts as lost.
const GRACE: Duration = Duration::from_secs(5);

/// What a connection has to say.
#[derive(Debug)]
pub(crate) enum Event {
    /// The server accepted the connection.
    Connected {
        /// Whether it still had our session.
        session_present: bool,
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
    /// The next message of ours with QoS 0, in the order of [`Requests::publish`], was written.
    Written,
    /// The server has the message with this packet id, or gives up on it.
    Settled(u16, Result<(), Denial>),
    /// Something else was read or written.
    Other,
}

/// A subscription or a message that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    /// The server's words.
    pub(crate) words: String,
    /// Whether it will be the same at the next try.
    pub(crate) for_good: bool,
}

/// Takes requests; never waits.
pub(crate) struct Requests(Arc<Outgoing>);

impl Requests {
    /// Asks for the filters of `settings`; false if there is no room for the request now.
    pub(crate) fn subscribe(&self, settings: &Settings) -> bool {
        self.0.write(|out| request::subscribe(settings, line::SUBSCRIPTION, out))
    }

    /// Acknowledges a message; false if there is no room for the request now. When there is room again, there is an event.
    pub(crate) fn acknowledge(&self, ack: Ack) -> bool {
        self.0.write(|out| request::acknowledge(ack, out))
    }

    /// Sends a message; its packet id, which is 0 with QoS 0, or none if there is no room for the request now. What comes of
    /// it is told by [`Event::Written`] with QoS 0 and by [`Event::Settled`] with QoS 1 and 2. Packet ids go round.
    pub(crate) fn publish(&self, publication: &Publication) -> Option<u16> {
        self.0.publish(publication)
    }

    /// Says good-bye after everything asked for before; false if there is no room for the request now.
    pub(crate) fn disconnect(&self) -> bool {
        self.0.goodbye()
    }
}

/// The connection itself: driven by [`next`](Self::next), over when that fails.
pub(crate) struct Events {
    settings: Arc<Settings>,
    server: Server,
    outgoing: Arc<Outgoing>,
    line: Option<Line>,
}

impl Events {
    /// Drives the connection until it has something to say; `now` gives epoch milliseconds.
    ///
    /// # Errors
    /// Why the connection is over. Whatever was read before has been handed out.
    pub(crate) async fn next(&mut self, now: fn() -> i64) -> Result<Event, Cause> {
        match &mut self.line {
            Some(line) => line.next(now).await,
            None => {
                let connecting = Line::connect(&self.settings, &self.server, &self.outgoing);
                let connected = timeout(self.settings.connect_timeout, connecting).await;
                let (line, event) = connected.unwrap_or_else(|_| {
                    Err(Cause::Passing("no answer within mqtt.connect.timeout.seconds".into()))
                })?;
                self.line = Some(line);
                Ok(event)
            }
        }
    }

    /// How long the connection may have nothing to say before it counts as lost: each ping is an event.
    pub(crate) fn patience(&self) -> Duration {
        let longest = self.line.as_ref().map_or(self.settings.connect_timeout, |line| line.keep_alive() * 2);
        longest + GRACE
    }

    /// The next event that needs no waiting for.
    pub(crate) fn ready(&mut self, now: fn() -> i64) -> Option<Result<Event, Cause>> {
        self.line.as_mut()?.ready(now)
    }
}

/// A connection to `server` that has yet to be made, by driving the events.
pub(crate) fn open(settings: &Arc<Settings>, server: &Server) -> (Requests, Events) {
    let outgoing = Arc::new(Outgoing::new(settings.v5.is_some()));
    let events = Events {
        settings: Arc::clone(settings),
        server: server.clone(),
        outgoing: Arc::clone(&outgoing),
        line: None,
    };
    (Requests(outgoing), events)
}
