//! A node of the graph as operators see it: names for messages, and attributes with their types checked.

use super::proto::{self, Attribute};
use super::shape::Trouble;
use super::tensor::{Data, Tensor};
use crate::error::ModelError;

/// A node and what to call it.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) proto: &'a proto::Node<'a>,
    /// `node 'Gemm_3' (Gemm)`, or with its position where it has no name.
    pub(super) place: String,
}

impl<'a> Node<'a> {
    pub(super) fn new(proto: &'a proto::Node<'a>, position: usize) -> Self {
        let place = match proto.name {
            "" => format!("node {position} ({})", proto.operator),
            name => format!("node '{name}' ({})", proto.operator),
        };
        Self { proto, place }
    }

    pub(super) fn invalid(&self, what: impl Into<String>, expected: impl Into<String>) -> ModelError {
        ModelError::invalid(self.place.as_str(), what, expected)
    }

    /// Blames the node for what a shape computation found.
    pub(super) fn blame<T>(&self, result: Result<T, Trouble>) -> Result<T, ModelError> {
        result.map_err(|(what, expected)| self.invalid(what, expected))
    }

    /// The name of an input; `None` when it is left out.
    pub(super) fn input(&self, position: usize) -> Option<&'a str> {
        self.proto.inputs.get(position).copied().filter(|name| !name.is_empty())
    }

    /// The name of an output; `None` when nobody wants it.
    pub(super) fn output(&self, position: usize) -> Option<&'a str> {
        self.proto.outputs.get(position).copied().filter(|name| !name.is_empty())
    }

    /// The domain with the usual name of the default one.
    pub(super) fn domain(&self) -> &'a str {
        if self.proto.domain.is_empty() { super::CORE } else { self.proto.domain }
    }

    fn attribute(&self, name: &str) -> Result<Option<Attribute<'a>>, ModelError> {
        let found = self.proto.attributes.iter().find(|(found, _)| *found == name);
        let Some(&(_, message)) = found else { return Ok(None) };
        let attribute = proto::attribute(message)?;
        if attribute.other {
            return Err(
                self.invalid(format!("attribute {name} is a graph or a type"), "a number, text or tensor")
            );
        }
        Ok(Some(attribute))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.proto.attributes.iter().any(|(found, _)| *found == name)
    }

    /// A value of the attribute that is there but not of the right type is an error, not a default.
    fn typed<T>(
        &self,
        name: &str,
        wanted: &str,
        take: impl FnOnce(Attribute<'a>) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        let Some(attribute) = self.attribute(name)? else { return Ok(None) };
        match take(attribute) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid(format!("attribute {name} is of another type"), wanted)),
        }
    }

    pub(super) fn float(&self, name: &str, default: f32) -> Result<f32, ModelError> {
        // A zero may be left out of the message, here and below.
        let value =
            self.typed(name, "a number", |attribute| attribute.float.or(attribute.is_bare().then_some(0.0)))?;
        Ok(value.unwrap_or(default))
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, ModelError> {
        self.typed(name, "an integer", |attribute| attribute.integer.or(attribute.is_bare().then_some(0)))
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, ModelError> {
        Ok(self.integer(name)?.map_or(default, |value| value != 0))
    }

    pub(super) fn floats(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        Ok(self.attribute(name)?.map(|attribute| attribute.floats).unwrap_or_default())
    }

    pub(super) fn integers(&self, name: &str) -> Result<Option<Vec<i64>>, ModelError> {
        Ok(self.attribute(name)?.map(|attribute| attribute.integers))
    }

    pub(super) fn text(&self, name: &str, default: &'a str) -> Result<&'a str, ModelError> {
        self.typed(name, "text", |attribute| attribute.text)?.map_or(Ok(default), |text| text.text())
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, ModelError> {
        let texts = self.attribute(name)?.map(|attribute| attribute.texts).unwrap_or_default();
        texts.into_iter().map(|text| text.text()).collect()
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Option<Tensor>, ModelError> {
        self.typed(name, "a tensor", |attribute| attribute.tensor)?.map(Tensor::decode).transpose()
    }

    /// Numbers given as a list of 32-bit numbers or, under the name with `_as_tensor`, as a tensor of either width.
    pub(super) fn numbers(&self, name: &str) -> Result<Numbers, ModelError> {
        let as_tensor = format!("{name}_as_tensor");
        match self.tensor(&as_tensor)? {
            None => Ok(Numbers::Single(self.floats(name)?)),
            Some(_) if self.has(name) => {
                Err(self.invalid(format!("it has both {name} and {as_tensor}"), "one of them"))
            }
            Some(Tensor { data: Data::Floats(values), .. }) => Ok(Numbers::Single(values)),
            Some(Tensor { data: Data::Doubles(values), .. }) => Ok(Numbers::Double(values)),
            Some(tensor) => Err(self.invalid(
                format!("attribute {as_tensor} is of type {}", tensor.element),
                "float32 or float64",
            )),
        }
    }
}

/// See [`Node::numbers`].
#[derive(Debug)]
pub(super) enum Numbers {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Numbers {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Single(values) => values.len(),
            Self::Double(values) => values.len(),
        }
    }

    pub(super) fn get(&self, position: usize) -> Option<f64> {
        match self {
            Self::Single(values) => values.get(position).map(|&value| f64::from(value)),
            Self::Double(values) => values.get(position).copied(),
        }
    }
}
