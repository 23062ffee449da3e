use lavka_api::data::{Blob, Value};
use proptest::prelude::*;

use super::*;

/// Writes Protobuf.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, number: u8, mut value: u64) -> Self {
        self.0.push(number << 3);
        if number > 15 {
            self.0.pop();
            self.0.extend([(number << 3) | 0x80, number >> 4]);
        }
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn bytes(mut self, number: u8, bytes: &[u8]) -> Self {
        let tag = (u32::from(number) << 3) | 2;
        if tag >= 0x80 {
            self.0.push(tag as u8 | 0x80);
        }
        self.0.push(if tag >= 0x80 { (tag >> 7) as u8 } else { tag as u8 });
        assert!(bytes.len() < 128);
        self.0.push(bytes.len() as u8);
        self.0.extend_from_slice(bytes);
        self
    }

    fn inner(self, number: u8, message: Message) -> Self {
        self.bytes(number, &message.0)
    }

    fn double(mut self, number: u8, value: f64) -> Self {
        self.0.push((number << 3) | 1);
        self.0.extend(value.to_le_bytes());
        self
    }
}

fn payload(seq: u64, metrics: impl IntoIterator<Item = Message>) -> Vec<u8> {
    let message = Message::default().varint(1, 1_700_000_000_000).varint(3, seq);
    metrics.into_iter().fold(message, |message, metric| message.inner(2, metric)).0
}

fn field(datum: &Datum, name: &str) -> Value {
    let Value::Struct(fields) = &datum.value else { panic!("no struct") };
    fields.get(name).unwrap().clone()
}

/// Of each metric its name and the field with its value.
fn metrics(datum: &Datum) -> Vec<(Option<String>, &'static str, Value)> {
    let Value::Array(metrics) = field(datum, "metrics") else { panic!("no array") };
    let fields = [
        "int_value",
        "big_value",
        "float_value",
        "boolean_value",
        "string_value",
        "timestamp_value",
        "bytes_value",
        "json_value",
    ];
    let shown = metrics.iter().map(|metric| {
        let Value::Struct(metric) = metric else { panic!("no struct") };
        let name = metric.get("name").unwrap().as_str().map(str::to_owned);
        let set = fields.iter().find(|field| !metric.get(field).unwrap().is_null());
        set.map_or((name.clone(), "", Value::Null), |field| {
            (name, *field, metric.get(field).unwrap().clone())
        })
    });
    shown.collect()
}

fn birth() -> Vec<u8> {
    let metric = |name: &str, alias: u64, datatype: u64| {
        Message::default().bytes(1, name.as_bytes()).varint(2, alias).varint(4, datatype)
    };
    payload(0, [metric("temperature", 1, 10).double(13, 20.5), metric("count", 2, 3).varint(10, 0xffff_ffff)])
}

#[test]
fn aliases_are_resolved_from_births() {
    let mut sparkplug = Sparkplug::new();
    let data = || {
        let temperature = Message::default().varint(2, 1).double(13, 21.5);
        let count = Message::default().varint(2, 2).varint(10, 0xffff_fff9);
        payload(1, [temperature, count, Message::default().varint(2, 9).varint(10, 7)])
    };
    // Before the birth there is nothing to resolve with, and nothing is lost.
    let unknown = sparkplug.decode("spBv1.0/g/NDATA/n", &data()).unwrap();
    assert!(metrics(&unknown).iter().all(|(name, ..)| name.is_none()));
    let born = sparkplug.decode("spBv1.0/g/NBIRTH/n", &birth()).unwrap();
    assert_eq!(field(&born, "type"), "NBIRTH".into());
    let expected = [
        (Some("temperature".to_owned()), "float_value", Value::Float64(20.5)),
        (Some("count".to_owned()), "int_value", Value::Int64(-1)),
    ];
    assert_eq!(metrics(&born), expected);
    let datum = sparkplug.decode("spBv1.0/g/NDATA/n", &data()).unwrap();
    let expected = [
        (Some("temperature".to_owned()), "float_value", Value::Float64(21.5)),
        (Some("count".to_owned()), "int_value", Value::Int64(-7)),
        (None, "int_value", Value::Int64(7)),
    ];
    assert_eq!(metrics(&datum), expected);
    assert_eq!(field(&datum, "timestamp"), Value::Timestamp(1_700_000_000_000));
    assert_eq!((field(&datum, "group"), field(&datum, "node")), ("g".into(), "n".into()));
    assert_eq!((field(&datum, "seq"), field(&datum, "expected_seq")), (Value::Int32(1), Value::Null));
    // The same once more: the second should have come.
    let again = sparkplug.decode("spBv1.0/g/NDATA/n", &data()).unwrap();
    assert_eq!(field(&again, "expected_seq"), Value::Int32(2));
}

