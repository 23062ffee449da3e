//! Masks, hashes and truncation of columns, and source types shown in schema parameters.

use lavka_api::data::{Blob, SchemaBuilder, Str, Value};
use lavka_api::{Error, Result};

use super::PatternList;
use super::hash::{Algorithm, HashForm};
use crate::config::invalid;
use crate::model::TableId;
use crate::types::{ColumnType, Precision};

/// The rules of `column.truncate.to.N.chars`, `column.mask.with.N.chars`, `column.propagate.source.type`,
/// `datatype.propagate.source.type`, `column.mask.hash.ALGORITHM.with.salt.SALT` and `column.mask.hash.v2.…`, in this order.
/// Of several that match a column the first counts.
#[derive(Clone, Debug, Default)]
pub struct ColumnMappers {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    patterns: PatternList,
    /// Whether the patterns are for `schema.table.typename` instead of `schema.table.column`.
    by_type: bool,
    mapper: ColumnMapper,
}

/// What one rule does.
#[derive(Clone)]
pub(crate) enum ColumnMapper {
    /// Cuts texts and bytes.
    Truncate(usize),
    /// Replaces texts by so many asterisks.
    Mask(usize),
    /// Replaces texts by a hash.
    Hash { algorithm: Algorithm, salt: Str, form: HashForm },
    /// Shows the column's type in the schema's parameters.
    Propagate,
}

impl std::fmt::Debug for ColumnMapper {
    /// Without the salt.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncate(length) => write!(f, "Truncate({length})"),
            Self::Mask(length) => write!(f, "Mask({length})"),
            Self::Hash { algorithm, .. } => write!(f, "Hash({algorithm:?})"),
            Self::Propagate => f.write_str("Propagate"),
        }
    }
}

/// What a value of a column goes through.
#[derive(Clone, Debug)]
pub(crate) enum TextMapper {
    Truncate(usize),
    Mask(Str),
    /// Cut to the column's length, if it has one.
    Hash {
        mapper: ColumnMapper,
        length: usize,
    },
}

impl ColumnMappers {
    /// Reads the rules out of a configuration's entries; keys that are no rules are passed over.
    ///
    /// # Errors
    /// Where a list has an entry that is no regular expression, a length is no number, or a hash algorithm is unknown.
    pub fn from_config<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut rules: Vec<(u8, Rule)> = Vec::new();
        for (key, list) in entries {
            let at = |error: Error| Error::config(invalid(key, error.message().unwrap_or_default()));
            let Some((order, by_type, mapper)) = mapper_of(key).map_err(at)? else { continue };
            let patterns = PatternList::parse(list).map_err(at)?;
            rules.push((order, Rule { patterns, by_type, mapper }));
        }
        rules.sort_by_key(|(order, _)| *order);
        Ok(Self { rules: rules.into_iter().map(|(_, rule)| rule).collect() })
    }

    /// The rule for a column.
    pub(crate) fn of(&self, table: &TableId, column: &str, type_name: &str) -> Option<&ColumnMapper> {
        if self.rules.is_empty() {
            return None;
        }
        let (by_name, by_type) = (format!("{table}.{column}"), format!("{table}.{type_name}"));
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.patterns.matches(if rule.by_type { &by_type } else { &by_name }))?;
        Some(&rule.mapper)
    }
}

/// The place in the order, whether it goes by types, and the mapper that a key stands for.
fn mapper_of(key: &str) -> Result<Option<(u8, bool, ColumnMapper)>> {
    // Java's numbers end there too.
    let length = |digits: &str| {
        let number = digits.parse::<i32>().ok().and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| Error::config(format!("The name of the key {key} has no valid length")))
    };
    if let Some(digits) = key.strip_prefix("column.truncate.to.").and_then(|rest| rest.strip_suffix(".chars"))
    {
        return Ok(Some((0, false, ColumnMapper::Truncate(length(digits)?))));
    }
    if let Some(digits) = key.strip_prefix("column.mask.with.").and_then(|rest| rest.strip_suffix(".chars")) {
        return Ok(Some((1, false, ColumnMapper::Mask(length(digits)?))));
    }
    match key {
        "column.propagate.source.type" => return Ok(Some((2, false, ColumnMapper::Propagate))),
        "datatype.propagate.source.type" => return Ok(Some((3, true, ColumnMapper::Propagate))),
        _ => {}
    }
    let Some(rest) = key.strip_prefix("column.mask.hash.") else { return Ok(None) };
    let (form, rest) = match rest.strip_prefix("v2.") {
        Some(rest) => (HashForm::Text, rest),
        None => (HashForm::Serialised, rest),
    };
    let Some((algorithm, salt)) = rest.split_once(".with.salt.").filter(|(_, salt)| !salt.is_empty()) else {
        return Ok(None);
    };
    let algorithm = Algorithm::parse(algorithm).ok_or_else(|| {
        Error::config(format!(
            "The hash algorithm {algorithm} of column.mask.hash.{algorithm}.with.salt.… is not known: use one of {}",
            Algorithm::NAMES.join(", ")
        ))
    })?;
    let order = if form == HashForm::Serialised { 4 } else { 5 };
    Ok(Some((order, false, ColumnMapper::Hash { algorithm, salt: salt.into(), form })))
}

