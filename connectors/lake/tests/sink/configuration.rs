//! What validation says of configurations, key by key.

use lavka_api::config::Config;
use lavka_api::plugin::{Catalogue, ConnectorContext, Factory, PluginKind, SinkConnector};

use crate::harness::runtime;

fn connector() -> Box<dyn SinkConnector> {
    let catalogue = Catalogue::new(lavka_connector_lake::plugins());
    let plugin = catalogue.find("HdfsSink", PluginKind::is_connector).unwrap();
    assert_eq!(plugin.class, "io.lavka.connect.lake.LakeSinkConnector");
    let Factory::Sink(new) = plugin.factory else { panic!() };
    new()
}

/// Errors by key.
fn errors(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    let config: Config = entries.iter().copied().collect();
    let definition = (lavka_connector_lake::plugins()[0].definition)();
    let reports = runtime().block_on(connector().validate(&definition, &config));
    assert_eq!(reports.len(), definition.len());
    reports
        .into_iter()
        .flat_map(|report| report.errors.into_iter().map(move |error| (report.name.clone(), error)))
        .collect()
}

const BASE: [(&str, &str); 2] = [("store.url", "/lake"), ("flush.size", "1000")];

#[test]
fn configurations_that_are_fine() {
    for extra in [
        &[][..],
        &[("store.url", "file:///lake"), ("hdfs.url", "hdfs://ignored:1")],
        &[("store.url", "file:/lake")],
        &[("store.url", "relative/lake")],
        &[
            ("connector.class", "io.confluent.connect.hdfs.HdfsSinkConnector"),
            ("format.class", "io.confluent.connect.hdfs.parquet.ParquetFormat"),
            ("storage.class", "io.confluent.connect.hdfs.storage.HdfsStorage"),
            ("hive.integration", "true"),
            ("hive.metastore.uris", "thrift://h:1"),
            ("logs.dir", "/wal"),
            ("schema.compatibility", "full"),
        ],
        &[("format.class", "io.confluent.connect.hdfs3.json.JsonFormat")],
        &[("format.class", "json"), ("parquet.codec", "uncompressed")],
        &[("format.class", "io.confluent.connect.hdfs.orc.OrcFormat")],
        &[
            ("partitioner.class", "io.confluent.connect.hdfs.partitioner.DailyPartitioner"),
            ("timezone", "Europe/Prague"),
            ("locale", "cs_CZ"),
            (
                "timestamp.extractor",
                "io.confluent.connect.storage.partitioner.TimeBasedPartitioner$RecordTimestampExtractor",
            ),
        ],
        &[
            ("partitioner.class", "TimeBasedPartitioner"),
            ("partition.duration.ms", "600000"),
            ("timezone", "UTC"),
            ("locale", "en"),
            ("path.format", "'d'=EEE"),
            ("timestamp.extractor", "RecordField"),
        ],
        &[("rotate.schedule.interval.ms", "1000"), ("timezone", "UTC")],
        &[("topic.capture.groups.regex", "(.*)_(.*)"), ("topics.dir", "${1}/${2}"), ("logs.dir", "${topic}")],
    ] {
        let entries: Vec<(&str, &str)> = BASE.iter().chain(extra).copied().collect();
        assert_eq!(errors(&entries), [], "{extra:?}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_key() {
    for (extra, key, text) in [
        (
            &[("store.url", "ftp://host/directory")][..],
            "store.url",
            "Invalid value ftp://host/directory for configuration store.url: there is no storage of the kind ftp; use \
             file, hdfs, s3, gs or az (abfs)",
        ),
        (&[("store.url", "")], "store.url", "it has to say where the lake is"),
        (&[("store.url", "file:lake")], "store.url", "needs an absolute path"),
        (&[("flush.size", "0")], "flush.size", "Value must be at least 1"),
        (&[("topics.dir", "a/../b")], "topics.dir", "\"..\" is not allowed"),
        (
            &[("topics.dir", "${1}")],
            "topics.dir",
            "topics.dir cannot contain ${} without a valid topic.capture.groups.regex being configured.",
        ),
        (
            &[("topic.capture.groups.regex", "(.*")],
            "topic.capture.groups.regex",
            "topic.capture.groups.regex is an invalid regex pattern",
        ),
        (&[("behavior.on.null.values", "write")], "behavior.on.null.values", "by the S3 sink alone"),
        (&[("s3.acl.canned", "mine")], "s3.acl.canned", "String must be one of: private"),
        (&[("hive.integration", "true")], "schema.compatibility", "Hive Integration requires"),
        (
            &[("hive.integration", "true"), ("schema.compatibility", "FULL"), ("format.class", "Json")],
            "hive.integration",
            "only Avro, Parquet and ORC",
        ),
        (
            &[("hive.integration", "true"), ("schema.compatibility", "FULL")],
            "hive.metastore.uris",
            "or hive.conf.dir",
        ),
        (&[("format.class", "x.y.Z")], "format.class", "there is no such format"),
        (&[("parquet.codec", "brotli")], "parquet.codec", "not in this build"),
        (&[("parquet.codec", "rar")], "parquet.codec", "there is no such codec"),
        (&[("format.class", "Avro"), ("avro.codec", "lzma")], "avro.codec", "there is no such codec"),
        (
            &[("format.class", "ByteArray"), ("format.bytearray.extension", "bin")],
            "format.bytearray.extension",
            "a dot and letters",
        ),
        (&[("directory.delim", "_")], "directory.delim", "has / as its delimiter"),
        (
            &[("rotate.schedule.interval.ms", "1000")],
            "timezone",
            "rotate.schedule.interval.ms needs a time zone",
        ),
        (&[("partitioner.class", "Field")], "partition.field.name", "at least one field"),
        (&[("partitioner.class", "x.Other")], "partitioner.class", "there is no such partitioner"),
        (
            &[("partitioner.class", "Daily"), ("timezone", "UTC")],
            "locale",
            "the DailyPartitioner needs a locale",
        ),
        (
            &[("partitioner.class", "Daily"), ("locale", "en"), ("timezone", "Mars")],
            "timezone",
            "no such time zone",
        ),
        (&[("partitioner.class", "TimeBased")], "partition.duration.ms", "positive duration"),
        (
            &[("partitioner.class", "TimeBased"), ("partition.duration.ms", "1")],
            "path.format",
            "needs a path format",
        ),
        (
            &[
                ("partitioner.class", "TimeBased"),
                ("partition.duration.ms", "1"),
                ("locale", "en"),
                ("timezone", "UTC"),
                ("path.format", "yyyy-b"),
            ],
            "path.format",
            "Illegal pattern component: b",
        ),
        (
            &[
                ("partitioner.class", "TimeBased"),
                ("partition.duration.ms", "1"),
                ("locale", "de"),
                ("timezone", "UTC"),
                ("path.format", "MMMM"),
            ],
            "locale",
            "in English alone",
        ),
        (
            &[
                ("partitioner.class", "Hourly"),
                ("locale", "en"),
                ("timezone", "UTC"),
                ("timestamp.extractor", "Moon"),
            ],
            "timestamp.extractor",
            "no such extractor",
        ),
        (
            &[
                ("partitioner.class", "TimeBased"),
                ("partition.duration.ms", "1"),
                ("locale", "en"),
                ("timezone", "UTC"),
                ("path.format", "'..'/yyyy"),
            ],
            "path.format",
            "it makes no directory: the path component \"..\" is not allowed",
        ),
        (&[("logs.dir", "topics/+tmp/t")], "logs.dir", "where unfinished files are"),
        (&[("lavka.max.open.files", "10001")], "lavka.max.open.files", "no more than 10000"),
        (&[("lavka.schema", "guess")], "lavka.schema", "infer or file:PATH"),
        (&[("lavka.schema", "file:/no/such/file")], "lavka.schema", "cannot read /no/such/file"),
    ] {
        let mut config: std::collections::BTreeMap<&str, &str> = BASE.into();
        config.extend(extra.iter().copied());
        let entries: Vec<(&str, &str)> = config.into_iter().collect();
        let found = errors(&entries);
        assert!(
            found.iter().any(|(name, error)| name == key && error.contains(text)),
            "{extra:?} gave {found:?}"
        );
        let config: Config = entries.into_iter().collect();
        let error = connector().task(&config).err().unwrap();
        assert_eq!(error.class(), lavka_api::ErrorClass::Config, "{error}");
    }
}

#[test]
fn what_is_missing_is_said() {
    assert_eq!(
        errors(&[("store.url", "/lake")]),
        [(
            "flush.size".to_owned(),
            "Missing required configuration \"flush.size\" which has no default value.".to_owned()
        )]
    );
    assert_eq!(
        errors(&[("flush.size", "1")]),
        [(
            "store.url".to_owned(),
            "Invalid value null for configuration store.url: it has to say where the lake is, as file:///directory, \
             hdfs://namenode:8020 or s3://bucket"
                .to_owned()
        )]
    );
}

#[test]
fn a_broken_schema_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.json");
    let value = format!("file:{}", path.display());
    for (text, want) in [
        ("{", "is not a schema"),
        (r#"{"type":"string"}"#, "has to be the schema of a struct"),
        (r#"{"type":"struct","fields":[]}"#, "without fields"),
        (r#"{"type":"struct","fields":[{"field":"a","type":"struct","fields":[]}]}"#, "field \"a\""),
    ] {
        std::fs::write(&path, text).unwrap();
        let entries: Vec<(&str, &str)> = BASE.into_iter().chain([("lavka.schema", value.as_str())]).collect();
        let found = errors(&entries);
        assert!(found.len() == 1 && found[0].0 == "lavka.schema" && found[0].1.contains(want), "{found:?}");
    }
}

#[test]
fn every_task_gets_the_configuration() {
    runtime().block_on(async {
        let mut connector = connector();
        let mut config: Config = BASE.into_iter().collect();
        config.set("hive.home", "/opt/hive");
        connector.start(ConnectorContext::new("lake", || {}), &config).await.unwrap();
        assert_eq!(connector.task_configs(3).await.unwrap(), [config.clone(), config.clone(), config]);
        connector.stop().await;
    });
}
