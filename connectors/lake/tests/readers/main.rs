//! Files of every format in every store, read by others: PyArrow and DuckDB, and apache-avro.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

#[path = "../support/bucket.rs"]
mod bucket;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use apache_avro::types::Value as Avro;
use bucket::{bucket, store};
use lavka_api::config::Config;
use lavka_api::data::{
    Datum, Decimal, KafkaOrigin, Logical, Record, Schema, SinkRecord, Struct, TopicPartition, Type, Value,
};
use lavka_api::plugin::{SinkConnector as _, SinkContext, SinkTaskStart, TaskId};
use lavka_connector_lake::LakeSinkConnector;
use lavka_connector_lake::store::{HdfsSettings, HdfsStore, LakePath, LakeStore, LocalStore};
use lavka_testkit::{Python, S3Server, had, services, temp_dir, unique};

const COUNT: i64 = 1000;
const MAX_FILE: u64 = 16 * 1024 * 1024;

fn schema() -> Schema {
    let maybe = |schema: Schema| schema.to_builder().optional().build().unwrap();
    Schema::structure()
        .name("org.example.Reading")
        .field("id", Schema::of(Type::Int64))
        .field("device", Schema::of(Type::String))
        .field("t", Schema::optional(Type::Float64))
        .field("ok", Schema::of(Type::Boolean))
        .field("price", Schema::logical_of(Logical::Decimal(2)))
        .field("day", Schema::logical_of(Logical::Date))
        .field("at", Schema::logical_of(Logical::Timestamp))
        .field("tags", maybe(Schema::array(Schema::of(Type::String))))
        .field("place", Schema::structure().field("x", Schema::of(Type::Int32)).build().unwrap())
        .build()
        .unwrap()
}

fn record(schema: &Schema, offset: i64) -> SinkRecord {
    let place = schema.field("place").unwrap().schema().clone();
    let place = Struct::new(place, [Value::Int32(i32::try_from(offset).unwrap())]).unwrap();
    let values = [
        Value::Int64(offset),
        ["a", "b, \"c\""][usize::from(offset % 3 == 0)].into(),
        if offset % 10 == 0 { Value::Null } else { Value::Float64(0.5) },
        (offset % 2 == 0).into(),
        Decimal::new(offset * 100 + 25, 2).into(),
        Value::Date(i32::try_from(offset % 100).unwrap()),
        Value::Timestamp(1_700_000_000_000 + offset),
        vec!["x".into(), Value::from(format!("{offset}"))].into(),
        place.into(),
    ];
    let mut record = Record::for_topic("t");
    record.partition = Some(0);
    record.timestamp = Some(1_700_000_000_000 + offset);
    record.key = Datum::new(Schema::of(Type::String), format!("k{offset}").as_str());
    record.value = Datum::new(schema.clone(), Struct::new(schema.clone(), values).unwrap());
    record.headers.add("n", Datum::new(Schema::of(Type::Int64), Value::Int64(offset)));
    let origin = KafkaOrigin { topic: "t".into(), partition: 0, offset, leader_epoch: Some(0) };
    SinkRecord { record, origin, raw_key: None, raw_value: None }
}

/// The finished files by name.
async fn files(config: &Config, store: &dyn LakeStore) -> BTreeMap<String, Vec<u8>> {
    let mut task = LakeSinkConnector::default().task(config).unwrap();
    task.start(SinkTaskStart { id: TaskId { connector: "lake".into(), task: 0 } }).await.unwrap();
    let (now, partition) = (1_800_000_000_000, [TopicPartition::new("t", 0)]);
    task.open(&partition, &mut SinkContext::at(now)).await.unwrap();
    let schema = schema();
    let batch: Vec<SinkRecord> = (0..COUNT).map(|offset| record(&schema, offset)).collect();
    task.put(batch.into(), &mut SinkContext::at(now)).await.unwrap();
    task.put(Vec::new().into(), &mut SinkContext::at(now)).await.unwrap();
    task.close(&partition, &mut SinkContext::at(now)).await.unwrap();
    task.stop().await;
    let mut files = BTreeMap::new();
    let topics = LakePath::new(&format!("{}/t", config.get("topics.dir").unwrap())).unwrap();
    for path in store.list(&topics).await.unwrap() {
        let bytes = store.read(&path, MAX_FILE).await.unwrap().unwrap();
        files.insert(path.name().to_owned(), bytes);
    }
    files
}

