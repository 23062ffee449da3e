//! Values that the server did not send, read again.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::data::Value;
use lavka_testkit::{Postgres, PostgresConfig};

use crate::debezium::Debezium;
use crate::rig::{Running, Store, at, config, database, rows};
use crate::shown::{Shown, differences};

const PROCESSOR: [(&str, &str); 2] = [
    ("post.processors", "again"),
    ("again.type", "io.debezium.processors.reselect.ReselectColumnsPostProcessor"),
];

/// Tables whose columns are kept out of line, with some rows.
fn tables(server: &Postgres) {
    server.sql(
        "create table t (id int, part varchar(9), n int, body text, data bytea, doc jsonb, list int[], note text, \
             fixed char(6), flag bool, primary key (part, id));
         alter table t alter body set storage external, alter data set storage external, \
             alter doc set storage external, alter list set storage external;
         create table keyless (n int, body text);
         alter table keyless alter body set storage external, replica identity full;",
    );
}

/// Rows with large values, and changes that leave them alone.
fn changes(server: &Postgres) {
    server.sql(
        r"insert into t select i, 'p''\' || i, 0, repeat('body' || i, 1000), decode(repeat('0aff', 2000), 'hex'),
              jsonb_build_object('a', repeat('x', 4000)), array(select generate_series(1, 2000)), null, 'ab', true
          from generate_series(1, 20) i;
          insert into keyless values (1, repeat('k', 5000));",
    );
    server.sql("update t set n = n + 1");
    server.sql("update t set n = n + 1, id = id + 100 where id = 3; update keyless set n = 2");
    server.sql("update t set n = n + 1, body = null where id = 4");
    server.sql("delete from t where id = 5");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_were_not_sent_are_read_again() {
    let server = database();
    tables(&server);
    let more = [("snapshot.mode", "no_data"), ("max.batch.size", "7")];
    let mut task =
        Running::start(&config(&server, &[&PROCESSOR[..], &more].concat()), &Store::default()).await.unwrap();
    changes(&server);
    // 20 inserts, 20 updates, one of the key that is three records, one, a delete that is two; and the table without key.
    let records = task.take(48).await;
    assert_eq!(records.len(), 48);
    let placeholder = Value::from("__debezium_unavailable_value");
    let mut gone = 0;
    // What was changed after it: the row is gone under its key, or has no body any more.
    let later = |id: Option<&Value>| matches!(id, Some(Value::Int32(3..=5)));
    for record in &records {
        let value = &record.record.value.value;
        let Some(after) = at(value, "after").filter(|after| !after.is_null()) else { continue };
        let updated = at(value, "op").and_then(Value::as_str) == Some("u");
        if updated && later(at(after, "id")) {
            gone += usize::from(at(after, "body") == Some(&placeholder));
            continue;
        }
        assert_ne!(at(after, "body"), Some(&placeholder), "{after:?}");
        if let Some(list) = at(after, "list") {
            assert!(matches!(list, Value::Array(items) if items.len() == 2000), "{list:?}");
            assert_eq!(at(after, "fixed"), Some(&Value::from("ab    ")));
        }
    }
    assert!(gone <= 2, "where the row was gone before it was read, it stays as it is");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_columns_that_were_chosen_are_read_and_a_missing_row_may_end_the_task() {
    let server = database();
    tables(&server);
    let more = [
        ("snapshot.mode", "no_data"),
        ("again.reselect.columns.include.list", "public.t:body"),
        ("again.reselect.null.values", "false"),
        ("again.reselect.error.handling.mode", "fail"),
    ];
    let config = config(&server, &[&PROCESSOR[..], &more].concat());
    let store = Store::default();
    let mut task = Running::start(&config, &store).await.unwrap();
    server.sql("insert into t (id, part, n, body, doc) values (1, 'p', 0, repeat('b', 5000), jsonb_build_object('a', repeat('x', 4000)))");
    let created = task.take(1).await;
    task.commit(&created);
    task.stop().await;
    server.sql("update t set n = 1; update t set n = 2; delete from t");
    server.sql("insert into t (id, part, n, body) values (1, 'p', 3, repeat('c', 5000)); update t set n = 4");
    let mut task = Running::start(&config, &store).await.unwrap();
    let records = task.take(6).await;
    let body = |index: usize| {
        let text = at(&records[index].record.value.value, "after.body").and_then(Value::as_str);
        text.map(|text| text[..1].to_owned())
    };
    assert_eq!(rows(&records, "n"), ["u1", "u2", "d", "-", "c3", "u4"]);
    // What is there now, which is what Debezium reads too.
    assert_eq!(
        [body(0), body(1), body(5)],
        [Some("c".to_owned()), Some("c".to_owned()), Some("c".to_owned())]
    );
    let doc = at(&records[0].record.value.value, "after.doc").and_then(Value::as_str);
    assert_eq!(doc, Some("__debezium_unavailable_value"), "it was not chosen");
    server.sql("begin; update t set n = 5; delete from t; commit");
    let error = loop {
        match task.poll().await {
            Err(error) => break error.to_string(),
            Ok(more) => assert_eq!(rows(&more, "n"), Vec::<String>::new()),
        }
    };
    assert!(error.contains("public.t with the key p,1 is gone"), "{error}");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_once_others_see_their_transaction() {
    // A standby that is not there: a commit is in the stream long before it counts for others.
    let settings = ["synchronous_standby_names = 'nobody'", "synchronous_commit = local"].map(str::to_owned);
    let server = Arc::new(
        Postgres::start(&PostgresConfig { settings: settings.into(), ..Default::default() }).unwrap(),
    );
    tables(&server);
    let more = [("snapshot.mode", "no_data"), ("again.reselect.error.handling.mode", "fail")];
    let mut task =
        Running::start(&config(&server, &[&PROCESSOR[..], &more].concat()), &Store::default()).await.unwrap();
    let waiting = Arc::clone(&server);
    let inserting = std::thread::spawn(move || {
        waiting.sql("set synchronous_commit = on; insert into t (id, part, n) values (1, 'p', 0)")
    });
    let asked = "select count(*) from pg_stat_activity where query like '%txid_current_snapshot%' \
                 and pid <> pg_backend_pid()";
    while server.sql(asked) == "0" {
        if let Ok(records) = tokio::time::timeout(Duration::from_millis(100), task.poll()).await {
            assert_eq!(rows(&records.unwrap(), "n"), Vec::<String>::new());
        }
    }
    assert_eq!(server.sql("select count(*) from t"), "0", "others do not see it");
    server.sql("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'");
    inserting.join().unwrap();
    assert_eq!(rows(&task.take(1).await, "n"), ["c0"]);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_changes_that_went_out_and_of_tables_that_were_renamed_are_not_missed() {
    let server = database();
    tables(&server);
    let more = [
        ("snapshot.mode", "no_data"),
        ("table.include.list", "public.t,public.keyless"),
        ("again.reselect.null.values", "false"),
        ("again.reselect.error.handling.mode", "fail"),
    ];
    let config = config(&server, &[&PROCESSOR[..], &more].concat());
    let store = Store::default();
    let mut task = Running::start(&config, &store).await.unwrap();
    server.sql(
        "insert into t (id, part, n, body) select i, 'p', 0, repeat('b', 5000) from generate_series(1, 2) i",
    );
    let created = task.take(2).await;
    task.commit(&created);
    server.sql(
        "begin; update t set n = 1 where id = 1; update t set n = 2 where id = 1; update t set n = 3 where id = 2; commit",
    );
    let first = task.take(3).await;
    assert_eq!(rows(&first, "n"), ["u1", "u2", "u3"]);
    task.commit(&first[..2]);
    task.stop().await;
    server.sql("delete from t where id = 1");
    // The transaction comes again, and the row of its first changes is gone.
    let mut task = Running::start(&config, &store).await.unwrap();
    let rest = task.take(3).await;
    assert_eq!(rows(&rest, "n"), ["u3", "d", "-"]);
    let body = at(&rest[0].record.value.value, "after.body").and_then(Value::as_str);
    assert_eq!(body.map(str::len), Some(5000));
    server.sql("alter table t rename to other; update other set n = 4; insert into keyless values (5, 'k')");
    assert_eq!(rows(&task.take(1).await, "n"), ["c5"]);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_rows_are_read_some_at_a_time() {
    let server = database();
    tables(&server);
    server.sql(
        "insert into t (id, part, n, body) select i, 'p', 0, i || repeat('b', case when i % 200 < 160 then 3000 else 1000000 end)
         from generate_series(1, 220) i",
    );
    let more = [
        ("snapshot.mode", "no_data"),
        ("again.reselect.columns.include.list", "public.t:body"),
        ("again.reselect.null.values", "false"),
        ("again.reselect.error.handling.mode", "fail"),
    ];
    let mut task =
        Running::start(&config(&server, &[&PROCESSOR[..], &more].concat()), &Store::default()).await.unwrap();
    // So many small rows that many are read at once where the large ones begin.
    server.sql("update t set n = 1");
    let records = task.take(220).await;
    assert_eq!(records.len(), 220);
    for (index, record) in records.iter().enumerate() {
        let id = index + 1;
        let body = at(&record.record.value.value, "after.body").and_then(Value::as_str).unwrap();
        let length = if id % 200 < 160 { 3000 } else { 1_000_000 };
        assert_eq!(body.trim_end_matches('b'), id.to_string());
        assert_eq!(body.len(), length + id.to_string().len());
    }
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn debezium_reads_the_same_again() {
    let Some(mut debezium) = Debezium::launch("debezium_reads_the_same_again") else { return };
    let server = database();
    tables(&server);
    server.sql("create publication dbz_publication for all tables");
    let more = [("snapshot.mode", "no_data"), ("publication.autocreate.mode", "disabled")];
    let settings = |slot: &str| {
        config(
            &server,
            &[&PROCESSOR[..], &more, &[("slot.name", slot), ("again.reselect.null.values", "true")]].concat(),
        )
    };
    let mut task = Running::start(&settings("ours"), &Store::default()).await.unwrap();
    debezium.start("theirs", &settings("theirs"), None);
    changes(&server);
    let ours = task.take(48).await;
    for (index, record) in ours.iter().enumerate() {
        let theirs = debezium.record("theirs").steady();
        let ours = Shown::of_ours(record).steady();
        // What was changed after it, each connector has read at a time of its own.
        if ours.at("/op") == "u" && [3, 4, 5].iter().any(|id| ours.at("/after/id") == id) {
            continue;
        }
        assert_eq!(differences(&theirs, &ours), Vec::<String>::new(), "record {index}");
    }
    debezium.stop("theirs");
    task.stop().await;
}
