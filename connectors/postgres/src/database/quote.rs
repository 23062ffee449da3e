//! Names in statements.

use crate::model::TableId;

/// `name` as a quoted identifier.
pub(crate) fn identifier(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    out.push('"');
    for c in name.chars() {
        // A name cannot hold a NUL; one that came from a configuration is dropped with it.
        if c == '"' {
            out.push('"');
        }
        if c != '\0' {
            out.push(c);
        }
    }
    out.push('"');
    out
}

/// Schema and table, both quoted.
pub(crate) fn qualified(table: &TableId) -> String {
    format!("{}.{}", identifier(&table.schema), identifier(&table.table))
}

/// `text` as a literal, whatever `standard_conforming_strings` is.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 3);
    // Outside of E'' a backslash may stand for itself or not.
    out.push_str(if text.contains('\\') { " E'" } else { "'" });
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            out.push(c);
        }
        // The server's texts hold no NUL.
        if c != '\0' {
            out.push(c);
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_within_names_are_doubled() {
        assert_eq!(identifier(r#"a"; drop table x; --"#), r#""a""; drop table x; --""#);
        assert_eq!(qualified(&TableId::new("S", "t t")), r#""S"."t t""#);
        assert_eq!(identifier("a\0b"), r#""ab""#);
    }

    #[test]
    fn literals_end_where_they_should() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'; drop table x; --"), r" E'a\\''; drop table x; --'");
    }
}
