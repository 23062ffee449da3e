//! A MariaDB that is full, columns that get other types, encodings, values out of range.

use lavka_api::data::{Datum, Decimal, Logical, Schema, Type, Value};
use lavka_testkit::MariaDb;

use crate::databases::{Db, mariadb, postgres};
use crate::harness::{Rig, key, logical, name, record, row, value};
use crate::refusing::{at, fills_up};

#[test]
fn a_full_mariadb_is_waited_for() {
    let settings = ["--innodb-data-file-path=ibdata1:12M:autoextend:max:20M", "--innodb-file-per-table=0"];
    let server = MariaDb::start(&settings).unwrap();
    server.sql("CREATE TABLE ballast (id INT PRIMARY KEY AUTO_INCREMENT, t VARBINARY(4000))");
    while server.try_sql("INSERT INTO ballast (t) SELECT REPEAT('x', 4000) FROM seq_1_to_200").is_ok() {}
    let url = format!("jdbc:mariadb://127.0.0.1:{}/{}", server.port(), MariaDb::DATABASE);
    server.sql("DELETE FROM ballast WHERE id > 200");
    let rig = Rig::new(Db::Maria, "", &at(&url, MariaDb::USER, MariaDb::PASSWORD));
    let count = || server.sql("SELECT count(*) FROM readings");
    let room = || {
        server.sql("DROP TABLE ballast");
    };
    // It takes its time until it has cleared away what was dropped.
    fills_up(rig, "readings", room, 3000, count);
}

#[test]
fn a_column_that_gets_another_type_is_looked_up_again() {
    // Of the same size, of another size, a text: what was encoded for the old type must not get in as something else.
    for (mode, ty, expected) in [
        ("insert", "double precision", "1|1\n2|2"),
        ("insert", "timestamp USING to_timestamp(amount)", "error"),
        ("insert", "int", "1|1\n2|2"),
        ("insert", "text", "1|1\n2|2"),
        ("upsert", "double precision", "1|1\n2|2"),
        ("upsert", "int", "1|1\n2|2"),
        ("upsert", "text", "1|1\n2|2"),
    ] {
        let (db, table) = (Db::Postgres, name("retyped"));
        let keys = [("insert.mode", mode), ("pk.mode", "record_key"), ("auto.create", "true")];
        let mut rig = Rig::new(db, &table, &keys);
        rig.put(vec![record(&table, 0, key(1), value("one", 1))]);
        db.sql("", &format!("ALTER TABLE {table} ALTER amount TYPE {ty}"));
        rig.put(vec![record(&table, 1, key(2), value("two", 2))]);
        if expected == "error" {
            // A number is no point in time, and is none of 1970 either.
            assert_eq!(rig.errant.len(), 1, "{mode} {ty} {:?}", rig.errant);
            assert_eq!(db.sql("", &format!("SELECT id FROM {table}")), "1", "{mode} {ty}");
        } else {
            let found = db.sql("", &format!("SELECT id, amount FROM {table} ORDER BY id"));
            assert_eq!(found, expected, "{mode} {ty}");
            assert!(rig.errant.is_empty(), "{mode} {ty} {:?}", rig.errant);
        }
        rig.stop();
    }
}

