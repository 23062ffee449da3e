//! What records do to tables.

use lavka_api::data::{Blob, Datum, Decimal, Logical, Schema, Struct, Type, Value};

use crate::databases::{ALL, Db};
use crate::harness::{Rig, config, faulty, key, logical, name, record, row, value};

const UPSERT: &[(&str, &str)] = &[
    ("insert.mode", "upsert"),
    ("pk.mode", "record_key"),
    ("delete.enabled", "true"),
    ("auto.create", "true"),
];

fn rows(db: Db, table: &str) -> String {
    db.sql(table, &format!("SELECT id, name, amount FROM {table} ORDER BY id"))
}

#[test]
fn every_type_gets_its_column_and_comes_back() {
    let schema = Schema::structure()
        .field("i8", Schema::of(Type::Int8))
        .field("i16", Schema::of(Type::Int16))
        .field("i32", Schema::of(Type::Int32))
        .field("i64", Schema::of(Type::Int64))
        .field("f32", Schema::of(Type::Float32))
        .field("f64", Schema::of(Type::Float64))
        .field("flag", Schema::of(Type::Boolean))
        .field("txt", Schema::of(Type::String))
        .field("raw", Schema::of(Type::Bytes))
        .field("dcm", logical(Logical::Decimal(2)))
        .field("day", logical(Logical::Date))
        .field("tim", logical(Logical::Time))
        .field("stamp", logical(Logical::Timestamp))
        .field("missing", Schema::optional(Type::Int32))
        .build()
        .unwrap();
    let full = row(
        &schema,
        [
            Value::Int8(-8),
            Value::Int16(-16),
            Value::Int32(-32),
            Value::Int64(i64::MIN),
            Value::Float32(1.5),
            Value::Float64(-2.25),
            Value::Boolean(true),
            "žluť \\ '\"\t\n%_;".into(),
            Value::Bytes(Blob::from(vec![0, 1, 254, 255])),
            Decimal::new(-12345, 2).into(),
            Value::Date(19_782),
            Value::Time(45_296_789),
            Value::Timestamp(1_709_209_800_123),
            Value::Null,
        ],
    );
    for (db, hex, expected) in [
        (
            Db::Postgres,
            "encode(raw, 'hex')",
            "-8|-16|-32|-9223372036854775808|1.5|-2.25|t|000ffeff|-123.45|2024-02-29|12:34:56.789|2024-02-29 12:30:00.123|",
        ),
        (
            Db::Maria,
            "lower(hex(raw))",
            "-8|-16|-32|-9223372036854775808|1.5|-2.25|1|0001feff|-123.45|2024-02-29|12:34:56.789|2024-02-29 12:30:00.123|",
        ),
        (
            Db::Sqlite,
            "lower(hex(raw))",
            "-8|-16|-32|-9223372036854775808|1.5|-2.25|1|0001feff|-123.45|1709164800000|45296789|1709209800123|",
        ),
    ] {
        let table = name("types");
        let mut rig = Rig::new(db, &table, &[("auto.create", "true")]);
        rig.put(vec![record(&table, 0, Datum::NULL, full.clone())]);
        assert!(rig.errant.is_empty(), "{db:?} {:?}", rig.errant);
        let columns = format!("i8, i16, i32, i64, f32, f64, flag, {hex}, dcm, day, tim, stamp, missing");
        let found = db.sql(&table, &format!("SELECT {columns} FROM {table}"));
        assert_eq!(found, expected.replace("000ffeff", "0001feff"), "{db:?}");
        let length = db.sql(&table, &format!("SELECT length(txt) FROM {table} WHERE txt LIKE 'žluť%'"));
        // MariaDB counts bytes.
        assert_eq!(length, if db == Db::Maria { "16" } else { "14" }, "{db:?}");
        rig.stop();
    }
}

