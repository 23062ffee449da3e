//! Confluent's.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Header, Headers, Record, Value};
use lavka_testkit::acceptance::Tombstones;

use crate::{Side, records, sided, transform};

#[test]
fn drop_key_or_value() {
    sided("io.confluent.connect.transforms.Drop", |side, suite| records(suite, side.readings()));
    sided("io.confluent.connect.transforms.Drop", |side, suite| {
        let suite = suite.config([("schema.behavior", "force_optional")]);
        records(suite, side.readings())
    });
}

#[test]
fn extract_topic() {
    let config = || Config::from([("field", "device"), ("skip.missing.or.null", "true")]);
    sided("io.confluent.connect.transforms.ExtractTopic", |side, suite| {
        records(suite.config(config()), side.readings()).untouched(side.other())
    });
    let [reading, _] = Side::Value.readings();
    let headers = Headers::from_iter([Header { key: "device".into(), datum: Datum::schemaless("d-1") }]);
    transform("io.confluent.connect.transforms.ExtractTopic$Header", config())
        .record(Record { headers, ..reading.clone() })
        .untouched(reading.clone())
        .tombstones(Tombstones::Change)
        .check()
        .assert_clean();
    let path = [("field", "$.device"), ("field.format", "JSON_PATH")];
    records(transform("io.confluent.connect.transforms.ExtractTopic$Value", path), Side::Value.readings())
        .refuses("field", "$.device[*]")
        .tombstones(Tombstones::Refuse)
        .check()
        .assert_clean();
}

#[test]
fn gzip_decompress() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"unpacked").unwrap();
    let packed = Value::Bytes(Blob::from(encoder.finish().unwrap()));
    sided("io.confluent.connect.transforms.GzipDecompress", |side, suite| {
        suite.record(side.record(Datum::schemaless(packed.clone())))
    });
}

#[test]
fn message_timestamp_router() {
    transform("io.confluent.connect.transforms.MessageTimestampRouter", [("message.timestamp.keys", "at,t")])
        .refuses("message.timestamp.format", "b")
        .record(Side::Value.map([("at", "2023-11-14T22:13:20.123Z".into())]))
        .record(Side::Value.map([("t", 1_700_000_000_000_i64.into())]))
        .tombstones(Tombstones::Refuse)
        .check()
        .assert_clean();
}

#[test]
fn tombstone_handler() {
    let [reading, _] = Side::Value.readings();
    for (behavior, tombstones) in [("ignore", Tombstones::Drop), ("warn", Tombstones::Drop)] {
        transform("io.confluent.connect.transforms.TombstoneHandler", [("behavior", behavior)])
            .record(Record { value: Datum::NULL, ..reading.clone() })
            .untouched(reading.clone())
            .tombstones(tombstones)
            .check()
            .assert_clean();
    }
}
