//! Rules on transforms.

use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::{Datum, Record, Value};
use lavka_api::plugin::{Factory, Plugin, Transform, Verdict};

use super::configuration::Subject;
use super::hostile;
use super::suite::{Report, Suite, panic_of};

/// What a transform does with a record whose key and value are null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tombstones {
    /// Passes it as it is.
    Pass,
    /// Passes it changed: to another topic, with a header.
    Change,
    /// Drops it.
    Drop,
    /// Refuses it with an error about the record.
    Refuse,
}

/// The checks of a transform; see [the module](super).
#[must_use = "check() looks at the rules"]
pub struct TransformAcceptance {
    subject: Subject,
    records: Vec<Record>,
    untouched: Vec<Record>,
    tombstones: Tombstones,
}

/// What became of a record, in a form that can be compared, NaN and all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    verdict: String,
    record: String,
}

impl Outcome {
    fn of(verdict: &Result<Verdict>, record: &Record) -> Self {
        Self { verdict: format!("{verdict:?}"), record: format!("{record:?}") }
    }
}

impl TransformAcceptance {
    pub(super) fn new(plugin: Plugin) -> Self {
        Self {
            subject: Subject::new(plugin),
            records: Vec::new(),
            untouched: Vec::new(),
            tombstones: Tombstones::Pass,
        }
    }

    /// A configuration that works, without the prefix that it has in a connector's.
    pub fn config(mut self, config: impl Into<Config>) -> Self {
        self.subject.sample = config.into();
        self
    }

