//! `FileStreamSource` and `FileStreamSink`: lines of a file to a topic, records of a topic to a file.
//!
//! The smallest connectors there are, for trying a worker and for scripts around standard input and output. They take
//! the configurations of Apache Kafka's `org.apache.kafka.connect.file` classes and keep the same source offsets, so a
//! worker can change from one runtime to the other and go on where it was.
//!
//! # Invariants
//!
//! - A line is handed out once, when its terminator has been read; its source offset is the byte behind the
//!   terminator. Java counts UTF-16 units there but skips bytes when it resumes; here both are bytes.
//! - What a dropped `poll` has read stays in the task: lines are cut out of the buffer only when they are returned.
//! - File and terminal are never touched on an async thread.
//! - One line may take `lavka.file.max.line.bytes` of memory, no more.
//!
//! # Map
//!
//! - `source`: the source connector; `tail`: its task, which follows a file or standard input.
//! - `lines`: cuts bytes into lines, pure.
//! - `stdin`: one reader of standard input for the whole process.
//! - `sink`: the sink connector and its task.

mod lines;
mod sink;
mod source;
mod stdin;
mod tail;

use lavka_api::LAVKA_VERSION;
use lavka_api::config::ConfigSpec;
use lavka_api::plugin::{Factory, Plugin};

/// The plugins of this crate.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![
        Plugin {
            class: "org.apache.kafka.connect.file.FileStreamSourceConnector",
            aliases: &[],
            version: LAVKA_VERSION,
            doc: "Writes each line of a file, or of standard input, to a topic and follows the file as it grows.",
            definition: source::FileSourceConfig::definition,
            factory: Factory::Source(|| Box::new(source::FileSource::default())),
        },
        Plugin {
            class: "org.apache.kafka.connect.file.FileStreamSinkConnector",
            aliases: &[],
            version: LAVKA_VERSION,
            doc: "Appends the value of each record as a line to a file, or to standard output.",
            definition: sink::FileSinkConfig::definition,
            factory: Factory::Sink(|| Box::new(sink::FileSink::default())),
        },
    ]
}
