//! What the S3 sink's configuration has of its own: keys, names of objects, rotation.

use lavka_api::config::{Check, ClassName, Config, ConfigDef, ConfigSpec as _, key};

use crate::companions::{CompanionFormats, ViewFormat};
use crate::config::{LakeConfig, add_ignored};
use crate::format::{Compression, FileFormat};
use crate::format_choice::{format_of_class, short_name, simple_name};
use crate::placing::SchemaAffix;
use crate::settings::{Checked, Problem};
use crate::storage::StorageConfig;
use crate::tags::Tagging;

/// Its name, and those under which the worker finds it.
pub(crate) const CLASS: &str = "io.confluent.connect.s3.S3SinkConnector";

const CONNECTOR: &str = "Connector";
const S3: &str = "S3";
const COMPANIONS: &str = "Keys and Headers";

lavka_api::config! {
    /// The keys that the S3 sink has and the HDFS sink has not.
    pub(crate) struct S3Config {
        pub(crate) compression_type: String = key("s3.compression.type")
            .default("none")
            .low()
            .group(S3)
            .check(Check::one_of_ignoring_case(&["none", "gzip"]))
            .recommend(&["none", "gzip"])
            .display("Compression type")
            .doc("Compression of JSON, CSV, text and bytes: none or gzip, which adds .gz to their names. Avro and \
                  Parquet have codecs of their own."),
        pub(crate) compression_level: i32 = key("s3.compression.level")
            .default(-1)
            .low()
            .group(S3)
            .check(Check::between(-1, 9))
            .display("Compression Level")
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
        pub(crate) tombstone_partition: String = key("tombstone.encoded.partition")
            .default("tombstone")
            .low()
            .group(S3)
            .check(Check::non_empty())
            .display("Tombstone Encoded Partition")
            .doc("Directory below that of the topic for tombstones, with behavior.on.null.values=write."),
        pub(crate) schema_affix: String = key("s3.schema.partition.affix.type")
            .default("NONE")
            .low()
            .group(S3)
            .check(Check::one_of_ignoring_case(&["NONE", "PREFIX", "SUFFIX"]))
            .recommend(&["NONE", "PREFIX", "SUFFIX"])
            .display("Schema Partition Affix Type")
            .doc("Whether the name of a record's schema is in its directory, as schema_name=<name>: NONE, PREFIX (before \
                  the directory of the partitioner) or SUFFIX (behind it)."),
        pub(crate) tags: bool = key("s3.object.tagging")
            .default(false)
            .low()
            .group(S3)
            .display("S3 Object Tagging")
            .doc("Whether finished objects are tagged with the offsets of their first and last record (startOffset, \
                  endOffset) and the number of records (recordCount). An object that a crash leaves between its name and \
                  its tags stays without."),
        pub(crate) extra_tags: Vec<String> = key("s3.object.tagging.key.value.pairs")
            .default("")
            .low()
            .group(S3)
            .display("S3 Object Tagging Extra Key Value pairs")
            .doc("Further tags, as name:value with commas between them. S3 takes ten tags."),
        pub(crate) tagging_errors: String = key("s3.object.behavior.on.tagging.error")
            .default("ignore")
            .low()
            .group(S3)
            .check(Check::one_of_ignoring_case(&["ignore", "fail"]))
            .recommend(&["ignore", "fail"])
            .display("Behavior for S3 object tagging error")
            .doc("What to do where an object cannot be tagged: ignore (with a warning) or fail."),
        pub(crate) store_keys: bool = key("store.kafka.keys")
            .default(false)
            .low()
            .group(COMPANIONS)
            .display("Store kafka keys")
            .doc("Whether the keys of records are written, to objects of their own beside those with the values, row for \
                  row: t+0+0000000000.keys.avro. A record without a key is a data error then."),
        pub(crate) store_headers: bool = key("store.kafka.headers")
            .default(false)
            .low()
            .group(COMPANIONS)
            .display("Store kafka headers")
            .doc("Whether the headers of records are written, names and texts, to objects of their own beside those with the \
                  values, row for row: t+0+0000000000.headers.avro. A record without headers is a data error then."),
        pub(crate) keys_format: ClassName = key("keys.format.class")
            .default("io.confluent.connect.s3.format.avro.AvroFormat")
            .low()
            .group(COMPANIONS)
            .recommend(&["Avro", "Json", "ByteArray", "Parquet"])
            .display("Keys format class")
            .doc("Format of the objects with keys: AvroFormat, JsonFormat, ByteArrayFormat or ParquetFormat."),
        pub(crate) headers_format: ClassName = key("headers.format.class")
            .default("io.confluent.connect.s3.format.avro.AvroFormat")
            .low()
            .group(COMPANIONS)
            .recommend(&["Avro", "Json", "Parquet"])
            .display("Headers format class")
            .doc("Format of the objects with headers: AvroFormat, JsonFormat or ParquetFormat."),
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

/// Credentials are looked for where the first of these looks, so the others are taken as well: what they name is looked at.
const CREDENTIALS: [&str; 9] = [
    "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.WebIdentityTokenFileCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.ContainerCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.InstanceProfileCredentialsProvider",
    "com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
    ASSUMES_ROLE,
    "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
    "com.amazonaws.auth.InstanceProfileCredentialsProvider",
];
const CREDENTIALS_KEY: &str = "s3.credentials.provider.class";
/// The one that is configured by `s3.credentials.provider.sts.*`.
const ASSUMES_ROLE: &str = "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider";
const ROLE_KEY: &str = "s3.credentials.provider.sts.role.arn";
const CREDENTIALS_REMEDY: &str = "classes of Java cannot be run; use aws.access.key.id, the environment, a web identity or the instance's role";

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
            if key.name == "behavior.on.null.values" {
                key.recommended.push("write".into());
            }
            definition.add(key);
        }
    }
    own.iter().for_each(|key| definition.add(key.clone()));
    let doc =
        format!("Where the account's key is looked for, which is no choice here: {CREDENTIALS_REMEDY}.");
    crate::config::add_unused(&mut definition, CREDENTIALS_KEY, CREDENTIALS.first().unwrap_or(&""), S3, &doc);
    IGNORED.iter().chain(crate::config::IGNORED_EVERYWHERE).for_each(|key| add_ignored(&mut definition, key));
    definition
}

