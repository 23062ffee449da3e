//! Records drawn by chance: schemas, values that fit them, and schemaless values.

use lavka_api::data::{Datum, Decimal, Logical, Record, Schema, SchemaBuilder, Type, Value};
use lavka_testkit::Chance;

use crate::wire::{new_record, object, structure};

/// Names of fields, few enough for configurations to hit them. Some look like paths.
pub(crate) const NAMES: &[&str] = &["a", "b", "c", "d", "ts", "a.b", "a.c", "`q`", "né"];

const TEXTS: &[&str] = &[
    "",
    "x",
    "42",
    " 42",
    "42 ",
    "-7",
    "+7",
    "300",
    "4.2",
    "1e3",
    "1E400",
    "-0x1p3",
    "NaN",
    "Infinity",
    "1.5f",
    "TRUE",
    "true",
    "false",
    "yes",
    "null",
    "99999999999999999999",
    "2023-01-02",
    "2023-01-02T03:04:05.678Z",
    "2023-13-45 junk",
    "20230102",
    "02/01/23",
    "Mon, 2 Jan 2023",
    "12:04 PM",
    "\"quoted\"",
    "é\u{4e2d}",
    "[1,2]",
    "{\"a\":1}",
    "1970 01 02 00 00 01 234 UTC",
    "0",
    "1",
    "127",
    "-129",
];

const INTEGERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    5,
    42,
    127,
    128,
    -128,
    -129,
    255,
    300,
    32_767,
    32_768,
    65_537,
    1_000_000,
    16_777_217,
    2_147_483_647,
    2_147_483_648,
    -2_147_483_649,
    86_399_999,
    86_400_000,
    86_401_234,
    1_483_425_001_864,
    1_700_000_000_123,
    -62_135_769_600_001,
    253_402_300_800_000,
    i64::MAX,
    i64::MIN,
];

/// Doubles whose text is the same in every version of Java: those before 19 print some with a digit too many.
const DOUBLES: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1.5,
    -1.9,
    2.0,
    100.0,
    1e7,
    1e-3,
    9_999_999.0,
    1e20,
    -1e20,
    12_345.678,
    0.25,
    1e10,
    3e38,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

pub(crate) fn pick<'a, T: ?Sized>(chance: &mut Chance, from: &[&'a T]) -> &'a T {
    from[below(chance, from.len())]
}

pub(crate) fn below(chance: &mut Chance, limit: usize) -> usize {
    usize::try_from(chance.below(limit as u64)).unwrap()
}

/// True once in `times`.
pub(crate) fn rarely(chance: &mut Chance, times: u64) -> bool {
    chance.below(times) == 0
}

fn integer(chance: &mut Chance) -> i64 {
    let drawn = INTEGERS[below(chance, INTEGERS.len())];
    if rarely(chance, 3) { drawn.wrapping_add(chance.below(1000).cast_signed()) } else { drawn }
}

fn double(chance: &mut Chance) -> f64 {
    DOUBLES[below(chance, DOUBLES.len())]
}

/// A time that Java's calendar knows, mostly one of this age.
pub(crate) fn instant(chance: &mut Chance) -> i64 {
    match chance.below(4) {
        0 => integer(chance).clamp(-62_135_769_600_000_000, 253_402_300_800_000_000),
        _ => chance.below(4_000_000_000_000).cast_signed() - 1_000_000_000_000,
    }
}

fn text(chance: &mut Chance) -> Value {
    pick(chance, TEXTS).into()
}

fn primitive(chance: &mut Chance, ty: Type) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
    match ty {
        Type::Int8 => Value::Int8(integer(chance) as i8),
        Type::Int16 => Value::Int16(integer(chance) as i16),
        Type::Int32 => Value::Int32(integer(chance) as i32),
        Type::Int64 => Value::Int64(integer(chance)),
        Type::Float32 => Value::Float32(double(chance) as f32),
        Type::Float64 => Value::Float64(double(chance)),
        Type::Boolean => rarely(chance, 2).into(),
        Type::Bytes => Value::Bytes(vec![1, 2, 0xff].into()),
        _ => text(chance),
    }
}

