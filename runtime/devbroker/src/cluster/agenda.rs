//! What is to happen later: alarms by time, and replies to requests that had to wait.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use kafka_protocol::messages::ResponseKind;

use super::{Moment, Ticket, name::Name, random::Random};

/// Something that has a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Alarm {
    /// A fetch has waited long enough.
    Fetch(Ticket),
    /// A group member was not heard of for its session timeout.
    Session { group: Name, member: Name },
    /// Members had their time to rejoin the group.
    Rebalance { group: Name },
    /// Members had their time to ask for their assignment.
    Sync { group: Name },
    /// A producer had its time to end a transaction.
    Transaction { id: Name },
    /// A fault comes by itself; its place in the list.
    Fault(usize),
    /// Compacted topics are looked at.
    Compaction,
    /// Old batches, idle producers and forgotten groups are looked for.
    Retention,
}

/// The one place that knows the time, holds alarms and collects late replies. Each alarm is set once at most:
/// setting it again moves it.
#[derive(Debug)]
pub(super) struct Agenda {
    now: Moment,
    by_time: BTreeSet<(Duration, Alarm)>,
    times: HashMap<Alarm, Duration>,
    completed: Vec<(Ticket, ResponseKind)>,
    last_ticket: u64,
    pub(super) random: Random,
}

impl Agenda {
    pub(super) fn new(now: Moment, random: Random) -> Self {
        Self {
            now,
            by_time: BTreeSet::new(),
            times: HashMap::new(),
            completed: Vec::new(),
            last_ticket: 0,
            random,
        }
    }

    /// The time of the event being handled.
    pub(super) fn now(&self) -> Moment {
        self.now
    }

    /// Moves time forward; a moment before the last one counts as the last one.
    pub(super) fn advance(&mut self, now: Moment) {
        self.now = Moment { elapsed: now.elapsed.max(self.now.elapsed), unix_millis: now.unix_millis };
    }

    /// Sets or moves an alarm to `delay` from now.
    pub(super) fn set(&mut self, alarm: Alarm, delay: Duration) {
        self.cancel(&alarm);
        let at = self.now.elapsed.saturating_add(delay);
        self.by_time.insert((at, alarm.clone()));
        self.times.insert(alarm, at);
    }

    pub(super) fn is_set(&self, alarm: &Alarm) -> bool {
        self.times.contains_key(alarm)
    }

    pub(super) fn cancel(&mut self, alarm: &Alarm) {
        if let Some((alarm, at)) = self.times.remove_entry(alarm) {
            self.by_time.remove(&(at, alarm));
        }
    }

    /// The earliest alarm that is due, taken out.
    pub(super) fn next_due(&mut self) -> Option<Alarm> {
        if self.by_time.first()?.0 > self.now.elapsed {
            return None;
        }
        let (_, alarm) = self.by_time.pop_first()?;
        self.times.remove(&alarm);
        Some(alarm)
    }

    /// When the earliest alarm is due, since start.
    pub(super) fn next_wakeup(&self) -> Option<Duration> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// A new number for a request whose reply comes later.
    pub(super) fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    /// The reply to a request that had to wait.
    pub(super) fn complete(&mut self, ticket: Ticket, response: ResponseKind) {
        self.completed.push((ticket, response));
    }

    pub(super) fn take_completed(&mut self) -> Vec<(Ticket, ResponseKind)> {
        std::mem::take(&mut self.completed)
    }
}
