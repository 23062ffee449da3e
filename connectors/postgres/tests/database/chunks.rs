//! Chunks of incremental snapshots: which rows they have, and which of them still count when their window ends.

use std::time::Duration;

use lavka_api::data::{SourceRecord, Value};
use lavka_testkit::{Postgres, PostgresConfig};

use crate::rig::{Running, Store, at, config, database, rows};

const SIGNALS: &str =
    "create table sig (id varchar(42) primary key, type varchar(32) not null, data varchar(2048));";

/// Runs `statements` when the first window is about to be closed: its rows were read, and the stream has not come there.
fn at_first_close(server: &Postgres, statements: &str) {
    server.sql(&format!(
        "create table closed (n int);
         create function meddle() returns trigger language plpgsql as $$ begin
             if new.type = 'snapshot-window-close' and not exists (select from closed) then
                 insert into closed values (1); {statements}
             end if;
             return new;
         end $$;
         create trigger meddle before insert on sig for each row execute function meddle();"
    ));
}

/// A task with chunks of four rows that is told to read what `data` says.
async fn reading(server: &Postgres, more: &[(&str, &str)], data: &str) -> Running {
    let mut entries = vec![
        ("snapshot.mode", "no_data"),
        ("signal.data.collection", "public.sig"),
        ("incremental.snapshot.chunk.size", "4"),
        ("table.exclude.list", "public.closed"),
        ("notification.enabled.channels", "sink"),
        ("notification.sink.topic.name", "told"),
    ];
    entries.extend(more);
    let task = Running::start(&config(server, &entries), &Store::default()).await.unwrap();
    server.sql(&format!("insert into sig values ('s1', 'execute-snapshot', '{data}')"));
    task
}

/// What came of a table until its snapshot was over, as operation and field.
async fn until_over(task: &mut Running, table: &str, field: &str) -> Vec<String> {
    let records = task.take_until_told("COMPLETED").await;
    let of_table: Vec<SourceRecord> =
        records.into_iter().filter(|record| record.record.topic.ends_with(table)).collect();
    rows(&of_table, field)
}

