//! What Debezium's sources mean by the names of their schemas, in columns of all kinds.

use lavka_api::data::{Schema, Struct, Type, Value};

use crate::databases::Db;
use crate::harness::{DEBEZIUM, Rig, key, name, record, row};

fn named(ty: Type, name: &str) -> Schema {
    Schema::builder(ty).name(format!("io.debezium.{name}")).optional().build().unwrap()
}

fn shape(name: &str) -> Schema {
    let schema = Schema::structure().name(format!("io.debezium.data.geometry.{name}"));
    let schema = match name {
        "Point" => schema.field("x", Schema::of(Type::Float64)).field("y", Schema::of(Type::Float64)),
        _ => schema,
    };
    let schema =
        schema.field("wkb", Schema::optional(Type::Bytes)).field("srid", Schema::optional(Type::Int32));
    schema.optional().build().unwrap()
}

/// `POINT(1 2)`.
fn wkb() -> Value {
    let bytes: Vec<u8> = [&[1, 1, 0, 0, 0][..], &1_f64.to_le_bytes(), &2_f64.to_le_bytes()].concat();
    Value::Bytes(bytes.into())
}

fn schema() -> Schema {
    let bits = Schema::builder(Type::Bytes).name("io.debezium.data.Bits").parameter("length", "9");
    Schema::structure()
        .field("lasted", named(Type::Int64, "time.MicroDuration"))
        .field("spot", shape("Point"))
        .field("area", shape("Geometry"))
        .field("seen", named(Type::String, "time.ZonedTimestamp"))
        .field("since", named(Type::Int64, "time.MicroTimestamp"))
        .field("until", named(Type::Int32, "time.Date"))
        .field("opens", named(Type::String, "time.ZonedTime"))
        .field("mask", bits.optional().build().unwrap())
        .build()
        .unwrap()
}

fn values(schema: &Schema) -> [Value; 8] {
    let part = |field: &str, values: Vec<Value>| {
        Value::from(Struct::new(schema.field(field).unwrap().schema().clone(), values).unwrap())
    };
    [
        Value::Int64(90_000_500_000),
        part("spot", vec![Value::Float64(1.0), Value::Float64(2.0), wkb(), Value::Null]),
        part("area", vec![wkb(), Value::Int32(4326)]),
        "infinity".into(),
        Value::Int64(-9_223_372_036_832_400_000),
        Value::Int32(-2_147_472_692),
        "12:00:00+02:00".into(),
        // The least significant byte first.
        Value::Bytes(vec![1, 1].into()),
    ]
}

const KEYS: &[(&str, &str)] = &[("primary.key.mode", "record_key"), ("schema.evolution", "basic")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    KEYS.iter().chain(more).copied().collect()
}

#[test]
fn what_came_from_postgresql_goes_into_it() {
    let db = Db::Postgres;
    let schema = schema();
    for mode in ["insert", "upsert"] {
        let table = name("semantics");
        db.sql(
            &table,
            &format!(
                "CREATE TABLE {table} (id int PRIMARY KEY, lasted interval, spot point, area bytea, seen timestamptz, \
                 since timestamp, until date, opens timetz, mask bit(9))"
            ),
        );
        let mut rig = Rig::of(DEBEZIUM, db, &table, &with(&[("insert.mode", mode)]));
        rig.put(vec![record(&table, 0, key(1), row(&schema, values(&schema)))]);
        assert!(rig.errant.is_empty(), "{mode} {:?}", rig.errant);
        let columns = "extract(epoch from lasted)::numeric(9,1), spot, encode(area, 'hex'), seen, since, until, opens, mask";
        let area = "0101000000000000000000f03f0000000000000040";
        let expected = format!("90000.5|(1,2)|{area}|infinity|-infinity|infinity|12:00:00+02|100000001");
        assert_eq!(db.sql(&table, &format!("SELECT {columns} FROM {table}")), expected, "{mode}");
        rig.stop();
    }
}

