//! Rows into columns laid out by a Connect schema.

use crate::reading::{batch_of, plain, read};
use arrow_schema::{DataType, TimeUnit};
use lavka_api::data::{Blob, Decimal, Logical, Object, Schema, Struct, Type, Value};
use lavka_columnar::{BatchBuilder, Refusal};

fn every_type() -> Schema {
    let point = Schema::structure()
        .field("x", Schema::of(Type::Int32))
        .field("y", Schema::optional(Type::Float64))
        .optional()
        .build()
        .unwrap();
    let mut builder = Schema::structure();
    for ty in &Type::ALL[..9] {
        builder = builder.field(format!("f_{}", ty.name().to_lowercase()), Schema::optional(*ty));
    }
    builder
        .field("decimal", Schema::logical_of(Logical::Decimal(2)))
        .field("date", Schema::logical_of(Logical::Date))
        .field("time", Schema::logical_of(Logical::Time))
        .field("timestamp", Schema::logical_of(Logical::Timestamp))
        .field("list", Schema::array(Schema::optional(Type::String)))
        .field("map", Schema::map(Schema::of(Type::Int32), point.clone()))
        .field("point", point)
        .build()
        .unwrap()
}

fn point(schema: &Schema, x: i32, y: Option<f64>) -> Value {
    let schema = schema.field("point").unwrap().schema().clone();
    Struct::new(schema, vec![Value::Int32(x), y.into()]).unwrap().into()
}

fn full_row(schema: &Schema) -> Value {
    Struct::new(
        schema.clone(),
        vec![
            Value::Int8(-8),
            Value::Int16(-16),
            Value::Int32(-32),
            Value::Int64(i64::MIN),
            Value::Float32(0.5),
            Value::Float64(-0.25),
            Value::Boolean(true),
            "žluťoučký".into(),
            Blob::from(&[0, 255]).into(),
            Decimal::new(-15600, 2).into(),
            Value::Date(-1),
            Value::Time(86_399_999),
            Value::Timestamp(-1),
            vec!["a".into(), Value::Null, "".into()].into(),
            Value::Map(Box::new([
                (Value::Int32(7), point(schema, 1, Some(2.0))),
                (Value::Int32(8), Value::Null),
            ])),
            point(schema, 3, None),
        ],
    )
    .unwrap()
    .into()
}

fn sparse_row(schema: &Schema) -> Value {
    let mut values = vec![Value::Null; 9];
    values.extend([
        Decimal::new(1, 2).into(),
        Value::Date(0),
        Value::Time(0),
        Value::Timestamp(0),
        Vec::new().into(),
        Value::Map(Box::new([])),
        Value::Null,
    ]);
    Struct::new(schema.clone(), values).unwrap().into()
}

#[test]
fn memory_set_aside_can_be_given_back() {
    let schema = Schema::structure()
        .field("n", Schema::optional(Type::Int64))
        .field("flag", Schema::optional(Type::Boolean))
        .field("text", Schema::optional(Type::String))
        .field(
            "list",
            Schema::builder(Type::Array).values(Schema::of(Type::Int32)).optional().build().unwrap(),
        )
        .build()
        .unwrap();
    let mut builder = BatchBuilder::declared(&schema).unwrap();
    let row = |i: i64| -> Value {
        let list = vec![Value::Int32(1), Value::Int32(2)].into();
        let text = "some text".into();
        Struct::new(schema.clone(), vec![Value::Int64(i), Value::Boolean(true), text, list]).unwrap().into()
    };
    let rows: Vec<Value> = (0..1000).map(row).collect();
    let rows: Vec<&Value> = rows.iter().collect();
    for _ in 0..2 {
        assert_eq!(builder.append(&rows).rows, 1000);
        assert!(builder.reserved() >= builder.heap_size() && builder.heap_size() > 29_000);
        assert_eq!(builder.finish().unwrap().num_rows(), 1000);
        assert_eq!(builder.heap_size(), 0);
        assert!(builder.reserved() > 29_000, "room for another batch like that");
        builder.release();
        assert!(builder.reserved() < 100, "{}", builder.reserved());
    }
}

