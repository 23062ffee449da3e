//! Configurations drawn by chance, mostly good ones, for each transform and predicate.

use lavka_testkit::Chance;

use crate::data::{NAMES, below, pick, rarely};

pub(crate) type Keys = Vec<(&'static str, String)>;

const TYPES: &[&str] = &[
    "int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string", " STRING ", "bytes", "x",
    "map",
];

const PATTERNS: &[&str] = &[
    "yyyyMMdd",
    "yyyy-MM-dd",
    "yyyy-MM-dd'T'HH:mm:ss.SSSX",
    "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "YYYY'W'ww",
    "EEE MMM d hh:mm a",
    "yyyy MM dd HH mm ss SSS z",
    "dd/MM/yy",
    "EEE, d MMM yyyy",
    "hh:mm a",
    "G yyyy DDD",
    "yyyy-'W'w u",
    "F W EEEE MMMM yyyy",
    "k K zzzz Z",
];

/// Letters of patterns, for patterns that nobody would write.
const LETTERS: &[&str] = &[
    "G", "y", "yy", "yyyy", "Y", "YY", "YYYY", "M", "MM", "MMM", "MMMM", "L", "w", "ww", "W", "D", "DDD",
    "d", "dd", "F", "E", "EEEE", "u", "a", "H", "HH", "k", "K", "h", "hh", "m", "mm", "s", "ss", "S", "SSS",
    "z", "zzzz", "Z", "X", "XX", "XXX", "-", "/", " ", ":", "'T'", "''", "XXXX", "n", "'",
];

pub(crate) fn pattern(chance: &mut Chance) -> String {
    if !rarely(chance, 3) {
        return pick(chance, PATTERNS).to_owned();
    }
    (0..=chance.below(8))
        .map(|_| {
            let limit = if rarely(chance, 10) { LETTERS.len() } else { LETTERS.len() - 3 };
            LETTERS[below(chance, limit)]
        })
        .collect()
}

fn names(chance: &mut Chance) -> String {
    let count = 1 + chance.below(3);
    (0..count).map(|_| pick(chance, NAMES)).collect::<Vec<_>>().join(",")
}

fn name(chance: &mut Chance) -> String {
    pick(chance, NAMES).to_owned()
}

fn spec(chance: &mut Chance) -> String {
    let good = |chance: &mut Chance| {
        let limit = if rarely(chance, 8) { TYPES.len() } else { 8 };
        TYPES[below(chance, limit)]
    };
    if rarely(chance, 3) {
        return good(chance).to_owned();
    }
    let count = 1 + chance.below(3);
    (0..count).map(|_| format!("{}:{}", pick(chance, NAMES), good(chance))).collect::<Vec<_>>().join(",")
}

fn replace_null(chance: &mut Chance, keys: &mut Keys) {
    if rarely(chance, 2) {
        keys.push(("replace.null.with.default", if rarely(chance, 2) { "true" } else { "false" }.into()));
    }
}

/// A configuration for the transform or predicate of that simple name.
pub(crate) fn keys(chance: &mut Chance, class: &str) -> Keys {
    let mut keys: Keys = Vec::new();
    match class {
        "Cast" => keys.push(("spec", spec(chance))),
        "DropHeaders" => keys.push(("headers", pick(chance, &["a", "h,H", "x", "a,a", ""]).into())),
        "ExtractField" => {
            keys.push((
                "field",
                pick(chance, &["a", "b", "ts", "a.b", "a.`b`", "`a.b`", "a.b.c", "`q", "zz"]).into(),
            ));
            if rarely(chance, 2) {
                keys.push(("field.syntax.version", pick(chance, &["V1", "V2", "v2", "V2", "V3"]).into()));
            }
        }
        "Flatten" if rarely(chance, 2) => {
            keys.push(("delimiter", pick(chance, &[".", "_", "#", ""]).into()));
        }
        "HeaderFrom" => {
            keys.push(("fields", names(chance)));
            let count = keys[0].1.split(',').count() + usize::from(rarely(chance, 10));
            keys.push(("headers", ["h", "g", "h", "i"][..count.min(4)].join(",")));
            keys.push(("operation", pick(chance, &["move", "copy", "move", "copy", "drop"]).into()));
        }
        "HoistField" => keys.push(("field", name(chance))),
        "InsertField" => {
            for key in ["topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"] {
                if rarely(chance, 3) {
                    let name = pick(chance, &["a", "new", "p", "new2"]);
                    keys.push((key, format!("{name}{}", pick(chance, &["", "!", "?"]))));
                }
            }
            if !rarely(chance, 4) {
                keys.push(("static.value", "s".into()));
            }
        }
        "InsertHeader" => {
            keys.push(("header", "h".into()));
            keys.push((
                "value.literal",
                pick(
                    chance,
                    &[
                        "1",
                        "abc",
                        "true",
                        "[1]",
                        "null",
                        "1.5",
                        "",
                        "{\"a\":1}",
                        "2023-01-02",
                        "300",
                        "\"x\"",
                        "é",
                    ],
                )
                .into(),
            ));
        }
        "MaskField" => {
            keys.push(("fields", names(chance)));
            if rarely(chance, 2) {
                keys.push((
                    "replacement",
                    pick(chance, &["7", "abc", "12.7", "-300", "1e3", "", "99999999999"]).into(),
                ));
            }
        }
        "RegexRouter" => {
            let regexes = [
                "(.*)",
                "(.*)-(\\d+)",
                "([a-z]+)\\.(?<schema>\\w+)\\.(.*)",
                "t|te",
                "(?i)ORDERS-.*",
                "[",
                "a*+",
                "te\\$t",
                ".",
            ];
            keys.push(("regex", pick(chance, &regexes).into()));
            keys.push((
                "replacement",
                pick(chance, &["x", "$1", "$2-$1", "${schema}", "$", "\\$0", "$0$0", ""]).into(),
            ));
        }
        "ReplaceField" => {
            if rarely(chance, 2) {
                keys.push(("exclude", names(chance)));
            }
            if rarely(chance, 3) {
                keys.push(("include", names(chance)));
            }
            if rarely(chance, 2) {
                let count = 1 + chance.below(2);
                let renames = (0..count)
                    .map(|_| format!("{}:{}", pick(chance, NAMES), pick(chance, &["a", "n", "m", "b"])));
                keys.push(("renames", renames.collect::<Vec<_>>().join(",")));
            }
        }
        "SetSchemaMetadata" => {
            if !rarely(chance, 4) {
                keys.push(("schema.name", "new.Name".into()));
            }
            if rarely(chance, 2) {
                keys.push(("schema.version", pick(chance, &["1", "42", "x"]).into()));
            }
        }
        "TimestampConverter" => {
            let targets = ["string", "unix", "Date", "Time", "Timestamp"];
            keys.push(("target.type", pick(chance, &targets).into()));
            if !rarely(chance, 4) {
                keys.push(("format", pattern(chance)));
            }
            if rarely(chance, 3) {
                let units = ["seconds", "milliseconds", "microseconds", "nanoseconds", "days"];
                keys.push(("unix.precision", pick(chance, &units).into()));
            }
            if !rarely(chance, 3) {
                keys.push(("field", pick(chance, &["ts", "a", "b", "zz"]).into()));
            }
        }
        "TimestampRouter" => {
            if !rarely(chance, 3) {
                keys.push(("timestamp.format", pattern(chance)));
            }
            if rarely(chance, 2) {
                let formats = ["${topic}-${timestamp}", "${timestamp}", "x-${topic}-${topic}", "fixed"];
                keys.push(("topic.format", pick(chance, &formats).into()));
            }
        }
        "ValueToKey" => keys.push(("fields", names(chance))),
        "HasHeaderKey" => keys.push(("name", pick(chance, &["a", "h", "H", ""]).into())),
        "TopicNameMatches" => keys
            .push(("pattern", pick(chance, &["t", "orders-.*", "(?i)T.*", "*", ".*\\.orders", ""]).into())),
        _ => {}
    }
    if matches!(
        class,
        "Cast"
            | "ExtractField"
            | "HeaderFrom"
            | "InsertField"
            | "MaskField"
            | "ReplaceField"
            | "SetSchemaMetadata"
            | "TimestampConverter"
            | "ValueToKey"
    ) {
        replace_null(chance, &mut keys);
    }
    keys
}
