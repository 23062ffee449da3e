//! Rows of features on their way into a model.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{ModelError, ModelErrorKind};
use crate::signature::{ElementType, Placement, Plane, Signature};

/// One feature as the caller has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Feature<'a> {
    /// No value: NaN for floating point columns, an unseen level for text, an error for integers and booleans.
    Missing,
    /// A boolean; 0 or 1 where a number is wanted.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A floating point number; integer columns take it when it has no fraction.
    Number(f64),
    /// Text, for text columns only.
    Text(&'a str),
}

/// Why a value does not go into a column. Small and without text of its own, because callers have policies for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureError {
    /// The column's type has no missing value.
    Missing(ElementType),
    /// Text, or something else that is not a number, for a numeric column.
    NotNumeric(ElementType),
    /// A number with a fraction, or outside the type's range, for an integer column.
    NotIntegral(ElementType),
    /// A number for a text column.
    NotText,
    /// There is no such column or row.
    NoColumn,
}

impl fmt::Display for FeatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(element) => write!(f, "a value is missing, and {element} cannot be missing"),
            Self::NotNumeric(element) => write!(f, "the value is not a number; expected {element}"),
            Self::NotIntegral(element) => write!(f, "the number does not fit {element}"),
            Self::NotText => f.write_str("the value is a number; expected text"),
            Self::NoColumn => f.write_str("there is no such feature column"),
        }
    }
}

impl std::error::Error for FeatureError {}

/// Rows × columns of features for one model, kept row after row with one plane per storage type.
///
/// Made once and refilled for every batch: after [`clear`](Self::clear) the memory stays, so that filling a batch of a
/// size seen before allocates nothing.
#[derive(Debug, Clone)]
pub struct FeatureBatch {
    signature: Arc<Signature>,
    rows: usize,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    integers: Vec<i64>,
    texts: Vec<Option<Range<usize>>>,
    letters: String,
}

impl FeatureBatch {
    /// An empty batch for models with this signature.
    #[must_use]
    pub fn new(signature: &Arc<Signature>) -> Self {
        Self {
            signature: signature.clone(),
            rows: 0,
            floats: Vec::new(),
            doubles: Vec::new(),
            integers: Vec::new(),
            texts: Vec::new(),
            letters: String::new(),
        }
    }

