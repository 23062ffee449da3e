//! Trained models behind one trait, native: no shared library to install, no code generated, no `unsafe`.
//!
//! A model file becomes an [`Arc<dyn Model>`](Model) by [`load()`]. The model says what it takes and gives
//! ([`Signature`]: feature columns with names and types, predictions with names, widths and classes), so that a wrong
//! file, a wrong number of columns or a wrong type is found when a configuration is checked and not at the first
//! record. A [`Scorer`] of the model then turns a [`FeatureBatch`] into [`Predictions`], batch after batch, with memory
//! of its own:
//!
//! ```no_run
//! use lavka_models::{Feature, FeatureBatch, Predictions, load};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = load("churn.onnx".as_ref())?;
//! let probability = model.signature().select("probabilities[churn]")?;
//! let mut scorer = model.scorer();
//! let mut batch = FeatureBatch::new(model.signature());
//! let mut predictions = Predictions::new(model.signature());
//!
//! let row = batch.push_row();
//! batch.set(row, 0, Feature::Number(48.0))?;
//! scorer.score(&batch, &mut predictions)?;
//! println!("{:?}", predictions.value(probability, row));
//! batch.clear();
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//! - A row's prediction does not depend on the rows around it; a batch of one equals, bit for bit, the row in a batch.
//! - A scorer that has seen a batch size allocates nothing for the next batch of that size.
//! - Bytes of a model file, however broken, lead to a [`ModelError`]: never to a panic, an endless loop, recursion or
//!   memory out of proportion to the limits in the code.
//! - What a model needs and the engine lacks is said when it is loaded, by name.
//!
//! # Modules
//! The contract: `model` ([`Model`], [`Scorer`]), `signature`, `features`, `predictions`, `error`; `load` finds the
//! reader. The readers: [`onnx`]. Under them: `block`, plans of kernels over blocks of rows, and `forest`, tree
//! ensembles. A further format is a reader of its own that plugs into `load` and may use both.

mod block;
mod error;
mod features;
mod forest;
mod load;
mod model;
pub mod onnx;
mod predictions;
mod signature;

pub use error::{ModelError, ModelErrorKind};
pub use features::{Feature, FeatureBatch, FeatureError};
pub use load::load;
pub use model::{Model, Scorer};
pub use predictions::{Prediction, PredictionColumn, Predictions};
pub use signature::{ElementType, InputSpec, OutputKind, OutputSpec, Selection, Signature};