#[test]
fn the_last_of_a_row_counts() {
    for db in ALL {
        let table = name("upserts");
        let mut rig = Rig::new(db, &table, UPSERT);
        rig.put(vec![
            record(&table, 0, key(1), value("one", 1)),
            record(&table, 1, key(2), value("two", 2)),
            record(&table, 2, key(1), value("uno", 11)),
            record(&table, 3, key(2), Datum::NULL),
            record(&table, 4, key(3), Datum::NULL),
            record(&table, 5, key(3), value("three", 3)),
        ]);
        assert_eq!(rows(db, &table), "1|uno|11\n3|three|3", "{db:?}");
        // The same once more, as after a crash.
        rig.put(vec![
            record(&table, 0, key(1), value("one", 1)),
            record(&table, 2, key(1), value("uno", 11)),
        ]);
        rig.put(vec![record(&table, 6, key(1), Datum::NULL)]);
        assert_eq!(rows(db, &table), "3|three|3", "{db:?}");
        rig.stop();
    }
}

#[test]
fn a_row_that_was_deleted_in_between_keeps_nothing() {
    for db in ALL {
        let table = name("reborn");
        let mut rig = Rig::new(db, &table, UPSERT);
        rig.put(vec![record(&table, 0, key(1), value("one", 1))]);
        db.sql(&table, &format!("ALTER TABLE {table} ADD extra INTEGER"));
        db.sql(&table, &format!("UPDATE {table} SET extra = 7"));
        rig.put(vec![record(&table, 1, key(1), Datum::NULL), record(&table, 2, key(1), value("anew", 2))]);
        assert_eq!(db.sql(&table, &format!("SELECT name, extra FROM {table}")), "anew|", "{db:?}");
        rig.stop();
    }
}

#[test]
fn updates_change_rows_that_are_there() {
    for db in ALL {
        let table = name("updates");
        let keys = [("insert.mode", "update"), ("pk.mode", "record_key"), ("auto.create", "true")];
        let mut rig = Rig::new(db, &table, &keys);
        rig.put(vec![record(&table, 0, key(1), value("nobody", 0))]);
        assert_eq!(rows(db, &table), "", "{db:?}");
        db.sql(&table, &format!("INSERT INTO {table} (id, name, amount) VALUES (1, 'a', 1), (2, 'b', 2)"));
        rig.put(vec![
            record(&table, 1, key(1), value("first", 10)),
            record(&table, 2, key(1), value("second", 20)),
            record(&table, 3, key(9), value("nobody", 0)),
        ]);
        assert_eq!(rows(db, &table), "1|second|20\n2|b|2", "{db:?}");
        rig.stop();
    }
}

#[test]
fn kafka_s_coordinates_make_inserts_idempotent() {
    for db in ALL {
        let table = name("coordinates");
        let keys = [("insert.mode", "upsert"), ("pk.mode", "kafka"), ("auto.create", "true")];
        let mut rig = Rig::new(db, &table, &keys);
        let batch = vec![
            record(&table, 7, Datum::NULL, value("a", 1)),
            record(&table, 8, Datum::NULL, value("b", 2)),
        ];
        rig.put(batch.clone());
        rig.put(batch);
        let columns = "__connect_partition, __connect_offset, name";
        let found = db.sql(&table, &format!("SELECT {columns} FROM {table} ORDER BY __connect_offset"));
        assert_eq!(found, "0|7|a\n0|8|b", "{db:?}");
        rig.stop();
    }
}

#[test]
fn columns_are_added_and_none_is_dropped() {
    let wide = Schema::structure()
        .field("amount", Schema::optional(Type::Int64))
        .field(
            "city",
            Schema::builder(Type::String).optional().default_value(Value::from("Brno'; --")).build().unwrap(),
        )
        .build()
        .unwrap();
    for db in ALL {
        let table = name("evolving");
        let mut keys = UPSERT.to_vec();
        keys.push(("auto.evolve", "true"));
        let mut rig = Rig::new(db, &table, &keys);
        rig.put(vec![record(&table, 0, key(1), value("one", 1))]);
        // Both schemas in one batch.
        rig.put(vec![
            record(&table, 1, key(2), row(&wide, [Value::Int64(2), "Praha".into()])),
            record(&table, 2, key(3), value("three", 3)),
        ]);
        let found = db.sql(&table, &format!("SELECT id, name, amount, city FROM {table} ORDER BY id"));
        // MySQL has no defaults on TEXT.
        let default = if db == Db::Maria { "" } else { "Brno'; --" };
        assert_eq!(found, format!("1|one|1|{default}\n2||2|Praha\n3|three|3|{default}"), "{db:?}");
        rig.stop();
    }
}

