//! What is in the files, in a real directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_schema::DataType;
use lavka_api::config::Config;
use lavka_api::data::{Datum, Decimal, Logical, Object, Schema, Struct, TopicPartition, Type, Value};
use lavka_api::plugin::{Factory, SinkConnector, SinkContext, SinkTask};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{ColumnOrder, Compression};

use crate::harness::{NOW, config, reading, record, runtime, start};

fn connector() -> Box<dyn SinkConnector> {
    let plugin = &lavka_connector_lake::plugins()[0];
    let Factory::Sink(new) = plugin.factory else { panic!() };
    new()
}

/// Writes `batch` through the connector and gives the files below the root.
pub(crate) fn written(
    root: &Path,
    mut config: Config,
    batch: Vec<lavka_api::data::SinkRecord>,
) -> BTreeMap<String, PathBuf> {
    config.set("store.url", format!("file://{}", root.display()));
    config.set("rotate.interval.ms", "1000");
    runtime().block_on(async {
        let mut task: Box<dyn SinkTask> = connector().task(&config).unwrap();
        task.start(start(0)).await.unwrap();
        let mut context = SinkContext::at(NOW);
        task.open(&[TopicPartition::new("t", 0)], &mut context).await.unwrap();
        task.put(batch.into(), &mut context).await.unwrap();
        task.put(Vec::new().into(), &mut SinkContext::at(NOW + 5000)).await.unwrap();
        task.stop().await;
    });
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().display().to_string(), path);
            }
        }
    }
    files
}

#[test]
fn a_directory_has_the_layout_of_the_hdfs_sink() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("not/there/yet");
    let batch = || (0..5).map(|offset| reading(0, offset)).collect::<Vec<_>>();
    let config = || config([("flush.size", "3"), ("topics.dir", "/landing/zone/"), ("logs.dir", "wal")]);
    let want = [
        "landing/zone/t/partition=0/t+0+0000000000+0000000002.parquet",
        "landing/zone/t/partition=0/t+0+0000000003+0000000004.parquet",
        "wal/t/0/commits",
        "wal/t/0/lock",
    ];
    assert_eq!(written(&root, config(), batch()).into_keys().collect::<Vec<_>>(), want);
    // The same records again, as after a lost group offset: nothing changes.
    assert_eq!(written(&root, config(), batch()).into_keys().collect::<Vec<_>>(), want);
}

#[test]
fn parquet_has_the_codec_and_says_who_wrote_it() {
    for (codec, want) in [
        ("snappy", Compression::SNAPPY),
        ("ZSTD", Compression::ZSTD(parquet::basic::ZstdLevel::try_new(1).unwrap())),
        ("gzip", Compression::GZIP(parquet::basic::GzipLevel::default())),
        ("none", Compression::UNCOMPRESSED),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let batch = (0..100).map(|offset| reading(0, offset)).collect();
        let files = written(dir.path(), config([("parquet.codec", codec)]), batch);
        let path = &files["topics/t/partition=0/t+0+0000000000+0000000099.parquet"];
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
        let metadata = reader.metadata();
        assert_eq!(
            metadata.file_metadata().created_by(),
            Some(&*format!("lavka version {}", lavka_api::LAVKA_VERSION))
        );
        assert_eq!(metadata.file_metadata().num_rows(), 100);
        let orders = metadata.file_metadata().column_orders().unwrap();
        let by_type = |order: &ColumnOrder| matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_));
        assert!(orders.iter().all(by_type), "readers of before 2026 know no other order");
        let group = metadata.row_group(0);
        for column in group.columns() {
            assert_eq!(column.compression(), want);
            assert!(column.statistics().is_some_and(|statistics| statistics.min_bytes_opt().is_some()));
            assert!(column.dictionary_page_offset().is_some());
        }
        assert_eq!(crate::harness::offsets_in(&std::fs::read(path).unwrap()).len(), 100);
    }
}