/// The keys' values, with what is refused.
///
/// # Errors
/// The key at fault, and what to do instead.
pub(crate) fn read(config: &Config) -> Checked<S3Config> {
    let provider = config.get(CREDENTIALS_KEY).unwrap_or_default().trim();
    if !provider.is_empty() && !CREDENTIALS.contains(&provider) {
        return Err((CREDENTIALS_KEY, format!("this is not in this build; {CREDENTIALS_REMEDY}")));
    }
    S3Config::from_config(config).map_err(|error| -> Problem { ("s3.compression.type", error.to_string()) })
}

/// What is wrong between keys that are fine each by itself, at each key of which it is wrong, in the S3 sink's words
/// (`S3SinkConnectorValidator`).
pub(crate) fn contradictions(keys: &LakeConfig, config: &Config, s3: &S3Config) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut note = |keys: &[&'static str], text: &str| {
        problems.extend(keys.iter().map(|key| (*key, text.to_owned())));
    };
    if s3.compression().is_some() {
        let compressible =
            |class: &str| !matches!(simple_name(class).to_ascii_lowercase().as_str(), "avro" | "parquet");
        let text = |what: &str, class: &str| {
            format!("Compression Type gzip not valid for {what} format class: ( {class} ).")
        };
        let format = keys.format_class.as_ref().map_or("Parquet", |class| class.0.as_str());
        let (keys_format, headers_format) = (&s3.keys_format.0, &s3.headers_format.0);
        if !compressible(format) {
            note(&["format.class", "s3.compression.type"], &text("data", format));
        }
        if s3.store_keys && !compressible(keys_format) {
            let at = ["store.kafka.keys", "keys.format.class", "s3.compression.type"];
            note(&at, &text("keys", keys_format));
        }
        if s3.store_headers && !compressible(headers_format) {
            let at = ["store.kafka.headers", "headers.format.class", "s3.compression.type"];
            note(&at, &text("headers", headers_format));
        }
    }
    if keys.null_values.eq_ignore_ascii_case("write") && !s3.store_keys {
        let text = "Writing Kafka record keys to storage is mandatory when tombstone writing is enabled.";
        note(&["store.kafka.keys", "behavior.on.null.values"], text);
    }
    let has_role = config.get(ROLE_KEY).is_some_and(|role| !role.trim().is_empty());
    if config.get(CREDENTIALS_KEY).is_some_and(|class| class.trim() == ASSUMES_ROLE) && !has_role {
        note(&[ROLE_KEY], "Missing required configuration \"sts.role.arn\" which has no default value.");
    }
    if let Ok(storage) = StorageConfig::from_config(config)
        && storage.s3_wan_mode
        && storage.s3_path_style
    {
        let text = "Both accelerate mode and path style access are being enabled. These options are mutually exclusive \
                    and cannot be enabled together. Please disable one of them";
        note(&["s3.wan.mode", "s3.path.style.access.enabled"], text);
    }
    problems
}

