//! Keys of the sinks that change what gets into a table: each once with and once without its effect.

use lavka_api::data::{Datum, Headers, Logical, Schema, SinkRecord, Type, Value};
use lavka_api::plugin::Factory;

use crate::databases::Db;
use crate::harness::{CONFLUENT, DEBEZIUM, Rig, config, key, logical, name, record, row, value};

const AIVEN: &str = "io.aiven.connect.jdbc.JdbcSinkConnector";
const CREATE: (&str, &str) = ("auto.create", "true");
const EVOLVE: (&str, &str) = ("schema.evolution", "basic");

/// What `sql` finds on PostgreSQL behind the records; `{}` in it is the topic, which is the table as well.
fn found(class: &str, keys: &[(&str, &str)], records: impl Fn(&str) -> Vec<SinkRecord>, sql: &str) -> String {
    let (db, table) = (Db::Postgres, name("keys"));
    let mut rig = Rig::of(class, db, &table, keys);
    rig.put(records(&table));
    assert!(rig.errant.is_empty(), "{keys:?} {:?}", rig.errant);
    rig.stop();
    db.sql(&table, &sql.replace("{}", &table))
}

fn one(value: Datum) -> impl Fn(&str) -> Vec<SinkRecord> {
    move |topic| vec![record(topic, 0, key(1), value.clone())]
}

/// The columns of a table in their order.
const COLUMNS: &str = "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns \
     WHERE table_name = '{}'";

#[test]
fn lists_say_which_fields_get_columns() {
    for (class, keys, columns) in [
        (CONFLUENT, vec![CREATE, ("pk.mode", "record_key"), ("fields.whitelist", "amount")], "amount,id"),
        (CONFLUENT, vec![CREATE, ("pk.mode", "none"), ("fields.whitelist", "")], "name,amount"),
        (AIVEN, vec![CREATE, ("fields.whitelist", "name")], "name"),
        (DEBEZIUM, vec![EVOLVE, ("field.include.list", "name")], "name"),
        (DEBEZIUM, vec![EVOLVE, ("field.include.list", "other:name,amount")], "amount"),
        (DEBEZIUM, vec![EVOLVE, ("field.exclude.list", "name")], "amount"),
        (CONFLUENT, vec![CREATE, ("pk.mode", "kafka"), ("pk.fields", "t,p,o")], "t,p,o,name,amount"),
    ] {
        assert_eq!(found(class, &keys, one(value("a", 1)), COLUMNS), columns, "{class} {keys:?}");
    }
}

#[test]
fn a_null_is_its_default_where_that_is_wanted() {
    let amount = Schema::builder(Type::Int32).optional().default_value(Value::Int32(7)).build().unwrap();
    let schema = Schema::structure().field("amount", amount).build().unwrap();
    for (replace, expected) in [("true", "7"), ("false", "")] {
        let keys = [CREATE, ("replace.null.with.default", replace)];
        let records = one(row(&schema, [Value::Null]));
        assert_eq!(found(CONFLUENT, &keys, records, "SELECT amount FROM {}"), expected, "{replace}");
    }
}

#[test]
fn a_text_has_the_column_that_is_named_for_it() {
    let text = Datum::new(Schema::of(Type::String), "plain");
    let keys = [CREATE, ("string.output.value.column.name", "said")];
    assert_eq!(found(CONFLUENT, &keys, one(text), "SELECT said FROM {}"), "plain");
}

#[test]
fn listed_fields_are_timestamps_in_the_unit_that_is_named() {
    let schema = Schema::structure()
        .field("at", Schema::of(Type::Int64))
        .field("told", Schema::of(Type::String))
        .build()
        .unwrap();
    for (unit, number) in [("microseconds", 1_500_000_i64), ("nanoseconds", 1_500_000_000)] {
        let keys = [CREATE, ("timestamp.fields.list", "at,told"), ("timestamp.precision.mode", unit)];
        let records = one(row(&schema, [Value::Int64(number), number.to_string().into()]));
        let found = found(CONFLUENT, &keys, records, "SELECT at, told, pg_typeof(at) FROM {}");
        let at = "1970-01-01 00:00:01.5";
        assert_eq!(found, format!("{at}|{at}|timestamp without time zone"), "{unit}");
    }
}

