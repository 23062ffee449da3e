//! Bytes and what Kafka's own classes made of them: `testdata/observed-*.tsv`, one case a line: how the bytes were
//! read, the bytes (in hexadecimal where the way ends in `x`), the outcome as `describe` words it.
//!
//! Ways: `on` and `off` for `schemas.enable`, `keep` for `replace.null.with.default=false`, `head` for
//! `SimpleHeaderConverter`. Kafka ran on Java 17, with UTC as its zone.

use lavka_api::Result;
use lavka_api::data::{Blob, Datum};

use crate::describe::describe;
use crate::{decode, encode, header_converter, json, topic};

fn check(name: &str, cases: &str) {
    let mut on = json([]);
    let mut off = json([("schemas.enable", "false")]);
    let mut keep = json([("replace.null.with.default", "false")]);
    let mut numeric = json([("decimal.format", "NUMERIC")]);
    let mut head = header_converter("SimpleHeaderConverter");
    let mut wrong = Vec::new();
    let mut count = 0;
    for (number, line) in cases.lines().enumerate() {
        let [way, input, expected] = *line.split('\t').collect::<Vec<_>>() else {
            panic!("{name}, line {}: not three columns", number + 1);
        };
        let (way, bytes) = match way.strip_suffix('x') {
            Some(way) => (way, unhex(input)),
            None => (way, input.as_bytes().to_vec()),
        };
        if let Some(way) = way.strip_prefix("rt") {
            let written = match way {
                "on" => decode(&mut *on, bytes).and_then(|datum| encode(&mut *on, &datum)),
                "off" => decode(&mut *on, bytes).and_then(|datum| encode(&mut *off, &datum)),
                "num" => decode(&mut *on, bytes).and_then(|datum| encode(&mut *numeric, &datum)),
                _ => decode(&mut *keep, bytes).and_then(|datum| encode(&mut *keep, &datum)),
            };
            let found = match written {
                Ok(text) => text.unwrap_or_else(|| "<null>".to_owned()),
                Err(error) => describe(&Err(error)),
            };
            if found != expected {
                wrong.push(format!("line {}: {line}\n    found {found}", number + 1));
            }
            count += 1;
            continue;
        }
        let outcome: Result<Datum> = match way {
            "on" => decode(&mut *on, bytes),
            "off" => decode(&mut *off, bytes),
            "keep" => decode(&mut *keep, bytes),
            "head" => head.decode(&topic(), "h", Some(&Blob::from(bytes))),
            other => panic!("{name}, line {}: no way {other}", number + 1),
        };
        let found = describe(&outcome);
        if found != expected {
            wrong.push(format!("line {}: {line}\n    found {found}", number + 1));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count} cases of {name} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 100, "{name} is all but empty");
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn json_is_read_as_kafka_reads_it() {
    check("observed-json.tsv", include_str!("../../testdata/observed-json.tsv"));
}

#[test]
fn header_types_are_inferred_as_kafka_infers_them() {
    check("observed-headers.tsv", include_str!("../../testdata/observed-headers.tsv"));
}

#[test]
fn json_is_written_as_kafka_writes_it() {
    check("observed-json-written.tsv", include_str!("../../testdata/observed-json-written.tsv"));
}
