//! The converter with a real registry, and with the serializers that others wrote for Python.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod header;
mod python;
mod session;

use lavka_testkit::DrivenConverter;

/// The converter as a worker makes it.
pub(crate) fn converter(url: &str, keys: &[(&str, &str)]) -> DrivenConverter {
    let plugin = lavka_json_schema::plugins().remove(0);
    DrivenConverter::new(&plugin, &[&[("schema.registry.url", url)], keys].concat())
}
