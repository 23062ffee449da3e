//! `lavka plugins`.

use std::fmt::Write as _;
use std::process::ExitCode;

use lavka_api::Result;
use lavka_api::config::{Check, KeyDef};
use lavka_api::plugin::{Catalogue, Plugin};
use serde_json::{Value, json};

pub(super) fn run(as_json: bool) -> Result<ExitCode> {
    let catalogue = crate::catalogue();
    let mut text = String::new();
    if as_json {
        let all: Vec<Value> = catalogue.iter().map(|plugin| described(plugin, &catalogue)).collect();
        let _ = writeln!(text, "{:#}", Value::from(all));
    } else {
        let width = catalogue.iter().map(|plugin| plugin.class.len()).max().unwrap_or(0);
        for plugin in catalogue.iter() {
            let _ =
                writeln!(text, "{:<17} {:<width$} {}", plugin.kind().name(), plugin.class, plugin.version);
        }
    }
    super::emit(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn described(plugin: &Plugin, catalogue: &Catalogue) -> Value {
    let keys: Vec<Value> = (plugin.definition)().iter().map(described_key).collect();
    json!({
        "class": plugin.class,
        "aliases": crate::other_names(plugin, catalogue),
        "type": plugin.kind().name(),
        "version": plugin.version,
        "documentation": plugin.doc,
        "config": keys,
    })
}

fn described_key(key: &KeyDef) -> Value {
    json!({
        "name": key.name,
        "type": key.kind.name(),
        "required": key.is_required(),
        "default": key.default.clone().flatten(),
        "valid_values": key.checks.iter().map(Check::describe).collect::<Vec<_>>(),
        "importance": key.importance.name(),
        "group": key.group,
        "documentation": key.doc,
    })
}