/// The S3 sink's configuration for a bucket.
fn s3_config(server: &S3Server, bucket: &str) -> Config {
    Config::from([
        ("connector.class", "io.confluent.connect.s3.S3SinkConnector"),
        ("s3.bucket.name", bucket),
        ("store.url", server.url().as_str()),
        ("aws.access.key.id", S3Server::KEY_ID),
        ("aws.secret.access.key", S3Server::SECRET),
    ])
}

/// What can be written to here, with what a configuration needs for it.
fn stores(local: &Path) -> Vec<(&'static str, Config, Arc<dyn LakeStore>)> {
    const TEST: &str = "others_read_the_files_of_every_format_in_every_store";
    let url = format!("file://{}", local.display());
    let root: Arc<dyn LakeStore> = Arc::new(LocalStore::new(local, "store.url"));
    let mut stores = vec![("local", Config::from([("store.url", url.as_str())]), root)];
    if let Some(hdfs) = services().hdfs_for(TEST) {
        let root = unique("readers");
        let settings = HdfsSettings {
            cluster: hdfs.url().to_owned(),
            root: format!("/{root}"),
            key: "store.url",
            ..HdfsSettings::default()
        };
        let url = format!("{}/{root}", hdfs.url());
        let config = Config::from([("store.url", url.as_str())]);
        stores.push(("hdfs", config, Arc::new(HdfsStore::new(settings))));
    }
    if let Some(server) = had(S3Server::start(), TEST, "a server that speaks S3's protocol") {
        // It lives as long as the process, which ends with the test.
        let server = &*Box::leak(Box::new(server));
        let bucket = bucket(server, "readers");
        let config = s3_config(server, &bucket);
        stores.push(("s3", config, Arc::new(store(server, &bucket))));
    }
    stores
}

/// A line for each directory, which is called `<store>-<format>`.
const SCRIPT: &str = r#"
import glob, os, duckdb, pyarrow.orc as orc, pyarrow.parquet as pq, pyarrow.compute as pc
for folder in sorted(os.listdir('files')):
    name = folder.split('-')[1]
    if name == 'Parquet':
        files = sorted(glob.glob(f'files/{folder}/*'))
        table = pq.read_table(files)
        types = ' '.join(str(field.type) for field in table.schema)
        sums = pc.sum(table['id']).as_py(), pc.sum(table['price']).as_py(), table['t'].null_count
        print(folder, 'pyarrow', table.num_rows, *sums, types, table['tags'][7].as_py(), table['place'][7].as_py())
        group = pq.ParquetFile(files[0]).metadata.row_group(0)
        stats = {group.column(i).path_in_schema: group.column(i).statistics for i in range(group.num_columns)}
        print(folder, 'statistics', stats['id'].min, stats['id'].max, stats['t'].null_count, stats['day'].max,
              stats['at'].min.isoformat(), stats['device'].max)
        source = f"read_parquet('files/{folder}/*')"
    elif name == 'Orc':
        file = orc.ORCFile(glob.glob(f'files/{folder}/*')[0])
        table = file.read()
        types = ' '.join(str(field.type) for field in table.schema)
        sums = pc.sum(table['id']).as_py(), pc.sum(table['price']).as_py(), table['t'].null_count
        print(folder, 'pyarrow', table.num_rows, *sums, types, table['tags'][7].as_py(), table['place'][7].as_py())
        print(folder, 'pyarrow', file.compression, pc.max(table['day']).as_py(), pc.max(table['at']).as_py().isoformat(),
              pc.max(table['device']).as_py(), pc.sum(table['ok']).as_py(), pc.sum(table['t']).as_py())
        connection = duckdb.connect()
        connection.register('orc_table', table)
        source = 'orc_table'
    elif name == 'Json':
        source = f"read_json('files/{folder}/*', format='newline_delimited')"
    else:
        source = f"read_csv('files/{folder}/*', header=true)"
    query = f'select count(*), sum(id), count(distinct device), count(t), sum(t), count_if(ok), max(device) from {source}'
    if name != 'Orc':
        connection = duckdb.connect()
    print(folder, 'duckdb', *connection.execute(query).fetchone())
    if name != 'Json':
        query = f'select sum(price), max(day), epoch_ms(max("at")) from {source}'
        price, day, at = connection.execute(query).fetchone()
        print(folder, 'duckdb', round(float(price), 2), day, at)
"#;

