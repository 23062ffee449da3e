//! The connector: checks the configuration and hands every task the same one.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, KeyReport};
use lavka_api::data::TopicPartition;
use lavka_api::plugin::{ConnectorContext, SinkConnector, SinkTask};
use lavka_api::{Error, Result};

use super::offsets::OffsetTable;
use super::task::WarehouseSinkTask;
use crate::dialect::Statements;
use crate::driver::connect_once;
use crate::settings::{Flavour, SinkSettings, cross_check, ignored};

/// A JDBC sink, under the keys of one of the Java sinks.
#[derive(Debug)]
pub(crate) struct WarehouseSinkConnector {
    flavour: Flavour,
    config: Config,
}

impl WarehouseSinkConnector {
    pub(crate) fn new(flavour: Flavour) -> Self {
        Self { flavour, config: Config::new() }
    }

    fn definition(&self) -> ConfigDef {
        match self.flavour {
            Flavour::Confluent => crate::config::confluent(),
            Flavour::Aiven => crate::config::aiven(),
            Flavour::Debezium => crate::config::debezium(),
        }
    }
}

#[async_trait]
impl SinkConnector for WarehouseSinkConnector {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        cross_check(SinkSettings::read(self.flavour, config).map(drop), definition.validate(config))
    }

    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
        for (key, why) in ignored(&self.definition(), config) {
            tracing::warn!(connector = context.name, "{key} is ignored: {why}");
        }
        let settings = SinkSettings::read(self.flavour, config)?;
        for property in settings.connection.url.ineffective() {
            tracing::warn!(
                connector = context.name,
                "the property {property} of the connection has no effect here"
            );
        }
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        Ok((0..max_tasks).map(|_| self.config.clone()).collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SinkTask>> {
        Ok(Box::new(WarehouseSinkTask::new(SinkSettings::read(self.flavour, config)?)))
    }

    async fn stop(&mut self) {}

    /// Where offsets are kept in the database, they are what a task goes by, so they are altered along with Kafka's.
    fn alter_offsets(&self, config: &Config, offsets: &[(TopicPartition, Option<i64>)]) -> Result<bool> {
        let settings = SinkSettings::read(self.flavour, config)?;
        let Some(table) = &settings.offsets_table else { return Ok(true) };
        let alter = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| Error::fatal(error.to_string()))?;
            runtime.block_on(async {
                let mut session =
                    connect_once(&settings.connection).await.map_err(|failure| failure.error())?;
                let dialect = session.dialect().unwrap_or(settings.statements.dialect);
                let statements = Statements { dialect, ..settings.statements };
                let mut table = OffsetTable::new(table, statements, &settings.name);
                let outcome = table.alter(&mut *session, offsets).await.map_err(|failure| failure.error());
                session.close().await;
                outcome
            })
        };
        // On a thread of its own: within a runtime it is not allowed to wait for another one.
        let outcome = std::thread::scope(|scope| scope.spawn(alter).join());
        outcome.unwrap_or_else(|_| Err(Error::fatal("offsets were not altered")))?;
        Ok(true)
    }
}
