//! A connection that stands: reads, writes, pings.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::packet::{Packet, Publish, Wrong, take};
use super::stream::{Duplex, dial};
use super::{Event, reason, request, websocket};
use crate::message::{Message, Publication, Qos};
use crate::refusal::Cause;
use crate::server::Server;
use crate::settings::Settings;

/// The packet id of the one subscription of a connection. Messages of ours get others: they and subscriptions do not come
/// together.
pub(super) const SUBSCRIPTION: u16 = 1;
/// Bytes of requests that may wait to be written; the last one may go beyond.
const WAITING: usize = 256 * 1024;
/// Bytes that are read at once.
const READ: usize = 64 * 1024;

/// Requests that wait to be written.
pub(super) struct Outgoing {
    state: Mutex<Waiting>,
    wake: Notify,
    v5: bool,
}

#[derive(Default)]
struct Waiting {
    bytes: BytesMut,
    /// QoS 0 messages among them.
    unanswered: usize,
    last_id: u16,
    /// Whether the last of them is the good-bye.
    goodbye: bool,
    /// Whether somebody found no room.
    wanted: bool,
}

impl Outgoing {
    pub(super) fn new(v5: bool) -> Self {
        Self { state: Mutex::default(), wake: Notify::new(), v5 }
    }

    /// Takes a request; false where there is no room.
    pub(super) fn write(&self, request: impl FnOnce(&mut BytesMut)) -> bool {
        self.with(|waiting| request(&mut waiting.bytes)).is_some()
    }

    /// Says good-bye; false where there is no room.
    pub(super) fn goodbye(&self) -> bool {
        let said = self.with(|waiting| {
            request::disconnect(&mut waiting.bytes);
            waiting.goodbye = true;
        });
        said.is_some()
    }

    /// Takes a message; its packet id, none where there is no room.
    pub(super) fn publish(&self, publication: &Publication) -> Option<u16> {
        let v5 = self.v5;
        self.with(|waiting| {
            let id = match publication.qos {
                Qos::AtMostOnce => {
                    waiting.unanswered += 1;
                    0
                }
                Qos::AtLeastOnce | Qos::ExactlyOnce => {
                    waiting.last_id = waiting.last_id.checked_add(1).unwrap_or(1);
                    waiting.last_id
                }
            };
            request::publish(publication, id, v5, &mut waiting.bytes);
            id
        })
    }

