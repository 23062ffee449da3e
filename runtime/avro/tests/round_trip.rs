//! Any record that the model can hold goes out and comes back equal, or as the documented nearest: a null in a field with
//! a default is the default. What was written is read by apache-avro too, and written by it again to the same bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use lavka_api::data::{Blob, Decimal, Logical, Object, Schema, ShapeTable, Struct, Type, Value};
use lavka_avro::{AvroSchema, Decoder, Encoder, Mapping};
use proptest::collection::vec;
use proptest::prelude::*;

/// A schema and a way to values of it.
fn schema() -> impl Strategy<Value = Schema> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            Type::Int8,
            Type::Int16,
            Type::Int32,
            Type::Int64,
            Type::Float32,
            Type::Float64,
            Type::Boolean,
            Type::String,
            Type::Bytes,
        ])
        .prop_map(Schema::of),
        (0..12_i32).prop_map(|scale| Schema::logical_of(Logical::Decimal(scale))),
        prop::sample::select(vec![Logical::Date, Logical::Time, Logical::Timestamp])
            .prop_map(Schema::logical_of),
    ];
    let decorated =
        (leaf, any::<bool>(), any::<bool>(), any::<u8>()).prop_map(|(schema, optional, default, about)| {
            let mut builder = schema.to_builder().optional_if(optional);
            if schema.logical().is_none() && about < 40 {
                builder = builder.name(format!("org.example.N{about}"));
            }
            if about % 7 == 0 {
                builder = builder.doc("said about it").parameter("colour", "r\u{e4}d \"1\"");
            }
            if default {
                builder = builder.default_value(simple_value(&schema));
            }
            builder.build().unwrap()
        });
    decorated.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            (inner.clone(), any::<bool>()).prop_map(|(items, optional)| {
                Schema::array(items).to_builder().optional_if(optional).build().unwrap()
            }),
            (inner.clone(), any::<bool>()).prop_map(|(values, optional)| {
                let map = Schema::map(Schema::of(Type::String), values);
                map.to_builder().optional_if(optional).build().unwrap()
            }),
            (vec(inner, 0..6), any::<bool>(), any::<u64>()).prop_map(|(fields, optional, name)| {
                let mut builder = Schema::structure().optional_if(optional);
                if name % 3 > 0 {
                    builder = builder.name(format!("org.example.S{name}")).version(3);
                }
                for (i, field) in fields.into_iter().enumerate() {
                    builder = builder.field(format!("f{i}"), field);
                }
                builder.build().unwrap()
            }),
        ]
    })
}

/// A map whose keys are numbers. One to a schema: the entries of all have one name.
fn numbered() -> impl Strategy<Value = Schema> {
    schema().prop_map(|values| {
        let map = Schema::map(Schema::of(Type::Int64), values);
        Schema::structure().name("org.example.Numbered").field("entries", map).build().unwrap()
    })
}

/// The same value for every schema of a type.
fn simple_value(schema: &Schema) -> Value {
    match (schema.logical(), schema.ty()) {
        (Some(Logical::Decimal(scale)), _) => Value::from(Decimal::new(-1234, scale)),
        (Some(Logical::Date), _) => Value::Date(-5),
        (Some(Logical::Time), _) => Value::Time(5),
        (Some(Logical::Timestamp), _) => Value::Timestamp(1 << 40),
        (None, Type::Int8) => Value::Int8(-3),
        (None, Type::Int16) => Value::Int16(300),
        (None, Type::Int32) => Value::Int32(-70_000),
        (None, Type::Int64) => Value::Int64(1 << 50),
        (None, Type::Float32) => Value::Float32(0.1),
        (None, Type::Float64) => Value::Float64(-2.5e-9),
        (None, Type::Boolean) => Value::Boolean(true),
        (None, Type::String) => "h\u{e4}user \u{1f600}".into(),
        _ => Value::Bytes(Blob::from(&[0, 127, 128, 255])),
    }
}

