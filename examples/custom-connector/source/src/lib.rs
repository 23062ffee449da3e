//! A source connector of one's own: vehicles that report where they are.
//!
//! The journeys are computed, so there is nothing to install; everything else is as in a connector to a real system:
//!
//! - [`plugins`] is what a worker is given;
//! - `TripConfig` declares the keys, and with them validation, the REST answer and the reference page;
//! - [`TripSource`] decides which task does what;
//! - `task` hands out records, and after a restart goes on where it was.

mod task;

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{OffsetMap, Value};
use lavka_api::plugin::{ConnectorContext, Factory, Plugin, SourceConnector, SourceTask};
use lavka_api::{Error, Result, async_trait};

use task::TripTask;

/// The plugins of this crate: users name them by `class` in `connector.class`.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![Plugin {
        class: "org.example.TripSourceConnector",
        aliases: &[],
        version: env!("CARGO_PKG_VERSION"),
        doc: "Positions of vehicles on simulated journeys.",
        definition: TripConfig::definition,
        factory: Factory::Source(|| Box::new(TripSource::default())),
    }]
}

lavka_api::config! {
    /// The keys: a line each is the field, its type, its default, its checks and its documentation.
    pub(crate) struct TripConfig {
        pub(crate) topic: String = key("topic").high().check(Check::non_empty())
            .doc("The topic that positions are written to."),
        pub(crate) vehicles: Vec<String> = key("vehicles").high().check(Check::distinct_list(false))
            .doc("Names of the vehicles. They are shared out among the tasks, so tasks.max above their number has no \
                  effect."),
        pub(crate) steps: i64 = key("steps").default(1000).check(Check::between(1, 1_000_000_000))
            .doc("How many positions a vehicle reports until it has arrived."),
        pub(crate) batch_size: i32 = key("batch.size").default(500).low().check(Check::between(1, 100_000))
            .doc("The most records that one poll hands out."),
    }
}

/// Key of a source partition: what can go on independently of the rest. Here that is a vehicle, and not a task:
/// when `tasks.max` changes, another task finds the vehicle's offset under the same name.
pub(crate) const VEHICLE: &str = "vehicle";
/// Key of a source offset: the last step that was handed out.
pub(crate) const STEP: &str = "step";

/// The connector: shares the vehicles out among its tasks.
#[derive(Debug, Default)]
pub struct TripSource {
    config: Config,
}

#[async_trait]
impl SourceConnector for TripSource {
    async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        let vehicles = TripConfig::from_config(&self.config)?.vehicles;
        let tasks = usize::try_from(max_tasks).unwrap_or(usize::MAX).min(vehicles.len());
        let share = |task: usize| {
            let mine: Vec<&str> = vehicles.iter().skip(task).step_by(tasks).map(String::as_str).collect();
            let mut config = self.config.clone();
            config.set("vehicles", mine.join(","));
            config
        };
        Ok((0..tasks).map(share).collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        Ok(Box::new(TripTask::new(&TripConfig::from_config(config)?)?))
    }

    async fn stop(&mut self) {}

    /// Users may set offsets over REST. Whatever `start` of the task would choke on is better refused here.
    fn alter_offsets(&self, _config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        // None removes an offset, which is fine for any partition: this is how users clean up.
        let set = offsets.iter().filter_map(|(partition, offset)| Some((partition, offset.as_ref()?)));
        for (partition, offset) in set {
            if partition.get(VEHICLE).and_then(Value::as_str).is_none() {
                return Err(Error::config(format!(
                    "A partition is {{\"{VEHICLE}\": name}}; this one has no name"
                )));
            }
            step_of(offset)?;
        }
        Ok(true)
    }
}

/// The step in an offset.
pub(crate) fn step_of(offset: &OffsetMap) -> Result<i64> {
    offset.get(STEP).and_then(Value::as_i64).filter(|step| *step >= 0).ok_or_else(|| {
        Error::config(format!(
            "An offset is {{\"{STEP}\": number}} with a number from 0; alter or reset the offsets"
        ))
    })
}
