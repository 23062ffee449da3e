//! What the S3 sink writes beside values: keys, headers, tombstones, and directories by the names of schemas.

use std::collections::BTreeMap;

use apache_avro::types::Value as Avro;
use arrow_array::cast::AsArray as _;
use lavka_api::config::Config;
use lavka_api::data::{Datum, Schema, SinkRecord, Struct, Type, Value};
use lavka_api::plugin::{SinkContext, SinkTask as _};

use crate::crashes::run_with;
use crate::harness::{Consumer, NOW, opened, parquet, put, record, runtime};
use crate::model_store::{Death, Loss, ModelStore};

fn config(entries: &[(&str, &str)]) -> Config {
    let mut config = Config::from([
        ("connector.class", "io.confluent.connect.s3.S3SinkConnector"),
        ("s3.bucket.name", "lake"),
        ("format.class", "io.confluent.connect.s3.format.json.JsonFormat"),
        ("flush.size", "1000"),
        ("store.kafka.keys", "true"),
    ]);
    entries.iter().for_each(|(key, value)| config.set(*key, *value));
    config
}

fn schema() -> Schema {
    Schema::structure().name("Reading").field("offset", Schema::of(Type::Int64)).build().unwrap()
}

/// A record with a key and two headers.
fn keyed(offset: i64) -> SinkRecord {
    let value = Struct::new(schema(), [Value::Int64(offset)]).unwrap();
    let mut record = record("t", 0, offset, Datum::new(schema(), value));
    record.record.key = Datum::new(Schema::of(Type::String), format!("k{offset}").as_str());
    record.record.headers.add("site", Datum::new(Schema::of(Type::String), "north"));
    record.record.headers.add("n", Datum::new(Schema::of(Type::Int64), Value::Int64(offset)));
    record
}

fn with_key(offset: i64, key: Datum) -> SinkRecord {
    let mut record = keyed(offset);
    record.record.key = key;
    record
}

fn tombstone(offset: i64) -> SinkRecord {
    let mut record = keyed(offset);
    record.record.value = Datum { schema: None, value: Value::Null };
    record
}

fn batch(records: impl IntoIterator<Item = SinkRecord>) -> Vec<SinkRecord> {
    records.into_iter().collect()
}

/// The objects after `records` and a rotation by idleness, and the offsets of those that were errant.
fn written(config: &Config, records: Vec<SinkRecord>) -> (BTreeMap<String, Vec<u8>>, Vec<usize>) {
    let mut config = config.clone();
    config.set("lavka.rotate.idle.ms", "1000");
    runtime().block_on(async {
        let store = ModelStore::new();
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        let mut context = SinkContext::at(NOW);
        context.takes_errant_records = true;
        task.put(records.into(), &mut context).await.unwrap();
        put(&mut task, Vec::new(), NOW + 2000).await.unwrap();
        assert_eq!(store.files("topics/+tmp"), BTreeMap::new());
        let errant = context.errant.iter().map(|errant| errant.index).collect();
        (store.files("topics/t/"), errant)
    })
}

fn texts(config: &Config, records: Vec<SinkRecord>) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (files, errant) = written(config, records);
    assert!(errant.is_empty());
    let name = |name: String| name.strip_prefix("topics/t/").unwrap().to_owned();
    files.into_iter().map(|(path, bytes)| (name(path), text(bytes))).collect()
}