fn check_avro(store: &str, bytes: &[u8]) {
    let rows: Vec<Avro> = apache_avro::Reader::new(bytes).unwrap().map(Result::unwrap).collect();
    let mut sum = 0;
    for row in &rows {
        let Avro::Record(fields) = row else { panic!("{row:?}") };
        let field = |name: &str| &fields.iter().find(|(field, _)| field == name).unwrap().1;
        let Avro::Long(id) = field("id") else { panic!("{row:?}") };
        sum += id;
        assert_eq!(*field("day"), Avro::Date(i32::try_from(id % 100).unwrap()), "{store}");
        assert_eq!(*field("at"), Avro::TimestampMillis(1_700_000_000_000 + id), "{store}");
        assert_eq!(matches!(field("t"), Avro::Union(0, _)), id % 10 == 0, "{store}: {row:?}");
    }
    assert_eq!((rows.len(), sum), (1000, 499_500), "{store}");
}

#[test]
fn others_read_the_files_of_every_format_in_every_store() {
    const TEST: &str = "others_read_the_files_of_every_format_in_every_store";
    let Some(python) = had(Python::for_lake(), TEST, "PyArrow and DuckDB") else {
        return;
    };
    let (local, folder) = (temp_dir(), temp_dir());
    let stores = stores(local.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (name, base, store) in &stores {
        for (format, extra) in [
            ("Parquet", ("parquet.codec", "zstd")),
            ("Avro", ("avro.codec", "snappy")),
            ("Json", ("json.decimal.format", "NUMERIC")),
            ("Csv", ("lavka.rotate.bytes", "-1")),
            ("Orc", ("lavka.rotate.bytes", "-1")),
        ] {
            if (*name, format) == ("s3", "Orc") {
                // The S3 sink has no such format.
                continue;
            }
            let mut config = base.clone();
            let topics = format!("topics-{format}");
            for (key, value) in [
                ("format.class", format),
                extra,
                ("flush.size", "1000"),
                ("topics.dir", &topics),
                ("logs.dir", &format!("logs-{format}")),
            ] {
                config.set(key, value);
            }
            let files = runtime.block_on(files(&config, &**store));
            assert_eq!(files.len(), 1, "{name} {format}: {:?}", files.keys());
            for (file, bytes) in files {
                if format == "Avro" {
                    check_avro(name, &bytes);
                    continue;
                }
                let directory = folder.path().join("files").join(format!("{name}-{format}"));
                std::fs::create_dir_all(&directory).unwrap();
                std::fs::write(directory.join(file), bytes).unwrap();
            }
        }
    }
    std::fs::write(folder.path().join("read.py"), SCRIPT).unwrap();
    let printed = python.run(folder.path(), &["read.py"], Duration::from_secs(180)).unwrap();
    let mut names: Vec<&str> = stores.iter().map(|(name, ..)| *name).collect();
    names.sort_unstable();
    let mut want = Vec::new();
    for name in names {
        let rows = "1000 499500 2 900 450.0 500 b, \"c\"";
        let values = "499750.0 1970-04-10 1700000000999";
        want.push(format!("{name}-Csv duckdb {rows}"));
        want.push(format!("{name}-Csv duckdb {values}"));
        want.push(format!("{name}-Json duckdb {rows}"));
        if name != "s3" {
            want.push(format!(
                "{name}-Orc pyarrow 1000 499500 499750.00 100 int64 string double bool decimal128(38, 2) date32[day] \
                 timestamp[ns] list<item: string> struct<x: int32> ['x', '7'] {{'x': 7}}"
            ));
            want.push(format!(
                "{name}-Orc pyarrow ZLIB 1970-04-10 2023-11-14T22:13:20.999000 b, \"c\" 500 450.0"
            ));
            want.push(format!("{name}-Orc duckdb {rows}"));
            want.push(format!("{name}-Orc duckdb {values}"));
        }
        want.push(format!(
            "{name}-Parquet pyarrow 1000 499500 499750.00 100 int64 string double bool decimal128(38, 2) date32[day] \
             timestamp[ms, tz=UTC] list<element: string not null> struct<x: int32 not null> ['x', '7'] {{'x': 7}}"
        ));
        want.push(format!(
            "{name}-Parquet statistics 0 999 100 1970-04-10 2023-11-14T22:13:20+00:00 b, \"c\""
        ));
        want.push(format!("{name}-Parquet duckdb {rows}"));
        want.push(format!("{name}-Parquet duckdb {values}"));
    }
    assert_eq!(printed.lines().collect::<Vec<_>>(), want);
}

/// Reads what the S3 sink stores beside the values, and puts the three together again.
const COMPANIONS: &str = r#"
import duckdb, glob, pyarrow.parquet as pq
keys = sorted(glob.glob('files/*.keys.snappy.parquet'))
headers = sorted(glob.glob('files/*.headers.snappy.parquet'))
values = [name for name in sorted(glob.glob('files/*.snappy.parquet')) if name not in keys + headers]
print(len(values), [len(names) for names in (keys, headers)])
ids = pq.read_table(values)['id'].to_pylist()
print(pq.read_table(keys).schema.field('key').type, pq.read_table(keys)['key'].to_pylist() == [f'k{id}' for id in ids])
print(pq.read_table(headers)['headers'][7].as_py())
query = "select count(*), max(key) from read_parquet('files/*.keys.snappy.parquet')"
print(*duckdb.connect().execute(query).fetchone())
"#;

#[test]
fn others_read_keys_and_headers_beside_the_values() {
    const TEST: &str = "others_read_keys_and_headers_beside_the_values";
    let tools = Python::for_lake().and_then(|python| Ok((python, S3Server::start()?)));
    let Some((python, server)) = had(tools, TEST, "PyArrow, DuckDB and a server of S3") else { return };
    let folder = temp_dir();
    let bucket = bucket(&server, "companions");
    let mut config = s3_config(&server, &bucket);
    for (key, value) in [
        ("format.class", "Parquet"),
        ("flush.size", "400"),
        ("lavka.rotate.idle.ms", "600000"),
        ("topics.dir", "topics"),
        ("store.kafka.keys", "true"),
        ("keys.format.class", "io.confluent.connect.s3.format.parquet.ParquetFormat"),
        ("store.kafka.headers", "true"),
        ("headers.format.class", "io.confluent.connect.s3.format.parquet.ParquetFormat"),
    ] {
        config.set(key, value);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let found = runtime.block_on(files(&config, &store(&server, &bucket)));
    std::fs::create_dir(folder.path().join("files")).unwrap();
    for (name, bytes) in found {
        std::fs::write(folder.path().join("files").join(name), bytes).unwrap();
    }
    std::fs::write(folder.path().join("read.py"), COMPANIONS).unwrap();
    let printed = python.run(folder.path(), &["read.py"], Duration::from_secs(180)).unwrap();
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        ["2 [2, 2]", "string True", "[{'key': 'n', 'value': '7'}]", "800 k99"]
    );
}

/// Rows with nulls at every level, in columns of every type.
fn varied(count: i64) -> (Schema, Vec<SinkRecord>) {
    let maybe = |schema: Schema| schema.to_builder().optional().build().unwrap();
    let numbers = Schema::array(Schema::optional(Type::Int32));
    let point = Schema::structure()
        .field("x", Schema::optional(Type::Float32))
        .field("names", maybe(Schema::array(Schema::of(Type::String))))
        .build()
        .unwrap();
    let fields = [
        ("i8", Schema::optional(Type::Int8)),
        ("i16", Schema::of(Type::Int16)),
        ("i32", Schema::optional(Type::Int32)),
        ("i64", Schema::of(Type::Int64)),
        ("f64", Schema::optional(Type::Float64)),
        ("flag", Schema::optional(Type::Boolean)),
        ("bytes", Schema::optional(Type::Bytes)),
        ("decimal", maybe(Schema::logical_of(Logical::Decimal(3)))),
        ("day", maybe(Schema::logical_of(Logical::Date))),
        ("at", maybe(Schema::logical_of(Logical::Timestamp))),
        ("numbers", maybe(numbers)),
        ("counts", maybe(Schema::map(Schema::of(Type::String), Schema::optional(Type::Int64)))),
        ("point", maybe(point.clone())),
    ];
    let schema = fields
        .iter()
        .fold(Schema::structure().name("Varied"), |schema, (name, field)| schema.field(*name, field.clone()));
    let schema = schema.build().unwrap();
    let record = |n: i64| {
        let unless = |every: i64, value: Value| if n % every == 0 { Value::Null } else { value };
        let small = |limit: i64| i32::try_from(n % limit).unwrap();
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed());
        let list = (0..n % 4).map(|i| if i == 2 { Value::Null } else { Value::Int32(small(1000) - 500) });
        let entries = (0..n % 3).map(|i| (format!("k{i}").as_str().into(), unless(5, Value::Int64(n * i))));
        let names: Vec<Value> = (0..n % 3).map(|i| format!("{n}-{i}").as_str().into()).collect();
        let inner = [unless(6, Value::Float32(0.25)), unless(4, names.into())];
        let values = [
            unless(7, Value::Int8(i8::try_from(n % 200 - 100).unwrap())),
            Value::Int16(i16::try_from(n % 30_000).unwrap()),
            unless(3, Value::Int32(small(100_000) / 100)),
            Value::Int64(mixed),
            unless(
                11,
                if n % 13 == 0 {
                    Value::Float64(f64::INFINITY)
                } else {
                    Value::Float64(f64::from(small(999)) / 8.0)
                },
            ),
            unless(5, Value::Boolean(n % 2 == 0)),
            unless(
                9,
                Value::Bytes(mixed.to_le_bytes().get(..usize::try_from(n % 8).unwrap()).unwrap().into()),
            ),
            unless(8, Decimal::new(mixed, 3).into()),
            unless(10, Value::Date(small(60_000) - 30_000)),
            unless(12, Value::Timestamp((n - count / 2) * 100_000_007)),
            unless(6, list.collect::<Vec<Value>>().into()),
            unless(7, Value::Map(entries.collect())),
            unless(9, Struct::new(point.clone(), inner).unwrap().into()),
        ];
        let mut record = Record::for_topic("t");
        record.partition = Some(0);
        record.value = Datum::new(schema.clone(), Struct::new(schema.clone(), values).unwrap());
        let origin = KafkaOrigin { topic: "t".into(), partition: 0, offset: n, leader_epoch: None };
        SinkRecord { record, origin, raw_key: None, raw_value: None }
    };
    (schema.clone(), (0..count).map(record).collect())
}

