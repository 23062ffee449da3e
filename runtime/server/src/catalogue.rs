//! The one list of built-in plugins: a plugin crate is a folder and a line here.

use lavka_api::plugin::{Catalogue, Plugin};

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
