//! Transforms behind their predicates.

use lavka_api::config::{Config, ConfigDef, ConfigType, key};
use lavka_api::data::{Record, SinkRecord, SourceRecord};
use lavka_api::plugin::{Catalogue, Factory, PluginKind, Predicate, Remark, RemarkLevel, Transform, Verdict};
use lavka_api::{Error, Result};

use crate::errors::{ErrorPolicy, Failure, Next, Stage as ErrorStage, Stopping, Tries};

/// One stage: a transform, and the condition under which it applies.
struct Link {
    class: &'static str,
    transform: Box<dyn Transform>,
    predicate: Option<(Box<dyn Predicate>, bool)>,
}

/// A connector's transforms, in order.
#[derive(Default)]
pub struct Chain {
    links: Vec<Link>,
}

/// Anything that carries a record through a chain.
pub(crate) trait Carrier {
    fn record(&mut self) -> &mut Record;

    /// Whether there is no record in it, only a place.
    fn is_progress(&self) -> bool {
        false
    }
}

impl Carrier for SourceRecord {
    fn record(&mut self) -> &mut Record {
        &mut self.record
    }

    fn is_progress(&self) -> bool {
        SourceRecord::is_progress(self)
    }
}

impl Carrier for SinkRecord {
    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}

/// Where an item stands after the chain.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It goes on.
    Live,
    /// A transform dropped it.
    Dropped,
    /// It failed.
    Failed(Failure),
}

impl Chain {
    /// The chain that `config` asks for by `transforms` and `predicates`.
    ///
    /// # Errors
    /// A config error that names the key: unknown class, missing type, predicate that is not there, a setting that the
    /// transform refuses.
    pub fn from_config(config: &Config, catalogue: &Catalogue) -> Result<Self> {
        let list = |key: &str| Vec::<String>::parse(config.get(key).unwrap_or_default()).unwrap_or_default();
        let predicates = list("predicates");
        let mut links = Vec::new();
        for alias in list("transforms") {
            let prefix = format!("transforms.{alias}.");
            let own = config.with_prefix_stripped(&prefix);
            let type_key = format!("{prefix}type");
            let class = required(config, &type_key)?;
            let plugin = catalogue
                .find(class, |kind| kind == PluginKind::Transformation)
                .map_err(|error| Error::invalid_value(&type_key, class, error))?;
            let Factory::Transform(make) = plugin.factory else {
                return Err(Error::invalid_value(&type_key, class, "is not a transformation"));
            };
            let transform = make(&own).map_err(|error| in_context(&prefix, error))?;
            let predicate = match own.get("predicate").map(str::trim) {
                None => {
                    if own.contains("negate") {
                        return Err(Error::config(format!(
                            "Config '{prefix}negate' was provided but there is no config '{prefix}predicate' defining \
                             a predicate to be negated."
                        )));
                    }
                    None
                }
                Some(name) if predicates.iter().any(|p| p == name) => {
                    Some((predicate(config, name, catalogue)?, negated(&own, &prefix)?))
                }
                Some(name) => {
                    return Err(Error::invalid_value(
                        &format!("{prefix}predicate"),
                        name,
                        format!(
                            "No predicate of this name is listed in 'predicates'; add it: predicates={name}"
                        ),
                    ));
                }
            };
            links.push(Link { class: plugin.class, transform, predicate });
        }
        Ok(Self { links })
    }

    /// Sends one record through all stages, without retries: for trying a chain out.
    ///
    /// # Errors
    /// The failure of the stage that could not take the record.
    pub fn apply_one(&mut self, record: &mut Record) -> Result<Verdict, Failure> {
        for link in &mut self.links {
            let verdict = link.apply(record).map_err(|error| link.failure(error));
            link.log_remarks();
            if verdict? == Verdict::Drop {
                return Ok(Verdict::Drop);
            }
        }
        Ok(Verdict::Keep)
    }

    /// Whether there are no transforms.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Sends `items` through all stages; gives one fate each. A stage sees the whole batch at once. Retriable failures
    /// are tried again one record at a time, as `policy` allows. Where the task is to stop meanwhile, the items are
    /// left half-way and must not be used.
    pub(crate) async fn apply<T: Carrier>(
        &mut self,
        items: &mut [T],
        policy: &mut ErrorPolicy,
    ) -> Result<Vec<Fate>, Stopping> {
        let fate = |item: &T| if item.is_progress() { Fate::Dropped } else { Fate::Live };
        let mut fates: Vec<Fate> = items.iter().map(fate).collect();
        for link in &mut self.links {
            for (place, verdict) in link.apply_batch(items, &fates) {
                let verdict = match verdict {
                    Err(error) if error.is_retriable() => match items.get_mut(place) {
                        Some(item) => link.again(item.record(), error, policy).await?,
                        None => Err(error),
                    },
                    other => other,
                };
                let fate = match verdict {
                    Ok(Verdict::Keep) => continue,
                    Ok(Verdict::Drop) => Fate::Dropped,
                    Err(error) => Fate::Failed(link.failure(error)),
                };
                if let Some(slot) = fates.get_mut(place) {
                    *slot = fate;
                }
            }
            link.log_remarks();
        }
        Ok(fates)
    }
}

