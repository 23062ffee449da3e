//! The connector: checks the configuration and hands every task the same one.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, KeyReport};
use lavka_api::data::{Schema, TopicPartition, Type};
use lavka_api::error::{Error, Result};
use lavka_api::plugin::{ConnectorContext, SinkConnector, SinkTask};

use crate::alteration::alter;
use crate::lake::Lake;
use crate::settings::{Settings, cross_check, ignored, schema_file};
use crate::store::LakeStore;
use crate::task::LakeSinkTask;

/// A schema file longer than this is not one.
const MAX_SCHEMA_BYTES: u64 = 16 * 1024 * 1024;

/// The lake sink.
#[derive(Debug, Default)]
pub struct LakeSinkConnector {
    config: Config,
}

#[async_trait]
impl SinkConnector for LakeSinkConnector {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        let owned = config.clone();
        let declared = tokio::task::spawn_blocking(move || declared_schema(&owned)).await;
        let declared = declared.unwrap_or_else(|error| Err(Error::config(error.to_string())));
        cross_check(config, declared, definition.validate(config))
    }

    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
        for (key, why) in ignored(config) {
            tracing::warn!(connector = context.name, "{key} is ignored: {why}");
        }
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        Ok((0..max_tasks).map(|_| self.config.clone()).collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SinkTask>> {
        let settings = Settings::from_config(config, declared_schema(config)?)?;
        let store = settings.storage.open();
        Ok(Box::new(LakeSinkTask::new(settings, store)))
    }

    async fn stop(&mut self) {}

    /// The files and the log of commits say where a task goes on, so the log is altered along with Kafka's offsets.
    fn alter_offsets(&self, config: &Config, offsets: &[(TopicPartition, Option<i64>)]) -> Result<bool> {
        let settings = Settings::from_config(config, declared_schema(config)?)?;
        let lake = Lake { store: settings.storage.open(), settings: Arc::new(settings) };
        let alter = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| Error::fatal(error.to_string()))?;
            runtime.block_on(alter(&lake, offsets))
        };
        // On a thread of its own: within a runtime it is not allowed to wait for another one.
        let outcome = std::thread::scope(|scope| scope.spawn(alter).join());
        outcome.unwrap_or_else(|_| Err(Error::fatal("offsets were not altered")))?;
        Ok(true)
    }
}

/// A task that writes to `store` instead of the directory that `store.url` names, which still has to be a valid one.
///
/// # Errors
/// A config error for the first key that is wrong.
pub fn task_over(config: &Config, store: Arc<dyn LakeStore>) -> Result<LakeSinkTask> {
    Ok(LakeSinkTask::new(Settings::from_config(config, declared_schema(config)?)?, store))
}

/// Reads the schema that `lavka.schema` names. Blocks for a small file.
fn declared_schema(config: &Config) -> Result<Option<Arc<Schema>>> {
    let Some(path) = schema_file(config)? else { return Ok(None) };
    let refused = |detail: String| {
        let value = config.get("lavka.schema").unwrap_or_default();
        Error::invalid_value("lavka.schema", value, detail)
    };
    let text = read(&path).map_err(|error| refused(format!("cannot read {}: {error}", path.display())))?;
    let schema = lavka_converters::json::parse_schema(&text)
        .map_err(|error| refused(format!("{} is not a schema: {error}", path.display())))?;
    if schema.ty() != Type::Struct {
        return Err(refused(format!("{} has to be the schema of a struct, not {schema}", path.display())));
    }
    lavka_columnar::BatchBuilder::declared(&schema).map_err(|error| refused(error.to_string()))?;
    Ok(Some(Arc::new(schema)))
}

fn read(path: &PathBuf) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_SCHEMA_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