#[test]
fn what_an_encoding_has_not_costs_its_row_alone() {
    let (one, two) = (name("latin"), name("utf"));
    postgres().sql(&format!("CREATE DATABASE {one} ENCODING LATIN1 TEMPLATE template0"));
    mariadb().sql(&format!(
        "CREATE TABLE {one} (id INT PRIMARY KEY, name VARCHAR(40), amount BIGINT) CHARACTER SET latin1"
    ));
    mariadb().sql(&format!(
        "CREATE TABLE {two} (id INT PRIMARY KEY, name VARCHAR(40), amount BIGINT) CHARACTER SET utf8mb3"
    ));
    let texts = ["plain", "déjà vu", "žluťoučký", "🦀"];
    let url = format!("jdbc:postgresql://127.0.0.1:{}/{one}", postgres().port());
    for (db, table, url, refused) in [
        (Db::Postgres, &one, Some(url.as_str()), vec![2, 3]),
        // latin1 is what Windows calls 1252 there, which has ž and no ť.
        (Db::Maria, &one, None, vec![2, 3]),
        (Db::Maria, &two, None, vec![3]),
    ] {
        for mode in ["insert", "upsert"] {
            let mut keys = vec![("pk.mode", "record_key"), ("auto.create", "true"), ("insert.mode", mode)];
            keys.extend(url.map(|url| ("connection.url", url)));
            let mut rig = Rig::new(db, table, &keys);
            let at = if mode == "insert" { 0 } else { 10 };
            let batch = (at..).zip(texts).map(|(id, text)| record(table, id.into(), key(id), value(text, 0)));
            rig.put(batch.collect());
            let mut places: Vec<usize> = rig.errant.iter().map(|errant| errant.index).collect();
            places.sort_unstable();
            assert_eq!(places, refused, "{db:?} {table} {mode} {:?}", rig.errant);
            let sql = format!("SELECT name FROM {table} WHERE id >= {at} ORDER BY id");
            let found = if url.is_some() { postgres().sql_in(table, &sql) } else { db.sql("", &sql) };
            let wanted: Vec<&str> = texts
                .iter()
                .enumerate()
                .filter(|(at, _)| !refused.contains(at))
                .map(|(_, text)| *text)
                .collect();
            assert_eq!(found.lines().collect::<Vec<_>>(), wanted, "{db:?} {table} {mode}");
            rig.stop();
        }
    }
    // SQLite keeps its texts as the file says, and takes and gives UTF-8.
    let place = name("utf16");
    Db::Sqlite.sql(
        &place,
        &format!(
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE {place} (id INTEGER PRIMARY KEY, name TEXT, amount)"
        ),
    );
    let mut rig = Rig::new(Db::Sqlite, &place, &[("pk.mode", "record_key")]);
    rig.put((0..).zip(texts).map(|(id, text)| record(&place, id.into(), key(id), value(text, 0))).collect());
    assert!(rig.errant.is_empty(), "{:?}", rig.errant);
    let found = Db::Sqlite.sql(&place, &format!("SELECT name FROM {place} ORDER BY id"));
    assert_eq!(found.lines().collect::<Vec<_>>(), texts);
    rig.stop();
}

#[test]
fn numbers_and_dates_out_of_range_cost_their_rows_alone() {
    let schema = Schema::structure()
        .field("d", logical(Logical::Decimal(2)))
        .field("day", logical(Logical::Date))
        .field("at", logical(Logical::Timestamp))
        .field("f", Schema::optional(Type::Float32))
        .build()
        .unwrap();
    // Some thousand digits; the years 10000, -1, 5.8 million.
    let huge = Decimal::new(num_bigint::BigInt::from(7).pow(5000), 2);
    let rows: Vec<[Value; 4]> = vec![
        [Decimal::new(12_345, 2).into(), Value::Date(0), Value::Timestamp(0), Value::Float32(1.5)],
        [huge.into(), Value::Date(0), Value::Timestamp(0), Value::Null],
        [Value::Null, Value::Date(2_932_897), Value::Null, Value::Null],
        [Value::Null, Value::Date(-720_000), Value::Null, Value::Null],
        [Value::Null, Value::Null, Value::Timestamp(i64::MAX / 1000), Value::Null],
        [Value::Null, Value::Null, Value::Timestamp(i64::MAX), Value::Null],
        [Value::Null, Value::Date(i32::MAX), Value::Null, Value::Null],
        [Value::Null, Value::Null, Value::Null, Value::Float32(f32::NEG_INFINITY)],
    ];
    // The digits fit a numeric without a precision; SQLite's columns hold anything.
    for (db, refused) in
        [(Db::Postgres, vec![5, 6]), (Db::Maria, vec![1, 2, 3, 4, 5, 6, 7]), (Db::Sqlite, vec![5])]
    {
        let table = name("ranges");
        let mut rig = Rig::new(db, &table, &[("auto.create", "true"), ("pk.mode", "record_key")]);
        let batch = (0..)
            .zip(&rows)
            .map(|(id, values)| record(&table, id.into(), key(id), row(&schema, values.iter().cloned())));
        rig.put(batch.collect());
        let mut places: Vec<usize> = rig.errant.iter().map(|errant| errant.index).collect();
        places.sort_unstable();
        assert_eq!(places, refused, "{db:?} {:?}", rig.errant);
        let found = db.sql(&table, &format!("SELECT count(*) FROM {table}"));
        assert_eq!(found, (rows.len() - refused.len()).to_string(), "{db:?}");
        rig.stop();
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let table = name("broken");
    let url = Db::Sqlite.connection(&table).remove(0).1;
    let file = url.trim_start_matches("jdbc:sqlite:");
    std::fs::write(file, "no database, but long enough to have a header: ".repeat(200)).unwrap();
    let mut rig = Rig::new(Db::Sqlite, &table, &[("auto.create", "true")]);
    let error = rig.try_put(vec![record(&table, 0, Datum::NULL, value("a", 1))]).unwrap_err();
    assert!(!error.is_retriable() && error.to_string().contains("file is not a database"), "{error}");
    rig.stop();
}
