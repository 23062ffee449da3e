//! Any record that the mapping can hold goes out and comes back: equal, or as the nearest value that is documented.

use std::collections::HashSet;

use lavka_api::data::{Blob, Decimal, Logical, Schema, SchemaBuilder, Struct, Type, Value};
use proptest::prelude::*;

use super::round_trip;
use crate::MappingSettings;

/// A schema with values of it.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    schema: Schema,
    values: BoxedStrategy<Value>,
}

fn primitive() -> impl Strategy<Value = Kind> {
    let of = |ty: Type, values: BoxedStrategy<Value>| (Schema::builder(ty), values);
    let typed = |ty: Type, name: &str, values: BoxedStrategy<Value>| {
        (Schema::builder(ty).parameter("io.confluent.connect.protobuf.Type", name), values)
    };
    let logical = |logical: Logical, values: BoxedStrategy<Value>| (SchemaBuilder::logical(logical), values);
    let int32 = any::<i32>().prop_map(Value::Int32).boxed();
    let int64 = any::<i64>().prop_map(Value::Int64).boxed();
    let uint32 = any::<u32>().prop_map(|v| Value::Int64(v.into())).boxed();
    let symbols = ["A", "B", "C"].into_iter().enumerate().fold(
        Schema::builder(Type::String).name("E").parameter("io.confluent.connect.protobuf.Enum", "E"),
        |builder, (number, symbol)| {
            builder.parameter(format!("io.confluent.connect.protobuf.Enum.{symbol}"), number.to_string())
        },
    );
    let all = vec![
        of(Type::Int8, any::<i8>().prop_map(Value::Int8).boxed()),
        of(Type::Int16, any::<i16>().prop_map(Value::Int16).boxed()),
        of(Type::Int32, int32.clone()),
        of(Type::Int64, int64.clone()),
        of(Type::Float32, any::<f32>().prop_map(Value::Float32).boxed()),
        of(Type::Float64, any::<f64>().prop_map(Value::Float64).boxed()),
        of(Type::Boolean, any::<bool>().prop_map(Value::Boolean).boxed()),
        of(Type::String, "\\PC{0,40}".prop_map(Value::from).boxed()),
        of(Type::Bytes, any::<Vec<u8>>().prop_map(|bytes| Blob::from(bytes).into()).boxed()),
        typed(Type::Int32, "sint32", int32.clone()),
        typed(Type::Int32, "sfixed32", int32),
        typed(Type::Int64, "uint32", uint32.clone()),
        typed(Type::Int64, "fixed32", uint32),
        typed(Type::Int64, "uint64", int64.clone()),
        typed(Type::Int64, "sint64", int64.clone()),
        typed(Type::Int64, "fixed64", int64.clone()),
        typed(Type::Int64, "sfixed64", int64),
        logical(Logical::Date, (-719_164_i32..2_932_896).prop_map(Value::Date).boxed()),
        logical(Logical::Time, (0..86_400_000).prop_map(Value::Time).boxed()),
        logical(
            Logical::Timestamp,
            (-62_135_596_800_000_i64..253_402_300_799_999).prop_map(Value::Timestamp).boxed(),
        ),
        logical(
            Logical::Decimal(3),
            any::<i128>().prop_map(|unscaled| Decimal::new(unscaled, 3).into()).boxed(),
        ),
        (symbols, proptest::sample::select(vec!["A", "B", "C"]).prop_map(Value::from).boxed()),
    ];
    (proptest::sample::select(all), any::<bool>()).prop_map(|((builder, values), optional)| Kind {
        schema: builder.optional_if(optional).build().unwrap(),
        values: if optional { prop_oneof![1 => Just(Value::Null), 4 => values].boxed() } else { values },
    })
}

/// Not null, whatever its schema says: items of arrays and maps.
fn there(kind: &Kind) -> BoxedStrategy<Value> {
    kind.values.clone().prop_filter("null", |value| !value.is_null()).boxed()
}

fn list(kind: Kind) -> Kind {
    let values = proptest::collection::vec(there(&kind), 0..4).prop_map(Value::from).boxed();
    Kind { schema: Schema::array(kind.schema), values }
}

fn map(kind: Kind, name: usize) -> Kind {
    let entries = proptest::collection::vec(("[a-z]{0,3}", there(&kind)), 0..4);
    let values = entries.prop_map(|entries| {
        let mut keys = HashSet::new();
        let distinct = entries.into_iter().filter(|(key, _)| keys.insert(key.clone()));
        Value::Map(distinct.map(|(key, value)| (key.into(), value)).collect())
    });
    let schema = Schema::map(Schema::of(Type::String), kind.schema);
    Kind { schema: schema.to_builder().name(format!("map_{name}")).build().unwrap(), values: values.boxed() }
}

fn structure(fields: Vec<Kind>, name: usize) -> Kind {
    let mut builder = Schema::structure().name(format!("S{name}"));
    for (i, field) in fields.iter().enumerate() {
        builder = builder.field(format!("f{i}"), field.schema.clone());
    }
    let schema = builder.build().unwrap();
    let of = schema.clone();
    let values = fields.into_iter().map(|field| field.values).collect::<Vec<_>>();
    let values = values.prop_map(move |values| Struct::new(of.clone(), values).unwrap().into());
    Kind { schema, values: values.boxed() }
}

