//! What is worked out once for a table.

use lavka_api::data::{Str, Type, Value};
use lavka_connector_postgres::event::EventSettings;
use lavka_connector_postgres::model::{Column, Table, oid};
use lavka_connector_postgres::schema::ColumnMappers;

use crate::rig::{RELATION, Rig, after, column, frame, relation, settings, table};

#[test]
fn the_same_relation_keeps_its_schemas() {
    let mut rig = Rig::new(settings());
    let insert = frame(b"I", RELATION, &[(b'N', &[Some("1"), None, None])]);
    rig.feed(&insert).unwrap();
    rig.emitter.relation(&relation(&table()), Some(&table())).unwrap();
    rig.feed(&insert).unwrap();
    let schema = |index: usize| rig.out[index].record.value.schema.clone().unwrap();
    assert!(schema(0).same(&schema(1)), "the pointer, which plans behind are found by");

    let mut columns = table().columns;
    columns.push(column("more", oid::INT4, 4));
    let wider = Table { columns, ..table() };
    rig.emitter.relation(&relation(&wider), Some(&wider)).unwrap();
    rig.feed(&frame(b"I", RELATION, &[(b'N', &[Some("1"), None, None, Some("5")])])).unwrap();
    assert_eq!(after(&rig.out[2], "more"), &Value::Int32(5));
}

#[test]
fn columns_that_differ_by_case_are_refused() {
    let twice = Table { columns: vec![column("id", oid::INT4, 1), column("ID", oid::INT4, 2)], ..table() };
    let mut rig = Rig::new(settings());
    let error = rig.emitter.relation(&relation(&twice), Some(&twice)).unwrap_err().to_string();
    assert!(error.contains("inv.t") && error.contains("differ by case"), "{error}");
}

#[test]
fn a_table_that_is_gone_keeps_its_changes() {
    let mut rig = Rig::new(settings());
    rig.emitter.relation(&relation(&table()), None).unwrap();
    rig.feed(&frame(b"I", RELATION, &[(b'N', &[Some("1"), Some("a"), None])])).unwrap();
    // The replica identity is the key; whether columns may be null is not known any more.
    assert_eq!(rig.shown(), ["c Struct{id=1} null Struct{id=1,body=a}"]);
    let plan = rig.emitter.plan(RELATION).unwrap();
    assert!(plan.key_schema().unwrap().field("id").unwrap().schema().is_optional());
}

#[test]
fn comments_become_documentation_and_parameters() {
    let commented = |column: Column| Column { comment: Some(Str::from("what it is")), ..column };
    let table = Table {
        columns: vec![commented(column("id", oid::INT4, 1)), commented(column("body", oid::TEXT, 2))],
        ..table()
    };
    let settings = EventSettings {
        comments: true,
        mappers: ColumnMappers::from_config([("column.propagate.source.type", r".*\.body")]).unwrap(),
        ..settings()
    };
    let rig = Rig::of(settings, &table);
    let row = rig.emitter.plan(RELATION).unwrap().value_schema().field("after").unwrap().schema().clone();
    let body = row.field("body").unwrap().schema().clone();
    assert_eq!(body.doc().map(Str::as_str), Some("what it is"));
    let parameters: Vec<(&str, &str)> =
        body.parameters().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        parameters,
        [
            ("__debezium.source.column.type", "TEXT"),
            ("__debezium.source.column.length", "2147483647"),
            ("__debezium.source.column.scale", "0"),
            ("__debezium.source.column.comment", "what it is"),
            ("__debezium.source.column.name", "body"),
        ]
    );
}

#[test]
fn vectors_are_arrays_and_sparse_ones_are_structs() {
    let table = Table {
        columns: vec![
            column("id", oid::INT4, 1),
            column("dense", 90_001, 2),
            column("half", 90_002, 3),
            column("sparse", 90_003, 4),
        ],
        ..table()
    };
    let mut rig = Rig::of(settings(), &table);
    let texts = [Some("1"), Some("[1,2.5]"), Some("[0.5]"), Some("{1:1.5,3:2}/5")];
    rig.feed(&frame(b"I", RELATION, &[(b'N', &texts)])).unwrap();
    let record = &rig.out[0];
    assert_eq!(after(record, "dense"), &Value::Array([Value::Float64(1.0), Value::Float64(2.5)].into()));
    assert_eq!(after(record, "half"), &Value::Array([Value::Float32(0.5)].into()));
    let Value::Struct(sparse) = after(record, "sparse") else { panic!() };
    assert_eq!(sparse.get("dimensions"), Some(&Value::Int16(5)));
    let pairs = [(Value::Int16(1), Value::Float64(1.5)), (Value::Int16(3), Value::Float64(2.0))];
    assert_eq!(sparse.get("vector"), Some(&Value::Map(pairs.into())));
    let row = record.record.value.schema.as_ref().unwrap().field("after").unwrap().schema().clone();
    let name = |field: &str| row.field(field).unwrap().schema().name().map(Str::to_string);
    assert_eq!(name("dense").as_deref(), Some("io.debezium.data.DoubleVector"));
    assert_eq!(name("half").as_deref(), Some("io.debezium.data.FloatVector"));
    assert_eq!(name("sparse").as_deref(), Some("io.debezium.data.SparseDoubleVector"));
    assert_eq!(row.field("dense").unwrap().schema().values().unwrap().ty(), Type::Float64);
    lavka_api::data::validate(None, record.record.value.schema.as_ref().unwrap(), &record.record.value.value)
        .unwrap();
}
