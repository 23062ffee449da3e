//! Java's rules for turning values into text.
//!
//! Users see these texts in keys, headers, topics and files, so they are part of compatibility: `1.0E10` and not
//! `1e10`, `2023-11-14T22:13:20.123Z`, `{"a":1}` for header maps and `{a=1}` for plain ones.
//!
//! ```
//! use lavka_api::data::{Object, Value};
//! use lavka_api::java::{connect_text, plain_text};
//!
//! let map = Value::from(Object::from_entries([("a", Value::Float64(1e10)), ("b", "x".into())]));
//! assert_eq!(plain_text(&map), "{a=1.0E10, b=x}");
//! assert_eq!(connect_text(&map), r#"{"a":1.0E10,"b":"x"}"#);
//! ```

mod instant;
mod number;
mod text;

pub use instant::{civil_from_days, days_from_civil, write_date, write_instant, write_time, write_timestamp};
pub use number::{write_f32, write_f64};
pub use text::{connect_text, plain_text};
