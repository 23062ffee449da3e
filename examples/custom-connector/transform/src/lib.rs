//! A transform of one's own: adds the geohash of a position, a short text that says where something is and sorts
//! what is near together.
//!
//! - [`plugins`] is what a worker is given;
//! - `GeohashConfig` declares the keys;
//! - `transform` changes records: structs by a plan that is worked out once per schema, and schemaless objects;
//! - `encode` is the geohash itself.

mod encode;
mod transform;

use lavka_api::config::{Check, ConfigSpec, key};
use lavka_api::plugin::{Factory, Plugin};

use transform::Geohash;

/// The plugins of this crate: users name them by `class` in `transforms.<name>.type`.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![Plugin {
        class: "org.example.Geohash",
        aliases: &[],
        version: env!("CARGO_PKG_VERSION"),
        doc: "Adds the geohash of a position to the value.",
        definition: GeohashConfig::definition,
        factory: Factory::Transform(|config| Ok(Box::new(Geohash::new(GeohashConfig::from_config(config)?)))),
    }]
}

lavka_api::config! {
    /// The keys. In a connector's configuration they come behind `transforms.<name>.`.
    pub(crate) struct GeohashConfig {
        pub(crate) latitude: String = key("latitude.field").default("latitude").check(Check::non_empty())
            .doc("The field with the latitude in degrees. Records without it pass as they are."),
        pub(crate) longitude: String = key("longitude.field").default("longitude").check(Check::non_empty())
            .doc("The field with the longitude in degrees. Records without it pass as they are."),
        pub(crate) field: String = key("geohash.field").default("geohash").check(Check::non_empty())
            .doc("The field that is added, or replaced where it is there. It is null where a coordinate is."),
        pub(crate) precision: i32 = key("precision").default(8).check(Check::between(1, 12))
            .doc("Characters of the geohash: 5 tell places 5 km apart, 8 some 40 m, 12 a few centimetres."),
    }
}
