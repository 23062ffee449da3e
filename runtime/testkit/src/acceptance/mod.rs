//! The acceptance suite: what the runtime counts on in any connector or transform, as checks that its author runs.
//!
//! A test names the plugin, a configuration that works, and what the suite cannot know of the system behind it. The
//! suite then does what the runtime does, by the contracts of [`lavka_api::plugin`] alone: no Kafka, no worker.
//!
//! ```no_run
//! # fn plugins() -> Vec<lavka_api::plugin::Plugin> { Vec::new() }
//! use lavka_testkit::acceptance;
//!
//! acceptance::source(plugins().remove(0))
//!     .config([("topic", "lines"), ("file", "testdata/ten-lines.txt")])
//!     .refuses("topic", "")
//!     .records(10)
//!     .check()
//!     .assert_clean();
//! ```
//!
//! # What is checked
//!
//! | plugin | rules |
//! | --- | --- |
//! | every | the declaration is well formed and documented; the sample is accepted; values made up from the declaration, nulls and missing keys are refused by an error that names the key; hostile values never panic; secrets are not shown |
//! | source | task configurations; offsets that survive being stored and may be set by users; **resume after every cut point** by a stop and by a kill, with nothing lost; another number of tasks; a dropped `poll` has taken nothing; pause and resume; acknowledgements in any order; stop at any time; an idle `poll` does not spin; hostile offsets never panic |
//! | sink | what was committed is in the target; a killed task's records come again and are written as declared; rebalances; `pre_commit` answers for what was put and is assigned; records that cannot be written are reported alone; stop at any time; hostile records never panic |
//! | transform | what it does not concern is left alone; tombstones pass; one by one and as a batch are the same; nothing is remembered from the record before; schemas stay shared; an error leaves the record as it was; hostile records never panic |
//! | predicate | holds and does not hold for the samples; no state; hostile records never panic |
//! | converter | nulls both ways; samples come back as said; it appends; no state; hostile bytes and data never panic |
//!
//! A plugin that keeps a rule differently on purpose says so in its test (`may_repeat`, `tombstones`), where a reader
//! finds it.
//!
//! # Time
//!
//! Nothing is asserted on how long something takes. Limits end what hangs: half a minute for records to come (`patience`), and for
//! a stop the five seconds that `task.shutdown.graceful.timeout.ms` gives by default.

mod configuration;
mod converter;
mod hostile;
mod offsets;
mod predicate;
mod registry;
mod sink;
mod sink_run;
mod source;
mod source_run;
mod suite;
mod transform;

use std::time::Duration;

use lavka_api::plugin::Plugin;

pub use converter::ConverterAcceptance;
pub use predicate::PredicateAcceptance;
pub use registry::{RegistryRecord, registry_converter};
pub use sink::SinkAcceptance;
pub use source::SourceAcceptance;
pub use suite::{Fault, Report};
pub use transform::{Tombstones, TransformAcceptance};

/// The checks of a source connector.
pub fn source(plugin: Plugin) -> SourceAcceptance {
    SourceAcceptance::new(plugin)
}

/// The checks of a sink connector.
pub fn sink(plugin: Plugin) -> SinkAcceptance {
    SinkAcceptance::new(plugin)
}

/// The checks of a transform.
pub fn transform(plugin: Plugin) -> TransformAcceptance {
    TransformAcceptance::new(plugin)
}

/// The checks of a predicate.
pub fn predicate(plugin: Plugin) -> PredicateAcceptance {
    PredicateAcceptance::new(plugin)
}

/// The checks of a converter of keys and values.
pub fn converter(plugin: Plugin) -> ConverterAcceptance {
    ConverterAcceptance::new(plugin)
}

/// Ends a check whose plugin hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `task.shutdown.graceful.timeout.ms` gives a task to stop, by default.
const GRACE: Duration = Duration::from_secs(5);

/// `work`, or that it hung. Panics pass through: the rule under check reports them.
async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(limit, work).await.map_err(|_| format!("{what} had not ended after {limit:?}"))
}

/// `work` of a plugin, whose error becomes the finding.
async fn done<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = lavka_api::Result<T>>,
) -> Result<T, String> {
    within(limit, what, work).await?.map_err(|error| format!("{what} failed: {error}"))
}