/// Which objects there are beside those with the values.
///
/// # Errors
/// The key at fault, and why.
pub(crate) fn companions(keys: &LakeConfig, s3: &S3Config) -> Checked<CompanionFormats> {
    let of = |key: &'static str, class: &ClassName, taken: &[&str]| {
        let name = simple_name(&class.0).to_ascii_lowercase();
        if !taken.contains(&name.as_str()) {
            let text =
                "keys are written as Avro, Json, ByteArray or Parquet, headers as Avro, Json or Parquet";
            return Err((key, text.to_owned()));
        }
        let format = format_of_class(&class.0, keys, Some(s3), None)?;
        let compression = s3.compression().filter(|_| matches!(format, FileFormat::Lines(_)));
        Ok(ViewFormat { format, compression })
    };
    let with_keys = s3
        .store_keys
        .then(|| of("keys.format.class", &s3.keys_format, &["avro", "json", "bytearray", "parquet"]));
    let with_headers = s3
        .store_headers
        .then(|| of("headers.format.class", &s3.headers_format, &["avro", "json", "parquet"]));
    Ok(CompanionFormats { keys: with_keys.transpose()?, headers: with_headers.transpose()? })
}

/// What finished objects are tagged with.
///
/// # Errors
/// The key at fault, and why.
pub(crate) fn tagging(s3: &S3Config) -> Checked<Option<Tagging>> {
    /// As many as S3 takes, without our own three.
    const MOST: usize = 7;
    if !s3.tags {
        return Ok(None);
    }
    let pairs = s3.extra_tags.iter().filter(|pair| !pair.trim().is_empty());
    let extra: Option<Vec<(String, String)>> = pairs
        .map(|pair| {
            pair.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect();
    match extra {
        Some(extra) if extra.len() <= MOST && extra.iter().all(|(name, _)| !name.is_empty()) => {
            let ignores_errors = s3.tagging_errors.eq_ignore_ascii_case("ignore");
            Ok(Some(Tagging { extra, ignores_errors }))
        }
        _ => Err((
            "s3.object.tagging.key.value.pairs",
            format!(
                "each has to be name:value, and S3 takes {MOST} beside the offsets and the number of records"
            ),
        )),
    }
}

/// `s3.schema.partition.affix.type`.
pub(crate) fn affix(s3: &S3Config) -> SchemaAffix {
    match s3.schema_affix.to_ascii_uppercase().as_str() {
        "PREFIX" => SchemaAffix::Prefix,
        "SUFFIX" => SchemaAffix::Suffix,
        _ => SchemaAffix::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_looked_for_in_the_usual_places_alone() {
        for class in CREDENTIALS {
            assert!(read(&Config::from([(CREDENTIALS_KEY, class)])).is_ok(), "{class}");
        }
        let error = read(&Config::from([(CREDENTIALS_KEY, "org.example.Mine")])).unwrap_err();
        assert_eq!(error.0, CREDENTIALS_KEY);
    }

    #[test]
    fn what_contradicts_is_said_at_each_key() {
        let found = |entries: &[(&str, &str)]| -> Vec<String> {
            let mut config = Config::from([("flush.size", "1"), ("format.class", "a.JsonFormat")]);
            entries.iter().for_each(|(key, value)| config.set(*key, *value));
            let keys = LakeConfig::from_config(&config).unwrap();
            let problems = contradictions(&keys, &config, &read(&config).unwrap());
            problems.into_iter().map(|(key, text)| format!("{key}: {text}")).collect()
        };
        let gzip = ("s3.compression.type", "gzip");
        assert!(found(&[gzip]).is_empty());
        let class = "io.confluent.connect.s3.format.avro.AvroFormat";
        let text = format!("Compression Type gzip not valid for data format class: ( {class} ).");
        let want = [format!("format.class: {text}"), format!("s3.compression.type: {text}")];
        assert_eq!(found(&[gzip, ("format.class", class)]), want);
        assert_eq!(found(&[gzip, ("store.kafka.keys", "true"), ("store.kafka.headers", "true")]).len(), 6);
        let json = [("keys.format.class", "JsonFormat"), ("headers.format.class", "JsonFormat")];
        assert!(found(&[gzip, ("store.kafka.keys", "true"), json[0], json[1]]).is_empty());
        assert_eq!(found(&[("behavior.on.null.values", "write")]).len(), 2);
        assert!(found(&[("behavior.on.null.values", "write"), ("store.kafka.keys", "true")]).is_empty());
        assert_eq!(found(&[("s3.wan.mode", "true")]).len(), 2);
        assert!(found(&[("s3.wan.mode", "true"), ("s3.path.style.access.enabled", "false")]).is_empty());
    }

    #[test]
    fn tags_have_names_and_values() {
        let read_tags = |pairs: &str| {
            let config =
                Config::from([("s3.object.tagging", "true"), ("s3.object.tagging.key.value.pairs", pairs)]);
            tagging(&read(&config).unwrap())
        };
        let extra = read_tags("team:plant, url:http://x").unwrap().unwrap().extra;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(extra, [pair("team", "plant"), pair("url", "http://x")]);
        for broken in ["team", ":x", "a:1,b:2,c:3,d:4,e:5,f:6,g:7,h:8"] {
            assert_eq!(read_tags(broken).unwrap_err().0, "s3.object.tagging.key.value.pairs", "{broken}");
        }
        assert_eq!(tagging(&read(&Config::default()).unwrap()).unwrap(), None);
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
