//! The keys: those of the HDFS sink as far as they mean something for files in a directory, and our own.

use std::sync::LazyLock;

use lavka_api::config::{Check, ClassName, ConfigDef, ConfigSpec, Importance, KeyDef, Kind, Width, key};

use crate::hive::HiveConfig;
use crate::storage::StorageConfig;

const CONNECTOR: &str = "Connector";
const STORAGE: &str = "Storage";
const PARTITIONER: &str = "Partitioner";
const RECORDS: &str = "Records";
/// The group of keys that are accepted so that existing configurations go on working, and have no effect.
pub(crate) const IGNORED_GROUP: &str = "Ignored";

lavka_api::config! {
    /// What the lake sink reads from its configuration.
    pub(crate) struct LakeConfig {
        pub(crate) topics_dir: String = key("topics.dir")
            .default("topics")
            .high()
            .group(STORAGE)
            .check(Check::non_empty())
            .display("Topics Directory")
            .doc("Directory below the store URL that holds a directory for each topic. ${topic} in it is the topic; ${0}, \
                  ${1} ... are what topic.capture.groups.regex captures."),
        pub(crate) logs_dir: String = key("logs.dir")
            .default("logs")
            .group(STORAGE)
            .check(Check::non_empty())
            .display("Logs Directory")
            .doc("Directory below the store URL for the log of commits and the lock of each topic partition. From \
                  them a restarted task knows where to go on, even if finished files were moved away. ${topic}, ${0}, ${1} \
                  ... are as in topics.dir."),
        pub(crate) format_class: Option<ClassName> = key("format.class")
            .high()
            .group(CONNECTOR)
            .recommend(&["Parquet", "Orc", "Avro", "Json", "Csv", "String", "ByteArray"])
            .display("Format class")
            .doc("Format of the files: AvroFormat, ParquetFormat, OrcFormat, JsonFormat (a JSON text a line) or StringFormat \
                  (for StringConverter) of the package io.confluent.connect.hdfs or io.confluent.connect.hdfs3, or \
                  their short names; besides these ByteArray (for ByteArrayConverter) and Csv. Without it: Avro \
                  where connector.class is the HDFS sink's, as there, else Parquet."),
        pub(crate) flush_size: i32 = key("flush.size")
            .high()
            .group(CONNECTOR)
            .check(Check::at_least(1))
            .display("Flush Size")
            .doc("Number of records of a topic partition, over all its open files, after which the files are \
                  finished."),
        pub(crate) rotate_interval_ms: i64 = key("rotate.interval.ms")
            .default(-1)
            .high()
            .group(CONNECTOR)
            .display("Rotate Interval (ms)")
            .doc("Milliseconds after which files are finished, by the time that timestamp.extractor sees (with a \
                  partitioner by time) or the wall clock. -1: never. With the time of records nothing is finished \
                  while none arrives."),
        pub(crate) rotate_schedule_interval_ms: i64 = key("rotate.schedule.interval.ms")
            .default(-1)
            .group(CONNECTOR)
            .display("Rotate Schedule Interval (ms)")
            .doc("Milliseconds between scheduled times at which files are finished, counted from midnight in \
                  timezone, which has to be given. -1: no schedule."),
        pub(crate) rotate_bytes: i64 = key("lavka.rotate.bytes")
            .default(-1)
            .group(CONNECTOR)
            .display("Rotate Bytes")
            .doc("Size in bytes of the largest open file of a topic partition at which its files are finished. What \
                  is not encoded yet is estimated, so files end up near this size and not at it. -1: no limit but what object \
                  stores have: 10000 parts of s3.part.size, and 5 GiB where names have the last offset in them."),
        pub(crate) rotate_idle_ms: i64 = key("lavka.rotate.idle.ms")
            .default(-1)
            .group(CONNECTOR)
            .display("Rotate Idle (ms)")
            .doc("Milliseconds without a record, by the wall clock, after which the files of a topic partition are \
                  finished. A file whose directory gets no record for as long, while others of its topic partition \
                  do, is completed and no longer in memory, and gets its name along with them. -1: files wait."),
        pub(crate) schema_compatibility: String = key("schema.compatibility")
            .default("NONE")
            .group(CONNECTOR)
            .recommend(&["NONE", "BACKWARD", "FORWARD", "FULL"])
            .display("Schema Compatibility")
            .doc("What happens when the schema of records changes. NONE: files are finished, so that all records of a \
                  file have the same schema. BACKWARD and FULL: a newer version begins new files, records of older \
                  ones are brought into the form of the files' (fields by name, numbers widened, what is missing by \
                  its default). FORWARD: the other way round. Schemas need versions for these, which converters with \
                  a schema registry give them. Records that have no form in the files' schema begin new files."),
        pub(crate) retry_backoff_ms: i64 = key("retry.backoff.ms")
            .default(5000)
            .low()
            .group(CONNECTOR)
            .check(Check::at_least(0))
            .display("Retry Backoff (ms)")
            .doc("Milliseconds to wait after a failure that may pass by itself, such as a full disk."),
        pub(crate) offset_zero_pad_width: i32 = key("filename.offset.zero.pad.width")
            .default(10)
            .low()
            .group(CONNECTOR)
            .check(Check::between(0, 19))
            .display("Filename Offset Zero Pad Width")
            .doc("Digits to which the offsets in file names are padded."),
        pub(crate) parquet_codec: String = key("parquet.codec")
            .default("snappy")
            .low()
            .group(CONNECTOR)
            .recommend(&["snappy", "zstd", "gzip", "none"])
            .display("Parquet Compression Codec")
            .doc("Compression of Parquet files: snappy, zstd, gzip or none (or uncompressed)."),
        pub(crate) zstd_level: i32 = key("lavka.parquet.zstd.level")
            .default(1)
            .low()
            .group(CONNECTOR)
            .check(Check::between(1, 22))
            .display("Parquet zstd Level")
            .doc("How hard zstd tries: 1 is fast, above 9 is slow."),
        pub(crate) row_group_bytes: i64 = key("lavka.parquet.row.group.bytes")
            .default(64 * 1024 * 1024)
            .low()
            .group(CONNECTOR)
            .check(Check::at_least(64 * 1024))
            .display("Parquet Row Group Bytes")
            .doc("Encoded size at which a row group of a Parquet file is written out. Until then it is held in \
                  memory, for each open file."),
        pub(crate) page_bytes: i64 = key("lavka.parquet.page.bytes")
            .default(1024 * 1024)
            .low()
            .group(CONNECTOR)
            .check(Check::between(4096, 1 << 30))
            .display("Parquet Page Bytes")
            .doc("Size at which a page of a column is closed: what readers decode at least."),
        pub(crate) bloom_filter_columns: Vec<String> = key("lavka.parquet.bloom.filter.columns")
            .default("")
            .low()
            .group(CONNECTOR)
            .display("Parquet Bloom Filter Columns")
            .doc("Columns, nested ones by dotted path, that get a bloom filter in each row group, by which readers \
                  pass over row groups without the value that they look for."),
        pub(crate) bloom_filter_distinct: i64 = key("lavka.parquet.bloom.filter.distinct")
            .default(100_000)
            .low()
            .group(CONNECTOR)
            .check(Check::between(1, 100_000_000))
            .display("Parquet Bloom Filter Distinct Values")
            .doc("Different values in a row group for which bloom filters are made. It decides their size: about 1.2 \
                  bytes a value."),
        pub(crate) avro_codec: Option<String> = key("avro.codec")
            .low()
            .group(CONNECTOR)
            .recommend(&["null", "deflate", "snappy", "bzip2"])
            .display("Avro Compression Codec")
            .doc("Compression of the blocks of Avro files: null (none), deflate, snappy or bzip2."),
        pub(crate) enhanced_avro_schema_support: bool = key("enhanced.avro.schema.support")
            .default(true)
            .low()
            .group(CONNECTOR)
            .display("Enhanced Avro Support")
            .doc("Whether the schemas of Avro files keep enums and the full names of types, as AvroConverter does \
                  with the key of that name."),
        pub(crate) connect_meta_data: bool = key("connect.meta.data")
            .default(true)
            .low()
            .group(CONNECTOR)
            .display("Connect Metadata")
            .doc("Whether the schemas of Avro files have connect.* properties for what Avro has no word for."),
        pub(crate) allow_optional_map_keys: bool = key("allow.optional.map.keys")
            .default(false)
            .low()
            .group(CONNECTOR)
            .display("Allow Optional Map Keys")
            .doc("Whether maps with optional string keys are maps in Avro files too; otherwise they are arrays of \
                  entries."),
        pub(crate) json_decimal_format: String = key("json.decimal.format")
            .default("BASE64")
            .low()
            .group(CONNECTOR)
            .check(Check::one_of_ignoring_case(&["BASE64", "NUMERIC"]))
            .recommend(&["BASE64", "NUMERIC"])
            .display("Json Decimal Format")
            .doc("How JSON files have decimals: BASE64 (of the unscaled bytes) or NUMERIC."),
        pub(crate) bytearray_extension: String = key("format.bytearray.extension")
            .default(".bin")
            .low()
            .group(CONNECTOR)
            .display("Output file extension for ByteArrayFormat")
            .doc("What names of files with the ByteArray format end with."),
        pub(crate) bytearray_separator: Option<String> = key("format.bytearray.separator")
            .low()
            .group(CONNECTOR)
            .display("Line separator ByteArrayFormat")
            .doc("What stands after each record in files with the ByteArray format; a line break where it is not \
                  given."),
        pub(crate) buffer_bytes: i64 = key("lavka.buffer.bytes")
            .default(256 * 1024 * 1024)
            .low()
            .group(CONNECTOR)
            .check(Check::at_least(1024 * 1024))
            .display("Buffer Bytes")
            .doc("Memory that the open files of a task may use together, roughly. Beyond it row groups are written \
                  out before they are full."),
        pub(crate) max_open_files: i32 = key("lavka.max.open.files")
            .default(1000)
            .low()
            .group(CONNECTOR)
            .check(Check::between(1, 10_000))
            .display("Max Open Files")
            .doc("Files that a topic partition may have open at once; before one more is opened, all are finished. \
                  Partitioners by a field with many values need it."),
        pub(crate) schema: String = key("lavka.schema")
            .default("infer")
            .group(RECORDS)
            .recommend(&["infer"])
            .display("Schema")
            .doc("Columns of records without a schema. infer: from the records; every field is optional, integers are \
                  64-bit, mixed numbers are doubles, fields that were only ever null are left out. file:PATH: a JSON \
                  file with the schema of the value, in the form that JsonConverter uses for \"schema\". Records that \
                  do not fit are data errors. Without effect on JSON files. What was inferred holds for the following \
                  files of a Kafka partition, but not for other partitions and not after a restart: where readers need \
                  the same types in all files, give the schema."),
        pub(crate) null_values: String = key("behavior.on.null.values")
            .default("fail")
            .low()
            .group(RECORDS)
            .check(Check::one_of_ignoring_case(&["fail", "ignore", "write"]))
            .recommend(&["fail", "ignore"])
            .display("Behavior for null-valued records")
            .doc("What to do with records whose value is null: fail (a data error, which errors.tolerance=all sends \
                  to the dead letter queue) or ignore; with the S3 sink also write (their keys, and headers where these are \
                  stored, in the directory tombstone.encoded.partition)."),
        pub(crate) partitioner_class: ClassName = key("partitioner.class")
            .default("io.confluent.connect.storage.partitioner.DefaultPartitioner")
            .high()
            .group(PARTITIONER)
            .recommend(&["Default", "Field", "TimeBased", "Daily", "Hourly"])
            .display("Partitioner Class")
            .doc("How records are spread over directories: DefaultPartitioner (by Kafka partition), \
                  FieldPartitioner, TimeBasedPartitioner, DailyPartitioner or HourlyPartitioner of the package \
                  io.confluent.connect.storage.partitioner or io.confluent.connect.hdfs.partitioner, or their short \
                  names."),
        pub(crate) partition_field_name: Vec<String> = key("partition.field.name")
            .default("")
            .group(PARTITIONER)
            .display("Partition Field Name")
            .doc("Fields that the FieldPartitioner goes by, nested ones by dotted path."),
        pub(crate) partition_duration_ms: i64 = key("partition.duration.ms")
            .default(-1)
            .group(PARTITIONER)
            .display("Partition Duration (ms)")
            .doc("Length of a time bucket of the TimeBasedPartitioner."),
        pub(crate) path_format: String = key("path.format")
            .default("")
            .group(PARTITIONER)
            .width(Width::Long)
            .display("Path Format")
            .doc("Directory of a time bucket in Joda-Time's pattern letters, literal text in single quotes: \
                  'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH."),
        pub(crate) locale: String = key("locale")
            .default("")
            .group(PARTITIONER)
            .display("Locale")
            .doc("Language of names in path.format. Names of months and days are written in English alone."),
        pub(crate) timezone: String = key("timezone")
            .default("")
            .group(PARTITIONER)
            .display("Timezone")
            .doc("Time zone of the partitioners by time and of rotate.schedule.interval.ms: Europe/Prague, UTC, \
                  +02:00."),
        pub(crate) timestamp_extractor: String = key("timestamp.extractor")
            .default("Wallclock")
            .group(PARTITIONER)
            .recommend(&["Wallclock", "Record", "RecordField"])
            .display("Timestamp Extractor")
            .doc("The time of a record: Wallclock (when it is processed), Record (its timestamp in Kafka) or \
                  RecordField (a field, see timestamp.field)."),
        pub(crate) timestamp_field: String = key("timestamp.field")
            .default("timestamp")
            .group(PARTITIONER)
            .display("Record Field for Timestamp Extractor")
            .doc("Field with the time of a record, nested ones by dotted path: a Timestamp, milliseconds, or an ISO \
                  8601 text."),
        pub(crate) directory_delim: String = key("directory.delim")
            .default("/")
            .group(STORAGE)
            .display("Directory Delimiter")
            .doc("Delimiter of directories; / is the only one that a file system has."),
        pub(crate) capture_groups_regex: Option<String> = key("topic.capture.groups.regex")
            .low()
            .group(STORAGE)
            .display("Topic Capture Groups Regex")
            .doc("A regular expression that matches whole names of topics. What its groups capture can stand in \
                  topics.dir and logs.dir: ${1}, ${2} ..., and ${0} for all of it. With ([a-z]*)_([a-z]*) and \
                  topics.dir=${1}/${2}, records of the topic plant_line are in plant/line/plant_line."),
    }
}

