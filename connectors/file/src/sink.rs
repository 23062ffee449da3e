//! The sink connector and its task.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::TopicPartition;
use lavka_api::java::plain_text;
use lavka_api::plugin::{
    ConnectorContext, Offsets, SinkBatch, SinkConnector, SinkContext, SinkTask, SinkTaskStart,
};
use lavka_api::{Error, Result};
use tokio::task::spawn_blocking;

lavka_api::config! {
    /// Keys of the sink.
    pub(crate) struct FileSinkConfig {
        /// The file; standard output where there is none.
        pub(crate) file: Option<String> =
            key("file").high().doc("Destination filename. If not specified, the standard output will be used"),
    }
}

/// `FileStreamSinkConnector`: every task appends to the same file.
#[derive(Debug, Default)]
pub(crate) struct FileSink {
    config: Config,
}

#[async_trait]
impl SinkConnector for FileSink {
    async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
        FileSinkConfig::from_config(config)?;
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        Ok((0..max_tasks).map(|_| self.config.clone()).collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SinkTask>> {
        let name = FileSinkConfig::from_config(config)?.file.filter(|name| !name.is_empty());
        Ok(Box::new(FileSinkTask { name, output: None }))
    }

    async fn stop(&mut self) {}

    /// The consumer group's offsets are all there is, so any may be set.
    fn alter_offsets(&self, _config: &Config, _offsets: &[(TopicPartition, Option<i64>)]) -> Result<bool> {
        Ok(true)
    }
}

/// Where lines go. Cloning copies a pointer, for the blocking pool.
#[derive(Clone, Debug)]
enum Output {
    File(Arc<File>),
    Stdout,
}

impl Output {
    /// Whole lines in one write, so that tasks which share the file do not cut each other's lines apart.
    fn write(&self, lines: &[u8]) -> io::Result<()> {
        match self {
            Output::File(file) => file.as_ref().write_all(lines),
            Output::Stdout => io::stdout().lock().write_all(lines),
        }
    }

    fn sync(&self) -> io::Result<()> {
        match self {
            Output::File(file) => match file.sync_data() {
                // Pipes and terminals have nothing to sync.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
                outcome => outcome,
            },
            Output::Stdout => io::stdout().lock().flush(),
        }
    }
}

struct FileSinkTask {
    name: Option<String>,
    output: Option<Output>,
}

impl FileSinkTask {
    /// Runs `work` on the blocking pool.
    async fn blocking<T: Send + 'static>(
        &self,
        doing: &str,
        work: impl FnOnce(&Output) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let output = self
            .output
            .clone()
            .ok_or_else(|| Error::fatal("the file sink was used before it was started"))?;
        let done = spawn_blocking(move || work(&output)).await;
        done.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| self.error(doing, &error))
    }

    fn error(&self, doing: &str, error: &io::Error) -> Error {
        Error::fatal(match &self.name {
            Some(name) => format!(
                "Cannot {doing} the file {name} (configuration file): {error}. Its folder must exist, be writable for \
                 the worker and have room. Records that were not flushed will be read again."
            ),
            None => format!("Cannot {doing} the standard output: {error}"),
        })
    }
}

#[async_trait]
impl SinkTask for FileSinkTask {
    async fn start(&mut self, _start: SinkTaskStart) -> Result<()> {
        self.output = Some(match self.name.clone() {
            None => Output::Stdout,
            Some(name) => {
                let open = spawn_blocking(move || OpenOptions::new().create(true).append(true).open(name));
                let opened = open.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
                Output::File(Arc::new(opened.map_err(|error| self.error("open", &error))?))
            }
        });
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch, _context: &mut SinkContext) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.blocking("append to", move |output| {
            let mut lines = Vec::new();
            for record in batch.iter() {
                lines.extend_from_slice(plain_text(&record.record.value.value).as_bytes());
                lines.push(b'\n');
            }
            output.write(&lines)
        })
        .await
    }

    async fn pre_commit(&mut self, seen: &Offsets, _context: &mut SinkContext) -> Result<Offsets> {
        self.blocking("flush", Output::sync).await?;
        Ok(seen.clone())
    }

    async fn stop(&mut self) {
        self.output = None;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lavka_api::data::{Datum, KafkaOrigin, Object, Record, SinkRecord, Value};
    use lavka_api::plugin::TaskId;

    use super::*;

    async fn started(file: &Path) -> Result<Box<dyn SinkTask>> {
        let config = Config::from([("file", file.to_str().unwrap())]);
        let mut sink = FileSink::default();
        sink.start(ConnectorContext::new("c", || {}), &config).await?;
        let configs = sink.task_configs(3).await?;
        assert_eq!(configs.len(), 3);
        let mut task = sink.task(&configs[0])?;
        task.start(SinkTaskStart { id: TaskId { connector: "c".into(), task: 0 } }).await?;
        Ok(task)
    }

    fn batch(values: Vec<Value>) -> SinkBatch {
        let records = values.into_iter().enumerate().map(|(i, value)| {
            let mut record = Record::for_topic("t");
            record.value = Datum::schemaless(value);
            let origin =
                KafkaOrigin { topic: "t".into(), partition: 0, offset: i as i64, leader_epoch: None };
            SinkRecord { record, origin, raw_key: None, raw_value: None }
        });
        records.collect::<Vec<_>>().into()
    }

    #[tokio::test]
    async fn appends_a_line_per_record_and_flushes_before_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.txt");
        std::fs::write(&file, "there before\n").unwrap();
        let mut task = started(&file).await.unwrap();
        let mut context = SinkContext::default();
        let map = Object::from_entries([("a", 1i32)]);
        task.put(batch(vec!["x".into(), map.into(), Value::Null, 1.5f64.into()]), &mut context)
            .await
            .unwrap();
        task.put(batch(vec![]), &mut context).await.unwrap();
        task.put(batch(vec!["last".into()]), &mut context).await.unwrap();
        let seen = Offsets::from([(TopicPartition::new("t", 0), 5)]);
        assert_eq!(task.pre_commit(&seen, &mut context).await.unwrap(), seen);
        task.stop().await;
        let written = std::fs::read_to_string(&file).unwrap();
        assert_eq!(written, "there before\nx\n{a=1}\nnull\n1.5\nlast\n");
    }

    #[tokio::test]
    async fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("no/such/out.txt");
        let Err(error) = started(&file).await else { panic!("opened a file in a folder that is not there") };
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        assert!(error.to_string().contains("folder must exist"), "{error}");
    }

    #[tokio::test]
    async fn a_device_needs_no_sync() {
        let mut task = started(Path::new("/dev/null")).await.unwrap();
        let mut context = SinkContext::default();
        task.put(batch(vec!["x".into()]), &mut context).await.unwrap();
        assert_eq!(task.pre_commit(&Offsets::new(), &mut context).await.unwrap(), Offsets::new());
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_put() {
        let mut task = started(Path::new("/dev/full")).await.unwrap();
        let error = task.put(batch(vec!["x".into()]), &mut SinkContext::default()).await.unwrap_err();
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }
}
