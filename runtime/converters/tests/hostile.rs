//! Bytes from anywhere: never a panic, and what is valid JSON is read and written as `serde_json` does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lavka_api::config::Config;
use lavka_api::data::{Blob, Object, Str, Topic, Value};
use lavka_api::plugin::{Converter, ConverterRole, Factory};
use lavka_converters::json::{JsonReader, MAX_DEPTH, offsets, parse, write_value};
use proptest::prelude::*;

fn converters() -> Vec<Box<dyn Converter>> {
    let content =
        r#"{"type":"map","keys":{"type":"string"},"values":{"type":"array","items":{"type":"double"}}}"#;
    let configs = [
        Config::new(),
        Config::from([("schemas.enable", "false")]),
        Config::from([("replace.null.with.default", "false"), ("schemas.cache.size", "1")]),
        Config::from([("schema.content", content)]),
    ];
    let mut converters = Vec::new();
    for plugin in lavka_converters::plugins() {
        let Factory::Converter(make) = plugin.factory else { continue };
        let all = if plugin.class.ends_with("JsonConverter") { &configs[..] } else { &configs[..1] };
        converters.extend(all.iter().map(|config| make(config, ConverterRole::Value).unwrap()));
    }
    converters
}

/// Reads `bytes` in every way there is; what can be read can be written.
fn read_all(converters: &mut [Box<dyn Converter>], bytes: &[u8]) {
    let (topic, payload) = (Topic::from("t"), Blob::from(bytes));
    for converter in converters {
        if let Ok(datum) = converter.decode(&topic, Some(&payload)) {
            let mut out = Vec::new();
            let mut headers = lavka_api::data::Headers::new();
            // Null in place of a required value is read but not written.
            let _ = converter.encode(&topic, &mut headers, datum.schema.as_ref(), &datum.value, &mut out);
        }
    }
    for plugin in lavka_converters::plugins() {
        if let Factory::HeaderConverter(make) = plugin.factory {
            let _ = make(&Config::new()).unwrap().decode(&topic, "h", Some(&payload));
        }
    }
    let _ = offsets::read_key(bytes);
    let _ = offsets::read_offset(bytes);
}

