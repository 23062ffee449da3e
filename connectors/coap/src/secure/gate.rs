//! All sessions of a task, within limits.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lavka_api::data::Str;

use super::credentials::Credentials;
use super::hello::{Cookies, Hello, Shown, is_hello};
use super::session::{Event, Session};
use super::trouble::End;
use crate::Millis;
use crate::peer::Peer;

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Sessions. Beyond it the one that was silent for longest makes room.
    pub(crate) sessions: usize,
    /// Handshakes under way. Beyond it nobody new is let in.
    pub(crate) handshakes: usize,
    /// After so long a silence a session ends.
    pub(crate) idle: Millis,
}

/// What a step brought.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// To be sent.
    pub(crate) datagrams: Vec<(SocketAddr, Vec<u8>)>,
    /// What peers say.
    pub(crate) plain: Vec<(Peer, Vec<u8>)>,
    /// Handshakes and sessions that are over, but for those ended here: of whom, and what went wrong, if anything did.
    pub(crate) ended: Vec<(SocketAddr, Option<String>)>,
}

/// What happened, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Handshakes that were completed.
    pub(crate) connected: u64,
    /// Handshakes that failed, and sessions that did.
    pub(crate) failed: u64,
    /// Clients that were not let in, or made room for others.
    pub(crate) crowded: u64,
}

/// The sessions.
pub(crate) struct Gate {
    credentials: Credentials,
    limits: Limits,
    cookies: Cookies,
    began: Instant,
    /// Those whose handshake is over, by address.
    open: HashMap<SocketAddr, Entry>,
    /// Those whose handshake is not. One may take the place of an open session of the same address, but not before it is
    /// over (RFC 6347, section 4.2.8), for anybody can say hello.
    opening: HashMap<SocketAddr, Entry>,
    /// When sessions want to be woken, by whether they are open.
    due: BTreeSet<(Instant, bool, SocketAddr)>,
    /// Open sessions by when they were last heard of.
    heard: BTreeSet<(Millis, SocketAddr)>,
    /// Of a client: the names that servers' certificates must have.
    servers: HashMap<SocketAddr, String>,
    is_client: bool,
    next_number: u64,
    tally: Tally,
    events: Vec<Event>,
}

struct Entry {
    session: Session,
    number: u64,
    /// Of the client's hello.
    random: Box<[u8]>,
    heard: Millis,
    due: Option<Instant>,
}

impl Gate {
    /// Of a server; `key` is 32 random bytes that nobody can know.
    pub(crate) fn of_server(credentials: Credentials, limits: Limits, key: [u8; 32]) -> Self {
        Self::new(credentials, limits, key, false)
    }

    /// Of a client.
    pub(crate) fn of_client(credentials: Credentials, limits: Limits) -> Self {
        Self::new(credentials, limits, [0; 32], true)
    }

    fn new(credentials: Credentials, limits: Limits, key: [u8; 32], is_client: bool) -> Self {
        Self {
            credentials,
            limits,
            cookies: Cookies::new(key),
            began: Instant::now(),
            open: HashMap::new(),
            opening: HashMap::new(),
            due: BTreeSet::new(),
            heard: BTreeSet::new(),
            servers: HashMap::new(),
            is_client,
            next_number: 0,
            tally: Tally::default(),
            events: Vec::new(),
        }
    }

    /// What happened so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Who `peer` has shown to be.
    pub(crate) fn identity(&self, peer: &Peer) -> Option<Str> {
        let entry =
            self.open.get(&peer.address).filter(|entry| self.is_client || entry.number == peer.session)?;
        entry.session.identity.clone()
    }

    /// Says that a server's certificate must have this name; what is sent to other addresses is not for this gate. A
    /// session that there may be is over: the server is asked for anew because it did not answer in it.
    pub(crate) fn expect(&mut self, address: SocketAddr, name: String) {
        self.forget_open(address);
        self.forget_opening(address);
        self.servers.insert(address, name);
    }

    /// Whether what is sent to `address` is to be kept secret.
    pub(crate) fn is_for(&self, address: &SocketAddr) -> bool {
        !self.is_client || self.servers.contains_key(address)
    }

    fn instant(&self, now: Millis) -> Instant {
        self.began + Duration::from_millis(now)
    }