/// What is repeated cannot be in an array, and in a map it is read as an array of entries.
fn is_repeated(kind: &Kind) -> bool {
    matches!(kind.schema.ty(), Type::Array | Type::Map)
}

/// Names are unlike each other: two structs of one name in one message would be taken for the same.
fn kinds() -> impl Strategy<Value = Kind> {
    let inner = primitive().boxed().prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            3 => inner.clone(),
            1 => inner.clone().prop_map(|kind| if is_repeated(&kind) { kind } else { list(kind) }),
            1 => (inner.clone(), 0..1_000_000_usize).prop_map(|(kind, name)| if is_repeated(&kind) { kind } else { map(kind, name) }),
            2 => (proptest::collection::vec(inner, 1..5), 0..1_000_000_usize).prop_map(|(fields, name)| structure(fields, name)),
        ]
    });
    proptest::collection::vec(inner, 1..6).prop_map(|fields| structure(fields, 1_000_000))
}

/// Records with their schema.
pub(super) fn records() -> impl Strategy<Value = (Schema, Value)> {
    kinds().prop_flat_map(|kind| (Just(kind.schema), kind.values))
}

/// What is read of `value`, without the schemas of structs.
fn nearest(schema: &Schema, value: &Value, settings: &MappingSettings, item: bool) -> String {
    let null_is_kept =
        !item && schema.is_optional() && (settings.optional_for_nullables || settings.wrapper_for_nullables);
    match (schema.ty(), value) {
        (Type::Struct, Value::Struct(record)) => {
            let fields: Vec<String> =
                record.iter().map(|(field, value)| nearest(field.schema(), value, settings, false)).collect();
            format!("{{{}}}", fields.join(","))
        }
        (Type::Array, Value::Array(items)) => {
            let items: Vec<String> =
                items.iter().map(|item| nearest(schema.values().unwrap(), item, settings, true)).collect();
            format!("[{}]", items.join(","))
        }
        (Type::Map, Value::Map(entries)) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| {
                    format!("{key:?}:{}", nearest(schema.values().unwrap(), value, settings, true))
                })
                .collect();
            format!("<{}>", entries.join(","))
        }
        // An enum is never wrapped; without presence its first symbol stands for null.
        (Type::String, Value::Null) if schema.parameter("io.confluent.connect.protobuf.Enum").is_some() => {
            if settings.optional_for_nullables {
                "Null".into()
            } else {
                format!("{:?}", Value::from("A"))
            }
        }
        (_, Value::Null) if null_is_kept || schema.logical().is_some() => "Null".into(),
        (ty, Value::Null) => format!("{:?}", zero(ty)),
        // The smaller integers are plain ones in wrappers.
        (Type::Int8 | Type::Int16, value) if settings.wrapper_for_nullables && schema.is_optional() => {
            format!("{:?}", Value::Int32(value.as_i64().unwrap() as i32))
        }
        (_, Value::Bytes(bytes)) => format!("{:?}", bytes.as_slice()),
        (_, value) => format!("{value:?}"),
    }
}

fn zero(ty: Type) -> Value {
    match ty {
        Type::Int8 => Value::Int8(0),
        Type::Int16 => Value::Int16(0),
        Type::Int32 => Value::Int32(0),
        Type::Int64 => Value::Int64(0),
        Type::Float32 => Value::Float32(0.0),
        Type::Float64 => Value::Float64(0.0),
        Type::Boolean => Value::Boolean(false),
        Type::String => "".into(),
        Type::Bytes => Blob::default().into(),
        other => panic!("{other} has no zero"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Struct(record) => {
            format!("{{{}}}", record.values().iter().map(shown).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
        Value::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key:?}:{}", shown(value))).collect();
            format!("<{}>", entries.join(","))
        }
        Value::Bytes(bytes) => format!("{:?}", bytes.as_slice()),
        value => format!("{value:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn records_come_back((schema, value) in records()) {
        for settings in [
            MappingSettings::default(),
            MappingSettings { optional_for_nullables: true, ..MappingSettings::default() },
            MappingSettings { wrapper_for_nullables: true, ..MappingSettings::default() },
        ] {
            let (read_schema, read) = round_trip(&schema, &value, &settings).unwrap();
            let zeros = nearest(&schema, &value, &settings, false).replace("Bytes(Blob(0 bytes))", "[]");
            prop_assert_eq!(shown(&read), zeros);
            // What is read is a record of the schema that comes with it.
            if !settings.wrapper_for_nullables && !settings.optional_for_nullables {
                prop_assert!(lavka_api::data::validate(None, &read_schema, &read).is_ok());
            }
        }
    }

    /// A record that was read is written again with the schema that was read, to the same bytes.
    #[test]
    fn what_was_read_is_written_again((schema, value) in records()) {
        let settings = MappingSettings::default();
        let bytes = super::encode(&schema, &value, &settings).unwrap();
        let (read_schema, read) = round_trip(&schema, &value, &settings).unwrap();
        prop_assert_eq!(super::encode(&read_schema, &read, &settings).unwrap(), bytes);
    }
}
