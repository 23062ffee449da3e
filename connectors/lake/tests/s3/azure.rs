//! The lake in a container of Azure's emulator, under the URLs that Hadoop and others have for it.

use std::sync::OnceLock;
use std::time::Duration;

use lavka_api::config::{Config, Password};
use lavka_connector_lake::store::{
    Account, AzureSettings, BucketStore, Chunk, LakePath, LakeStore as _, Renamed,
};
use lavka_testkit::{AzureServer, Python, Unavailable, count, had, temp_dir};

use crate::bucket::{PART, name, store_below};
use crate::support::{Rig, runtime};
use crate::{lost_uploads, promises};

/// One server for all tests: containers are told apart by name.
fn server(test: &str) -> Option<&'static AzureServer> {
    static SERVER: OnceLock<Result<AzureServer, Unavailable>> = OnceLock::new();
    let server = SERVER.get_or_init(AzureServer::start);
    had(server.as_ref(), test, "a server that speaks the protocol of Azure's blobs")
}

fn container(server: &AzureServer) -> String {
    let name = name("lake");
    server.create_container(&name);
    name
}

fn account(server: &AzureServer) -> AzureSettings {
    AzureSettings {
        account: Some(AzureServer::ACCOUNT.into()),
        access_key: Some(Password::new(AzureServer::KEY)),
        sas: None,
        endpoint: Some(server.url()),
    }
}

fn store(container: &str, account: AzureSettings) -> BucketStore {
    store_below(container, "landing", "store.url", Account::Azure(account))
}

/// With the URL that Hadoop's driver has.
fn config(server: &AzureServer, container: &str) -> Config {
    let url = format!("abfss://{container}@{}.dfs.core.windows.net/landing", AzureServer::ACCOUNT);
    Config::from([
        ("format.class", "Parquet"),
        ("store.url", url.as_str()),
        ("lavka.azure.access.key", AzureServer::KEY),
        ("lavka.store.endpoint", server.url().as_str()),
        ("flush.size", "20"),
    ])
}

#[test]
fn the_store_keeps_what_the_port_promises_in_azure() {
    let Some(server) = server("the_store_keeps_what_the_port_promises_in_azure") else { return };
    let store = store(&container(server), account(server));
    runtime().block_on(promises::of_the_port(&store));
}

#[test]
fn a_large_file_travels_in_blocks() {
    let Some(server) = server("a_large_file_travels_in_blocks") else { return };
    let container = container(server);
    let (mine, other) = (store(&container, account(server)), store(&container, account(server)));
    // Blocks of nobody's are in no list, and Azure removes them within a week.
    runtime().block_on(promises::of_parts(&mine, &other, None));
}

/// Drops the blocks of a blob by finishing another one of its name, which is deleted. Azure itself drops them after a week.
fn drop_blocks(store: &BucketStore, name: &LakePath) {
    let (store, name) = (store.clone(), name.clone());
    // The caller runs within a runtime, on whose threads no other one may be waited for.
    let dropping = std::thread::spawn(move || {
        runtime().block_on(async {
            let other = LakePath::new("+tmp/other").unwrap();
            let lease = store.lease(&other).await.unwrap().unwrap();
            store.create(&lease, &other, Some(&name)).await.unwrap();
            store.append(&lease, &other, 0, Chunk::from(vec![1; PART + 1])).await.unwrap();
            store.sync(&lease, &other).await.unwrap();
            assert_eq!(store.rename_if_absent(&lease, &other, &name).await.unwrap(), Renamed::Done);
            store.delete(&lease, &name).await.unwrap();
        });
    });
    dropping.join().unwrap();
}

#[test]
fn blocks_that_azure_has_dropped_are_told_from_blobs_that_were_moved() {
    let Some(server) = server("blocks_that_azure_has_dropped_are_told_from_blobs_that_were_moved") else {
        return;
    };
    let container = container(server);
    let stores = [(); 3].map(|()| store(&container, account(server)));
    let clear = |name: &LakePath| drop_blocks(&store(&container, account(server)), name);
    runtime().block_on(lost_uploads::are_told_from_moved_files(stores.each_ref(), &clear));
}

#[test]
fn no_record_is_passed_over_for_blocks_that_azure_has_dropped() {
    let Some(server) = server("no_record_is_passed_over_for_blocks_that_azure_has_dropped") else { return };
    let container = container(server);
    let mut config = config(server, &container);
    config.set("connector.class", "io.confluent.connect.hdfs.HdfsSinkConnector");
    let store = store(&container, account(server));
    let clear = |name: &LakePath| drop_blocks(&store, name);
    runtime().block_on(lost_uploads::end_the_task_that_counts_on_them(&store, &config, &clear));
}

