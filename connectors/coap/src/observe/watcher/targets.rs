//! The resources that are observed, given by the configuration or found in directories.

use std::collections::HashSet;

use lavka_api::data::Str;

use super::asks::{Ask, Purpose};
use super::fetch::Fetch;
use super::{Errand, Outbox, Timer, Watcher};
use crate::Millis;
use crate::links;
use crate::observe::wish::shown;
use crate::resource::Variables;
use crate::wire::{Draft, option};

/// A resource of a server.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) server: usize,
    /// The place of its wish among those configured.
    pub(super) wish: usize,
    pub(super) shown: Str,
    path: Vec<String>,
    query: Vec<String>,
    pub(super) variables: Variables,
    discovered: bool,
    /// Of its questions and notifications. The same for as long as the resource is observed, so that the server knows a
    /// registration that is repeated (RFC 7641, section 3.3.1).
    pub(super) token: u64,
    /// Of the last notification: its sequence number, and when it came.
    pub(super) sequence: Option<(u32, Millis)>,
    /// Of the representation handed out last.
    pub(super) etag: Option<Vec<u8>>,
    pub(super) fetch: Option<Fetch>,
    pub(super) failures: u32,
    /// A question is queued or under way.
    pub(super) asked: bool,
    /// It was said that the server does not observe it.
    pub(super) polled: bool,
}

impl Target {
    /// `draft` with the path and the query.
    pub(super) fn address(&self, mut draft: Draft) -> Draft {
        for segment in &self.path {
            draft = draft.bytes(option::URI_PATH, segment.as_bytes());
        }
        for part in &self.query {
            draft = draft.bytes(option::URI_QUERY, part.as_bytes());
        }
        draft
    }

    /// Whether the fetch with this number is the one under way.
    pub(super) fn fetches(&self, number: u64) -> bool {
        self.fetch.as_ref().is_some_and(|fetch| fetch.number == number)
    }
}

impl Watcher {
    /// Begins with what the configuration names; directories are asked for the rest.
    pub(crate) fn start(&mut self, now: Millis, out: &mut Outbox) {
        let fixed: Vec<(usize, Vec<String>, Vec<String>)> = self
            .settings
            .wishes
            .iter()
            .enumerate()
            .filter_map(|(place, wish)| Some((place, wish.resource.fixed()?, wish.query.clone())))
            .collect();
        let discovers = fixed.len() < self.settings.wishes.len();
        for server in 0..self.servers.len() {
            for (wish, path, query) in &fixed {
                self.add(server, *wish, (path.clone(), query.clone()), Variables::new(), false, out);
            }
            if discovers {
                self.ask(now, server, Ask { purpose: Purpose::Discover, block: None }, false, out);
            }
        }
    }

    /// The ETag of what Kafka has of a resource, if it is known.
    pub(crate) fn recalled(&mut self, now: Millis, target: u64, etag: Option<Vec<u8>>, out: &mut Outbox) {
        if let Some(target) = self.targets.get_mut(&target) {
            // 1 to 8 bytes (RFC 7252, section 5.10); anything else was set by hand.
            target.etag = etag.filter(|etag| (1..=8).contains(&etag.len()));
        }
        self.represent(now, target, out);
    }

    /// Asks for a target's representation, unless that is under way.
    pub(super) fn represent(&mut self, now: Millis, target: u64, out: &mut Outbox) {
        let Some(state) = self.targets.get_mut(&target).filter(|state| !state.asked) else { return };
        state.asked = true;
        let server = state.server;
        self.ask(now, server, Ask { purpose: Purpose::Represent(target), block: None }, false, out);
    }

    /// A target is to be asked for at `at`, and not at the time that was set before.
    pub(super) fn appoint(&mut self, at: Millis, target: u64) {
        if self.targets.contains_key(&target) {
            self.at(at, Timer::Target(target));
        }
    }

    pub(super) fn target_due(&mut self, now: Millis, target: u64, out: &mut Outbox) {
        let Some(state) = self.targets.get(&target) else { return };
        if self.observing.contains_key(&state.token) {
            self.tally.stale += 1;
        }
        self.represent(now, target, out);
    }

    fn add(
        &mut self,
        server: usize,
        wish: usize,
        (path, query): (Vec<String>, Vec<String>),
        variables: Variables,
        discovered: bool,
        out: &mut Outbox,
    ) {
        let Some((name, share)) = self.settings.servers.get(server) else { return };
        let shown = Str::from(shown(&path, &query));
        let known = self.places.contains_key(&(server, shown.clone()));
        if known || !share.has(&name.to_string(), &shown) {
            return;
        }
        if self.targets.len() >= self.settings.observations {
            out.bad(format!(
                "{shown} of {name} is left out: {} resources are observed already (lavka.coap.max.observations)",
                self.targets.len()
            ));
            return;
        }
        let (number, token) = (self.number(), self.random());
        self.places.insert((server, shown.clone()), number);
        out.errands.push(Errand::Recall { target: number, server, resource: shown.clone() });
        let target = Target {
            server,
            wish,
            shown,
            path,
            query,
            variables,
            discovered,
            token,
            sequence: None,
            etag: None,
            fetch: None,
            failures: 0,
            asked: false,
            polled: false,
        };
        self.targets.insert(number, target);
    }

    /// Takes what a directory says; what it no longer names is no longer observed.
    pub(super) fn discovered(&mut self, now: Millis, server: usize, text: &str, out: &mut Outbox) {
        let mut named: HashSet<Str> = HashSet::new();
        for link in links::parse(text) {
            if !link.passes(&self.settings.filters) {
                continue;
            }
            let path: Vec<&str> = link.path.iter().map(String::as_str).collect();
            let mut wishes = self.settings.wishes.iter().enumerate();
            let found = wishes.find_map(|(place, wish)| {
                let wild = wish.resource.fixed().is_none();
                wild.then(|| wish.resource.matches(&path)).flatten().map(|variables| (place, variables))
            });
            // The directory lists itself in some servers.
            if let Some((wish, variables)) = found.filter(|_| path != [".well-known", "core"]) {
                named.insert(Str::from(shown(&link.path, &link.query)));
                self.add(server, wish, (link.path, link.query), variables, true, out);
            }
        }
        let mut gone: Vec<u64> = self
            .targets
            .iter()
            .filter(|(_, target)| target.server == server && target.discovered)
            .filter(|(_, target)| !named.contains(&target.shown))
            .map(|(number, _)| *number)
            .collect();
        gone.sort_unstable();
        for number in gone {
            self.remove(now, number, out);
        }
        if named.is_empty() {
            out.bad(format!(
                "The directory of {} names no resource that is to be observed (lavka.coap.observe, \
                 lavka.coap.discover.filter)",
                self.name(server)
            ));
        }
        if self.settings.discover_interval > 0 {
            self.at(now.saturating_add(self.settings.discover_interval), Timer::Discover(server));
        }
    }

    fn remove(&mut self, now: Millis, number: u64, out: &mut Outbox) {
        self.drop_fetch(number);
        let Some(target) = self.targets.get(&number) else { return };
        let (token, place) = (target.token, (target.server, target.shown.clone()));
        if self.observing.remove(&token).is_some() {
            self.cancel(now, token, number, out);
        }
        self.finish(token);
        self.timers.cancel(Timer::Target(number));
        self.targets.remove(&number);
        self.places.remove(&place);
        self.ask_next(now, place.0, out);
    }
}
