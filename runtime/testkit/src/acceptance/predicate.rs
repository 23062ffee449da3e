//! Rules on predicates.

use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::Record;
use lavka_api::plugin::{Factory, Plugin, Predicate};

use super::configuration::Subject;
use super::hostile;
use super::suite::{Report, Suite, panic_of};

/// The checks of a predicate; see [the module](super).
#[must_use = "check() looks at the rules"]
pub struct PredicateAcceptance {
    subject: Subject,
    samples: Vec<(Record, bool)>,
}

impl PredicateAcceptance {
    pub(super) fn new(plugin: Plugin) -> Self {
        Self { subject: Subject::new(plugin), samples: Vec::new() }
    }

    /// A configuration that works, without the prefix that it has in a connector's.
    pub fn config(mut self, config: impl Into<Config>) -> Self {
        self.subject.sample = config.into();
        self
    }

    /// A value of the sample that the factory refuses, by an error that names the key.
    pub fn refuses(mut self, key: &str, value: &str) -> Self {
        self.subject.refused.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A record of which the predicate holds.
    pub fn holds(mut self, record: Record) -> Self {
        self.samples.push((record, true));
        self
    }

    /// A record of which it does not.
    pub fn fails(mut self, record: Record) -> Self {
        self.samples.push((record, false));
        self
    }

    fn make(&self) -> Result<Box<dyn Predicate>, String> {
        let Factory::Predicate(make) = self.subject.plugin.factory else {
            return Err("this is no predicate".into());
        };
        make(&self.subject.sample).map_err(|error| format!("it cannot be made of the sample: {error}"))
    }

    /// Looks at all rules.
    #[track_caller]
    pub fn check(self) -> Report {
        let mut suite = Suite::new(&self.subject.plugin);
        self.subject.look(&mut suite);
        suite.look("it holds for what it should", |_| self.samples_hold());
        suite.look("a hostile record never panics", |_| self.hostile());
        suite.look("nothing is remembered from the record before", |_| self.stateless().err());
        suite.finish()
    }

    fn samples_hold(&self) -> Vec<String> {
        let mut found = Vec::new();
        for wanted in [true, false] {
            if !self.samples.iter().any(|(_, holds)| *holds == wanted) {
                found.push(format!("there is no sample for {wanted}"));
            }
        }
        for (record, wanted) in &self.samples {
            match self.make().map(|mut predicate| predicate.test(record)) {
                Ok(Ok(holds)) if holds == *wanted => {}
                Ok(answer) => found.push(format!("{answer:?} and not {wanted} for {record:?}")),
                Err(error) => found.push(error),
            }
        }
        found
    }

    fn hostile(&self) -> Vec<String> {
        let mut predicate = self.make().ok();
        let one = |record: &Record| {
            let panic = panic_of(|| {
                let _ = predicate.as_mut().map(|predicate| predicate.test(record));
            })?;
            predicate = self.make().ok();
            Some(format!("{panic}, by {record:?}"))
        };
        hostile::records().iter().filter_map(one).collect()
    }

    fn stateless(&self) -> Result<(), String> {
        let mut experienced = self.make()?;
        let samples = || self.samples.iter().map(|(record, _)| record.clone());
        for record in samples().chain(hostile::records()).chain(samples()) {
            let fresh = format!("{:?}", self.make()?.test(&record));
            let old = format!("{:?}", experienced.test(&record));
            if fresh != old {
                return Err(format!("{record:?} gives {fresh} at first, and after others {old}"));
            }
        }
        Ok(())
    }
}
