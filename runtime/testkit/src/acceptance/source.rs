//! Rules on source connectors.

use std::collections::BTreeMap;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, SourcePosition, SourceRecord, Value};
use lavka_api::plugin::Plugin;

use super::configuration::Subject;
use super::offsets::OffsetStore;
use super::source_run::{Handed, SourceRun, connector};
use super::suite::{Report, Suite};
use super::{GRACE, PATIENCE, done, within};

/// Cuts are made at every record of a run this long, and spread over a longer one.
const MOST_CUTS: usize = 32;

/// The checks of a source connector; see [the module](super).
///
/// The suite runs the source many times. Each run is a *round* and expects the same records again, so by default the
/// sample has to name a source that holds still: a file, a table. For one that does not, [`round`](Self::round) gives
/// each round a place of its own and [`fill`](Self::fill) puts the records there.
#[must_use = "check() looks at the rules"]
pub struct SourceAcceptance {
    subject: Subject,
    rules: Rules,
}

struct Rules {
    plugin: Plugin,
    records: usize,
    may_repeat: bool,
    patience: Duration,
    round: Option<Box<dyn Fn(usize) -> Config>>,
    fill: Box<dyn Fn(&Config)>,
    identity: Box<dyn Fn(&SourceRecord) -> String>,
}

impl SourceAcceptance {
    pub(super) fn new(plugin: Plugin) -> Self {
        let rules = Rules {
            plugin: plugin.clone(),
            records: 0,
            may_repeat: false,
            patience: PATIENCE,
            round: None,
            fill: Box::new(|_| {}),
            identity: Box::new(|handed| {
                format!("{:?} {:?}", handed.record.key.value, handed.record.value.value)
            }),
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

    /// How many records a round has: five to fifty. More than one batch of them tells more.
    pub fn records(mut self, records: usize) -> Self {
        self.rules.records = records;
        self
    }

    /// The source may hand out again what was acknowledged: its system does not know better. Without this, a source
    /// that is started with the offset of a record goes on right behind it.
    pub fn may_repeat(mut self) -> Self {
        self.rules.may_repeat = true;
        self
    }

    /// How long records may take to come before they count as lost: half a minute, unless said otherwise here.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.rules.patience = patience;
        self
    }

    /// A configuration for each round, in place of the sample: a queue or subscription of its own.
    pub fn round(mut self, round: impl Fn(usize) -> Config + 'static) -> Self {
        self.rules.round = Some(Box::new(round));
        self
    }

    /// Called once a round, after the tasks were started for the first time, to give the source its records.
    pub fn fill(mut self, fill: impl Fn(&Config) + 'static) -> Self {
        self.rules.fill = Box::new(fill);
        self
    }

    /// What a record is recognised by from round to round: key and value, unless said otherwise here.
    pub fn identity(mut self, identity: impl Fn(&SourceRecord) -> String + 'static) -> Self {
        self.rules.identity = Box::new(identity);
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
        let Some((reference, offsets)) = suite.get("the records come", rounds.reference()) else {
            return suite.finish();
        };
        suite.run("a user may set the offsets that it writes", rounds.offsets_can_be_set(&offsets));
        suite.run("it goes on after every cut point", rounds.cuts(&reference));
        suite.run("another number of tasks loses nothing", rounds.other_tasks(&reference));
        suite.run("a dropped poll has taken nothing", rounds.dropped_polls(&reference));
        suite.run("it can be paused and resumed", rounds.pause(&reference));
        suite.run("acknowledgements may come in any order", rounds.acknowledgements(&reference));
        suite.run("an idle poll waits", rounds.idle());
        suite.run("a hostile offset never panics", rounds.hostile_offsets(&offsets));
        suite.finish()
    }
}

/// How often each record came.
type Counts = BTreeMap<String, usize>;

struct Rounds<'a> {
    sample: Config,
    subject: &'a Subject,
    rules: &'a Rules,
}

