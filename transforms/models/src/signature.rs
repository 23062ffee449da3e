//! What a model takes and gives: the columns of its features and of its predictions.

use std::fmt;
use std::sync::Arc;

use crate::error::ModelError;

/// The type of one feature column or of one prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// 32-bit floating point; a missing value is NaN.
    Float32,
    /// 64-bit floating point; a missing value is NaN.
    Float64,
    /// 32-bit signed integer; it cannot be missing.
    Int32,
    /// 64-bit signed integer; it cannot be missing.
    Int64,
    /// Boolean; it cannot be missing.
    Bool,
    /// UTF-8 text; a missing value is a level that the model has never seen.
    String,
}

impl ElementType {
    /// The name used in messages and in documentation, for example `float32`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Bool => "bool",
            Self::String => "string",
        }
    }

    pub(crate) fn plane(self) -> Plane {
        match self {
            Self::Float32 => Plane::Floats,
            Self::Float64 => Plane::Doubles,
            Self::Int32 | Self::Int64 | Self::Bool => Plane::Integers,
            Self::String => Plane::Texts,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One feature column.
///
/// A model with a single matrix input `x` of shape `[n, 3]` has the columns `x0`, `x1` and `x2`, all of tensor `x` and
/// width 3; a model with an input of shape `[n, 1]` or `[n]` per feature has columns named as those inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSpec {
    /// The column's name, unique within the model.
    pub name: String,
    /// The model's own input that the column is part of.
    pub tensor: Arc<str>,
    /// Position of the column within that input, from 0.
    pub index: usize,
    /// Number of columns of that input.
    pub width: usize,
    /// The column's type.
    pub element: ElementType,
}

/// Whether a prediction is a class or numbers about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// The predicted class or cluster: one integer or one text a row.
    Label,
    /// Numbers: probabilities, scores, a regression, a reconstruction.
    Numbers,
}

/// One prediction: `width` values of one type for each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSpec {
    /// The model's own name of the output, for example `probabilities`.
    pub name: String,
    /// Whether this is a label or numbers.
    pub kind: OutputKind,
    /// Type of each value. Integers and booleans come out as `i64`, booleans as 0 and 1.
    pub element: ElementType,
    /// Values a row.
    pub width: usize,
    /// For numbers, the class each column is about; for labels, the classes that can come out. `None` when the model
    /// does not say.
    pub classes: Option<Arc<[String]>>,
}

/// One prediction picked out of a model's outputs, such as `label` or `probabilities[1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// Position of the output in [`Signature::outputs`].
    pub output: usize,
    /// The column within the output; `None` selects the output as a whole.
    pub column: Option<usize>,
}

/// Where a column of a batch is kept: values of one storage type lie together, row after row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plane {
    Floats,
    Doubles,
    Integers,
    Texts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) plane: Plane,
    /// Position within a row of the plane.
    pub(crate) offset: usize,
}

/// The columns a model takes and the predictions it gives, fixed when it is loaded.
///
/// Batches and predictions keep a reference to the signature they were made for, so that checking that they fit a
/// model is one pointer comparison.
#[derive(Debug)]
pub struct Signature {
    inputs: Box<[InputSpec]>,
    outputs: Box<[OutputSpec]>,
    placements: Box<[Placement]>,
    plane_widths: [usize; 4],
}

impl Signature {
    /// The signature of a model with these columns and predictions.
    #[must_use]
    pub fn new(inputs: Vec<InputSpec>, outputs: Vec<OutputSpec>) -> Arc<Self> {
        let mut plane_widths = [0; 4];
        let placements = inputs
            .iter()
            .map(|input| {
                let plane = input.element.plane();
                let offset = plane_widths[plane as usize];
                plane_widths[plane as usize] += 1;
                Placement { plane, offset }
            })
            .collect();
        Arc::new(Self { inputs: inputs.into(), outputs: outputs.into(), placements, plane_widths })
    }

    /// The feature columns, in the model's order.
    #[must_use]
    pub fn inputs(&self) -> &[InputSpec] {
        &self.inputs
    }

    /// The predictions, in the model's order.
    #[must_use]
    pub fn outputs(&self) -> &[OutputSpec] {
        &self.outputs
    }

