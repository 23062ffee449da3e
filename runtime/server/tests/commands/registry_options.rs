//! What the README says of the options of converters with a registry is what the converters do.

use std::path::Path;

use lavka_api::config::{Config, ConfigDef};
use lavka_api::plugin::{ConverterRole, Factory, Plugin};

/// A row of the table: keys, in which a star stands for anything, and whether they are supported.
struct Row {
    patterns: Vec<String>,
    supported: String,
}

fn table() -> Vec<Row> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let section = readme.split("\n## Schemas in a registry\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split(" |").collect();
        let patterns = cells[0].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some(Row { patterns, supported: cells[1].trim().to_owned() })
    };
    section.lines().filter_map(row).skip(1).collect()
}

fn fits(key: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => key == pattern,
        Some((start, end)) => {
            key.len() >= start.len() + end.len() && key.starts_with(start) && key.ends_with(end)
        }
    }
}

fn converters() -> Vec<Plugin> {
    let with_registry = |plugin: &Plugin| {
        matches!(plugin.factory, Factory::Converter(_))
            && (plugin.definition)().get("schema.registry.url").is_some()
    };
    lavka::install_tls_provider();
    lavka::builtin_plugins().into_iter().filter(with_registry).collect()
}

/// Whether a converter is refused, by an error that names `key`, when that is set.
fn is_refused(plugin: &Plugin, key: &str) -> bool {
    let Factory::Converter(make) = plugin.factory else { panic!("no converter") };
    ["true", "org.example.Mine"].iter().any(|value| {
        let config = Config::from([("schema.registry.url", "http://127.0.0.1:1"), (key, value)]);
        make(&config, ConverterRole::Value).is_err_and(|error| error.to_string().contains(key))
    })
}

#[test]
fn each_option_that_converters_share_is_in_the_readme_with_what_becomes_of_it() {
    let (rows, plugins) = (table(), converters());
    assert_eq!(plugins.len(), 3);
    let definitions: Vec<ConfigDef> = plugins.iter().map(|plugin| (plugin.definition)()).collect();
    let mut shared = 0;
    for key in definitions[0].iter() {
        if !definitions.iter().all(|definition| definition.get(&key.name).is_some()) {
            continue;
        }
        shared += 1;
        // The longest pattern says most.
        let found = rows
            .iter()
            .flat_map(|row| row.patterns.iter().map(move |pattern| (pattern, &row.supported)))
            .filter(|(pattern, _)| fits(&key.name, pattern))
            .max_by_key(|(pattern, _)| pattern.len());
        let (_, supported) = found.unwrap_or_else(|| panic!("{} is not in the README", key.name));
        assert_eq!(key.doc.starts_with("Without effect"), supported == "without effect", "{}", key.name);
        if key.doc.contains("not supported") {
            assert_eq!(supported, "no", "{}", key.name);
        }
    }
    assert!(shared > 50, "{shared}");
}

#[test]
fn what_the_readme_calls_supported_is_there_and_what_not_is_refused() {
    let plugins = converters();
    for Row { patterns, supported } in table() {
        for pattern in patterns {
            let key = pattern.replace('*', "x");
            for plugin in &plugins {
                match supported.as_str() {
                    "no" => assert!(is_refused(plugin, &key), "{} takes {key}", plugin.class),
                    // Names of headers are anybody's.
                    "yes" | "without effect" if pattern != "request.header.*" => {
                        let definition = (plugin.definition)();
                        let known = definition.iter().any(|key| fits(&key.name, &pattern));
                        assert!(known, "{} does not know {pattern}", plugin.class);
                    }
                    "yes" => assert!(!is_refused(plugin, &key), "{} refuses {key}", plugin.class),
                    other => panic!("{pattern}: {other}"),
                }
            }
        }
    }
}