const DOCUMENTS: [&str; 5] = [
    r#"{"schema":{"type":"struct","fields":[{"type":"int32","field":"a"},{"type":"array","items":{"type":"string"},"optional":true,"field":"b"},{"type":"map","keys":{"type":"int32"},"values":{"type":"bytes"},"default":[],"field":"c"}],"optional":false,"name":"n","version":1},"payload":{"a":1,"b":["x","é"],"c":[[1,"AQ=="]]}}"#,
    r#"{"payload":[1.5,-2e3,"😀\n\u00e9\ud83d\ude00",null,true,{"a":{},"b":[]}],"schema":null}"#,
    r#"{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"default":"AJw="},"payload":12.34}"#,
    r#"["file-src",{"filename":"a.txt","position":9223372036854775807}]"#,
    r#"{"a":[1, "b", 03:04:05.006Z, "2023-01-02"], "b" : {1:2.5, "x":null}}"#,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        read_all(&mut converters(), &bytes);
    }

    #[test]
    fn any_text_of_json_s_characters(text in r#"[\[\]{}:,"\\0-9eE+.tfnuals \-]{0,40}"#) {
        read_all(&mut converters(), text.as_bytes());
    }

    #[test]
    fn mutated_documents(
        which in 0..DOCUMENTS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 1..4),
    ) {
        let mut bytes = DOCUMENTS[which].as_bytes().to_vec();
        for (place, how, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match how {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, byte),
                2 => bytes[at] = byte,
                _ => bytes.truncate(at),
            }
        }
        read_all(&mut converters(), &bytes);
    }

    #[test]
    fn serde_json_reads_and_writes_the_same(value in json_value()) {
        let text = serde_json::to_string(&value).unwrap();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let mut reader = JsonReader::new();
        let read = reader.read(text.as_bytes()).unwrap();
        prop_assert_eq!(&read, &of_serde(&value));
        prop_assert_eq!(&reader.read(pretty.as_bytes()).unwrap(), &read);
        let mut written = Vec::new();
        write_value(&read, &mut written).unwrap();
        prop_assert!(alike(&serde_json::from_slice(&written).unwrap(), &value));
        prop_assert_eq!(parse(&written).unwrap(), read);
    }

    #[test]
    fn serde_json_accepts_what_is_accepted(text in r#"[\[\]{}:,"\\a0-9eE+. \-]{1,12}|(true|false|null|\[|\]|,|1|0|"a"|:|\{|\}| ){1,8}"#) {
        let oracle = serde_json::from_str::<serde_json::Value>(&text);
        let read = parse(text.as_bytes());
        // Leading zeros, text behind the value, white space alone and large numbers are Jackson's liberties.
        if let Ok(value) = oracle {
            prop_assert_eq!(read.unwrap(), of_serde(&value));
        } else if let Ok(value) = read {
            let mut canonical = Vec::new();
            write_value(&value, &mut canonical).unwrap();
            let is_number = text.contains("e") || text.contains("E");
            prop_assert!(is_number || serde_json::from_slice::<serde_json::Value>(&canonical).is_ok());
        }
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        any::<String>(),
        "[a-z]{0,40}",
        Just("\u{0}\u{1f}\"\\/\u{7f}é😀\u{ffff}\u{10ffff}".to_owned())
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        (-1000..1000i64).prop_map(serde_json::Value::from),
        any::<f64>().prop_filter("finite", |v| v.is_finite() && *v != 0.0).prop_map(serde_json::Value::from),
        (-1_000_000..1_000_000i32).prop_map(|v| serde_json::Value::from(f64::from(v) / 1000.0 + 1e-4)),
        text.clone().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 80, 12, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(serde_json::Value::from),
            prop::collection::vec((text.clone(), inner), 0..12)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn of_serde(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => (*value).into(),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(integer)) => integer.cast_signed().into(),
            // There is no negative zero in Java's decimals; integers beyond 64 bits wrap.
            (None, None) => (number.as_f64().unwrap() + 0.0).into(),
        },
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(items) => items.iter().map(of_serde).collect::<Vec<_>>().into(),
        serde_json::Value::Object(members) => {
            Object::from_entries(members.iter().map(|(key, value)| (Str::from(key), of_serde(value)))).into()
        }
    }
}

/// Equality but for the last bits of doubles, which `serde_json` does not always read right.
fn alike(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => match (a.as_i64(), b.as_i64(), a.as_f64(), b.as_f64()) {
            (Some(a), Some(b), ..) => a == b,
            (.., Some(a), Some(b)) => (a - b).abs() <= (b.abs() * 1e-14).max(f64::MIN_POSITIVE),
            _ => false,
        },
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && alike(a, b))
        }
        _ => a == b,
    }
}

/// Runs `work` on a thread with the stack that threads have by default.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn nesting_is_bounded_and_what_is_allowed_fits_the_stack() {
    on_a_small_stack(|| {
        let nested = |open: &str, inside: &str, close: &str, depth: usize| {
            format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
        };
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let value = parse(nested(open, "1", close, MAX_DEPTH).as_bytes()).unwrap();
            let copy = value.clone();
            assert_eq!(copy, value);
            assert!(value.heap_size() > 0 && !format!("{value:?}").is_empty());
            let mut out = Vec::new();
            write_value(&value, &mut out).unwrap();
            assert_eq!(out, nested(open, "1", close, MAX_DEPTH).as_bytes());
            // A transform may wrap what was read; writing it again has the same limit.
            let wrapped = Value::from(vec![value]);
            assert!(write_value(&wrapped, &mut out).is_err());
            for depth in [MAX_DEPTH + 1, 1_000_000] {
                let error = parse(nested(open, "1", close, depth).as_bytes()).unwrap_err();
                assert!(error.to_string().contains("nested deeper than 256 levels"), "{error}");
                assert!(parse(open.repeat(depth).as_bytes()).is_err());
            }
        }
    });
}

