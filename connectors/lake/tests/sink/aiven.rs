//! Configurations of Aiven's S3 sink: the names of its objects, what is in them, when they are finished.

use std::collections::BTreeMap;
use std::io::Read as _;

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Object, Schema, SinkRecord, Struct, Type, Value};
use lavka_api::plugin::{Catalogue, Factory, PluginKind, SinkContext, SinkTask as _};

use crate::harness::{NOW, durable, opened, parquet, put, record, runtime};
use crate::model_store::ModelStore;

const CLASS: &str = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";

fn config(entries: &[(&str, &str)]) -> Config {
    let mut config = Config::from([("connector.class", CLASS), ("aws.s3.bucket.name", "lake")]);
    entries.iter().for_each(|(key, value)| config.set(*key, *value));
    config
}

/// A record with a key and a header, and its value as bytes.
fn bytes(offset: i64) -> SinkRecord {
    let schema = || Schema::optional(Type::Bytes);
    let text = format!("v{offset}");
    let mut record = record("t", 0, offset, Datum::new(schema(), Value::Bytes(Blob::from(text.as_bytes()))));
    record.record.key = Datum::new(schema(), Value::Bytes((b"k").into()));
    record.record.headers.add("h", Datum::new(schema(), Value::Bytes((b"x").into())));
    record
}

/// The same with a struct as its value.
fn typed(offset: i64) -> SinkRecord {
    let schema = Schema::structure().name("Reading").field("a", Schema::of(Type::Int64)).build().unwrap();
    let value = Struct::new(schema.clone(), [Value::Int64(offset)]).unwrap();
    let mut record = record("t", 0, offset, Datum::new(schema, value));
    record.record.key = Datum::new(Schema::of(Type::String), Value::from("k"));
    record.record.headers.add("h", Datum::new(Schema::of(Type::String), Value::from("x")));
    record
}

/// The objects by name after `batches` and a commit of offsets behind each.
fn objects(config: &Config, batches: Vec<Vec<SinkRecord>>) -> BTreeMap<String, Vec<u8>> {
    runtime().block_on(async {
        let store = ModelStore::new();
        let (mut task, _) = opened(config, &store, 1).await.unwrap();
        for batch in batches {
            put(&mut task, batch, NOW).await.unwrap();
            durable(&mut task).await;
        }
        assert!(store.files(".lavka/+tmp").is_empty());
        let mut files = store.files("");
        files.retain(|name, _| !name.starts_with(".lavka/"));
        files
    })
}

fn unzipped(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

fn texts(config: &Config, batches: Vec<Vec<SinkRecord>>) -> Vec<(String, String)> {
    objects(config, batches)
        .into_iter()
        .map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap()))
        .collect()
}

