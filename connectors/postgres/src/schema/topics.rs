//! Names of topics, which also are the first part of schema names.

use fancy_regex::Regex;
use lavka_api::Result;

use super::pattern::{build, quotations_escaped};
use crate::model::TableId;

/// Kafka's limit.
const MAX_NAME: usize = 249;

/// How topics are named: `SchemaTopicNamingStrategy`, or one of the strategies that rewrite its names.
#[derive(Clone, Debug)]
pub struct TopicNaming {
    /// `topic.prefix`.
    pub prefix: String,
    /// `topic.delimiter`.
    pub delimiter: String,
    /// `topic.heartbeat.prefix`.
    pub heartbeat_prefix: String,
    /// `topic.heartbeat.name`: the whole name, if it is set.
    pub heartbeat_name: Option<String>,
    /// `topic.transaction`.
    pub transaction: String,
    /// The rewriting of names, for `SchemaRegexTopicNamingStrategy` and `DefaultRegexTopicNamingStrategy`.
    pub regex: Option<TopicRegex>,
}

impl TopicNaming {
    /// Debezium's defaults for a prefix.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            delimiter: ".".to_owned(),
            heartbeat_prefix: "__debezium-heartbeat".to_owned(),
            heartbeat_name: None,
            transaction: "transaction".to_owned(),
            regex: None,
        }
    }

    /// The topic of a table's changes.
    #[must_use]
    pub fn table(&self, table: &TableId) -> String {
        let name = self.physical(table);
        match &self.regex {
            Some(regex) => regex.topic(name),
            None => name,
        }
    }

    /// The topic before it is rewritten.
    fn physical(&self, table: &TableId) -> String {
        let parts = [self.prefix.as_str(), &table.schema, &table.table];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
        sanitised(&parts.join(&self.delimiter))
    }

    /// The field that tells tables apart that share a topic, and its value for a table.
    pub(crate) fn key_field(&self, table: &TableId) -> Option<(&str, String)> {
        let regex = self.regex.as_ref().filter(|regex| regex.enforce_uniqueness)?;
        Some((&regex.key_field, regex.key_value(self.physical(table))))
    }

    /// The topic of heartbeats.
    #[must_use]
    pub fn heartbeat(&self) -> String {
        match self.heartbeat_name.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => [self.heartbeat_prefix.as_str(), &self.prefix].join(&self.delimiter),
        }
    }

    /// The topic of beginnings and ends of transactions.
    #[must_use]
    pub fn transactions(&self) -> String {
        [self.prefix.as_str(), &self.transaction].join(&self.delimiter)
    }

    /// The topic of logical messages.
    #[must_use]
    pub fn messages(&self) -> String {
        format!("{}.message", self.prefix)
    }
}

/// The rewriting of topic names.
#[derive(Clone, Debug)]
pub struct TopicRegex {
    topic: Regex,
    replacement: String,
    enforce_uniqueness: bool,
    key_field: String,
    key_value: Option<(Regex, String)>,
}

impl TopicRegex {
    /// `topic.regex` with `topic.replacement`, `topic.key.enforce.uniqueness`, `topic.key.field.name`, and
    /// `topic.key.field.regex` with `topic.key.field.replacement`. Groups are referred to as Java does: `$1`, `${name}`.
    ///
    /// # Errors
    /// Where one is no regular expression.
    pub fn new(
        regex: &str,
        replacement: &str,
        enforce_uniqueness: bool,
        key_field: &str,
        key_value: Option<(&str, &str)>,
    ) -> Result<Self> {
        let compiled =
            |regex: &str| build(&format!("^(?:{})$", quotations_escaped(regex.trim())), false, regex);
        let key_value = match key_value {
            Some((regex, replacement)) if !regex.trim().is_empty() => {
                Some((compiled(regex)?, replacement_text(replacement)))
            }
            _ => None,
        };
        Ok(Self {
            topic: compiled(regex)?,
            replacement: replacement_text(replacement),
            enforce_uniqueness,
            key_field: key_field.to_owned(),
            key_value,
        })
    }

    fn topic(&self, name: String) -> String {
        match replaced(&self.topic, &name, &self.replacement) {
            Some(new) if !new.is_empty() => new,
            _ => name,
        }
    }

    fn key_value(&self, name: String) -> String {
        let (regex, replacement) = match &self.key_value {
            Some((regex, replacement)) => (regex, replacement),
            None => return name,
        };
        replaced(regex, &name, replacement).unwrap_or(name)
    }
}

/// The name rewritten, if the expression matches all of it.
fn replaced(regex: &Regex, name: &str, replacement: &str) -> Option<String> {
    let captures = regex.captures(name).ok().flatten()?;
    let mut out = String::new();
    captures.expand(replacement, &mut out);
    Some(out)
}

/// Java's replacement text in the engine's notation: `$1x` is group 1 and then `x`, and a backslash takes the meaning from
/// what follows it.
fn replacement_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => out.push_str("$$"),
                Some(escaped) => out.push(escaped),
                None => {}
            },
            '$' => {
                let digits: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect();
                match digits.is_empty() {
                    true => out.push('$'),
                    false => out.push_str(&format!("${{{digits}}}")),
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// A name with `_` for what topics may not have, cut at Kafka's limit.
fn sanitised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        let valid = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        match valid {
            true => out.push(c),
            // Java counts in UTF-16 units.
            false => out.extend(std::iter::repeat_n('_', c.len_utf16())),
        }
    }
    out.truncate(MAX_NAME);
    match out.as_str() {
        "." => "_".to_owned(),
        ".." => "__".to_owned(),
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sanitised_and_cut() {
        let naming = TopicNaming::new("srv");
        assert_eq!(naming.table(&TableId::new("w", "Up-Case Tbl")), "srv.w.Up-Case_Tbl");
        assert_eq!(naming.table(&TableId::new("w", "x".repeat(300))).len(), 249);
        assert_eq!(naming.heartbeat(), "__debezium-heartbeat.srv");
        assert_eq!(naming.transactions(), "srv.transaction");
        assert_eq!(naming.messages(), "srv.message");
        let dashes = TopicNaming { delimiter: "-".to_owned(), ..TopicNaming::new("srv") };
        assert_eq!(dashes.table(&TableId::new("a", "b")), "srv-a-b");
    }

    #[test]
    fn shards_share_a_topic() {
        let regex =
            TopicRegex::new(r"(.*)shard(\d+)(.*)", "$1all$3", true, "__dbz__physicalTableIdentifier", None);
        let naming = TopicNaming { regex: Some(regex.unwrap()), ..TopicNaming::new("srv") };
        let table = TableId::new("public", "orders_shard2");
        assert_eq!(naming.table(&table), "srv.public.orders_all");
        let (field, value) = naming.key_field(&table).unwrap();
        assert_eq!((field, value.as_str()), ("__dbz__physicalTableIdentifier", "srv.public.orders_shard2"));
        assert_eq!(naming.table(&TableId::new("public", "other")), "srv.public.other");
    }

    #[test]
    fn replacements_are_javas() {
        for (java, ours) in [("$1x", "${1}x"), (r"\$1", "$$1"), ("${name}", "${name}"), (r"a\\b", r"a\b")] {
            assert_eq!(replacement_text(java), ours);
        }
    }
}
