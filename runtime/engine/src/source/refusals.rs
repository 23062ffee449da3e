//! Decides about records that Kafka refused.

use lavka_api::error::exception;
use lavka_api::{Error, Result};

use super::books::{Books, Refused};
use super::dead_letter::SourceDeadLetters;
use crate::errors::{ErrorPolicy, Failure, Stage};

/// The class that error reports name for records that Kafka did not take.
const PRODUCER: &str = "org.apache.kafka.connect.runtime.WorkerSourceTask";

/// What such a decision takes.
pub(super) struct Refusals<'a> {
    pub(super) books: &'a Books,
    pub(super) policy: &'a mut ErrorPolicy,
    pub(super) dead_letters: Option<&'a SourceDeadLetters>,
    /// Records are sent in transactions: without one of its records a transaction cannot be committed, so that nothing is
    /// tolerated, as in Connect.
    pub(super) strict: bool,
}

impl Refusals<'_> {
    /// Skips and reports them where errors are tolerated. A record of the engine's own that is lost fails the task.
    pub(super) async fn judge(&mut self) -> Result<()> {
        while let Some(Refused { sequence, error, own }) = self.books.next_refused() {
            if self.strict {
                return Err(error.wrapped_in(exception::CONNECT, CALLBACK));
            }
            if let (true, Some(dead_letters)) = (own, self.dead_letters) {
                self.policy.metrics().dead_letter_failure();
                return Err(dead_letters.lost(error));
            }
            refused(error, self.policy).await?;
            self.books.settle([sequence]);
        }
        Ok(())
    }
}

const CALLBACK: &str = "Unrecoverable exception from producer send callback";

/// `Ok` to go on without the record.
pub(super) async fn refused(error: Error, policy: &mut ErrorPolicy) -> Result<()> {
    if !policy.tolerates() {
        return Err(error.wrapped_in(exception::CONNECT, CALLBACK));
    }
    let failure = Failure { stage: Stage::KafkaProduce, class: PRODUCER.into(), error };
    policy.failed(&failure, None).await
}
