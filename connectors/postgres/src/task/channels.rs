//! Ways on which signals come beside the stream: a file, and a topic.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::plugin::{TopicMessage, TopicReader};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::context::Context;

/// The largest signal file that is read.
const LARGEST_FILE: u64 = 1024 * 1024;
/// The pause after the signal topic could not be read.
const TOPIC_RETRY: Duration = Duration::from_secs(10);

/// A signal as a channel brings it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) id: String,
    pub(super) ty: String,
    /// JSON, or nothing.
    pub(super) data: String,
}

impl Raw {
    /// Reads the form that file and topic have: an object with `id`, `type` and `data`.
    fn parse(text: &str) -> Option<Self> {
        let signal: serde_json::Value = serde_json::from_str(text).ok()?;
        let field = |key: &str| match signal.get(key) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        signal.is_object().then(|| Self { id: field("id"), ty: field("type"), data: field("data") })
    }
}

/// The channels of a configuration.
pub(super) struct Channels {
    file: Option<SignalFile>,
    topic: Option<SignalTopic>,
}

struct SignalFile {
    path: PathBuf,
    interval: Duration,
    looked: Instant,
    /// What is being taken out of it; kept here, since a poll that is dropped must not lose it.
    taking: Option<JoinHandle<std::io::Result<Vec<String>>>>,
}

struct SignalTopic {
    batches: mpsc::Receiver<Batch>,
    reader: JoinHandle<()>,
}

/// Signals of the topic, and whom to tell once they are dealt with.
struct Batch {
    signals: Vec<Raw>,
    done: oneshot::Sender<()>,
}

impl Channels {
    /// Opens them. What cannot be opened is told in the log.
    pub(super) fn open(context: &Context) -> Self {
        let run = &context.settings.run;
        let interval = Duration::from_millis(run.signal_poll_interval_ms.max(1).unsigned_abs());
        let file = context.settings.takes_signals_by("file").then(|| SignalFile {
            path: PathBuf::from(context.settings.raw.get("signal.file").unwrap_or("file-signals.txt")),
            interval,
            looked: Instant::now(),
            taking: None,
        });
        let topic =
            if context.settings.takes_signals_by("kafka") { SignalTopic::open(context) } else { None };
        Self { file, topic }
    }

    /// What has come since. May be dropped while it waits.
    pub(super) async fn take(&mut self, context: &Context) -> Vec<Raw> {
        let mut out = Vec::new();
        if let Some(file) = &mut self.file {
            file.take(context, &mut out).await;
        }
        while let Some(batch) = self.topic.as_mut().and_then(|topic| topic.batches.try_recv().ok()) {
            out.extend(batch.signals);
            // The reader may be gone.
            let _ = batch.done.send(());
        }
        out
    }
}

impl SignalFile {
    async fn take(&mut self, context: &Context, out: &mut Vec<Raw>) {
        if self.taking.is_none() && self.looked.elapsed() >= self.interval {
            let path = self.path.clone();
            self.taking = Some(tokio::task::spawn_blocking(move || take_lines(&path)));
        }
        let Some(taking) = self.taking.as_mut().filter(|taking| taking.is_finished()) else { return };
        let lines = taking.await;
        self.taking = None;
        self.looked = Instant::now();
        let lines = match lines {
            Ok(Ok(lines)) => lines,
            Ok(Err(error)) => {
                tracing::warn!(task = %context.id, "the signal file cannot be read: {error}");
                return;
            }
            Err(_) => return,
        };
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            match Raw::parse(line) {
                Some(signal) => out.push(signal),
                None => tracing::warn!(task = %context.id, "a line of the signal file is no JSON object"),
            }
        }
    }
}

impl SignalTopic {
    fn open(context: &Context) -> Option<Self> {
        let Some(topics) = context.topics.clone() else {
            tracing::warn!(task = %context.id, "signal.enabled.channels has kafka, but there is no Kafka to read from here");
            return None;
        };
        let raw = &context.settings.raw;
        let server = context.settings.server().to_owned();
        let topic = raw.get("signal.kafka.topic").map_or_else(|| format!("{server}-signal"), str::to_owned);
        let config = consumer(raw);
        let (send, batches) = mpsc::channel(1);
        let id = context.id.clone();
        let reader = tokio::spawn(async move {
            loop {
                let outcome = match topics.reader(&config, &topic) {
                    Ok(reader) => read(reader, &server, &send).await,
                    Err(error) => Err(error),
                };
                match outcome {
                    // Nobody takes signals any more.
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(task = %id, "signals of the topic {topic} cannot be read: {error}");
                        tokio::time::sleep(TOPIC_RETRY).await;
                    }
                }
            }
        });
        Some(Self { batches, reader })
    }
}