#[test]
fn every_type_comes_back() {
    let schema = every_type();
    let rows = [full_row(&schema), sparse_row(&schema), full_row(&schema)];
    let batch = batch_of(&mut BatchBuilder::declared(&schema).unwrap(), &rows);
    let types: Vec<DataType> = batch.schema().fields().iter().map(|f| f.data_type().clone()).collect();
    assert_eq!(
        types[..13],
        [
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::Float32,
            DataType::Float64,
            DataType::Boolean,
            DataType::Utf8,
            DataType::Binary,
            DataType::Decimal128(38, 2),
            DataType::Date32,
            DataType::Time32(TimeUnit::Millisecond),
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        ]
    );
    let nullable: Vec<bool> = batch.schema().fields().iter().map(|f| f.is_nullable()).collect();
    assert_eq!(nullable, [vec![true; 9], vec![false; 6], vec![true]].concat());
    for (i, row) in rows.iter().enumerate() {
        let Value::Struct(row) = row else { unreachable!() };
        for (column, want) in row.values().iter().enumerate() {
            assert_eq!(read(batch.column(column), i), plain(want), "row {i}, column {column}");
        }
    }
}

#[test]
fn null_takes_the_default_of_its_field() {
    let schema = Schema::structure()
        .field("a", Schema::builder(Type::Int32).default_value(Value::Int32(7)).build().unwrap())
        .field("b", Schema::builder(Type::String).optional().default_value(Value::from("x")).build().unwrap())
        .build()
        .unwrap();
    let row = Value::from(Struct::empty(schema.clone()).unwrap());
    let bare = Value::from(Object::from_entries([("c", 1i64)]));
    let batch = batch_of(&mut BatchBuilder::declared(&schema).unwrap(), &[row, bare]);
    for i in 0..2 {
        assert_eq!(read(batch.column(0), i), Value::Int32(7));
        assert_eq!(read(batch.column(1), i), Value::from("x"));
    }
}

#[test]
fn a_null_struct_may_have_required_fields() {
    let schema = every_type();
    let mut row = full_row(&schema);
    let Value::Struct(fields) = &mut row else { unreachable!() };
    fields.set("point", Value::Null);
    let batch = batch_of(&mut BatchBuilder::declared(&schema).unwrap(), &[row]);
    assert_eq!(read(batch.column_by_name("point").unwrap(), 0), Value::Null);
}

#[test]
fn fields_go_by_name_when_the_source_has_another_schema() {
    let target = Schema::structure()
        .field("a", Schema::of(Type::Int64))
        .field("b", Schema::optional(Type::String))
        .build()
        .unwrap();
    let source = Schema::structure()
        .field("b", Schema::of(Type::String))
        .field("x", Schema::of(Type::Int32))
        .field("a", Schema::of(Type::Int32))
        .build()
        .unwrap();
    let row = Struct::new(source, vec!["b".into(), Value::Int32(1), Value::Int32(2)]).unwrap().into();
    let object = Object::from_entries([("a", Value::Int64(3))]).into();
    let batch = batch_of(&mut BatchBuilder::declared(&target).unwrap(), &[row, object]);
    assert_eq!(read(batch.column(0), 0), Value::Int64(2));
    assert_eq!(read(batch.column(1), 0), Value::from("b"));
    assert_eq!(read(batch.column(0), 1), Value::Int64(3));
    assert_eq!(read(batch.column(1), 1), Value::Null);
}

#[test]
fn schemaless_values_fit_a_declared_schema_by_their_wire_form() {
    let schema = every_type();
    let row: Value = Object::from_entries([
        ("f_int8", Value::Int64(5)),
        ("f_float32", Value::Float64(0.5)),
        ("f_float64", Value::Int64(2)),
        ("f_bytes", "AQI=".into()),
        ("decimal", Value::Float64(1.5)),
        ("date", Value::Int64(1)),
        ("time", Value::Int64(2)),
        ("timestamp", Value::Int64(3)),
        ("list", Vec::new().into()),
        ("map", Value::Map(Box::new([]))),
        ("point", Object::from_entries([("x", Value::Int64(1)), ("y", Value::Int64(2))]).into()),
        ("extra", Value::Int64(0)),
    ])
    .into();
    let batch = batch_of(&mut BatchBuilder::declared(&schema).unwrap(), &[row]);
    let column = |name: &str| read(batch.column_by_name(name).unwrap(), 0);
    assert_eq!(column("f_int8"), Value::Int8(5));
    assert_eq!(column("f_float32"), Value::Float32(0.5));
    assert_eq!(column("f_float64"), Value::Float64(2.0));
    assert_eq!(column("f_bytes"), Blob::from(&[1, 2]).into());
    assert_eq!(column("decimal"), Decimal::new(150, 2).into());
    assert_eq!(column("date"), Value::Date(1));
    assert_eq!(column("time"), Value::Time(2));
    assert_eq!(column("timestamp"), Value::Timestamp(3));
    assert_eq!(
        column("point"),
        Object::from_entries([("x", Value::Int32(1)), ("y", Value::Float64(2.0))]).into()
    );
}

