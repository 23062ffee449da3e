//! Any record comes back as it was, or as the documented nearest.

use lavka_api::data::{Blob, Decimal, Logical, Schema, Struct, Type, Value};
use proptest::prelude::*;

use super::Rig;

/// A schema with a value of it.
type Sample = (Schema, Value);

fn scalar() -> impl Strategy<Value = Sample> {
    let text = "[a-z\u{e9}\u{1f600}\"\\\\\n]{0,6}";
    prop_oneof![
        any::<i8>().prop_map(|v| (Schema::of(Type::Int8), v.into())),
        any::<i16>().prop_map(|v| (Schema::of(Type::Int16), v.into())),
        any::<i32>().prop_map(|v| (Schema::of(Type::Int32), v.into())),
        any::<i64>().prop_map(|v| (Schema::of(Type::Int64), v.into())),
        any::<f32>().prop_map(|v| (Schema::of(Type::Float32), v.into())),
        any::<f64>().prop_map(|v| (Schema::of(Type::Float64), v.into())),
        any::<bool>().prop_map(|v| (Schema::of(Type::Boolean), v.into())),
        text.prop_map(|v| (Schema::of(Type::String), v.into())),
        proptest::collection::vec(any::<u8>(), 0..9)
            .prop_map(|v| (Schema::of(Type::Bytes), Blob::from(v).into())),
        (any::<i64>(), 0..6_i32).prop_map(|(v, scale)| (
            Schema::logical_of(Logical::Decimal(scale)),
            Decimal::new(v, scale).into()
        )),
        any::<i32>().prop_map(|v| (Schema::logical_of(Logical::Date), Value::Date(v))),
        (0..86_400_000).prop_map(|v| (Schema::logical_of(Logical::Time), Value::Time(v))),
        any::<i64>().prop_map(|v| (Schema::logical_of(Logical::Timestamp), Value::Timestamp(v))),
    ]
}

/// What the schema says besides the type, with a null where there is a default to stand in for it.
fn described() -> impl Strategy<Value = Sample> {
    (scalar(), any::<bool>(), any::<u8>()).prop_map(|((schema, value), default, about)| {
        let mut builder = schema.to_builder();
        if schema.logical().is_none() && about % 3 == 0 {
            builder = builder.name(format!("org.example.N{about}")).version(i32::from(about));
        }
        if about % 5 == 0 {
            builder = builder.doc("said \"about\" it").parameter("colour", "r\u{e4}d");
        }
        // JSON has no number for some defaults, and Java's decimals have no zero below zero.
        let is_number = |number: f64| number.is_finite() && (number != 0.0 || number.is_sign_positive());
        if default && value.as_f64().is_none_or(is_number) {
            return (builder.default_value(value).build().unwrap(), Value::Null);
        }
        (builder.build().unwrap(), value)
    })
}

/// What comes back: the default where there is a null.
fn nearest(schema: &Schema, value: &Value) -> Value {
    match value {
        Value::Null => schema.default_value().cloned().unwrap_or_default(),
        Value::Array(items) => {
            let of = schema.values().unwrap();
            items.iter().map(|item| nearest(of, item)).collect::<Vec<_>>().into()
        }
        Value::Map(entries) => {
            let (keys, values) = (schema.keys().unwrap(), schema.values().unwrap());
            Value::Map(entries.iter().map(|(k, v)| (nearest(keys, k), nearest(values, v))).collect())
        }
        Value::Struct(record) => {
            let values: Vec<Value> =
                record.iter().map(|(field, value)| nearest(field.schema(), value)).collect();
            Struct::new(schema.clone(), values).unwrap().into()
        }
        other => other.clone(),
    }
}

fn sample() -> impl Strategy<Value = Sample> {
    let maybe_optional = |inner: BoxedStrategy<Sample>| {
        (inner, 0..4_u8).prop_map(|((schema, value), choice)| match choice {
            0 => {
                let schema = schema.to_builder().optional().build().unwrap();
                let value = match value {
                    Value::Struct(record) => {
                        Struct::new(schema.clone(), record.into_values()).unwrap().into()
                    }
                    other => other,
                };
                (schema, value)
            }
            1 => (schema.to_builder().optional().build().unwrap(), Value::Null),
            _ => (schema, value),
        })
    };
    maybe_optional(prop_oneof![scalar(), described()].boxed()).boxed().prop_recursive(
        3,
        24,
        5,
        move |inner| {
            let structs = proptest::collection::vec(inner.clone(), 0..6).prop_map(|fields| {
                let mut builder = Schema::structure().name("org.example.S");
                let mut values = Vec::new();
                for (at, (schema, value)) in fields.into_iter().enumerate() {
                    builder = builder.field(format!("f{at}"), schema);
                    values.push(value);
                }
                let schema = builder.build().unwrap();
                (schema.clone(), Value::from(Struct::new(schema, values).unwrap()))
            });
            let arrays = (inner.clone(), 0..3_usize).prop_map(|((schema, value), count)| {
                (Schema::array(schema), Value::from(vec![value; count]))
            });
            let maps = (scalar(), inner).prop_map(|((keys, key), (values, value))| {
                (Schema::map(keys, values), Value::Map([(key, value)].into()))
            });
            maybe_optional(prop_oneof![structs, arrays, maps].boxed()).boxed()
        },
    )
}

/// The schema without what decoding adds or loses: the version of the root, which comes from the registry.
fn rooted(schema: &Schema) -> Schema {
    schema.to_builder().version(None).build().unwrap()
}

/// Equal, but for `NaN`, which is itself here, and the sign of zero, which Java's decimals lose too. Structs are compared by
/// their values: the schema of the root has a version more.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float32(a), Value::Float32(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Value::Float64(a), Value::Float64(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Value::Struct(a), Value::Struct(b)) => {
            a.values().len() == b.values().len() && a.values().iter().zip(b.values()).all(|(a, b)| same(a, b))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1))
        }
        _ => a == b,
    }
}

proptest! {
    #[test]
    fn records_come_back((schema, value) in sample(), numeric in any::<bool>()) {
        let mut rig = Rig::new(&[("decimal.format", if numeric { "NUMERIC" } else { "BASE64" })]);
        let back = rig.there_and_back(&schema, &value);
        let expected = nearest(&schema, &value);
        prop_assert!(same(&back.value, &expected), "{:?} came back as {:?}", value, back.value);
        let found = back.schema.unwrap();
        let own_version = schema.version().or(Some(1));
        prop_assert_eq!(found.version(), own_version);
        prop_assert_eq!(rooted(&found), rooted(&schema));
    }
}
