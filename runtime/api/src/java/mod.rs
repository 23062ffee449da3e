//! Java's rules for turning values into text.
//!
//! Users see these texts in keys, headers, topics and files, so they are part of compatibility: `1.0E10` and not
//! `1e10`, `2023-11-14T22:13:20.123Z`, `{"a":1}` for header maps and `{a=1}` for plain ones.

mod instant;
mod number;
mod text;

pub use instant::{write_date, write_instant, write_time, write_timestamp};
pub use number::{write_f32, write_f64};
pub use text::{connect_text, plain_text};
