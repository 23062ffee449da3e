//! The rows of the conformance table for Apache Kafka's transforms and predicates: a table per transform, whose rows
//! carry their numbers, and a count that none of the list in `tests/data/conformance-rows.txt` is missing. Plugins are
//! found and configured by their Java names, as a connector's configuration does. Values were observed on the released
//! classes of Apache Kafka 4.3.0. Those of Confluent and Debezium have tables of their own, after their documentation.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod cast;
mod confluent;
mod debezium;
mod extract_field;
mod flatten;
mod harness;
mod headers;
mod hoist_field;
mod insert_field;
mod mask_field;
mod predicates;
mod regex_router;
mod replace_field;
mod set_schema_metadata;
mod sharing;
mod timestamp_converter;
mod timestamp_router;
mod value_to_key;

use std::collections::BTreeSet;

use lavka_testkit::ConformanceRows;

#[test]
fn no_row_is_without_a_test() {
    let rows = ConformanceRows::of(include_str!("../../../../tests/data/conformance-rows.txt"), "2");
    assert_eq!(rows.count(), 126);
    let tables = [
        cast::table(),
        extract_field::table(),
        flatten::table(),
        headers::table(),
        hoist_field::table(),
        insert_field::table(),
        mask_field::table(),
        predicates::table(),
        regex_router::table(),
        replace_field::table(),
        set_schema_metadata::table(),
        timestamp_converter::table(),
        timestamp_router::table(),
        value_to_key::table(),
    ];
    let tested: BTreeSet<String> = tables.iter().flatten().map(|case| case.row.to_owned()).collect();
    assert_eq!(rows.complaints(&tested), Vec::<String>::new());
    // A case beyond the table says what it is about in words, so that no number is misspelt.
    let unknown: Vec<_> = tested.iter().filter(|row| !row.contains(' ') && !rows.has(row)).collect();
    assert!(unknown.is_empty(), "rows that are not in the list: {unknown:?}");
}
