//! The lake in a bucket of a real S3 server, a container of Azure, or behind Google's protocol: exactly once over kills and
//! takeovers, and nothing left of dead writers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod acceptance;
mod azure;
#[path = "../support/bucket.rs"]
mod bucket;
mod dialects;
mod google;
mod lost_uploads;
mod promises;
#[path = "../support/mod.rs"]
mod support;
mod takeover;

use std::sync::OnceLock;
use std::time::Duration;

use bucket::{bucket, store};
use lavka_api::config::Config;
use lavka_connector_lake::store::{LakePath, LakeStore};
use lavka_testkit::{Python, S3Server, Unavailable, count, had, temp_dir};
use support::{Rig, assert_example, be_child, files, record, runtime};

/// One server for all tests: buckets are told apart by name.
fn server(test: &str) -> Option<&'static S3Server> {
    static SERVER: OnceLock<Result<S3Server, Unavailable>> = OnceLock::new();
    had(SERVER.get_or_init(S3Server::start).as_ref(), test, "a server that speaks S3's protocol")
}

fn config(server: &S3Server, bucket: &str) -> Config {
    Config::from([
        ("format.class", "Parquet"),
        ("s3.bucket.name", bucket),
        ("store.url", server.url().as_str()),
        ("aws.access.key.id", S3Server::KEY_ID),
        ("aws.secret.access.key", S3Server::SECRET),
        ("flush.size", "20"),
    ])
}

#[test]
fn the_examples_are_fine_configurations() {
    for name in [
        "lake-s3-sink.json",
        "lake-aiven-s3-sink.json",
        "lake-gcs-sink.json",
        "lake-azure-sink.json",
        "lake-sink.json",
    ] {
        assert_example(name);
    }
}

#[test]
fn child() {
    be_child();
}

#[test]
fn the_store_keeps_what_the_port_promises() {
    let Some(server) = server("the_store_keeps_what_the_port_promises") else { return };
    let bucket = bucket(server, "lake");
    runtime().block_on(promises::of_the_port(&store(server, &bucket)));
}

#[test]
fn a_large_file_travels_in_parts_that_others_can_complete_or_abort() {
    let Some(server) = server("a_large_file_travels_in_parts_that_others_can_complete_or_abort") else {
        return;
    };
    let bucket = bucket(server, "lake");
    let (mine, other) = (store(server, &bucket), store(server, &bucket));
    runtime().block_on(promises::of_parts(&mine, &other, Some(&|| server.open_uploads(&bucket))));
}

#[test]
fn of_two_writers_one_commits() {
    let Some(server) = server("of_two_writers_one_commits") else { return };
    let bucket = bucket(server, "lake");
    runtime().block_on(promises::of_two_writers(&store(server, &bucket), &config(server, &bucket)));
}

#[test]
fn a_writer_that_slept_commits_nothing() {
    let Some(server) = server("a_writer_that_slept_commits_nothing") else { return };
    let bucket = bucket(server, "lake");
    runtime().block_on(promises::of_a_writer_that_slept(&store(server, &bucket), &config(server, &bucket)));
}

#[test]
fn a_store_without_conditional_writes_is_refused() {
    const TEST: &str = "a_store_without_conditional_writes_is_refused";
    let Some(server) = had(S3Server::start_careless(), TEST, "a server that speaks S3's protocol") else {
        return;
    };
    let bucket = bucket(&server, "lake");
    runtime().block_on(async {
        let error = Rig::open(&config(&server, &bucket)).await.map(|rig| rig.position).unwrap_err();
        assert!(!error.is_retriable() && error.to_string().contains("conditional writes"), "{error}");
    });
}

#[test]
fn uploads_that_a_rule_aborted_are_told_from_files_that_were_moved() {
    let Some(server) = server("uploads_that_a_rule_aborted_are_told_from_files_that_were_moved") else {
        return;
    };
    let bucket = bucket(server, "lake");
    let stores = [(); 3].map(|()| store(server, &bucket));
    let clear = |_: &LakePath| server.abort_uploads(&bucket);
    runtime().block_on(lost_uploads::are_told_from_moved_files(stores.each_ref(), &clear));
}

