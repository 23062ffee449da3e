//! Keys as Markdown.

use std::fmt::Write as _;

use lavka_api::config::{Check, ConfigDef, KeyDef};

use crate::connector_keys::without_effect;

/// The keys of a definition, group by group, then those without effect in a table. `level` is that of the headings of
/// groups (`##` is 2).
pub(super) fn section(definition: &ConfigDef, level: usize) -> String {
    let mut text = String::new();
    let heading = "#".repeat(level);
    let (idle, used): (Vec<&KeyDef>, Vec<&KeyDef>) =
        definition.iter().partition(|key| without_effect(key).is_some());
    let mut groups: Vec<Option<&str>> = Vec::new();
    for group in used.iter().map(|key| key.group.as_deref()) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    for group in &groups {
        let title = group.unwrap_or(if groups.len() > 1 { "More keys" } else { "Keys" });
        let _ = writeln!(text, "{heading} {}\n", escape(title));
        for key in used.iter().filter(|key| key.group.as_deref() == *group) {
            describe(&mut text, key, level + 1);
        }
    }
    if !idle.is_empty() {
        let _ = writeln!(text, "{heading} Accepted without effect\n");
        let rows = idle.iter().map(|key| (key.name.as_ref(), without_effect(key).unwrap_or_default()));
        text.push_str(&reasons(rows));
    }
    text
}

/// A table of keys and why they have no effect, one row for each reason.
pub(super) fn reasons<'a>(keys: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for (key, why) in keys {
        let key = format!("`{key}`");
        match rows.iter_mut().find(|(known, _)| *known == why) {
            Some((_, keys)) => keys.push(key),
            None => rows.push((why, vec![key])),
        }
    }
    let mut text = String::from("| keys | why |\n|---|---|\n");
    for (why, keys) in rows {
        let _ = writeln!(text, "| {} | {} |", keys.join("<br>"), escape(&why).replace('|', "\\|"));
    }
    text.push('\n');
    text
}

fn describe(text: &mut String, key: &KeyDef, level: usize) {
    let _ = writeln!(text, "{} `{}`\n", "#".repeat(level), key.name);
    let doc = escape(key.doc.trim());
    if !doc.is_empty() {
        let _ = writeln!(text, "{doc}\n");
    }
    let default = match &key.default {
        None => "**required**".to_owned(),
        Some(None) => "default: none".to_owned(),
        Some(Some(value)) if value.is_empty() => "default: empty".to_owned(),
        Some(Some(value)) => format!("default: {}", code(value)),
    };
    let _ = write!(text, "*{}*, {default}", key.kind.name().to_lowercase());
    let valid: Vec<String> = key.checks.iter().map(Check::describe).map(code).collect();
    if !valid.is_empty() {
        let _ = write!(text, ", valid values: {}", valid.join(" and "));
    }
    if !key.recommended.is_empty() {
        let offered: Vec<String> = key.recommended.iter().map(|value| code(value)).collect();
        let _ = write!(text, ", for example {}", offered.join(", "));
    }
    let _ = writeln!(text, ", importance: {}\n", key.importance.name().to_lowercase());
}

/// Code in a line, whatever it contains.
pub(super) fn code(text: &str) -> String {
    let text = text.replace('\n', "\\n");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Text that means nothing but itself in Markdown.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = false;
    for c in text.chars() {
        match c {
            '*' | '`' | '[' | ']' | '\\' => out.extend(['\\', c]),
            '_' if !word => out.push_str("\\_"),
            '<' => out.push_str("&lt;"),
            other => out.push(other),
        }
        word = c.is_alphanumeric();
    }
    out
}

#[cfg(test)]
mod tests {
    use lavka_api::config::key;

    use super::*;

    #[test]
    fn a_key_is_told_in_full() {
        let mut definition = ConfigDef::new();
        let check = Check::one_of(&["a", "b"]);
        definition
            .add(key::<String>("x.y").default("a").high().check(check).doc("One of <a>, *b*.").into_def());
        definition.add(key::<String>("old").default("").doc("Accepted and ignored: it is a|b.").into_def());
        assert_eq!(
            section(&definition, 2),
            "## Keys\n\n### `x.y`\n\nOne of &lt;a>, \\*b\\*.\n\n\
             *string*, default: `a`, valid values: `[a, b]`, importance: high\n\n\
             ## Accepted without effect\n\n| keys | why |\n|---|---|\n| `old` | it is a\\|b |\n\n"
        );
    }

    #[test]
    fn text_means_itself() {
        assert_eq!(escape("a_b _c_ sensors/*/x `k` [1]"), "a_b \\_c_ sensors/\\*/x \\`k\\` \\[1\\]");
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
