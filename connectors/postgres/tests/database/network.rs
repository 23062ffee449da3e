//! A network that is cut, and one that goes silent.

use std::time::Duration;

use lavka_testkit::{Network, Postgres, PostgresConfig};

use crate::rig::{Running, Store, config, rows};

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_goes_on_when_the_network_comes_back_and_when_it_went_silent() {
    let settings = vec!["wal_sender_timeout = '1s'".to_owned()];
    let server = Postgres::start(&PostgresConfig { settings, ..PostgresConfig::default() }).unwrap();
    server.sql("create table t (id int primary key)");
    let network = Network::to(server.port());
    let port = network.port().to_string();
    let config = config(&server, &[("database.port", &port), ("snapshot.mode", "no_data")]);
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    let next = async |task: &mut Running| {
        let records = task.take(1).await;
        task.commit(&records);
        rows(&records, "id").concat()
    };
    server.sql("insert into t values (1)");
    assert_eq!(next(&mut task).await, "c1");
    network.cut();
    server.sql("insert into t values (2)");
    // Nothing comes back before there is a network.
    assert!(tokio::time::timeout(Duration::from_secs(1), task.take(1)).await.is_err());
    network.heal();
    assert_eq!(next(&mut task).await, "c2");
    network.lose();
    server.sql("insert into t values (3)");
    assert_eq!(next(&mut task).await, "c3");
    task.stop().await;
}
