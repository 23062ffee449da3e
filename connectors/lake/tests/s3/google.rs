//! The lake behind the protocol of Google Cloud Storage. The server is moto, which keeps the objects, with a translation of
//! Google's XML API to that of S3 in front: requests, signatures and answers are Google's, what a store does with them is S3's.
//! No emulator that can be had speaks this API, and the service itself was never asked.

use std::sync::OnceLock;
use std::time::Duration;

use lavka_api::config::{Config, Password};
use lavka_connector_lake::store::{Account, BucketStore, Chunk, GoogleSettings, LakePath, LakeStore as _};
use lavka_testkit::{GoogleServer, Python, Unavailable, count, had, temp_dir};

use crate::bucket::{bucket, store_below};
use crate::support::{Rig, runtime};
use crate::{lost_uploads, promises};

/// One server for all tests: buckets are told apart by name.
fn server(test: &str) -> Option<&'static GoogleServer> {
    static SERVER: OnceLock<Result<GoogleServer, Unavailable>> = OnceLock::new();
    had(
        SERVER.get_or_init(GoogleServer::start).as_ref(),
        test,
        "a server with the protocol of Google's storage",
    )
}

fn account(server: &GoogleServer) -> GoogleSettings {
    GoogleSettings {
        service_account: None,
        service_account_path: Some(server.key_path().display().to_string()),
        endpoint: Some(server.as_s3().url()),
    }
}

fn store(bucket: &str, account: GoogleSettings) -> BucketStore {
    store_below(bucket, "landing", "store.url", Account::Google(account))
}

fn config(server: &GoogleServer, bucket: &str) -> Config {
    Config::from([
        ("format.class", "Parquet"),
        ("store.url", format!("gs://{bucket}/landing").as_str()),
        ("lavka.gcs.credentials.path", server.key_path().display().to_string().as_str()),
        ("lavka.store.endpoint", server.as_s3().url().as_str()),
        ("flush.size", "20"),
    ])
}

#[test]
fn the_store_keeps_what_the_port_promises_behind_googles_protocol() {
    let Some(server) = server("the_store_keeps_what_the_port_promises_behind_googles_protocol") else {
        return;
    };
    let store = store(&bucket(server.as_s3(), "lake"), account(server));
    runtime().block_on(promises::of_the_port(&store));
}

#[test]
fn a_large_file_travels_in_parts_by_googles_protocol() {
    let Some(server) = server("a_large_file_travels_in_parts_by_googles_protocol") else { return };
    let bucket = bucket(server.as_s3(), "lake");
    let (mine, other) = (store(&bucket, account(server)), store(&bucket, account(server)));
    runtime().block_on(promises::of_parts(&mine, &other, Some(&|| server.as_s3().open_uploads(&bucket))));
}

#[test]
fn uploads_that_are_gone_by_googles_protocol_are_told_from_files_that_were_moved() {
    let Some(server) =
        server("uploads_that_are_gone_by_googles_protocol_are_told_from_files_that_were_moved")
    else {
        return;
    };
    let bucket = bucket(server.as_s3(), "lake");
    let stores = [(); 3].map(|()| store(&bucket, account(server)));
    let clear = |_: &LakePath| server.as_s3().abort_uploads(&bucket);
    runtime().block_on(lost_uploads::are_told_from_moved_files(stores.each_ref(), &clear));
}

#[test]
fn no_record_is_passed_over_for_an_upload_that_is_gone_by_googles_protocol() {
    let Some(server) = server("no_record_is_passed_over_for_an_upload_that_is_gone_by_googles_protocol")
    else {
        return;
    };
    let bucket = bucket(server.as_s3(), "lake");
    let (store, config) = (store(&bucket, account(server)), config(server, &bucket));
    let clear = |_: &LakePath| server.as_s3().abort_uploads(&bucket);
    runtime().block_on(lost_uploads::end_the_task_that_counts_on_them(&store, &config, &clear));
}

#[test]
fn of_two_writers_one_commits_by_googles_protocol() {
    let Some(server) = server("of_two_writers_one_commits_by_googles_protocol") else { return };
    let bucket = bucket(server.as_s3(), "lake");
    let store = store(&bucket, account(server));
    runtime().block_on(promises::of_two_writers(&store, &config(server, &bucket)));
}

#[test]
fn a_killed_writer_loses_and_repeats_nothing_by_googles_protocol() {
    let Some(server) = server("a_killed_writer_loses_and_repeats_nothing_by_googles_protocol") else {
        return;
    };
    let bucket = bucket(server.as_s3(), "lake");
    let store = store(&bucket, account(server));
    promises::of_killed_writers(&store, &config(server, &bucket), count(4, 50));
    assert_eq!(server.as_s3().open_uploads(&bucket), 0);
}

/// By the file with the key and by the key itself.
#[test]
fn others_read_what_a_service_account_has_written() {
    let Some(server) = server("others_read_what_a_service_account_has_written") else { return };
    let bucket = bucket(server.as_s3(), "lake");
    runtime().block_on(async {
        let mut config = config(server, &bucket);
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(40).await.unwrap();
        rig.stop().await;
        config.set("lavka.gcs.credentials.path", "");
        config.set("lavka.gcs.credentials.json", std::fs::read_to_string(server.key_path()).unwrap());
        let mut rig = Rig::open(&config).await.unwrap();
        assert_eq!(rig.position, 40);
        rig.put(20).await.unwrap();
        rig.stop().await;
    });
    let folder = temp_dir();
    server.as_s3().copy_out(&bucket, folder.path()).unwrap();
    let script = "\
import duckdb, glob, pyarrow.parquet as pq
names = glob.glob('landing/topics/t/**/*.parquet', recursive=True)
query = f'select count(*), count(distinct \"offset\"), sum(\"offset\") from read_parquet({names})'
print(*duckdb.connect().execute(query).fetchone())
print(sum(pq.read_metadata(name).num_rows for name in names))
";
    let printed =
        Python::for_lake().unwrap().run(folder.path(), &["-c", script], Duration::from_secs(120)).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), ["60 60 1770", "60"]);
}

#[test]
fn google_tells_who_is_not_let_in_why() {
    let Some(server) = server("google_tells_who_is_not_let_in_why") else { return };
    let bucket = bucket(server.as_s3(), "lake");
    // A key of the right form that the server does not know.
    let stranger = GoogleServer::start().unwrap();
    let strange = GoogleSettings {
        service_account: Some(Password::new(std::fs::read_to_string(stranger.key_path()).unwrap())),
        service_account_path: None,
        ..account(server)
    };
    let nobody = GoogleSettings { service_account_path: None, ..account(server) };
    for account in [strange, nobody] {
        let store = store(&bucket, account);
        runtime().block_on(async {
            let path = LakePath::new("logs/1").unwrap();
            let created = store.create_object(&path, Chunk::from_static(b"x")).await;
            for error in [store.prepare().await.unwrap_err(), created.unwrap_err()] {
                assert!(!error.is_retriable(), "{error}");
                let text = error.to_string();
                assert!(text.contains("check the account's key, or where it comes from"), "{text}");
                assert!(text.contains(&bucket) && !text.contains("PRIVATE KEY"), "{text}");
            }
        });
    }
}
