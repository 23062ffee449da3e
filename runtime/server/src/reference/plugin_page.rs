//! The page of a plugin. Classes that differ in the part of the record they work on (`Cast$Key`, `Cast$Value`), or in
//! what they convert (values, headers), share one.

use std::fmt::Write as _;

use lavka_api::Result;
use lavka_api::config::ConfigDef;
use lavka_api::plugin::{Catalogue, Plugin, PluginKind};

use super::keys::{escape, section};
use super::{Page, examples};

/// Kinds, their folders, and what the index calls them. Both kinds of converters share a folder.
pub(super) const FOLDERS: [(&[PluginKind], &str, &str); 5] = [
    (&[PluginKind::Source], "sources", "Source connectors"),
    (&[PluginKind::Sink], "sinks", "Sink connectors"),
    (&[PluginKind::Transformation], "transforms", "Transforms"),
    (&[PluginKind::Predicate], "predicates", "Predicates"),
    (&[PluginKind::Converter, PluginKind::HeaderConverter], "converters", "Converters"),
];

/// What one page is about.
pub(super) struct Subject<'a> {
    /// The folder of the page.
    pub(super) folder: &'static str,
    /// The simple name without `$Key` and the like.
    pub(super) title: &'a str,
    /// Whose it is, where several have this title: `debezium`.
    pub(super) vendor: Option<&'a str>,
    /// The classes on it.
    pub(super) plugins: Vec<&'a Plugin>,
}

impl Subject<'_> {
    pub(super) fn path(&self) -> String {
        let name = file_name(self.folder, self.title);
        match self.vendor {
            Some(vendor) => format!("{}/{vendor}-{name}.md", self.folder),
            None => format!("{}/{name}.md", self.folder),
        }
    }

    pub(super) fn heading(&self) -> String {
        match self.vendor {
            Some(vendor) => format!("{} ({vendor})", self.title),
            None => self.title.to_owned(),
        }
    }

    /// What all of its classes do as far as they say the same, else what each does.
    pub(super) fn summary(&self) -> String {
        let docs: Vec<&str> = self.plugins.iter().map(|plugin| plugin.doc.trim()).collect();
        let Some((first, others)) = docs.split_first() else { return String::new() };
        let common = first
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .take_while(|end| others.iter().all(|other| other.get(..*end) == first.get(..*end)))
            .last()
            .unwrap_or(0);
        if common == first.len() {
            return (*first).to_owned();
        }
        let sentence = first.get(..common).and_then(|text| text.rfind(". ")).map_or(0, |end| end + 1);
        match first.get(..sentence) {
            Some(shared) if !shared.is_empty() => shared.to_owned(),
            _ => docs.join(" "),
        }
    }
}

/// The pages that a catalogue makes, in the order of [`FOLDERS`] and then by title.
pub(super) fn subjects(catalogue: &Catalogue) -> Vec<Subject<'_>> {
    let mut subjects: Vec<Subject<'_>> = Vec::new();
    for (kinds, folder, _) in FOLDERS {
        let start = subjects.len();
        let mut plugins: Vec<&Plugin> =
            catalogue.iter().filter(|plugin| kinds.contains(&plugin.kind())).collect();
        // Kafka's own have the plain titles.
        plugins.sort_by_key(|plugin| !plugin.class.starts_with("org.apache.kafka."));
        for plugin in plugins {
            let base = plugin.class.split('$').next().unwrap_or(plugin.class);
            let known = subjects.iter_mut().skip(start).find(|subject| {
                subject.plugins.first().is_some_and(|first| {
                    first.class.split('$').next() == Some(base) && same_keys(first, plugin)
                })
            });
            match known {
                Some(subject) => subject.plugins.push(plugin),
                None => {
                    let title = base.rsplit('.').next().unwrap_or(base);
                    let taken = subjects.iter().skip(start).any(|known| known.title == title);
                    // The second part of a Java package names whose it is.
                    let vendor = base.split('.').nth(1).filter(|_| taken);
                    subjects.push(Subject { folder, title, vendor, plugins: vec![plugin] });
                }
            }
        }
        if let Some(new) = subjects.get_mut(start..) {
            new.sort_by_key(|subject| (subject.title, subject.vendor));
        }
    }
    subjects
}

fn same_keys(a: &Plugin, b: &Plugin) -> bool {
    let names = |plugin: &Plugin| -> Vec<String> {
        (plugin.definition)().iter().map(|key| key.name.clone().into_owned()).collect()
    };
    names(a) == names(b)
}

/// `file-stream-source` of `FileStreamSourceConnector`.
fn file_name(folder: &str, title: &str) -> String {
    let bare = match folder {
        "sources" | "sinks" => title.strip_suffix("Connector"),
        "converters" => title.strip_suffix("Converter"),
        _ => None,
    };
    let mut out = String::new();
    let mut lower = false;
    for c in bare.filter(|bare| !bare.is_empty()).unwrap_or(title).chars() {
        if c.is_uppercase() && lower {
            out.push('-');
        }
        lower = c.is_lowercase() || c.is_ascii_digit();
        out.extend(c.to_lowercase());
    }
    out
}