#[test]
fn values_of_all_kinds() {
    let mut sparkplug = Sparkplug::new();
    let metric = |datatype: u64| Message::default().bytes(1, b"m").varint(4, datatype);
    let row = Message::default().inner(1, Message::default().varint(1, 7)).inner(1, Message::default());
    let set = Message::default().bytes(2, b"a").bytes(2, b"b").bytes(3, &[1, 12]).inner(4, row);
    let template = Message::default()
        .bytes(4, b"ref")
        .inner(2, Message::default().bytes(1, b"x").varint(4, 8).varint(11, u64::MAX))
        .inner(3, Message::default().bytes(1, b"p").varint(2, 11).varint(7, 1));
    for (metric, field, expected) in [
        (metric(1).varint(10, 0xff), "int_value", Value::Int64(-1)),
        (metric(4).varint(11, u64::MAX), "int_value", Value::Int64(-1)),
        (metric(8).varint(11, 7), "int_value", Value::Int64(7)),
        (metric(11).varint(14, 1), "boolean_value", Value::Boolean(true)),
        (metric(12).bytes(15, b"on"), "string_value", "on".into()),
        (metric(13).varint(11, 5), "timestamp_value", Value::Timestamp(5)),
        (metric(17).bytes(16, &[1, 2]), "bytes_value", Blob::from(&[1, 2]).into()),
        (metric(23).bytes(16, &[1, 0, 2, 0]), "json_value", "[1,2]".into()),
        (metric(12).bytes(15, b"gone").varint(7, 1), "", Value::Null),
        (
            metric(16).inner(17, set),
            "json_value",
            r#"{"columns":["a","b"],"types":["Int8","String"],"rows":[[7,null]]}"#.into(),
        ),
        (
            metric(19).inner(18, template),
            "json_value",
            r#"{"template_ref":"ref","metrics":[{"name":"x","datatype":"UInt64","value":"18446744073709551615"}],"parameters":[{"name":"p","datatype":"Boolean","value":true}]}"#
                .into(),
        ),
    ] {
        let datum = sparkplug.decode("spBv1.0/g/DDATA/n/d", &payload(0, [metric])).unwrap();
        assert_eq!(metrics(&datum), [(Some("m".to_owned()), field, expected)]);
        lavka_api::data::validate(None, datum.schema.as_ref().unwrap(), &datum.value).unwrap();
    }
    let big = sparkplug.decode("spBv1.0/g/DDATA/n/d", &payload(0, [metric(8).varint(11, u64::MAX)])).unwrap();
    assert_eq!(metrics(&big)[0].1, "big_value");
}

