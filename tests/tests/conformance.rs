//! No row of the conformance cases is without a test. Section 2 is counted where its tables are, in the tests of
//! `lavka-transforms`; the rows of the others are in the names and tables of tests all over the workspace.

use std::collections::BTreeSet;
use std::path::Path;

use lavka_testkit::{ConformanceRows, rows_of_tests_below};

const LIST: &str = include_str!("../data/conformance-rows.txt");

#[test]
fn no_row_is_without_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let tested: BTreeSet<String> = ["runtime", "tests"]
        .iter()
        .filter_map(|folder| Some(rows_of_tests_below(&root?.join(folder))))
        .flatten()
        .collect();
    for (section, count) in [("3", 45), ("4", 50), ("8", 20)] {
        let rows = ConformanceRows::of(LIST, section);
        assert_eq!(rows.count(), count, "section {section}");
        assert_eq!(rows.complaints(&tested), Vec::<String>::new(), "section {section}");
    }
}
