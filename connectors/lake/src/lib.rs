//! The lake sink: records into Parquet, ORC, Avro, JSON, CSV and text files, each exactly once.
//!
//! It takes the configurations of Confluent's HDFS and S3 sinks and of Aiven's S3 sink, lays files out as they do, and writes to
//! a local directory, HDFS or an object store ([`store`]). A file of the HDFS sink's naming
//! has the offsets of its first and last record in its name
//! (`topics/readings/partition=0/readings+0+0000000000+0000000999.parquet`), so that a restarted task knows where to
//! go on, whatever Kafka has as the group's offsets.
//!
//! A record is known by its leader epoch and its offset. Where Kafka loses the end of a partition in an unclean leader
//! election, those that come to have the offsets of lost ones are written to files of their own, with the epoch in the
//! name (`readings+0+0000000990+0000001003+7.parquet`); the lost ones stay where they are. A warning names both.
//!
//! # Invariants
//!
//! - A kill at any moment neither loses nor repeats a row. All open files of a topic partition are finished together;
//!   `commit` says in which order, `recovery` how a crash in between is made good.
//! - The offsets reported to Kafka are those of durable files alone. Where no file is open, they include what a filter
//!   dropped on the way here.
//! - Each record that the topic has is there once, also after it lost its end and was written again. This needs leader
//!   epochs, which brokers since 0.11 tell with records of the present format; without them what has an offset first
//!   keeps it, and what comes after is passed over with a warning.
//! - Where keys or headers are stored beside the values, each object has the same records in the same order: what one of
//!   them refuses is in none.
//! - A finished file is complete, synced, and never replaced. A second writer of the same topic partition, in whatever
//!   process, is kept out by a lease; in an object store, which has none, only one of two can commit (`commit_log`).
//! - What is open when a log is lost to another writer is given up and read again.
//! - Records of a topic partition go into files in the order of their offsets, so that everything below the last
//!   offset of a commit is in that commit or an earlier one, or was reported as errant.
//! - Memory is bounded: encoded row groups leave for the store when they are full, and before that when the open files
//!   of a task together use more than `lavka.buffer.bytes`.
//! - What decides is pure: `rotation`, `partitioner`, `pattern`, `zone`, `wal`, `file_name`, `history` get times and bytes as
//!   arguments; the clock is [`SinkContext::now`](lavka_api::plugin::SinkContext::now).
//!
//! # Errors
//!
//! A full disk is retriable: the batch is kept and tried again every `retry.backoff.ms`, nothing that was written is
//! written twice. An unwritable or read-only directory fails the task, and so does a failed `fsync`, after which
//! another one proves nothing; a restarted task goes on behind the last finished file. A record that makes no row (a
//! conflict of types, a null value, a field that cannot be partitioned by) is errant, or fails the task where the
//! connector does not tolerate errors.
//!
//! In an object store a file may be lost between its commit and the moment in which it is made visible, because stores clear
//! unfinished uploads away. That ends the task, with what to do; where an upload is gone before its commit, the partition is taken
//! over anew and its records are read again.
//!
//! # Limits
//!
//! - A task goes on behind the last commit, also over records that were reported as errant before it. Where the process
//!   dies between a commit and the delivery of such a report, the report is lost; a row never is.
//! - The log of commits is what knows of lost records. Where it is gone as well, a task goes on behind the last offset in
//!   the names of files, and passes over what took the place of lost records below it.
//! - In HDFS the log is the Java sink's, and either goes on where the other was killed. In a local directory and in a
//!   bucket it is one of our own.
//! - Nobody else may delete what is below `+tmp` and `logs.dir`. A small file whose temporary object is gone behind its commit
//!   looks like one that was finished and moved away.
//!
//! # Map
//!
//! | module | what is in it |
//! | --- | --- |
//! | `config`, `settings`, `format_choice` | the keys, and what they mean together |
//! | `connector`, `task` | the contracts of the API |
//! | `partition_writer`, `run`, `rejections` | a topic partition: open files, rotation, commit; records it cannot take |
//! | `open_file`, `open_files`, `file_part`, `format` | rows to bytes, bytes to a temporary file |
//! | `companions`, `tags` | keys and headers beside the values; tags of finished objects |
//! | `commit`, `commit_log`, `wal`, `hadoop_wal`, `recovery`, `lost_file`, `alteration` | exactly once; files that a store has lost; offsets set by the user |
//! | `partitioner`, `pattern`, `zone`, `instant`, `field_path` | which directory |
//! | `history` | which records were taken, by leader epoch and offset |
//! | `form`, `compatibility`, `projection`, `file_schema` | records of changing schemas in one file; what earlier ones had |
//! | `hive` | tables and partitions of a metastore |
//! | `s3_dialect`, `aiven_dialect` | what the configurations of Confluent's and Aiven's S3 sinks have of their own |
//! | `envelope` | rows of more than a record's value |
//! | `rotation`, `largest_file`, `file_name`, `naming`, `name_template`, `placing`, `topic_dirs`, `lake` | when, and under which name |
//! | `report` | how large files come out, and why they were finished |
//! | `storage` | which store, by URL or bucket |
//! | [`store`] | the port to what holds the files: a directory, HDFS, object stores |

mod aiven_dialect;
mod alteration;
mod commit;
mod commit_log;
mod companions;
mod compatibility;
mod config;
mod connector;
mod envelope;
mod field_path;
mod file_name;
mod file_part;
mod file_schema;
mod form;
mod format;
mod format_choice;
mod hadoop_wal;
mod history;
mod hive;
mod instant;
mod lake;
mod largest_file;
mod lost_file;
mod name_template;
mod naming;
mod open_file;
mod open_files;
mod partition_writer;
mod partitioner;
mod pattern;
mod placing;
mod projection;
mod recovery;
mod rejections;
mod report;
mod rotation;
mod run;
mod s3_dialect;
mod settings;
mod storage;
pub mod store;
mod tags;
mod task;
mod topic_dirs;
mod wal;
mod zone;

pub use connector::{LakeSinkConnector, task_over};
pub use task::LakeSinkTask;

use lavka_api::plugin::{Factory, Plugin};

/// The plugins of this crate.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    let version = lavka_api::LAVKA_VERSION;
    let lake = Plugin {
        class: "io.lavka.connect.lake.LakeSinkConnector",
        aliases: &[
            "io.confluent.connect.hdfs.HdfsSinkConnector",
            "io.confluent.connect.hdfs3.Hdfs3SinkConnector",
        ],
        version,
        doc: "Writes records to Parquet, ORC, Avro, JSON, CSV or text files, each exactly once.",
        definition: config::definition,
        factory: Factory::Sink(|| Box::new(LakeSinkConnector::default())),
    };
    let s3 = Plugin {
        class: s3_dialect::CLASS,
        aliases: &[],
        version,
        doc: "The lake sink in a bucket of S3, with the keys and the names of objects of Confluent's S3 sink.",
        definition: s3_dialect::definition,
        factory: Factory::Sink(|| Box::new(LakeSinkConnector::default())),
    };
    let aiven = Plugin {
        class: aiven_dialect::CLASS,
        aliases: &[],
        version,
        doc: "The lake sink in a bucket of S3, with the keys, the formats and the names of objects of Aiven's S3 sink.",
        definition: aiven_dialect::definition,
        factory: Factory::Sink(|| Box::new(LakeSinkConnector::default())),
    };
    vec![lake, s3, aiven]
}
