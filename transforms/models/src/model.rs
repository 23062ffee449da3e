//! The contract between what loads and runs models and what scores records with them.

use std::fmt;
use std::sync::Arc;

use crate::error::ModelError;
use crate::features::FeatureBatch;
use crate::predictions::Predictions;
use crate::signature::{InputSpec, OutputSpec, Signature};

/// A trained model, loaded, checked and compiled; shared by every task that scores with it.
///
/// Protocol: load once (errors here are configuration errors), compare [`inputs`](Self::inputs) and
/// [`outputs`](Self::outputs) with what the configuration wants, then take one [`Scorer`] per thread.
pub trait Model: Send + Sync + fmt::Debug {
    /// The format the model was read from, for example `ONNX`.
    fn format(&self) -> &'static str;

    /// The columns the model takes and the predictions it gives.
    fn signature(&self) -> &Arc<Signature>;

    /// A scorer with scratch memory of its own.
    fn scorer(&self) -> Box<dyn Scorer>;

    /// The feature columns, in the model's order; a matrix input of `k` columns counts as `k`.
    fn inputs(&self) -> &[InputSpec] {
        self.signature().inputs()
    }

    /// The predictions, in the model's order.
    fn outputs(&self) -> &[OutputSpec] {
        self.signature().outputs()
    }
}

/// Scores batches, one after the other. It owns its scratch memory, so a scorer in steady state allocates nothing.
pub trait Scorer: Send {
    /// Scores every row of `batch` into `out`, which afterwards has as many rows as the batch. A row's prediction does
    /// not depend on the rows around it: a batch of one gives, bit for bit, what the row gives inside a larger batch.
    ///
    /// # Errors
    /// [`ModelErrorKind::Arity`](crate::ModelErrorKind::Arity) when the batch was made for other columns, and
    /// [`ModelErrorKind::Scoring`](crate::ModelErrorKind::Scoring) when the model refuses a row (an unknown category
    /// where it allows none); `out` is empty then.
    fn score(&mut self, batch: &FeatureBatch, out: &mut Predictions) -> Result<(), ModelError>;
}
