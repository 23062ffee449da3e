//! The scenarios of the captures.

use lavka_api::plugin::Verdict;
use lavka_connector_postgres::event::{ContextHeaders, EventSettings, SkippedOperations};
use lavka_connector_postgres::schema::{
    ColumnFilter, ColumnMappers, KeyColumns, NameAdjustment, TableFilter, TopicNaming,
};
use lavka_connector_postgres::types::{
    BinaryMode, Conversions, DecimalMode, HstoreMode, IntervalMode, Placeholder, TimePrecision,
};

use crate::captured::{self, Captured};
use crate::replay::{Shown, replay, shown, transform};
use crate::volatile::{deviate, steady, steady_offset, steady_text};

fn settings(schema: &str) -> EventSettings {
    EventSettings {
        tables: TableFilter::parse((Some(schema), None), (None, None), true).unwrap(),
        headers: Some(ContextHeaders { task_id: "0".into(), run_id: "<run>".into() }),
        ..EventSettings::new("srv", "dbz").unwrap()
    }
}

/// Holds one record against one of Debezium's.
fn compare(place: &str, ours: &Shown, theirs: &Captured) {
    assert_eq!((ours.topic.as_str(), ours.partition), (theirs.topic.as_str(), theirs.partition), "{place}");
    let sorted = |offset: &[(String, String)]| {
        // The signal's own record has the state of the incremental snapshot that it begins, which is not replayed.
        let replayed = offset.iter().filter(|(key, _)| !key.starts_with("incremental_snapshot_"));
        let mut offset: Vec<_> = replayed.map(steady_offset).collect();
        offset.sort();
        offset
    };
    assert_eq!(sorted(&ours.offset), sorted(&theirs.offset), "{place}: offset");
    let headers = |headers: &[(String, String)]| -> Vec<(String, String)> {
        let steady = |(key, value): &(String, String)| match key.as_str() {
            "__debezium.context.runId" => (key.clone(), "<run>".to_owned()),
            "__source_lsn" => (key.clone(), "<lsn>".to_owned()),
            _ => (key.clone(), value.clone()),
        };
        headers.iter().map(steady).collect()
    };
    let mut their_headers = headers(&theirs.headers);
    // Debezium's tombstone and the delete before it have their headers in common: what a transform adds to one is there
    // twice on the other.
    if theirs.value == "null" && their_headers.len() > ours.headers.len() {
        let added = their_headers.len() - ours.headers.len();
        let own = their_headers.len() - 1;
        their_headers.drain(own - added..own);
    }
    assert_eq!(headers(&ours.headers), their_headers, "{place}: headers");
    let same = |what: &str, ours: &str, theirs: &str| {
        let (ours, mut theirs) = (steady(ours), steady(theirs));
        deviate(&mut theirs, &ours);
        // As texts: the order of members counts.
        let (ours, theirs) = (ours.to_string(), theirs.to_string());
        if ours != theirs {
            let at = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
            let around = |text: &str| {
                String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(200)..(at + 200).min(text.len())])
                    .into_owned()
            };
            panic!("{place}: {what}\n  ours   …{}…\n  theirs …{}…", around(&ours), around(&theirs));
        }
    };
    same("key", &ours.key, &theirs.key);
    same("value", if theirs.full { &ours.value_full } else { &ours.value }, &theirs.value);
    for (what, ours, theirs) in
        [("key", &ours.avro_key, &theirs.avro_key), ("value", &ours.avro, &theirs.avro)]
    {
        if let Some(theirs) = theirs {
            assert_eq!(ours.as_ref(), Ok(theirs), "{place}: the Avro schema of the {what}");
        }
    }
    assert!(theirs.avro_error.is_none() || ours.avro.is_err(), "{place}: {:?}", ours.avro);
}

/// Holds all records of a scenario against a capture; what the capture has beyond must be of `beyond`.
fn hold(
    stream: &str,
    capture: &str,
    settings: EventSettings,
    xmin: Option<i64>,
    beyond: fn(&Captured) -> bool,
) {
    let ours: Vec<Shown> = replay(stream, settings, xmin).iter().map(shown).collect();
    hold_all(&ours, capture, beyond);
}

fn hold_all(ours: &[Shown], capture: &str, beyond: fn(&Captured) -> bool) {
    let theirs: Vec<Captured> = captured::read(capture);
    let mut rest = theirs.iter();
    for (index, record) in ours.iter().enumerate() {
        let other = rest.find(|other| !other.topic.starts_with("__debezium-heartbeat"));
        let other = other.unwrap_or_else(|| panic!("{capture}: record {index} is one too many: {record:?}"));
        compare(&format!("{capture}, record {index} ({})", steady_text("", &record.topic)), record, other);
    }
    for other in rest {
        assert!(beyond(other), "{capture}: {} record is missing: {}", other.topic, other.value);
    }
}

fn none(_: &Captured) -> bool {
    false
}

#[test]
fn transactions_keys_truncation_messages_and_changes_of_definitions() {
    let settings = EventSettings {
        transaction_metadata: true,
        skipped: SkippedOperations::parse(["none"]).unwrap(),
        keys: KeyColumns::parse("inv.keyed:a,b").unwrap(),
        ..settings("inv")
    };
    // The signal at the end begins an incremental snapshot, whose rows and marks come behind.
    hold("main", "main", settings, Some(1), |record| {
        ["srv.inv.sig", "srv.inv.customers", "srv.transaction"].contains(&record.topic.as_str())
    });
}