#[test]
fn blocks_that_another_file_of_that_name_has_replaced_are_lost() {
    let Some(server) = server("blocks_that_another_file_of_that_name_has_replaced_are_lost") else { return };
    let container = container(server);
    let (first, second) = (store(&container, account(server)), store(&container, account(server)));
    runtime().block_on(async {
        let path = |text: &str| LakePath::new(text).unwrap();
        let lease = first.lease(&path("lock")).await.unwrap().unwrap();
        let done = path("t/done");
        for (store, name, length) in [(&first, "+tmp/first", PART + 1), (&second, "+tmp/second", PART + 2)] {
            store.create(&lease, &path(name), Some(&done)).await.unwrap();
            store.append(&lease, &path(name), 0, Chunk::from(vec![1; length])).await.unwrap();
            store.sync(&lease, &path(name)).await.unwrap();
        }
        let renamed = first.rename_if_absent(&lease, &path("+tmp/first"), &done).await;
        assert_eq!(renamed.unwrap(), Renamed::Done);
        let renamed = second.rename_if_absent(&lease, &path("+tmp/second"), &done).await.unwrap();
        assert!(matches!(&renamed, Renamed::Lost(lost) if lost.object.ends_with("t/done")), "{renamed:?}");
        assert_eq!(first.read(&done, 1 << 24).await.unwrap().unwrap().len(), PART + 1);
    });
}

#[test]
fn of_two_writers_one_commits_in_azure() {
    let Some(server) = server("of_two_writers_one_commits_in_azure") else { return };
    let container = container(server);
    let store = store(&container, account(server));
    runtime().block_on(promises::of_two_writers(&store, &config(server, &container)));
}

#[test]
fn a_writer_that_slept_commits_nothing_in_azure() {
    let Some(server) = server("a_writer_that_slept_commits_nothing_in_azure") else { return };
    let container = container(server);
    let store = store(&container, account(server));
    runtime().block_on(promises::of_a_writer_that_slept(&store, &config(server, &container)));
}

#[test]
fn a_killed_writer_loses_and_repeats_nothing_in_azure() {
    let Some(server) = server("a_killed_writer_loses_and_repeats_nothing_in_azure") else { return };
    let container = container(server);
    let store = store(&container, account(server));
    promises::of_killed_writers(&store, &config(server, &container), count(8, 100));
}

/// Every way to name the container and to be let in; Microsoft's client reads what was written.
#[test]
fn urls_and_credentials_of_each_kind_lead_into_the_container() {
    let Some(server) = server("urls_and_credentials_of_each_kind_lead_into_the_container") else { return };
    let container = container(server);
    let sas = server.shared_access_signature(&container);
    let host = format!("{}.dfs.core.windows.net", AzureServer::ACCOUNT);
    for (number, (url, named, secret)) in [
        (format!("abfss://{container}@{host}"), false, "lavka.azure.access.key"),
        (
            format!("wasbs://{container}@{}.blob.core.windows.net", AzureServer::ACCOUNT),
            false,
            "lavka.azure.sas.token",
        ),
        (format!("az://{container}"), true, "lavka.azure.sas.token"),
        (format!("azure://{container}"), true, "lavka.azure.access.key"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut config = config(server, &container);
        config.set("store.url", format!("{url}/number={number}"));
        config.set("lavka.azure.access.key", "");
        config.set(secret, if secret.ends_with("key") { AzureServer::KEY } else { &sas });
        if named {
            config.set("lavka.azure.account", AzureServer::ACCOUNT);
        }
        runtime().block_on(async {
            let mut rig = Rig::open(&config).await.unwrap_or_else(|error| panic!("{url}: {error}"));
            rig.put(60).await.unwrap();
            rig.stop().await;
        });
    }
    let folder = temp_dir();
    server.copy_out(&container, folder.path()).unwrap();
    let script = "\
import duckdb
query = 'select number, count(*), count(distinct \"offset\"), sum(\"offset\") from \
read_parquet(\\'number=*/topics/**/*.parquet\\', hive_partitioning = true) group by number order by number'
for row in duckdb.connect().execute(query).fetchall():
    print(*row)
";
    // Whoever could start the server has these packages.
    let python = Python::for_lake().unwrap();
    let printed = python.run(folder.path(), &["-c", script], Duration::from_secs(120)).unwrap();
    let rows: Vec<String> = (0..4).map(|number| format!("{number} 60 60 1770")).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), rows);
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let Some(server) = server("who_is_not_let_in_is_told_why") else { return };
    let container = container(server);
    let wrong = "d3Jvbmcga2V5IG9mIHNvbWVib2R5IGVsc2U=";
    let told = |container: &str, key: &str| {
        let account = AzureSettings { access_key: Some(Password::new(key)), ..account(server) };
        let error = runtime().block_on(store(container, account).prepare()).unwrap_err();
        assert!(!error.is_retriable(), "{error}");
        error.to_string()
    };
    let text = told(&container, wrong);
    assert!(text.contains("check the account's key") || text.contains("allow the account"), "{text}");
    assert!(!text.contains(wrong) && text.contains(&container), "{text}");
    let text = told("nowhere", AzureServer::KEY);
    assert!(text.contains("check that the bucket exists") && text.contains("nowhere"), "{text}");
    assert!(!text.contains(AzureServer::KEY), "{text}");
}