    /// Position of the feature column with this name.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|input| input.name == name)
    }

    /// Position of the prediction with this name.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<usize> {
        self.outputs.iter().position(|output| output.name == name)
    }

    /// Resolves `output`, `output[2]` (a column by position) or `output[class]` (a column by the class it is about).
    ///
    /// # Errors
    /// [`ModelErrorKind::Invalid`](crate::ModelErrorKind::Invalid) that lists the outputs, or the columns and classes
    /// of the output, when there is no such thing.
    pub fn select(&self, text: &str) -> Result<Selection, ModelError> {
        if let Some(output) = self.output(text) {
            return Ok(Selection { output, column: None });
        }
        let split = text.strip_suffix(']').and_then(|rest| rest.split_once('['));
        let found = split.and_then(|(name, column)| Some((self.output(name)?, column)));
        let Some((output, column)) = found else {
            return Err(ModelError::invalid(
                "outputs",
                format!("there is no output '{text}'"),
                format!("one of {}", listing(self.outputs.iter().map(|output| output.name.as_str()))),
            ));
        };
        let spec = &self.outputs[output];
        let by_class =
            || spec.classes.as_ref().and_then(|classes| classes.iter().position(|class| class == column));
        let position = match (column.parse::<usize>(), spec.kind) {
            (Ok(position), _) => Some(position),
            (Err(_), OutputKind::Numbers) => by_class(),
            (Err(_), OutputKind::Label) => None,
        };
        match position.filter(|&position| position < spec.width) {
            Some(position) => Ok(Selection { output, column: Some(position) }),
            None => Err(ModelError::invalid(
                format!("output '{}'", spec.name),
                format!("there is no column '{column}'"),
                match (&spec.classes, spec.kind) {
                    (Some(classes), OutputKind::Numbers) => {
                        format!("0 to {} or one of {}", spec.width - 1, listing(classes.iter()))
                    }
                    _ => format!("0 to {}", spec.width.saturating_sub(1)),
                },
            )),
        }
    }

    pub(crate) fn placement(&self, column: usize) -> Option<Placement> {
        self.placements.get(column).copied()
    }

    pub(crate) fn plane_width(&self, plane: Plane) -> usize {
        self.plane_widths[plane as usize]
    }

    /// Whether batches made for `other` have the columns of this signature in the same places.
    pub(crate) fn takes_batches_of(&self, other: &Self) -> bool {
        self.placements == other.placements
            && self.inputs.iter().zip(&other.inputs).all(|(a, b)| a.element == b.element)
    }

    /// The inputs in short: `x[10]: float32` or `tenure: float32, contract: string`.
    #[must_use]
    pub fn describe_inputs(&self) -> String {
        let tensors = self.inputs.iter().filter(|input| input.index == 0).map(|input| match input.width {
            1 => format!("{}: {}", input.tensor, input.element),
            width => format!("{}[{width}]: {}", input.tensor, input.element),
        });
        listing(tensors)
    }
}

/// Items separated by commas, cut after the twentieth: messages must stay readable for a model with 5,000 columns.
pub(crate) fn listing<S: AsRef<str>>(items: impl Iterator<Item = S>) -> String {
    const SHOWN: usize = 20;
    let mut text = String::new();
    let mut more = 0usize;
    for (position, item) in items.enumerate() {
        if position >= SHOWN {
            more += 1;
            continue;
        }
        if position > 0 {
            text.push_str(", ");
        }
        text.push_str(item.as_ref());
    }
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    if text.is_empty() { "none".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn churn() -> Arc<Signature> {
        let input = |name: &str, element| InputSpec {
            name: name.to_owned(),
            tensor: name.into(),
            index: 0,
            width: 1,
            element,
        };
        let classes: Arc<[String]> = ["churn", "stay"].map(str::to_owned).into();
        let output = |name: &str, kind, element, width| OutputSpec {
            name: name.to_owned(),
            kind,
            element,
            width,
            classes: Some(classes.clone()),
        };
        Signature::new(
            vec![input("tenure", ElementType::Float32), input("contract", ElementType::String)],
            vec![
                output("label", OutputKind::Label, ElementType::String, 1),
                output("probabilities", OutputKind::Numbers, ElementType::Float32, 2),
            ],
        )
    }

    #[test]
    fn selects_by_name_position_and_class() {
        let signature = churn();
        assert_eq!(signature.select("label").unwrap(), Selection { output: 0, column: None });
        assert_eq!(signature.select("probabilities[1]").unwrap(), Selection { output: 1, column: Some(1) });
        assert_eq!(
            signature.select("probabilities[churn]").unwrap(),
            Selection { output: 1, column: Some(0) }
        );
    }

    #[test]
    fn refuses_what_is_not_there_and_says_what_is() {
        let signature = churn();
        let error = signature.select("score").unwrap_err().to_string();
        assert!(error.contains("'score'") && error.contains("label, probabilities"), "{error}");
        let error = signature.select("probabilities[2]").unwrap_err().to_string();
        assert!(error.contains("0 to 1 or one of churn, stay"), "{error}");
        assert!(signature.select("label[churn]").is_err());
        assert!(signature.select("").is_err());
        assert!(signature.select("[0]").is_err());
    }

    #[test]
    fn describes_inputs_in_short() {
        assert_eq!(churn().describe_inputs(), "tenure: float32, contract: string");
        assert_eq!(listing((0..23).map(|i| i.to_string())).split(", ").count(), 20);
        assert!(listing((0..23).map(|i| i.to_string())).ends_with("19 and 3 more"));
    }
}