fn pairs(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const JSON: (&str, &str) = ("keys.format.class", "io.confluent.connect.s3.format.json.JsonFormat");

#[test]
fn keys_and_headers_stand_beside_the_values_row_for_row() {
    let entries = [
        JSON,
        ("store.kafka.headers", "true"),
        ("headers.format.class", "io.confluent.connect.s3.format.json.JsonFormat"),
    ];
    let headers =
        |n: i64| format!(r#"{{"headers":[{{"key":"site","value":"north"}},{{"key":"n","value":"{n}"}}]}}"#);
    assert_eq!(
        texts(&config(&entries), batch((0..2).map(keyed))),
        pairs(&[
            ("partition=0/t+0+0000000000.headers.json", &format!("{}\n{}\n", headers(0), headers(1))),
            ("partition=0/t+0+0000000000.json", "{\"offset\":0}\n{\"offset\":1}\n"),
            ("partition=0/t+0+0000000000.keys.json", "\"k0\"\n\"k1\"\n"),
        ])
    );
}

#[test]
fn they_are_avro_where_nothing_is_said_and_records_of_one_field_in_parquet() {
    let entries = [("store.kafka.headers", "true"), ("format.class", "Avro")];
    let (files, _) = written(&config(&entries), batch((0..2).map(keyed)));
    let names: Vec<&str> = files.keys().filter_map(|name| name.rsplit('/').next()).collect();
    assert_eq!(names, ["t+0+0000000000.avro", "t+0+0000000000.headers.avro", "t+0+0000000000.keys.avro"]);
    let rows = |name: &str| -> Vec<Avro> {
        let bytes = &files[&format!("topics/t/partition=0/t+0+0000000000{name}.avro")];
        apache_avro::Reader::new(&bytes[..]).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(rows(".keys"), [Avro::String("k0".into()), Avro::String("k1".into())]);
    let header = |key: &str, value: &str| {
        Avro::Record(vec![
            ("key".into(), Avro::String(key.into())),
            ("value".into(), Avro::String(value.into())),
        ])
    };
    assert_eq!(rows(".headers")[1], Avro::Array(vec![header("site", "north"), header("n", "1")]));

    let parts = [("keys.format.class", "Parquet"), ("headers.format.class", "Parquet"), entries[0]];
    let (files, _) = written(&config(&parts), batch((0..3).map(keyed)));
    let keys = &files["topics/t/partition=0/t+0+0000000000.keys.snappy.parquet"];
    let batches = parquet(keys);
    let keys: Vec<&str> =
        batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten()).collect();
    assert_eq!(keys, ["k0", "k1", "k2"]);
    let headers = parquet(&files["topics/t/partition=0/t+0+0000000000.headers.snappy.parquet"]);
    assert_eq!(headers[0].column_by_name("headers").unwrap().as_list::<i32>().value(0).len(), 2);
}

#[test]
fn gzip_is_for_each_of_them() {
    let entries = [JSON, ("s3.compression.type", "gzip"), ("s3.compression.level", "9")];
    let (files, _) = written(&config(&entries), batch([keyed(0)]));
    let names: Vec<&str> = files.keys().filter_map(|name| name.rsplit('/').next()).collect();
    assert_eq!(names, ["t+0+0000000000.json.gz", "t+0+0000000000.keys.json.gz"]);
    let mut text = String::new();
    let bytes = &files["topics/t/partition=0/t+0+0000000000.keys.json.gz"];
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
    assert_eq!(text, "\"k0\"\n");
}

#[test]
fn a_record_without_key_or_headers_is_errant_and_leaves_the_rows_side_by_side() {
    let entries = [("store.kafka.headers", "true"), ("headers.format.class", "Json"), JSON];
    let mut bare = keyed(2);
    bare.record.headers = lavka_api::data::Headers::new();
    let mut empty = keyed(4);
    empty.record.headers.add("e", Datum::schemaless(Value::Null));
    let records = [keyed(0), with_key(1, Datum::schemaless(Value::Null)), bare, keyed(3), empty, keyed(5)];
    let (files, errant) = written(&config(&entries), batch(records));
    assert_eq!(errant, [1, 2, 4]);
    let lines = |name: &str| {
        let bytes = &files[&format!("topics/t/partition=0/t+0+0000000000{name}.json")];
        String::from_utf8(bytes.clone()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(""), ["{\"offset\":0}", "{\"offset\":3}", "{\"offset\":5}"]);
    assert_eq!(lines(".keys"), ["\"k0\"", "\"k3\"", "\"k5\""]);
    assert_eq!(lines(".headers").len(), 3);
}

#[test]
fn without_a_dead_letter_queue_it_fails_with_the_text_of_the_s3_sink() {
    runtime().block_on(async {
        let store = ModelStore::new();
        let (mut task, _) = opened(&config(&[]), &store, 1).await.unwrap();
        let records = batch([with_key(7, Datum::schemaless(Value::Null))]);
        let error = put(&mut task, records, NOW).await.unwrap_err().to_string();
        let want =
            "Key cannot be null for SinkRecord: SinkRecord{kafkaOffset=7, topic='t', kafkaPartition=0}";
        assert!(error.contains(want), "{error}");
        let (mut task, _) =
            opened(&config(&[("store.kafka.headers", "true")]), &ModelStore::new(), 1).await.unwrap();
        let mut bare = keyed(8);
        bare.record.headers = lavka_api::data::Headers::new();
        let error = put(&mut task, batch([bare]), NOW).await.unwrap_err().to_string();
        assert!(
            error.contains("Headers cannot be null for SinkRecord: SinkRecord{kafkaOffset=8,"),
            "{error}"
        );
    });
}

/// The bytes format refuses a key in the middle of a run whose other rows are taken; a value that is refused has its key
/// taken back.
#[test]
fn what_one_object_refuses_is_in_none() {
    let bytes = |text: &str| Datum::new(Schema::optional(Type::Bytes), Value::Bytes(text.as_bytes().into()));
    let odd = || {
        let mut key = bytes("");
        key.value = Value::Int64(1);
        key
    };
    let plain = |offset: i64, value: Value, key: Datum| {
        let mut record = record("t", 0, offset, Datum::schemaless(value));
        record.record.key = key;
        record
    };
    let text = |text: &str| Value::Bytes(text.as_bytes().into());
    let entries = [("keys.format.class", "ByteArray"), ("format.class", "ByteArray")];
    let records = [
        plain(0, text("a"), bytes("k0")),
        plain(1, text("b"), odd()),
        plain(2, Value::Int64(7), bytes("k2")),
        plain(3, text("d"), bytes("k3")),
    ];
    let (files, errant) = written(&config(&entries), batch(records));
    assert_eq!(errant, [1, 2]);
    assert_eq!(files["topics/t/partition=0/t+0+0000000000.bin"], b"a\nd\n");
    assert_eq!(files["topics/t/partition=0/t+0+0000000000.keys.bin"], b"k0\nk3\n");
}

#[test]
fn keys_of_another_schema_begin_new_objects() {
    let number = Datum::new(Schema::of(Type::Int64), Value::Int64(1));
    let names: Vec<String> = texts(&config(&[JSON]), batch([keyed(0), with_key(1, number), keyed(2)]))
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !name.contains(".keys"))
        .collect();
    let want = |offset: i64| format!("partition=0/t+0+000000000{offset}.json");
    assert_eq!(names, [want(0), want(1), want(2)]);
}

#[test]
fn tombstones_are_keys_in_a_directory_of_their_own() {
    let entries = [JSON, ("behavior.on.null.values", "write")];
    let records = || batch([keyed(0), tombstone(1), keyed(2), tombstone(3)]);
    let want = [
        ("partition=0/t+0+0000000000.json", "{\"offset\":0}\n{\"offset\":2}\n"),
        ("partition=0/t+0+0000000000.keys.json", "\"k0\"\n\"k2\"\n"),
        ("tombstone/t+0+0000000001.keys.json", "\"k1\"\n\"k3\"\n"),
    ];
    assert_eq!(texts(&config(&entries), records()), pairs(&want));
    let named = [JSON, entries[1], ("tombstone.encoded.partition", "deleted")];
    let names: Vec<String> = texts(&config(&named), records()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.last().unwrap(), "partition=0/t+0+0000000000.keys.json");
    assert_eq!(names.first().unwrap(), "deleted/t+0+0000000001.keys.json");
}

/// They come and go without finishing the objects of a time bucket, although these are finished by a new directory.
#[test]
fn tombstones_do_not_rotate_the_directories_of_a_time() {
    let entries = [
        JSON,
        ("behavior.on.null.values", "write"),
        ("partitioner.class", "HourlyPartitioner"),
        ("timestamp.extractor", "RecordField"),
        ("timestamp.field", "offset"),
        ("rotate.interval.ms", "3600000"),
        ("locale", "en"),
        ("timezone", "UTC"),
    ];
    let mut late = keyed(4);
    let value = Struct::new(schema(), [Value::Int64(NOW + 7_200_000)]).unwrap();
    late.record.value = Datum::new(schema(), value);
    let hour = |offset: i64| {
        let mut record = keyed(offset);
        record.record.value = Datum::new(schema(), Struct::new(schema(), [Value::Int64(NOW)]).unwrap());
        record
    };
    let records = batch([hour(0), tombstone(1), hour(2), tombstone(3), late]);
    let names: Vec<String> = texts(&config(&entries), records).into_iter().map(|(name, _)| name).collect();
    let day = "year=2023/month=11/day=14";
    let day_after = "year=2023/month=11/day=15";
    assert_eq!(
        names,
        [
            "tombstone/t+0+0000000001.keys.json".to_owned(),
            format!("{day}/hour=22/t+0+0000000000.json"),
            format!("{day}/hour=22/t+0+0000000000.keys.json"),
            format!("{day_after}/hour=00/t+0+0000000004.json"),
            format!("{day_after}/hour=00/t+0+0000000004.keys.json"),
        ]
    );
}

#[test]
fn the_name_of_the_schema_is_before_or_behind_the_directory() {
    for (affix, want) in [
        ("PREFIX", ["schema_name=Reading/partition=0", "schema_name=null/partition=0"]),
        ("suffix", ["partition=0/schema_name=Reading", "partition=0/schema_name=null"]),
    ] {
        let plain = record("t", 0, 1, Datum::schemaless("x"));
        let entries = [("s3.schema.partition.affix.type", affix), ("store.kafka.keys", "false")];
        let found = texts(&config(&entries), batch([keyed(0), plain]));
        let mut names: Vec<String> = found.into_iter().map(|(name, _)| name).collect();
        names.sort_by_key(|name| name.contains("null"));
        let want = [format!("{}/t+0+0000000000.json", want[0]), format!("{}/t+0+0000000001.json", want[1])];
        assert_eq!(names, want);
    }
}

#[test]
fn directories_of_other_schemas_do_not_finish_each_other_s_objects() {
    let entries =
        [("s3.schema.partition.affix.type", "PREFIX"), ("store.kafka.keys", "false"), ("flush.size", "6")];
    let plain = |offset| record("t", 0, offset, Datum::schemaless("x"));
    let records = batch([keyed(0), plain(1), keyed(2), plain(3), keyed(4), plain(5)]);
    let found = texts(&config(&entries), records);
    let lines: Vec<(String, usize)> =
        found.into_iter().map(|(name, text)| (name, text.lines().count())).collect();
    let of = |schema: &str, start| (format!("schema_name={schema}/partition=0/t+0+000000000{start}.json"), 3);
    assert_eq!(lines, [of("Reading", 0), of("null", 1)]);
    // In one directory each change of the schema begins other objects, as there.
    let found = texts(&config(&entries[1..]), batch([keyed(0), plain(1), keyed(2)]));
    assert_eq!(found.len(), 3);
}

/// Keys and values of a partition, in pairs, in the order of objects' names.
fn rows(store: &ModelStore) -> Vec<(String, String)> {
    let files = store.files("topics/t/partition=0/");
    let lines = |name: &str| -> Vec<String> {
        let bytes = files.get(name).unwrap_or_else(|| panic!("{name} is missing in {:?}", files.keys()));
        String::from_utf8(bytes.clone()).unwrap().lines().map(str::to_owned).collect()
    };
    let mut rows = Vec::new();
    for name in files.keys().filter(|name| !name.contains(".keys")) {
        let (keys, values) = (lines(&name.replace(".json", ".keys.json")), lines(name));
        assert_eq!(keys.len(), values.len(), "{name}");
        rows.extend(keys.into_iter().zip(values));
    }
    assert_eq!(files.len() % 2, 0, "{:?}", files.keys());
    rows
}

/// Runs a task over twelve records, until the store dies.
async fn run(config: &Config, store: &ModelStore, consumer: &mut Consumer) -> lavka_api::Result<()> {
    run_with(config, store, consumer, 5, |record| keyed(record.origin.offset)).await
}

#[test]
fn keys_and_values_are_there_once_wherever_the_writer_dies() {
    let config = config(&[JSON, ("flush.size", "4"), ("lavka.rotate.idle.ms", "1000")]);
    let want: Vec<(String, String)> =
        (0..12).map(|offset| (format!("\"k{offset}\""), format!("{{\"offset\":{offset}}}"))).collect();
    let runtime = runtime();
    let operations = {
        let (store, mut consumer) = (ModelStore::new(), Consumer::new(1, 12));
        runtime.block_on(run(&config, &store, &mut consumer)).unwrap();
        assert_eq!(rows(&store), want);
        store.operations()
    };
    for at in 0..operations {
        for how in [Death::Before, Death::Halfway, Death::After] {
            let place = format!("{how:?} operation {at} of {operations}");
            let (mut store, mut consumer) = (ModelStore::new(), Consumer::new(1, 12));
            store.die_at(at, how);
            assert!(runtime.block_on(run(&config, &store, &mut consumer)).is_err() || store.is_dead());
            store.restart(Loss::Unsynced);
            runtime.block_on(run(&config, &store, &mut consumer)).unwrap();
            assert_eq!(rows(&store), want, "{place}");
            assert_eq!(store.files("topics/+tmp"), BTreeMap::new(), "{place}");
        }
    }
}
