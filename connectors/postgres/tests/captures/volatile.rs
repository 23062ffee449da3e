//! What differs from run to run, and where records are meant to differ.

use serde_json::Value as Json;

/// Numbers that are another every time: times, LSNs, transaction ids.
const NUMBERS: &[&str] = &[
    "ts_ms",
    "ts_us",
    "ts_ns",
    "ts_usec",
    "lsn",
    "lsn_proc",
    "lsn_commit",
    "txId",
    "xmin",
    "__lsn",
    "__source_ts_ms",
];
/// Days on which something was recorded: values of columns that are filled by `now()` begin with them.
const RECORDED: &str = "2026-11-2";

/// Columns of `e.dflt` that the server fills with the time or with chance.
const GENERATED: &[&str] = &["d", "ti2", "ts", "u"];

/// Columns that are left out of the comparison: Debezium takes the scale -2 of a `numeric(3,-2)` for 2046.
const LEFT_OUT: &[&str] = &["npn"];

/// A JSON text with everything volatile replaced by its kind, so that it is still seen whether it is there.
pub(crate) fn steady(text: &str) -> Json {
    let mut json: Json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    walk(&mut json);
    let value = if json.get("payload").is_some() { &mut json["payload"] } else { &mut json };
    if value["source"]["table"] == "dflt" {
        for image in ["before", "after"] {
            for column in GENERATED {
                if let Some(value) = value[image].get_mut(*column).filter(|value| !value.is_null()) {
                    *value = "<generated>".into();
                }
            }
        }
    }
    json
}

fn walk(json: &mut Json) {
    match json {
        Json::Array(items) => {
            items.retain(|item| !item["field"].as_str().is_some_and(|field| LEFT_OUT.contains(&field)));
            items.iter_mut().for_each(walk);
        }
        Json::Object(fields) => {
            fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
            // In the order of a hash map, in which the Java object's name is somewhere else every time.
            if let Some(Json::Array(counts)) = fields.get_mut("data_collections") {
                counts.sort_by_cached_key(|count| steady_text("", &count["data_collection"].to_string()));
            }
            for (name, value) in fields {
                match value {
                    Json::Number(_) if NUMBERS.contains(&name.as_str()) => *value = "<number>".into(),
                    Json::String(text) => {
                        let new = steady_text(name, text);
                        *text = new;
                    }
                    other => walk(other),
                }
            }
        }
        _ => {}
    }
}

/// A text with its volatile part replaced.
pub(crate) fn steady_text(name: &str, text: &str) -> String {
    let digits_alone = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if name == "sequence" {
        return text
            .split('"')
            .map(|part| if digits_alone(part) { "<lsn>" } else { part })
            .collect::<Vec<_>>()
            .join("\"");
    }
    if name == "id" && text.split_once(':').is_some_and(|(xid, lsn)| digits_alone(xid) && digits_alone(lsn)) {
        return "<xid>:<lsn>".to_owned();
    }
    if text.starts_with(RECORDED) {
        return "<now>".to_owned();
    }
    // Debezium counts logical messages under the name of a Java object, with its address.
    match text.split_once("LogicalDecodingMessageId@") {
        Some((before, _)) => format!("{before}LogicalDecodingMessageId"),
        None => text.to_owned(),
    }
}

/// An entry of an offset likewise.
pub(crate) fn steady_offset((key, value): &(String, String)) -> (String, String) {
    let key = steady_text("", key);
    let volatile = NUMBERS.contains(&key.as_str()) || key == "transaction_id";
    let value = match value.rsplit_once(':') {
        Some((_, ty)) if volatile => format!("<number>:{ty}"),
        _ => value.clone(),
    };
    (key, value)
}

/// Where a column's value is meant to be another than Debezium's: the column, Debezium's value, ours.
///
/// Debezium's snapshot counts dates before Christ and infinity otherwise than its stream; here both are as in its stream.
/// It loses the fraction in arrays of `timetz`, and arrays of `numeric` with NaN; here both stay where the mode has room.
/// It does not mask `citext`, and has null for a `bytea` that was not sent where it is Base64: here one is masked, and the
/// other has the placeholder.
/// Its microseconds of a timestamp beyond 64 bits run over; here they are the largest number.
/// Its stream has null in columns of the type `name`, its snapshot has the value; here both have it.
const DEVIATIONS: &[(&str, &str, &str)] = &[
    ("c_date", "-622191234", "-2147472692"),
    ("c_date", "-703383", "-735160"),
    ("c_date", "\"+292278994-08-16Z\"", "\"-5877611-06-21Z\""),
    ("c_date", "\"0044-03-15Z\"", "\"-0043-03-15Z\""),
    ("c_name", "null", "\"nm\""),
    ("tza", "[\"04:32:03Z\"]", "[\"04:32:03.5Z\"]"),
    ("nums", "null", "[\"NaN\"]"),
    ("nums", "null", "[\"NAN\"]"),
    ("nps", "null", "[\"NaN\"]"),
    ("nps", "null", "[\"NAN\"]"),
    ("ts", "-9223372036853775810", "9223372036854775807"),
    ("ci", "\"Ci\"", "\"***\""),
    ("ci", "null", "\"***\""),
    ("b", "null", "\"\u{FFFD}\\u0000\""),
    ("na", "null", "\"nm\""),
];

/// Replaces what is meant to differ in Debezium's record by ours, where ours is what is meant.
pub(crate) fn deviate(theirs: &mut Json, ours: &Json) {
    match (theirs, ours) {
        (Json::Object(theirs), Json::Object(ours)) => {
            for (name, value) in theirs {
                let Some(our_value) = ours.get(name) else { continue };
                let (shown, our_shown) = (value.to_string(), our_value.to_string());
                let meant = DEVIATIONS.contains(&(name.as_str(), shown.as_str(), our_shown.as_str()));
                // Long texts are cut in the captures.
                let cut = match (&*value, our_value) {
                    (Json::String(theirs), Json::String(ours)) => {
                        theirs.strip_suffix('…').is_some_and(|start| ours.starts_with(start))
                    }
                    _ => false,
                };
                match meant || cut {
                    true => *value = our_value.clone(),
                    false => deviate(value, our_value),
                }
            }
        }
        (Json::Array(theirs), Json::Array(ours)) => {
            theirs.iter_mut().zip(ours).for_each(|(theirs, ours)| deviate(theirs, ours));
        }
        _ => {}
    }
}