    /// A datagram came.
    pub(crate) fn receive(&mut self, now: Millis, address: SocketAddr, datagram: &[u8], out: &mut Passed) {
        let hello = is_hello(datagram);
        if self.is_client || !hello {
            return self.pass(now, address, datagram, None, out);
        }
        let Some(parsed) = Hello::parse(datagram) else { return };
        let cookie = match self.cookies.check(now / 1000, address, &parsed) {
            Some(Shown::Proven(cookie)) => cookie,
            Some(Shown::Ask(request)) => return out.datagrams.push((address, request)),
            None => return,
        };
        // One that was late or is played again: it has had its handshake.
        if self.open.get(&address).is_some_and(|entry| *entry.random == *parsed.random()) {
            return;
        }
        match self.opening.get(&address) {
            // The same hello once more: the answer was lost.
            Some(entry) if *entry.random == *parsed.random() => {
                return self.pass(now, address, datagram, None, out);
            }
            // The client, which is where it says, has begun anew.
            Some(_) => self.forget_opening(address),
            None => {}
        }
        if self.opening.len() >= self.limits.handshakes {
            self.tally.crowded += 1;
            return;
        }
        match Session::accept(&self.credentials, &parsed, self.instant(now)) {
            Ok(session) => {
                self.insert_opening(now, address, session, parsed.random());
                self.pass(now, address, datagram, Some(cookie), out);
            }
            Err(end) => self.ended(address, end, out),
        }
    }

    /// Sends `plain` to `peer`; nowhere, if its session is over.
    pub(crate) fn send(&mut self, now: Millis, peer: Peer, plain: &[u8], out: &mut Passed) {
        let address = peer.address;
        if self.is_client {
            self.connect(now, address, out);
        } else if self.open.get(&address).is_none_or(|entry| entry.number != peer.session) {
            return;
        }
        let opening = !self.open.contains_key(&address);
        let at = self.instant(now);
        let entry = if opening { self.opening.get_mut(&address) } else { self.open.get_mut(&address) };
        let Some(entry) = entry else { return };
        let sent = entry.session.send(&self.credentials, plain, at, &mut self.events);
        self.after(now, address, opening, sent, out);
    }

    /// When [`wake`](Self::wake) is to be called.
    pub(crate) fn next_wakeup(&self) -> Option<Millis> {
        let due = self.due.first().map(|(at, ..)| {
            let since = at.saturating_duration_since(self.began);
            // Rounded up, or it would be called again and again within the last millisecond.
            u64::try_from(since.as_micros().div_ceil(1000)).unwrap_or(Millis::MAX)
        });
        let idle = self.heard.first().map(|(heard, _)| heard.saturating_add(self.limits.idle));
        due.into_iter().chain(idle).min()
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Millis, out: &mut Passed) {
        let at = self.instant(now);
        while let Some((due, open, address)) = self.due.first().copied().filter(|(due, ..)| *due <= at) {
            self.due.remove(&(due, open, address));
            let entry = if open { self.open.get_mut(&address) } else { self.opening.get_mut(&address) };
            let Some(entry) = entry else { continue };
            entry.due = None;
            let woken = entry.session.wake(&self.credentials, at, &mut self.events);
            // One that asks for the same time again would keep this up for ever.
            if entry.session.due.is_some_and(|due| due <= at) {
                entry.session.due = Some(at + Duration::from_millis(10));
            }
            self.after(now, address, !open, woken, out);
        }
        while let Some((heard, address)) = self.heard.first().copied() {
            if heard.saturating_add(self.limits.idle) > now {
                break;
            }
            self.close(address, out);
        }
    }