impl Rounds<'_> {
    /// The configuration of a round; rounds of one rule count from its `base`.
    fn config(&self, round: usize) -> Config {
        self.rules
            .round
            .as_ref()
            .map_or_else(|| self.sample.clone(), |make| self.subject.complete(&make(round)))
    }

    async fn start(&self, config: &Config, max_tasks: u32, store: &OffsetStore) -> Result<SourceRun, String> {
        SourceRun::start(&self.rules.plugin, config, max_tasks, store, self.rules.patience).await
    }

    /// A first run of a round, with the source's records in place.
    async fn begin(&self, config: &Config, max_tasks: u32, store: &OffsetStore) -> Result<SourceRun, String> {
        let run = self.start(config, max_tasks, store).await?;
        // It may block, and may have a runtime of its own.
        tokio::task::block_in_place(|| (self.rules.fill)(config));
        Ok(run)
    }

    fn counts<'r>(&self, records: impl IntoIterator<Item = &'r Handed>) -> Counts {
        let mut counts = Counts::new();
        for handed in records {
            *counts.entry((self.rules.identity)(&handed.record)).or_default() += 1;
        }
        counts
    }

    async fn task_counts(&self) -> Result<(), String> {
        for max in [1, 2, 5] {
            let mut connector = connector(&self.rules.plugin)?;
            let context = super::source_run::context();
            done(PATIENCE, "the connector's start", connector.start(context, &self.config(0))).await?;
            let configs = done(PATIENCE, "task_configs", connector.task_configs(max)).await?;
            if configs.len() > usize::try_from(max).unwrap_or(usize::MAX) {
                return Err(format!("{} tasks where {max} are allowed", configs.len()));
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
        let store = OffsetStore::default();
        self.start(&config, 1, &store).await?.stop().await?;
        let mut polled = self.start(&config, 1, &store).await?;
        polled.poll_partly(1).await?;
        polled.stop().await?;
        let mut in_flight = self.begin(&config, 1, &store).await?;
        in_flight.take(1).await?;
        in_flight.stop().await
    }

    /// A run without interruption: what all others are held against.
    async fn reference(&self) -> Result<(Counts, Vec<(OffsetMap, OffsetMap)>), String> {
        if self.rules.records == 0 {
            return Err("say how many there are, by records()".into());
        }
        let store = OffsetStore::default();
        let mut run = self.begin(&self.config(2), 1, &store).await?;
        let records = run.take(self.rules.records).await?;
        run.acknowledge(&records)?;
        run.stop().await?;
        if records.len() != self.rules.records {
            return Err(format!("{} came, and {} were announced", records.len(), self.rules.records));
        }
        Ok((self.counts(&records), store.entries()))
    }

    async fn offsets_can_be_set(&self, offsets: &[(OffsetMap, OffsetMap)]) -> Result<(), String> {
        let set: Vec<_> =
            offsets.iter().map(|(partition, offset)| (partition.clone(), Some(offset.clone()))).collect();
        let removed: Vec<_> = offsets.iter().map(|(partition, _)| (partition.clone(), None)).collect();
        let connector = connector(&self.rules.plugin)?;
        for offsets in [set, removed] {
            if let Err(error) = connector.alter_offsets(&self.config(2), &offsets) {
                return Err(format!("alter_offsets refuses {offsets:?}: {error}"));
            }
        }
        Ok(())
    }

    /// Takes `cut` records, ends, goes on, and holds what came against the reference.
    async fn resume(
        &self,
        reference: &Counts,
        round: usize,
        cut: usize,
        [tasks_before, tasks_after]: [u32; 2],
        kill: bool,
    ) -> Result<(), String> {
        let config = self.config(round);
        let store = OffsetStore::default();
        let mut first = self.begin(&config, tasks_before, &store).await?;
        let mut taken = first.take(cut).await?;
        taken.truncate(cut);
        first.acknowledge(&taken)?;
        if kill {
            drop(first);
        } else {
            first.stop().await?;
        }
        let mut second = self.start(&config, tasks_after, &store).await?;
        let mut rest = Vec::new();
        let came = second
            .take_until(&mut rest, |rest| {
                missing(reference, &self.counts(taken.iter().chain(rest))).is_empty()
            })
            .await;
        if let Err(found) = came {
            let missing = missing(reference, &self.counts(taken.iter().chain(&rest)));
            return Err(format!("lost: {}; {found}", listed(&missing)));
        }
        rest.extend(second.linger().await?.0);
        second.stop().await?;
        self.judge(reference, taken.iter().chain(&rest))
    }

    /// Finds what came too often, or was not to come at all.
    fn judge<'r>(&self, reference: &Counts, all: impl IntoIterator<Item = &'r Handed>) -> Result<(), String> {
        let counts = self.counts(all);
        let missing = missing(reference, &counts);
        if !missing.is_empty() {
            return Err(format!("lost: {}", listed(&missing)));
        }
        let surplus: Vec<String> = counts
            .into_iter()
            .filter(|(identity, count)| match reference.get(identity) {
                Some(expected) => !self.rules.may_repeat && count > expected,
                None => true,
            })
            .map(|(identity, _)| identity)
            .collect();
        if surplus.is_empty() {
            Ok(())
        } else {
            Err(format!("came again, or from nowhere: {}", listed(&surplus)))
        }
    }

    async fn cuts(&self, reference: &Counts) -> Result<(), String> {
        let count = self.rules.records;
        let step = count.div_ceil(MOST_CUTS).max(1);
        let cuts: Vec<usize> = (0..count).step_by(step).chain([count]).collect();
        for (round, cut) in cuts.into_iter().enumerate() {
            for kill in [false, true] {
                let ended = if kill { "killed" } else { "stopped" };
                self.resume(reference, 100 + 2 * round + usize::from(kill), cut, [1, 1], kill)
                    .await
                    .map_err(|found| format!("{ended} after {cut} of {count}: {found}"))?;
            }
        }
        Ok(())
    }

    async fn other_tasks(&self, reference: &Counts) -> Result<(), String> {
        for (round, tasks) in [[3, 3], [1, 3], [3, 1]].into_iter().enumerate() {
            let [before, after] = tasks;
            self.resume(reference, 10 + round, self.rules.records / 2, tasks, false)
                .await
                .map_err(|found| format!("tasks.max={before}, then {after}: {found}"))?;
        }
        Ok(())
    }

    async fn dropped_polls(&self, reference: &Counts) -> Result<(), String> {
        let mut run = self.begin(&self.config(20), 1, &OffsetStore::default()).await?;
        let mut all = Vec::new();
        let drops = async {
            for times in (0..7).cycle() {
                if all.len() >= self.rules.records {
                    break;
                }
                // Some get nowhere unless a poll is let finish now and then.
                let came = if times == 6 { Some(run.take(1).await?) } else { run.poll_partly(times).await? };
                all.extend(came.into_iter().flatten());
            }
            Ok::<_, String>(())
        };
        let dropped = within(self.rules.patience, "polling and dropping", drops).await;
        dropped.and_then(|outcome| outcome).map_err(|found| {
            let missing = missing(reference, &self.counts(&all));
            format!("lost: {}; {found}", listed(&missing))
        })?;
        all.extend(run.linger().await?.0);
        run.stop().await?;
        self.judge(reference, &all)
    }

    async fn pause(&self, reference: &Counts) -> Result<(), String> {
        let mut run = self.begin(&self.config(21), 1, &OffsetStore::default()).await?;
        let mut all = run.take(self.rules.records / 2).await?;
        all.extend(run.poll_partly(1).await?.into_iter().flatten());
        // Paused: no poll; what is in flight is acknowledged meanwhile.
        run.acknowledge(&all)?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut rest = Vec::new();
        run.take_until(&mut rest, |rest| missing(reference, &self.counts(all.iter().chain(rest))).is_empty())
            .await?;
        run.acknowledge(&rest)?;
        run.stop().await?;
        self.judge(reference, all.iter().chain(&rest))
    }

    async fn acknowledgements(&self, reference: &Counts) -> Result<(), String> {
        let config = self.config(22);
        let store = OffsetStore::default();
        let mut run = self.begin(&config, 1, &store).await?;
        let mut all = Vec::new();
        while all.len() < self.rules.records {
            let batch = run.take(1).await?;
            let backwards: Vec<Handed> = batch.iter().rev().cloned().collect();
            run.deliver(&backwards);
            run.commit(&batch)?;
            all.extend(batch);
        }
        self.judge(reference, &all)?;
        run.stop().await?;
        let mut next = self.start(&config, 1, &store).await?;
        let (again, _) = next.linger().await?;
        next.stop().await?;
        if again.is_empty() || self.rules.may_repeat {
            return Ok(());
        }
        let again: Vec<String> = self.counts(&again).into_keys().collect();
        Err(format!("acknowledged and committed, and handed out again: {}", listed(&again)))
    }

    /// A `poll` that returns nothing at once, and is called again at once, takes a core.
    async fn idle(&self) -> Result<(), String> {
        const MOST_RETURNS: usize = 50;
        let mut run = self.begin(&self.config(23), 1, &OffsetStore::default()).await?;
        let all = run.take(self.rules.records).await?;
        run.acknowledge(&all)?;
        let (_, returns) = run.linger().await?;
        run.stop().await?;
        if returns <= MOST_RETURNS {
            return Ok(());
        }
        Err(format!(
            "poll returned {returns} times in 60 ms with nothing to return; wait before returning none"
        ))
    }

    async fn hostile_offsets(&self, offsets: &[(OffsetMap, OffsetMap)]) -> Result<(), String> {
        let values = [
            Value::Null,
            Value::Int64(-1),
            Value::Int64(i64::MIN),
            Value::Int64(i64::MAX),
            Value::Float64(f64::NAN),
            Value::Boolean(true),
            "\0🦀".into(),
        ];
        let config = self.config(2);
        for (partition, offset) in offsets {
            let hostile = values.iter().map(|value| {
                OffsetMap::new(offset.entries().iter().map(|(key, _)| (key.clone(), value.clone())))
            });
            let strange = OffsetMap::new([("no such key", Value::Int64(1))]);
            for offset in hostile.chain([strange, OffsetMap::new(Vec::<(&str, Value)>::new())]) {
                // Whether they are refused is the source's business: an error is as good as another start.
                let pair = [(partition.clone(), Some(offset.clone()))];
                let _ = connector(&self.rules.plugin)?.alter_offsets(&config, &pair);
                let store = OffsetStore::default();
                store.commit(&SourcePosition { partition: partition.clone(), offset })?;
                if let Ok(mut run) = self.start(&config, 1, &store).await {
                    let _ = run.poll_partly(3).await;
                    run.stop().await?;
                }
            }
        }
        Ok(())
    }
}

/// What is in `reference` more often than it came.
fn missing(reference: &Counts, came: &Counts) -> Vec<String> {
    let short = reference.iter().filter(|(identity, count)| came.get(*identity).unwrap_or(&0) < count);
    short.map(|(identity, _)| identity.clone()).collect()
}

/// The first of many, for a message.
fn listed(identities: &[String]) -> String {
    let first = identities.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    match identities.len() {
        0..=3 => first,
        many => format!("{first} and {} more", many - 3),
    }
}
