//! Cases for date patterns: instants to write, and texts to read that mostly are such dates.

use lavka_api::config::Config;
use lavka_api::data::{Datum, Value};
use lavka_api::plugin::{Catalogue, Factory};
use lavka_testkit::Chance;

use crate::Case;
use crate::configs::pattern;
use crate::data::{instant, pick, rarely};
use crate::wire::new_record;

/// Zones in place of the one that was written.
const ZONES: &[&str] = &[
    "EST",
    "cest",
    "GMT",
    "GMT-3:30",
    "GMT+11:00",
    "+0200",
    "-1",
    "PST8",
    "Coordinated Universal Time",
    "IST",
];

/// Characters to put into a text.
const STRAY: &[&str] = &[" ", "-", "9", "0", "x", ":", "E2", "\u{666}", "+", "T"];

pub(crate) fn case(chance: &mut Chance, class: String) -> Case {
    let format = pattern(chance);
    let ms = instant(chance);
    let written = rarely(chance, 2);
    let text = write(&class, &format, ms);
    let (target, value) = match text {
        // One record to a case, for Java goes on in a zone that it read.
        Some(text) if !written => ("unix", Value::from(damaged(chance, text))),
        _ => ("string", Value::Int64(ms)),
    };
    let value = Datum::schemaless(value);
    Case {
        class,
        keys: vec![("target.type", target.into()), ("format", format)],
        records: vec![new_record(false, Datum::NULL, value, Vec::new())],
    }
}

/// `ms` in a pattern, as ours write it; `None` where that is none.
fn write(class: &str, format: &str, ms: i64) -> Option<String> {
    let catalogue = Catalogue::new(lavka_transforms::plugins());
    let Factory::Transform(make) = catalogue.find(class, |_| true).ok()?.factory else { return None };
    let mut transform = make(&Config::from([("target.type", "string"), ("format", format)])).ok()?;
    let mut record = new_record(true, Datum::NULL, Datum::schemaless(Value::Int64(ms)), Vec::new());
    transform.apply(&mut record).ok()?;
    record.value.value.as_str().map(str::to_owned)
}

/// The text as it is, or with something wrong in it.
fn damaged(chance: &mut Chance, text: String) -> String {
    if rarely(chance, 3) && text.contains("UTC") {
        return text.replace("UTC", pick(chance, ZONES));
    }
    let mut characters: Vec<String> = text.chars().map(String::from).collect();
    let damages = if rarely(chance, 2) { chance.below(3) } else { 0 };
    for _ in 0..damages {
        let at = usize::try_from(chance.below(characters.len() as u64 + 1)).unwrap();
        match chance.below(4) {
            0 if at < characters.len() => drop(characters.remove(at)),
            1 if at < characters.len() => characters[at] = characters[at].to_lowercase(),
            2 if at < characters.len() => characters[at] = pick(chance, STRAY).to_owned(),
            _ => characters.insert(at, pick(chance, STRAY).to_owned()),
        }
    }
    characters.concat()
}
