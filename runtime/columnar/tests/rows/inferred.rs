//! Schemaless rows into columns whose layout is found on the way.

use crate::reading::{batch_of, read};
use arrow_array::RecordBatch;
use lavka_api::data::{Decimal, Object, Shape, Value};
use lavka_columnar::{BatchBuilder, Refusal};
use proptest::prelude::*;

fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Object::from_entries(entries).into()
}

fn int(v: i64) -> Value {
    Value::Int64(v)
}

fn schema_of(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect()
}

fn refusal(builder: &mut BatchBuilder, row: &Value) -> String {
    match builder.append(&[row]).refusal {
        Some(Refusal::Row(error)) => error.message().unwrap_or_default().to_owned(),
        other => panic!("{row:?}: {other:?}"),
    }
}

#[test]
fn fields_appear_widen_and_nest() {
    let mut builder = BatchBuilder::inferred(None);
    let rows = [
        object([("a", int(1)), ("late", Value::Null)]),
        object([("b", "x".into()), ("a", Value::Float64(1.5))]),
        object([("a", Value::Int8(2)), ("n", object([("x", int(1))]))]),
        object([("n", object([("x", Value::Null), ("y", Value::Boolean(true))])), ("late", int(3))]),
        object([("l", vec![Value::Null, int(1), Value::Float64(0.5)].into())]),
    ];
    let batch = batch_of(&mut builder, &rows);
    let names: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["a", "late", "b", "n", "l"]);
    assert!(batch.schema().fields().iter().all(|f| f.is_nullable()));
    let column = |name: &str| {
        let array = batch.column_by_name(name).unwrap();
        (0..rows.len()).map(|i| read(array, i)).collect::<Vec<_>>()
    };
    let (f, null) = (Value::Float64, Value::Null);
    assert_eq!(column("a"), [f(1.0), f(1.5), f(2.0), Value::Null, Value::Null]);
    assert_eq!(column("late"), [Value::Null, Value::Null, Value::Null, int(3), Value::Null]);
    assert_eq!(column("b"), [Value::Null, "x".into(), Value::Null, Value::Null, Value::Null]);
    assert_eq!(
        column("n"),
        [
            Value::Null,
            Value::Null,
            object([("x", int(1)), ("y", Value::Null)]),
            object([("x", Value::Null), ("y", Value::Boolean(true))]),
            Value::Null
        ]
    );
    assert_eq!(column("l")[4], vec![null, f(1.0), f(0.5)].into());
}

#[test]
fn open_fields_are_left_out_until_a_value_comes() {
    let mut builder = BatchBuilder::inferred(None);
    let first = [object([
        ("a", int(1)),
        ("null", Value::Null),
        ("empty", vec![].into()),
        ("object", object([])),
        ("inner", object([("x", Value::Null)])),
    ])];
    assert_eq!(schema_of(&batch_of(&mut builder, &first)), ["a: Int64"]);
    // More of the same does not disturb the layout, which the first batch has fixed.
    assert_eq!(schema_of(&batch_of(&mut builder, &first)), ["a: Int64"]);
    let news = object([("a", int(1)), ("empty", vec![int(1)].into())]);
    assert!(matches!(builder.append(&[&news]).refusal, Some(Refusal::Layout)));

    let mut next = BatchBuilder::inferred(builder.inferred_layout());
    let batch = batch_of(&mut next, &[news]);
    let names: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["a", "empty"]);
}

#[test]
fn rows_without_any_value_make_a_batch_without_columns() {
    let mut builder = BatchBuilder::inferred(None);
    let batch = batch_of(&mut builder, &[object([]), object([("a", Value::Null)])]);
    assert_eq!((batch.num_rows(), batch.num_columns()), (2, 0));
}