fn decimal(chance: &mut Chance, scale: i32) -> Value {
    Decimal::new(integer(chance), scale).into()
}

/// The kinds of schema that a field can have.
fn plain_schema(chance: &mut Chance) -> SchemaBuilder {
    match chance.below(14) {
        0..9 => Schema::builder(Type::ALL[below(chance, 9)]),
        9 => Schema::builder(Type::String),
        10 => Schema::builder(Type::Int64),
        11 => SchemaBuilder::logical(Logical::Timestamp),
        12 => SchemaBuilder::logical(if rarely(chance, 2) { Logical::Date } else { Logical::Time }),
        _ => SchemaBuilder::logical(Logical::Decimal(i32::try_from(chance.below(3)).unwrap())),
    }
}

/// `nested_defaults` says whether structs inside others may have defaults.
fn schema(chance: &mut Chance, depth: usize, nested_defaults: bool) -> Schema {
    let mut builder = match chance.below(10) {
        0 if depth > 0 => Schema::builder(Type::Array).values(schema(chance, 0, nested_defaults)),
        1 if depth > 0 && rarely(chance, 3) => Schema::builder(Type::Map)
            .keys(Schema::of(Type::String))
            .values(schema(chance, 0, nested_defaults)),
        2 | 3 if depth > 0 => struct_fields(chance, depth - 1, nested_defaults),
        _ => plain_schema(chance),
    };
    if rarely(chance, 2) {
        builder = builder.optional();
    }
    if rarely(chance, 4) {
        builder = builder.doc("what it is");
    }
    let plain = builder.clone().build().unwrap();
    let may_default = match plain.ty() {
        Type::Map => false,
        Type::Struct => nested_defaults,
        _ => true,
    };
    if may_default && rarely(chance, 3) {
        builder = builder.default_value(value(chance, &plain, false));
    }
    builder.build().unwrap()
}

fn struct_fields(chance: &mut Chance, depth: usize, nested_defaults: bool) -> SchemaBuilder {
    let mut builder = Schema::structure();
    if rarely(chance, 2) {
        builder = builder.name("some.Name").version(3);
    }
    if rarely(chance, 4) {
        builder = builder.doc("doc").parameter("p", "q");
    }
    for name in distinct_names(chance) {
        builder = builder.field(name, schema(chance, depth, nested_defaults));
    }
    builder
}