pub(super) async fn page(subject: &Subject<'_>, catalogue: &Catalogue) -> Result<Page> {
    let mut text = format!("# {}\n\n{}\n\n", subject.heading(), escape(&subject.summary()));
    classes(&mut text, subject, catalogue);
    if let Some(plugin) = subject.plugins.first() {
        let (kind, definition) = (plugin.kind(), keys_to_write(plugin));
        text.push_str(&introduction(kind, &definition));
        for example in examples::of(subject) {
            text.push_str(&example.to_markdown().await?);
        }
        text.push_str(&section(&definition, 2));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(Page { path: subject.path(), text })
}

/// The keys of a plugin but for those that the framework sets.
fn keys_to_write(plugin: &Plugin) -> ConfigDef {
    let mut definition = ConfigDef::new();
    for key in (plugin.definition)().iter().filter(|key| key.name != "converter.type") {
        definition.add(key.clone());
    }
    definition
}

fn classes(text: &mut String, subject: &Subject<'_>, catalogue: &Catalogue) {
    text.push_str("| class | also known as | type | version |\n|---|---|---|---|\n");
    for plugin in &subject.plugins {
        let names = crate::other_names(plugin, catalogue);
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            plugin.class,
            names.join(", "),
            plugin.kind().name().replace('_', " "),
            plugin.version
        );
    }
    text.push('\n');
}

/// How the keys below are written in a connector's configuration.
fn introduction(kind: PluginKind, definition: &ConfigDef) -> String {
    let example = definition.iter().next().map(|key| key.name.as_ref());
    let text = match (kind, example) {
        (PluginKind::Source | PluginKind::Sink, Some(_)) => {
            "Besides these keys it has those of [every connector](../connector.md).".to_owned()
        }
        (PluginKind::Source | PluginKind::Sink, None) => {
            "It has the keys of [every connector](../connector.md) and none of its own.".to_owned()
        }
        (PluginKind::Transformation, Some(key)) => format!(
            "Keys are written behind `transforms.ALIAS.`, where `ALIAS` is listed in `transforms`: \
             `transforms.ALIAS.{key}`. See [transforms](../connector.md#transforms-and-predicates)."
        ),
        (PluginKind::Transformation, None) => "It has no keys of its own. See \
             [transforms](../connector.md#transforms-and-predicates)."
            .to_owned(),
        (PluginKind::Predicate, Some(key)) => format!(
            "Keys are written behind `predicates.ALIAS.`, where `ALIAS` is listed in `predicates`: \
             `predicates.ALIAS.{key}`. See [predicates](../connector.md#transforms-and-predicates)."
        ),
        (PluginKind::Predicate, None) => "It has no keys of its own. See \
             [predicates](../connector.md#transforms-and-predicates)."
            .to_owned(),
        (PluginKind::Converter, Some(key)) => format!(
            "Keys are written behind the place that the converter is for: `key.converter.{key}`, \
             `value.converter.{key}` or `header.converter.{key}`, in the worker's file or, together with the class, \
             in a connector's configuration."
        ),
        (PluginKind::HeaderConverter, Some(key)) => format!(
            "Keys are written behind `header.converter.`: `header.converter.{key}`, in the worker's file or, together \
             with the class, in a connector's configuration."
        ),
        (PluginKind::Converter | PluginKind::HeaderConverter, None) => "It has no keys.".to_owned(),
    };
    format!("{text}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_for_titles() {
        for (folder, title, name) in [
            ("sources", "FileStreamSourceConnector", "file-stream-source"),
            ("converters", "JsonConverter", "json"),
            ("transforms", "Cast", "cast"),
            ("predicates", "HasHeaderKey", "has-header-key"),
            ("transforms", "TimestampConverter", "timestamp-converter"),
        ] {
            assert_eq!(file_name(folder, title), name);
        }
    }

    #[test]
    fn classes_of_one_subject_share_a_page() {
        let catalogue = crate::catalogue();
        let subjects = subjects(&catalogue);
        let cast = subjects.iter().find(|subject| subject.title == "Cast").unwrap();
        assert_eq!(cast.plugins.len(), 2);
        assert!(!cast.summary().contains("Works on") && cast.summary().ends_with('.'), "{}", cast.summary());
        let json = subjects.iter().find(|subject| subject.title == "JsonConverter").unwrap();
        assert_eq!(json.plugins.len(), 2, "for values and for headers");
        let paths: std::collections::BTreeSet<String> = subjects.iter().map(Subject::path).collect();
        assert_eq!(paths.len(), subjects.len(), "one page each");
        assert_eq!(subjects.iter().map(|s| s.plugins.len()).sum::<usize>(), catalogue.iter().count());
    }
}
