//! Formats other than Parquet, and records of changing schemas in one file.

use apache_avro::types::Value as Avro;
use lavka_api::data::{Blob, Datum, Object, Schema, SinkRecord, Struct, Type, Value};
use lavka_api::plugin::{SinkContext, SinkTask as _};

use crate::files::written;
use crate::harness::{NOW, config, opened, parquet, reading, record, runtime};
use crate::model_store::ModelStore;

fn avro(bytes: &[u8]) -> (String, Vec<Avro>) {
    let reader = apache_avro::Reader::new(bytes).unwrap();
    (reader.writer_schema().canonical_form(), reader.map(Result::unwrap).collect())
}

/// Version `version` of a schema with the field `a` and, from the second on, `b`.
fn versioned(version: i32) -> Schema {
    let schema = Schema::structure().name("Reading").version(version).field("a", Schema::of(Type::Int32));
    let schema = if version > 1 { schema.field("b", Schema::optional(Type::String)) } else { schema };
    schema.build().unwrap()
}

fn versioned_record(version: i32, offset: i64) -> SinkRecord {
    let schema = versioned(version);
    let mut values = vec![Value::Int32(i32::try_from(offset).unwrap())];
    if version > 1 {
        values.push("b".into());
    }
    let value = Struct::new(schema.clone(), values).unwrap();
    record("t", 0, offset, Datum::new(schema, value))
}

#[test]
fn the_hdfs_sink_writes_avro_where_nothing_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let entries =
        [("connector.class", "io.confluent.connect.hdfs.HdfsSinkConnector"), ("avro.codec", "deflate")];
    let batch = (0..3).map(|offset| versioned_record(2, offset)).collect();
    let files = written(dir.path(), config(entries), batch);
    let bytes = std::fs::read(&files["topics/t/partition=0/t+0+0000000000+0000000002.avro"]).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains(r#""connect.version":2,"connect.name":"Reading""#));
    let (schema, rows) = avro(&bytes);
    assert_eq!(
        schema,
        r#"{"name":"Reading","type":"record","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","string"]}]}"#
    );
    let b = Avro::Union(1, Box::new(Avro::String("b".into())));
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[2], Avro::Record(vec![("a".into(), Avro::Int(2)), ("b".into(), b)]));
}

#[test]
fn text_bytes_and_csv_have_their_extensions() {
    let value = |offset, value| record("t", 0, offset, Datum::schemaless(value));
    let object = |n| Value::from(Object::from_entries([("n", Value::Int64(n)), ("s", "a,b".into())]));
    for (format, extra, batch, extension, want) in [
        (
            "String",
            ("format.bytearray.extension", ".x"),
            vec![value(0, "a".into()), value(1, "b".into())],
            "txt",
            "a\nb\n",
        ),
        (
            "ByteArray",
            ("format.bytearray.separator", "|"),
            vec![
                value(0, Value::Bytes(Blob::from(b"xy".to_vec()))),
                value(1, Value::Bytes(Blob::from(b"z".to_vec()))),
            ],
            "bin",
            "xy|z|",
        ),
        (
            "Csv",
            ("flush.size", "9"),
            vec![value(0, object(1)), value(1, object(2))],
            "csv",
            "n,s\r\n1,\"a,b\"\r\n2,\"a,b\"\r\n",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let files = written(dir.path(), config([("format.class", format), extra]), batch);
        let name = format!("topics/t/partition=0/t+0+0000000000+0000000001.{extension}");
        assert_eq!(std::fs::read_to_string(&files[&name]).unwrap(), want);
    }
}

#[test]
fn a_field_that_the_header_of_a_csv_file_lacks_begins_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let value = |offset, key: &str| {
        record("t", 0, offset, Datum::schemaless(Object::from_entries([(key, Value::Int64(offset))])))
    };
    let batch = vec![value(0, "a"), value(1, "a"), value(2, "b")];
    let files = written(dir.path(), config([("format.class", "Csv")]), batch);
    let read = |name: &str| std::fs::read_to_string(&files[&format!("topics/t/partition=0/{name}")]).unwrap();
    assert_eq!(read("t+0+0000000000+0000000001.csv"), "a\r\n0\r\n1\r\n");
    assert_eq!(read("t+0+0000000002+0000000002.csv"), "b\r\n2\r\n");
}

