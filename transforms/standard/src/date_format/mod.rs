//! Java's `SimpleDateFormat`: dates as text and back, by the pattern letters that users know from it.
//!
//! Names are English, weeks begin on Sunday and the first of a year is the one with 1 January in it, and what carries
//! no zone is UTC: what a worker in a container does, whose locale says nothing else. Days before 15 October 1582 are of
//! the Julian calendar, as in Java.
//!
//! - `pattern` compiles a pattern and formats;
//! - `parse` reads a text field by field, `number` and `zone` what it meets there;
//! - `fields` turns the fields that were read into an instant, lenient as Java's calendar is;
//! - `calendar` knows days, years and weeks.

mod calendar;
mod fields;
mod number;
mod parse;
mod pattern;
mod zone;

use lavka_api::config::Check;

use pattern::Part;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct DateFormat {
    pattern: String,
    parts: Vec<Part>,
}

impl DateFormat {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// The message of Java's `IllegalArgumentException`.
    pub(crate) fn compile(pattern: &str) -> Result<Self, String> {
        Ok(Self { pattern: pattern.to_owned(), parts: pattern::compile(pattern)? })
    }

    /// The pattern as written.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Appends the instant `ms` (epoch milliseconds) in this pattern.
    pub(crate) fn format(&self, ms: i64, out: &mut String) {
        pattern::format(&self.parts, ms, out);
    }

    /// The instant in epoch milliseconds that `text` begins with; what follows it is not looked at. Two digits of a year
    /// stand for the year from `century_start` (epoch milliseconds) on that ends in them. `None` where the text is no
    /// such date.
    pub(crate) fn parse(&self, text: &str, century_start: i64) -> Option<i64> {
        parse::parse(&self.parts, text, century_start)
    }
}

/// Where Java begins the hundred years that two digits of a year are taken from: eighty years before `now_ms`.
pub(crate) fn century_start(now_ms: i64) -> i64 {
    calendar::minus_years(now_ms, 80)
}

/// A key's value that must be a pattern.
pub(crate) fn valid_date_format() -> Check {
    Check::new("pattern of SimpleDateFormat", |text| pattern::compile(text.trim()).map(drop))
}

#[cfg(test)]
mod tests;