#[test]
fn toast_defaults_identities_partitions_and_postgis() {
    hold("postgis", "postgis", settings("w"), None, none);
}

#[test]
fn adjusted_names_masks_truncation_and_hashes() {
    let settings = EventSettings {
        topics: TopicNaming::new("my-srv"),
        schema_names: NameAdjustment::Avro,
        field_names: NameAdjustment::Avro,
        columns: ColumnFilter::parse(None, Some("u.weird.skipme")).unwrap(),
        mappers: ColumnMappers::from_config([
            ("column.mask.with.5.chars", "u.weird.secret"),
            ("column.truncate.to.4.chars", "u.weird.longtxt"),
            ("column.mask.hash.SHA-256.with.salt.Pepper", "u.weird.hashed"),
        ])
        .unwrap(),
        ..settings("u")
    };
    hold("names", "names", settings, None, |record| record.topic.starts_with("__debezium-heartbeat"));
}

#[test]
fn types_by_default() {
    hold("types", "types-default", settings("s1"), None, none);
}

fn types(capture: &str, conversions: Conversions) {
    hold("types", capture, EventSettings { conversions, ..settings("s1") }, None, none);
}

#[test]
fn types_as_connect_s_own_and_as_text() {
    types(
        "types-connect-string-base64-unknown",
        Conversions {
            time: TimePrecision::Connect,
            decimal: DecimalMode::String,
            binary: BinaryMode::Base64,
            interval: IntervalMode::String,
            hstore: HstoreMode::Map,
            include_unknown: true,
            ..Conversions::default()
        },
    );
}

#[test]
fn types_as_doubles_and_hex_with_their_source_types() {
    let settings = EventSettings {
        conversions: Conversions {
            time: TimePrecision::AdaptiveTimeMicroseconds,
            decimal: DecimalMode::Double,
            binary: BinaryMode::Hex,
            ..Conversions::default()
        },
        mappers: ColumnMappers::from_config([(
            "column.propagate.source.type",
            ".*c_vc|.*c_num_ps|.*c_i4|.*c_tstz",
        )])
        .unwrap(),
        ..settings("s1")
    };
    hold("types", "types-adaptive_time_us-double-hex-propagate", settings, None, none);
}

#[test]
fn types_as_iso_8601() {
    let time = TimePrecision::IsoString;
    types(
        "types-isostring-base64url",
        Conversions { time, binary: BinaryMode::Base64UrlSafe, ..Conversions::default() },
    );
}

#[test]
fn types_in_microseconds() {
    types("types-microseconds", Conversions { time: TimePrecision::Microseconds, ..Conversions::default() });
}

#[test]
fn types_in_nanoseconds() {
    types("types-nanoseconds", Conversions { time: TimePrecision::Nanoseconds, ..Conversions::default() });
}

fn masks() -> ColumnMappers {
    ColumnMappers::from_config([
        ("column.mask.with.3.chars", "e.masked.(v|t|mo|ci|u|j|n)"),
        ("column.mask.hash.SHA-512.with.salt.S a", "e.masked.(h|hv)"),
        ("column.mask.hash.v2.MD5.with.salt.p", "e.masked.h2"),
        ("column.truncate.to.4.chars", "e.masked.(tr|trv|trj|trb)"),
    ])
    .unwrap()
}

#[test]
fn edges_of_types_defaults_zeros_and_masks() {
    hold("edge", "edge-default", EventSettings { mappers: masks(), ..settings("e") }, None, none);
}

#[test]
fn edges_as_connect_s_own_with_unknown_types_and_source_types() {
    let settings = EventSettings {
        conversions: Conversions {
            time: TimePrecision::Connect,
            decimal: DecimalMode::String,
            binary: BinaryMode::Hex,
            interval: IntervalMode::String,
            hstore: HstoreMode::Map,
            include_unknown: true,
            ..Conversions::default()
        },
        mappers: ColumnMappers::from_config([("column.propagate.source.type", "e.odd.*")]).unwrap(),
        ..settings("e")
    };
    hold("edge", "edge-connect", settings, None, none);
}

#[test]
fn edges_as_iso_8601_and_doubles_with_a_placeholder_of_bytes() {
    let conversions = Conversions {
        time: TimePrecision::IsoString,
        decimal: DecimalMode::Double,
        binary: BinaryMode::Base64,
        include_unknown: true,
        placeholder: Placeholder::parse("hex:ff00").unwrap(),
        ..Conversions::default()
    };
    hold("edge", "edge-iso", EventSettings { conversions, ..settings("e") }, None, none);
}

/// Holds the rows of `names`, without its rules, through `ExtractNewRecordState`.
fn hold_unwrapped(capture: &str, keys: &[(&str, &str)]) {
    let mut unwrap = transform("io.debezium.transforms.ExtractNewRecordState", keys);
    let mut records = replay("names", settings("u"), None);
    records.retain_mut(|record| unwrap.apply(&mut record.record).unwrap() == Verdict::Keep);
    hold_all(&records.iter().map(shown).collect::<Vec<_>>(), capture, none);
}

#[test]
fn rows_taken_out_of_their_envelopes() {
    hold_unwrapped("unwrap-default", &[]);
}

#[test]
fn rows_taken_out_with_their_deletes_and_fields_of_the_source() {
    hold_unwrapped(
        "unwrap-rewrite",
        &[
            ("add.fields", "op,table,lsn,source.ts_ms,db"),
            ("add.headers", "op,source.lsn"),
            ("delete.tombstone.handling.mode", "rewrite-with-tombstone"),
        ],
    );
}
