//! The source connector.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyReport};
use lavka_api::data::OffsetMap;
use lavka_api::plugin::{ConnectorContext, ExactlyOnceSupport, SourceConnector, SourceTask};
use lavka_api::{Error, Result};

use crate::config::Settings;
use crate::offset::Offset;
use crate::task::PostgresTask;
use crate::validate;

/// The connector: one task, since a slot has one reader.
#[derive(Debug, Default)]
pub(crate) struct PostgresSource {
    config: Config,
}

#[async_trait]
impl SourceConnector for PostgresSource {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        let mut reports = validate::keys(definition, config);
        if reports.iter().all(|report| report.errors.is_empty())
            && let Ok(settings) = Settings::from_config(config)
        {
            validate::add(&mut reports, validate::server(&settings).await);
        }
        reports
    }

    async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
        let reports = validate::keys(&Settings::definition(), config);
        if let Some(message) = reports.into_iter().flat_map(|report| report.errors).next() {
            return Err(Error::config(message));
        }
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<Config>> {
        Ok(vec![self.config.clone()])
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        Ok(Box::new(PostgresTask::new(Settings::from_config(config)?)))
    }

    async fn stop(&mut self) {}

    /// Offsets say what was handed out, and the slot stays behind what is committed. Debezium's says the same.
    fn exactly_once_support(&self, _config: &Config) -> Option<ExactlyOnceSupport> {
        Some(ExactlyOnceSupport::Supported)
    }

    /// The one partition is `{"server": <topic.prefix>}`; an offset has the place to go on from.
    fn alter_offsets(&self, config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        let settings = Settings::from_config(config)?;
        let partition = Offset::partition(settings.server());
        for (given, offset) in offsets {
            if *given != partition {
                return Err(Error::fatal(format!(
                    "The only source partition of this connector is {{\"server\":\"{}\"}}",
                    settings.server()
                )));
            }
            if let Some(offset) = offset
                && Offset::from_map(offset).lsn.is_none()
            {
                return Err(Error::fatal("An offset of the PostgreSQL source needs an integer lsn"));
            }
        }
        // The slot, which the server keeps, is not moved.
        Ok(false)
    }
}
