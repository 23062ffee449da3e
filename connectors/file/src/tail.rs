//! The source task: follows a file, or standard input, line by line.

use std::io::{ErrorKind, SeekFrom};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lavka_api::data::{Datum, OffsetMap, Record, Schema, SourcePosition, SourceRecord, Topic, Type, Value};
use lavka_api::plugin::{OffsetReader, SourceTask, SourceTaskStart};
use lavka_api::{Error, Result};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::lines::LineBuffer;
use crate::source::{FILENAME, FileSourceConfig, POSITION};
use crate::stdin::Pump;

/// How long to wait at the end of the file, and for a file that is not there.
const IDLE: Duration = Duration::from_secs(1);
/// Bytes asked for at a time.
const CHUNK: usize = 256 * 1024;

/// The task.
pub(crate) struct FileSourceTask {
    input: Input,
    topic: Topic,
    value_schema: Schema,
    batch_size: usize,
    max_line: usize,
    idle: Duration,
    lines: LineBuffer,
    chunk: Box<[u8]>,
    offsets: Option<Arc<dyn OffsetReader>>,
}

enum Input {
    /// A file, from the start or from where an earlier run was.
    File(Followed),
    /// Standard input, once started. Nothing to go back to, so its records carry no position.
    Stdin(Option<Arc<Pump>>),
}

struct Followed {
    name: String,
    partition: OffsetMap,
    /// `None` until the file is there.
    file: Option<File>,
    /// The byte behind the last line that was handed out.
    position: u64,
}

impl FileSourceTask {
    pub(crate) fn new(config: &FileSourceConfig) -> Self {
        let input = match config.file() {
            Some(name) => Input::File(Followed {
                name: name.to_owned(),
                partition: OffsetMap::new([(FILENAME, name)]),
                file: None,
                position: 0,
            }),
            None => Input::Stdin(None),
        };
        Self {
            input,
            topic: Topic::from(config.topic.as_str()),
            value_schema: Schema::of(Type::String),
            batch_size: usize::try_from(config.batch_size).unwrap_or(1).max(1),
            max_line: usize::try_from(config.max_line_bytes).unwrap_or(usize::MAX),
            idle: IDLE,
            lines: LineBuffer::default(),
            chunk: Box::default(),
            offsets: None,
        }
    }

    /// Lines that have arrived completely, as records.
    fn take_lines(&mut self) -> Vec<SourceRecord> {
        let mut records = Vec::new();
        let now = epoch_millis();
        while records.len() < self.batch_size
            && let Some(line) = self.lines.next_line()
        {
            let position = match &mut self.input {
                Input::File(followed) => Some(followed.advance(line.length)),
                Input::Stdin(_) => None,
            };
            let mut record = Record::for_topic(self.topic.clone());
            record.value = Datum::new(self.value_schema.clone(), line.text);
            record.timestamp = Some(now);
            records.push(SourceRecord { record, position, token: 0 });
        }
        records
    }

    /// Reads more into the line buffer; false where there is nothing now. Whatever was read is in the buffer when
    /// this future ends, and in the file's or the pump's own buffer where it is dropped before.
    async fn read_more(&mut self) -> Result<bool> {
        if self.chunk.is_empty() {
            self.chunk = vec![0; CHUNK].into_boxed_slice();
        }
        match &mut self.input {
            Input::Stdin(None) => Ok(false),
            Input::Stdin(Some(pump)) => match pump.next().await {
                Some(bytes) => {
                    self.lines.push(&bytes);
                    Ok(true)
                }
                None => Ok(false),
            },
            Input::File(followed) => {
                if followed.file.is_none() && !followed.open(self.offsets.as_deref()).await? {
                    return Ok(false);
                }
                let Some(file) = &mut followed.file else { return Ok(false) };
                let read = file.read(&mut self.chunk).await;
                match read.map_err(|error| followed.unreadable(&error))? {
                    0 => {
                        followed.start_over_if_truncated(&mut self.lines).await?;
                        Ok(false)
                    }
                    length => {
                        self.lines.push(self.chunk.get(..length).unwrap_or_default());
                        Ok(true)
                    }
                }
            }
        }
    }
}

