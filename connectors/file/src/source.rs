//! The source connector.

use async_trait::async_trait;
use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{OffsetMap, Value};
use lavka_api::plugin::{ConnectorContext, ExactlyOnceSupport, SourceConnector, SourceTask};
use lavka_api::{Error, Result};

use crate::tail::FileSourceTask;

/// Key of a source partition: the file's name as configured.
pub(crate) const FILENAME: &str = "filename";
/// Key of a source offset: bytes read.
pub(crate) const POSITION: &str = "position";

lavka_api::config! {
    /// Keys of the source.
    pub(crate) struct FileSourceConfig {
        /// The file; standard input where there is none.
        pub(crate) file: Option<String> =
            key("file").high().doc("Source filename. If not specified, the standard input will be used"),
        /// The topic.
        pub(crate) topic: String =
            key("topic").high().check(Check::non_empty()).doc("The topic to publish data to"),
        /// Records of one poll.
        pub(crate) batch_size: i32 = key("batch.size").default(2000).low().doc(
            "The maximum number of records the source task can read from the file each time it is polled"
        ),
        /// Bytes of one line.
        pub(crate) max_line_bytes: i64 = key("lavka.file.max.line.bytes")
            .default(16 * 1024 * 1024)
            .low()
            .check(Check::between(1, 1024 * 1024 * 1024))
            .doc("The longest line that is read, in bytes. A longer one fails the task instead of filling memory."),
    }
}

impl FileSourceConfig {
    /// The file's name; `None` for standard input.
    pub(crate) fn file(&self) -> Option<&str> {
        self.file.as_deref().filter(|name| !name.is_empty())
    }
}

/// `FileStreamSourceConnector`: one task, whatever `tasks.max` says, since a file is read by one reader.
#[derive(Debug, Default)]
pub(crate) struct FileSource {
    config: Config,
}

#[async_trait]
impl SourceConnector for FileSource {
    async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
        let parsed = FileSourceConfig::from_config(config)?;
        tracing::info!(file = parsed.file().unwrap_or("standard input"), "starting file source connector");
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<Config>> {
        Ok(vec![self.config.clone()])
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        Ok(Box::new(FileSourceTask::new(&FileSourceConfig::from_config(config)?)))
    }

    async fn stop(&mut self) {}

    /// A file's offsets say which lines were read; standard input has none.
    fn exactly_once_support(&self, config: &Config) -> Option<ExactlyOnceSupport> {
        let config = FileSourceConfig::from_config(config).ok()?;
        Some(match config.file() {
            Some(_) => ExactlyOnceSupport::Supported,
            None => ExactlyOnceSupport::Unsupported,
        })
    }

    fn alter_offsets(&self, config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        if FileSourceConfig::from_config(config)?.file().is_none() {
            return Err(Error::fatal(
                "Offsets cannot be modified if the 'file' configuration is unspecified. This is because stdin is used \
                 for input and offsets are not tracked.",
            ));
        }
        for (partition, offset) in offsets {
            // A tombstone is good for anything: users must be able to clean up what no connector understands.
            let Some(offset) = offset else { continue };
            check_offset(partition, offset)?;
        }
        // Whether the file is as long as that is seen when the task opens it.
        Ok(true)
    }
}

fn check_offset(partition: &OffsetMap, offset: &OffsetMap) -> Result<()> {
    let position = offset.get(POSITION).ok_or_else(|| {
        Error::fatal(format!("Offset objects should either be null or contain the key '{POSITION}'"))
    })?;
    match position {
        Value::Int64(position) if *position >= 0 => {}
        Value::Int64(_) => {
            return Err(Error::fatal(format!(
                "The value for the '{POSITION}' key in the offset should be a non-negative value"
            )));
        }
        _ => {
            return Err(Error::fatal(format!(
                "The value for the '{POSITION}' key in the offset is expected to be a Long value"
            )));
        }
    }
    if partition.get(FILENAME).is_none() {
        return Err(Error::fatal(format!("Partition objects should contain the key '{FILENAME}'")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_apaches() {
        let definition = FileSourceConfig::definition();
        let keys: Vec<_> =
            definition.iter().map(|k| (k.name.as_ref(), k.kind.name(), k.default.clone())).collect();
        assert_eq!(
            keys[..3],
            [
                ("file", "STRING", Some(None)),
                ("topic", "STRING", None),
                ("batch.size", "INT", Some(Some("2000".to_owned()))),
            ]
        );
    }

    #[test]
    fn offsets_are_checked_before_they_are_altered() {
        let config = Config::from([("file", "a.txt"), ("topic", "t")]);
        let alter = |partition: OffsetMap, offset: Option<OffsetMap>| {
            FileSource::default().alter_offsets(&config, &[(partition, offset)])
        };
        let file = || OffsetMap::new([(FILENAME, "a.txt")]);
        let position = |value: Value| Some(OffsetMap::new([(POSITION, value)]));
        assert!(alter(file(), position(Value::Int64(25))).unwrap());
        assert!(alter(OffsetMap::new([("junk", "x")]), None).unwrap());
        for (partition, offset, part) in [
            (file(), Some(OffsetMap::new([("pos", 1i64)])), "contain the key 'position'"),
            (file(), position(Value::Int64(-1)), "non-negative"),
            (file(), position("12".into()), "expected to be a Long"),
            (file(), position(Value::Null), "expected to be a Long"),
            (OffsetMap::new([("name", "a.txt")]), position(Value::Int64(1)), "contain the key 'filename'"),
        ] {
            let error = alter(partition, offset).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        let stdin = Config::from([("topic", "t")]);
        let error = FileSource::default().alter_offsets(&stdin, &[]).unwrap_err();
        assert!(error.to_string().contains("'file' configuration is unspecified"));
    }

    #[tokio::test]
    async fn one_task_however_many_are_allowed() {
        let config = Config::from([("file", "a.txt"), ("topic", "t")]);
        let mut source = FileSource::default();
        source.start(ConnectorContext::new("c", || {}), &config).await.unwrap();
        assert_eq!(source.task_configs(5).await.unwrap(), [config]);
    }
}