    /// The signature the batch was made for.
    #[must_use]
    pub fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.floats.clear();
        self.doubles.clear();
        self.integers.clear();
        self.texts.clear();
        self.letters.clear();
    }

    /// Adds a row in which every column is missing, and integers and booleans are 0, and returns its position.
    pub fn push_row(&mut self) -> usize {
        let width = |plane| self.signature.plane_width(plane);
        self.floats.resize(self.floats.len() + width(Plane::Floats), f32::NAN);
        self.doubles.resize(self.doubles.len() + width(Plane::Doubles), f64::NAN);
        self.integers.resize(self.integers.len() + width(Plane::Integers), 0);
        self.texts.resize(self.texts.len() + width(Plane::Texts), None);
        self.rows += 1;
        self.rows - 1
    }

    /// Removes the last row, for a caller who finds half-way through that the row cannot be scored.
    pub fn pop_row(&mut self) {
        let Some(rows) = self.rows.checked_sub(1) else { return };
        let width = |plane| rows * self.signature.plane_width(plane);
        self.floats.truncate(width(Plane::Floats));
        self.doubles.truncate(width(Plane::Doubles));
        self.integers.truncate(width(Plane::Integers));
        self.texts.truncate(width(Plane::Texts));
        // The letters stay until `clear`: texts may have been set in any order, so they need not lie at the end.
        self.rows = rows;
    }

    /// Sets one value. Setting it again replaces it.
    ///
    /// # Errors
    /// [`FeatureError`] when the value does not fit the column; the row is unchanged then.
    pub fn set(&mut self, row: usize, column: usize, feature: Feature<'_>) -> Result<(), FeatureError> {
        let placement = self.signature.placement(column).filter(|_| row < self.rows);
        let Placement { plane, offset } = placement.ok_or(FeatureError::NoColumn)?;
        let cell = row * self.signature.plane_width(plane) + offset;
        let element = self.signature.inputs()[column].element;
        match plane {
            Plane::Floats => store(&mut self.floats, cell, number(feature, element)? as f32),
            Plane::Doubles => store(&mut self.doubles, cell, number(feature, element)?),
            Plane::Integers => store(&mut self.integers, cell, integer(feature, element)?),
            Plane::Texts => {
                let span = match feature {
                    Feature::Missing => None,
                    Feature::Text(text) => {
                        let start = self.letters.len();
                        self.letters.push_str(text);
                        Some(start..self.letters.len())
                    }
                    Feature::Bool(_) | Feature::Integer(_) | Feature::Number(_) => {
                        return Err(FeatureError::NotText);
                    }
                };
                store(&mut self.texts, cell, span)
            }
        }
    }

    /// Adds whole rows at once to a batch whose columns are all `float32`; `values` is row after row.
    ///
    /// # Errors
    /// [`ModelErrorKind::Arity`] when the columns are not all `float32` or `values` is not a number of whole rows.
    pub fn push_floats(&mut self, values: &[f32]) -> Result<(), ModelError> {
        let width = self.signature.inputs().len();
        let floats = self.signature.plane_width(Plane::Floats);
        if floats != width || width == 0 || !values.len().is_multiple_of(width) {
            let found = if floats == width { values.len() } else { floats };
            return Err(self.arity(found));
        }
        self.floats.extend_from_slice(values);
        self.rows += values.len() / width;
        Ok(())
    }

    /// The values of the `float32` columns, row after row; the other planes likewise.
    pub(crate) fn floats(&self) -> &[f32] {
        &self.floats
    }

    pub(crate) fn doubles(&self) -> &[f64] {
        &self.doubles
    }

    pub(crate) fn integers(&self) -> &[i64] {
        &self.integers
    }

    /// The text at a cell of the text plane, `None` when it is missing.
    pub(crate) fn text(&self, cell: usize) -> Option<&str> {
        let span = self.texts.get(cell)?.clone()?;
        self.letters.get(span)
    }

    /// Checks that the batch has the columns of `wanted`.
    pub(crate) fn check(&self, wanted: &Arc<Signature>) -> Result<(), ModelError> {
        if Arc::ptr_eq(&self.signature, wanted) || wanted.takes_batches_of(&self.signature) {
            return Ok(());
        }
        Err(ModelErrorKind::Arity {
            expected: wanted.inputs().len(),
            found: self.signature.inputs().len(),
            inputs: wanted.describe_inputs(),
        }
        .into())
    }

    fn arity(&self, found: usize) -> ModelError {
        ModelErrorKind::Arity {
            expected: self.signature.inputs().len(),
            found,
            inputs: self.signature.describe_inputs(),
        }
        .into()
    }
}

fn store<T>(plane: &mut [T], cell: usize, value: T) -> Result<(), FeatureError> {
    *plane.get_mut(cell).ok_or(FeatureError::NoColumn)? = value;
    Ok(())
}

fn number(feature: Feature<'_>, element: ElementType) -> Result<f64, FeatureError> {
    match feature {
        Feature::Missing => Ok(f64::NAN),
        Feature::Bool(value) => Ok(f64::from(u8::from(value))),
        Feature::Integer(value) => Ok(value as f64),
        Feature::Number(value) => Ok(value),
        Feature::Text(_) => Err(FeatureError::NotNumeric(element)),
    }
}