fn distinct_names(chance: &mut Chance) -> Vec<&'static str> {
    let count = chance.below(6);
    let mut names: Vec<&'static str> = Vec::new();
    for _ in 0..count {
        let name = pick(chance, NAMES);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A struct's schema, now and then with a default.
fn struct_schema(chance: &mut Chance, nested_defaults: bool) -> Schema {
    let mut builder = struct_fields(chance, 2, nested_defaults);
    if rarely(chance, 3) {
        builder = builder.optional();
    }
    let plain = builder.clone().build().unwrap();
    if rarely(chance, 6) {
        builder = builder.default_value(value(chance, &plain, false));
    }
    builder.build().unwrap()
}

/// A value of `schema`; null where that is allowed and wanted, or stands for the default.
pub(crate) fn value(chance: &mut Chance, schema: &Schema, nulls: bool) -> Value {
    if nulls && (schema.is_optional() || schema.default_value().is_some()) && rarely(chance, 3) {
        return Value::Null;
    }
    #[expect(clippy::cast_possible_truncation, reason = "any day or time of day will do")]
    match schema.logical() {
        Some(Logical::Decimal(scale)) => return decimal(chance, scale),
        Some(Logical::Date) => return Value::Date(instant(chance).div_euclid(86_400_000) as i32),
        Some(Logical::Time) => return Value::Time(instant(chance).rem_euclid(86_400_000) as i32),
        Some(Logical::Timestamp) => return Value::Timestamp(instant(chance)),
        None => {}
    }
    match schema.ty() {
        Type::Array => {
            let items = schema.values().unwrap();
            let nulls = nulls && items.is_optional();
            Value::from((0..chance.below(3)).map(|_| value(chance, items, nulls)).collect::<Vec<_>>())
        }
        Type::Map => {
            let items = schema.values().unwrap();
            let nulls = nulls && items.is_optional();
            Value::Map(["k", "l"].into_iter().map(|key| (key.into(), value(chance, items, nulls))).collect())
        }
        Type::Struct => {
            let values = schema.fields().iter().map(|field| value(chance, field.schema(), true)).collect();
            structure(schema.clone(), values)
        }
        Type::Int64 => Value::Int64(if rarely(chance, 2) { instant(chance) } else { integer(chance) }),
        ty => primitive(chance, ty),
    }
}

/// A schemaless value: what JSON gives, and now and then what only a transform can have made.
pub(crate) fn schemaless(chance: &mut Chance, depth: usize) -> Value {
    match chance.below(16) {
        0 => Value::Null,
        1 => rarely(chance, 2).into(),
        2..5 => Value::Int64(if rarely(chance, 2) { instant(chance) } else { integer(chance) }),
        5 | 6 => Value::Float64(double(chance)),
        7..10 => text(chance),
        10 if depth > 0 => {
            Value::from((0..chance.below(3)).map(|_| schemaless(chance, depth - 1)).collect::<Vec<_>>())
        }
        11..14 if depth > 0 => schemaless_map(chance, depth - 1),
        14 => {
            let ty = Type::ALL[below(chance, 9)];
            primitive(chance, ty)
        }
        15 if rarely(chance, 3) => Value::Timestamp(instant(chance)),
        15 if rarely(chance, 3) => decimal(chance, 1),
        _ => Value::Int64(5),
    }
}

pub(crate) fn schemaless_map(chance: &mut Chance, depth: usize) -> Value {
    let names = distinct_names(chance);
    object(names.into_iter().map(|name| (name.to_owned(), schemaless(chance, depth))).collect())
}

/// The half of a record that the transform works on: mostly a struct or a map.
fn operand(chance: &mut Chance, schema: &Schema) -> Datum {
    match chance.below(16) {
        0 => Datum::NULL,
        1 => Datum::schemaless(schemaless(chance, 1)),
        2 | 3 => {
            let schema = self::schema(chance, 1, false);
            let value = value(chance, &schema, true);
            Datum::new(schema, value)
        }
        4 if schema.is_optional() => Datum::new(schema.clone(), Value::Null),
        5..9 => Datum::schemaless(schemaless_map(chance, 2)),
        _ => Datum::new(schema.clone(), value(chance, schema, false)),
    }
}

/// Records of one case, several of one schema, so that plans are used again.
pub(crate) fn records(chance: &mut Chance, on_key: bool, nested_defaults: bool) -> Vec<Record> {
    let schema = struct_schema(chance, nested_defaults);
    let count = 1 + chance.below(3);
    (0..count)
        .map(|_| {
            let operand = operand(chance, &schema);
            let other = Datum::new(Schema::of(Type::String), "other");
            let (key, value) = if on_key { (operand, other) } else { (other, operand) };
            let mut headers = Vec::new();
            for _ in 0..chance.below(3) {
                let name = pick(chance, &["a", "h", "H"]);
                headers.push((name, Datum::new(Schema::of(Type::Int32), Value::Int32(7))));
            }
            let sink = !rarely(chance, 3);
            let mut record = new_record(sink, key, value, headers);
            record.topic =
                pick(chance, &["t", "orders-2024", "db.public.orders", "te$t", "a${timestamp}"]).into();
            record.timestamp = (!rarely(chance, 6)).then(|| instant(chance));
            record.partition = (sink || rarely(chance, 2)).then_some(3);
            record
        })
        .collect()
}
