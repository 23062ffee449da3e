//! One connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use dimpl::{Dtls, Error, Output};
use lavka_api::data::Str;
use p12_keystore::Certificate;
use rustls::AlertDescription;

use super::credentials::{Credentials, Trust};
use super::hello::{Hello, with_cookie};
use super::keys::Keys;
use super::trouble::{self, End};

/// UDP carries no more.
const LARGEST_DATAGRAM: usize = 65_536;

/// What a step brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A datagram to be sent.
    Send(Vec<u8>),
    /// What the peer says.
    Plain(Vec<u8>),
}

pub(super) struct Session {
    dtls: Dtls,
    /// Of a client: the name that the server's certificate must have.
    server: Option<String>,
    pub(super) connected: bool,
    /// Of the pre-shared key, or the subject of the certificate.
    pub(super) identity: Option<Str>,
    /// A certificate was shown, and is trusted.
    trusted: bool,
    /// When it wants to be woken.
    pub(super) due: Option<Instant>,
}

impl Session {
    /// Of a server, for the client whose hello it is, with a cookie that was checked. What it answers to a hello without
    /// one is of no use.
    pub(super) fn accept(credentials: &Credentials, hello: &Hello<'_>, now: Instant) -> Result<Self, End> {
        let psk = hello.wants_psk(credentials.psk.is_some(), credentials.certificates.is_some());
        let mut session = Self::new(credentials, psk, None, now).ok_or_else(nothing)?;
        session.feed(&hello.without_cookie(), now)?;
        session.drain(credentials, &mut Vec::new())?;
        Ok(session)
    }

    /// Of a client, to the server with this name.
    pub(super) fn connect(credentials: &Credentials, server: String, now: Instant) -> Result<Self, End> {
        let mut session =
            Self::new(credentials, credentials.psk.is_some(), Some(server), now).ok_or_else(nothing)?;
        session.guarded(|dtls| {
            dtls.set_active(true);
            dtls.handle_timeout(now)
        })?;
        Ok(session)
    }

    fn new(credentials: &Credentials, psk: bool, server: Option<String>, now: Instant) -> Option<Self> {
        let dtls = match psk {
            true => Dtls::new_12_psk(Arc::clone(credentials.psk.as_ref()?), now),
            false => {
                let config = Arc::clone(credentials.certificates.as_ref()?);
                Dtls::new_12(config, credentials.certificate.clone()?, now)
            }
        };
        Some(Self { dtls, server, connected: false, identity: None, trusted: false, due: None })
    }

