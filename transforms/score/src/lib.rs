//! The Score transform: predictions on the stream.
//!
//! `io.lavka.transforms.Score` loads a model once per task, takes features from the fields of a record's value and adds
//! the model's predictions as fields or headers. A batch of records is scored at once.
//!
//! # Map
//!
//! - `config`: the keys, and what they come to for a given model: one mistake, one error that names key and remedy.
//! - `path`: dotted paths into structs, objects and maps, with the position of the last record remembered.
//! - `target`: predictions as fields (plans per schema and shape) or headers.
//! - `transform`: gather, score, write.
//!
//! # Invariants
//!
//! - A wrong model file, a wrong number of features or an unknown output is found when the transform is made, not at
//!   the first record.
//! - A record that fails is left as it was; the other records of its batch are scored.
//! - What a record gets does not depend on the records around it.

mod config;
mod path;
mod target;
mod transform;

use lavka_api::config::ConfigSpec;
use lavka_api::plugin::{Factory, Plugin};

use config::ScoreConfig;
use transform::Score;

/// The plugins of this crate.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![Plugin {
        class: "io.lavka.transforms.Score",
        aliases: &["io.lavka.transforms.Score$Value"],
        version: lavka_api::LAVKA_VERSION,
        doc: "Scores records with a trained model and adds the predictions as fields or headers.",
        definition: ScoreConfig::definition,
        factory: Factory::Transform(|config| Ok(Box::new(Score::new(config)?))),
    }]
}
