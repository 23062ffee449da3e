//! TLS of both connections: for SQL and for replication.

use lavka_testkit::{Authority, Postgres, PostgresConfig, PostgresTls, temp_dir, write_file};

use crate::rig::{Running, Store, config, rows};

#[tokio::test(flavor = "multi_thread")]
async fn both_connections_are_encrypted_and_certificates_are_checked() {
    let authority = Authority::new("the test's");
    let identity = authority.server();
    let tls = Some(PostgresTls { certificate: identity.certificate, key: identity.key });
    let settings = vec!["log_connections = on".to_owned()];
    let server = Postgres::start(&PostgresConfig { tls, settings, ..PostgresConfig::default() }).unwrap();
    server.sql("create table t (id int primary key); insert into t values (1)");
    let folder = temp_dir();
    let trusted = write_file(folder.path(), "ca.pem", authority.certificate());
    let other = write_file(folder.path(), "other.pem", Authority::new("another").certificate());
    let (trusted, other) = (trusted.to_str().unwrap(), other.to_str().unwrap());
    for (mode, host, root) in [
        ("require", "127.0.0.1", None),
        ("prefer", "127.0.0.1", None),
        ("verify-ca", "127.0.0.1", Some(trusted)),
        ("verify-full", "localhost", Some(trusted)),
    ] {
        let slot = mode.replace('-', "_");
        let mut config =
            config(&server, &[("database.sslmode", mode), ("database.hostname", host), ("slot.name", &slot)]);
        if let Some(root) = root {
            config.set("database.sslrootcert", root);
        }
        let mut task = Running::start(&config, &Store::default()).await.unwrap();
        let id = 1 + server.sql("select count(*) from t").parse::<i32>().unwrap();
        task.take(usize::try_from(id - 1).unwrap()).await;
        server.sql(&format!("insert into t values ({id})"));
        assert_eq!(rows(&task.take(1).await, "id"), [format!("c{id}")], "{mode}");
        let plain = server.sql(
            "select count(*) from pg_stat_ssl s join pg_stat_activity a using (pid) \
             where a.application_name like 'Lavka%' and not s.ssl",
        );
        assert_eq!(plain, "0", "{mode}");
        task.stop().await;
    }
    let wrong = config(
        &server,
        &[("database.sslmode", "verify-ca"), ("database.sslrootcert", other), ("slot.name", "wrong")],
    );
    let error = Running::start(&wrong, &Store::default()).await.err().unwrap().to_string();
    assert!(error.contains("TLS") && error.contains("database.sslrootcert"), "{error}");
}
