//! Rules on sink connectors.

use std::collections::BTreeMap;

use lavka_api::config::Config;
use lavka_api::data::{Datum, Object, Record, TopicPartition, Value};
use lavka_api::plugin::{Offsets, Plugin};

use super::configuration::Subject;
use super::hostile;
use super::sink_run::{Group, SinkRun, TOPIC, connector, consumed, partitions};
use super::suite::{Report, Suite};
use super::{GRACE, PATIENCE, done, within};

/// The checks of a sink connector; see [the module](super).
///
/// The suite runs the sink many times, each time for the records of a topic from its beginning. Such a *round* needs a
/// place of its own in the target: [`round`](Self::round) names one, [`written`](Self::written) reads it back.
#[must_use = "check() looks at the rules"]
pub struct SinkAcceptance {
    subject: Subject,
    rules: Rules,
}

struct Rules {
    plugin: Plugin,
    records: i64,
    exactly_once: bool,
    round: Option<Box<dyn Fn(usize) -> Config>>,
    record: Sample,
    unwritable: Option<Record>,
    written: Option<Written>,
}

/// Makes the record of a place in the topic.
type Sample = Box<dyn Fn(&TopicPartition, i64) -> Record>;

/// Reads partition and offset of each record in the place that a configuration names.
type Written = Box<dyn Fn(&Config) -> Vec<(i32, i64)>>;

impl SinkAcceptance {
    pub(super) fn new(plugin: Plugin) -> Self {
        let record = |partition: &TopicPartition, offset: i64| {
            let mut record = Record::for_topic(TOPIC);
            record.value = Datum::schemaless(Object::from_entries([
                ("partition", Value::Int64(partition.partition.into())),
                ("offset", Value::Int64(offset)),
            ]));
            record
        };
        let rules = Rules {
            plugin: plugin.clone(),
            records: 30,
            exactly_once: false,
            round: None,
            record: Box::new(record),
            unwritable: None,
            written: None,
        };
        Self { subject: Subject::new(plugin), rules }
    }

    /// A configuration that works. `name`, `connector.class` and `tasks.max` are added, as the worker's.
    pub fn config(mut self, config: impl Into<Config>) -> Self {
        self.subject.sample = config.into();
        self
    }

    /// A value of the sample that is refused beyond what the declaration says: where keys have to fit each other.
    pub fn refuses(mut self, key: &str, value: &str) -> Self {
        self.subject.refused.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A configuration for each round, with a place of its own in the target.
    pub fn round(mut self, round: impl Fn(usize) -> Config + 'static) -> Self {
        self.rules.round = Some(Box::new(round));
        self
    }

    /// How many records a partition has in a round: 30, unless said otherwise here. They come in batches of a sixth,
    /// and some of each half have to become durable.
    pub fn records(mut self, records: i64) -> Self {
        self.rules.records = records;
        self
    }

    /// A record that the sink can write, for each place in the topic. Its value has to tell the place, so that
    /// [`written`](Self::written) can read it. Unless given it is a schemaless object of `partition` and `offset`.
    pub fn record(mut self, record: impl Fn(&TopicPartition, i64) -> Record + 'static) -> Self {
        self.rules.record = Box::new(record);
        self
    }

    /// A record that the sink cannot write. Where errant records are taken it has to report this one and write the
    /// others of its batch.
    pub fn unwritable(mut self, record: Record) -> Self {
        self.rules.unwritable = Some(record);
        self
    }

    /// Reads the target: partition and offset of every record in the place that the configuration names.
    pub fn written(mut self, written: impl Fn(&Config) -> Vec<(i32, i64)> + 'static) -> Self {
        self.rules.written = Some(Box::new(written));
        self
    }

    /// A record that comes again, because its task was killed before the commit, is not written again.
    pub fn exactly_once(mut self) -> Self {
        self.rules.exactly_once = true;
        self
    }

    /// Looks at all rules.
    #[track_caller]
    pub fn check(self) -> Report {
        let Self { subject, rules } = self;
        let mut suite = Suite::new(&rules.plugin);
        subject.look(&mut suite);
        let rounds = Rounds { sample: subject.complete(&subject.sample), subject: &subject, rules: &rules };
        suite.run("there are at most as many tasks as allowed", rounds.task_counts());
        suite.run("it stops whenever it is told to", rounds.stops());
        suite.run("what was committed is in the target", rounds.writes());
        suite.run("what comes again after a kill is written as declared", rounds.kills());
        suite.run("what comes again after a rebalance is written as declared", rounds.returns());
        suite.run("partitions may come and go", rounds.rebalances());
        suite.run("records that cannot be written are reported alone", rounds.errants());
        suite.run("a hostile record never panics", rounds.hostile());
        suite.finish()
    }
}

struct Rounds<'a> {
    sample: Config,
    subject: &'a Subject,
    rules: &'a Rules,
}