fn numbered(op: &str, numbers: impl Iterator<Item = u32>) -> Vec<String> {
    let mut all: Vec<String> = numbers.map(|number| format!("{op}{number}")).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_whole_key_are_read_too() {
    let server = database();
    server.sql(&format!(
        "{SIGNALS}
         create table one (n int, k text unique); alter table one replica identity full;
         insert into one select i, case when i <= 10 then 'k' || i end from generate_series(1, 19) i;
         create table two (n int, a int, b text, unique (a, b)); alter table two replica identity full;
         insert into two select i, nullif(i % 4, 0), case when i % 3 > 0 then 'b' || i end from generate_series(1, 30) i;"
    ));
    for (read_only, table, count) in
        [("false", "one", 19), ("true", "one", 19), ("false", "two", 30), ("true", "two", 30)]
    {
        let data = format!(r#"{{"data-collections":["public.{table}"]}}"#);
        server.sql("delete from sig; select pg_drop_replication_slot(slot_name) from pg_replication_slots");
        let mut task = reading(&server, &[("read.only", read_only)], &data).await;
        let mut read = until_over(&mut task, &format!(".{table}"), "n").await;
        read.sort();
        assert_eq!(read, numbered("r", 1..=count), "{table} {read_only}");
        task.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_share_a_surrogate_key_are_all_read() {
    let server = database();
    server.sql(&format!(
        "{SIGNALS} create table t (n int primary key, day int not null);
         insert into t select i, i % 3 from generate_series(1, 31) i;"
    ));
    let data = r#"{"data-collections":["public.t"],"surrogate-key":"day"}"#;
    let mut task = reading(&server, &[], data).await;
    let mut read = until_over(&mut task, ".t", "n").await;
    read.sort();
    assert_eq!(read, numbered("r", 1..=31));
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_table_that_is_emptied_in_the_window_do_not_come_back() {
    let server = database();
    server.sql(&format!(
        "{SIGNALS} create table t (n int primary key); insert into t select generate_series(1, 20);"
    ));
    at_first_close(&server, "truncate t; insert into t values (99);");
    let mut task = reading(&server, &[], r#"{"data-collections":["public.t"]}"#).await;
    let read = until_over(&mut task, ".t", "n").await;
    assert_eq!(read[0], "c99");
    assert!(read.iter().all(|row| matches!(row.as_str(), "c99" | "r99")), "{read:?}");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_counts_as_changed_whatever_tables_are_paged_and_records_are_keyed_by() {
    let by_surrogate = r#"{"data-collections":["public.t"],"surrogate-key":"place"}"#;
    let plain = r#"{"data-collections":["public.t"]}"#;
    for (identity, more, data) in [
        ("default", &[][..], by_surrogate),
        ("default", &[("message.key.columns", "public.t:place")], plain),
        ("using index other", &[], plain),
        ("full", &[], by_surrogate),
    ] {
        let server = database();
        server.sql(&format!(
            "{SIGNALS} create table t (n int primary key, place int not null, o int not null, v text);
             create unique index other on t (o); alter table t replica identity {identity};
             insert into t select i, i + 100, i + 200, 'old' from generate_series(1, 4) i;"
        ));
        at_first_close(
            &server,
            "update t set place = place + 1000, v = 'new' where n < 3; delete from t where n = 3;
             update t set o = o + 1000, n = n + 10, v = 'new' where n = 4;",
        );
        let mut more = more.to_vec();
        more.push(("tombstones.on.delete", "false"));
        let mut task = reading(&server, &more, data).await;
        let read = until_over(&mut task, ".t", "v").await;
        assert!(!read.contains(&"rold".to_owned()), "{identity} {data}: {read:?}");
        assert!(read.iter().any(|row| row.ends_with("new")), "{read:?}");
        task.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_made_since_the_start_can_be_read() {
    let server = database();
    server.sql(SIGNALS);
    for data in [
        r#"{"data-collections":["public.late"]}"#,
        r#"{"data-collections":["public.late"],"type":"blocking"}"#,
    ] {
        server.sql(
            "delete from sig; select pg_drop_replication_slot(slot_name) from pg_replication_slots; \
             drop table if exists late",
        );
        let mut task = reading(&server, &[], r#"{"data-collections":["public.sig"]}"#).await;
        task.take_until_told("COMPLETED").await;
        server.sql("create table late (n int primary key)");
        server.sql(&format!(
            "insert into late values (1), (2); insert into sig values ('s2', 'execute-snapshot', '{data}')"
        ));
        let mut read = until_over(&mut task, ".late", "n").await;
        read.retain(|row| row.starts_with('r'));
        assert_eq!(read, ["r1", "r2"], "{data}");
        task.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_is_not_older_than_what_has_come_by() {
    for ty in ["incremental", "blocking"] {
        let settings = vec!["synchronous_standby_names = 'nobody'".to_owned()];
        let server = Postgres::start(&PostgresConfig { settings, ..PostgresConfig::default() }).unwrap();
        let server = std::sync::Arc::new(server);
        server.sql(&format!(
            "{SIGNALS} create table t (n int primary key, v text); insert into t values (1, 'old');"
        ));
        let mut task = reading(&server, &[], r#"{"data-collections":["public.sig"]}"#).await;
        task.take_until_told("COMPLETED").await;
        // The stream has it before others see it, who wait for a standby that does not come.
        let writer = std::sync::Arc::clone(&server);
        let writing = std::thread::spawn(move || {
            writer.sql("set synchronous_commit = on; update t set v = 'new'");
        });
        assert_eq!(rows(&task.take(1).await, "v"), ["unew"]);
        let data = format!(r#"{{"data-collections":["public.t"],"type":"{ty}"}}"#);
        server.sql(&format!("insert into sig values ('s2', 'execute-snapshot', '{data}')"));
        let waits = "select count(*) from pg_stat_activity \
                     where application_name like 'Lavka%' and query like '%txid_current_snapshot%'";
        let is_over = |record: &SourceRecord| {
            let told = at(&record.record.value.value, "type").and_then(Value::as_str) == Some("COMPLETED");
            told && &*record.record.topic == "told"
        };
        let mut records: Vec<SourceRecord> = Vec::new();
        while server.sql(waits) == "0" && !records.iter().any(is_over) {
            // A poll waits as long as the snapshot does.
            let polled = tokio::time::timeout(Duration::from_millis(20), task.poll()).await;
            records.extend(polled.into_iter().flat_map(Result::unwrap));
        }
        server.sql("alter system set synchronous_standby_names = ''");
        server.sql("select pg_reload_conf()");
        writing.join().unwrap();
        if !records.iter().any(is_over) {
            records.extend(task.take_until_told("COMPLETED").await);
        }
        records.retain(|record| record.record.topic.ends_with(".t"));
        assert_eq!(rows(&records, "v"), ["rnew"], "{ty}");
        task.stop().await;
    }
}