    /// Takes a datagram of the peer. `cookie` is the one in it that was checked.
    pub(super) fn receive(
        &mut self,
        credentials: &Credentials,
        datagram: &[u8],
        cookie: Option<[u8; 32]>,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> Result<(), End> {
        let fed = match cookie {
            Some(cookie) => with_cookie(cookie, || self.feed(datagram, now)),
            None => self.feed(datagram, now),
        };
        self.identify();
        let step = fed.and_then(|()| self.drain(credentials, events));
        step.map_err(|end| self.explained(credentials, end, events))
    }

    /// Notes who the peer says to be.
    fn identify(&mut self) {
        if let Some(asked) = Keys::take_asked() {
            self.identity = Some(Str::from(String::from_utf8_lossy(&asked).as_ref()));
        }
    }

    /// The same end, with what is known of a client that did not show a key. Before there are keys, the peer is told.
    fn explained(&self, credentials: &Credentials, end: End, events: &mut Vec<Event>) -> End {
        let End::Failed { mut why, mut alert } = end else { return end };
        if !self.connected && self.server.is_none() {
            alert = alert.or(Some(AlertDescription::HandshakeFailure));
            if let (Some(identity), Some(keys), false) = (&self.identity, &credentials.keys, self.trusted) {
                let shown: String = identity.chars().filter(|c| !c.is_control()).take(100).collect();
                why = match keys.has(identity.as_bytes()) {
                    true => {
                        format!("its pre-shared key is not that of identity {shown}, or came damaged ({why})")
                    }
                    false => format!("there is no pre-shared key for identity {shown}"),
                };
                // The same for both (RFC 4279, section 2), lest it tell which identities there are.
                alert = Some(AlertDescription::DecryptError);
            }
        }
        events.extend(alert.filter(|_| !self.connected).map(|alert| Event::Send(trouble::record(alert))));
        End::Failed { why, alert }
    }

    /// Says something to the peer; before the handshake is over it waits for that.
    pub(super) fn send(
        &mut self,
        credentials: &Credentials,
        plain: &[u8],
        now: Instant,
        events: &mut Vec<Event>,
    ) -> Result<(), End> {
        self.guarded(|dtls| {
            dtls.handle_timeout(now)?;
            dtls.send_application_data(plain).map(drop)
        })?;
        self.drain(credentials, events)
    }

    /// Sends again what is due.
    pub(super) fn wake(
        &mut self,
        credentials: &Credentials,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> Result<(), End> {
        self.guarded(|dtls| dtls.handle_timeout(now))?;
        self.drain(credentials, events)
    }

    /// Tells the peer that it is over.
    pub(super) fn close(&mut self, credentials: &Credentials, events: &mut Vec<Event>) {
        if self.guarded(Dtls::close).is_ok() {
            let _ = self.drain(credentials, events);
        }
    }

    fn feed(&mut self, datagram: &[u8], now: Instant) -> Result<(), End> {
        // What another session asked for before it failed is not asked by this one.
        drop(Keys::take_asked());
        self.guarded(|dtls| {
            dtls.handle_timeout(now)?;
            dtls.handle_packet(datagram)
        })
    }

    /// A fault of the library costs this session, not the others.
    fn guarded(&mut self, step: impl FnOnce(&mut Dtls) -> Result<(), Error>) -> Result<(), End> {
        let dtls = &mut self.dtls;
        match catch_unwind(AssertUnwindSafe(|| step(dtls))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(End::failed("the DTLS library failed")),
        }
    }

    /// Takes out all that the library has, up to the time when it wants to be woken.
    fn drain(&mut self, credentials: &Credentials, events: &mut Vec<Event>) -> Result<(), End> {
        self.identify();
        loop {
            match self.poll()? {
                Polled::Event(event) => events.push(event),
                Polled::Timeout(at) => {
                    self.due = Some(at);
                    return Ok(());
                }
                Polled::Connected => {
                    if !self.trusted && self.needs_certificate(credentials) {
                        return Err(End::failed("the peer showed no certificate"));
                    }
                    self.connected = true;
                }
                Polled::Certificate(certificate) => {
                    let accepted = credentials.trust.accepts(&certificate, self.server.as_deref());
                    accepted.map_err(|error| End::refused(&error))?;
                    self.trusted = true;
                    let subject = Certificate::from_der(&certificate).ok();
                    self.identity = subject.map(|certificate| Str::from(certificate.subject()));
                }
                Polled::Closed => return Err(End::Closed),
                Polled::Nothing => {}
            }
        }
    }

    /// What the library has next. A fault of it costs this session, not the others.
    fn poll(&mut self) -> Result<Polled, End> {
        let dtls = &mut self.dtls;
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(LARGEST_DATAGRAM, 0);
            let polled = catch_unwind(AssertUnwindSafe(|| match dtls.poll_output(buffer) {
                Output::Packet(datagram) => Polled::Event(Event::Send(datagram.to_vec())),
                Output::ApplicationData(plain) => Polled::Event(Event::Plain(plain.to_vec())),
                Output::Timeout(at) => Polled::Timeout(at),
                Output::Connected => Polled::Connected,
                Output::PeerCert(certificate) => Polled::Certificate(certificate.to_vec()),
                Output::CloseNotify => Polled::Closed,
                // Keys for SRTP, and what a buffer of this size cannot lack.
                _ => Polled::Nothing,
            }));
            polled.map_err(|_| End::failed("the DTLS library failed"))
        })
    }

    fn needs_certificate(&self, credentials: &Credentials) -> bool {
        match credentials.trust {
            Trust::Nobody => false,
            Trust::Servers(_) => true,
            // Of a client with a pre-shared key, that is enough.
            Trust::Clients(_) => self.identity.is_none(),
        }
    }
}

/// What the library has.
enum Polled {
    Event(Event),
    Timeout(Instant),
    Connected,
    Certificate(Vec<u8>),
    Closed,
    Nothing,
}

std::thread_local! {
    /// Scratch space; a session has none of its own, for there are many.
    static BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn nothing() -> End {
    End::failed("nothing fits what the peer offers")
}
