//! Every key of the sinks whose configurations are taken, and what becomes of it here. The keys and their defaults are those
//! of Confluent's `StorageCommonConfig`, `StorageSinkConnectorConfig`, `PartitionerConfig`, `HiveConfig`,
//! `HdfsSinkConnectorConfig` and `S3SinkConnectorConfig`, and of Aiven's `S3SinkConfigDef` with its fragments.

use lavka_api::config::{Config, ConfigDef};
use lavka_api::plugin::{Catalogue, Factory, PluginKind};

use crate::harness::runtime;

/// What becomes of a key.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It means what it means there.
    Acts,
    /// It is accepted and has no effect; its description says why.
    Ignored,
    /// It is taken where it says what is so anyway; this value of it is refused, and the error says what to do instead.
    Refused(&'static str),
}
use Fate::{Acts, Ignored, Refused};

/// A key, its default there, and its fate. `?` where the default is one of several, and ours may be missing.
type Row = (&'static str, &'static str, Fate);

/// A key without a default, which has to be given.
const REQUIRED: &str = "-";
const NULL: &str = "null";

const COMMON: &[Row] = &[
    ("store.url", NULL, Acts),
    // Required there; here the URL and the bucket tell as well.
    ("storage.class", "?", Acts),
    ("topics.dir", "topics", Acts),
    ("directory.delim", "/", Refused("_")),
    ("flush.size", REQUIRED, Acts),
    ("rotate.interval.ms", "-1", Acts),
    ("rotate.schedule.interval.ms", "-1", Acts),
    ("retry.backoff.ms", "5000", Acts),
    ("shutdown.timeout.ms", "3000", Ignored),
    ("filename.offset.zero.pad.width", "10", Acts),
    ("schemas.cache.config", "1000", Ignored),
    ("enhanced.avro.schema.support", "true", Acts),
    ("connect.meta.data", "true", Acts),
    ("allow.optional.map.keys", "false", Acts),
    ("avro.codec", "?", Acts),
    ("schema.compatibility", "NONE", Acts),
    ("partitioner.class", "io.confluent.connect.storage.partitioner.DefaultPartitioner", Acts),
    ("partition.field.name", "", Acts),
    ("partition.duration.ms", "-1", Acts),
    ("path.format", "", Acts),
    ("locale", "", Acts),
    ("timezone", "", Acts),
    ("timestamp.extractor", "Wallclock", Acts),
    ("timestamp.field", "timestamp", Acts),
];

const HDFS: &[Row] = &[
    // Avro where it is missing, as `HdfsSinkConnectorConfig.addDefaults` has it.
    ("format.class", NULL, Acts),
    ("file.delim", "+", Ignored),
    ("hdfs.url", NULL, Acts),
    ("hadoop.conf.dir", "?", Acts),
    ("hadoop.home", "", Ignored),
    ("logs.dir", "logs", Acts),
    ("topic.capture.groups.regex", NULL, Acts),
    ("hdfs.authentication.kerberos", "false", Acts),
    ("connect.hdfs.principal", "", Acts),
    ("connect.hdfs.keytab", "", Acts),
    ("hdfs.namenode.principal", "", Acts),
    ("kerberos.ticket.renew.period.ms", "3600000", Ignored),
    ("hive.integration", "false", Acts),
    ("hive.metastore.uris", "", Acts),
    ("hive.conf.dir", "", Acts),
    ("hive.home", "", Ignored),
    ("hive.database", "default", Acts),
    ("hive.table.name", "${topic}", Acts),
];

/// What the HDFS 3 sink has beside the keys of the HDFS 2 sink: those of its licence.
const HDFS3: &[Row] = &[
    ("confluent.license", "", Ignored),
    ("confluent.topic", "_confluent-command", Ignored),
    ("confluent.topic.bootstrap.servers", "", Ignored),
    ("confluent.topic.replication.factor", "3", Ignored),
];