/// Keys without effect, whatever the store: name, default, why.
pub(crate) const IGNORED_EVERYWHERE: &[(&str, &str, &str)] = &[
    ("shutdown.timeout.ms", "3000", "A task has nothing left to wait for when it stops."),
    ("schemas.cache.config", "1000", "A file has one schema, whose plan it keeps."),
];

/// Those of the HDFS sink.
const IGNORED: &[(&str, &str, &str)] = &[
    ("hive.home", "", "Hive is not run here; its metastore is spoken to over the network."),
    ("kerberos.ticket.renew.period.ms", "3600000", "Tickets are taken from the keytab when they are needed."),
    ("hadoop.home", "", "No part of Hadoop's installation is needed."),
    ("file.delim", "+", "File names have a fixed +, as the HDFS sink's."),
    ("confluent.license", "", "Nothing here takes a licence."),
    ("confluent.topic", "_confluent-command", "Nothing here takes a licence."),
    ("confluent.topic.bootstrap.servers", "", "Nothing here takes a licence."),
    ("confluent.topic.replication.factor", "3", "Nothing here takes a licence."),
];

/// Adds a key that is not acted on, with the reason.
pub(crate) fn add_ignored(definition: &mut ConfigDef, (name, default, why): &(&str, &str, &str)) {
    add_unused(definition, name, default, IGNORED_GROUP, &format!("Accepted and ignored. {why}"));
}

