use lavka_api::data::Record;

use crate::harness::{Case, apply_to, failure, refuses, run};

const NAME: &str = "RegexRouter";

fn routed(regex: &str, replacement: &str, topic: &str) -> String {
    let keys = [("regex", regex), ("replacement", replacement)];
    apply_to(NAME, &keys, Record::for_topic(topic)).unwrap().topic.as_str().to_owned()
}

/// What becomes of topics.
const TOPICS: &[(&str, &str, &str, &str, &str)] = &[
    ("R1", "(.*)", "prefix-$1", "orig", "prefix-orig"),
    ("R2", r"(.*)-(\d{8})", "$1", "index-20160117", "index"),
    ("R3", "idx", "$1", "other", "other"),
    ("R5", r"(?<t>[a-z]+)-(\d+)", r"${t}_$2_\$1", "ab-12", "ab_12_$1"),
    ("R7", "(a)(b)?", "$1-$2", "a", "a-"),
    ("R8", "a", r"\\", "a", r"\"),
    ("R9", ".*", "", "x", ""),
    ("R10", "a|b", "z", "ab", "ab"),
    ("the first match may be shorter than the whole", "a|ab", "x", "ab", "xb"),
    ("a lazy match too", "(a+?)", "x", "aaa", "xaa"),
    ("digits as long as there is such a group", "(.*)", "$11", "x", "x1"),
    ("the whole match", "(.*)", "<$0>", "x", "<x>"),
    ("a look-ahead", r"(?!internal)(\w+)\.(\w+)", "$2", "db.orders", "orders"),
    ("a possessive quantifier", "([a-z]++)-(.*+)", "$2", "a-b", "b"),
    ("a back-reference", r"(\w+)-\1", "$1", "ab-ab", "ab"),
    ("a flag", "(?i)ORDERS-(.*)", "$1", "orders-eu", "eu"),
    ("quoted text", r"\Qa.b\E\.(.*)", "$1", "a.b.c", "c"),
];

/// Replacements that fail where the topic matches, and are not looked at where it does not.
const FAULTS: &[(&str, &str, &str, &str, &str)] = &[
    ("R4", "(.*)", "$2", "IndexOutOfBoundsException", "No group 2"),
    ("R6", "x", "$", "IllegalArgumentException", "Illegal group reference: group index is missing"),
    ("a faulty replacement", "x", "$y", "IllegalArgumentException", "Illegal group reference"),
    ("a faulty replacement", "x", r"\", "IllegalArgumentException", "character to be escaped is missing"),
    (
        "a faulty replacement",
        "x",
        "${",
        "IllegalArgumentException",
        "named capturing group has 0 length name",
    ),
    (
        "a faulty replacement",
        "x",
        "${a",
        "IllegalArgumentException",
        "named capturing group is missing trailing '}'",
    ),
    ("a faulty replacement", "x", "${a}", "IllegalArgumentException", "No group with name {a}"),
    (
        "a faulty replacement",
        "x",
        "${1}",
        "IllegalArgumentException",
        "capturing group name {1} starts with digit character",
    ),
];

pub(crate) fn table() -> Vec<Case> {
    let mut cases = vec![
        refuses(
            "R11",
            NAME,
            &[("regex", "["), ("replacement", "x")],
            "Invalid value [ for configuration regex: Invalid regex: Unclosed character class near index 0\n[\n^",
        ),
        refuses(
            "no replacement",
            NAME,
            &[("regex", "a")],
            "Missing required configuration \"replacement\" which has no default value.",
        ),
    ];
    for &(row, regex, replacement, topic, result) in TOPICS {
        cases.push(Case::new(row, move || assert_eq!(routed(regex, replacement, topic), result, "{row}")));
    }
    for &(row, regex, replacement, exception, message) in FAULTS {
        cases.push(Case::new(row, move || {
            let keys = [("regex", regex), ("replacement", replacement)];
            let failed = failure(NAME, &keys, Record::for_topic("x"));
            assert_eq!(failed, (exception, message.to_owned()), "{row} {replacement}");
            assert_eq!(routed("y", replacement, "x"), "x", "{row}: not looked at");
        }));
    }
    cases
}

#[test]
fn rows() {
    run(table());
}

#[test]
fn a_regex_that_takes_too_long_is_given_up() {
    let keys = [("regex", r"(a+)+(?=\d)"), ("replacement", "x")];
    let (exception, message) = failure(NAME, &keys, Record::for_topic("a".repeat(200)));
    assert_eq!(exception, "StackOverflowError");
    assert!(message.starts_with(r"The regex (a+)+(?=\d) takes too long on "), "{message}");
}