impl Rounds<'_> {
    fn config(&self, round: usize) -> Config {
        self.rules
            .round
            .as_ref()
            .map_or_else(|| self.sample.clone(), |make| self.subject.complete(&make(round)))
    }

    async fn start(&self, config: &Config) -> Result<SinkRun, String> {
        SinkRun::start(&self.rules.plugin, config).await
    }

    /// Records of a batch and partition.
    fn batch(&self) -> i64 {
        (self.rules.records / 6).max(1)
    }

    async fn put(&self, run: &mut SinkRun, end: i64) -> Result<(), String> {
        let batch = run.fetch(self.batch(), end, &self.rules.record);
        run.put(batch, false).await?.map_err(|error| format!("put failed: {error}"))
    }

    /// Reads up to `end`, committing every other batch.
    async fn put_all(&self, run: &mut SinkRun, group: &mut Group, end: i64) -> Result<(), String> {
        let all = async {
            for batch in 0_u64.. {
                if run.is_at(end) {
                    break;
                }
                self.put(run, end).await?;
                if batch % 2 == 1 {
                    run.commit(group).await?;
                }
            }
            Ok(())
        };
        within(PATIENCE, "reading the topic", all).await?
    }

    /// Holds the target against what was committed.
    fn judge(&self, config: &Config, committed: &Offsets) -> Result<(), String> {
        self.judge_but(config, committed, None)
    }

    /// The same where the record at `reported` of every partition was reported and not written.
    fn judge_but(&self, config: &Config, committed: &Offsets, reported: Option<i64>) -> Result<(), String> {
        let written = self.rules.written.as_ref().ok_or("say how to read the target, by written()")?;
        let mut counts: BTreeMap<(i32, i64), usize> = BTreeMap::new();
        for place in tokio::task::block_in_place(|| written(config)) {
            *counts.entry(place).or_default() += 1;
        }
        for (partition, end) in committed {
            let lost = (0..*end)
                .find(|at| Some(*at) != reported && !counts.contains_key(&(partition.partition, *at)));
            if let Some(offset) = lost {
                return Err(format!(
                    "{partition} is committed up to {end}, and offset {offset} is not in the target"
                ));
            }
        }
        let strange = counts.keys().find(|(partition, offset)| {
            !(0..self.rules.records).contains(offset) || !(0..=2).contains(partition)
        });
        if let Some((partition, offset)) = strange {
            return Err(format!("partition {partition}, offset {offset} is in the target and was never put"));
        }
        let twice = counts.iter().find(|(_, count)| **count > 1).filter(|_| self.rules.exactly_once);
        twice.map_or(Ok(()), |((partition, offset), count)| {
            Err(format!("partition {partition}, offset {offset} is in the target {count} times"))
        })
    }

    async fn task_counts(&self) -> Result<(), String> {
        for max in [1, 2, 5] {
            let mut connector = connector(&self.rules.plugin)?;
            let context = super::source_run::context();
            done(PATIENCE, "the connector's start", connector.start(context, &self.config(0))).await?;
            let configs = done(PATIENCE, "task_configs", connector.task_configs(max)).await?;
            if configs.is_empty() || configs.len() > usize::try_from(max).unwrap_or(usize::MAX) {
                return Err(format!("{} tasks where 1 to {max} are allowed", configs.len()));
            }
            for config in &configs {
                connector.task(config).map_err(|error| format!("a task of {max} cannot be made: {error}"))?;
            }
            within(GRACE, "the connector's stop", connector.stop()).await?;
        }
        Ok(())
    }

    async fn stops(&self) -> Result<(), String> {
        let config = self.config(1);
        let mut never_started = connector(&self.rules.plugin)?;
        within(GRACE, "the stop of a connector that was not started", never_started.stop()).await?;
        if let Ok(mut task) = never_started.task(&config) {
            within(GRACE, "the stop of a task that was not started", task.stop()).await?;
        }
        self.start(&config).await?.stop().await?;
        let mut open = self.start(&config).await?;
        open.open(&[0], &Group::default()).await?;
        open.stop().await?;
        let mut uncommitted = self.start(&config).await?;
        uncommitted.open(&[0, 1], &Group::default()).await?;
        self.put(&mut uncommitted, self.rules.records).await?;
        uncommitted.stop().await
    }

    async fn writes(&self) -> Result<(), String> {
        let config = self.config(2);
        let mut group = Group::default();
        let mut run = self.start(&config).await?;
        run.open(&[0, 1], &group).await?;
        // No records, and nothing that could be durable: both are usual when a topic is quiet.
        run.put(Vec::new(), false).await?.map_err(|error| format!("put of no records failed: {error}"))?;
        run.commit(&mut group).await?;
        self.put_all(&mut run, &mut group, self.rules.records).await?;
        run.finish(&mut group).await?;
        for partition in partitions(&[0, 1]) {
            if group.committed.get(&partition).is_none_or(|offset| *offset == 0) {
                return Err(format!("of {} records of {partition} none became durable", self.rules.records));
            }
        }
        self.judge(&config, &group.committed)
    }

    /// A task is killed after every batch in turn, and the next one goes on.
    async fn kills(&self) -> Result<(), String> {
        let config = self.config(3);
        let mut group = Group::default();
        for batches in 1..=6 {
            let mut run = self.start(&config).await?;
            run.open(&[0, 1], &group).await?;
            for batch in 1..=batches {
                self.put(&mut run, self.rules.records).await?;
                // The kill comes between put and commit.
                if batch < batches {
                    run.commit(&mut group).await?;
                }
            }
            drop(run);
        }
        let mut last = self.start(&config).await?;
        last.open(&[0, 1], &group).await?;
        self.put_all(&mut last, &mut group, self.rules.records).await?;
        last.finish(&mut group).await?;
        self.judge(&config, &group.committed)
    }

    /// Partitions are taken away and come back to the same task, which reads on from what was committed.
    async fn returns(&self) -> Result<(), String> {
        let config = self.config(4);
        let mut group = Group::default();
        let mut run = self.start(&config).await?;
        for _ in 0..6 {
            run.open(&[0, 1], &group).await?;
            self.put(&mut run, self.rules.records).await?;
            run.close(&[0, 1], &mut group).await?;
        }
        run.open(&[0, 1], &group).await?;
        self.put_all(&mut run, &mut group, self.rules.records).await?;
        run.finish(&mut group).await?;
        self.judge(&config, &group.committed)
    }

    /// One partition goes to another task and another comes, while a third stays.
    async fn rebalances(&self) -> Result<(), String> {
        let config = self.config(5);
        let (mut group, half) = (Group::default(), self.rules.records / 2);
        let mut first = self.start(&config).await?;
        first.open(&[0, 1], &group).await?;
        self.put_all(&mut first, &mut group, half).await?;
        first.close(&[1], &mut group).await?;
        first.open(&[2], &group).await?;

        let mut second = self.start(&config).await?;
        second.open(&[1], &group).await?;
        self.put_all(&mut second, &mut group, self.rules.records).await?;
        self.put_all(&mut first, &mut group, self.rules.records).await?;
        second.finish(&mut group).await?;
        first.finish(&mut group).await?;
        self.judge(&config, &group.committed)
    }

    async fn errants(&self) -> Result<(), String> {
        let Some(unwritable) = &self.rules.unwritable else { return Ok(()) };
        let config = self.config(6);
        let place = TopicPartition::new(TOPIC, 0);
        let size = self.rules.records.max(3);
        let middle = size / 2;
        let batch = || -> Vec<_> {
            let record = |offset| {
                if offset == middle { unwritable.clone() } else { (self.rules.record)(&place, offset) }
            };
            (0..size).map(|offset| consumed(&place, offset, record(offset))).collect()
        };

        let mut group = Group::default();
        let mut run = self.start(&config).await?;
        run.open(&[0], &group).await?;
        run.put(batch(), true)
            .await?
            .map_err(|error| format!("put failed where errant records are taken: {error}"))?;
        let reported: Vec<usize> = run.errant.iter().map(|errant| errant.index).collect();
        if reported != [usize::try_from(middle).unwrap_or(usize::MAX)] {
            return Err(format!(
                "record {middle} of a batch cannot be written, and {reported:?} are reported"
            ));
        }
        run.finish(&mut group).await?;
        self.judge_but(&config, &group.committed, Some(middle))?;

        let mut strict = self.start(&self.config(7)).await?;
        strict.open(&[0], &Group::default()).await?;
        let outcome = strict.put(batch(), false).await?;
        if outcome.is_ok() && strict.errant.is_empty() {
            return Err("where errant records are not taken, put neither fails nor reports".into());
        }
        strict.stop().await
    }

    async fn hostile(&self) -> Result<(), String> {
        let mut run: Option<SinkRun> = None;
        let place = TopicPartition::new(TOPIC, 0);
        for (offset, record) in (0..).zip(hostile::records()) {
            let mut current = match run.take() {
                Some(run) => run,
                None => {
                    let mut run = self.start(&self.config(8)).await?;
                    run.open(&[0], &Group::default()).await?;
                    run
                }
            };
            // Whether it is written is the sink's business; after an error the engine would stop the task.
            let outcome = current.put(vec![consumed(&place, offset, record)], true).await?;
            if outcome.is_ok() { run = Some(current) } else { current.stop().await? }
        }
        // What it took must not keep it from closing, or must be said by an error.
        if let Some(mut run) = run {
            let _ = run.close(&[0], &mut Group::default()).await;
            run.stop().await?;
        }
        Ok(())
    }
}
