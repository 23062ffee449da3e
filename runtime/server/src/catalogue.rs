//! The one list of built-in plugins: a plugin crate is a folder and a line here.

use lavka_api::plugin::{Catalogue, Plugin, PluginKind};

/// Every built-in plugin.
#[must_use]
pub fn builtin_plugins() -> Vec<Plugin> {
    [
        lavka_connector_file::plugins(),
        lavka_connector_lake::plugins(),
        lavka_connector_mqtt::plugins(),
        lavka_converters::plugins(),
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

/// The short names of a plugin, by Connect's rules: the simple class name, and that without what all of its kind end in.
#[must_use]
pub(crate) fn short_names(plugin: &Plugin) -> Vec<String> {
    let suffixes: &[&str] = match plugin.kind() {
        PluginKind::Sink | PluginKind::Source => &["Connector"],
        PluginKind::Transformation => &["Transformation"],
        PluginKind::Predicate => &["Predicate"],
        PluginKind::Converter => &["Converter"],
        PluginKind::HeaderConverter => &["HeaderConverter", "Converter"],
    };
    let simple = plugin.class.rsplit('.').next().unwrap_or(plugin.class);
    let shorter = suffixes.iter().filter_map(|suffix| simple.strip_suffix(suffix));
    std::iter::once(simple).chain(shorter.filter(|name| !name.is_empty())).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_find_their_plugins() {
        let catalogue = catalogue();
        for plugin in catalogue.iter() {
            for name in short_names(plugin) {
                let found = catalogue.find(&name, |kind| kind == plugin.kind());
                assert_eq!(found.map(|found| found.class), Ok(plugin.class), "{name}");
            }
        }
    }
}