impl Link {
    /// Whether the predicate lets the transform have this record.
    fn selects(&mut self, record: &Record) -> Result<bool> {
        match &mut self.predicate {
            None => Ok(true),
            Some((predicate, negate)) => predicate.test(record).map(|holds| holds != *negate),
        }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        if self.selects(record)? { self.transform.apply(record) } else { Ok(Verdict::Keep) }
    }

    /// Has the transform take every live item that the predicate selects, at once; gives verdicts by place.
    fn apply_batch<T: Carrier>(&mut self, items: &mut [T], fates: &[Fate]) -> Vec<(usize, Result<Verdict>)> {
        let mut verdicts = Vec::with_capacity(items.len());
        let mut places = Vec::with_capacity(items.len());
        let mut records: Vec<&mut Record> = Vec::with_capacity(items.len());
        for (place, (item, fate)) in items.iter_mut().zip(fates).enumerate() {
            if !matches!(fate, Fate::Live) {
                continue;
            }
            let record = item.record();
            match self.selects(record) {
                Ok(true) => {
                    places.push(place);
                    records.push(record);
                }
                Ok(false) => {}
                Err(error) => verdicts.push((place, Err(error))),
            }
        }
        let mut answers = self.transform.apply_batch(&mut records).into_iter();
        for place in places {
            let verdict = answers.next().unwrap_or_else(|| {
                Err(Error::fatal(format!("{} did not say what becomes of every record", self.class)))
            });
            verdicts.push((place, verdict));
        }
        verdicts
    }

    /// Tries one record again, for as long as `policy` allows.
    async fn again(
        &mut self,
        record: &mut Record,
        mut error: Error,
        policy: &mut ErrorPolicy,
    ) -> Result<Result<Verdict>, Stopping> {
        let mut tries = Tries::default();
        loop {
            match policy.try_again(&mut tries, error).await {
                Next::Again => {}
                Next::GiveUp(error) => return Ok(Err(error)),
                Next::Stop => return Err(Stopping),
            }
            match self.apply(record) {
                Err(next) => error = next,
                Ok(verdict) => return Ok(Ok(verdict)),
            }
        }
    }

    /// Logs what the transform has to say about the records it was given.
    fn log_remarks(&mut self) {
        for Remark { level, text, times } in self.transform.take_remarks() {
            let times = if times > 1 { format!(" ({times} times)") } else { String::new() };
            match level {
                RemarkLevel::Warn => tracing::warn!("{}: {text}{times}", self.class),
                RemarkLevel::Error => tracing::error!("{}: {text}{times}", self.class),
            }
        }
    }

    fn failure(&self, error: Error) -> Failure {
        Failure { stage: ErrorStage::Transformation, class: self.class.to_owned(), error }
    }
}

fn required<'c>(config: &'c Config, name: &str) -> Result<&'c str> {
    config.get(name).map(str::trim).ok_or_else(|| {
        Error::config(format!("Missing required configuration \"{name}\" which has no default value."))
    })
}

fn negated(own: &Config, prefix: &str) -> Result<bool> {
    own.get("negate").map_or(Ok(false), |text| {
        bool::parse(text).map_err(|detail| Error::invalid_value(&format!("{prefix}negate"), text, detail))
    })
}

fn predicate(config: &Config, name: &str, catalogue: &Catalogue) -> Result<Box<dyn Predicate>> {
    let prefix = format!("predicates.{name}.");
    let type_key = format!("{prefix}type");
    let class = required(config, &type_key)?;
    let plugin = catalogue
        .find(class, |kind| kind == PluginKind::Predicate)
        .map_err(|error| Error::invalid_value(&type_key, class, error))?;
    let Factory::Predicate(make) = plugin.factory else {
        return Err(Error::invalid_value(&type_key, class, "is not a predicate"));
    };
    make(&config.with_prefix_stripped(&prefix)).map_err(|error| in_context(&prefix, error))
}

/// Says which alias an error of a transform's own configuration belongs to.
fn in_context(prefix: &str, error: Error) -> Error {
    let alias = prefix.trim_end_matches('.');
    Error::config(format!("{alias}: {}", error.message().unwrap_or_default())).caused_by(error)
}

/// The keys that the framework adds to every transform: `predicate` and `negate`.
#[must_use]
pub fn transform_framework_keys() -> ConfigDef {
    let mut def = ConfigDef::new();
    def.add(
        key::<Option<String>>("predicate")
            .doc("The alias of a predicate that decides whether this transformation applies to a record.")
            .into_def(),
    );
    def.add(
        key::<bool>("negate")
            .default(false)
            .doc("Whether the transformation applies where its predicate does not hold.")
            .into_def(),
    );
    def
}
