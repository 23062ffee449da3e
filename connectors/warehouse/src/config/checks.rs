//! Checks that several keys share.

use lavka_api::config::Check;

use crate::data::WallClock;
use crate::dialect::Dialect;

/// One of `allowed`, all in lower case or all in upper case, as the validators of Confluent's enums have it
/// (`Invalid enumerator`).
pub(crate) fn choice(allowed: &'static [&'static str]) -> Check {
    Check::new(format!("[{}]", allowed.join(", ")), move |text| {
        let text = text.trim();
        if allowed.iter().any(|one| one.to_lowercase() == text || one.to_uppercase() == text) {
            Ok(())
        } else {
            Err("Invalid enumerator".to_owned())
        }
    })
}

/// A time zone that `ZoneId.of` knows.
pub(crate) fn time_zone() -> Check {
    Check::new("Any valid JDK time zone", |text| match WallClock::parse(text, false) {
        Some(_) => Ok(()),
        None => Err("Invalid time zone identifier".to_owned()),
    })
}

/// Empty, or the name of a dialect of this build.
pub(crate) fn dialect_name() -> Check {
    let names: Vec<&str> = Dialect::NAMED.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    Check::new(format!("[{names}]"), move |text| {
        let text = text.trim();
        if text.is_empty() || Dialect::NAMED.iter().any(|(name, _)| *name == text) {
            Ok(())
        } else {
            Err(format!("there is no such dialect in this build; use one of {names}"))
        }
    })
}
