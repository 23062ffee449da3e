//! Names of schemas as the formats of messages want them (`schema.name.adjustment.mode`).

/// How names are adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adjustment {
    None,
    /// Characters that Avro has no place for become `_`.
    Avro,
    /// They become their code, as in `_u002d`, and so does the underscore.
    AvroUnicode,
}

impl Adjustment {
    /// The values of the key.
    pub(super) const NAMES: &'static [&'static str] = &["none", "avro", "avro_unicode"];

    pub(super) fn by_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "avro" => Self::Avro,
            "avro_unicode" => Self::AvroUnicode,
            _ => Self::None,
        }
    }

    /// The name of a schema.
    pub(super) fn adjust(self, name: String) -> String {
        let fits_first = |c: char| c == '_' && self == Self::Avro || c.is_ascii_alphabetic();
        let fits = |c: char| fits_first(c) || c == '.' || c.is_ascii_digit();
        if self == Self::None {
            return name;
        }
        let mut adjusted = String::with_capacity(name.len());
        for (at, c) in name.char_indices() {
            match (if at == 0 { fits_first(c) } else { fits(c) }, self) {
                (true, _) => adjusted.push(c),
                (false, Self::AvroUnicode) => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        adjusted.push_str(&format!("_u{unit:04x}"));
                    }
                }
                (false, _) => {
                    adjusted.push('_');
                    if fits(c) {
                        adjusted.push(c);
                    }
                }
            }
        }
        adjusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (adjustment, name, adjusted) in [
            (Adjustment::None, "my-srv.t", "my-srv.t"),
            (Adjustment::Avro, "my-srv.t_1", "my_srv.t_1"),
            (Adjustment::Avro, "1num", "_1num"),
            (Adjustment::AvroUnicode, "a-b_c", "a_u002db_u005fc"),
        ] {
            assert_eq!(adjustment.adjust(name.into()), adjusted);
        }
    }
}
