//! The source connector of the server mode.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyError, KeyReport};
use lavka_api::data::OffsetMap;
use lavka_api::plugin::{ConnectorContext, ExactlyOnceSupport, SourceConnector, SourceTask};
use lavka_api::{Error, Result};

use crate::config::ServerConfig;
use crate::environment::Environment;
use crate::multicast::Group;
use crate::secure::{Credentials, loaded};
use crate::task::ServerTask;

/// The connector: one task, for there is one address to listen on.
#[derive(Debug)]
pub(crate) struct CoapServer {
    config: Config,
    environment: Environment,
}

impl Default for CoapServer {
    fn default() -> Self {
        Self { config: Config::new(), environment: Environment::SYSTEM }
    }
}

/// The producer's `acks`, which decides what a 2.04 is worth.
const ACKS: &str = "producer.override.acks";

const MULTICAST: &str = "lavka.coap.multicast";

fn weak_acks(config: &Config) -> Option<KeyError> {
    let value = config.get(ACKS)?.trim();
    (!matches!(value.to_ascii_lowercase().as_str(), "all" | "-1")).then(|| {
        KeyError::invalid(
            ACKS,
            value,
            "must be all. A device is answered 2.04, and forgets its reading, as soon as Kafka acknowledges the record; \
             with less than all, Kafka may still lose it after that.",
        )
    })
}

/// What keeps the groups from being answered.
fn wrong_groups(config: &Config) -> Option<KeyError> {
    let config = ServerConfig::from_config(config).ok()?;
    let (first, listen) = (config.multicast.first()?, config.listen.parse().ok()?);
    if config.dtls {
        let why = "a group cannot be spoken to over DTLS (lavka.coap.dtls; RFC 7252, section 8.1)";
        return Some(KeyError::invalid(MULTICAST, first, why));
    }
    let unfit =
        |text: &String| Some(KeyError::invalid(MULTICAST, text, Group::parse(text).ok()?.unfit(listen)?));
    config.multicast.iter().find_map(unfit)
}

/// What is wrong beyond single keys.
async fn cross_check(config: &Config) -> Vec<KeyError> {
    let known = [weak_acks(config), wrong_groups(config), wrong_files(config).await];
    known.into_iter().flatten().collect()
}

/// What is wrong with the files for DTLS, or with there being some.
async fn wrong_files(config: &Config) -> Option<KeyError> {
    // What is wrong with a single key, the definition tells.
    let config = ServerConfig::from_config(config).ok()?;
    let files = config.files();
    match (config.dtls, files.first()) {
        (true, _) => loaded(move || Credentials::of_server(&files)).await.err(),
        (false, None) => None,
        (false, Some((key, file))) => {
            Some(KeyError::invalid(key, file, "lavka.coap.dtls is false, so readings would go unencrypted"))
        }
    }
}

#[async_trait]
impl SourceConnector for CoapServer {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        definition.validate_with(config, cross_check(config).await)
    }

    async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
        ServerConfig::from_config(config)?;
        if let Some(error) = cross_check(config).await.into_iter().next() {
            return Err(error.into());
        }
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<Config>> {
        Ok(vec![self.config.clone()])
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        Ok(Box::new(ServerTask::new(&ServerConfig::from_config(config)?, self.environment)?))
    }

    async fn stop(&mut self) {}

    /// A device that misses its answer sends its reading again.
    fn exactly_once_support(&self, _config: &Config) -> Option<ExactlyOnceSupport> {
        Some(ExactlyOnceSupport::Unsupported)
    }

    /// There are no offsets: a device keeps its reading until it is answered. Removing some that another connector left
    /// under this name is fine.
    fn alter_offsets(&self, _config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        if offsets.iter().any(|(_, offset)| offset.is_some()) {
            return Err(Error::fatal(
                "The CoAP source has no offsets to set: a device keeps its reading until it is answered",
            ));
        }
        Ok(false)
    }
}