#[test]
fn a_number_is_no_length_of_time() {
    let (db, table) = (Db::Postgres, name("lengths"));
    db.sql(&table, &format!("CREATE TABLE {table} (id int PRIMARY KEY, lasted interval)"));
    let plain = Schema::structure().field("lasted", Schema::of(Type::Int64)).build().unwrap();
    let mut rig = Rig::of(DEBEZIUM, db, &table, KEYS);
    rig.put(vec![record(&table, 0, key(1), row(&plain, [Value::Int64(5)]))]);
    assert_eq!(rig.errant.len(), 1);
    assert!(rig.errant[0].error.to_string().contains("column lasted"), "{:?}", rig.errant);
    assert_eq!(db.sql(&table, &format!("SELECT count(*) FROM {table}")), "0");
}

#[test]
fn columns_are_made_of_their_types() {
    let schema = Schema::structure()
        .field("lasted", named(Type::Int64, "time.MicroDuration"))
        .field("spot", shape("Point"))
        .build()
        .unwrap();
    for (db, types) in [(Db::Postgres, "interval,point"), (Db::Maria, "bigint,point")] {
        let table = name("made");
        let mut rig = Rig::of(DEBEZIUM, db, &table, KEYS);
        let [lasted, spot, ..] = values(&self::schema());
        rig.put(vec![record(&table, 0, key(1), row(&schema, [lasted, spot]))]);
        assert!(rig.errant.is_empty(), "{db:?} {:?}", rig.errant);
        let found = db.sql(
            &table,
            &format!(
                "SELECT data_type FROM information_schema.columns WHERE table_name = '{table}' \
                 AND column_name <> 'id' ORDER BY column_name"
            ),
        );
        assert_eq!(found.lines().collect::<Vec<_>>().join(","), types, "{db:?}");
        rig.stop();
    }
}

#[test]
fn mariadb_has_forms_of_its_own_for_some() {
    let (db, table) = (Db::Maria, name("semantics"));
    db.sql(
        &table,
        &format!(
            "CREATE TABLE {table} (id INT PRIMARY KEY, lasted BIGINT, spot POINT, area GEOMETRY, seen TIMESTAMP NULL, \
             since DATETIME NULL, until DATE NULL, opens TIME, mask BIT(9))"
        ),
    );
    let schema = schema();
    let mut values = values(&schema);
    // It has infinities in timestamps alone, and there they are its first and last ones.
    (values[4], values[5]) = (Value::Null, Value::Null);
    let mut rig = Rig::of(DEBEZIUM, db, &table, &with(&[("insert.mode", "upsert")]));
    rig.put(vec![record(&table, 0, key(1), row(&schema, values.clone()))]);
    assert!(rig.errant.is_empty(), "{:?}", rig.errant);
    let columns = "lasted, ST_AsText(spot), ST_SRID(area), UNIX_TIMESTAMP(seen), opens, bin(mask)";
    let found = db.sql(&table, &format!("SELECT {columns} FROM {table}"));
    assert_eq!(found, "90000500000|POINT(1 2)|4326|2147483647|10:00:00|100000001");
    values[4] = Value::Int64(-9_223_372_036_832_400_000);
    rig.put(vec![record(&table, 1, key(2), row(&schema, values))]);
    assert_eq!(rig.errant.len(), 1, "an infinite DATETIME");
    rig.stop();
}

#[test]
fn a_delete_has_to_know_its_row() {
    let plugin =
        lavka_connector_warehouse::plugins().into_iter().find(|plugin| plugin.class == DEBEZIUM).unwrap();
    let lavka_api::plugin::Factory::Sink(make) = plugin.factory else { panic!("it is a sink") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (mode, wrong) in [("none", true), ("kafka", true), ("record_key", false), ("record_value", false)] {
        let keys = [("delete.enabled", "true"), ("primary.key.mode", mode), ("connection.username", "u")];
        let config = crate::harness::config(DEBEZIUM, Db::Sqlite, "unused", &keys);
        let reports = runtime.block_on(make().validate(&(plugin.definition)(), &config));
        let errors: Vec<&str> =
            reports.iter().flat_map(|report| &report.errors).map(String::as_str).collect();
        assert_eq!(errors.len(), usize::from(wrong), "{mode} {errors:?}");
        assert!(errors.iter().all(|error| error.contains("record_key")), "{errors:?}");
    }
}