const S3: &[Row] = &[
    ("format.class", REQUIRED, Acts),
    ("file.delim", "+", Acts),
    ("parquet.codec", "snappy", Acts),
    ("s3.bucket.name", REQUIRED, Acts),
    ("s3.object.tagging", "false", Acts),
    ("s3.object.tagging.key.value.pairs", "", Acts),
    ("s3.object.behavior.on.tagging.error", "ignore", Acts),
    ("s3.region", "us-west-2", Acts),
    ("s3.part.size", "26214400", Acts),
    ("s3.credentials.provider.class", "?", Refused("org.example.Provider")),
    ("s3.credentials.provider.sts.role.arn", NULL, Acts),
    ("s3.credentials.provider.sts.role.session.name", NULL, Acts),
    ("s3.credentials.provider.sts.role.external.id", NULL, Acts),
    ("s3.credentials.provider.sts.region", "?", Acts),
    ("aws.access.key.id", "", Acts),
    ("aws.secret.access.key", "?", Acts),
    ("s3.ssea.name", "", Acts),
    ("s3.sse.customer.key", "?", Acts),
    ("s3.sse.kms.key.id", "", Acts),
    ("s3.acl.canned", NULL, Acts),
    ("s3.wan.mode", "false", Acts),
    ("s3.compression.type", "none", Acts),
    ("s3.compression.level", "-1", Acts),
    ("json.decimal.format", "BASE64", Acts),
    ("s3.part.retries", "3", Acts),
    ("s3.retry.backoff.ms", "200", Acts),
    ("format.bytearray.extension", ".bin", Acts),
    ("format.bytearray.separator", NULL, Acts),
    ("s3.proxy.url", "", Acts),
    ("s3.proxy.user", NULL, Acts),
    ("s3.proxy.password", "?", Acts),
    ("s3.http.send.expect.continue", "true", Ignored),
    ("behavior.on.null.values", "fail", Acts),
    ("report.null.values.to.dlq", "true", Acts),
    ("max.write.duration.ms", "9223372036854775807", Ignored),
    ("rotate.file.on.partition.change", "true", Acts),
    ("tombstone.encoded.partition", "tombstone", Acts),
    ("s3.schema.partition.affix.type", "NONE", Acts),
    ("s3.send.digest", "false", Ignored),
    ("enable.conditional.writes", "true", Ignored),
    ("max.files.scan.limit", "100", Ignored),
    ("store.kafka.keys", "false", Acts),
    ("store.kafka.headers", "false", Acts),
    ("keys.format.class", "io.confluent.connect.s3.format.avro.AvroFormat", Acts),
    ("headers.format.class", "io.confluent.connect.s3.format.avro.AvroFormat", Acts),
    ("s3.path.style.access.enabled", "true", Acts),
    ("s3.elastic.buffer.enable", "false", Ignored),
    ("s3.elastic.buffer.init.capacity", "131072", Ignored),
    ("partitioner.max.open.files", "-1", Acts),
];

const AIVEN: &[Row] = &[
    ("aws.access.key.id", "?", Acts),
    ("aws.secret.access.key", "?", Acts),
    ("aws.credentials.provider", "?", Refused("org.example.Provider")),
    ("aws.s3.bucket.name", NULL, Acts),
    ("aws.s3.sse.algorithm", NULL, Acts),
    ("aws.s3.endpoint", NULL, Acts),
    ("aws.s3.region", NULL, Acts),
    ("aws.s3.part.size.bytes", "5242880", Acts),
    ("aws.s3.prefix", NULL, Acts),
    ("aws.sts.role.arn", NULL, Acts),
    ("aws.sts.role.external.id", NULL, Acts),
    ("aws.sts.role.session.name", NULL, Acts),
    ("aws.sts.role.session.duration", "3600", Acts),
    ("aws.sts.config.endpoint", "https://sts.amazonaws.com", Acts),
    ("aws.s3.backoff.delay.ms", "100", Acts),
    ("aws.s3.backoff.max.delay.ms", "20000", Ignored),
    ("aws.s3.backoff.max.retries", "3", Acts),
    ("aws.s3.fetch.page.size", "10", Ignored),
    ("aws.s3.fetch.buffer.size", "1000", Ignored),
    ("file.name.template", NULL, Acts),
    ("file.name.prefix", "", Acts),
    ("file.prefix.template", "?", Ignored),
    ("file.compression.type", NULL, Acts),
    ("file.max.records", "0", Acts),
    ("file.name.timestamp.timezone", "?", Acts),
    ("file.name.timestamp.source", "?", Acts),
    ("format.output.type", "csv", Acts),
    ("format.output.fields", "?", Acts),
    ("format.output.fields.value.encoding", "base64", Acts),
    ("format.output.envelope", "true", Acts),
    ("kafka.retry.backoff.ms", "?", Acts),
    ("aws_access_key_id", "?", Acts),
    ("aws_secret_access_key", "?", Acts),
    ("aws_s3_bucket", NULL, Acts),
    ("aws_s3_endpoint", NULL, Acts),
    ("aws_s3_region", NULL, Acts),
    ("aws_s3_prefix", NULL, Acts),
    ("output_compression", NULL, Acts),
    ("output_fields", "?", Acts),
    ("timestamp.timezone", "Z", Acts),
    ("timestamp.source", "WALLCLOCK", Acts),
];