    /// Ends all sessions.
    pub(crate) fn stop(&mut self, out: &mut Passed) {
        for address in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(address, out);
        }
    }

    fn connect(&mut self, now: Millis, address: SocketAddr, out: &mut Passed) {
        if self.open.contains_key(&address) || self.opening.contains_key(&address) {
            return;
        }
        let Some(name) = self.servers.get(&address).cloned() else { return };
        match Session::connect(&self.credentials, name, self.instant(now)) {
            Ok(session) => self.insert_opening(now, address, session, &[]),
            Err(end) => self.ended(address, end, out),
        }
    }

    fn insert_opening(&mut self, now: Millis, address: SocketAddr, session: Session, random: &[u8]) {
        self.next_number += 1;
        let entry = Entry { session, number: self.next_number, random: random.into(), heard: now, due: None };
        self.opening.insert(address, entry);
    }

    /// Whether a datagram of `address` is for the session that stands, and not for a handshake that may be under way. That
    /// one has no keys yet, and would drop what the peer goes on saying in the session.
    fn is_for_open(&self, address: &SocketAddr, datagram: &[u8]) -> bool {
        // Application data or an alert of another epoch than the first, which is the one without keys.
        let kept_secret = matches!(datagram, [21 | 23, _, _, high, low, ..] if (*high, *low) != (0, 0));
        self.open.contains_key(address) && (kept_secret || !self.opening.contains_key(address))
    }

    /// Hands a datagram to the session that it is for.
    fn pass(
        &mut self,
        now: Millis,
        address: SocketAddr,
        datagram: &[u8],
        cookie: Option<[u8; 32]>,
        out: &mut Passed,
    ) {
        let at = self.instant(now);
        let opening = !self.is_for_open(&address, datagram);
        let entry = if opening { self.opening.get_mut(&address) } else { self.open.get_mut(&address) };
        let Some(entry) = entry else { return };
        let received = entry.session.receive(&self.credentials, datagram, cookie, at, &mut self.events);
        self.after(now, address, opening, received, out);
    }

    /// What a step of a session comes to.
    fn after(
        &mut self,
        now: Millis,
        address: SocketAddr,
        opening: bool,
        step: Result<(), End>,
        out: &mut Passed,
    ) {
        let entry = if opening { self.opening.get(&address) } else { self.open.get(&address) };
        let number = entry.map_or(0, |entry| entry.number);
        let peer = Peer { address, session: if self.is_client { 0 } else { number } };
        let connected = entry.is_some_and(|entry| entry.session.connected);
        let mut heard = false;
        for event in self.events.drain(..) {
            match event {
                Event::Send(datagram) => out.datagrams.push((address, datagram)),
                // Nothing is believed before the handshake is over.
                Event::Plain(plain) if connected => {
                    heard = true;
                    out.plain.push((peer, plain));
                }
                Event::Plain(_) => {}
            }
        }
        if let Err(end) = step {
            self.ended(address, end, out);
            return match opening {
                true => self.forget_opening(address),
                false => self.forget_open(address),
            };
        }
        if opening && connected {
            self.tally.connected += 1;
            self.forget_open(address);
            self.unschedule(address, false);
            if let Some(entry) = self.opening.remove(&address) {
                self.make_room(out);
                self.heard.insert((now, address));
                self.open.insert(address, Entry { heard: now, ..entry });
            }
        } else if heard && let Some(entry) = self.open.get_mut(&address) {
            self.heard.remove(&(entry.heard, address));
            entry.heard = now;
            self.heard.insert((now, address));
        }
        self.schedule(address, !opening || connected);
    }

    fn make_room(&mut self, out: &mut Passed) {
        while self.open.len() >= self.limits.sessions.max(1) {
            let Some((_, address)) = self.heard.first().copied() else { return };
            self.tally.crowded += 1;
            self.close(address, out);
        }
    }

    fn close(&mut self, address: SocketAddr, out: &mut Passed) {
        if let Some(entry) = self.open.get_mut(&address) {
            entry.session.close(&self.credentials, &mut self.events);
        }
        for event in self.events.drain(..) {
            if let Event::Send(datagram) = event {
                out.datagrams.push((address, datagram));
            }
        }
        self.forget_open(address);
    }

    fn ended(&mut self, address: SocketAddr, end: End, out: &mut Passed) {
        let why = match end {
            End::Closed => None,
            End::Failed { why, .. } => Some(why),
        };
        self.tally.failed += u64::from(why.is_some());
        out.ended.push((address, why));
    }

    fn forget_open(&mut self, address: SocketAddr) {
        self.unschedule(address, true);
        if let Some(entry) = self.open.remove(&address) {
            self.heard.remove(&(entry.heard, address));
        }
    }

    fn forget_opening(&mut self, address: SocketAddr) {
        self.unschedule(address, false);
        self.opening.remove(&address);
    }

    fn schedule(&mut self, address: SocketAddr, open: bool) {
        self.unschedule(address, open);
        let entry = if open { self.open.get_mut(&address) } else { self.opening.get_mut(&address) };
        if let Some(entry) = entry {
            entry.due = entry.session.due;
            if let Some(due) = entry.due {
                self.due.insert((due, open, address));
            }
        }
    }

    fn unschedule(&mut self, address: SocketAddr, open: bool) {
        let entry = if open { self.open.get_mut(&address) } else { self.opening.get_mut(&address) };
        if let Some(due) = entry.and_then(|entry| entry.due.take()) {
            self.due.remove(&(due, open, address));
        }
    }
}

#[cfg(test)]
mod tests;
