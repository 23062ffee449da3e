//! Lenses' converters beside their released classes (`com.datamountaineer:kafka-connect-common`, the newest release that is on
//! Maven Central).
//!
//! Needs a JDK (for `javac`) and the jars, which the testkit resolves; where either is missing, the test says so and passes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lavka_api::data::{Datum, Topic};
use lavka_api::plugin::{ConverterRole, Factory, TaskId};
use lavka_converters::json::{JsonWriter, WriteOptions};
use lavka_testkit::{JarSet, JavaProgram, temp_dir};
use serde_json::{Value as Json, json};

use super::record::{Conversions, KEY_NAME, LensesRecords};
use super::schema_files::{AvroSchemas, SchemaFiles};
use super::statement::Statement;
use crate::message::{Message, Qos};
use crate::record::MakeRecord as _;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/java/LensesConverters.java");

/// The program that runs the classes.
pub(crate) struct Oracle(JavaProgram);

impl Oracle {
    pub(crate) fn find(test: &str) -> Option<Self> {
        JavaProgram::compile(Path::new(SOURCE), JarSet::LensesConverters, test).map(Self)
    }

    /// One result for each case, in order.
    pub(crate) fn run(&self, cases: &[Json]) -> Vec<Json> {
        let mut java = self
            .0
            .java()
            // What is refused is in the results; beside it the classes print it.
            .stderr(Stdio::null())
            .arg("LensesConverters")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = java.stdin.take().unwrap();
        let text: String = cases.iter().map(|case| format!("{case}\n")).collect();
        // Beside reading, or both sides would wait for each other once the pipes are full.
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = BufReader::new(java.stdout.take().unwrap());
        let results = output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        assert!(java.wait().unwrap().success(), "the Java side failed");
        writer.join().unwrap().unwrap();
        results
    }
}

/// The topic of all messages, and of the statement.
const TOPIC: &str = "/a/b";

#[derive(Clone, Copy)]
struct Case<'a> {
    converter: &'a str,
    payload: &'a [u8],
    keys: &'a str,
    delimiter: &'a str,
}

impl Case<'_> {
    /// For Java; cases with the same `instance` meet the same converter.
    fn given(&self, instance: usize, schemas: &str) -> Json {
        let keys: Vec<&str> = self.keys.split(',').filter(|key| !key.is_empty()).collect();
        json!({
            "kind": "source", "converter": self.converter, "instance": instance.to_string(), "topic": TOPIC, "id": "7",
            "payload": BASE64.encode(self.payload), "keys": keys, "delimiter": self.delimiter, "schemas": schemas,
        })
    }

    fn ours(&self, schemas: &AvroSchemas) -> Result<Json, String> {
        let keys = if self.keys.is_empty() { String::new() } else { format!("WITHKEY({})", self.keys) };
        let kcql = format!(
            "INSERT INTO k SELECT * FROM {TOPIC} WITHCONVERTER=`{}` {keys} KEYDELIMITER='{}'",
            self.converter, self.delimiter
        );
        let statements = Statement::parse_all(&kcql)?;
        let conversions =
            Conversions { statements, throw_on_error: true, named_by_filter: false, key_name: KEY_NAME };
        let task = TaskId { connector: "c".into(), task: 0 };
        let mut records =
            LensesRecords::new(conversions, schemas, task).map_err(|error| error.to_string())?;
        let message = Message {
            topic: TOPIC.into(),
            payload: self.payload.into(),
            packet_id: 7,
            qos: Qos::AtLeastOnce,
            retained: false,
            duplicate: false,
            received: 5,
            properties: None,
        };
        let record = records.record(message).map_err(|error| error.trace())?.ok_or("left out")?;
        Ok(json!({ "key": envelope(&record.key), "value": envelope(&record.value) }))
    }
}

