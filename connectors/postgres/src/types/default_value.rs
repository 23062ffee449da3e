//! Defaults of columns as defaults of schemas.

use lavka_api::data::Value;

use super::ColumnType;
use super::codec::Kind;
use crate::model::{Column, TypeCatalog, TypeKind, oid};

/// The default of a column's field: what its default expression says where that is a literal, and a value of the same type
/// (0, `{}`, 1970-01-01) where a function makes it. `None` where there is no default, where the expression is anything else,
/// and for types whose defaults Debezium does not read (arrays, bytea, domains, types of extensions) or cannot show (numeric
/// without a scale).
#[must_use]
pub fn schema_default(column: &Column, types: &TypeCatalog, ty: &ColumnType) -> Option<Value> {
    let expression = column.default.as_deref()?;
    if column.generated {
        return None;
    }
    let declared = types.get(column.type_oid)?;
    let text = match &declared.kind {
        TypeKind::Enum { .. } => enum_label(expression, &declared.schema, &declared.name)?.to_owned(),
        TypeKind::Base => literal(expression, column.type_oid)?,
        _ => return None,
    };
    match ty.codec.0 {
        Kind::Boolean => Some(Value::Boolean(text.eq_ignore_ascii_case("true"))),
        // Connect cannot have a struct as a default (KAFKA-12694).
        Kind::VariableDecimal(_) => None,
        // What a function makes has no length.
        Kind::Interval(mode) if text == "epoch" => Some(super::interval::zero(mode)),
        _ => ty.codec.value(text.as_bytes()).ok(),
    }
}

/// What stands for a value that a function makes; `None` for types whose defaults are not read.
fn generated(type_oid: u32) -> Option<&'static str> {
    Some(match type_oid {
        oid::BIT => "00",
        oid::VARBIT | oid::INT2 | oid::INT4 | oid::INT8 => "0",
        oid::BOOL => "false",
        oid::BPCHAR | oid::VARCHAR | oid::TEXT | oid::XML => "",
        oid::NUMERIC | oid::FLOAT4 | oid::FLOAT8 => "0.0",
        oid::JSON | oid::JSONB => "{}",
        oid::UUID => "00000000-0000-0000-0000-000000000000",
        oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ => "1970-01-01",
        oid::TIME => "00:00",
        oid::INTERVAL => "epoch",
        _ => return None,
    })
}

/// The text of a default expression as `pg_get_expr` prints it: `1234`, `'abc'::text`, `nextval('s'::regclass)`.
fn literal(expression: &str, type_oid: u32) -> Option<String> {
    let placeholder = generated(type_oid)?;
    if is_function(expression) {
        return Some(placeholder.to_owned());
    }
    let Some(from) = expression.find('\'') else {
        return (!expression.starts_with("NULL::")).then(|| expression.trim().to_owned());
    };
    let inside = expression.get(from + 1..)?;
    let mut out = String::new();
    let mut chars = inside.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.peek() == Some(&'\'') => {
                chars.next();
                out.push('\'');
            }
            '\'' => return Some(out),
            c => out.push(c),
        }
    }
    None
}

/// A call (`now()`, `(now)(…)`) or one of SQL's functions without parentheses.
fn is_function(expression: &str) -> bool {
    const WITHOUT_PARENTHESES: [&str; 5] =
        ["current_timestamp", "current_time", "current_date", "localtime", "localtimestamp"];
    if WITHOUT_PARENTHESES.iter().any(|name| expression.eq_ignore_ascii_case(name)) {
        return true;
    }
    let unparenthesised = expression.strip_prefix('(').unwrap_or(expression);
    let name = unparenthesised
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')))
        .unwrap_or(unparenthesised.len());
    let arguments = unparenthesised.get(name..).and_then(|rest| rest.strip_prefix('('));
    name > 0 && arguments.is_some_and(|rest| rest.lines().next().is_some_and(|line| line.contains(')')))
}

/// The label in `'ok'::s1.mood`, where the cast is to the column's type.
fn enum_label<'a>(expression: &'a str, schema: &str, name: &str) -> Option<&'a str> {
    let (value, cast) = expression.rsplit_once("::")?;
    let cast: Vec<&str> = cast.split('.').map(|part| part.trim_matches('"')).collect();
    let fits = match cast.as_slice() {
        [ty] => *ty == name,
        [namespace, ty] => *namespace == schema && *ty == name,
        _ => false,
    };
    if fits { value.strip_prefix('\'')?.strip_suffix('\'') } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_functions() {
        for (expression, type_oid, text) in [
            ("1", oid::INT4, Some("1")),
            ("'it''s'::character varying", oid::VARCHAR, Some("it's")),
            ("nextval('inv.customers_id_seq'::regclass)", oid::INT4, Some("0")),
            ("now()", oid::TIMESTAMPTZ, Some("1970-01-01")),
            ("CURRENT_TIMESTAMP", oid::TIMESTAMPTZ, Some("1970-01-01")),
            ("(now() AT TIME ZONE 'utc'::text)", oid::TIMESTAMP, Some("1970-01-01")),
            ("B'1010'::\"bit\"", oid::BIT, Some("1010")),
            ("NULL::character varying", oid::VARCHAR, None),
            ("'{1,2}'::integer[]", 1007, None),
            ("'\\x01'::bytea", oid::BYTEA, None),
            ("'unterminated", oid::TEXT, None),
        ] {
            assert_eq!(literal(expression, type_oid).as_deref(), text, "{expression}");
        }
    }

    #[test]
    fn enums_want_a_cast_to_their_type() {
        assert_eq!(enum_label("'ok'::s1.mood", "s1", "mood"), Some("ok"));
        assert_eq!(enum_label("'ok'::mood", "s1", "mood"), Some("ok"));
        assert_eq!(enum_label("'ok'::\"s1\".\"mood\"", "s1", "mood"), Some("ok"));
        assert_eq!(enum_label("'ok'::s2.mood", "s1", "mood"), None);
        assert_eq!(enum_label("first_mood()", "s1", "mood"), None);
    }
}