fn integer(feature: Feature<'_>, element: ElementType) -> Result<i64, FeatureError> {
    // 2^63 is exact as f64; every f64 below it that has no fraction is an i64.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    let value = match feature {
        Feature::Missing => return Err(FeatureError::Missing(element)),
        Feature::Bool(value) => i64::from(value),
        Feature::Integer(value) => value,
        Feature::Number(value) if value.fract() == 0.0 && (-BOUND..BOUND).contains(&value) => value as i64,
        Feature::Number(_) => return Err(FeatureError::NotIntegral(element)),
        Feature::Text(_) => return Err(FeatureError::NotNumeric(element)),
    };
    let fits = match element {
        ElementType::Int32 => i32::try_from(value).is_ok(),
        ElementType::Bool => value == 0 || value == 1,
        _ => true,
    };
    if fits { Ok(value) } else { Err(FeatureError::NotIntegral(element)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::InputSpec;

    fn signature(elements: &[ElementType]) -> Arc<Signature> {
        let inputs = elements.iter().enumerate().map(|(position, &element)| InputSpec {
            name: format!("c{position}"),
            tensor: format!("c{position}").into(),
            index: 0,
            width: 1,
            element,
        });
        Signature::new(inputs.collect(), Vec::new())
    }

    #[test]
    fn values_go_to_the_plane_of_their_column() {
        use ElementType::{Bool, Float32, Float64, Int32, Int64, String};
        let mut batch =
            FeatureBatch::new(&signature(&[String, Float32, Int64, Float64, Float32, Bool, Int32]));
        let row = batch.push_row();
        batch.set(row, 0, Feature::Text("two-year")).unwrap();
        batch.set(row, 1, Feature::Integer(3)).unwrap();
        batch.set(row, 2, Feature::Number(-4.0)).unwrap();
        batch.set(row, 3, Feature::Number(0.1)).unwrap();
        batch.set(row, 5, Feature::Bool(true)).unwrap();
        assert_eq!(batch.text(0), Some("two-year"));
        assert_eq!(batch.floats()[0], 3.0);
        assert!(batch.floats()[1].is_nan(), "an unset column is missing");
        assert_eq!(batch.integers(), [-4, 1, 0]);
        assert_eq!(batch.doubles(), [0.1]);
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        use ElementType::{Bool, Float32, Int32, Int64, String};
        let mut batch = FeatureBatch::new(&signature(&[Float32, Int64, Int32, Bool, String]));
        let row = batch.push_row();
        let mut set = |column, feature| batch.set(row, column, feature);
        assert_eq!(set(0, Feature::Text("1")), Err(FeatureError::NotNumeric(Float32)));
        assert_eq!(set(1, Feature::Missing), Err(FeatureError::Missing(Int64)));
        assert_eq!(set(1, Feature::Number(0.5)), Err(FeatureError::NotIntegral(Int64)));
        assert_eq!(set(1, Feature::Number(f64::NAN)), Err(FeatureError::NotIntegral(Int64)));
        assert_eq!(set(1, Feature::Number(9.3e18)), Err(FeatureError::NotIntegral(Int64)));
        assert_eq!(set(2, Feature::Integer(1 << 40)), Err(FeatureError::NotIntegral(Int32)));
        assert_eq!(set(3, Feature::Integer(2)), Err(FeatureError::NotIntegral(Bool)));
        assert_eq!(set(4, Feature::Number(1.0)), Err(FeatureError::NotText));
        assert_eq!(set(5, Feature::Missing), Err(FeatureError::NoColumn));
        assert_eq!(batch.set(1, 0, Feature::Missing), Err(FeatureError::NoColumn));
    }

    #[test]
    fn rows_can_be_taken_back() {
        use ElementType::{Float32, String};
        let mut batch = FeatureBatch::new(&signature(&[Float32, String]));
        for text in ["a", "b"] {
            let row = batch.push_row();
            batch.set(row, 1, Feature::Text(text)).unwrap();
        }
        batch.pop_row();
        assert_eq!((batch.rows(), batch.text(0), batch.text(1)), (1, Some("a"), None));
        batch.pop_row();
        batch.pop_row();
        assert_eq!(batch.rows(), 0);
    }

    #[test]
    fn whole_rows_must_be_whole() {
        let mut batch = FeatureBatch::new(&signature(&[ElementType::Float32; 3]));
        batch.push_floats(&[1.0; 6]).unwrap();
        assert_eq!(batch.rows(), 2);
        let error = batch.push_floats(&[1.0; 4]).unwrap_err().to_string();
        assert!(error.contains("got 4 feature columns; expected 3"), "{error}");
        let mut mixed = FeatureBatch::new(&signature(&[ElementType::Float32, ElementType::String]));
        assert!(mixed.push_floats(&[1.0]).is_err());
    }
}