/// What of a column a mapper shows in parameters.
pub(crate) struct SourceColumn<'a> {
    pub(crate) name: &'a str,
    pub(crate) type_name: &'a str,
    pub(crate) comment: Option<&'a str>,
    pub(crate) precision: Precision,
}

impl ColumnMapper {
    /// Adds what the rule says of itself to a field's schema.
    pub(crate) fn describe(&self, schema: SchemaBuilder, column: &SourceColumn<'_>) -> SchemaBuilder {
        match self {
            Self::Truncate(length) if longer(column.precision, *length) => {
                schema.parameter("truncateLength", length.to_string())
            }
            Self::Truncate(_) => schema,
            Self::Mask(_) | Self::Hash { .. } => schema.parameter("masked", "true"),
            Self::Propagate => {
                let schema = schema
                    .parameter("__debezium.source.column.type", column.type_name.to_uppercase())
                    .parameter("__debezium.source.column.length", column.precision.length.to_string())
                    .parameter("__debezium.source.column.scale", column.precision.scale.to_string());
                let schema = match column.comment.filter(|comment| !comment.is_empty()) {
                    Some(comment) => schema.parameter("__debezium.source.column.comment", comment),
                    None => schema,
                };
                schema.parameter("__debezium.source.column.name", column.name)
            }
        }
    }

    /// What it does to the values of a column of type `ty` and of this length; `None` where it leaves them.
    pub(crate) fn values(&self, ty: &ColumnType, precision: Precision) -> Option<TextMapper> {
        match self {
            Self::Truncate(length) => longer(precision, *length).then_some(TextMapper::Truncate(*length)),
            Self::Mask(length) => ty.is_character.then(|| TextMapper::Mask("*".repeat(*length).into())),
            Self::Hash { .. } => ty.is_character.then(|| TextMapper::Hash {
                mapper: self.clone(),
                length: usize::try_from(precision.length).unwrap_or(usize::MAX),
            }),
            Self::Propagate => None,
        }
    }
}

/// Whether a column may hold more than `length`.
fn longer(precision: Precision, length: usize) -> bool {
    usize::try_from(precision.length).map_or(true, |limit| limit > length)
}

impl TextMapper {
    /// What becomes of a value.
    pub(crate) fn apply(&self, value: Value) -> Value {
        match (self, value) {
            (Self::Truncate(length), Value::String(text)) => Value::String(truncated(text, *length)),
            (Self::Truncate(length), Value::Bytes(bytes)) => match bytes.get(..*length) {
                Some(start) if start.len() < bytes.len() => Value::Bytes(Blob::from(start)),
                _ => Value::Bytes(bytes),
            },
            // Null too: it would tell that there is nothing.
            (Self::Mask(mask), _) => Value::String(mask.clone()),
            (
                Self::Hash { mapper: ColumnMapper::Hash { algorithm, salt, form }, length },
                Value::String(text),
            ) => {
                let hash = Str::from(algorithm.hex(salt.as_bytes(), &text, *form));
                Value::String(if *length > 0 { truncated(hash, *length) } else { hash })
            }
            (_, value) => value,
        }
    }
}

/// The first `length` UTF-16 units, which is what Java counts; half a pair is left out.
fn truncated(text: Str, length: usize) -> Str {
    if text.len() <= length {
        return text;
    }
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > length {
            return Str::from(text.get(..at).unwrap_or_default());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_counts() {
        let mappers = ColumnMappers::from_config([
            ("column.mask.hash.SHA-256.with.salt.Pepper", "u.weird.hashed"),
            ("column.mask.with.5.chars", r"u\.weird\.(secret|hashed)"),
            ("datatype.propagate.source.type", r".*\.numeric"),
            ("table.include.list", "u.weird"),
        ])
        .unwrap();
        let table = TableId::new("u", "weird");
        assert!(matches!(mappers.of(&table, "hashed", "text"), Some(ColumnMapper::Mask(5))));
        assert!(matches!(mappers.of(&table, "n", "numeric"), Some(ColumnMapper::Propagate)));
        assert!(mappers.of(&table, "other", "text").is_none());
    }

    #[test]
    fn unknown_algorithms_and_lengths_are_refused() {
        let of =
            |key: &str| ColumnMappers::from_config([(key, "a")]).unwrap_err().message().unwrap().to_owned();
        assert!(of("column.mask.hash.MD2.with.salt.s").contains("The hash algorithm MD2"));
        for length in ["x", "-1", "18446744073709551615"] {
            let key = format!("column.mask.with.{length}.chars");
            assert!(of(&key).contains(&key));
        }
    }

    #[test]
    fn salts_are_not_shown() {
        let mappers = ColumnMappers::from_config([("column.mask.hash.MD5.with.salt.Pepper", "a")]).unwrap();
        assert!(!format!("{mappers:?}").contains("Pepper"));
    }

    #[test]
    fn truncation_counts_utf16_units() {
        for (text, length, cut) in
            [("abcdefgh", 4, "abcd"), ("ab", 4, "ab"), ("a😀b", 2, "a"), ("éé", 1, "é"), ("é", 1, "é")]
        {
            assert_eq!(truncated(text.into(), length), cut);
        }
        let bytes = TextMapper::Truncate(1).apply(Value::Bytes(Blob::from(b"abc")));
        assert_eq!(bytes, Value::Bytes(Blob::from(b"a")));
    }
}