fn pair(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn a_commit_of_offsets_finishes_the_files_which_are_csv_in_gzip_where_nothing_is_said() {
    let found = objects(&config(&[]), vec![(0..3).map(bytes).collect(), vec![bytes(3)], Vec::new()]);
    let found: Vec<(&str, String)> =
        found.iter().map(|(name, bytes)| (name.as_str(), unzipped(bytes))).collect();
    assert_eq!(found, [("t-0-0", "djA=\ndjE=\ndjI=".into()), ("t-0-3", "djM=".into())]);
}

#[test]
fn offsets_are_reported_when_their_files_are_there() {
    runtime().block_on(async {
        let store = ModelStore::new();
        let (mut task, rewind) = opened(&config(&[]), &store, 1).await.unwrap();
        assert!(rewind.is_empty());
        put(&mut task, (0..3).map(bytes).collect(), NOW).await.unwrap();
        assert_eq!(durable(&mut task).await, [(0, 3)].into());
        put(&mut task, vec![bytes(3)], NOW).await.unwrap();
        task.stop().await;
        // What was not finished is read again, from where the log of commits ends.
        let (_, rewind) = opened(&config(&[]), &store, 1).await.unwrap();
        assert_eq!(rewind.values().copied().collect::<Vec<i64>>(), [3]);
    });
}

#[test]
fn lines_have_the_fields_that_are_asked_for() {
    let fields = ("format.output.fields", "key,value,offset,timestamp,headers");
    let plain = [("file.compression.type", "none"), fields, ("format.output.fields.value.encoding", "none")];
    let mut tombstone = bytes(1);
    tombstone.record.value.value = Value::Null;
    tombstone.record.timestamp = None;
    assert_eq!(
        texts(&config(&plain), vec![vec![bytes(0), tombstone]]),
        [pair("t-0-0", "aw==,v0,0,1700000000000,aA==:eA==;\naw==,,1,,aA==:eA==;")]
    );
    let row = |offset: i64, seconds: &str| {
        format!(
            r#"{{"headers":[{{"key":"h","value":"x"}}],"offset":{offset},"value":{{"a":{offset}}},"key":"k","timestamp":"2023-11-14T22:13:{seconds}Z"}}"#
        )
    };
    let (first, second) = (row(0, "20"), row(1, "21"));
    let json = |kind| [("file.compression.type", "none"), fields, ("format.output.type", kind)];
    assert_eq!(
        texts(&config(&json("jsonl")), vec![(0..2).map(typed).collect()]),
        [pair("t-0-0", &format!("{first}\n{second}"))]
    );
    assert_eq!(
        texts(&config(&json("json")), vec![(0..2).map(typed).collect()]),
        [pair("t-0-0", &format!("[\n{first},\n{second}\n]"))]
    );
    let bare = [
        ("output_compression", "none"),
        ("format.output.type", "jsonl"),
        ("format.output.envelope", "false"),
    ];
    let mut schemaless = record("t", 0, 1, Datum::schemaless(Object::from_entries([("b", Value::Null)])));
    schemaless.record.timestamp = None;
    assert_eq!(
        texts(&config(&bare), vec![vec![typed(0), schemaless]]),
        [pair("t-0-0", "{\"a\":0}\n{\"b\":null}")]
    );
}

#[test]
fn names_come_from_the_template() {
    let names = |entries: &[(&str, &str)], count: i64| -> Vec<String> {
        objects(&config(entries), vec![(0..count).map(bytes).collect()]).into_keys().collect()
    };
    assert_eq!(names(&[("file.compression.type", "gzip")], 1), ["t-0-0.gz"]);
    assert_eq!(
        names(&[("file.compression.type", "snappy"), ("file.max.records", "2")], 5),
        ["t-0-0.snappy", "t-0-2.snappy", "t-0-4.snappy"]
    );
    let hourly = [
        ("file.name.prefix", "a/"),
        (
            "file.name.template",
            "{{topic}}/{{timestamp:unit=yyyy}}-{{timestamp:unit=HH}}/{{partition:padding=true}}-{{start_offset:padding=true}}",
        ),
        ("file.name.timestamp.source", "event"),
        ("file.name.timestamp.timezone", "+01:00"),
    ];
    // Records are a second apart from 22:13:20 UTC on, so that the 2800th is one of the next hour; both files have the first
    // offset since the commit before.
    assert_eq!(
        names(&hourly, 2801),
        ["a/t/2023-23/0000000000-00000000000000000000", "a/t/2023-00/0000000000-00000000000000000000"]
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    // The older prefix is rendered once for a file.
    let old = [("aws.s3.prefix", "p/{{utc_date}}/{{timestamp:unit=MM}}/"), ("timestamp.source", "EVENT")];
    assert_eq!(names(&old, 2801), ["p/2023-11-14/11/t-0-00000000000000000000.gz"]);
}

#[test]
fn parquet_and_avro_have_a_record_of_the_fields() {
    let fields = ("format.output.fields", "key,offset,timestamp,headers,value");
    let columns = |entries: &[(&str, &str)]| {
        let found = objects(&config(entries), vec![(0..2).map(typed).collect()]);
        let (name, bytes) = found.into_iter().next().unwrap();
        let batches = parquet(&bytes);
        let schema = batches[0].schema();
        let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        (name, columns, batches[0].num_rows())
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let parquet = ("format.output.type", "parquet");
    assert_eq!(
        columns(&[parquet, fields, ("file.compression.type", "zstd")]),
        ("t-0-0.zst".into(), names(&["key", "offset", "timestamp", "headers", "value"]), 2)
    );
    assert_eq!(columns(&[parquet, ("format.output.envelope", "false")]), ("t-0-0".into(), names(&["a"]), 2));
    let found = objects(
        &config(&[("format.output.type", "avro"), fields, ("file.compression.type", "none")]),
        vec![(0..2).map(typed).collect()],
    );
    let (name, bytes) = found.into_iter().next().unwrap();
    let reader = apache_avro::Reader::new(&bytes[..]).unwrap();
    let schema = reader.writer_schema().canonical_form();
    assert!(
        name == "t-0-0.avro" && schema.contains("io.aiven.avro.output.schema.connector_records"),
        "{schema}"
    );
    assert_eq!(reader.map(Result::unwrap).count(), 2);
}

#[test]
fn a_record_that_makes_no_row_is_errant() {
    runtime().block_on(async {
        let store = ModelStore::new();
        for (kind, want) in
            [("csv", "Record value schema type must be BYTES"), ("parquet", "Record value without schema")]
        {
            let (mut task, _) = opened(&config(&[("format.output.type", kind)]), &store, 1).await.unwrap();
            let mut context = SinkContext::at(NOW);
            context.takes_errant_records = true;
            let value = Datum::schemaless(Object::from_entries([("b", Value::Int64(1))]));
            let offset = i64::from(kind == "parquet");
            task.put(vec![record("t", 0, offset, value)].into(), &mut context).await.unwrap();
            let [errant] = &context.errant[..] else { panic!("{:?}", context.errant) };
            assert!(errant.error.to_string().contains(want), "{}", errant.error);
            task.stop().await;
        }
    });
}

#[test]
fn what_is_wrong_or_not_here_is_said_at_its_key() {
    let plugins = lavka_connector_lake::plugins();
    let catalogue = Catalogue::new(plugins);
    let plugin = catalogue.find("AivenKafkaConnectS3Sink", PluginKind::is_connector).unwrap();
    assert_eq!(plugin.class, CLASS);
    let Factory::Sink(new) = plugin.factory else { panic!() };
    let errors = |config: &Config| -> Vec<(String, String)> {
        let reports = runtime().block_on(new().validate(&(plugin.definition)(), config));
        reports
            .into_iter()
            .flat_map(|report| report.errors.into_iter().map(move |error| (report.name.clone(), error)))
            .collect()
    };
    assert_eq!(errors(&config(&[("aws.s3.region", "eu-west-1"), ("tasks.max", "1")])), []);
    for (key, value, want) in [
        ("aws.s3.bucket.name", "", "Neither aws.s3.bucket.name nor aws_s3_bucket"),
        ("aws.sts.role.session.duration", "899", "Value must be"),
        ("aws.credentials.provider", "org.example.Mine", "classes of Java"),
        ("file.name.template", "{{key}}", "files by key"),
        ("file.name.template", "{{topic}}", "start_offset"),
        ("file.name.timestamp.timezone", "Mars", "no such time zone"),
        ("file.compression.type", "lz4", "lz4"),
        ("format.output.type", "xml", "xml"),
        ("format.output.fields", "value,colour", "there is no field colour"),
        ("avro.codec", "lzma", "no such codec"),
    ] {
        let mut entries = vec![(key, value)];
        if key == "avro.codec" {
            entries.push(("format.output.type", "avro"));
        }
        let found = errors(&config(&entries));
        assert!(
            found.iter().any(|(name, error)| name == key && error.contains(want)),
            "{key}={value}: {found:?}"
        );
        assert!(new().task(&config(&entries)).is_err(), "{key}={value}");
    }
    let role = [("aws.sts.role.arn", "arn:aws:iam::1:role/x"), ("aws.sts.role.session.name", "s")];
    assert_eq!(errors(&config(&role)), []);
    let text = "aws.s3.region should be specified together with aws.sts.config.endpoint";
    let found = errors(&config(&[role[0], role[1], ("aws.sts.config.endpoint", "http://sts:1")]));
    assert!(found[0].0 == "aws.sts.config.endpoint" && found[0].1.ends_with(text), "{found:?}");
    let both = config(&[("format.output.envelope", "false"), ("format.output.fields", "key,value")]);
    assert!(errors(&both)[0].1.contains("must contain only one field"));
    // Whatever is wrong, the key is not among what is said of it.
    let secret = ["aws.secret.access.key", "aws_secret_access_key"].map(|key| (key, "very-secret"));
    for wrong in
        [("format.output.type", "xml"), ("file.name.template", "{{topic}}"), ("aws.s3.bucket.name", "")]
    {
        let entries = config(&[&secret[..], &[wrong]].concat());
        let mut said: Vec<String> = errors(&entries).into_iter().map(|(_, error)| error).collect();
        assert!(!said.is_empty(), "{wrong:?}");
        said.push(new().task(&entries).err().unwrap().to_string());
        assert!(said.iter().all(|text| !text.contains("very-secret")), "{said:?}");
    }
}