#[test]
fn no_record_is_passed_over_for_an_upload_that_a_rule_aborted() {
    let Some(server) = server("no_record_is_passed_over_for_an_upload_that_a_rule_aborted") else { return };
    for naming in ["io.confluent.connect.hdfs.HdfsSinkConnector", "io.confluent.connect.s3.S3SinkConnector"] {
        let bucket = bucket(server, "lake");
        let mut config = config(server, &bucket);
        config.set("connector.class", naming);
        let (store, clear) = (store(server, &bucket), |_: &LakePath| server.abort_uploads(&bucket));
        runtime().block_on(lost_uploads::end_the_task_that_counts_on_them(&store, &config, &clear));
    }
}

#[test]
fn a_file_whose_upload_a_rule_aborted_is_written_anew() {
    let Some(server) = server("a_file_whose_upload_a_rule_aborted_is_written_anew") else { return };
    let bucket = bucket(server, "lake");
    let (store, clear) = (store(server, &bucket), |_: &LakePath| server.abort_uploads(&bucket));
    runtime().block_on(lost_uploads::cost_a_reading_anew(&store, &config(server, &bucket), &clear));
}

#[test]
fn a_killed_writer_loses_and_repeats_nothing() {
    let Some(server) = server("a_killed_writer_loses_and_repeats_nothing") else { return };
    let bucket = bucket(server, "lake");
    promises::of_killed_writers(&store(server, &bucket), &config(server, &bucket), count(8, 100));
    assert_eq!(server.open_uploads(&bucket), 0);
}

#[test]
fn others_read_the_files() {
    const TEST: &str = "others_read_the_files";
    let Some(server) = server(TEST) else { return };
    let Some(python) = had(Python::for_lake(), TEST, "PyArrow and DuckDB") else { return };
    let folder = temp_dir();
    runtime().block_on(async {
        let bucket = bucket(server, "lake");
        let mut config = config(server, &bucket);
        config.set("parquet.codec", "zstd");
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(60).await.unwrap();
        rig.stop().await;
        for (name, bytes) in files(&store(server, &bucket)).await {
            std::fs::write(folder.path().join(name.rsplit('/').next().unwrap()), bytes).unwrap();
        }
    });
    let script = "\
import glob, duckdb, pyarrow.parquet as pq
files = sorted(glob.glob('*.parquet'))
table = pq.read_table(files)
print(table.num_rows, table.schema.field('offset').type, table.schema.field('text').type)
print(sum(table.column('offset').to_pylist()), table.column('text')[59].as_py())
group = pq.ParquetFile(files[0]).metadata.row_group(0)
column = [group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == 'offset'][0]
print(len(files), column.compression, column.statistics.min, column.statistics.max, column.statistics.null_count)
query = \"select count(*), sum(\\\"offset\\\"), count(distinct device), max(text) from read_parquet('*.parquet')\"
print(*duckdb.connect().execute(query).fetchone())
";
    std::fs::write(folder.path().join("read.py"), script).unwrap();
    let printed = python.run(folder.path(), &["read.py"], Duration::from_secs(120)).unwrap();
    let text = |offset: i64| format!("{:0>60}", offset * 7919);
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        [
            "60 int64 string".to_owned(),
            format!("1770 {}", text(59)),
            "3 ZSTD 0 19 0".to_owned(),
            format!("60 1770 2 {}", text(59)),
        ]
    );
    assert_eq!(record(59).origin.offset, 59);
}

/// The values in the finished objects of a directory, in the order of their names; `decode` makes an object lines of JSON.
async fn values(
    store: &dyn LakeStore,
    directory: &str,
    decode: fn(Vec<u8>) -> String,
) -> Vec<serde_json::Value> {
    let mut paths = store.list(&LakePath::new(directory).unwrap()).await.unwrap();
    paths.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    let mut values = Vec::new();
    for path in paths {
        let text = decode(store.read(&path, 1 << 24).await.unwrap().unwrap());
        values.extend(text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()));
    }
    values
}
