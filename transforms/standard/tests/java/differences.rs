//! Where ours are different on purpose.
//!
//! - A null struct that has a default stands for the default. Java's classes cannot put such a default into the copy:
//!   its schema is not equal to the field's, for it lacks the default. So only Flatten, which does not use it, is given
//!   structs with defaults inside others.
//! - A pattern that `TimestampRouter` cannot format with is refused with the configuration, not by the first record.
//! - Of two old names with one new name `ReplaceField` reads the one that the struct has; Java takes the one that comes
//!   later in the order of a hash, and fails where that is the other one.
//! - Of several fields of a map that cannot be cast or masked Java reports the first in the order of a hash, ours the
//!   first in the configuration; and of several faults of a struct `ReplaceField` reports first what is wrong with every
//!   such struct, and then with this one.
//! - Week years of many millions overflow Java's calendar at another step than ours, and those that begin before Christ
//!   lose their era in it.
//! - A date has 32 bits of days here, as it has in a message; Java's objects hold more until they are written.
//! - `SimpleDateFormat` goes on in a zone that a text named, for the next records too; ours stays with UTC.
//! - Regular expressions that this build has no support for are refused by name: counts above 10,000, grapheme clusters.
//! - In a look-behind anything may be repeated; Java refuses what has no limit that is obvious to it, which goes by how it
//!   happens to compile it: `(?<=ba+c)` is fine and `(?<=a+)` is not.
//! - A group in a possessive repetition is empty where the attempt that it matched in has failed; Java keeps what it had.
//! - `\b` goes by the characters of `\w`, as in Java 19 and later; Java 17 has more letters there.
//! - Debezium: texts of refused configurations are ours. A placement that there is none of is refused with the
//!   configuration, an empty name of a column means none, and where the column that the topic is made of is null, the
//!   error says so instead of being a null pointer. Schemas are named after the topic of their record; Debezium names them
//!   after the first topic that such a schema came with. A payload of JSON that has no one schema stays as it was;
//!   Debezium loses its schema, or fails. A key that is no struct, and
//!   a value that is null, have no fields to drop. Fields of objects in one array that differ come in the order in which
//!   they are met; Debezium's in that of a hash.
//! - Names of zones whose offset from Greenwich changed since 1970 (MSK) are not read.

use serde_json::Value as Json;

use crate::Case;

/// Three million years in milliseconds.
const FAR_OFF: u64 = 100_000_000_000_000_000;

/// The second year of our era in epoch milliseconds.
const YEAR_2: i64 = -62_104_000_000_000;

/// Why a case may differ; `None` where it may not.
pub(crate) fn explain(case: &Case, ours: &Json, theirs: &Json) -> Option<&'static str> {
    if case.class.starts_with("io.debezium.") {
        return debezium(case, ours, theirs);
    }
    if let Some(reason) = regex(case, ours, theirs) {
        return Some(reason);
    }
    let reorders = ["Cast$", "MaskField$", "ReplaceField$"].iter().any(|name| case.class.contains(name));
    if reorders && classes_of_errors(ours) == classes_of_errors(theirs) {
        return Some("another of several faults");
    }

    if case.class.ends_with("TimestampRouter") && ours.get("refused").is_some() {
        return Some("refused with the configuration");
    }
    let instant = |side: &Json| side["results"][0]["value"]["value"][1].as_i64();
    let instants = [instant(ours), instant(theirs)];
    if case.class.contains("TimestampConverter") {
        if instants.iter().flatten().any(|ms| ms.unsigned_abs() > FAR_OFF) || has_far_off_date(theirs) {
            return Some("a year of many millions");
        }
        let weeks = case.keys.iter().any(|(key, text)| *key == "format" && text.contains('Y'));
        if weeks && instants.iter().flatten().any(|ms| *ms < YEAR_2) {
            return Some("a week year that begins before Christ");
        }
    }
    let renames = case.keys.iter().find(|(key, _)| *key == "renames").map(|(_, text)| text.as_str());
    let mut targets: Vec<&str> =
        renames.unwrap_or_default().split(',').filter_map(|item| item.split(':').nth(1)).collect();
    let count = targets.len();
    targets.sort_unstable();
    targets.dedup();
    (targets.len() < count).then_some("two old names for one new one")
}

