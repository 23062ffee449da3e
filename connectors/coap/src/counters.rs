//! What a task counts, for metrics.

use lavka_api::plugin::Counter;

use crate::secure;

/// What a counter shows of a tally.
type Count<T> = fn(&T) -> u64;

/// Counters that follow tallies: that of a machine, and that of DTLS.
#[derive(Clone, Debug)]
pub(crate) struct Counters<T> {
    machine: Vec<(Counter, Count<T>)>,
    secure: Vec<(Counter, Count<secure::Tally>)>,
    shown: (T, secure::Tally),
}

impl<T: Copy + Default + PartialEq> Counters<T> {
    /// Counters with these names.
    pub(crate) fn new(machine: &[(&'static str, Count<T>)]) -> Self {
        let secure: [(&'static str, Count<secure::Tally>); 3] = [
            ("coap-dtls-connected-total", |tally| tally.connected),
            ("coap-dtls-failed-total", |tally| tally.failed),
            ("coap-dtls-crowded-total", |tally| tally.crowded),
        ];
        Self {
            machine: machine.iter().map(|(name, count)| (Counter::new(name), *count)).collect(),
            secure: secure.iter().map(|(name, count)| (Counter::new(name), *count)).collect(),
            shown: Default::default(),
        }
    }

    /// The counters themselves.
    pub(crate) fn all(&self) -> Vec<Counter> {
        let machine = self.machine.iter().map(|(counter, _)| counter.clone());
        machine.chain(self.secure.iter().map(|(counter, _)| counter.clone())).collect()
    }

    /// Brings them up to date.
    pub(crate) fn show(&mut self, machine: T, secure: secure::Tally) {
        if self.shown == (machine, secure) {
            return;
        }
        for (counter, count) in &self.machine {
            counter.add(count(&machine).saturating_sub(count(&self.shown.0)));
        }
        for (counter, count) in &self.secure {
            counter.add(count(&secure).saturating_sub(count(&self.shown.1)));
        }
        self.shown = (machine, secure);
    }
}