#[test]
fn dates_are_those_of_a_zone_and_of_a_calendar() {
    let schema = Schema::structure().field("day", logical(Logical::Date)).build().unwrap();
    let zone = ("db.timezone", "America/New_York");
    for (keys, days, expected) in [
        (vec![zone], 0, "1969-12-31"),
        (vec![zone, ("date.timezone", "UTC")], 0, "1970-01-01"),
        // The day before the Gregorian calendar began.
        (vec![], -141_428, "1582-10-04"),
        (vec![("date.calendar.system", "PROLEPTIC_GREGORIAN")], -141_428, "1582-10-14"),
    ] {
        let keys = [vec![CREATE], keys].concat();
        let records = one(row(&schema, [Value::Date(days)]));
        assert_eq!(found(CONFLUENT, &keys, records, "SELECT day FROM {}"), expected, "{keys:?}");
    }
}

#[test]
fn instants_are_shown_in_the_zone_that_is_asked_for() {
    let zoned = Schema::builder(Type::String).name("io.debezium.time.ZonedTimestamp").build().unwrap();
    let schema = Schema::structure().field("at", zoned).build().unwrap();
    for (key, expected) in [
        (("use.time.zone", "UTC"), "2024-07-03 10:00:00"),
        (("use.time.zone", "Europe/Prague"), "2024-07-03 12:00:00"),
        (("database.time_zone", "Europe/Prague"), "2024-07-03 12:00:00"),
    ] {
        let (db, table) = (Db::Postgres, name("zoned"));
        db.sql(&table, &format!("CREATE TABLE {table} (at timestamp)"));
        let mut rig = Rig::of(DEBEZIUM, db, &table, &[key]);
        rig.put(vec![record(&table, 0, Datum::NULL, row(&schema, ["2024-07-03T10:00:00Z".into()]))]);
        assert_eq!(db.sql(&table, &format!("SELECT at FROM {table}")), expected, "{key:?} {:?}", rig.errant);
        rig.stop();
    }
}

#[test]
fn what_may_be_written_to_is_listed() {
    let (db, table) = (Db::Postgres, name("viewed"));
    db.sql(&table, &format!("CREATE TABLE {table}_base (name text, amount bigint)"));
    db.sql(&table, &format!("CREATE VIEW {table} AS SELECT * FROM {table}_base"));
    let mut rig = Rig::new(db, &table, &[]);
    let error = rig.try_put(vec![record(&table, 0, Datum::NULL, value("a", 1))]).unwrap_err();
    assert!(error.to_string().contains("is a view, and table.types allows TABLE alone"), "{error}");
    rig.stop();
    let mut rig = Rig::new(db, &table, &[("table.types", "TABLE,VIEW")]);
    rig.put(vec![record(&table, 0, Datum::NULL, value("a", 1))]);
    rig.stop();
    assert_eq!(db.sql(&table, &format!("SELECT name FROM {table}_base")), "a");
}

#[test]
fn names_are_folded_where_they_are_not_quoted() {
    let schema = Schema::structure().field("Amount", Schema::of(Type::Int32)).build().unwrap();
    for (class, key, folds) in [
        (CONFLUENT, ("quote.sql.identifiers", "always"), false),
        (CONFLUENT, ("quote.sql.identifiers", "never"), true),
        (AIVEN, ("sql.quote.identifiers", "true"), false),
        (AIVEN, ("sql.quote.identifiers", "false"), true),
        (DEBEZIUM, ("quote.identifiers", "true"), false),
        (DEBEZIUM, ("quote.identifiers", "false"), true),
    ] {
        let (db, plain) = (Db::Postgres, name("folded"));
        let topic = plain.replacen('f', "F", 1);
        let mut rig = Rig::of(class, db, &plain, &[CREATE, EVOLVE, key]);
        rig.put(vec![record(&topic, 0, Datum::NULL, row(&schema, [Value::Int32(1)]))]);
        rig.stop();
        let table = if folds { &plain } else { &topic };
        let found = db.sql(&plain, &COLUMNS.replace("{}", table));
        assert_eq!(found, if folds { "amount" } else { "Amount" }, "{class} {key:?}");
    }
}

