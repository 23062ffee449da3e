//! A record of 20 fields to bytes and back: this codec, apache-avro over its value tree, and `serde_avro_fast` from and to
//! rows that are known when the program runs.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops at once where something is wrong")]

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Tree;
use apache_avro::writer::datum::GenericDatumWriter;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::data::{Schema, ShapeTable, Struct, Value};
use lavka_avro::{Decoder, Encoder, Mapping};
use lavka_testkit::measure::{processor_time, reading_schema, readings};
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_avro_fast::ser::SerializerConfig;

const RECORDS: u16 = 1000;

/// A row as `serde_avro_fast` takes it from somebody who learns its fields when the program runs.
struct Row<'a>(&'a Struct, &'a [&'static str]);

struct Cell<'a>(&'a Value);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Reading", self.1.len())?;
        for (name, value) in self.1.iter().zip(self.0.values()) {
            row.serialize_field(name, &Cell(value))?;
        }
        row.end()
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Boolean(it) => serializer.serialize_bool(*it),
            Value::Int32(it) | Value::Date(it) => serializer.serialize_i32(*it),
            Value::Int64(it) | Value::Timestamp(it) => serializer.serialize_i64(*it),
            Value::Float32(it) => serializer.serialize_f32(*it),
            Value::Float64(it) => serializer.serialize_f64(*it),
            Value::String(it) => serializer.serialize_str(it),
            _ => serializer.serialize_none(),
        }
    }
}

/// What a row is read into.
struct Cells(Vec<Value>);

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows;
        impl<'de> Visitor<'de> for Rows {
            type Value = Cells;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cells, A::Error> {
                let mut cells = Vec::with_capacity(20);
                while map.next_key::<serde::de::IgnoredAny>()?.is_some() {
                    cells.push(map.next_value_seed(CellSeed)?);
                }
                Ok(Cells(cells))
            }
        }
        deserializer.deserialize_map(Rows)
    }
}

struct CellSeed;

impl<'de> DeserializeSeed<'de> for CellSeed {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(it.into())
    }
    fn visit_i32<E>(self, it: i32) -> Result<Value, E> {
        Ok(it.into())
    }
    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(it.into())
    }
    fn visit_f32<E>(self, it: f32) -> Result<Value, E> {
        Ok(it.into())
    }
    fn visit_f64<E>(self, it: f64) -> Result<Value, E> {
        Ok(it.into())
    }
    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(it.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn tree(value: &Value, schema: &Schema, optional: bool) -> Tree {
    let tree = match value {
        Value::Null => Tree::Null,
        Value::Boolean(it) => Tree::Boolean(*it),
        Value::Int32(it) => Tree::Int(*it),
        Value::Int64(it) => Tree::Long(*it),
        Value::Float32(it) => Tree::Float(*it),
        Value::Float64(it) => Tree::Double(*it),
        Value::String(it) => Tree::String(it.as_str().to_owned()),
        Value::Timestamp(it) => Tree::TimestampMillis(*it),
        Value::Date(it) => Tree::Date(*it),
        Value::Struct(it) => Tree::Record(
            it.iter()
                .map(|(field, value)| {
                    let optional = field.schema().is_optional();
                    (field.name().as_str().to_owned(), tree(value, field.schema(), optional))
                })
                .collect(),
        ),
        other => unreachable!("{other:?} in {schema}"),
    };
    if optional { Tree::Union(u32::from(!value.is_null()), Box::new(tree)) } else { tree }
}

fn codec(criterion: &mut Criterion) {
    let mapping = Mapping::default();
    let schema = reading_schema();
    let avro = mapping.to_avro(Some(&schema)).unwrap();
    let records = readings(&schema, RECORDS);
    let names: Vec<&'static str> =
        schema.fields().iter().map(|field| &*field.name().as_str().to_owned().leak()).collect();
    let text = avro.to_string();

    let encoder = Encoder::new(&mapping, Some(&schema), &avro).unwrap();
    let decoder = Decoder::new(&mapping, &avro, &avro, None).unwrap();
    let apache = apache_avro::Schema::parse_str(&text).unwrap();
    let apache_writer = GenericDatumWriter::builder(&apache).build().unwrap();
    let apache_reader = GenericDatumReader::builder(&apache).build().unwrap();
    let fast: serde_avro_fast::Schema = text.parse().unwrap();
    let mut fast_config = SerializerConfig::new(&fast);

    let trees: Vec<Tree> = records.iter().map(|record| tree(record, &schema, false)).collect();
    let data: Vec<Vec<u8>> = records
        .iter()
        .map(|record| {
            let mut ours = Vec::new();
            encoder.encode(record, &mut ours).unwrap();
            ours
        })
        .collect();
    for ((record, tree), ours) in records.iter().zip(&trees).zip(&data) {
        let Value::Struct(row) = record else { unreachable!() };
        assert_eq!(*ours, apache_writer.write_value_to_vec(tree.clone()).unwrap());
        let other = serde_avro_fast::to_datum_vec(&Row(row, &names), &mut fast_config).unwrap();
        assert_eq!(*ours, other);
        assert_eq!(*record, decoder.decode(ours, &mut ShapeTable::new(10)).unwrap());
    }
    let bytes: usize = data.iter().map(Vec::len).sum();
    println!("{} bytes a record", bytes / usize::from(RECORDS));

    let mut group = criterion.benchmark_group("encode");
    group
        .throughput(Throughput::Elements(RECORDS.into()))
        .measurement_time(Duration::from_secs(4))
        .sample_size(30);
    group.bench_function("lavka", |bencher| {
        let mut out = Vec::with_capacity(2 * bytes);
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                out.clear();
                for record in &records {
                    encoder.encode(black_box(record), &mut out).unwrap();
                }
            })
        });
    });
    group.bench_function("apache-avro", |bencher| {
        let mut out = Vec::with_capacity(2 * bytes);
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                out.clear();
                for tree in &trees {
                    apache_writer.write_value_ref(&mut out, black_box(tree)).unwrap();
                }
            })
        });
    });
    group.bench_function("serde_avro_fast", |bencher| {
        let mut out = Vec::with_capacity(2 * bytes);
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                out.clear();
                for record in &records {
                    let Value::Struct(row) = black_box(record) else { unreachable!() };
                    out = serde_avro_fast::to_datum(
                        &Row(row, &names),
                        std::mem::take(&mut out),
                        &mut fast_config,
                    )
                    .unwrap();
                }
            })
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("decode");
    group
        .throughput(Throughput::Elements(RECORDS.into()))
        .measurement_time(Duration::from_secs(4))
        .sample_size(30);
    group.bench_function("lavka", |bencher| {
        let mut shapes = ShapeTable::new(10);
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                for datum in &data {
                    black_box(decoder.decode(black_box(datum), &mut shapes).unwrap());
                }
            })
        });
    });
    group.bench_function("apache-avro", |bencher| {
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                for datum in &data {
                    black_box(apache_reader.read_value(&mut black_box(&**datum)).unwrap());
                }
            })
        });
    });
    group.bench_function("serde_avro_fast", |bencher| {
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                for datum in &data {
                    black_box(serde_avro_fast::from_datum_slice::<Cells>(black_box(datum), &fast).unwrap().0);
                }
            })
        });
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
