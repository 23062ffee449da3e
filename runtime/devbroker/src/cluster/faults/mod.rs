//! Doing wrong on demand: which request is hit, and the events that come by themselves.
//!
//! The choice is made with numbers of its own, so that the same seed and the same requests meet the same faults,
//! whatever else happens.

mod coordinator;
mod election;
mod refusal;

use std::time::Duration;

use kafka_protocol::{ResponseError, messages::ApiKey};

use crate::{Fault, Requests};

use super::{Cluster, Moment, agenda::Alarm, random::Random};

pub(crate) use refusal::refusal;

/// What is to be done about a request instead of answering it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interference {
    /// Nothing.
    None,
    /// Close the connection; do not carry it out.
    Drop,
    /// Carry it out and close the connection within the answer.
    Cut,
    /// Carry it out after this time.
    Delay(Duration),
    /// Answer this error instead, with [`Cluster::refuse`].
    Refuse(ResponseError),
}

/// The faults in force.
#[derive(Debug)]
pub(super) struct Faults {
    faults: Vec<Fault>,
    random: Random,
    /// When they were put in force.
    since: Duration,
    /// While the time is before this, the coordinator is elsewhere.
    away_until: Duration,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            faults: Vec::new(),
            random: Random::new(seed),
            since: Duration::ZERO,
            away_until: Duration::ZERO,
        }
    }

    fn interfere(&mut self, api: ApiKey) -> Interference {
        for fault in &self.faults {
            let (requests, interference) = match fault {
                Fault::Drop(requests) => (requests, Interference::Drop),
                Fault::Cut(requests) => (requests, Interference::Cut),
                Fault::Delay(requests, by) => (requests, Interference::Delay(*by)),
                Fault::Error(requests, error) => (requests, Interference::Refuse(*error)),
                Fault::MoveCoordinator { .. } | Fault::FullDisk { .. } | Fault::UncleanElection { .. } => {
                    continue;
                }
            };
            if is_hit(requests, api, &mut self.random) {
                return interference;
            }
        }
        Interference::None
    }

    /// Whether there is no room for records now.
    pub(super) fn disk_is_full(&self, now: Moment) -> bool {
        let time = now.elapsed.saturating_sub(self.since);
        self.faults.iter().any(|fault| match fault {
            Fault::FullDisk { after, lasting } => {
                time >= *after && lasting.is_none_or(|lasting| time < after.saturating_add(lasting))
            }
            _ => false,
        })
    }
}

fn is_hit(requests: &Requests, api: ApiKey, random: &mut Random) -> bool {
    requests.api.is_none_or(|wanted| wanted == api) && random.share() < requests.share
}

impl Cluster {
    /// Puts these faults in force instead of those before.
    pub fn set_faults(&mut self, now: Moment, faults: Vec<Fault>) {
        self.advance(now);
        for index in 0..self.faults.faults.len() {
            self.agenda.cancel(&Alarm::Fault(index));
        }
        self.faults.since = self.agenda.now().elapsed;
        self.faults.faults = faults;
        for index in 0..self.faults.faults.len() {
            self.schedule_fault(index);
        }
    }

    /// What is to be done about a request of this kind.
    pub fn interfere(&mut self, api: ApiKey) -> Interference {
        self.faults.interfere(api)
    }

    fn schedule_fault(&mut self, index: usize) {
        if let Some(Fault::MoveCoordinator { every, .. } | Fault::UncleanElection { every, .. }) =
            self.faults.faults.get(index)
        {
            self.agenda.set(Alarm::Fault(index), *every);
        }
    }

    pub(super) fn fault_due(&mut self, index: usize) {
        match self.faults.faults.get(index) {
            Some(Fault::MoveCoordinator { away, .. }) => {
                let away = *away;
                self.move_coordinator(away);
            }
            Some(Fault::UncleanElection { lose, .. }) => {
                let lose = *lose;
                self.elect_uncleanly(lose);
            }
            _ => {}
        }
        self.schedule_fault(index);
    }
}