#[test]
fn records_with_a_schema_make_its_columns() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Schema::structure()
        .field("id", Schema::of(Type::Int32))
        .field("price", Schema::logical_of(Logical::Decimal(2)))
        .field("at", Schema::logical_of(Logical::Timestamp))
        .field(
            "tags",
            Schema::builder(Type::Array).values(Schema::of(Type::String)).optional().build().unwrap(),
        )
        .build()
        .unwrap();
    let value = Struct::new(
        schema.clone(),
        vec![
            Value::Int32(7),
            Decimal::new(1999, 2).into(),
            Value::Timestamp(NOW),
            vec![Value::from("x")].into(),
        ],
    )
    .unwrap();
    let batch = vec![record("t", 0, 41, Datum::new(schema, value))];
    let files = written(dir.path(), config([]), batch);
    let batches = crate::harness::parquet(
        &std::fs::read(&files["topics/t/partition=0/t+0+0000000041+0000000041.parquet"]).unwrap(),
    );
    let schema = batches[0].schema();
    let types: Vec<String> = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(types[..3], ["Int32", "Decimal128(38, 2)", "Timestamp(ms, \"UTC\")"]);
    let DataType::List(element) = schema.field(3).data_type() else { panic!("{types:?}") };
    assert_eq!((element.name().as_str(), element.data_type()), ("element", &DataType::Utf8));
    assert!(!schema.field(0).is_nullable() && schema.field(3).is_nullable());
}

#[test]
fn records_without_any_value_still_count() {
    let dir = tempfile::tempdir().unwrap();
    let empty =
        |offset| record("t", 0, offset, Datum::schemaless(Object::from_entries([("a", Value::Null)])));
    let files = written(dir.path(), config([]), (0..3).map(empty).collect());
    let bytes = std::fs::read(&files["topics/t/partition=0/t+0+0000000000+0000000002.parquet"]).unwrap();
    assert_eq!(crate::harness::parquet(&bytes).iter().map(|batch| batch.num_rows()).sum::<usize>(), 3);
}

#[test]
fn json_lines_are_those_of_json_converter() {
    let dir = tempfile::tempdir().unwrap();
    let schema =
        Schema::structure().field("a", Schema::of(Type::Float64)).field("b", Schema::optional(Type::String));
    let schema = schema.build().unwrap();
    let value = Struct::new(schema.clone(), vec![Value::Float64(1e10), Value::Null]).unwrap();
    let batch = vec![
        record("t", 0, 0, Datum::new(schema, value)),
        record(
            "t",
            0,
            1,
            Datum::schemaless(Object::from_entries([("b", Value::from("x\"\n😀")), ("n", 1i64.into())])),
        ),
        record("t", 0, 2, Datum::schemaless(vec![Value::Int64(1)])),
    ];
    let config = config([("format.class", "io.confluent.connect.hdfs.json.JsonFormat")]);
    let files = written(dir.path(), config, batch);
    let read = |name: &str| std::fs::read_to_string(&files[name]).unwrap();
    assert_eq!(read("topics/t/partition=0/t+0+0000000000+0000000000.json"), "{\"a\":1.0E10,\"b\":null}\n");
    assert_eq!(
        read("topics/t/partition=0/t+0+0000000001+0000000002.json"),
        "{\"b\":\"x\\\"\\n\\uD83D\\uDE00\",\"n\":1}\n[1]\n"
    );
}

#[test]
fn a_declared_schema_lays_out_records_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("schema.json");
    std::fs::write(
        &file,
        r#"{"type":"struct","optional":false,"fields":[
            {"type":"int64","optional":false,"field":"offset"},
            {"type":"float","optional":true,"field":"t"},
            {"type":"int32","optional":true,"field":"missing","default":7}]}"#,
    )
    .unwrap();
    let lavka_schema = format!("file:{}", file.display());
    let root = dir.path().join("lake");
    let files = written(&root, config([("lavka.schema", &lavka_schema)]), vec![reading(0, 0)]);
    let bytes = std::fs::read(&files["topics/t/partition=0/t+0+0000000000+0000000000.parquet"]).unwrap();
    let schema = crate::harness::parquet(&bytes)[0].schema();
    let fields: Vec<String> =
        schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_eq!(fields, ["offset Int64", "t Float32", "missing Int32"]);
}

#[test]
fn two_tasks_of_one_process_cannot_write_the_same_partition() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config([]);
    config.set("store.url", dir.path().display().to_string());
    runtime().block_on(async {
        let mut tasks = [connector().task(&config).unwrap(), connector().task(&config).unwrap()];
        for task in &mut tasks {
            task.start(start(0)).await.unwrap();
            task.open(&[TopicPartition::new("t", 0)], &mut SinkContext::at(NOW)).await.unwrap();
        }
        let [first, second] = &mut tasks;
        first.put(vec![reading(0, 0)].into(), &mut SinkContext::at(NOW)).await.unwrap();
        let error = second.put(vec![reading(0, 0)].into(), &mut SinkContext::at(NOW)).await.unwrap_err();
        assert!(error.is_retriable() && error.to_string().contains("holds the lease"), "{error}");
        first.stop().await;
        second.put(vec![reading(0, 0)].into(), &mut SinkContext::at(NOW + 1000)).await.unwrap();
    });
}
