//! The source connector under Lenses' keys.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyError, KeyReport};
use lavka_api::data::OffsetMap;
use lavka_api::plugin::{ConnectorContext, ExactlyOnceSupport, SourceConnector, SourceTask};
use lavka_api::{Error, Result};

use super::config::WORDS;
use super::{LensesConfig, LensesRecords};
use crate::environment::Environment;
use crate::observe::{CoapObserver, ObserveTask, Plan, SHARES};

/// The connector: an observer with other words.
#[derive(Debug, Default)]
pub(crate) struct LensesSource {
    config: Config,
    observer: CoapObserver,
}

/// What a configuration is in the observe mode's own keys.
fn own(config: &Config) -> Result<Config> {
    LensesConfig::from_config(config)?.translated(config).map_err(Error::config)
}

/// What is wrong with the files for DTLS, in Lenses' words.
async fn wrong_files(config: &Config) -> Option<KeyError> {
    // What is wrong with a single key, the definition tells.
    let plan = Plan::new(&own(config).ok()?).ok()?;
    Some(in_lenses_words(plan.wrong_files().await?))
}

fn in_lenses_words(mut error: KeyError) -> KeyError {
    for (ours, theirs) in WORDS {
        error.message = error.message.replace(ours, theirs);
        if error.key == *ours {
            error.key = theirs;
        }
    }
    error
}

#[async_trait]
impl SourceConnector for LensesSource {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        definition.validate_with(config, wrong_files(config).await)
    }

    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
        if let Some(error) = wrong_files(config).await {
            return Err(error.into());
        }
        for name in LensesConfig::from_config(config)?.unused_clauses() {
            tracing::warn!(
                connector = context.name,
                "passed over {name} in connect.coap.kcql, which means nothing for a CoAP source"
            );
        }
        self.observer.start(context, &own(config)?).await?;
        self.config = config.clone();
        Ok(())
    }

    /// Lenses' own keys, and the share of the statements.
    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        let tasks = self.observer.task_configs(max_tasks).await?.into_iter().map(|task| {
            let mut config = self.config.clone();
            config.set(SHARES, task.get(SHARES).unwrap_or_default());
            config
        });
        Ok(tasks.collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        let plan = Plan::new(&own(config)?)?.recorded_by(LensesRecords::boxed)?;
        Ok(Box::new(ObserveTask::new(plan, Environment::SYSTEM)))
    }

    async fn stop(&mut self) {
        self.observer.stop().await;
    }

    fn exactly_once_support(&self, config: &Config) -> Option<ExactlyOnceSupport> {
        self.observer.exactly_once_support(config)
    }

    fn alter_offsets(&self, config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        self.observer.alter_offsets(config, offsets)
    }
}