    /// A value of the sample that the factory refuses, by an error that names the key: what only a model file or
    /// another key tells.
    pub fn refuses(mut self, key: &str, value: &str) -> Self {
        self.subject.refused.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A record that the transform works on. Give several, of different schemas and without one.
    pub fn record(mut self, record: Record) -> Self {
        self.records.push(record);
        self
    }

    /// A record that does not concern the transform, because it lacks the field or is of another topic.
    pub fn untouched(mut self, record: Record) -> Self {
        self.untouched.push(record);
        self
    }

    /// What becomes of tombstones, where they do not just pass.
    pub fn tombstones(mut self, tombstones: Tombstones) -> Self {
        self.tombstones = tombstones;
        self
    }

    fn make(&self) -> Result<Box<dyn Transform>, String> {
        let Factory::Transform(make) = self.subject.plugin.factory else {
            return Err("this is no transform".into());
        };
        make(&self.subject.sample).map_err(|error| format!("it cannot be made of the sample: {error}"))
    }

    /// Everything that it is shown: samples twice, so that plans are found again, among what is hostile.
    fn all(&self) -> Vec<Record> {
        let samples = || self.records.iter().chain(&self.untouched).cloned();
        samples().chain(hostile::records()).chain(samples()).collect()
    }

    /// Looks at all rules.
    #[track_caller]
    pub fn check(self) -> Report {
        let mut suite = Suite::new(&self.subject.plugin);
        self.subject.look(&mut suite);
        suite.look("a hostile record never panics", |_| self.hostile());
        suite.look("a sample is changed or dropped", |_| self.works());
        suite.look("what does not concern it is left alone", |_| self.left_alone());
        suite.look("tombstones are treated as declared", |_| self.tombstone().err());
        suite.look("one by one and as a batch are the same", |_| self.batches().err());
        suite.look("nothing is remembered from the record before", |_| self.stateless().err());
        suite.look("schemas and shapes stay shared", |_| self.sharing());
        suite.look("an error leaves the record as it was", |_| self.errors());
        suite.finish()
    }

    fn hostile(&self) -> Vec<String> {
        let mut transform = self.make().ok();
        let one = |record: &Record| {
            let panic = panic_of(|| {
                let _ = transform.as_mut().map(|transform| transform.apply(&mut record.clone()));
            })?;
            // What a panic left behind says nothing about the next record.
            transform = self.make().ok();
            Some(format!("{panic}, by {record:?}"))
        };
        hostile::records().iter().filter_map(one).collect()
    }

    fn works(&self) -> Vec<String> {
        if self.records.is_empty() {
            return vec!["there is no sample: name records that it works on by record()".into()];
        }
        let one = |record: &Record| -> Result<(), String> {
            let mut changed = record.clone();
            match self.make()?.apply(&mut changed) {
                Ok(Verdict::Keep) if format!("{changed:?}") == format!("{record:?}") => {
                    Err(format!("nothing became of {record:?}; is it one for untouched()?"))
                }
                Ok(_) => Ok(()),
                Err(error) => Err(format!("{error}, by {record:?}")),
            }
        };
        self.records.iter().filter_map(|record| one(record).err()).collect()
    }

    fn left_alone(&self) -> Vec<String> {
        let one = |record: &Record| -> Result<(), String> {
            let mut changed = record.clone();
            let verdict = self.make()?.apply(&mut changed);
            if Outcome::of(&verdict, &changed) == Outcome::of(&Ok(Verdict::Keep), record) {
                Ok(())
            } else {
                Err(format!("{record:?} became {changed:?}, {verdict:?}"))
            }
        };
        self.untouched.iter().filter_map(|record| one(record).err()).collect()
    }

    fn tombstone(&self) -> Result<(), String> {
        let template = self.records.first().cloned().unwrap_or_else(|| Record::for_topic("t"));
        let record = Record { key: Datum::NULL, value: Datum::NULL, ..template };
        let mut changed = record.clone();
        let verdict = self.make()?.apply(&mut changed);
        let same = format!("{changed:?}") == format!("{record:?}");
        let seen = match &verdict {
            Ok(Verdict::Keep) if same => Tombstones::Pass,
            Ok(Verdict::Keep) => Tombstones::Change,
            Ok(Verdict::Drop) => Tombstones::Drop,
            Err(_) => Tombstones::Refuse,
        };
        if seen == self.tombstones {
            return Ok(());
        }
        Err(format!("{:?} is declared, {seen:?} is what it does: {changed:?}, {verdict:?}", self.tombstones))
    }

    fn batches(&self) -> Result<(), String> {
        let records = self.all();
        let mut single = self.make()?;
        let one_by_one = records.iter().cloned().map(|mut record| {
            let verdict = single.apply(&mut record);
            Outcome::of(&verdict, &record)
        });
        let one_by_one: Vec<Outcome> = one_by_one.collect();
        for size in [records.len(), 1, 7] {
            let mut transform = self.make()?;
            let mut changed = records.clone();
            let mut verdicts = Vec::new();
            for chunk in changed.chunks_mut(size) {
                let mut batch: Vec<&mut Record> = chunk.iter_mut().collect();
                let answers = transform.apply_batch(&mut batch);
                if answers.len() != batch.len() {
                    return Err(format!("{} verdicts for a batch of {}", answers.len(), batch.len()));
                }
                verdicts.extend(answers);
            }
            for ((record, before), (verdict, single)) in
                changed.iter().zip(&records).zip(verdicts.iter().zip(&one_by_one))
            {
                let batch = Outcome::of(verdict, record);
                if batch != *single {
                    return Err(format!("{before:?} becomes {single:?}, and in a batch of {size} {batch:?}"));
                }
            }
        }
        match self.make()?.apply_batch(&mut []).len() {
            0 => Ok(()),
            answers => Err(format!("{answers} verdicts for no records")),
        }
    }

    fn stateless(&self) -> Result<(), String> {
        let mut experienced = self.make()?;
        for (at, record) in self.all().into_iter().enumerate() {
            // Making one may load a model: some of the hostile will do.
            if at >= self.records.len() + self.untouched.len() && at % 5 != 0 {
                let _ = experienced.apply(&mut record.clone());
                continue;
            }
            let (mut by_new, mut by_old) = (record.clone(), record.clone());
            let fresh = self.make()?.apply(&mut by_new);
            let fresh = Outcome::of(&fresh, &by_new);
            let old = experienced.apply(&mut by_old);
            let old = Outcome::of(&old, &by_old);
            if fresh != old {
                return Err(format!("{record:?} becomes {fresh:?} at first, and after others {old:?}"));
            }
        }
        Ok(())
    }

    /// Records that came with one schema leave with one: whoever comes next compares pointers.
    fn sharing(&self) -> Vec<String> {
        let mut transform = match self.make() {
            Ok(transform) => transform,
            Err(found) => return vec![found],
        };
        let mut found = Vec::new();
        let mut results: HashMap<usize, Vec<Record>> = HashMap::new();
        for _ in 0..3 {
            for (at, record) in self.records.iter().chain(&self.untouched).enumerate() {
                let mut changed = record.clone();
                if let Ok(Verdict::Keep) = transform.apply(&mut changed) {
                    results.entry(at).or_default().push(changed);
                }
            }
        }
        for record in
            results.values().filter_map(|records| records.split_first()).flat_map(|(first, rest)| {
                rest.iter()
                    .filter(|other| !shared(&first.key, &other.key) || !shared(&first.value, &other.value))
            })
        {
            found.push(format!("a schema or shape is made anew for every record: {record:?}"));
        }
        found.truncate(1);
        found
    }

    fn errors(&self) -> Vec<String> {
        let mut transform = self.make().ok();
        let one = |record: &Record| {
            let mut changed = record.clone();
            let error = transform.as_mut()?.apply(&mut changed).err()?;
            (format!("{changed:?}") != format!("{record:?}"))
                .then(|| format!("{record:?} became {changed:?} on the error {error}"))
        };
        self.all().iter().filter_map(one).collect()
    }
}

/// Whether two data that came of equal ones share schema or shape.
fn shared(one: &Datum, other: &Datum) -> bool {
    let schemas = match (&one.schema, &other.schema) {
        (Some(one), Some(other)) => one.same(other),
        (one, other) => one.is_none() && other.is_none(),
    };
    let insides = match (&one.value, &other.value) {
        (Value::Struct(one), Value::Struct(other)) => one.schema().same(other.schema()),
        (Value::Object(one), Value::Object(other)) => one.shape().same(other.shape()),
        _ => true,
    };
    schemas && insides
}
