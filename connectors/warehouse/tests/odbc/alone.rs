//! What is about ODBC alone.

use lavka_api::data::{Datum, Schema, Type, Value};
use lavka_api::plugin::{Factory, SinkTaskStart, TaskId};

use crate::databases::Db;
use crate::harness::{CONFLUENT, Rig, config, key, name, record, row, value};

const UPSERT: &[(&str, &str)] = &[
    ("insert.mode", "upsert"),
    ("pk.mode", "record_key"),
    ("delete.enabled", "true"),
    ("auto.create", "true"),
    ("auto.evolve", "true"),
];

/// Why a task with these keys does not start.
fn refused(db: Db, keys: &[(&str, &str)]) -> lavka_api::Error {
    let plugin =
        lavka_connector_warehouse::plugins().into_iter().find(|plugin| plugin.class == CONFLUENT).unwrap();
    let Factory::Sink(make) = plugin.factory else { panic!("it is a sink") };
    let mut task = make().task(&config(CONFLUENT, db, "refused", keys)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = TaskId { connector: "sink".into(), task: 0 };
    runtime.block_on(task.start(SinkTaskStart { id })).unwrap_err()
}

#[test]
fn long_values_come_in_whole() {
    let schema = Schema::structure()
        .field("text", Schema::optional(Type::String))
        .field("bytes", Schema::optional(Type::Bytes))
        .build()
        .unwrap();
    // Letters of one, two, three and four bytes, the last of two units of UTF-16.
    let letters = "aä€😀";
    for db in [Db::Postgres, Db::Maria] {
        let table = name("long");
        if db == Db::Maria {
            db.sql(&table, &format!("CREATE TABLE {table} (id INT PRIMARY KEY, text LONGTEXT CHARACTER SET utf8mb4, bytes LONGBLOB)"));
        }
        let mut rig = Rig::new(db, &table, UPSERT);
        let batch = [0_usize, 1, 63, 1000, 4001, 40_000].into_iter().enumerate().map(|(at, length)| {
            let at = i32::try_from(at).unwrap();
            let bytes: Vec<u8> = (0..length).map(|byte| byte.to_le_bytes()[0]).collect();
            let values = [letters.repeat(length).into(), Value::Bytes(bytes.into())];
            record(&table, at.into(), key(at), row(&schema, values))
        });
        rig.put(batch.collect());
        assert!(rig.errant.is_empty(), "{db:?} {:?}", rig.errant);
        rig.stop();
        let (letters, bytes) = if db == Db::Maria { ("char_length", "length") } else { ("length", "length") };
        let found =
            db.sql(&table, &format!("SELECT id, {letters}(text), {bytes}(bytes) FROM {table} ORDER BY id"));
        assert_eq!(found, "0|0|0\n1|4|1\n2|252|63\n3|4000|1000\n4|16004|4001\n5|160000|40000", "{db:?}");
        let same = db.sql(&table, &format!("SELECT text FROM {table} WHERE id = 2"));
        assert_eq!(same, "aä€😀".repeat(63), "{db:?}");
    }
}

#[test]
fn what_is_wrong_with_a_connection_is_said_without_its_password() {
    let url = crate::databases::postgres().port().to_string();
    let good = format!("odbc:Driver={{PostgreSQL Unicode}};Server=127.0.0.1;Port={url};Database=postgres");
    for (url, says) in [
        ("odbc:DSN=no such source of lavka", "odbcinst"),
        ("odbc:Driver={no such driver of lavka}", "odbcinst"),
        ("jdbc:oracle:thin:@db:1521/x", "no ODBC driver for this database is installed"),
        (good.as_str(), "password"),
    ] {
        let keys = [
            ("connection.url", url),
            ("connection.user", "tester"),
            ("connection.password", "s3cret-of-mine"),
        ];
        let error = refused(Db::Postgres, &keys).to_string();
        assert!(error.contains(says), "{url}: {error}");
        assert!(!error.contains("s3cret-of-mine"), "{error}");
    }
    let error = refused(
        Db::Postgres,
        &[("connection.url", "odbc:Driver={PostgreSQL Unicode};Server=127.0.0.1;Port=1")],
    );
    assert!(error.is_retriable(), "{error}");
}

#[test]
fn a_driver_and_more_come_from_a_key_of_their_own() {
    let table = name("keyed");
    let file = Db::Sqlite.connection(&table).remove(0).1;
    let database = file.split("Database=").nth(1).unwrap();
    let own = format!("Driver=SQLite3;Database={database}");
    let keys = [
        ("connection.url", "odbc:Driver=none;Timeout=3000"),
        ("lavka.odbc.connection", own.as_str()),
        ("dialect.name", "SqliteDatabaseDialect"),
        ("auto.create", "true"),
        ("pk.mode", "record_key"),
    ];
    let mut rig = Rig::new(Db::Sqlite, &table, &keys);
    rig.put(vec![record(&table, 0, key(1), value("one", 1))]);
    rig.stop();
    assert_eq!(Db::Sqlite.sql(&table, &format!("SELECT name FROM {table}")), "one");
}

#[test]
fn rows_are_found_by_halves_without_savepoints_too() {
    let table = name("halves");
    let db = Db::Postgres;
    db.sql(&table, &format!("CREATE TABLE {table} (id int PRIMARY KEY, name varchar(5), amount bigint)"));
    // The standard's SQL, of which no savepoints are known.
    let keys =
        [("pk.mode", "record_key"), ("dialect.name", "GenericDatabaseDialect"), ("insert.mode", "insert")];
    let mut rig = Rig::new(db, &table, &keys);
    let batch = (0..100).map(|id| {
        let text = if id % 33 == 7 { "too long" } else { "fits" };
        record(&table, id.into(), key(id), value(text, 1))
    });
    rig.put(batch.collect());
    let mut places: Vec<usize> = rig.errant.iter().map(|errant| errant.index).collect();
    places.sort_unstable();
    assert_eq!(places, [7, 40, 73], "{:?}", rig.errant);
    assert_eq!(db.sql(&table, &format!("SELECT count(*) FROM {table}")), "97");
    rig.stop();
}

#[test]
fn rows_are_written_once_without_transactions_too() {
    let place = name("lasting");
    let db = Db::Maria;
    // It reads Hive's quotes, and this is how Hive is asked for its database. Hive's tables have no keys.
    let table = "(id int, name varchar(5), amount bigint)";
    for sql in [
        format!("CREATE DATABASE {place}"),
        format!("CREATE FUNCTION {place}.current_database() RETURNS varchar(64) RETURN ''"),
        format!("CREATE TABLE {place}.first {table}"),
        format!("CREATE TABLE {place}.second {table}"),
    ] {
        db.sql("", &sql);
    }
    let url = db.connection("").remove(0).1.replace("Database=shop", &format!("Database={place}"));
    let keys = [
        ("connection.url", url.as_str()),
        ("dialect.name", "HiveDatabaseDialect"),
        ("pk.mode", "record_key"),
    ];
    let mut rig = Rig::new(db, &place, &keys);
    let batch = ["first", "second"].into_iter().flat_map(|topic| {
        (0..100).map(move |id| {
            let text = if id % 33 == 7 { "too long" } else { "fits" };
            record(topic, id.into(), key(id), value(text, 1))
        })
    });
    rig.put(batch.collect());
    let mut places: Vec<usize> = rig.errant.iter().map(|errant| errant.index).collect();
    places.sort_unstable();
    assert_eq!(places, [7, 40, 73, 107, 140, 173], "{:?}", rig.errant);
    for table in ["first", "second"] {
        let counts = db.sql("", &format!("SELECT count(*), count(DISTINCT id) FROM {place}.{table}"));
        assert_eq!(counts, "97|97", "{table}");
    }
    // Who wants no record left out gets none in silence.
    rig.tolerant = false;
    let error = rig.try_put(vec![record("first", 200, key(200), value("too long", 1))]).unwrap_err();
    assert!(error.to_string().contains("first-0@200"), "{error}");
    rig.stop();
}

#[test]
fn names_that_are_too_long_are_not_cut() {
    let long = "n".repeat(64);
    let schema = Schema::structure().field(long.as_str(), Schema::optional(Type::Int32)).build().unwrap();
    let table = name("named");
    let mut rig = Rig::new(Db::Postgres, &table, &[("auto.create", "true")]);
    let error =
        rig.try_put(vec![record(&table, 0, Datum::NULL, row(&schema, [Value::Int32(1)]))]).unwrap_err();
    assert!(error.to_string().contains("64 bytes, and this database takes 63"), "{error}");
    rig.stop();
}