/// What a sink has here beside its own: `lavka.*`, and these keys of the others.
const MORE_HDFS: &[&str] = &[
    "parquet.codec",
    "json.decimal.format",
    "format.bytearray.extension",
    "format.bytearray.separator",
    "behavior.on.null.values",
];
const MORE_S3: &[&str] = &["logs.dir", "topic.capture.groups.regex"];
const MORE_AIVEN: &[&str] =
    &["avro.codec", "enhanced.avro.schema.support", "connect.meta.data", "allow.optional.map.keys"];

struct Sink {
    class: &'static str,
    rows: Vec<Row>,
    more: &'static [&'static str],
    /// A configuration that is fine.
    base: &'static [(&'static str, &'static str)],
}

fn sinks() -> Vec<Sink> {
    let rows = |lists: &[&[Row]]| lists.concat();
    let hdfs = &[("store.url", "/lake"), ("flush.size", "1")];
    vec![
        Sink {
            class: "io.confluent.connect.hdfs.HdfsSinkConnector",
            rows: rows(&[COMMON, HDFS]),
            more: MORE_HDFS,
            base: hdfs,
        },
        Sink {
            class: "io.confluent.connect.hdfs3.Hdfs3SinkConnector",
            rows: rows(&[COMMON, HDFS, HDFS3]),
            more: MORE_HDFS,
            base: hdfs,
        },
        Sink {
            class: "io.confluent.connect.s3.S3SinkConnector",
            rows: rows(&[COMMON, S3]),
            more: MORE_S3,
            base: &[("s3.bucket.name", "lake"), ("flush.size", "1"), ("format.class", "Json")],
        },
        Sink {
            class: "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
            rows: rows(&[AIVEN]),
            more: MORE_AIVEN,
            base: &[("aws.s3.bucket.name", "lake")],
        },
    ]
}

/// The errors at `key` with this value.
fn errors(sink: &Sink, definition: &ConfigDef, key: &str, value: Option<&str>) -> Vec<String> {
    let mut config: Config = sink.base.iter().copied().collect();
    config.set("connector.class", sink.class);
    if let Some(value) = value {
        config.set(key, value);
    }
    let catalogue = Catalogue::new(lavka_connector_lake::plugins());
    let plugin = catalogue.find(sink.class, PluginKind::is_connector).unwrap();
    let Factory::Sink(new) = plugin.factory else { panic!() };
    let reports = runtime().block_on(new().validate(definition, &config));
    reports.into_iter().filter(|report| report.name == key).flat_map(|report| report.errors).collect()
}

#[test]
fn every_key_of_each_sink_acts_or_is_ignored_or_refused_with_a_reason() {
    let catalogue = Catalogue::new(lavka_connector_lake::plugins());
    for sink in sinks() {
        let plugin = catalogue.find(sink.class, PluginKind::is_connector).unwrap();
        let definition = (plugin.definition)();
        for &(name, default, fate) in &sink.rows {
            let place = format!("{} {name}", sink.class);
            let key = definition.get(name).unwrap_or_else(|| panic!("{place} is missing"));
            let own = match &key.default {
                None => REQUIRED,
                Some(None) => NULL,
                Some(Some(text)) => text,
            };
            assert!(default == "?" || own == default, "{place}: {own} instead of {default}");
            let is_ignored = key.group.as_deref() == Some("Ignored");
            assert_eq!(is_ignored, matches!(fate, Ignored), "{place}");
            assert!(!is_ignored || key.doc.starts_with("Accepted and ignored. "), "{place}");
            assert_eq!(errors(&sink, &definition, name, None), Vec::<String>::new(), "{place}");
            if let Refused(value) = fate {
                let found = errors(&sink, &definition, name, Some(value));
                assert!(found.first().is_some_and(|error| error.contains(name)), "{place}: {found:?}");
            }
        }
        let known = |name: &str| {
            sink.rows.iter().any(|(row, ..)| *row == name)
                || sink.more.contains(&name)
                || name.starts_with("lavka.")
                // The lake sink has the keys of every store.
                || (sink.more == MORE_HDFS && (S3.iter().chain(AIVEN).chain(HDFS3).any(|(row, ..)| *row == name)))
        };
        let unknown: Vec<&str> =
            definition.iter().map(|key| &*key.name).filter(|name| !known(name)).collect();
        assert_eq!(unknown, Vec::<&str>::new(), "{}", sink.class);
    }
}
