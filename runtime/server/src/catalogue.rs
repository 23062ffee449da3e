//! The one list of built-in plugins: a plugin crate is a folder and a line here.

use lavka_api::plugin::{Catalogue, Plugin, PluginKind};

/// Every built-in plugin.
#[must_use]
pub fn builtin_plugins() -> Vec<Plugin> {
    [
        lavka_avro::plugins(),
        lavka_connector_coap::plugins(),
        lavka_connector_file::plugins(),
        lavka_connector_lake::plugins(),
        lavka_connector_mqtt::plugins(),
        lavka_connector_postgres::plugins(),
        lavka_connector_warehouse::plugins(),
        lavka_converters::plugins(),
        lavka_json_schema::plugins(),
        lavka_protobuf::plugins(),
        lavka_transforms::plugins(),
        lavka_score::plugins(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The catalogue of the built-in plugins.
#[must_use]
pub fn catalogue() -> Catalogue {
    Catalogue::new(builtin_plugins())
}

/// What a plugin may be called besides its class: short names by Connect's rules (the simple class name, and that without
/// what all of its kind end in), as far as they mean no other plugin, and its aliases.
pub(crate) fn other_names(plugin: &Plugin, catalogue: &Catalogue) -> Vec<String> {
    let suffixes: &[&str] = match plugin.kind() {
        PluginKind::Sink | PluginKind::Source => &["Connector"],
        PluginKind::Transformation => &["Transformation"],
        PluginKind::Predicate => &["Predicate"],
        PluginKind::Converter => &["Converter"],
        PluginKind::HeaderConverter => &["HeaderConverter", "Converter"],
    };
    let simple = plugin.class.rsplit('.').next().unwrap_or(plugin.class);
    let shorter = suffixes.iter().filter_map(|suffix| simple.strip_suffix(suffix));
    let short = std::iter::once(simple).chain(shorter.filter(|name| !name.is_empty()));
    let mut names: Vec<String> = Vec::new();
    for name in short.chain(plugin.aliases.iter().copied()) {
        let found = catalogue.find(name, |kind| kind == plugin.kind());
        if found.is_ok_and(|found| found.class == plugin.class) && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_connects() {
        let catalogue = catalogue();
        let names = |class: &str| {
            let plugin = catalogue.find(class, |_| true).unwrap();
            other_names(plugin, &catalogue).join(" ")
        };
        let file = "org.apache.kafka.connect.file.FileStreamSourceConnector";
        assert_eq!(names(file), "FileStreamSourceConnector FileStreamSource");
        assert_eq!(names("org.apache.kafka.connect.transforms.Cast$Value"), "Cast$Value");
        assert_eq!(names("org.apache.kafka.connect.json.JsonConverter"), "JsonConverter Json");
        assert_eq!(names("org.apache.kafka.connect.transforms.Filter"), "Filter");
    }
}