#[test]
fn conflicts_name_the_path_and_both_types_and_change_nothing() {
    let mut builder = BatchBuilder::inferred(None);
    let good = object([
        ("a", int(1)),
        ("s", "x".into()),
        ("o", object([("b", object([("c", int(1))]))])),
        ("l", vec![object([("d", "x".into())])].into()),
        ("m", Value::Map(Box::new([(int(1), "x".into())]))),
        ("t", Value::Timestamp(0)),
        ("dec", Decimal::new(1, 2).into()),
    ]);
    assert!(builder.append(&[&good]).refusal.is_none());
    let suffix = "the type inferred so far";
    for (row, text) in [
        (
            object([("new", int(1)), ("s", int(1))]),
            "field \"s\": a value of type INT64 conflicts with STRING",
        ),
        (object([("a", "x".into())]), "field \"a\": a value of type STRING conflicts with INT64"),
        (
            object([("o", object([("b", object([("c", true.into())]))]))]),
            "field \"o.b.c\": a value of type BOOLEAN conflicts with INT64",
        ),
        (object([("o", int(1))]), "field \"o\": a value of type INT64 conflicts with STRUCT"),
        (object([("a", object([]))]), "field \"a\": a value of type STRUCT conflicts with INT64"),
        (
            object([("l", vec![object([("d", int(1))])].into())]),
            "field \"l[].d\": a value of type INT64 conflicts with STRING",
        ),
        (
            object([("m", Value::Map(Box::new([(int(1), int(1))])))]),
            "field \"m.value\": a value of type INT64 conflicts with STRING",
        ),
        (object([("t", int(1))]), "field \"t\": a value of type INT64 conflicts with Timestamp"),
        (
            object([("dec", Decimal::new(1, 3).into())]),
            "field \"dec\": a value of type Decimal(3) conflicts with Decimal(2)",
        ),
        (
            object([("z", vec![int(1), "x".into()].into())]),
            "field \"z[]\": a value of type STRING conflicts with INT64",
        ),
    ] {
        assert_eq!(refusal(&mut builder, &row), format!("{text}, {suffix}"));
    }
    assert!(builder.append(&[&good]).refusal.is_none());
    let batch = builder.finish().unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (2, 7), "refused rows leave no columns behind");
}

#[test]
fn values_that_no_column_can_hold_are_refused() {
    let mut builder = BatchBuilder::inferred(None);
    let mut deep = int(1);
    for _ in 0..100 {
        deep = object([("a", deep)]);
    }
    assert!(refusal(&mut builder, &deep).ends_with("nested deeper than 64 levels"));
    assert_eq!(
        refusal(&mut builder, &object([("d", Decimal::new(1, 50).into())])),
        "field \"d\": a value of type Decimal(50) does not fit a column"
    );
    assert_eq!(
        refusal(&mut builder, &object([("m", Value::Map(Box::new([(Value::Null, int(1))])))])),
        "Invalid value: null used for required field: \"m.key\", schema type: MAP"
    );
    let crowd: Value = Object::from_entries((0..10_001).map(|i| (format!("k{i}"), int(1)))).into();
    assert!(refusal(&mut builder, &crowd).contains("more than 10000 different fields"));
    assert_eq!(builder.inferred_layout().unwrap().field_count(), 0);
}

#[test]
fn layouts_of_two_files_unite() {
    let layout = |rows: &[Value]| {
        let mut builder = BatchBuilder::inferred(None);
        assert_eq!(builder.append(&rows.iter().collect::<Vec<_>>()).rows, rows.len());
        builder.inferred_layout().unwrap().clone()
    };
    let mut one = layout(&[object([
        ("n", int(1)),
        ("open", Value::Null),
        ("text", "x".into()),
        ("deep", object([("a", vec![int(1)].into())])),
    ])]);
    let other = layout(&[object([
        ("text", int(1)),
        ("n", Value::Float64(0.5)),
        ("deep", object([("a", vec![Value::Float64(0.5)].into()), ("b", Value::Boolean(true))])),
        ("open", object([("c", int(1))])),
        ("late", int(1)),
    ])]);
    one.unite(&other);
    let mut builder = BatchBuilder::inferred(Some(&one));
    assert_eq!(
        schema_of(&builder.finish().unwrap()),
        [
            "n: Float64",
            "open: Struct(\"c\": Int64)",
            "text: Utf8",
            "deep: Struct(\"a\": List(Float64, field: 'element'), \"b\": Boolean)",
            "late: Int64",
        ]
    );
    assert_eq!(one.field_count(), 8);
    let before = one.clone();
    one.unite(&other);
    assert_eq!(one, before);
}

