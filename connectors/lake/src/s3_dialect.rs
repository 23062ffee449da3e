//! What the S3 sink's configuration has of its own: keys, names of objects, rotation.

use lavka_api::config::{Check, Config, ConfigDef, ConfigSpec as _, key};

use crate::config::{LakeConfig, add_ignored};
use crate::format::Compression;
use crate::format_choice::short_name;
use crate::settings::{Checked, Problem};
use crate::storage::StorageConfig;

/// Its name, and those under which the worker finds it.
pub(crate) const CLASS: &str = "io.confluent.connect.s3.S3SinkConnector";

const CONNECTOR: &str = "Connector";
const S3: &str = "S3";

lavka_api::config! {
    /// The keys that the S3 sink has and the HDFS sink has not.
    pub(crate) struct S3Config {
        pub(crate) compression_type: String = key("s3.compression.type")
            .default("none")
            .low()
            .group(S3)
            .check(Check::one_of_ignoring_case(&["none", "gzip"]))
            .recommend(&["none", "gzip"])
            .display("Compression type for file written to S3")
            .doc("Compression of JSON, CSV, text and bytes: none or gzip, which adds .gz to their names. Avro and \
                  Parquet have codecs of their own."),
        pub(crate) compression_level: i32 = key("s3.compression.level")
            .default(-1)
            .low()
            .group(S3)
            .check(Check::between(-1, 9))
            .display("S3 Compression Level")
            .doc("How hard gzip tries: 0 (not at all) to 9, or -1 for its own default."),
        pub(crate) file_delim: String = key("file.delim")
            .default("+")
            .low()
            .group(S3)
            .check(Check::non_empty())
            .display("File Delimiter")
            .doc("What stands between topic, partition and offset in the names of objects."),
        pub(crate) rotate_on_partition_change: bool = key("rotate.file.on.partition.change")
            .default(true)
            .low()
            .group(CONNECTOR)
            .display("Rotate on Partition Change")
            .doc("Whether a record for another directory finishes the open objects, with a partitioner by time and \
                  rotate.interval.ms."),
        pub(crate) max_open_files: i32 = key("partitioner.max.open.files")
            .default(-1)
            .low()
            .group(CONNECTOR)
            .check(Check::between(-1, 10_000))
            .display("Max Open Files Per Partitioner")
            .doc("Objects that a topic partition may have open at once; before one more is opened, all are finished. \
                  -1: as many as lavka.max.open.files says."),
        pub(crate) report_nulls: bool = key("report.null.values.to.dlq")
            .default(true)
            .low()
            .group(S3)
            .display("Report Null Values to DLQ")
            .doc("Whether records that behavior.on.null.values=ignore passes over go to the dead letter queue, where \
                  there is one."),
    }
}

impl S3Config {
    /// What objects of texts and bytes are compressed with.
    pub(crate) fn compression(&self) -> Option<Compression> {
        /// zlib's own default.
        const USUAL: u32 = 6;
        let compressed = self.compression_type.eq_ignore_ascii_case("gzip");
        compressed.then(|| Compression::Gzip(u32::try_from(self.compression_level).unwrap_or(USUAL)))
    }
}

/// Keys of features that are not here, with the only value that is taken, and what to do instead.
const REFUSED: &[(&str, &str, &str)] = &[
    ("s3.acl.canned", "", "give the bucket a policy, as S3 advises since it turns ACLs off for new buckets"),
    (
        "s3.credentials.provider.class",
        "com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
        "classes of Java cannot be run; use aws.access.key.id, the environment, a web identity or the instance's role",
    ),
    ("s3.wan.mode", "false", "name the accelerated endpoint in store.url"),
    ("store.kafka.keys", "false", "put the key into the value, for instance with the InsertField transform"),
    (
        "store.kafka.headers",
        "false",
        "put headers into the value, for instance with the HeaderFrom transform",
    ),
    ("s3.schema.partition.affix.type", "NONE", "partition by a field, or give each schema a topic"),
];