/// A value of `schema` out of a stream of numbers.
fn value(schema: &Schema, numbers: &mut impl Iterator<Item = i64>, in_struct: bool) -> Value {
    let n = numbers.next().unwrap();
    if n % 4 == 0 && (schema.is_optional() || (in_struct && schema.default_value().is_some())) {
        return Value::Null;
    }
    #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
    match (schema.logical(), schema.ty()) {
        (Some(Logical::Decimal(scale)), _) => {
            let wide = num_bigint::BigInt::from(n).pow(u32::try_from(n.rem_euclid(4)).unwrap());
            Value::from(Decimal::new(wide, scale))
        }
        (Some(Logical::Date), _) => Value::Date(n as i32),
        (Some(Logical::Time), _) => Value::Time(n.rem_euclid(86_400_001) as i32),
        (Some(Logical::Timestamp), _) => Value::Timestamp(n),
        (None, Type::Int8) => Value::Int8(n as i8),
        (None, Type::Int16) => Value::Int16(n as i16),
        (None, Type::Int32) => Value::Int32(n as i32),
        (None, Type::Int64) => Value::Int64(n),
        (None, Type::Float32) => Value::Float32(n as f32 / 7.0),
        (None, Type::Float64) => Value::Float64(n as f64 / 7.0),
        (None, Type::Boolean) => Value::Boolean(n % 2 == 0),
        (None, Type::String) => "\u{17e}lu\u{165}".repeat(n.rem_euclid(9) as usize).into(),
        (None, Type::Bytes) => Value::Bytes(Blob::from(vec![n as u8; n.rem_euclid(70) as usize])),
        (None, Type::Array) => (0..n.rem_euclid(4))
            .map(|_| value(schema.values().unwrap(), numbers, false))
            .collect::<Vec<_>>()
            .into(),
        (None, Type::Map) => Value::Map(
            (0..n.rem_euclid(4))
                .map(|i| match schema.keys().map(Schema::ty) {
                    Some(Type::Int64) => i.into(),
                    _ => format!("k{i}").into(),
                })
                .map(|key: Value| (key, value(schema.values().unwrap(), numbers, false)))
                .collect(),
        ),
        (None, Type::Struct) => {
            let values: Vec<Value> =
                schema.fields().iter().map(|field| value(field.schema(), numbers, true)).collect();
            Struct::new(schema.clone(), values).unwrap().into()
        }
    }
}

/// What is to come back: defaults where there is null in a field.
fn nearest(schema: &Schema, value: &Value, in_struct: bool) -> Value {
    match value {
        Value::Null if in_struct => schema.default_value().cloned().unwrap_or_default(),
        Value::Array(items) => {
            items.iter().map(|item| nearest(schema.values().unwrap(), item, false)).collect::<Vec<_>>().into()
        }
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, item)| (key.clone(), nearest(schema.values().unwrap(), item, false)))
                .collect(),
        ),
        Value::Struct(record) => {
            let values: Vec<Value> =
                record.iter().map(|(field, item)| nearest(field.schema(), item, true)).collect();
            Struct::new(schema.clone(), values).unwrap().into()
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_come_back(schema in prop_oneof![4 => schema(), 1 => numbered()], seed in vec(any::<i64>(), 1..60)) {
        let mapping = Mapping::default();
        let value = value(&schema, &mut seed.iter().copied().cycle(), false);
        let avro = mapping.to_avro(Some(&schema)).unwrap();
        let text = avro.to_string();
        let registered = AvroSchema::parse(&text).unwrap();
        prop_assert_eq!(registered.to_string(), text.clone());
        let decoder = Decoder::new(&mapping, &registered, &registered, None).unwrap();
        let back = decoder.schema().unwrap();
        prop_assert_eq!(back, &schema, "{}", text);

        let mut bytes = Vec::new();
        let encoder = Encoder::new(&mapping, Some(&schema), &avro).unwrap();
        if !encoder.encode(&value, &mut bytes).unwrap() {
            prop_assert!(value.is_null());
            return Ok(());
        }
        let read = decoder.decode(&bytes, &mut ShapeTable::new(10)).unwrap();
        prop_assert_eq!(&read, &nearest(&schema, &value, false));

        // Bytes at the top have no length before them: that is Confluent's form, not Avro's.
        if schema.ty() != Type::Bytes || schema.is_optional() {
            let other = apache_avro::Schema::parse_str(&text).unwrap();
            let tree = GenericDatumReader::builder(&other).build().unwrap().read_value(&mut &*bytes).unwrap();
            // Maps and entries of maps come in any order.
            if !text.contains("\"map\"") {
                let again = GenericDatumWriter::builder(&other).build().unwrap().write_value_to_vec(tree).unwrap();
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn schemaless_data_comes_back(value in schemaless()) {
        let mapping = Mapping::default();
        let avro = mapping.to_avro(None).unwrap();
        let mut bytes = Vec::new();
        if !Encoder::new(&mapping, None, &avro).unwrap().encode(&value, &mut bytes).unwrap() {
            prop_assert!(value.is_null());
            return Ok(());
        }
        let decoder = Decoder::new(&mapping, &avro, &avro, None).unwrap();
        prop_assert_eq!(decoder.decode(&bytes, &mut ShapeTable::new(1000)).unwrap(), value);
    }
}

fn schemaless() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((".*", inner.clone()), 0..6).prop_map(|entries| Object::from_entries(entries).into()),
            vec((any::<i64>(), inner), 1..6).prop_map(|entries| {
                Value::Map(entries.into_iter().map(|(key, item)| (key.into(), item)).collect())
            }),
        ]
    })
}