impl Followed {
    /// Opens the file where the last committed offset says; false where there is no such file.
    async fn open(&mut self, offsets: Option<&dyn OffsetReader>) -> Result<bool> {
        let mut file = match File::open(&self.name).await {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                tracing::warn!(file = self.name, "couldn't find the file, waiting for it to be created");
                return Ok(false);
            }
            Err(error) => return Err(self.unreadable(&error)),
        };
        let mut position = match offsets {
            Some(offsets) => self.committed(offsets).await?,
            None => 0,
        };
        let length = file.metadata().await.map_err(|error| self.unreadable(&error))?.len();
        if length < position {
            tracing::warn!(
                file = self.name,
                position,
                length,
                "the file is shorter than the committed position: it was truncated or replaced; reading from its start"
            );
            position = 0;
        }
        file.seek(SeekFrom::Start(position)).await.map_err(|error| self.unreadable(&error))?;
        tracing::debug!(file = self.name, position, "opened the file for reading");
        self.position = position;
        self.file = Some(file);
        Ok(true)
    }

    async fn committed(&self, offsets: &dyn OffsetReader) -> Result<u64> {
        let found = offsets.offsets(std::slice::from_ref(&self.partition)).await?;
        match found.into_iter().next().flatten().as_ref().and_then(|offset| offset.get(POSITION)) {
            None | Some(Value::Null) => Ok(0),
            Some(Value::Int64(position)) => Ok(u64::try_from(*position).unwrap_or(0)),
            Some(_) => Err(Error::fatal(format!(
                "Offset position is the incorrect type: the offset of file {} needs a whole number as '{POSITION}'; \
                 alter or reset the connector's offsets",
                self.name
            ))),
        }
    }

    /// At the end of the file: where it has become shorter than what was read, what comes next is at its start.
    async fn start_over_if_truncated(&mut self, lines: &mut LineBuffer) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let read = self.position.saturating_add(u64::try_from(lines.pending()).unwrap_or(u64::MAX));
        let outcome = async {
            let length = file.metadata().await?.len();
            if length >= read {
                return Ok(None);
            }
            file.seek(SeekFrom::Start(0)).await?;
            Ok(Some(length))
        };
        if let Some(length) = outcome.await.map_err(|error| self.unreadable(&error))? {
            tracing::warn!(file = self.name, read, length, "the file was truncated; reading from its start");
            lines.clear();
            self.position = 0;
        }
        Ok(())
    }

    /// Moves the position behind a line of `length` bytes and says where that is.
    fn advance(&mut self, length: usize) -> SourcePosition {
        self.position = self.position.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let position = i64::try_from(self.position).unwrap_or(i64::MAX);
        SourcePosition {
            partition: self.partition.clone(),
            offset: OffsetMap::new([(POSITION, Value::Int64(position))]),
        }
    }

    fn unreadable(&self, error: &std::io::Error) -> Error {
        Error::fatal(format!(
            "Cannot read the file {} (configuration file): {error}. It must be a regular file that the worker may read.",
            self.name
        ))
    }
}

#[async_trait]
impl SourceTask for FileSourceTask {
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        self.offsets = Some(start.offsets);
        if let Input::Stdin(pump) = &mut self.input {
            *pump = Some(Pump::stdin());
        }
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        loop {
            let records = self.take_lines();
            if !records.is_empty() {
                return Ok(records);
            }
            if self.lines.pending() > self.max_line {
                return Err(Error::fatal(format!(
                    "A line of {} has more than {} bytes; raise lavka.file.max.line.bytes if that is right",
                    match &self.input {
                        Input::File(followed) => followed.name.as_str(),
                        Input::Stdin(_) => "standard input",
                    },
                    self.max_line
                )));
            }
            if !self.read_more().await? {
                tokio::time::sleep(self.idle).await;
            }
        }
    }

    async fn stop(&mut self) {
        if let Input::File(followed) = &mut self.input {
            followed.file = None;
        }
    }
}

fn epoch_millis() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
