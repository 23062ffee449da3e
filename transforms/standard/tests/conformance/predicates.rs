use lavka_api::data::{Datum, Record, Schema, Type, Value};

use crate::harness::{Case, predicate, run, sink};

pub(crate) fn table() -> Vec<Case> {
    vec![
        Case::new("PR1", topic_name_matches),
        Case::new("PR2", patterns_that_are_none),
        Case::new("PR3", record_is_tombstone),
        Case::new("headers by name", has_header_key),
    ]
}

#[test]
fn rows() {
    run(table());
}

fn topic_name_matches() {
    let mut matches = predicate("TopicNameMatches", &[("pattern", "my-prefix-.*")]).unwrap();
    for (topic, result) in [("x-my-prefix-1", false), ("my-prefix-1", true), ("my-prefix-1", true)] {
        assert_eq!(matches.test(&Record::for_topic(topic)).ok(), Some(result), "PR1 {topic}");
    }
}

fn patterns_that_are_none() {
    let refused = |pattern| predicate("TopicNameMatches", &[("pattern", pattern)]).err().unwrap();
    assert_eq!(
        refused("*").message(),
        Some(
            "Invalid value * for configuration pattern: Invalid regex: Dangling meta character '*' near index 0\n*\n^"
        ),
        "PR2"
    );
    assert_eq!(
        refused("").message(),
        Some("Invalid value  for configuration pattern: String must be non-empty")
    );
}

fn record_is_tombstone() {
    let mut tombstone = predicate("RecordIsTombstone", &[]).unwrap();
    for (value, result) in [
        (Datum::NULL, true),
        (Datum::new(Schema::optional(Type::String), Value::Null), true),
        (Datum::schemaless("x"), false),
    ] {
        assert_eq!(tombstone.test(&sink(value)).ok(), Some(result));
    }
}

fn has_header_key() {
    let mut has = predicate("HasHeaderKey", &[("name", "h")]).unwrap();
    let mut record = sink(Datum::NULL);
    assert_eq!(has.test(&record).ok(), Some(false));
    record.headers.add("H", Datum::NULL);
    assert_eq!(has.test(&record).ok(), Some(false));
    record.headers.add("h", Datum::NULL);
    assert_eq!(has.test(&record).ok(), Some(true));
    let error = predicate("HasHeaderKey", &[("name", " ")]).err().unwrap();
    assert_eq!(error.message(), Some("Invalid value  for configuration name: String must be non-empty"));
}