#[test]
fn without_leave_nothing_is_made() {
    for db in ALL {
        let table = name("absent");
        let mut rig = Rig::new(db, &table, &[]);
        let error = rig.try_put(vec![record(&table, 0, Datum::NULL, value("a", 1))]).unwrap_err();
        assert!(error.to_string().contains("is missing and auto-creation is disabled"), "{db:?} {error}");
        rig.stop();
        let mut rig = Rig::new(
            db,
            &table,
            &[("auto.create", "true"), ("pk.mode", "record_value"), ("pk.fields", "name")],
        );
        let narrow = Schema::structure().field("name", Schema::of(Type::String)).build().unwrap();
        rig.put(vec![record(&table, 0, Datum::NULL, row(&narrow, ["a".into()]))]);
        let error = rig.try_put(vec![record(&table, 1, Datum::NULL, value("b", 1))]).unwrap_err();
        assert!(
            error.to_string().contains("missing fields (amount) and auto-evolution is disabled"),
            "{error}"
        );
        rig.stop();
    }
}

#[test]
fn names_are_never_sql() {
    let hostile = "x\"`'; DROP TABLE victims; --";
    let schema = Schema::structure()
        .field("na\"m`e); DROP TABLE victims; --", Schema::optional(Type::String))
        .field("select", Schema::optional(Type::Int32))
        .field("číslo 1?", Schema::optional(Type::Int32))
        .build()
        .unwrap();
    for db in ALL {
        for quoting in ["always", "never"] {
            let place = name("hostile");
            let topic = format!("{place} {hostile}");
            let mut keys = UPSERT.to_vec();
            keys.push(("quote.sql.identifiers", quoting));
            db.sql(&place, "CREATE TABLE IF NOT EXISTS victims (v INTEGER)");
            let mut rig = Rig::new(db, &place, &keys);
            let values = [Value::from("'); DROP TABLE victims; --"), Value::Int32(1), Value::Int32(2)];
            rig.put(vec![record(&topic, 0, key(1), row(&schema, values.clone()))]);
            rig.put(vec![
                record(&topic, 1, key(1), row(&schema, values)),
                record(&topic, 2, key(2), Datum::NULL),
            ]);
            assert!(rig.errant.is_empty(), "{db:?} {:?}", rig.errant);
            // Quotes in the format of a table's name quote its parts, as in the Java sink.
            let table = topic.replace(if db == Db::Maria { '`' } else { '"' }, "");
            let count = db.sql(&place, &format!("SELECT count(*) FROM {}", db.quoted(&table)));
            assert_eq!(count, "1", "{db:?}");
            assert_eq!(db.sql(&place, "SELECT count(*) FROM victims"), "0", "{db:?}");
            rig.stop();
        }
    }
}