#[test]
fn schemas_and_payloads_nest_as_deep() {
    on_a_small_stack(|| {
        let document = |depth: usize| {
            let schema = format!(
                "{}{{\"type\":\"int8\"}}{}",
                r#"{"type":"struct","fields":[{"field":"a","type":"array","items":"#.repeat(depth),
                "}]}".repeat(depth)
            );
            let payload = format!("{}1{}", r#"{"a":["#.repeat(depth), "]}".repeat(depth));
            format!(r#"{{"schema":{schema},"payload":{payload}}}"#)
        };
        for depth in [10, 60, 80, 100, 127, 200, 100_000] {
            read_all(&mut converters(), document(depth).as_bytes());
        }
        let (topic, mut converter) = (Topic::from("t"), converters().swap_remove(0));
        let payload = Blob::from(document(60).into_bytes());
        let datum = converter.decode(&topic, Some(&payload)).unwrap();
        let mut out = Vec::new();
        let mut headers = lavka_api::data::Headers::new();
        assert!(
            converter.encode(&topic, &mut headers, datum.schema.as_ref(), &datum.value, &mut out).unwrap()
        );
        let again = converter.decode(&topic, Some(&Blob::from(out))).unwrap();
        assert_eq!(again, datum);
    });
}

#[test]
fn many_keys_and_large_numbers_take_no_time() {
    let members: Vec<String> = (0..200_000).map(|i| format!("\"key{i}\":{i}")).collect();
    let document = format!("{{{}}}", members.join(","));
    let mut reader = JsonReader::new();
    for _ in 0..2 {
        let Value::Object(object) = reader.read(document.as_bytes()).unwrap() else {
            panic!("not an object")
        };
        assert_eq!((object.len(), object.get("key199999")), (200_000, Some(&Value::Int64(199_999))));
    }
    let repeated = format!("{{{}}}", "\"a\":1,\"b\":[],".repeat(100_000) + "\"c\":2");
    let Value::Object(object) = reader.read(repeated.as_bytes()).unwrap() else { panic!("not an object") };
    assert_eq!(object.len(), 3);
    let map = r#"{"schema":{"type":"map","keys":{"type":"int32"},"values":{"type":"int32"}},"payload":["#
        .to_owned()
        + &(0..100_000).map(|i| format!("[{i},{i}],")).collect::<String>()
        + "[0,5]]}";
    let payload = Blob::from(map.into_bytes());
    let datum = converters()[0].decode(&Topic::from("t"), Some(&payload)).unwrap();
    let Value::Map(entries) = datum.value else { panic!("not a map") };
    assert_eq!((entries.len(), &entries[0].1), (100_000, &Value::Int32(5)));
    for text in ["1e999999999", "-1e999999999", "1e-999999999"] {
        assert!(matches!(parse(text.as_bytes()), Ok(Value::Float64(_))));
    }
    for text in ["9".repeat(10_000), format!("0.{}", "9".repeat(10_000)), format!("1e{}", "9".repeat(10_000))]
    {
        assert!(parse(text.as_bytes()).is_err());
        let enveloped = format!(r#"{{"schema":{{"type":"int64"}},"payload":{text}}}"#);
        read_all(&mut converters(), enveloped.as_bytes());
    }
    let decimal = r#"{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"0"}},"payload":1e2147483647}"#;
    read_all(&mut converters(), decimal.as_bytes());
}

#[test]
fn shapes_are_shared_until_keys_are_random_and_again_after_that() {
    let mut reader = JsonReader::new();
    let mut shape = |document: &str| match reader.read(document.as_bytes()).unwrap() {
        Value::Object(object) => object.into_parts().0,
        other => panic!("{other:?} is not an object"),
    };
    let first = shape(r#"{"a":1,"b":{"c":2}}"#);
    assert!(first.same(&shape(r#"{"a":null,"b":[]}"#)));
    assert!(first.same(&shape(r#"{"a":1,"b":1,"a":2}"#)));
    assert!(!first.same(&shape(r#"{"b":1,"a":2}"#)));
    for i in 0..100_000 {
        let random = shape(&format!("{{\"k{i}\":1,\"l{}\":2}}", i * 7919 % 100_000));
        assert_eq!(random.len(), 2);
    }
    let second = shape(r#"{"x":1,"y":2}"#);
    assert!(second.same(&shape(r#"{"x":3,"y":4}"#)) || second.len() == 2);
}