#[test]
fn versions_share_files_as_the_compatibility_allows() {
    let records =
        || [1, 2, 1, 1, 2].into_iter().zip(0..).map(|(version, offset)| versioned_record(version, offset));
    for (mode, want) in [
        (
            "NONE",
            &[
                "0000000000+0000000000",
                "0000000001+0000000001",
                "0000000002+0000000003",
                "0000000004+0000000004",
            ][..],
        ),
        ("BACKWARD", &["0000000000+0000000000", "0000000001+0000000004"]),
        ("FULL", &["0000000000+0000000000", "0000000001+0000000004"]),
        ("FORWARD", &["0000000000+0000000004"]),
    ] {
        for format in ["Avro", "Parquet", "Csv"] {
            let dir = tempfile::tempdir().unwrap();
            let entries = [("schema.compatibility", mode), ("format.class", format)];
            let files = written(dir.path(), config(entries), records().collect());
            let names: Vec<&str> = files
                .keys()
                .filter_map(|name| name.strip_prefix("topics/t/partition=0/t+0+")?.split('.').next())
                .collect();
            assert_eq!(names, want, "{mode} {format}");
            if format == "Avro" && mode == "BACKWARD" {
                let bytes =
                    std::fs::read(&files["topics/t/partition=0/t+0+0000000001+0000000004.avro"]).unwrap();
                let b = |text: Option<&str>| match text {
                    Some(text) => Avro::Union(1, Box::new(Avro::String(text.into()))),
                    None => Avro::Union(0, Box::new(Avro::Null)),
                };
                let row = |a, text| Avro::Record(vec![("a".into(), Avro::Int(a)), ("b".into(), b(text))]);
                let rows = avro(&bytes).1;
                assert_eq!(rows, [row(1, Some("b")), row(2, None), row(3, None), row(4, Some("b"))]);
            }
        }
    }
}

#[test]
fn a_restarted_task_goes_on_with_the_schema_of_the_newest_file() {
    let s3 = [
        ("connector.class", "io.confluent.connect.s3.S3SinkConnector"),
        ("s3.bucket.name", "lake"),
        ("store.url", ""),
    ];
    for format in ["Avro", "Parquet"] {
        for store_of in [&[][..], &s3] {
            for (mode, second, want) in [
                // The record of the older version is brought into the form of the file that was finished before.
                ("BACKWARD", 1, vec!["a", "b"]),
                ("FULL", 1, vec!["a", "b"]),
                // An older one begins a form of its own here.
                ("FORWARD", 1, vec!["a"]),
                ("NONE", 1, vec!["a"]),
            ] {
                let mut config = config([("schema.compatibility", mode), ("format.class", format)]);
                config.set("flush.size", "2");
                store_of.iter().for_each(|(key, value)| config.set(*key, *value));
                runtime().block_on(async {
                    let store = ModelStore::new();
                    let (mut task, _) = opened(&config, &store, 1).await.unwrap();
                    let first = vec![versioned_record(1, 0), versioned_record(1, 1)];
                    let next = vec![versioned_record(2, 2), versioned_record(2, 3)];
                    for batch in [first, next, Vec::new()] {
                        task.put(batch.into(), &mut SinkContext::at(NOW)).await.unwrap();
                    }
                    task.stop().await;
                    let (mut task, _) = opened(&config, &store, 1).await.unwrap();
                    let batch = vec![versioned_record(second, 4), versioned_record(second, 5)];
                    for batch in [batch, Vec::new()] {
                        task.put(batch.into(), &mut SinkContext::at(NOW)).await.unwrap();
                    }
                    let files = store.files("topics/t/");
                    let (name, bytes) = files.last_key_value().unwrap();
                    assert!(files.len() == 3 && name.contains("t+0+0000000004"), "{files:?}");
                    let columns: Vec<String> = match format {
                        "Avro" => {
                            let Avro::Record(row) = &avro(bytes).1[0] else { panic!() };
                            row.iter().map(|(name, _)| name.clone()).collect()
                        }
                        _ => parquet(bytes)[0]
                            .schema()
                            .fields()
                            .iter()
                            .map(|field| field.name().clone())
                            .collect(),
                    };
                    assert_eq!(columns, want, "{mode} {format} {name}");
                });
            }
        }
    }
}

#[test]
fn a_newest_file_that_tells_no_schema_does_not_keep_a_task_from_going_on() {
    runtime().block_on(async {
        for format in ["Avro", "Parquet"] {
            let mut config = config([("schema.compatibility", "BACKWARD"), ("format.class", format)]);
            config.set("flush.size", "1");
            let store = ModelStore::new();
            let extension = format.to_lowercase();
            store
                .put(&format!("topics/t/partition=0/t+0+0000000000+0000000009.{extension}"), b"PAR1 Obj\x01");
            let (mut task, rewind) = opened(&config, &store, 1).await.unwrap();
            assert_eq!(rewind.values().copied().collect::<Vec<i64>>(), [10]);
            for batch in [vec![versioned_record(1, 10)], Vec::new()] {
                task.put(batch.into(), &mut SinkContext::at(NOW)).await.unwrap();
            }
            assert_eq!(store.files("topics/t/").len(), 2);
        }
    });
}

