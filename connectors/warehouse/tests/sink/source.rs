//! The source: what tables and queries become.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::{Logical, OffsetMap, SourceRecord, Struct, Type, Value};
use lavka_api::plugin::{
    ConnectorContext, Factory, OffsetReader, SourceConnector, SourceTask, SourceTaskStart, TaskId,
};
use lavka_api::{Result, async_trait};
use tokio::runtime::Runtime;

use crate::databases::{ALL, Db};
use crate::harness::{config, faulty, name};

pub(crate) const SOURCE: &str = "io.confluent.connect.jdbc.JdbcSourceConnector";
/// How long a test waits for records that must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it waits for records that should not: some looks at the table, one each 50 ms.
const QUIET: Duration = Duration::from_millis(250);

struct Stored(Option<OffsetMap>);

#[async_trait]
impl OffsetReader for Stored {
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        Ok(partitions.iter().enumerate().map(|(at, _)| self.0.clone().filter(|_| at == 0)).collect())
    }
}

pub(crate) struct Reader {
    runtime: Runtime,
    connector: Box<dyn SourceConnector>,
    task: Box<dyn SourceTask>,
}

impl Reader {
    pub(crate) fn new(config: &Config, offset: Option<OffsetMap>) -> Self {
        let plugin =
            lavka_connector_warehouse::plugins().into_iter().find(|plugin| plugin.class == SOURCE).unwrap();
        let Factory::Source(make) = plugin.factory else { panic!("it is a source") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut connector = make();
        let task = runtime.block_on(async {
            connector.start(ConnectorContext::new("source", || {}), config).await.unwrap();
            let mut configs = connector.task_configs(1).await.unwrap();
            let mut task = connector.task(&configs.remove(0)).unwrap();
            let id = TaskId { connector: "source".into(), task: 0 };
            task.start(SourceTaskStart { id, offsets: Arc::new(Stored(offset)) }).await.unwrap();
            task
        });
        Self { runtime, connector, task }
    }

    /// `count` records, which may take their time, and what comes after them for a while.
    pub(crate) fn read(&mut self, count: usize) -> Vec<SourceRecord> {
        let mut all = Vec::new();
        self.runtime.block_on(async {
            loop {
                let wait = if all.len() < count { PATIENCE } else { QUIET };
                match tokio::time::timeout(wait, self.task.poll()).await {
                    Ok(records) => all.extend(records.unwrap()),
                    Err(_) => return,
                }
            }
        });
        all
    }

    /// The records of one poll.
    pub(crate) fn next(&mut self) -> Vec<SourceRecord> {
        self.runtime.block_on(self.task.poll()).unwrap()
    }

    pub(crate) fn stop(mut self) {
        self.runtime.block_on(async {
            self.task.stop().await;
            self.connector.stop().await;
        });
    }
}

pub(crate) fn keys(db: Db, table: &str, more: &[(&str, &str)]) -> Config {
    let mut all = vec![("topic.prefix", "t-"), ("poll.interval.ms", "50"), ("batch.max.rows", "2")];
    all.extend(more);
    config(SOURCE, db, table, &all)
}

pub(crate) fn row(record: &SourceRecord) -> &Struct {
    let Value::Struct(row) = &record.record.value.value else { panic!("it is a struct") };
    row
}

pub(crate) fn ids(records: &[SourceRecord]) -> Vec<i64> {
    records.iter().map(|record| row(record).get("id").unwrap().as_i64().unwrap()).collect()
}

fn offset(records: &[SourceRecord]) -> OffsetMap {
    records.last().unwrap().position.clone().unwrap().offset
}

#[test]
fn an_incrementing_column_tells_new_rows() {
    for db in ALL {
        let table = name("growing");
        let auto = match db {
            Db::Postgres => "id serial PRIMARY KEY",
            Db::Maria => "id INT PRIMARY KEY AUTO_INCREMENT",
            Db::Sqlite => "id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL",
        };
        db.sql(&table, &format!("CREATE TABLE {table} ({auto}, name VARCHAR(20))"));
        let insert = |names: &str| db.sql(&table, &format!("INSERT INTO {table} (name) VALUES {names}"));
        insert("('a'), (NULL), ('c')");
        let keys = keys(db, &table, &[("mode", "incrementing"), ("table.whitelist", &table)]);
        let mut reader = Reader::new(&keys, None);
        let first = reader.read(3);
        assert_eq!(ids(&first), [1, 2, 3], "{db:?}");
        assert_eq!(&*first[0].record.topic, format!("t-{table}").as_str());
        assert_eq!(row(&first[1]).get("name"), Some(&Value::Null));
        assert_eq!(offset(&first).get("incrementing"), Some(&Value::Int64(3)));
        insert("('d')");
        assert_eq!(ids(&reader.read(1)), [4], "{db:?}");
        reader.stop();
        // Another run goes on behind the offset.
        let mut reader = Reader::new(&keys, Some(offset(&first)));
        assert_eq!(ids(&reader.read(1)), [4], "{db:?}");
        reader.stop();
    }
}

#[test]
fn timestamps_tell_changed_rows_and_equal_ones_stay_together() {
    for db in [Db::Postgres, Db::Maria] {
        let table = name("stamped");
        db.sql(&table, &format!("CREATE TABLE {table} (id INT NOT NULL, at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6))"));
        db.sql(
            &table,
            &format!(
                "INSERT INTO {table} VALUES (1, '2024-01-01 00:00:00.5'), (2, '2024-01-01 00:00:01'), \
                 (3, '2024-01-01 00:00:01'), (4, '2024-01-01 00:00:02')"
            ),
        );
        let base = [("timestamp.column.name", "at"), ("table.whitelist", table.as_str())];
        let mut by_time = base.to_vec();
        by_time.push(("mode", "timestamp"));
        let mut reader = Reader::new(&keys(db, &table, &by_time), None);
        let read = reader.read(4);
        assert_eq!(ids(&read), [1, 2, 3, 4], "{db:?}");
        let times: Vec<i64> = read
            .iter()
            .map(|record| {
                record.position.as_ref().unwrap().offset.get("timestamp").unwrap().as_i64().unwrap()
            })
            .collect();
        let start = 1_704_067_200_000;
        // Of the two rows of one second the first is not past that second yet.
        assert_eq!(times, [start + 500, start + 500, start + 1000, start + 2000], "{db:?}");
        reader.stop();
        let middle = read[1].position.clone().unwrap().offset;
        let mut reader = Reader::new(&keys(db, &table, &by_time), Some(middle));
        assert_eq!(ids(&reader.read(3)), [2, 3, 4], "{db:?}");
        db.sql(&table, &format!("UPDATE {table} SET at = '2024-01-01 00:00:03' WHERE id = 1"));
        assert_eq!(ids(&reader.read(1)), [1], "{db:?}");
        reader.stop();

        let mut by_both = base.to_vec();
        by_both.extend([("mode", "timestamp+incrementing"), ("incrementing.column.name", "id")]);
        let mut reader = Reader::new(&keys(db, &table, &by_both), None);
        let read = reader.read(4);
        assert_eq!(ids(&read), [2, 3, 4, 1], "{db:?}");
        reader.stop();
        let after_two = read[0].position.clone().unwrap().offset;
        let mut reader = Reader::new(&keys(db, &table, &by_both), Some(after_two));
        assert_eq!(ids(&reader.read(3)), [3, 4, 1], "{db:?}");
        reader.stop();
    }
}

#[test]
fn queries_and_bulk_read_what_they_say() {
    for db in ALL {
        let table = name("asked");
        db.sql(&table, &format!("CREATE TABLE {table} (id INTEGER NOT NULL, name VARCHAR(9))"));
        db.sql(&table, &format!("INSERT INTO {table} VALUES (1, 'a'), (2, 'b')"));
        let query = format!("SELECT id, name AS label FROM {table}");
        let config = keys(
            db,
            &table,
            &[
                ("mode", "incrementing"),
                ("incrementing.column.name", "id"),
                ("query", &query),
                ("query.suffix", "LIMIT 5"),
            ],
        );
        let mut reader = Reader::new(&config, None);
        let read = reader.read(2);
        assert_eq!(ids(&read), [1, 2], "{db:?}");
        assert_eq!(&*read[0].record.topic, "t-");
        assert_eq!(row(&read[0]).get("label"), Some(&"a".into()));
        assert_eq!(read[0].position.as_ref().unwrap().partition, OffsetMap::new([("query", "query")]));
        reader.stop();
        let mut all = keys(db, &table, &[("mode", "bulk"), ("table.whitelist", &table)]);
        all.set("poll.interval.ms", "60000");
        let mut reader = Reader::new(&all, None);
        let read = reader.read(2);
        assert_eq!((ids(&read), read[0].position.is_none()), (vec![1, 2], true), "{db:?}");
        reader.stop();
    }
}

#[test]
fn columns_become_fields_of_their_types() {
    let table = name("typed");
    let db = Db::Postgres;
    db.sql(
        "",
        &format!(
            "CREATE TABLE {table} (id bigint PRIMARY KEY, s smallint, r real, n numeric(8,3), o numeric, b bytea, u uuid, \
             j jsonb, d date, t time, w timestamp, z timestamptz, a int[], f boolean);
             INSERT INTO {table} VALUES (1, -2, 1.5, 12.345, 1.25, '\\x00ff', '00112233-4455-6677-8899-aabbccddeeff', \
             '{{\"a\": 1}}', '2024-02-29', '12:34:56.789', '2024-02-29 12:30:00.5', '2024-02-29 12:30:00.5+01', '{{1,NULL}}', true)"
        ),
    );
    let config = keys(
        db,
        &table,
        &[
            ("mode", "incrementing"),
            ("incrementing.column.name", "id"),
            ("table.include.list", &format!("public.{table}")),
        ],
    );
    let mut reader = Reader::new(&config, None);
    let read = reader.read(1);
    let row = row(&read[0]);
    let schema = row.schema();
    assert_eq!(schema.name().map(|name| name.as_str()), Some(table.as_str()));
    assert!(
        !schema.field("id").unwrap().schema().is_optional()
            && schema.field("s").unwrap().schema().is_optional()
    );
    assert_eq!(schema.field("n").unwrap().schema().logical(), Some(Logical::Decimal(3)));
    assert_eq!(schema.field("s").unwrap().schema().ty(), Type::Int16);
    for (field, text) in [
        ("n", "Decimal(12.345)"),
        ("o", "Decimal(1.250000000000000000)"),
        ("d", "Date(19782)"),
        ("t", "Time(45296789)"),
        ("w", "Timestamp(1709209800500)"),
        ("z", "Timestamp(1709206200500)"),
        ("u", "String(\"00112233-4455-6677-8899-aabbccddeeff\")"),
        ("j", "String(\"{\\\"a\\\": 1}\")"),
        // ODBC has no arrays.
        ("a", if crate::OVER_ODBC { "String(\"{1,NULL}\")" } else { "Array([Int32(1), Null])" }),
        ("f", "Boolean(true)"),
        ("r", "Float32(1.5)"),
    ] {
        let shown = format!("{:?}", row.get(field).unwrap());
        assert_eq!(shown.replace("Decimal(Decimal(", "Decimal(").replace("))", ")"), text, "{field}");
    }
    reader.stop();
}

#[test]
fn dates_that_are_zero_are_null_and_those_that_are_none_are_named() {
    let table = name("zeros");
    let db = Db::Maria;
    db.sql(
        "",
        &format!(
            "SET sql_mode = ''; CREATE TABLE {table} (id INT PRIMARY KEY, d DATE, w DATETIME, z TIMESTAMP NULL); \
             INSERT INTO {table} VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00'), \
             (2, '2024-02-29', '2024-02-29 01:02:03', '2024-02-29 01:02:03')"
        ),
    );
    let keys = keys(
        db,
        &table,
        &[("mode", "incrementing"), ("incrementing.column.name", "id"), ("table.whitelist", &table)],
    );
    let mut reader = Reader::new(&keys, None);
    let records = reader.read(2);
    assert_eq!(ids(&records), [1, 2]);
    for field in ["d", "w", "z"] {
        assert_eq!(row(&records[0]).get(field), Some(&Value::Null), "{field}");
        assert_ne!(row(&records[1]).get(field), Some(&Value::Null), "{field}");
    }
    // A month without a number is no date and no null.
    db.sql("", &format!("SET sql_mode = ''; INSERT INTO {table} VALUES (3, '2024-00-10', NULL, NULL)"));
    let error = reader.runtime.block_on(async {
        loop {
            match reader.task.poll().await {
                Ok(_) => {}
                Err(error) => break error,
            }
        }
    });
    assert!(error.to_string().contains("column d"), "{error}");
    reader.stop();
}

#[test]
fn columns_of_types_that_have_no_other_form_are_texts() {
    let (db, table) = (Db::Postgres, name("texts"));
    db.sql(
        "",
        &format!(
            "CREATE TYPE {table}_mood AS ENUM ('good', 'bad');
             CREATE TABLE {table} (id int PRIMARY KEY, long interval, net inet, paid money, mask bit(3), doc xml, \
             place point, at timetz, moods {table}_mood[], times time[], docs jsonb[], twice int GENERATED ALWAYS AS (id * 2) STORED);
             INSERT INTO {table} VALUES (1, '1 day 00:00:01.5', '10.0.0.1', '12.50', B'101', '<a/>', '(1,2)', \
             '12:00:00+02', ARRAY['good']::{table}_mood[], ARRAY['01:02:03']::time[], ARRAY['{{}}']::jsonb[])"
        ),
    );
    let mode = [("mode", "incrementing"), ("incrementing.column.name", "id"), ("table.whitelist", &table)];
    let mut reader = Reader::new(&keys(db, &table, &mode), None);
    let read = reader.read(1);
    let row = row(&read[0]);
    for (field, text) in [
        ("long", "1 day 00:00:01.5"),
        ("net", "10.0.0.1/32"),
        ("paid", "$12.50"),
        ("mask", "101"),
        ("doc", "<a/>"),
        ("place", "(1,2)"),
        ("at", "12:00:00+02"),
        ("moods", "{good}"),
    ] {
        let found = row.get(field).unwrap_or_else(|| panic!("there is no {field}"));
        // ODBC's driver has forms of its own for some of them.
        if !crate::OVER_ODBC || !["net", "paid", "mask"].contains(&field) {
            assert_eq!(found, &Value::from(text), "{field}");
        }
    }
    assert_eq!(row.get("twice").and_then(Value::as_i64), Some(2));
    if !crate::OVER_ODBC {
        assert_eq!(row.get("times"), Some(&vec![Value::Time(3_723_000)].into()));
        assert_eq!(row.get("docs"), Some(&vec![Value::from("{}")].into()));
    }
    reader.stop();

    let (db, table) = (Db::Maria, name("places"));
    db.sql("", &format!("CREATE TABLE {table} (id INT PRIMARY KEY, place POINT, mask BIT(9))"));
    db.sql("", &format!("INSERT INTO {table} VALUES (1, ST_GeomFromText('POINT(1 2)'), b'100000001')"));
    let mode = [("mode", "incrementing"), ("incrementing.column.name", "id"), ("table.whitelist", &table)];
    let mut reader = Reader::new(&keys(db, &table, &mode), None);
    let read = reader.read(1);
    // The server's own form: four bytes of the reference system, and the standard's bytes.
    let Some(Value::Bytes(place)) = self::row(&read[0]).get("place") else { panic!("{:?}", read[0]) };
    assert_eq!(place.as_slice().len(), 25);
    if !crate::OVER_ODBC {
        assert_eq!(self::row(&read[0]).get("mask"), Some(&Value::Bytes(vec![1, 1].into())));
    }
    reader.stop();
}

#[test]
fn a_table_that_is_dropped_holds_up_no_other() {
    for db in ALL {
        let place = name("dropped");
        let tables = ["a", "b"].map(|suffix| format!("{place}_{suffix}"));
        for table in &tables {
            db.sql(&place, &format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY NOT NULL)"));
            db.sql(&place, &format!("INSERT INTO {table} VALUES (1)"));
        }
        let both = tables.join(",");
        let mode = [
            ("mode", "incrementing"),
            ("incrementing.column.name", "id"),
            ("table.whitelist", both.as_str()),
        ];
        let mut reader = Reader::new(&keys(db, &place, &mode), None);
        assert_eq!(reader.read(2).len(), 2, "{db:?}");
        db.sql(&place, &format!("DROP TABLE {}", tables[0]));
        db.sql(&place, &format!("INSERT INTO {} VALUES (2)", tables[1]));
        assert_eq!(ids(&reader.read(1)), [2], "{db:?}");
        // It may come back before the connector has noticed.
        db.sql(&place, &format!("CREATE TABLE {} (id INTEGER PRIMARY KEY NOT NULL)", tables[0]));
        db.sql(&place, &format!("INSERT INTO {} VALUES (7)", tables[0]));
        assert_eq!(ids(&reader.read(1)), [7], "{db:?}");
        reader.stop();
    }
}

#[test]
fn tables_may_differ_in_the_columns_that_tell_new_rows() {
    for db in [Db::Postgres, Db::Maria] {
        let place = name("differ");
        let [first, second] = ["a", "b"].map(|suffix| format!("{place}_{suffix}"));
        db.sql(&place, &format!("CREATE TABLE {first} (id INT NOT NULL, at TIMESTAMP(6) NOT NULL)"));
        let columns = "no INT NOT NULL, changed TIMESTAMP(6) NULL, made TIMESTAMP(6) NOT NULL";
        db.sql(&place, &format!("CREATE TABLE {second} ({columns})"));
        db.sql(&place, &format!("INSERT INTO {first} VALUES (1, '2024-01-01 00:00:00')"));
        db.sql(&place, &format!("INSERT INTO {second} VALUES (2, NULL, '2024-01-01 00:00:01')"));
        let include = format!(".*{place}.*");
        let times = format!(".*{place}_a:[at],.*{place}_b:[changed|made]");
        let ids = format!(".*{place}_b:no,.*:id");
        let mapping = [
            ("mode", "timestamp+incrementing"),
            ("table.include.list", include.as_str()),
            ("timestamp.columns.mapping", times.as_str()),
            ("incrementing.column.mapping", ids.as_str()),
        ];
        let mut reader = Reader::new(&keys(db, &place, &mapping), None);
        let read = reader.read(2);
        let numbers: Vec<_> = read
            .iter()
            .map(|record| record.position.as_ref().unwrap().offset.get("incrementing").cloned().unwrap())
            .collect();
        assert_eq!(numbers, [Value::Int64(1), Value::Int64(2)], "{db:?}");
        reader.stop();
    }
}

#[test]
fn a_hidden_query_is_read_in_the_isolation_that_was_asked_for() {
    for (db, query, level) in [
        (Db::Postgres, "SELECT current_setting('transaction_isolation') AS level", "repeatable read"),
        (Db::Maria, "SELECT @@tx_isolation AS level", "REPEATABLE-READ"),
    ] {
        let place = name("isolated");
        let mode = [
            ("mode", "bulk"),
            ("query.masked", query),
            ("transaction.isolation.mode", "REPEATABLE_READ"),
            ("poll.interval.ms", "60000"),
        ];
        let mut reader = Reader::new(&keys(db, &place, &mode), None);
        let read = reader.next();
        assert_eq!(row(&read[0]).get("level"), Some(&level.into()), "{db:?}");
        reader.stop();
    }
}

#[test]
fn what_contradicts_in_a_source_is_named_and_hidden_queries_stay_hidden() {
    let plugin =
        lavka_connector_warehouse::plugins().into_iter().find(|plugin| plugin.class == SOURCE).unwrap();
    let Factory::Source(make) = plugin.factory else { panic!("it is a source") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (more, named) in [
        (vec![("mode", "bulk"), ("query", "SELECT 1"), ("query.masked", "SELECT 's3cret'")], "query.masked"),
        (vec![("mode", "incrementing"), ("query.masked", "SELECT 's3cret'")], "query.masked"),
        (vec![("mode", "timestamp"), ("timestamp.columns.mapping", "a:b")], "timestamp.columns.mapping"),
        (vec![("mode", "timestamp"), ("query", "q"), ("timestamp.columns.mapping", "a:[b]")], "mode"),
        (
            vec![("mode", "incrementing"), ("incrementing.column.mapping", "(:b")],
            "incrementing.column.mapping",
        ),
        (
            vec![("mode", "bulk"), ("transaction.isolation.mode", "READ_COMMITTED")],
            "transaction.isolation.mode",
        ),
    ] {
        let config = keys(Db::Sqlite, "unused", &more);
        let reports = runtime.block_on(make().validate(&(plugin.definition)(), &config));
        let wrong = faulty(&reports);
        // What an ODBC driver leads to is known when it is asked.
        let known_later = crate::OVER_ODBC && named == "transaction.isolation.mode";
        assert_eq!(wrong, if known_later { vec![] } else { vec![named] }, "{more:?}");
        let texts = format!("{:?}", reports.iter().flat_map(|report| &report.errors).collect::<Vec<_>>());
        assert!(!texts.contains("s3cret"), "{texts}");
    }
}

#[test]
fn reads_that_fail_too_often_end_the_task_where_that_is_asked_for() {
    let db = Db::Postgres;
    let table = name("failing");
    db.sql("", &format!("CREATE TABLE {table} (id INT NOT NULL)"));
    // A read that always runs into a lock.
    db.sql("", &format!("CREATE FUNCTION {table}_f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '55P03', MESSAGE = 'locked'; END $$"));
    let query = format!("SELECT {table}_f() AS id");
    let mode = [("mode", "bulk"), ("query", query.as_str()), ("query.retry.attempts", "2")];
    let mut reader = Reader::new(&keys(db, &table, &mode), None);
    let error = reader.runtime.block_on(reader.task.poll()).unwrap_err();
    assert!(error.to_string().contains("the last of 2 tries (query.retry.attempts)"), "{error}");
    reader.stop();
}
