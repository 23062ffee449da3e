//! The source connector under Lenses' keys.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigSpec};
use lavka_api::data::OffsetMap;
use lavka_api::plugin::{ConnectorContext, SourceConnector, SourceTask};
use lavka_api::{Error, Result};

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

#[async_trait]
impl SourceConnector for LensesSource {
    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
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

    fn alter_offsets(&self, config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        self.observer.alter_offsets(config, offsets)
    }
}