#[test]
fn one_bad_row_costs_one_dead_letter() {
    for db in ALL {
        let table = name("bisected");
        let keys = [("pk.mode", "record_key"), ("auto.create", "true"), ("batch.size", "100")];
        let mut rig = Rig::new(db, &table, &keys);
        rig.put(vec![record(&table, 0, key(500), value("taken", 0))]);
        let mut batch: Vec<_> =
            (0..1000).map(|id| record(&table, i64::from(id) + 1, key(id), value("x", 1))).collect();
        batch[17] = record(&table, 18, key(500), value("duplicate", 1));
        batch[18] = record(&table, 19, Datum::NULL, value("without a key", 1));
        batch.retain(|record| record.origin.offset != 501);
        rig.put(batch);
        let mut places: Vec<usize> = rig.errant.iter().map(|errant| errant.index).collect();
        places.sort_unstable();
        assert_eq!(places, [17, 18], "{db:?} {:?}", rig.errant);
        assert_eq!(db.sql(&table, &format!("SELECT count(*) FROM {table}")), "998", "{db:?}");
        // Where nobody takes errant records, the first one ends the task, and says which it is.
        rig.tolerant = false;
        let error = rig
            .try_put(vec![
                record(&table, 2000, key(2000), value("a", 1)),
                record(&table, 2001, key(500), value("b", 1)),
            ])
            .unwrap_err();
        assert!(error.to_string().contains(&format!("{table}-0@2001")), "{db:?} {error}");
        assert_eq!(db.sql(&table, &format!("SELECT count(*) FROM {table}")), "998", "{db:?}");
        rig.stop();
    }
}

#[test]
fn what_a_column_cannot_hold_is_reported() {
    let schema = Schema::structure()
        .field("n", Schema::optional(Type::Int64))
        .field("f", Schema::optional(Type::Float64));
    let schema = schema.field("t", Schema::optional(Type::String)).build().unwrap();
    for (db, refused) in [(Db::Postgres, vec![0, 3]), (Db::Maria, vec![0, 1, 2]), (Db::Sqlite, vec![1])] {
        let table = name("overflow");
        db.sql(
            &table,
            &format!("CREATE TABLE {table} (id INTEGER, n SMALLINT, f DOUBLE PRECISION, t VARCHAR(100))"),
        );
        let mut rig = Rig::new(db, &table, &[("pk.mode", "record_key")]);
        let values = [
            (Value::Int64(1 << 40), 0.5, "overflow"),
            (Value::Int64(1), f64::NAN, "nan"),
            (Value::Int64(2), f64::INFINITY, "infinity"),
            (Value::Int64(3), 1.0, "nul \0"),
            (Value::Int64(4), -0.0, "fine"),
        ];
        let batch = values.into_iter().enumerate().map(|(at, (n, f, t))| {
            let at = i64::try_from(at).unwrap();
            record(
                &table,
                at,
                key(i32::try_from(at).unwrap()),
                row(&schema, [n, Value::Float64(f), t.into()]),
            )
        });
        rig.put(batch.collect());
        let mut places: Vec<usize> = rig.errant.iter().map(|errant| errant.index).collect();
        places.sort_unstable();
        assert_eq!(places, refused, "{db:?} {:?}", rig.errant);
        let count = db.sql(&table, &format!("SELECT count(*) FROM {table}"));
        assert_eq!(count, (5 - refused.len()).to_string(), "{db:?}");
        rig.stop();
    }
}

#[test]
fn columns_of_other_types_are_filled_by_their_texts() {
    let table = name("casts");
    let db = Db::Postgres;
    db.sql(
        &table,
        &format!(
            "CREATE TYPE {table}_mood AS ENUM ('good', 'bad'); CREATE TABLE {table} (id int PRIMARY KEY, u uuid, j jsonb, \
             m {table}_mood, a int[], ip inet, n numeric(6,2), at timestamptz, v varchar(3))"
        ),
    );
    let schema = Schema::structure()
        .field("u", Schema::of(Type::String))
        .field("j", Schema::of(Type::String))
        .field("m", Schema::of(Type::String))
        .field("a", Schema::array(Schema::of(Type::Int32)))
        .field("ip", Schema::of(Type::String))
        .field("n", Schema::of(Type::Float64))
        .field("at", logical(Logical::Timestamp))
        .field("v", Schema::of(Type::String))
        .build()
        .unwrap();
    let values = |v: &str| {
        [
            "00112233-4455-6677-8899-aabbccddeeff".into(),
            r#"{"a": "\\ \t"}"#.into(),
            "good".into(),
            vec![Value::Int32(1), Value::Int32(2)].into(),
            "10.0.0.1".into(),
            Value::Float64(1.5),
            Value::Timestamp(0),
            v.into(),
        ]
    };
    for mode in ["insert", "upsert"] {
        let mut rig = Rig::new(db, &table, &[("insert.mode", mode), ("pk.mode", "record_key")]);
        db.sql(&table, &format!("DELETE FROM {table}"));
        rig.put(vec![
            record(&table, 0, key(1), row(&schema, values("abc"))),
            record(&table, 1, key(2), row(&schema, values("abcd"))),
        ]);
        let places: Vec<usize> = rig.errant.iter().map(|errant| errant.index).collect();
        assert_eq!(places, [1], "{:?}", rig.errant);
        let columns = "u, j, m, a, ip, n, extract(epoch from at)::int, v";
        assert_eq!(
            db.sql(&table, &format!("SELECT {columns} FROM {table}")),
            r#"00112233-4455-6677-8899-aabbccddeeff|{"a": "\\ \t"}|good|{1,2}|10.0.0.1|1.50|0|abc"#
        );
        rig.stop();
    }
}

