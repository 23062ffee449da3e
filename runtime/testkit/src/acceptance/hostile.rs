//! What nobody should send, and somebody will.

use lavka_api::data::{
    Blob, Datum, Decimal, Header, Headers, Logical, Object, Record, RecordKind, Schema, Struct,
    TimestampType, Type, Value,
};

/// Texts for any key of a configuration. None of them names a device or a file that exists.
pub(super) fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\0",
        "\u{feff}",
        "\u{202e}🦀\u{301}",
        ",",
        ",,,",
        "a,a",
        ":",
        "=",
        "-",
        "--",
        ".",
        "..",
        "$",
        "${x}",
        "${file:/nowhere:key}",
        "%s%n",
        "\\",
        "\"",
        "'",
        "\r\n",
        "((((",
        "[a-",
        "(?<",
        "a{99999}",
        "*",
        "+",
        "?",
        "-1",
        "0",
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "0x7f",
        "1_000",
        "１２",
        "-2147483649",
        "2147483648",
        "9223372036854775808",
        "-9223372036854775809",
        "true",
        "null",
        "{}",
        "[]",
        "tcp://",
        "://",
        "file://",
        "http://[::1",
        "tcp://nowhere.invalid:99999",
        "a:b:c:d",
        "a.b.",
        ".a",
        "a[99999999999999999999]",
        "a[0",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(64 * 1024));
    texts.push("(".repeat(4096));
    texts.push("[".repeat(4096));
    texts.push("a.".repeat(4096));
    texts.push("a,".repeat(4096));
    texts
}

/// Payloads for any converter: texts, nesting, and what begins as a known format and goes on otherwise.
pub(super) fn bytes() -> Vec<Vec<u8>> {
    let mut payloads: Vec<Vec<u8>> = texts().into_iter().map(String::into_bytes).collect();
    payloads.extend([
        vec![0xff; 16],
        vec![0x00; 16],
        // A schema id of a registry that knows none.
        vec![0, 0xff, 0xff, 0xff, 0xff, 0x80, 0x80],
        // Lengths beyond what is there.
        vec![0xfe, 0xff, 0xff, 0xff, 0x0f],
        vec![0x80; 32],
        b"\xed\xa0\x80".to_vec(),
        b"{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"array\"}]},\"payload\":{}}".to_vec(),
        b"{\"schema\":{\"type\":\"bytes\",\"name\":\"org.apache.kafka.connect.data.Decimal\"},\"payload\":\"!\"}".to_vec(),
        b"{\"schema\":null,\"payload\":1e999999}".to_vec(),
    ]);
    for opening in [&b"["[..], b"{\"a\":", b"{\"schema\":{\"type\":\"array\",\"items\":"] {
        payloads.push(opening.repeat(20_000));
    }
    payloads
}

/// Values of every type, with and without a schema, and schemas that their values do not fit.
pub(super) fn data() -> Vec<Datum> {
    let plain = [
        Value::Null,
        Value::Boolean(true),
        Value::Int8(i8::MIN),
        Value::Int16(i16::MIN),
        Value::Int32(i32::MIN),
        Value::Int64(i64::MIN),
        Value::Int64(i64::MAX),
        Value::Float32(f32::NAN),
        Value::Float64(f64::NEG_INFINITY),
        Value::Float64(f64::NAN),
        "".into(),
        "\0\u{202e}🦀".into(),
        "x".repeat(64 * 1024).into(),
        Value::Bytes(Blob::from(Vec::new())),
        Value::Bytes(Blob::from(vec![0xff, 0xfe, 0x00])),
        Value::Array(Box::default()),
        Value::Array([Value::Null, Value::Int8(1), "a".into()].into()),
        Value::Map(Box::default()),
        Value::Map([(Value::Null, Value::Null), (Value::Int64(1), "a".into())].into()),
        Object::from_entries(Vec::<(&str, Value)>::new()).into(),
        Object::from_entries([("", Value::Null), ("a.b", Value::Float64(f64::NAN)), ("a", deep())]).into(),
        Decimal::new(1, i32::MAX).into(),
        Decimal::new(1, i32::MIN).into(),
        Value::Date(i32::MIN),
        Value::Time(-1),
        Value::Timestamp(i64::MAX),
        Value::Timestamp(i64::MIN),
        deep(),
    ];
    let mut data: Vec<Datum> = plain.iter().cloned().map(Datum::schemaless).collect();
    for schema in schemas() {
        // Whatever converters let through: a transform or sink sees values that do not fit, too.
        data.push(Datum { schema: Some(schema.clone()), value: Value::Null });
        data.push(Datum { schema: Some(schema.clone()), value: "text".into() });
        if let Ok(empty) = Struct::empty(schema.clone()) {
            data.push(Datum::new(schema, empty));
        }
    }
    data.extend(plain.iter().filter_map(|value| {
        let ty = value.natural_type().filter(|ty| ty.is_primitive())?;
        Some(Datum::new(Schema::optional(ty), value.clone()))
    }));
    data
}

fn schemas() -> Vec<Schema> {
    let built = [
        Schema::structure(),
        Schema::structure().name("").version(-1).field("a", Schema::optional(Type::Int32)),
        Schema::structure()
            .optional()
            .field("a.b", Schema::of(Type::String))
            .field("🦀", Schema::of(Type::Bytes)),
        Schema::structure()
            .field("inner", Schema::array(Schema::map(Schema::of(Type::Int8), Schema::of(Type::Float32)))),
        SchemaOf::decimal(i32::MAX),
        Schema::builder(Type::String).name(Logical::DATE),
    ];
    let built = built.into_iter().filter_map(|builder| builder.build().ok());
    let loose =
        [Schema::array_of_null(), Schema::map_of_null(), Schema::array(Schema::optional(Type::Int32))];
    built
        .chain(loose)
        .chain([Logical::Date, Logical::Time, Logical::Timestamp].map(Schema::logical_of))
        .collect()
}

struct SchemaOf;

impl SchemaOf {
    fn decimal(scale: i32) -> lavka_api::data::SchemaBuilder {
        lavka_api::data::SchemaBuilder::logical(Logical::Decimal(scale))
    }
}

/// Arrays in arrays, as deep as the converters let anything through.
fn deep() -> Value {
    (0..100).fold(Value::Null, |inner, _| Value::Array([inner].into()))
}

/// Records with such keys, values and headers, of both kinds.
pub(super) fn records() -> Vec<Record> {
    let sink = RecordKind::Sink { offset: i64::MAX, timestamp_type: TimestampType::NoTimestampType };
    let mut records = Vec::new();
    for (at, datum) in data().into_iter().enumerate() {
        let mut value = Record::for_topic(if at % 2 == 0 { "t" } else { "" });
        value.value = datum.clone();
        value.partition = (at % 3 == 0).then_some(i32::MAX);
        value.timestamp = (at % 2 == 0).then_some(i64::MIN);
        value.kind = if at % 2 == 0 { sink } else { RecordKind::Source };
        let mut key = Record::for_topic("t");
        key.key = datum.clone();
        key.headers = Headers::from_iter([
            Header { key: "".into(), datum: datum.clone() },
            Header { key: "h".into(), datum: datum.clone() },
            Header { key: "h".into(), datum: Datum::NULL },
        ]);
        key.value = datum;
        key.kind = value.kind;
        records.extend([value, key]);
    }
    records
}