/// Keys without effect: name, default, why.
const IGNORED: &[(&str, &str, &str)] = &[
    ("s3.send.digest", "false", "TLS and the checksum of each request keep parts whole."),
    ("s3.http.send.expect.continue", "true", "Parts are small enough to be sent at once."),
    ("s3.elastic.buffer.enable", "false", "Memory is bounded by lavka.buffer.bytes."),
    ("s3.elastic.buffer.init.capacity", "131072", "Memory is bounded by lavka.buffer.bytes."),
    ("enable.conditional.writes", "true", "Each commit is a conditional write."),
    ("max.files.scan.limit", "100", "Objects never take each other's names."),
    (
        "max.write.duration.ms",
        "9223372036854775807",
        "A batch is small; max.poll.interval.ms is what bounds it.",
    ),
    ("tombstone.encoded.partition", "tombstone", "Tombstones are not written."),
    ("keys.format.class", "io.confluent.connect.s3.format.avro.AvroFormat", "Keys are not written."),
    ("headers.format.class", "io.confluent.connect.s3.format.avro.AvroFormat", "Headers are not written."),
];

/// Groups and keys of the lake sink that mean nothing in a bucket of S3.
fn is_foreign(group: Option<&str>, name: &str) -> bool {
    matches!(group, Some("Hadoop" | "Hive"))
        || ["hdfs.url", "aws.s3."].iter().any(|prefix| name.starts_with(prefix))
        || ["lavka.gcs.", "lavka.azure."].iter().any(|prefix| name.starts_with(prefix))
        || name == "file.delim"
}

/// Whether `config` is one of the S3 sink.
pub(crate) fn is_meant(config: &Config) -> bool {
    short_name(config) == "S3Sink"
}

/// The keys of the S3 sink.
pub(crate) fn definition() -> ConfigDef {
    let mut definition = ConfigDef::default();
    let own = S3Config::definition();
    for keys in [StorageConfig::definition(), LakeConfig::definition()] {
        for key in keys.iter().filter(|key| !is_foreign(key.group.as_deref(), &key.name)) {
            let mut key = key.clone();
            if matches!(&*key.name, "format.class" | "s3.bucket.name") {
                key.default = None;
            }
            definition.add(key);
        }
    }
    own.iter().for_each(|key| definition.add(key.clone()));
    for (name, default, remedy) in REFUSED {
        let only = if default.is_empty() { "nothing".into() } else { format!("{default} alone") };
        crate::config::add_unused(&mut definition, name, default, S3, &format!("Takes {only}: {remedy}."));
    }
    IGNORED.iter().chain(crate::config::IGNORED_EVERYWHERE).for_each(|key| add_ignored(&mut definition, key));
    definition
}

/// The keys' values, with what is refused.
///
/// # Errors
/// The key at fault, and what to do instead.
pub(crate) fn read(config: &Config) -> Checked<S3Config> {
    for (name, taken, remedy) in REFUSED {
        let given = config.get(name).unwrap_or(taken).trim();
        if !given.is_empty() && !given.eq_ignore_ascii_case(taken) {
            return Err((name, format!("this is not in this build; {remedy}")));
        }
    }
    S3Config::from_config(config).map_err(|error| -> Problem { ("s3.compression.type", error.to_string()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_here_is_refused_by_name() {
        for (name, value) in [
            ("store.kafka.keys", "true"),
            ("s3.acl.canned", "private"),
            ("s3.wan.mode", "TRUE"),
            ("s3.credentials.provider.class", "org.example.Mine"),
        ] {
            assert_eq!(read(&Config::from([(name, value)])).unwrap_err().0, name);
        }
        for (name, value, _) in REFUSED {
            assert!(read(&Config::from([(*name, *value)])).is_ok(), "{name}");
        }
    }

    #[test]
    fn keys_of_other_stores_are_not_the_s3_sinks() {
        let definition = definition();
        for name in
            ["hdfs.url", "hive.integration", "hadoop.conf.dir", "lavka.azure.account", "aws.s3.region"]
        {
            assert!(definition.get(name).is_none(), "{name}");
        }
        for name in ["s3.bucket.name", "format.class", "flush.size"] {
            assert_eq!(definition.get(name).unwrap().default, None, "{name} has to be given");
        }
        assert_eq!(definition.get("file.delim").unwrap().default, Some(Some("+".into())));
    }
}
