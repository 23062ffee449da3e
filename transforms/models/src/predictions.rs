//! Rows of predictions on their way out of a model.

use std::sync::Arc;

use crate::signature::{ElementType, Selection, Signature};

/// The values of one output for every row of a batch, row after row, `width` values a row.
#[derive(Debug, Clone)]
pub enum PredictionColumn {
    /// 32-bit floating point.
    Floats(Vec<f32>),
    /// 64-bit floating point.
    Doubles(Vec<f64>),
    /// Integers, and booleans as 0 and 1.
    Integers(Vec<i64>),
    /// Text by its position in the model's own list of texts; `u32::MAX` stands for a text that is not in it.
    Texts {
        /// One position per value.
        ids: Vec<u32>,
        /// The texts.
        vocabulary: Arc<[Arc<str>]>,
    },
}

/// One predicted value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Prediction<'a> {
    /// A 32-bit floating point number.
    Float(f32),
    /// A 64-bit floating point number.
    Double(f64),
    /// An integer.
    Integer(i64),
    /// A boolean.
    Bool(bool),
    /// Text.
    Text(&'a str),
    /// No value: a text the model does not know.
    Missing,
}

/// The predictions for one batch: one [`PredictionColumn`] per output of the model.
///
/// Made once and handed to every call of [`Scorer::score`](crate::Scorer::score), which replaces what is in it and
/// reuses its memory.
#[derive(Debug, Clone)]
pub struct Predictions {
    signature: Arc<Signature>,
    rows: usize,
    columns: Vec<PredictionColumn>,
}

impl Predictions {
    /// Empty predictions of models with this signature.
    #[must_use]
    pub fn new(signature: &Arc<Signature>) -> Self {
        Self { signature: signature.clone(), rows: 0, columns: Vec::new() }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The signature of the model that made the predictions.
    #[must_use]
    pub fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    /// All values of an output, by its position in [`Signature::outputs`]; `None` before the first batch.
    #[must_use]
    pub fn column(&self, output: usize) -> Option<&PredictionColumn> {
        self.columns.get(output)
    }

    /// All values of an output of `float32` numbers, row after row.
    #[must_use]
    pub fn floats(&self, output: usize) -> Option<&[f32]> {
        match self.columns.get(output)? {
            PredictionColumn::Floats(values) => Some(values),
            _ => None,
        }
    }

    /// One value. A selection without a column means the first one.
    #[must_use]
    pub fn value(&self, selection: Selection, row: usize) -> Option<Prediction<'_>> {
        let spec = self.signature.outputs().get(selection.output)?;
        let column = selection.column.unwrap_or(0);
        if row >= self.rows || column >= spec.width {
            return None;
        }
        let cell = row * spec.width + column;
        Some(match self.columns.get(selection.output)? {
            PredictionColumn::Floats(values) => Prediction::Float(*values.get(cell)?),
            PredictionColumn::Doubles(values) => Prediction::Double(*values.get(cell)?),
            PredictionColumn::Integers(values) if spec.element == ElementType::Bool => {
                Prediction::Bool(*values.get(cell)? != 0)
            }
            PredictionColumn::Integers(values) => Prediction::Integer(*values.get(cell)?),
            PredictionColumn::Texts { ids, vocabulary } => vocabulary
                .get(*ids.get(cell)? as usize)
                .map_or(Prediction::Missing, |text| Prediction::Text(text)),
        })
    }

    /// Makes room for `rows` rows of a model's outputs: for engines. The values are whatever they were before.
    pub(crate) fn start(
        &mut self,
        signature: &Arc<Signature>,
        vocabulary: &Arc<[Arc<str>]>,
        rows: usize,
    ) -> &mut [PredictionColumn] {
        let known =
            Arc::ptr_eq(&self.signature, signature) && self.columns.len() == signature.outputs().len();
        if !known {
            self.signature = signature.clone();
            self.columns = signature.outputs().iter().map(|spec| empty(spec.element, vocabulary)).collect();
        }
        self.rows = rows;
        for (column, spec) in self.columns.iter_mut().zip(signature.outputs()) {
            let cells = rows * spec.width;
            match column {
                PredictionColumn::Floats(values) => values.resize(cells, 0.0),
                PredictionColumn::Doubles(values) => values.resize(cells, 0.0),
                PredictionColumn::Integers(values) => values.resize(cells, 0),
                PredictionColumn::Texts { ids, .. } => ids.resize(cells, u32::MAX),
            }
        }
        &mut self.columns
    }

    /// Forgets the rows of a batch that failed, so that stale values are never taken for predictions.
    pub(crate) fn forget(&mut self) {
        self.rows = 0;
    }
}

fn empty(element: ElementType, vocabulary: &Arc<[Arc<str>]>) -> PredictionColumn {
    match element {
        ElementType::Float32 => PredictionColumn::Floats(Vec::new()),
        ElementType::Float64 => PredictionColumn::Doubles(Vec::new()),
        ElementType::Int32 | ElementType::Int64 | ElementType::Bool => PredictionColumn::Integers(Vec::new()),
        ElementType::String => PredictionColumn::Texts { ids: Vec::new(), vocabulary: vocabulary.clone() },
    }
}