/// Compares the files of the two formats, column by column; ORC's have several stripes.
const SAME: &str = r#"
import glob, pyarrow as pa, pyarrow.orc as orc, pyarrow.parquet as pq
file = orc.ORCFile(glob.glob('lake/*/topics/t/partition=0/*.orc')[0])
there, here = pq.ParquetFile(glob.glob('lake/*/topics/t/partition=0/*.parquet')[0]).read(), file.read()
print(there.num_rows, here.num_rows, file.nstripes > 1, file.file_version, file.nstripe_statistics >= 0)
for name in there.column_names:
    a, b = there[name].to_pylist(), here[name].to_pylist()
    if name == 'at':
        a = [value and value.replace(tzinfo=None) for value in a]
    differ = [i for i, (x, y) in enumerate(zip(a, b)) if x != y]
    print(name, b.count(None) > 0, differ[:3], [(a[i], b[i]) for i in differ[:3]])
"#;

#[test]
fn orc_has_what_parquet_has() {
    let Some(python) = had(Python::for_lake(), "orc_has_what_parquet_has", "PyArrow") else { return };
    let (folder, runtime) = (
        temp_dir(),
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    );
    let (schema, records) = varied(20_000);
    for format in ["Parquet", "Orc"] {
        let url = format!("file://{}/lake/{format}", folder.path().display());
        let config = Config::from([
            ("store.url", url.as_str()),
            ("format.class", format),
            ("flush.size", "20000"),
            // Little memory: what is encoded has to leave before the file is whole.
            ("lavka.buffer.bytes", "1048576"),
        ]);
        runtime.block_on(async {
            let mut task = LakeSinkConnector::default().task(&config).unwrap();
            let (now, partition) = (1_800_000_000_000, [TopicPartition::new("t", 0)]);
            task.open(&partition, &mut SinkContext::at(now)).await.unwrap();
            for batch in records.chunks(500) {
                task.put(batch.to_vec().into(), &mut SinkContext::at(now)).await.unwrap();
            }
            task.close(&partition, &mut SinkContext::at(now)).await.unwrap();
        });
    }
    std::fs::write(folder.path().join("read.py"), SAME).unwrap();
    let printed = python.run(folder.path(), &["read.py"], Duration::from_secs(180)).unwrap();
    let mut want = vec!["20000 20000 True 0.12 True".to_owned()];
    want.extend(schema.fields().iter().map(|field| {
        let has_nulls = !matches!(field.name().as_str(), "i16" | "i64");
        format!("{} {} [] []", field.name(), if has_nulls { "True" } else { "False" })
    }));
    assert_eq!(printed.lines().collect::<Vec<_>>(), want);
}
