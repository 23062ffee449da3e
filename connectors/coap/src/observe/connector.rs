//! The source connector of the observe mode.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyError, KeyReport};
use lavka_api::data::OffsetMap;
use lavka_api::plugin::{ConnectorContext, ExactlyOnceSupport, SourceConnector, SourceTask};
use lavka_api::{Error, Result};

use super::config::ObserveConfig;
use super::record;
use super::task::{ObserveTask, Plan, SHARES};
use super::wish::{Share, Wish};
use crate::environment::Environment;

/// The connector: spreads servers, or their resources, over tasks.
#[derive(Debug)]
pub(crate) struct CoapObserver {
    config: Config,
    environment: Environment,
}

impl Default for CoapObserver {
    fn default() -> Self {
        Self { config: Config::new(), environment: Environment::SYSTEM }
    }
}

/// The servers of each task by place, each with the share of its resources. Tasks beyond the servers share these; one
/// that would be left with nothing is not made.
fn spread(servers: usize, most_resources: usize, max_tasks: usize) -> Vec<Vec<(usize, Share)>> {
    let tasks = max_tasks.clamp(1, servers.saturating_mul(most_resources).max(1));
    if tasks <= servers {
        let whole = Share { place: 0, of: 1 };
        let of_task = |task| (task..servers).step_by(tasks).map(|server| (server, whole)).collect();
        return (0..tasks).map(of_task).collect();
    }
    let share = |task: usize| {
        let server = task % servers.max(1);
        let of = (tasks - server).div_ceil(servers.max(1));
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        vec![(server, Share { place: number(task / servers.max(1)), of: number(of) })]
    };
    (0..tasks).map(share).collect()
}

/// What is wrong with the files for DTLS, or with there being some.
async fn wrong_files(config: &Config) -> Option<KeyError> {
    // What is wrong with a single key, the definition tells.
    let (plan, parsed) = (Plan::new(config).ok()?, ObserveConfig::from_config(config).ok()?);
    if plan.is_secure() {
        return plan.wrong_files().await;
    }
    let (key, file) = parsed.files().first().map(|(key, file)| (key, file.to_owned()))?;
    let why = "no server in lavka.coap.servers begins with coaps://, so representations would go unencrypted";
    Some(KeyError::invalid(key, file, why))
}

#[async_trait]
impl SourceConnector for CoapObserver {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        definition.validate_with(config, wrong_files(config).await)
    }

    async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
        Plan::new(config)?;
        if let Some(error) = wrong_files(config).await {
            return Err(error.into());
        }
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        let parsed = ObserveConfig::from_config(&self.config)?;
        let wishes: Vec<Wish> = parsed
            .resources
            .iter()
            .map(|text| Wish::parse(text))
            .collect::<Result<_, _>>()
            .map_err(Error::config)?;
        // What a directory holds is not known yet.
        let wild = wishes.iter().any(|wish| wish.resource.fixed().is_none());
        let most_resources = if wild { usize::MAX } else { wishes.len() };
        // A port can be bound once.
        let fixed_port = parsed.bind.rsplit_once(':').is_some_and(|(_, port)| port != "0");
        let max_tasks = if fixed_port { 1 } else { usize::try_from(max_tasks).unwrap_or(usize::MAX) };
        let tasks = spread(parsed.servers.len(), most_resources, max_tasks).into_iter().map(|servers| {
            let mut config = self.config.clone();
            let names: Vec<&str> = servers
                .iter()
                .filter_map(|(place, _)| parsed.servers.get(*place))
                .map(String::as_str)
                .collect();
            let shares: Vec<String> = servers.iter().map(|(_, share)| share.to_string()).collect();
            config.set("lavka.coap.servers", names.join(","));
            config.set(SHARES, shares.join(","));
            config
        });
        Ok(tasks.collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        Ok(Box::new(ObserveTask::new(Plan::new(config)?, self.environment)))
    }

    async fn stop(&mut self) {}

    /// What a resource says is told once; nobody keeps it.
    fn exactly_once_support(&self, _config: &Config) -> Option<ExactlyOnceSupport> {
        Some(ExactlyOnceSupport::Unsupported)
    }

    /// Offsets are `{"server", "resource"}` to `{"etag"}`; without one, the representation at the next start makes a
    /// record also where Kafka has it.
    fn alter_offsets(&self, _config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        for (partition, offset) in offsets {
            let known = ["server", "resource"]
                .iter()
                .all(|key| partition.get(key).is_some_and(|value| value.as_str().is_some()));
            if !known {
                return Err(Error::fatal(
                    "A partition of the CoAP observe source is {\"server\": \"coap://host:port\", \"resource\": \"/path\"}",
                ));
            }
            if offset.as_ref().is_some_and(|offset| record::etag(offset).is_none()) {
                return Err(Error::fatal(
                    "An offset of the CoAP observe source is {\"etag\": \"...\"}, an ETag of 1 to 8 bytes in hexadecimal \
                     digits",
                ));
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_spread_and_then_shared() {
        let spread = |servers, resources, tasks| -> Vec<String> {
            let show = |servers: Vec<(usize, Share)>| {
                let all: Vec<String> =
                    servers.iter().map(|(server, share)| format!("{server}:{share}")).collect();
                all.join(" ")
            };
            super::spread(servers, resources, tasks).into_iter().map(show).collect()
        };
        assert_eq!(spread(3, 1, 2), ["0:0/1 2:0/1", "1:0/1"]);
        assert_eq!(spread(3, 1, 9), ["0:0/1", "1:0/1", "2:0/1"]);
        assert_eq!(spread(2, usize::MAX, 5), ["0:0/3", "1:0/2", "0:1/3", "1:1/2", "0:2/3"]);
        assert_eq!(spread(1, 3, 2), ["0:0/2", "0:1/2"]);
    }
}
