//! Keys of the source that change which tables are read and what their rows become.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lavka_api::data::Value;
use lavka_api::plugin::{ConnectorContext, Factory, SourceConnector};
use lavka_testkit::eventually;
use tokio::runtime::Runtime;

use crate::databases::Db;
use crate::harness::name;
use crate::source::{Reader, SOURCE, keys, row};

fn connector() -> Box<dyn SourceConnector> {
    let plugins = lavka_connector_warehouse::plugins();
    let plugin = plugins.into_iter().find(|plugin| plugin.class == SOURCE).unwrap();
    let Factory::Source(make) = plugin.factory else { panic!("it is a source") };
    make()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// The tables that a connector with these keys finds, by their last names.
fn tables(more: &[(&str, &str)]) -> String {
    let all = [vec![("mode", "bulk")], more.to_vec()].concat();
    let config = keys(Db::Postgres, "", &all);
    let mut connector = connector();
    let found = runtime().block_on(async {
        connector.start(ConnectorContext::new("source", || {}), &config).await.unwrap();
        let configs = connector.task_configs(1).await.unwrap();
        connector.stop().await;
        configs[0].get("tables").unwrap_or_default().to_owned()
    });
    let names: Vec<&str> = found.split(',').filter_map(|table| table.rsplit('_').next()).collect();
    names.join(",").replace('"', "")
}

#[test]
fn tables_are_read_or_left_out_as_listed() {
    let place = name("listed");
    let sql = ["a", "b", "c"].map(|suffix| format!("CREATE TABLE {place}.{place}_{suffix} (id int);"));
    let view = format!("CREATE VIEW {place}.{place}_v AS SELECT 1 AS id");
    Db::Postgres.sql("", &format!("CREATE SCHEMA {place}; {} {view}", sql.concat()));
    let schema = ("schema.pattern", place.as_str());
    let (a, b) = (format!("{place}_a"), format!("{place}.{place}_b"));
    let (all, not) = (format!("{place}\\..*"), ".*_[ab]".to_owned());
    for (more, expected) in [
        (vec![schema], "a,b,c"),
        (vec![("schema.pattern", "none%such")], ""),
        (vec![schema, ("table.whitelist", &a)], "a"),
        (vec![("table.whitelist", &b)], "b"),
        (vec![schema, ("table.blacklist", &b)], "a,c"),
        (vec![("table.include.list", &all)], "a,b,c"),
        (vec![("table.include.list", &all), ("table.exclude.list", &not)], "c"),
        (vec![schema, ("table.types", "VIEW")], "v"),
        (vec![schema, ("table.types", "TABLE,VIEW")], "a,b,c,v"),
    ] {
        assert_eq!(tables(&more), expected, "{more:?}");
    }
}

#[test]
fn new_tables_are_looked_for_in_the_interval() {
    let place = name("watched");
    Db::Postgres.sql("", &format!("CREATE SCHEMA {place}; CREATE TABLE {place}.a (id int)"));
    let more = [("mode", "bulk"), ("schema.pattern", place.as_str()), ("table.poll.interval.ms", "50")];
    let config = keys(Db::Postgres, "", &more);
    let mut connector = connector();
    let asked = Arc::new(AtomicBool::new(false));
    let asks = asked.clone();
    let runtime = runtime();
    let context = ConnectorContext::new("source", move || asks.store(true, Ordering::Relaxed));
    runtime.block_on(connector.start(context, &config)).unwrap();
    Db::Postgres.sql("", &format!("CREATE TABLE {place}.b (id int)"));
    let noticed = || asked.load(Ordering::Relaxed).then_some(());
    eventually("a request for other tasks", Duration::from_secs(60), noticed);
    let configs = runtime.block_on(connector.task_configs(2)).unwrap();
    assert_eq!(configs.len(), 2);
    runtime.block_on(connector.stop());
}

/// The field `x` of the only row of a query.
fn read(query: &str, more: &[(&str, &str)]) -> String {
    let all =
        [vec![("mode", "bulk"), ("query", query), ("poll.interval.ms", "60000")], more.to_vec()].concat();
    let mut reader = Reader::new(&keys(Db::Postgres, "", &all), None);
    let records = reader.next();
    reader.stop();
    format!("{:?}", row(&records[0]).get("x").unwrap())
}

#[test]
fn timestamps_have_the_granularity_that_is_asked_for() {
    let query = "SELECT TIMESTAMP '2024-02-29 12:30:00.123456' AS x";
    for (granularity, expected) in [
        ("connect_logical", "Timestamp(1709209800123)"),
        ("micros_long", "Int64(1709209800123456)"),
        ("nanos_long", "Int64(1709209800123456000)"),
        ("micros_string", "String(\"1709209800123456\")"),
        ("nanos_string", "String(\"1709209800123456000\")"),
        ("micros_iso_datetime_string", "String(\"2024-02-29T12:30:00.123456\")"),
        ("nanos_iso_datetime_string", "String(\"2024-02-29T12:30:00.123456000\")"),
    ] {
        assert_eq!(read(query, &[("timestamp.granularity", granularity)]), expected, "{granularity}");
    }
    let zoned = read(query, &[("db.timezone", "Europe/Prague")]);
    assert_eq!(zoned, "Timestamp(1709206200123)");
}

#[test]
fn numbers_are_mapped_as_asked_for() {
    let table = name("numbers");
    let sql = format!("CREATE TABLE {table} (id int, n numeric(4,0), d numeric(6,2), l numeric(30,2))");
    Db::Postgres.sql("", &format!("{sql}; INSERT INTO {table} VALUES (1, 1234, 1.25, 2.5)"));
    for (key, expected) in [
        (("numeric.mapping", "none"), "decimal decimal decimal"),
        (("numeric.precision.mapping", "true"), "Int16(1234) decimal decimal"),
        (("numeric.mapping", "precision_only"), "Int16(1234) decimal decimal"),
        (("numeric.mapping", "best_fit"), "Int16(1234) Float64(1.25) decimal"),
        (("numeric.mapping", "best_fit_eager_double"), "Int16(1234) Float64(1.25) Float64(2.5)"),
    ] {
        let more =
            [("mode", "bulk"), ("table.whitelist", table.as_str()), ("poll.interval.ms", "60000"), key];
        let mut reader = Reader::new(&keys(Db::Postgres, &table, &more), None);
        let records = reader.next();
        reader.stop();
        let shown = ["n", "d", "l"].map(|field| match row(&records[0]).get(field).unwrap() {
            Value::Decimal(_) => "decimal".to_owned(),
            other => format!("{other:?}"),
        });
        assert_eq!(shown.join(" "), expected, "{key:?}");
    }
}

#[test]
fn rows_are_read_from_a_time_on_and_until_some_time_ago() {
    let table = name("since");
    let sql = format!("CREATE TABLE {table} (id int NOT NULL, at timestamp NOT NULL)");
    let rows = "(1, '2024-01-01 00:00:00'), (2, '2024-01-01 00:00:02'), (3, now() AT TIME ZONE 'UTC' - interval '1 minute')";
    Db::Postgres.sql("", &format!("{sql}; INSERT INTO {table} VALUES {rows}"));
    let base = [("mode", "timestamp"), ("timestamp.column.name", "at"), ("table.whitelist", table.as_str())];
    for (more, expected) in [
        (vec![], vec![1, 2, 3]),
        // A second after the first row.
        (vec![("timestamp.initial", "1704067201000")], vec![2, 3]),
        (vec![("timestamp.delay.interval.ms", "3600000")], vec![1, 2]),
    ] {
        let more = [base.to_vec(), more].concat();
        let mut reader = Reader::new(&keys(Db::Postgres, &table, &more), None);
        assert_eq!(crate::source::ids(&reader.read(expected.len())), expected, "{more:?}");
        reader.stop();
    }
    let from_now = [base.to_vec(), vec![("timestamp.initial", "-1")]].concat();
    let mut reader = Reader::new(&keys(Db::Postgres, &table, &from_now), None);
    assert!(reader.read(0).is_empty(), "all rows are older than now");
    reader.stop();
}