fn debezium(case: &Case, ours: &Json, theirs: &Json) -> Option<&'static str> {
    let key = |wanted: &str| case.keys.iter().find(|(key, _)| *key == wanted).map(|(_, text)| text.as_str());
    let refused = |side: &Json| side.get("refused").is_some();
    if refused(ours) {
        let nowhere = key("table.fields.additional.placement").is_some_and(|text| text.contains("nowhere"));
        return (refused(theirs) || nowhere).then_some("refused with the configuration");
    }
    let (ours, theirs) = (ours["results"].as_array()?, theirs["results"].as_array()?);
    let mut reason = None;
    for (ours, theirs) in ours.iter().zip(theirs).filter(|(ours, theirs)| ours != theirs) {
        let message = |side: &Json| side["message"].as_str().unwrap_or_default().to_owned();
        let (our_text, their_text) = (message(ours), message(theirs));
        let same_error = ours["error"] == theirs["error"]
            && (our_text == their_text
                || theirs["error"].as_str().is_some_and(|name| name.starts_with("java.")));
        reason = Some(if same_error && ours.get("error").is_some() {
            "words of Java's runtime"
        } else if ours.get("error").is_some() && ours["error"] == theirs["error"] {
            "another of several faults"
        } else if our_text.contains(" is null, and no topic can be made of it") {
            "no topic"
        } else if key("table.field.event.key") == Some("") && their_text == " is not a valid field name" {
            "no column"
        } else if key("drop.fields.header.name") == Some("dropped") && theirs.get("error").is_some() {
            "no fields"
        } else if without_names(ours) == without_names(theirs) {
            "names of schemas"
        } else if key("table.expand.json.payload") == Some("true") && is_array_payload(ours, theirs) {
            "arrays of JSON"
        } else {
            return None;
        });
    }
    reason
}

/// A result without the names of its schemas.
fn without_names(side: &Json) -> Json {
    match side {
        Json::Object(members) => members
            .iter()
            .filter(|(name, _)| *name != "name")
            .map(|(name, value)| (name.clone(), without_names(value)))
            .collect(),
        Json::Array(items) => items.iter().map(without_names).collect(),
        other => other.clone(),
    }
}

/// Whether Debezium lost the schema of a payload that is, or has in it, an array, or failed over it.
fn is_array_payload(ours: &Json, theirs: &Json) -> bool {
    let (schema, value) = (&theirs["value"]["schema"], &theirs["value"]["value"]);
    let still_text = schema["type"] == "ARRAY" && value[0] == "s";
    let lost = (schema.is_null() && !value.is_null()) || still_text;
    let failed = theirs["error"] == "java.lang.NullPointerException"
        || theirs["message"].as_str().is_some_and(|text| text.starts_with("Invalid Java object for schema"));
    ours.get("topic").is_some() && (lost || failed)
}

/// Why a regular expression may be read or may match differently.
fn regex(case: &Case, ours: &Json, theirs: &Json) -> Option<&'static str> {
    let text = case.keys.iter().find(|(key, _)| matches!(*key, "regex" | "pattern")).map(|(_, text)| text)?;
    let says = |side: &Json, words: &str| side["message"].as_str().is_some_and(|text| text.contains(words));
    if says(ours, " not supported near index ") {
        return Some("not supported");
    }
    if says(theirs, "Look-behind group does not have an obvious maximum length") && text.contains("(?<") {
        return Some("a look-behind without a limit that is obvious to Java");
    }
    let matched = ours.get("results").is_some() && theirs.get("results").is_some();
    if matched && (text.contains("\\b") || text.contains("\\B")) {
        return Some("what a word is");
    }
    let possessive = [")?+", ")*+", ")++", "}+"].iter().any(|quantifier| text.contains(quantifier));
    (matched && possessive).then_some("what a group had in an attempt that failed")
}

/// Results with the classes of errors alone.
fn classes_of_errors(side: &Json) -> Option<Vec<Json>> {
    let without_message = |one: &Json| {
        let mut one = one.clone();
        one.as_object_mut()?.remove("message");
        Some(one)
    };
    side["results"].as_array()?.iter().map(without_message).collect()
}

fn has_far_off_date(side: &Json) -> bool {
    match side {
        Json::Array(items) => match items.as_slice() {
            [tag, ms] if tag == "d" => ms.as_i64().is_some_and(|ms| ms.unsigned_abs() > FAR_OFF),
            items => items.iter().any(has_far_off_date),
        },
        Json::Object(members) => members.values().any(has_far_off_date),
        _ => false,
    }
}