#[test]
fn objects_with_shapes_of_their_own_share_columns() {
    let mut builder = BatchBuilder::inferred(None);
    let rows: Vec<Value> = (0..300)
        .map(|i| {
            let keys = if i % 2 == 0 { ["a", "b"] } else { ["b", "a"] };
            Object::new(Shape::new(keys.map(Into::into)), vec![int(i), int(-i)]).into()
        })
        .collect();
    let batch = batch_of(&mut builder, &rows);
    for i in 0..300 {
        let row = i64::try_from(i).unwrap();
        let want = if i % 2 == 0 { [int(row), int(-row)] } else { [int(-row), int(row)] };
        assert_eq!([read(batch.column(0), i), read(batch.column(1), i)], want);
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        (-1000i64..1000).prop_map(Value::Int64),
        (-1000i32..1000).prop_map(|v| Value::Float64(f64::from(v) / 4.0)),
        "[a-c]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec(("[a-c]", inner), 0..3)
                .prop_map(|entries| Object::from_entries(entries).into()),
        ]
    })
}

fn record() -> impl Strategy<Value = Value> {
    proptest::collection::vec(("[a-d]", json()), 0..4)
        .prop_map(|entries| Object::from_entries(entries).into())
}

/// What a reader of the columns sees where `value` was written: integers may have become doubles, nulls may stand for
/// what has no type (null, an empty list, an object without values).
fn agrees(read: &Value, written: &Value) -> bool {
    match (read, written) {
        (Value::Null, Value::Null) => true,
        (Value::Null, Value::Array(items)) => items.iter().all(|item| agrees(&Value::Null, item)),
        (Value::Null, Value::Object(object)) => object.values().iter().all(|item| agrees(&Value::Null, item)),
        (Value::Float64(read), Value::Int64(written)) => read.to_string() == written.to_string(),
        (Value::Array(read), Value::Array(written)) => {
            read.len() == written.len() && read.iter().zip(written).all(|(r, w)| agrees(r, w))
        }
        (Value::Object(read), Value::Object(written)) => {
            read.iter().all(|(key, value)| agrees(value, written.get(key).unwrap_or(&Value::Null)))
                && written.iter().all(|(key, value)| read.get(key).is_some() || agrees(&Value::Null, value))
        }
        (read, written) => read == written,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]

    /// Whatever comes, each row is either refused, leaving no trace, or read back as it was.
    #[test]
    fn taken_rows_come_back(rows in proptest::collection::vec(record(), 1..40)) {
        let mut builder = BatchBuilder::inferred(None);
        let mut taken: Vec<&Value> = Vec::new();
        let mut rest: Vec<&Value> = rows.iter().collect();
        while !rest.is_empty() {
            let appended = builder.append(&rest);
            taken.extend(&rest[..appended.rows]);
            match appended.refusal {
                None => rest.clear(),
                Some(Refusal::Row(_)) => rest.drain(..=appended.rows).for_each(drop),
                Some(other) => panic!("{other:?}"),
            }
        }
        let batch = builder.finish().unwrap();
        prop_assert_eq!(batch.num_rows(), taken.len());
        for (i, row) in taken.iter().enumerate() {
            let read = Object::from_entries(
                batch.schema().fields().iter().zip(batch.columns()).map(|(f, c)| (f.name().as_str(), read(c, i))),
            );
            prop_assert!(agrees(&read.into(), row), "row {} of {:?}", i, taken);
        }
    }
}
