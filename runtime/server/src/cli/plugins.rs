//! `lavka plugins`.

use lavka_api::plugin::Plugin;
use serde_json::{Value, json};

pub(super) fn run(as_json: bool) {
    let catalogue = crate::catalogue();
    if as_json {
        let all: Vec<Value> = catalogue.iter().map(described).collect();
        println!("{}", serde_json::to_string_pretty(&all).unwrap_or_default());
        return;
    }
    for plugin in catalogue.iter() {
        println!("{:<17} {:<70} {}", plugin.kind().name(), plugin.class, plugin.version);
    }
}

fn described(plugin: &Plugin) -> Value {
    let keys: Vec<Value> = (plugin.definition)()
        .iter()
        .map(|key| {
            json!({
                "name": key.name,
                "type": key.kind.name(),
                "required": key.is_required(),
                "default": key.default.clone().flatten(),
                "importance": key.importance.name(),
                "documentation": key.doc,
            })
        })
        .collect();
    json!({
        "class": plugin.class,
        "aliases": plugin.aliases,
        "type": plugin.kind().name(),
        "version": plugin.version,
        "documentation": plugin.doc,
        "config": keys,
    })
}