#[test]
fn a_row_is_refused_whole_and_the_path_is_named() {
    let schema = every_type();
    let good = full_row(&schema);
    let cases: Vec<(&str, Value, &str)> = vec![
        ("f_int8", Value::Int64(300), "field \"f_int8\": 300 of type INT64 does not fit INT8"),
        ("f_int32", "x".into(), "field \"f_int32\": a value of type STRING does not fit INT32"),
        ("date", Value::Null, "Invalid value: null used for required field: \"date\", schema type: Date"),
        (
            "decimal",
            Decimal::new(1, 3).into(),
            "field \"decimal\": Decimal value has mismatching scale for given Decimal schema. Schema has scale 2, \
             value has scale 3.",
        ),
        (
            "list",
            vec!["a".into(), Value::Int32(1)].into(),
            "field \"list[]\": 1 of type INT32 does not fit STRING",
        ),
        (
            "map",
            Value::Map(Box::new([(Value::Int32(1), Object::from_entries([("x", "y")]).into())])),
            "field \"map.value.x\": a value of type STRING does not fit INT32",
        ),
        (
            "map",
            Value::Map(Box::new([(Value::Null, Value::Null)])),
            "Invalid value: null used for required field: \"map.key\", schema type: INT32",
        ),
        (
            "point",
            Object::from_entries([("y", 1.0)]).into(),
            "Invalid value: null used for required field: \"point.x\", schema type: INT32",
        ),
    ];
    for (field, value, text) in cases {
        let mut bad = good.clone();
        let Value::Struct(fields) = &mut bad else { unreachable!() };
        assert!(fields.set(field, value));
        let mut builder = BatchBuilder::declared(&schema).unwrap();
        let taken = builder.append(&[&good, &bad, &good]);
        assert_eq!(taken.rows, 1);
        let Some(Refusal::Row(error)) = taken.refusal else { panic!("{field} was taken") };
        assert_eq!(error.message(), Some(text));
        assert_eq!(builder.append(&[&good]).rows, 1);
        let batch = builder.finish().unwrap();
        assert_eq!(batch.num_rows(), 2);
        let Value::Struct(row) = &good else { unreachable!() };
        for (column, want) in row.values().iter().enumerate() {
            assert_eq!(read(batch.column(column), 1), plain(want));
        }
    }
}

#[test]
fn rows_need_fields() {
    let schema = every_type();
    let mut builder = BatchBuilder::declared(&schema).unwrap();
    let taken = builder.append(&[&Value::from("text")]);
    let Some(Refusal::Row(error)) = taken.refusal else { panic!() };
    assert_eq!(error.message(), Some("a value of type STRING is not a record with fields"));
    let error = BatchBuilder::declared(&Schema::of(Type::Int32)).unwrap_err();
    assert_eq!(error.message(), Some("a value of type INT32 is not a record with fields"));
}

#[test]
fn schemas_that_no_column_can_hold_are_refused() {
    let empty = Schema::structure().build().unwrap();
    let mut deep = Schema::of(Type::Int32);
    for _ in 0..100 {
        deep = Schema::array(deep);
    }
    for (field, text) in [
        (empty, "field \"f\": a struct without fields cannot be a column"),
        (
            Schema::logical_of(Logical::Decimal(39)),
            "field \"f\": a Decimal of scale 39 cannot be a column; 0 to 38 can",
        ),
        (
            Schema::logical_of(Logical::Decimal(-1)),
            "field \"f\": a Decimal of scale -1 cannot be a column; 0 to 38 can",
        ),
    ] {
        let schema = Schema::structure().field("f", field).build().unwrap();
        assert_eq!(BatchBuilder::declared(&schema).unwrap_err().message(), Some(text));
    }
    let schema = Schema::structure().field("f", deep).build().unwrap();
    let error = BatchBuilder::declared(&schema).unwrap_err();
    assert!(error.message().unwrap().ends_with("schema is nested deeper than 64 levels"), "{error}");
}

#[test]
fn a_builder_makes_one_batch_after_another() {
    let schema = every_type();
    let mut builder = BatchBuilder::declared(&schema).unwrap();
    for round in 1..4 {
        let rows = vec![full_row(&schema); round * 50];
        let batch = batch_of(&mut builder, &rows);
        assert_eq!(batch.num_rows(), round * 50);
        assert_eq!(builder.rows(), 0);
        let Value::Struct(row) = &rows[0] else { unreachable!() };
        for (column, want) in row.values().iter().enumerate() {
            assert_eq!(read(batch.column(column), round * 50 - 1), plain(want));
        }
    }
    assert_eq!(builder.finish().unwrap().num_rows(), 0);
}
