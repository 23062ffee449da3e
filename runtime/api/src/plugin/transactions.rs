//! What sources have to do with exactly-once delivery (KIP-618).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorClass, Result};

/// What a source connector says of exactly-once delivery (Java's `ExactlyOnceSupport`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactlyOnceSupport {
    /// Started from a committed offset, its tasks hand out every later record once and no earlier one.
    Supported,
    /// They may hand out records again, or not at all.
    Unsupported,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEnd {
    /// Its records become visible, together with their source offsets.
    Commit,
    /// Its records are never seen. Their source offsets move on nevertheless: the source has passed them over.
    Abort,
}

/// Says where transactions end, for a task whose connector defines that itself (`transaction.boundary=connector`,
/// Java's `TransactionContext`). Clones speak for the same task.
///
/// Requests about a batch are for the one that the pending or next `poll` returns; requests about a record are for the
/// one with that [`token`](crate::data::SourceRecord::token), and hold behind it: the transaction has the record in it.
///
/// ```
/// use lavka_api::plugin::{TransactionContext, TransactionEnd};
///
/// let context = TransactionContext::new();
/// context.commit_after(7);
/// context.abort_batch();
/// // The engine asks, and each request holds once.
/// assert_eq!(context.take_after(7).unwrap(), Some(TransactionEnd::Commit));
/// assert_eq!(context.take_after(7).unwrap(), None);
/// assert_eq!(context.take_batch().unwrap(), Some(TransactionEnd::Abort));
/// ```
#[derive(Clone, Debug, Default)]
pub struct TransactionContext(Arc<Mutex<Requests>>);

#[derive(Debug, Default)]
struct Requests {
    commit_batch: bool,
    abort_batch: bool,
    commit_after: HashSet<u64>,
    abort_after: HashSet<u64>,
}

impl TransactionContext {
    /// No requests yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits once the next batch is sent.
    pub fn commit_batch(&self) {
        self.requests().commit_batch = true;
    }

    /// Aborts once the next batch is sent.
    pub fn abort_batch(&self) {
        self.requests().abort_batch = true;
    }

    /// Commits once the record with this token is sent.
    pub fn commit_after(&self, token: u64) {
        self.requests().commit_after.insert(token);
    }

    /// Aborts once the record with this token is sent.
    pub fn abort_after(&self, token: u64) {
        self.requests().abort_after.insert(token);
    }

    /// Takes the request about the batch that was sent just now.
    ///
    /// # Errors
    /// Fatal where the connector asked for both.
    pub fn take_batch(&self) -> Result<Option<TransactionEnd>> {
        let mut requests = self.requests();
        let (commit, abort) =
            (std::mem::take(&mut requests.commit_batch), std::mem::take(&mut requests.abort_batch));
        one_of(commit, abort, || "Connector requested both commit and abort of same transaction".to_owned())
    }

    /// Takes the request about the record with this token, which was sent just now.
    ///
    /// # Errors
    /// Fatal where the connector asked for both.
    pub fn take_after(&self, token: u64) -> Result<Option<TransactionEnd>> {
        let mut requests = self.requests();
        if requests.commit_after.is_empty() && requests.abort_after.is_empty() {
            return Ok(None);
        }
        let (commit, abort) = (requests.commit_after.remove(&token), requests.abort_after.remove(&token));
        one_of(commit, abort, || {
            format!(
                "Connector requested both commit and abort of same record (the one with the token {token})"
            )
        })
    }
}

fn one_of(commit: bool, abort: bool, both: impl Fn() -> String) -> Result<Option<TransactionEnd>> {
    match (commit, abort) {
        (true, true) => Err(Error::new(ErrorClass::Fatal, "java.lang.IllegalStateException", both())),
        (true, false) => Ok(Some(TransactionEnd::Commit)),
        (false, true) => Ok(Some(TransactionEnd::Abort)),
        (false, false) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_cannot_have_it_both_ways() {
        let context = TransactionContext::new();
        context.commit_batch();
        context.abort_batch();
        let error = context.take_batch().unwrap_err();
        assert_eq!(error.to_string(), "Connector requested both commit and abort of same transaction");
        assert_eq!(context.take_batch().unwrap(), None, "asked for once");
        context.commit_after(1);
        context.clone().abort_after(1);
        assert_eq!(context.take_after(2).unwrap(), None);
        assert!(
            context.take_after(1).unwrap_err().to_string().contains("both commit and abort of same record")
        );
    }
}
