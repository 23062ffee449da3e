//! The lake sink keeps what the runtime counts on, in each format that keeps fields.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Record, Schema, Struct, Type, Value};
use lavka_testkit::acceptance;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

fn config(folder: &Path, format: &str) -> Config {
    Config::from([
        ("store.url", folder.display().to_string()),
        ("format.class", format.to_owned()),
        ("flush.size", "10".to_owned()),
    ])
}

/// The finished files below the topic's directory.
fn files(config: &Config) -> Vec<PathBuf> {
    let folder = Path::new(config.get("store.url").unwrap()).join("topics/acceptance/partition=0");
    let mut files = Vec::new();
    for partition in 0..3 {
        let folder = folder.with_file_name(format!("partition={partition}"));
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files
}

fn parquet(config: &Config) -> Vec<(i32, i64)> {
    let mut places = Vec::new();
    for file in files(config) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&file).unwrap()).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let column =
                |name| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
            let partitions =
                column("partition").into_iter().map(|partition| i32::try_from(partition).unwrap());
            places.extend(partitions.zip(column("offset")));
        }
    }
    places
}

fn json(config: &Config) -> Vec<(i32, i64)> {
    let mut places = Vec::new();
    for file in files(config) {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let number = |key: &str| value.get(key).and_then(serde_json::Value::as_i64).unwrap();
            places.push((i32::try_from(number("partition")).unwrap(), number("offset")));
        }
    }
    places
}

fn avro(config: &Config) -> Vec<(i32, i64)> {
    let mut places = Vec::new();
    for file in files(config) {
        for row in apache_avro::Reader::new(std::fs::File::open(file).unwrap()).unwrap() {
            let row = serde_json::Value::try_from(row.unwrap()).unwrap();
            let number = |key: &str| row.get(key).and_then(serde_json::Value::as_i64).unwrap();
            places.push((i32::try_from(number("partition")).unwrap(), number("offset")));
        }
    }
    places
}

/// A record with a schema, which tells its place.
fn reading(schema: &Schema, partition: i32, offset: i64) -> Record {
    let value = Struct::new(schema.clone(), [Value::Int64(partition.into()), Value::Int64(offset)]).unwrap();
    Record { value: Datum::new(schema.clone(), value), ..Record::for_topic("acceptance") }
}

fn check(format: &'static str, written: fn(&Config) -> Vec<(i32, i64)>) {
    let folder = tempfile::tempdir().unwrap();
    let mut suite = acceptance::sink(lavka_connector_lake::plugins().remove(0))
        .config(config(&folder.path().join("sample"), format))
        .refuses("store.url", "ftp://server/lake")
        .refuses("format.class", "org.example.NoSuchFormat")
        .records(60)
        .written(written)
        .exactly_once();
    if format == "Parquet" {
        // A row needs columns.
        let bytes = Value::Bytes(Blob::from(vec![1, 2, 3]));
        suite = suite.unwritable(Record { value: Datum::schemaless(bytes), ..Record::for_topic("t") });
    }
    if format == "Avro" {
        let long = || Schema::of(Type::Int64);
        let schema = Schema::structure().field("partition", long()).field("offset", long()).build().unwrap();
        suite = suite.record(move |tp, offset| reading(&schema, tp.partition, offset));
    }
    suite.round(move |round| config(&folder.path().join(round.to_string()), format)).check().assert_clean();
}

#[test]
fn lake_sink_with_parquet() {
    check("Parquet", parquet);
}

#[test]
fn lake_sink_with_json() {
    check("Json", json);
}

#[test]
fn lake_sink_with_avro() {
    check("Avro", avro);
}
