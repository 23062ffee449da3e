//! The connector: finds the tables, parts them among tasks, and watches for new ones.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, KeyReport};
use lavka_api::plugin::{ConnectorContext, SourceConnector, SourceTask};
use lavka_api::{Error, Result};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::settings::SourceSettings;
use super::task::{QuerySourceTask, open, part};
use crate::driver::{Failure, Session};
use crate::settings::{cross_check, ignored};

/// The query-based source.
#[derive(Debug, Default)]
pub(crate) struct QuerySourceConnector {
    config: Config,
    tables: Arc<Mutex<Vec<String>>>,
    watch: Option<JoinHandle<()>>,
}

#[async_trait]
impl SourceConnector for QuerySourceConnector {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        cross_check(SourceSettings::read(config).map(drop), definition.validate(config))
    }

    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
        for (key, why) in ignored(&crate::config::source(), config) {
            tracing::warn!(connector = context.name, "{key} is ignored: {why}");
        }
        let mut settings = SourceSettings::read(config)?;
        self.config = config.clone();
        if settings.query.is_some() {
            return Ok(());
        }
        let (mut session, found) = open(&settings).await.map_err(|failure| failure.error())?;
        if let Some(found) = found {
            // The tasks read the names of tables as this dialect writes them.
            self.config.set("dialect.name", found.statements.dialect.name());
            settings = found;
        }
        let found = tables(&mut *session, &settings).await.map_err(|failure| failure.error())?;
        session.close().await;
        if found.is_empty() {
            tracing::warn!(connector = context.name, "no table is there to be read yet");
        }
        *self.tables.lock().await = found;
        let known = self.tables.clone();
        self.watch = Some(tokio::spawn(watch(context, settings, known)));
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        if SourceSettings::read(&self.config)?.query.is_some() {
            return Ok(vec![self.config.clone()]);
        }
        let tables = self.tables.lock().await.clone();
        let groups = part(tables, usize::try_from(max_tasks).unwrap_or(1));
        Ok(groups
            .into_iter()
            .map(|group| {
                let mut config = self.config.clone();
                config.set("tables", group.join(","));
                config
            })
            .collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        Ok(Box::new(QuerySourceTask::new(SourceSettings::read(config)?)))
    }

    async fn stop(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }

    fn alter_offsets(
        &self,
        _config: &Config,
        offsets: &[(lavka_api::data::OffsetMap, Option<lavka_api::data::OffsetMap>)],
    ) -> Result<bool> {
        for (partition, _) in offsets {
            if partition.get("table").is_none() && partition.get("query").is_none() {
                return Err(Error::fatal(
                    "a source partition of this connector is {\"table\": NAME, \"protocol\": \"1\"} or \
                                         {\"query\": \"query\"}",
                ));
            }
        }
        Ok(true)
    }
}

/// The tables to be read, by their quoted full names.
async fn tables(session: &mut dyn Session, settings: &SourceSettings) -> Result<Vec<String>, Failure> {
    let found = session.tables().await?;
    Ok(found
        .into_iter()
        .filter(|(id, kind)| settings.reads(id, *kind))
        // A comma would part the name in the task's configuration.
        .filter(|(id, _)| {
            let plain = !id.to_string().contains(',');
            if !plain {
                tracing::warn!("table {id} is left out: a name with a comma cannot be in a list");
            }
            plain
        })
        .map(|(id, _)| settings.statements.table(&id))
        .collect())
}

/// Looks for new and removed tables for as long as the connector runs.
async fn watch(context: ConnectorContext, settings: SourceSettings, known: Arc<Mutex<Vec<String>>>) {
    loop {
        tokio::time::sleep(Duration::from_millis(settings.tables_ms)).await;
        let looked = async {
            let (mut session, _) = open(&settings).await?;
            let found = tables(&mut *session, &settings).await;
            session.close().await;
            found
        };
        match looked.await {
            Ok(found) => {
                let mut known = known.lock().await;
                if *known != found {
                    tracing::info!(connector = context.name, "the tables have changed: {}", found.join(", "));
                    *known = found;
                    context.request_task_reconfiguration();
                }
            }
            Err(failure) => tracing::warn!(connector = context.name, "looking for tables: {failure}"),
        }
    }
}
