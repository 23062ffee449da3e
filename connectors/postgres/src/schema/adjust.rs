//! Names that Avro takes: `schema.name.adjustment.mode` and `field.name.adjustment.mode`.

use std::borrow::Cow;

use crate::types::modes;

modes! {
    /// What becomes of characters that Avro does not allow in names.
    NameAdjustment {
        /// They stay.
        #[default]
        None = "none",
        /// Each becomes `_`.
        Avro = "avro",
        /// Each, and the underscore too, becomes `_u` and its UTF-16 code in hexadecimal digits.
        AvroUnicode = "avro_unicode",
    }
}

impl NameAdjustment {
    /// A schema's name: dots stay.
    #[must_use]
    pub fn schema_name(self, name: &str) -> Cow<'_, str> {
        self.adjusted(name, true)
    }

    /// A field's name.
    #[must_use]
    pub fn field_name(self, name: &str) -> Cow<'_, str> {
        self.adjusted(name, false)
    }

    fn adjusted(self, name: &str, dots: bool) -> Cow<'_, str> {
        let first = |c: char| c.is_ascii_alphabetic() || (c == '_' && self == Self::Avro);
        let valid = |at: usize, c: char| first(c) || (at > 0 && (c.is_ascii_digit() || (dots && c == '.')));
        if self == Self::None || name.char_indices().all(|(at, c)| valid(at, c)) {
            return Cow::Borrowed(name);
        }
        let mut out = String::with_capacity(name.len() + 8);
        for (at, c) in name.char_indices() {
            if valid(at, c) {
                out.push(c);
                continue;
            }
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                match self {
                    Self::AvroUnicode => {
                        let hex = format!("{unit:x}");
                        out.push_str("_u");
                        if hex.len() <= 2 {
                            out.push_str("00");
                        }
                        out.push_str(&hex);
                    }
                    _ => out.push('_'),
                }
            }
            // Two names that differ by their first digit alone stay two.
            if at == 0 && c.is_ascii_digit() && self == Self::Avro {
                out.push(c);
            }
        }
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_adjusted_as_debezium_does() {
        for (mode, name, schema, field) in [
            (NameAdjustment::None, "my-srv.a", "my-srv.a", "my-srv.a"),
            (NameAdjustment::Avro, "my-srv.u.weird", "my_srv.u.weird", "my_srv_u_weird"),
            (NameAdjustment::Avro, "col-dash", "col_dash", "col_dash"),
            (NameAdjustment::Avro, "1num", "_1num", "_1num"),
            (NameAdjustment::Avro, "ž€", "__", "__"),
            (NameAdjustment::AvroUnicode, "a-b_c", "a_u002db_u005fc", "a_u002db_u005fc"),
            (NameAdjustment::AvroUnicode, "a.b", "a.b", "a_u002eb"),
            (NameAdjustment::AvroUnicode, "€", "_u20ac", "_u20ac"),
            (NameAdjustment::Avro, "", "", ""),
        ] {
            assert_eq!(mode.schema_name(name), schema, "{name}");
            assert_eq!(mode.field_name(name), field, "{name}");
        }
    }
}