#[test]
fn time_zones_shift_what_columns_without_one_hold() {
    let schema = Schema::structure().field("at", logical(Logical::Timestamp)).build().unwrap();
    let table = name("zones");
    let mut rig =
        Rig::new(Db::Postgres, &table, &[("auto.create", "true"), ("db.timezone", "Europe/Prague")]);
    rig.put(vec![record(&table, 0, Datum::NULL, row(&schema, [Value::Timestamp(1_720_000_000_000)]))]);
    assert_eq!(Db::Postgres.sql(&table, &format!("SELECT at FROM {table}")), "2024-07-03 11:46:40");
    rig.stop();
}

#[test]
fn records_of_the_wrong_shape_are_named_as_in_java() {
    let table = name("shapes");
    let mut rig = Rig::new(Db::Sqlite, &table, &[("auto.create", "true")]);
    rig.tolerant = false;
    let error = rig.try_put(vec![record("t", 5, Datum::NULL, Datum::schemaless("text"))]).unwrap_err();
    assert!(
        error.to_string().ends_with(
            "Sink connector 'sink' is configured with 'delete.enabled=false' and 'pk.mode=none' and therefore requires \
             records with a non-null Struct or String value and non-null Struct or String schema, but found record at \
             (topic='t',partition=0,offset=5,timestamp=1700000000000) with a String value and null value schema."
        ),
        "{error}"
    );
    let inner = Schema::structure().field("x", Schema::of(Type::Int8)).build().unwrap();
    let outer = Schema::structure().field("inner", inner.clone()).build().unwrap();
    let nested = row(&outer, [Struct::new(inner, [Value::Int8(1)]).unwrap().into()]);
    let error = rig.try_put(vec![record("t", 6, Datum::NULL, nested)]).unwrap_err();
    assert!(error.to_string().contains("Flatten$Value"), "{error}");
    let text = Datum::new(Schema::of(Type::String), "plain");
    rig.try_put(vec![record(&table, 7, Datum::NULL, text)]).unwrap();
    assert_eq!(Db::Sqlite.sql(&table, &format!("SELECT record_value FROM {table}")), "plain");
    rig.stop();
}

#[test]
fn keys_that_contradict_each_other_are_refused_by_name() {
    let plugin = lavka_connector_warehouse::plugins().remove(0);
    let lavka_api::plugin::Factory::Sink(make) = plugin.factory else { panic!("it is a sink") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (keys, named) in [
        (vec![("delete.enabled", "true")], "delete.enabled"),
        (vec![("insert.mode", "upsert")], "insert.mode"),
        (vec![("pk.mode", "kafka"), ("pk.fields", "a,b")], "pk.fields"),
        (vec![("connection.url", "jdbc:derby:x")], "connection.url"),
        (vec![("db.timezone", "Nowhere")], "db.timezone"),
    ] {
        let config = config(plugin.class, Db::Sqlite, "unused", &keys);
        let reports = runtime.block_on(make().validate(&(plugin.definition)(), &config));
        let wrong = faulty(&reports);
        assert_eq!(wrong, [named]);
    }
}