/// Adds a key that no code reads the value of.
pub(crate) fn add_unused(
    definition: &mut ConfigDef,
    name: &str,
    default: &str,
    group: &'static str,
    doc: &str,
) {
    let kind = match default {
        "true" | "false" => Kind::Boolean,
        number if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => Kind::Long,
        _ => Kind::String,
    };
    definition.add(KeyDef {
        name: name.to_owned().into(),
        kind,
        default: Some(Some(default.to_owned())),
        importance: Importance::Low,
        doc: doc.to_owned().into(),
        group: Some(group.into()),
        order_in_group: -1,
        width: Width::None,
        display_name: name.to_owned().into(),
        dependents: Vec::new(),
        recommended: Vec::new(),
        checks: Vec::new(),
    });
}

/// All keys of the sink. Each look at a configuration asks for them, so they are put together once.
pub(crate) fn definition() -> ConfigDef {
    static DEFINITION: LazyLock<ConfigDef> = LazyLock::new(|| {
        let mut definition = StorageConfig::definition();
        for keys in [LakeConfig::definition(), HiveConfig::definition()] {
            keys.iter().for_each(|key| definition.add(key.clone()));
        }
        IGNORED.iter().chain(IGNORED_EVERYWHERE).for_each(|key| add_ignored(&mut definition, key));
        definition
    });
    DEFINITION.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_passes_its_own_check() {
        for key in definition().iter() {
            if let Some(Some(default)) = &key.default {
                assert_eq!(key.errors(Some(Some(default))), Vec::<String>::new(), "{}", key.name);
            }
            assert!(!key.doc.is_empty(), "{}", key.name);
        }
    }
}