    fn with<T>(&self, request: impl FnOnce(&mut Waiting) -> T) -> Option<T> {
        let outcome = {
            let mut waiting = self.lock();
            if waiting.bytes.len() >= WAITING {
                waiting.wanted = true;
                return None;
            }
            request(&mut waiting)
        };
        self.wake.notify_one();
        Some(outcome)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that was accepted.
pub(super) struct Line {
    reader: ReadHalf<Box<dyn Duplex>>,
    writer: WriteHalf<Box<dyn Duplex>>,
    incoming: BytesMut,
    /// Being written.
    bytes: BytesMut,
    /// QoS 0 messages in `bytes`.
    writing: usize,
    /// Whether the stream may hold back what was written.
    unflushed: bool,
    /// Whether the good-bye is in `bytes`, or was written, and our side is still open: a server may wait for its end.
    goodbye: bool,
    /// Whether the good-bye was said: nothing may follow it.
    left: bool,
    /// QoS 0 messages that were written and not told of.
    written: usize,
    outgoing: Arc<Outgoing>,
    v5: bool,
    /// Whether properties of messages are kept.
    properties: bool,
    largest: usize,
    keep_alive: Duration,
    ping_at: Instant,
    awaits_ping: bool,
    /// The end, reported when everything read before it was handed out.
    ended: Option<Cause>,
}

impl Line {
    /// Connects; the line, and what the server said.
    pub(super) async fn connect(
        settings: &Settings,
        server: &Server,
        outgoing: &Arc<Outgoing>,
    ) -> Result<(Self, Event), Cause> {
        let mut stream = dial(settings, server).await?;
        let mut hello = BytesMut::new();
        request::connect(settings, &mut hello);
        stream.write_all(&hello).await.map_err(|error| broken(&error))?;
        stream.flush().await.map_err(|error| broken(&error))?;
        let (v5, largest) = (settings.v5.is_some(), settings.largest());
        let mut incoming = BytesMut::new();
        let answer = loop {
            if let Some(packet) = take(&mut incoming, v5, largest).map_err(wrong)? {
                break packet;
            }
            if stream.read_buf(&mut incoming).await.map_err(|error| broken(&error))? == 0 {
                return Err(Cause::ClosedBeforeAnswer);
            }
        };
        let Packet::ConnAck { session_present, code, said } = answer else {
            return Err(Cause::Passing("the server does not begin with CONNACK; does it speak MQTT?".into()));
        };
        match (code, v5) {
            (0, _) => {}
            (code, false) => return Err(reason::refused_v3(code)),
            (code, true) => return Err(reason::refused_v5(code, said.reason.as_deref())),
        }
        // Zero: the server wants no pings. Ours tell whether it is still there.
        let overruled = said.keep_alive.filter(|seconds| *seconds > 0);
        let keep_alive = overruled.map_or(settings.keep_alive, |seconds| Duration::from_secs(seconds.into()));
        let keep_alive = keep_alive.max(Duration::from_secs(1));
        let (reader, writer) = split(stream);
        let line = Self {
            reader,
            writer,
            incoming,
            bytes: BytesMut::new(),
            writing: 0,
            unflushed: false,
            goodbye: false,
            left: false,
            written: 0,
            outgoing: Arc::clone(outgoing),
            v5,
            properties: settings.v5.is_some_and(|v5| v5.properties),
            largest,
            keep_alive,
            ping_at: Instant::now() + keep_alive,
            awaits_ping: false,
            ended: None,
        };
        let event = Event::Connected {
            session_present,
            session_expiry: said.session_expiry,
            receive_maximum: said.receive_maximum,
            max_packet: said.max_packet,
        };
        Ok((line, event))
    }

    /// How often it is pinged, as the server wants it.
    pub(super) fn keep_alive(&self) -> Duration {
        self.keep_alive
    }

    /// Drives the connection to its next event. Dropping the future loses nothing.
    pub(super) async fn next(&mut self, now: fn() -> i64) -> Result<Event, Cause> {
        loop {
            if let Some(event) = self.ready(now) {
                return event;
            }
            if self.bytes.is_empty() && self.writing == 0 && self.fetch() {
                // There is room again for whoever found none.
                return Ok(Event::Other);
            }
            if self.bytes.is_empty() && !self.unflushed {
                self.written += std::mem::take(&mut self.writing);
                if self.written > 0 {
                    continue;
                }
            }
            let (writes, flushes) = (!self.bytes.is_empty(), self.unflushed);
            let (writer, bytes) = (&mut self.writer, &self.bytes);
            // None when nothing was written.
            let push = async {
                match (writes, flushes) {
                    (true, _) => writer.write(bytes).await.map(Some),
                    (false, true) => writer.flush().await.map(|()| None),
                    (false, false) => writer.shutdown().await.map(|()| None),
                }
            };
            self.incoming.reserve(READ);
            let outcome = tokio::select! {
                read = self.reader.read_buf(&mut self.incoming) => match read {
                    Ok(0) => Err(Cause::Closed),
                    Ok(_) => Ok(()),
                    Err(error) => Err(broken(&error)),
                },
                pushed = push, if writes || flushes || self.goodbye => match pushed {
                    Ok(Some(0)) => Err(Cause::Closed),
                    Ok(Some(count)) => {
                        self.bytes.advance(count);
                        self.unflushed = true;
                        Ok(())
                    }
                    Ok(None) => {
                        self.goodbye &= flushes;
                        self.unflushed = false;
                        Ok(())
                    }
                    Err(error) => Err(broken(&error)),
                },
                () = self.outgoing.wake.notified(), if !writes => Ok(()),
                () = sleep_until(self.ping_at) => {
                    if self.left {
                        self.ping_at = Instant::now() + self.keep_alive;
                        Ok(())
                    } else if self.awaits_ping {
                        Err(Cause::Passing("the server did not answer a ping".into()))
                    } else {
                        self.ping_at = Instant::now() + self.keep_alive;
                        self.awaits_ping = true;
                        request::ping(&mut self.bytes);
                        return Ok(Event::Other);
                    }
                }
            };
            if let Err(cause) = outcome {
                self.ended = Some(cause);
            }
        }
    }

    /// The next event that needs no waiting for.
    pub(super) fn ready(&mut self, now: fn() -> i64) -> Option<Result<Event, Cause>> {
        if self.written > 0 {
            self.written -= 1;
            return Some(Ok(Event::Written));
        }
        loop {
            match take(&mut self.incoming, self.v5, self.largest) {
                Ok(Some(packet)) => match self.event(packet, now) {
                    Ok(None) => {}
                    Ok(Some(event)) => return Some(Ok(event)),
                    Err(cause) => return Some(Err(cause)),
                },
                Ok(None) => return self.ended.take().map(Err),
                Err(error) => return Some(Err(wrong(error))),
            }
        }
    }

    /// Takes what waits to be written; whether somebody had found no room.
    fn fetch(&mut self) -> bool {
        let mut waiting = self.outgoing.lock();
        std::mem::swap(&mut self.bytes, &mut waiting.bytes);
        self.writing = std::mem::take(&mut waiting.unanswered);
        self.goodbye |= waiting.goodbye;
        self.left |= std::mem::take(&mut waiting.goodbye);
        std::mem::take(&mut waiting.wanted)
    }

    /// What a packet means; none where it was for us alone.
    fn event(&mut self, packet: Packet, now: fn() -> i64) -> Result<Option<Event>, Cause> {
        Ok(Some(match packet {
            Packet::Publish(publish) => Event::Message(message(publish, self.properties, now())),
            Packet::PubRel { id } => {
                if !self.left {
                    request::complete(id, &mut self.bytes);
                }
                return Ok(None);
            }
            Packet::SubAck { id: SUBSCRIPTION, codes } => {
                Event::Subscribed(codes.into_iter().map(|code| reason::granted(code, self.v5)).collect())
            }
            Packet::PubAck { id, code, reason } => {
                Event::Settled(id, reason::refused_message(code, reason.as_deref()).map_or(Ok(()), Err))
            }
            Packet::PubRec { id, code, reason } => match reason::refused_message(code, reason.as_deref()) {
                Some(denial) => Event::Settled(id, Err(denial)),
                // What was received goes on with PUBREL and PUBCOMP.
                None => {
                    if !self.left {
                        request::release(id, &mut self.bytes);
                    }
                    return Ok(None);
                }
            },
            Packet::PubComp { id } => Event::Settled(id, Ok(())),
            Packet::PingResp => {
                self.awaits_ping = false;
                Event::Other
            }
            Packet::Disconnect { code, reason } => return Err(reason::disconnected(code, reason.as_deref())),
            Packet::SubAck { .. } | Packet::Other => Event::Other,
            Packet::ConnAck { .. } => return Err(Cause::Passing("the server sent a second CONNACK".into())),
        }))
    }
}

fn message(publish: Publish, properties: bool, now: i64) -> Message {
    Message {
        topic: publish.topic,
        payload: publish.payload,
        packet_id: publish.id,
        qos: publish.qos,
        retained: publish.retain,
        duplicate: publish.duplicate,
        received: now,
        properties: publish.said.message.filter(|_| properties),
    }
}

fn broken(error: &std::io::Error) -> Cause {
    if let Some(size) = websocket::too_large(error) {
        return Cause::PacketTooLarge(size);
    }
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Cause::Closed,
        _ => Cause::from(error),
    }
}

fn wrong(error: Wrong) -> Cause {
    match error {
        Wrong::TooLarge(size) => Cause::PacketTooLarge(size),
        Wrong::Malformed(what) => Cause::Passing(format!("the server broke the protocol: {what}")),
    }
}