/// In `JsonConverter`'s envelope, as a value.
pub(crate) fn envelope(datum: &Datum) -> Json {
    let mut out = Vec::new();
    let mut writer = JsonWriter::new(WriteOptions::default(), 10);
    writer.write_enveloped(datum.schema.as_ref(), &datum.value, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// What Java says, with the texts of its envelopes as values, and the name that the key's schema has since got.
fn theirs(result: &Json) -> Result<Json, String> {
    if let Some(error) = result.get("error") {
        return Err(error.as_str().unwrap().to_owned());
    }
    let part = |name: &str| {
        let text = result[name]
            .as_str()
            .unwrap()
            .replace("com.datamountaineer.streamreactor.connect.converters.MsgKey", KEY_NAME);
        serde_json::from_str::<Json>(&text).unwrap()
    };
    Ok(json!({ "key": part("key"), "value": part("value") }))
}

/// Takes `optional` out of schemas of scalars.
fn without_optional(json: &mut Json) {
    match json {
        Json::Object(members) => {
            if !matches!(members.get("type").and_then(Json::as_str), None | Some("struct" | "array")) {
                members.remove("optional");
            }
            members.values_mut().for_each(without_optional);
        }
        Json::Array(items) => items.iter_mut().for_each(without_optional),
        _ => {}
    }
}

const SIMPLE: &str = "JsonSimpleConverter";
const OPT_NULL: &str = "JsonOptNullConverter";
const EVOLVING: &str = "JsonConverterWithSchemaEvolution";
const PASS: &str = "JsonPassThroughConverter";
const ALL: &[&str] = &[SIMPLE, OPT_NULL, EVOLVING, PASS, "BytesConverter"];
const READING: &str =
    r#"{"id":7,"t":21.5,"ok":true,"name":"x","list":[1,2],"at":{"lat":50.1},"rows":[{"a":1},{"a":2}]}"#;

/// Cases in which both agree.
const CASES: &[(&[&str], &str, &str)] = &[
    (ALL, READING, ""),
    (ALL, READING, "id,at.lat"),
    (ALL, READING, "t,ok,name"),
    (ALL, READING, "missing"),
    (ALL, READING, "at"),
    (ALL, READING, "at.missing"),
    (ALL, READING, "id.x"),
    (ALL, READING, "list"),
    (ALL, READING, "list.x"),
    (ALL, r#"{"a":0.1,"b":100.0,"c":1e21,"d":-0.0,"e":12345678901234567890}"#, "b"),
    (ALL, r#"{"x":{"y":{"z":"ä€"}}}"#, "x.y.z"),
    (ALL, r#"{"a":""}"#, "a"),
    (ALL, "{}", ""),
    (ALL, r#"{"a":[]}"#, ""),
    (ALL, r#"{"a":[{"b":1},{"c":2}]}"#, ""),
    (ALL, r#"[{"b":1}]"#, ""),
    (ALL, "{'a':1}", ""),
    (&[OPT_NULL, EVOLVING, PASS], r#"{"n":null,"a":1}"#, ""),
    (&[OPT_NULL, EVOLVING, PASS], r#"{"n":null,"a":1}"#, "n"),
    (&[OPT_NULL, EVOLVING, PASS], r#"{"n":null,"a":1}"#, "n.x"),
    (&[OPT_NULL, EVOLVING, PASS], r#"{"n":null,"a":1}"#, "n,a"),
    (&[OPT_NULL, EVOLVING, PASS], r#"{"a":[1,null]}"#, ""),
    (&[OPT_NULL, EVOLVING, PASS], r#"{"a":[null,1]}"#, ""),
    (&[OPT_NULL, EVOLVING, PASS], "", ""),
    (&[PASS], "21", ""),
    (&[PASS], "21", "a"),
    (&[PASS], "1 2", ""),
    (&[PASS], " ", ""),
    (&[PASS], "", "a"),
    (&[PASS], "{", ""),
    (&[PASS], r#"{"a":1,"a":2}"#, "a"),
];

/// What is different on purpose: converter, payload, keys, and parts of what ours and theirs say.
const DIFFERENT: &[(&str, &str, &str, &str, &str)] = &[
    // Releases since let every scalar be null.
    (SIMPLE, r#"{"n":null}"#, "", r#""payload":{"n":null}"#, "null used for required field"),
    // A scalar is JSON too.
    (SIMPLE, "21", "", r#""payload":21"#, "expected field or array"),
    // Of what is cut off nothing is left over there.
    (OPT_NULL, "{", "", "not one JSON value", r#""payload":null"#),
    // Elsewhere in JSON the last one counts.
    (EVOLVING, r#"{"a":1,"a":2}"#, "", r#""payload":{"a":2}"#, "field name duplication"),
    // Integers have 64 bits in all the other converters as well.
    (PASS, r#"{"a":12345678901234567890}"#, "a", "-6101065172474983726", "12345678901234567890"),
];

#[test]
fn the_released_classes_agree() {
    let Some(java) = Oracle::find("the comparison with Lenses' converters") else { return };
    json_and_bytes(&java);
    avro(&java);
    resilient_json(&java);
}

fn json_and_bytes(java: &Oracle) {
    let mut cases = Vec::new();
    for (converters, payload, keys) in CASES {
        for converter in *converters {
            cases.push(Case { converter, payload: payload.as_bytes(), keys, delimiter: "." });
        }
    }
    cases.push(Case { converter: OPT_NULL, payload: READING.as_bytes(), keys: "id,t", delimiter: "-" });
    let agreeing = cases.len();
    for (converter, payload, keys, ..) in DIFFERENT {
        cases.push(Case { converter, payload: payload.as_bytes(), keys, delimiter: "." });
    }
    let given: Vec<Json> = cases.iter().enumerate().map(|(n, case)| case.given(n, "")).collect();
    let results = java.run(&given);
    assert_eq!(results.len(), cases.len());
    let schemas = AvroSchemas::default();
    for (case, result) in cases.iter().zip(&results).take(agreeing) {
        let what = format!("{} {} {}", case.converter, String::from_utf8_lossy(case.payload), case.keys);
        match (case.ours(&schemas), theirs(result)) {
            (Ok(mut ours), Ok(mut theirs)) => {
                if case.converter == SIMPLE {
                    // Since that release its scalars have become optional.
                    without_optional(&mut ours);
                    without_optional(&mut theirs);
                }
                assert_eq!(ours, theirs, "{what}");
            }
            (Err(_), Err(_)) => {}
            (ours, theirs) => panic!("{what}\nours: {ours:?}\ntheirs: {theirs:?}"),
        }
    }
    let shown = |result: Result<Json, String>| result.map_or_else(|error| error, |json| json.to_string());
    for ((case, result), (.., ours, other)) in cases.iter().zip(&results).skip(agreeing).zip(DIFFERENT) {
        let (found, java) = (shown(case.ours(&schemas)), shown(theirs(result)));
        assert!(found.contains(ours) && java.contains(other), "{found}\n{java}");
    }
}

/// A reading as Avro has it: 7, 21.5 and `hi`; then with null in the middle.
const AVRO: &[u8] = &[14, 2, 0, 0, 0, 0, 0, 0x80, 0x35, 0x40, 4, b'h', b'i'];
const AVRO_NULL: &[u8] = &[14, 0, 4, b'h', b'i'];
pub(crate) const AVRO_SCHEMA: &str = r#"{"type":"record","name":"Reading","namespace":"n","fields":[{"name":"id","type":"long"},
    {"name":"t","type":["null","double"]},{"name":"name","type":"string"}]}"#;

fn avro(java: &Oracle) {
    let folder = temp_dir();
    let file = folder.path().join("reading.avsc");
    std::fs::write(&file, AVRO_SCHEMA).unwrap();
    let list = format!("/A/b={}", file.display());
    let schemas = SchemaFiles::parse(&list).unwrap().read().unwrap();
    let longer: Vec<u8> = AVRO.iter().chain(b"behind").copied().collect();
    let cases: Vec<Case<'_>> = [
        (AVRO, ""),
        (AVRO, "id"),
        (AVRO, "t,name"),
        (AVRO, "missing"),
        (AVRO_NULL, ""),
        (AVRO_NULL, "t"),
        (longer.as_slice(), ""),
        (AVRO.split_at(5).0, ""),
        (b"", ""),
        (b"{}", ""),
    ]
    .into_iter()
    .map(|(payload, keys)| Case { converter: "AvroConverter", payload, keys, delimiter: "." })
    .collect();
    let given: Vec<Json> = cases.iter().enumerate().map(|(n, case)| case.given(n, &list)).collect();
    let mut read = 0;
    for (case, result) in cases.iter().zip(java.run(&given)) {
        match (case.ours(&schemas), theirs(&result)) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "{:?} {}", case.payload, case.keys);
                read += 1;
            }
            (Err(_), Err(_)) => {}
            (ours, theirs) => panic!("{:?} {}\nours: {ours:?}\ntheirs: {theirs:?}", case.payload, case.keys),
        }
    }
    assert_eq!(read, 5);
}

/// `value.converter`, which is Lenses' too.
fn resilient_json(java: &Oracle) {
    let class = "com.datamountaineer.streamreactor.connect.converters.source.JsonResilientConverter";
    let plugins = lavka_converters::plugins();
    let plugin = plugins
        .iter()
        .find(|plugin| plugin.aliases.contains(&class) && matches!(plugin.factory, Factory::Converter(_)));
    let Factory::Converter(make) = plugin.unwrap().factory else { panic!("{class}") };
    let payloads = [
        r#"{"a":1}"#,
        r#"{"schema":null,"payload":1}"#,
        "{",
        "",
        r#"{"schema":{"type":"int32"},"payload":"x"}"#,
    ];
    let cases: Vec<(&str, &str)> =
        payloads.iter().flat_map(|payload| [("true", *payload), ("false", *payload)]).collect();
    let given: Vec<Json> = cases
        .iter()
        .map(|(enabled, payload)| {
            json!({ "kind": "resilient", "payload": BASE64.encode(payload), "enabled": enabled })
        })
        .collect();
    for ((enabled, payload), result) in cases.iter().zip(java.run(&given)) {
        let config = lavka_api::config::Config::from([("schemas.enable", *enabled)]);
        let mut converter = make(&config, ConverterRole::Value).unwrap();
        let datum = converter.decode(&Topic::from("t"), Some(&payload.as_bytes().into())).unwrap();
        let theirs = result["value"].as_str().map(|text| serde_json::from_str(text).unwrap());
        let ours = (!datum.is_null()).then(|| envelope(&datum));
        assert_eq!(ours, theirs, "{enabled} {payload}");
    }
}
