//! What the mapping calls things: properties, parameters, special names, and the scrubbing of names.

use std::borrow::Cow;

/// Names of properties of Avro types.
pub(crate) mod prop {
    pub(crate) const NAME: &str = "connect.name";
    pub(crate) const DOC: &str = "connect.doc";
    pub(crate) const VERSION: &str = "connect.version";
    pub(crate) const DEFAULT: &str = "connect.default";
    pub(crate) const PARAMETERS: &str = "connect.parameters";
    pub(crate) const TYPE: &str = "connect.type";
    pub(crate) const INTERNAL_TYPE: &str = "connect.internal.type";
    pub(crate) const LOGICAL_TYPE: &str = "logicalType";
    pub(crate) const SCALE: &str = "scale";
    pub(crate) const PRECISION: &str = "precision";
    /// Parameters that begin so are properties of the same name as well.
    pub(crate) const AVRO_PREFIX: &str = "avro";
}

/// Names of parameters of Connect schemas.
pub mod parameter {
    pub(crate) const SCALE: &str = "scale";
    /// How many digits a decimal has; Connect's own have no limit.
    pub const PRECISION: &str = "connect.decimal.precision";
    pub(crate) const FIXED_SIZE: &str = "connect.fixed.size";
    /// The name of an enum; this, a dot and a symbol is the parameter of each of its symbols.
    pub const ENUM: &str = "io.confluent.connect.avro.Enum";
    /// The same where `generalized.sum.type.support` is on.
    pub const GENERAL_ENUM: &str = "org.apache.kafka.connect.data.Enum";
    pub(crate) const GENERAL_UNION: &str = "org.apache.kafka.connect.data.Union";
    /// The documentation of a record.
    pub const RECORD_DOC: &str = "io.confluent.connect.avro.record.doc";
    /// With the name of a field behind it, that field's documentation.
    pub const FIELD_DOC: &str = "io.confluent.connect.avro.field.doc.";
    /// With the name of an enum behind it, its documentation.
    pub const ENUM_DOC: &str = "io.confluent.connect.avro.enum.doc.";
    /// With the name of an enum behind it, the symbol that stands for unknown ones.
    pub const ENUM_DEFAULT: &str = "io.confluent.connect.avro.enum.default.";
    /// Says that a default came from an Avro field, not from `connect.default`.
    pub const FIELD_DEFAULT: &str = "io.confluent.connect.avro.field.default";
    /// The two of `discard.type.doc.default`.
    pub(crate) const OLD_RECORD_DOC: &str = "connect.record.doc";
    pub(crate) const OLD_ENUM_DOC: &str = "connect.enum.doc";
}

pub(crate) const DEFAULT_NAME: &str = "io.confluent.connect.avro.ConnectDefault";
pub(crate) const UNION_NAME: &str = "io.confluent.connect.avro.Union";
pub(crate) const MAP_ENTRY: &str = "MapEntry";
pub(crate) const MAP_ENTRY_NAME: &str = "io.confluent.connect.avro.MapEntry";
pub(crate) const VARIANT_NAME: &str = "org.apache.kafka.connect.data.Variant";
pub(crate) const VARIANT_RECORD: &str = "confluent.type.Variant";
pub(crate) const VARIANT_LOGICAL: &str = "variant";
pub(crate) const GENERAL_UNION_PREFIX: &str = "connect_union_";
pub(crate) const GENERAL_UNION_FIELD: &str = "connect_union_field_";

/// A full name as namespace and simple name, each part scrubbed where `scrub` asks for it. Dots at the end are dropped,
/// as Java's `split` does.
pub(crate) fn split(full: &str, scrub: bool) -> (Option<String>, String) {
    let trimmed = full.trim_end_matches('.');
    let parts: Vec<Cow<'_, str>> = trimmed.split('.').map(|part| scrubbed(part, scrub)).collect();
    match parts.split_last() {
        Some((simple, [])) => (None, simple.to_string()),
        Some((simple, space)) => (Some(space.join(".")), simple.to_string()),
        None => (None, String::new()),
    }
}

/// A full name, scrubbed where `scrub` asks for it.
pub(crate) fn scrubbed_full(full: &str, scrub: bool) -> String {
    if !scrub {
        return full.to_owned();
    }
    match split(full, true) {
        (Some(space), simple) => format!("{space}.{simple}"),
        (None, simple) => simple,
    }
}

/// A simple name that Avro accepts, where `scrub` asks for one: what is not `[A-Za-z0-9_]` is URL-encoded first (as
/// `java.net.URLEncoder` does) and its `%` and what is left then become underscores; a digit in front gets an `x`.
pub(crate) fn scrubbed(name: &str, scrub: bool) -> Cow<'_, str> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let digit_first = name.bytes().next().is_some_and(|first| first.is_ascii_digit());
    if !scrub || (name.bytes().all(fine) && !digit_first) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 8);
    if digit_first {
        out.push('x');
    }
    for byte in name.bytes() {
        match byte {
            byte if fine(byte) => out.push(char::from(byte)),
            // The encoder leaves three as they are and makes a space a plus: all become underscores.
            b'.' | b'-' | b'*' | b' ' => out.push('_'),
            byte => out.push_str(&format!("_{byte:02X}")),
        }
    }
    Cow::Owned(out)
}