impl Drop for SignalTopic {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The consumer of the signal topic, by Debezium's keys: `signal.consumer.*` first, `signal.kafka.*` over them. Pure.
fn consumer(raw: &Config) -> Config {
    let mut config = raw.with_prefix_stripped("signal.consumer.");
    if let Some(servers) = raw.get("signal.kafka.bootstrap.servers") {
        config.set("bootstrap.servers", servers);
    }
    config.set("group.id", raw.get("signal.kafka.groupId").unwrap_or("kafka-signal"));
    config.set("enable.auto.commit", "false");
    config.set("auto.offset.reset", "earliest");
    config
}

/// Hands on what the topic has for `server`, and moves the group on once it is dealt with. Ends when nobody takes it.
async fn read(mut reader: Box<dyn TopicReader>, server: &str, send: &mpsc::Sender<Batch>) -> Result<()> {
    loop {
        let messages = reader.next().await?;
        let signals: Vec<Raw> = messages.iter().filter_map(|message| signal_of(message, server)).collect();
        if !signals.is_empty() {
            let (done, dealt_with) = oneshot::channel();
            if send.send(Batch { signals, done }).await.is_err() || dealt_with.await.is_err() {
                return Ok(());
            }
        }
        reader.commit().await?;
    }
}

/// The signal of a message, if its key names this connector.
fn signal_of(message: &TopicMessage, server: &str) -> Option<Raw> {
    if message.key.as_ref().is_none_or(|key| **key != *server.as_bytes()) {
        tracing::info!("a signal is for another connector: its key is not {server}");
        return None;
    }
    let text = message.value.as_ref().and_then(|value| std::str::from_utf8(value).ok())?;
    let signal = Raw::parse(text);
    if signal.is_none() {
        tracing::warn!("a message of the signal topic is no JSON object");
    }
    signal
}

/// Takes the lines out of the file.
fn take_lines(file: &Path) -> std::io::Result<Vec<String>> {
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(metadata) if metadata.len() > LARGEST_FILE => {
            return Err(std::io::Error::other(format!("{} is larger than a mebibyte", file.display())));
        }
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(file)?;
    if !text.is_empty() {
        std::fs::write(file, "")?;
    }
    Ok(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_emptied_when_it_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signals");
        assert!(take_lines(&file).unwrap().is_empty());
        std::fs::write(&file, "{}\n{}\n").unwrap();
        assert_eq!(take_lines(&file).unwrap().len(), 2);
        assert!(take_lines(&file).unwrap().is_empty());
    }

    #[test]
    fn messages_are_for_the_connector_that_their_key_names() {
        let message = |key: &str, value: &str| TopicMessage {
            key: Some(key.as_bytes().to_vec().into()),
            value: Some(value.as_bytes().to_vec().into()),
        };
        let text = r#"{"id":"s1","type":"execute-snapshot","data":{"data-collections":["s.t"]}}"#;
        let signal = signal_of(&message("srv", text), "srv").unwrap();
        assert_eq!((signal.id.as_str(), signal.ty.as_str()), ("s1", "execute-snapshot"));
        assert_eq!(signal.data, r#"{"data-collections":["s.t"]}"#);
        assert_eq!(signal_of(&message("other", text), "srv"), None);
        assert_eq!(signal_of(&message("srv", "[]"), "srv"), None);
        assert_eq!(signal_of(&TopicMessage { key: None, value: None }, "srv"), None);
    }

    #[test]
    fn the_consumer_goes_by_debeziums_keys() {
        let raw = Config::from([
            ("signal.consumer.security.protocol", "SSL"),
            ("signal.consumer.group.id", "mine"),
            ("signal.kafka.bootstrap.servers", "k:9092"),
            ("database.hostname", "h"),
        ]);
        let config = consumer(&raw);
        let get = |key: &str| config.get(key).map(str::to_owned);
        assert_eq!(get("security.protocol").as_deref(), Some("SSL"));
        assert_eq!(get("bootstrap.servers").as_deref(), Some("k:9092"));
        assert_eq!(get("group.id").as_deref(), Some("kafka-signal"));
        assert_eq!(get("database.hostname"), None);
    }
}