#[test]
fn topics_lead_to_the_tables_that_are_named() {
    let db = Db::Postgres;
    let place = name("mapped");
    let mapping = format!("{place}.b-c:{place}_other");
    let normal = [CREATE, ("table.name.normalize", "true"), ("topics.to.tables.mapping", &mapping)];
    let mut rig = Rig::of(AIVEN, db, &place, &normal);
    rig.put(vec![
        record(&format!("{place}.b-c"), 0, Datum::NULL, value("a", 1)),
        record(&format!("{place}.b-d"), 0, Datum::NULL, value("b", 2)),
    ]);
    rig.stop();
    assert_eq!(db.sql(&place, &format!("SELECT name FROM {place}_other")), "a");
    assert_eq!(db.sql(&place, &format!("SELECT name FROM {place}_b_d")), "b");
    // Debezium's names have underscores for dots, or the topic's own.
    db.sql(&place, &format!("CREATE SCHEMA {place}"));
    let own = "io.debezium.sink.naming.PassthroughCollectionNamingStrategy";
    for (keys, table) in [
        (vec![EVOLVE], format!("{place}_orders")),
        (vec![EVOLVE, ("collection.naming.strategy", own)], format!("{place}.orders")),
    ] {
        let mut rig = Rig::of(DEBEZIUM, db, &place, &keys);
        rig.put(vec![record(&format!("{place}.orders"), 0, Datum::NULL, value("c", 3))]);
        rig.stop();
        assert_eq!(db.sql(&place, &format!("SELECT name FROM {table}")), "c", "{keys:?}");
    }
}

#[test]
fn headers_may_be_the_key() {
    let headers = |id: i32| {
        let mut headers = Headers::default();
        headers.add("id", Datum::new(Schema::of(Type::Int32), Value::Int32(id)));
        headers.add("other", Datum::new(Schema::of(Type::String), "x"));
        headers
    };
    let keys = [
        EVOLVE,
        ("insert.mode", "upsert"),
        ("primary.key.mode", "record_header"),
        ("primary.key.fields", "id"),
    ];
    let records = |topic: &str| {
        [(1, "one"), (2, "two"), (1, "uno")]
            .into_iter()
            .zip(0..)
            .map(|((id, text), offset)| {
                let mut record = record(topic, offset, Datum::NULL, value(text, 0));
                record.record.headers = headers(id);
                record
            })
            .collect()
    };
    let sql = "SELECT string_agg(id || name, ',' ORDER BY id) FROM {}";
    assert_eq!(found(DEBEZIUM, &keys, records, sql), "1uno,2two");
}

#[test]
fn classes_of_java_are_refused_with_what_to_do() {
    let plugins = lavka_connector_warehouse::plugins();
    let plugin = plugins.into_iter().find(|plugin| plugin.class == DEBEZIUM).unwrap();
    let Factory::Sink(make) = plugin.factory else { panic!("it is a sink") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (key, says) in
        [("collection.naming.strategy", "RegexRouter"), ("column.naming.strategy", "ReplaceField")]
    {
        let config = config(plugin.class, Db::Sqlite, "unused", &[(key, "org.example.Mine")]);
        let reports = runtime.block_on(make().validate(&(plugin.definition)(), &config));
        let errors: Vec<&String> =
            reports.iter().filter(|report| report.name == key).flat_map(|report| &report.errors).collect();
        assert!(errors.len() == 1 && errors[0].contains(says), "{key} {errors:?}");
    }
}