#[test]
fn a_record_without_a_version_is_errant_where_versions_count() {
    runtime().block_on(async {
        let store = ModelStore::new();
        let (mut task, _) = opened(&config([("schema.compatibility", "BACKWARD")]), &store, 1).await.unwrap();
        let mut context = SinkContext::at(NOW);
        context.takes_errant_records = true;
        let batch = vec![versioned_record(1, 0), reading(0, 1), versioned_record(1, 2)];
        task.put(batch.into(), &mut context).await.unwrap();
        let [errant] = &context.errant[..] else { panic!("{:?}", context.errant) };
        assert_eq!(errant.index, 1);
        assert!(
            errant.error.to_string().contains("Switch between schema-based and schema-less"),
            "{}",
            errant.error
        );
    });
}

#[test]
fn parquet_has_bloom_filters_and_the_schema_of_the_records() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    let dir = tempfile::tempdir().unwrap();
    let entries =
        [("lavka.parquet.bloom.filter.columns", "b"), ("lavka.parquet.bloom.filter.distinct", "1000")];
    let batch = (0..500).map(|offset| versioned_record(2, offset)).collect();
    let files = written(dir.path(), config(entries), batch);
    let path = &files["topics/t/partition=0/t+0+0000000000+0000000499.parquet"];
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let group = reader.metadata().row_group(0);
    let has_bloom_filter: Vec<bool> =
        group.columns().iter().map(|column| column.bloom_filter_offset().is_some()).collect();
    assert_eq!(has_bloom_filter, [false, true]);
    let has_dictionary: Vec<bool> =
        group.columns().iter().map(|column| column.dictionary_page_offset().is_some()).collect();
    assert_eq!(has_dictionary, [false, true], "values of the first column never repeat");
    let entries = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let schema = entries.iter().find(|entry| entry.key == "parquet.avro.schema").unwrap();
    assert!(schema.value.as_ref().unwrap().contains(r#""name":"Reading""#));
}

#[test]
fn the_s3_sinks_objects_have_its_names_and_its_rotation() {
    let class = "io.confluent.connect.s3.S3SinkConnector";
    let names = |entries: &[(&str, &str)], batch: Vec<SinkRecord>| -> Vec<String> {
        let mut config = config([("connector.class", class), ("s3.bucket.name", "lake"), ("store.url", "")]);
        entries.iter().for_each(|(key, value)| config.set(*key, *value));
        runtime().block_on(async {
            let store = ModelStore::new();
            let (mut task, _) = opened(&config, &store, 1).await.unwrap();
            let mut context = SinkContext::at(NOW);
            context.takes_errant_records = true;
            task.put(batch.into(), &mut context).await.unwrap();
            store.files("topics/t/").into_keys().collect()
        })
    };
    let readings = || (0..7).map(|offset| reading(0, offset)).collect::<Vec<_>>();
    let format = |name: &'static str| ("format.class", name);
    assert_eq!(
        names(
            &[format("io.confluent.connect.s3.format.parquet.ParquetFormat"), ("flush.size", "3")],
            readings()
        ),
        [
            "topics/t/partition=0/t+0+0000000000.snappy.parquet",
            "topics/t/partition=0/t+0+0000000003.snappy.parquet"
        ]
    );
    let gzip = [
        format("io.confluent.connect.s3.format.json.JsonFormat"),
        ("s3.compression.type", "gzip"),
        ("file.delim", "-"),
        ("flush.size", "7"),
        ("rotate.interval.ms", "1"),
    ];
    assert_eq!(names(&gzip, readings()), ["topics/t/partition=0/t-0-0000000000.json.gz"]);
    // Readings are a second apart: with a bucket of three seconds each change of the directory finishes the object.
    let by_time = [
        format("Json"),
        ("partitioner.class", "TimeBasedPartitioner"),
        ("partition.duration.ms", "3000"),
        ("path.format", "'s'=ss"),
        ("locale", "en"),
        ("timezone", "UTC"),
        ("timestamp.extractor", "Record"),
        ("rotate.interval.ms", "60000"),
    ];
    assert_eq!(
        names(&by_time, readings()),
        ["topics/t/s=18/t+0+0000000000.json", "topics/t/s=21/t+0+0000000001.json"]
    );
    let kept = [&by_time[..], &[("rotate.file.on.partition.change", "false")]].concat();
    assert_eq!(names(&kept, readings()), Vec::<String>::new());
}
