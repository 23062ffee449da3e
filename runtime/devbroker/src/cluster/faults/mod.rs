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
    faults: Vec<InForce>,
    random: Random,
    /// When they were put in force.
    since: Duration,
    /// While the time is before this, the coordinator is elsewhere.
    away_until: Duration,
    /// The fault that moved it.
    away_by: Option<usize>,
}

#[derive(Debug)]
struct InForce {
    fault: Fault,
    struck: u64,
}

impl InForce {
    fn strike(&mut self) {
        self.struck = self.struck.saturating_add(1);
    }
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            faults: Vec::new(),
            random: Random::new(seed),
            since: Duration::ZERO,
            away_until: Duration::ZERO,
            away_by: None,
        }
    }

    fn interfere(&mut self, api: ApiKey) -> Interference {
        for in_force in &mut self.faults {
            let (requests, interference) = match &in_force.fault {
                Fault::Drop(requests) => (requests, Interference::Drop),
                Fault::Cut(requests) => (requests, Interference::Cut),
                Fault::Delay(requests, by) => (requests, Interference::Delay(*by)),
                Fault::Error(requests, error) => (requests, Interference::Refuse(*error)),
                Fault::MoveCoordinator { .. } | Fault::FullDisk { .. } | Fault::UncleanElection { .. } => {
                    continue;
                }
            };
            if is_hit(requests, api, &mut self.random) {
                in_force.strike();
                return interference;
            }
        }
        Interference::None
    }

    /// Whether there is no room for records now, for somebody who wants to write some.
    pub(super) fn disk_is_full(&mut self, now: Moment) -> bool {
        let time = now.elapsed.saturating_sub(self.since);
        let full = self.faults.iter_mut().find(|in_force| match &in_force.fault {
            Fault::FullDisk { after, lasting } => {
                time >= *after && lasting.is_none_or(|lasting| time < after.saturating_add(lasting))
            }
            _ => false,
        });
        full.map(InForce::strike).is_some()
    }

    fn strike(&mut self, index: usize) {
        if let Some(in_force) = self.faults.get_mut(index) {
            in_force.strike();
        }
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
        self.faults.away_by = None;
        self.faults.faults = faults.into_iter().map(|fault| InForce { fault, struck: 0 }).collect();
        for index in 0..self.faults.faults.len() {
            self.schedule_fault(index);
        }
    }

    /// The faults in force and how often each struck: how many requests it hit or, of elections, how many took records
    /// away.
    pub fn faults(&self) -> Vec<(Fault, u64)> {
        self.faults.faults.iter().map(|in_force| (in_force.fault.clone(), in_force.struck)).collect()
    }

    /// What is to be done about a request of this kind.
    pub fn interfere(&mut self, api: ApiKey) -> Interference {
        self.faults.interfere(api)
    }

    fn schedule_fault(&mut self, index: usize) {
        let fault = self.faults.faults.get(index).map(|in_force| &in_force.fault);
        if let Some(Fault::MoveCoordinator { every, .. } | Fault::UncleanElection { every, .. }) = fault {
            self.agenda.set(Alarm::Fault(index), *every);
        }
    }

    pub(super) fn fault_due(&mut self, index: usize) {
        match self.faults.faults.get(index).map(|in_force| &in_force.fault) {
            Some(Fault::MoveCoordinator { away, .. }) => {
                let away = *away;
                self.move_coordinator(away);
                self.faults.away_by = Some(index);
            }
            Some(Fault::UncleanElection { lose, .. }) => {
                let lose = *lose;
                if self.elect_uncleanly(lose) > 0 {
                    self.faults.strike(index);
                }
            }
            _ => {}
        }
        self.schedule_fault(index);
    }
}