/// What mqtt-spb-wrapper 2.1.2 wrote, with Eclipse Tahu's Python: a birth with a metric of each kind, and data by alias
/// without data types.
#[test]
fn payloads_of_tahu() {
    let mut sparkplug = Sparkplug::new();
    let birth = include_bytes!("../../../testdata/sparkplug/nbirth.bin");
    let born = sparkplug.decode("spBv1.0/g/NBIRTH/n", birth).unwrap();
    let big = lavka_api::data::Decimal::parse("18446744073709551615").unwrap();
    let expected = [
        ("bdSeq", "int_value", Value::Int64(0)),
        ("Temp", "float_value", Value::Float64(21.5)),
        ("I8", "int_value", Value::Int64(-7)),
        ("I16", "int_value", Value::Int64(-300)),
        ("I32", "int_value", Value::Int64(-70_000)),
        ("I64", "int_value", Value::Int64(-5_000_000_000)),
        ("U64", "big_value", big.into()),
        ("F", "float_value", Value::Float64(1.5)),
        ("B", "boolean_value", true.into()),
        ("S", "string_value", "on".into()),
        ("T", "timestamp_value", Value::Timestamp(1_700_000_000_000)),
        ("Y", "bytes_value", Blob::from(&[1, 2]).into()),
        ("N", "", Value::Null),
        ("DS", "json_value", r#"{"columns":["a","b"],"types":["Int8","String"],"rows":[[7,"x"]]}"#.into()),
        (
            "TM",
            "json_value",
            r#"{"template_ref":"ref","is_definition":false,"metrics":[{"name":"inner","datatype":"Int32","value":5}],"parameters":[]}"#
                .into(),
        ),
    ];
    assert_eq!(metrics(&born), expected.map(|(name, field, value)| (Some(name.to_owned()), field, value)));
    let data = include_bytes!("../../../testdata/sparkplug/ndata.bin");
    let datum = sparkplug.decode("spBv1.0/g/NDATA/n", data).unwrap();
    let expected = [("Temp", "float_value", Value::Float64(22.5)), ("I8", "int_value", Value::Int64(-8))];
    assert_eq!(metrics(&datum), expected.map(|(name, field, value)| (Some(name.to_owned()), field, value)));
    assert_eq!((field(&datum, "seq"), field(&datum, "expected_seq")), (Value::Int32(1), Value::Null));
}

#[test]
fn hosts_say_whether_they_are_online() {
    let mut sparkplug = Sparkplug::new();
    for (topic, payload, online, time) in [
        ("spBv1.0/STATE/h", &br#"{"online":true,"timestamp":5}"#[..], true, Value::Timestamp(5)),
        ("STATE/h", b"OFFLINE", false, Value::Null),
        ("STATE/h", b"ONLINE", true, Value::Null),
    ] {
        let datum = sparkplug.decode(topic, payload).unwrap();
        assert_eq!((field(&datum, "online"), field(&datum, "timestamp")), (online.into(), time));
        assert_eq!((field(&datum, "type"), field(&datum, "node")), ("STATE".into(), "h".into()));
    }
    assert!(sparkplug.decode("STATE/h", b"{}").is_err());
}

#[test]
fn what_is_not_sparkplug_says_why() {
    let mut sparkplug = Sparkplug::new();
    for (topic, payload, part) in [
        ("a/b", vec![], "the topic is not spBv1.0/"),
        ("spBv1.0/g/NDATA/n", b"\x12\x05".to_vec(), "cut off"),
        ("spBv1.0/g/NDATA/n", payload(0, [Message::default().bytes(1, &[0xff])]), "not UTF-8"),
        ("spBv1.0/g/NDATA/n", payload(1 << 40, []), "sequence number"),
        ("spBv1.0/g/NDATA/n", Message::default().varint(1, u64::MAX).0, "timestamp"),
        ("spBv1.0/g/NDATA/n", payload(0, [Message::default().varint(2, u64::MAX)]), "alias"),
        ("spBv1.0/g/NDATA/n", [0x12, 0].repeat(100_001), "more than 100000 metrics"),
    ] {
        let error = sparkplug.decode(topic, &payload).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.class(), lavka_api::ErrorClass::Data);
    }
}

/// A field with a length of any size.
fn long(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for mut value in [(number << 3) | 2, bytes.len() as u64] {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    out.extend_from_slice(bytes);
    out
}

#[test]
fn memory_and_stack_are_bounded() {
    let mut sparkplug = Sparkplug::new();
    // A template of empty metrics, each of which would take far more than its two bytes.
    let template = long(18, &[0x12, 0].repeat(600_000));
    let error = sparkplug.decode("spBv1.0/g/NDATA/n", &long(2, &template)).unwrap_err();
    assert!(error.to_string().contains("more than 1 MiB"), "{error}");
    // Templates in templates.
    let nested = |depth| (0..depth).fold(Vec::new(), |inner, _| long(18, &long(2, &inner)));
    assert!(sparkplug.decode("spBv1.0/g/NDATA/n", &long(2, &nested(20))).is_ok());
    let error = sparkplug.decode("spBv1.0/g/NDATA/n", &long(2, &nested(1000))).unwrap_err();
    assert!(error.to_string().contains("nested too deeply"), "{error}");
}

#[test]
fn a_birth_that_cannot_be_decoded_is_not_remembered() {
    let mut sparkplug = Sparkplug::new();
    sparkplug.decode("spBv1.0/g/NBIRTH/n", &birth()).unwrap();
    let broken = payload(0, [Message::default().bytes(1, b"x").varint(2, 1).varint(4, 23).bytes(16, &[1])]);
    assert!(sparkplug.decode("spBv1.0/g/NBIRTH/n", &broken).is_err());
    let data = payload(1, [Message::default().varint(2, 1).double(13, 1.0)]);
    let datum = sparkplug.decode("spBv1.0/g/NDATA/n", &data).unwrap();
    assert_eq!(metrics(&datum)[0].0.as_deref(), Some("temperature"));
}

proptest! {
    #[test]
    fn hostile_bytes_are_read_without_harm(payloads: Vec<Vec<u8>>) {
        let mut sparkplug = Sparkplug::new();
        for payload in &payloads {
            for topic in ["spBv1.0/g/NBIRTH/n", "spBv1.0/g/DDATA/n/d", "spBv1.0/g/NDEATH/n", "STATE/h"] {
                let _ = sparkplug.decode(topic, payload);
            }
        }
    }

    /// Structures with bytes of any kind at any place; what is decoded fits its schema.
    #[test]
    fn hostile_structures_are_read_without_harm(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        nested in 1usize..6,
    ) {
        let set = Message::default().bytes(2, b"a").varint(3, 9).inner(4, Message::default().bytes(1, b""));
        let properties = Message::default().bytes(1, b"k").inner(2, Message::default().varint(1, 3).varint(3, 5));
        let leaf = Message::default().bytes(1, b"m").inner(9, properties).inner(17, set);
        let metric = (1..nested).fold(leaf, |inner, _| {
            if inner.0.len() > 110 { return inner; }
            Message::default().inner(18, Message::default().inner(2, inner))
        });
        let mut bytes = payload(0, [metric]);
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(datum) = Sparkplug::new().decode("spBv1.0/g/DBIRTH/n/d", &bytes) {
            let schema = datum.schema.as_ref().unwrap();
            prop_assert!(lavka_api::data::validate(None, schema, &datum.value).is_ok());
        }
    }
}
