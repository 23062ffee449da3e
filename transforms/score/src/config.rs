//! The keys of the transform.

use std::sync::Arc;

use lavka_api::config::{Check, key};
use lavka_api::{Error, Result};
use lavka_models::{InputSpec, Model, Selection};

use crate::path::FieldPath;

lavka_api::config! {
    /// Keys of `io.lavka.transforms.Score`.
    pub(crate) struct ScoreConfig {
        /// `model`.
        pub(crate) model: String = key("model").high().check(Check::non_empty())
            .doc("Path of the model file. ONNX: tree ensembles, linear models, small dense networks."),
        /// `features`.
        pub(crate) features: Vec<String> = key("features").default("").high()
            .doc("Where the model's inputs come from, as input:path.to.field, or just the field where both have the \
                  same name. Empty: a field of its name for every input."),
        /// `missing`.
        pub(crate) missing: String = key("missing").default("fail").check(Check::one_of(&["fail", "null", "default"]))
            .doc("What a feature that is missing or not numeric does: 'fail' is an error of the record, 'null' makes \
                  its predictions null, 'default' puts missing.default in its place."),
        /// `missing.default`.
        pub(crate) missing_default: f64 = key("missing.default").default("NaN")
            .doc("What stands in for a feature under missing=default. NaN is 'missing' for models that know it."),
        /// `outputs`.
        pub(crate) outputs: Vec<String> = key("outputs").default("")
            .doc("Predictions to add, as output:name, or just the output. One value of several is output[0] or \
                  output[class]. Empty: all outputs under their own names."),
        /// `output.to`.
        pub(crate) output_to: String = key("output.to").default("fields").check(Check::one_of(&["fields", "headers"]))
            .doc("Whether predictions become fields of the value or headers."),
        /// `output.prefix`.
        pub(crate) output_prefix: String = key("output.prefix").default("")
            .doc("Put before the name of every field or header that is added."),
    }
}

/// What a missing feature does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Missing {
    Fail,
    Null,
    Default(f64),
}

impl ScoreConfig {
    pub(crate) fn missing(&self) -> Missing {
        match self.missing.as_str() {
            "null" => Missing::Null,
            "default" => Missing::Default(self.missing_default),
            _ => Missing::Fail,
        }
    }

    pub(crate) fn load(&self) -> Result<Arc<dyn Model>> {
        lavka_models::load(self.model.as_ref())
            .map_err(|error| Error::invalid_value("model", &self.model, error))
    }

    /// For each input of the model the path of its field.
    pub(crate) fn feature_paths(&self, inputs: &[InputSpec]) -> Result<Vec<FieldPath>> {
        let known = || inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", ");
        if self.features.is_empty() {
            return Ok(inputs.iter().map(|input| FieldPath::new(&input.name)).collect());
        }
        let mut paths: Vec<Option<FieldPath>> = inputs.iter().map(|_| None).collect();
        for item in &self.features {
            let (input, path) = item.split_once(':').unwrap_or((item, item));
            let (input, path) = (input.trim(), path.trim());
            let place = inputs.iter().position(|spec| spec.name == input).ok_or_else(|| {
                let detail = format!("the model has no input '{input}'; its inputs are {}", known());
                Error::invalid_value("features", item, detail)
            })?;
            if path.is_empty() {
                return Err(Error::invalid_value("features", item, "no field is named behind the colon"));
            }
            match paths.get_mut(place) {
                Some(slot @ None) => *slot = Some(FieldPath::new(path)),
                _ => {
                    let detail = format!("the input '{input}' is given twice");
                    return Err(Error::invalid_value("features", item, detail));
                }
            }
        }
        let without: Vec<&str> = inputs
            .iter()
            .zip(&paths)
            .filter(|(_, path)| path.is_none())
            .map(|(input, _)| input.name.as_str())
            .collect();
        if !without.is_empty() {
            let detail = format!(
                "the model has {} inputs; nothing is said of {} (write input:path.to.field)",
                inputs.len(),
                without.join(", ")
            );
            return Err(Error::invalid_value("features", self.features.join(","), detail));
        }
        Ok(paths.into_iter().flatten().collect())
    }

    /// The predictions to add, with their names.
    pub(crate) fn selections(&self, model: &dyn Model) -> Result<Vec<(Selection, String)>> {
        let mut chosen: Vec<(Selection, String)> = Vec::new();
        if self.outputs.is_empty() {
            chosen.extend(model.outputs().iter().enumerate().map(|(output, spec)| {
                (Selection { output, column: None }, format!("{}{}", self.output_prefix, spec.name))
            }));
        }
        for item in &self.outputs {
            let (output, name) = item.rsplit_once(':').unwrap_or((item, item));
            let selection = model
                .signature()
                .select(output.trim())
                .map_err(|error| Error::invalid_value("outputs", item, error))?;
            let name = format!("{}{}", self.output_prefix, name.trim());
            if chosen.iter().any(|(_, other)| *other == name) {
                let detail = format!("two predictions would be called '{name}'; write output:name");
                return Err(Error::invalid_value("outputs", item, detail));
            }
            chosen.push((selection, name));
        }
        Ok(chosen)
    }
}
