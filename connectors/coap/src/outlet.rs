//! The `poll` of either mode: from what the socket's loop hands over to records.

use std::sync::Arc;

use lavka_api::data::SourceRecord;
use lavka_api::plugin::DeliveryListener;
use lavka_api::{Error, Result};

use crate::handover::Handover;

/// Something that comes over the network and is settled by its ticket.
pub(crate) trait Item: Send + 'static {
    /// By which its outcome is reported.
    fn ticket(&self) -> u64;
}

/// Makes records of items.
pub(crate) trait Recorder<T>: std::fmt::Debug + Send {
    /// The record of an item; none where there is to be none.
    ///
    /// # Errors
    /// What fails the task.
    fn record(&mut self, item: T) -> Result<Option<SourceRecord>>;
}

/// Where a task's records come from.
pub(crate) struct Outlet<T> {
    handover: Arc<Handover<T>>,
    recorder: Box<dyn Recorder<T>>,
    /// Items taken at once.
    batch_size: usize,
    /// What keeps `poll` from going on, behind the records before it.
    failure: Option<Error>,
}

impl<T: Item> Outlet<T> {
    pub(crate) fn new(recorder: Box<dyn Recorder<T>>, batch_size: usize) -> Self {
        Self { handover: Arc::default(), recorder, batch_size, failure: None }
    }

    /// Where the socket's loop puts items.
    pub(crate) fn handover(&self) -> Arc<Handover<T>> {
        Arc::clone(&self.handover)
    }

    /// To whom deliveries are told.
    pub(crate) fn listener(&self) -> Arc<dyn DeliveryListener> {
        self.handover()
    }

    /// The next records, waiting for some. Nothing is lost where this future is dropped.
    ///
    /// # Errors
    /// Why the socket failed, or what an item failed the task with.
    pub(crate) async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        loop {
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            // Nothing is awaited between taking items out and handing their records out.
            let made = make(&mut *self.recorder, self.handover.take(self.batch_size).await?);
            self.failure = made.failure;
            if !made.refused.is_empty() {
                self.handover.refuse(&made.refused);
            }
            if !made.records.is_empty() {
                return Ok(made.records);
            }
        }
    }
}

/// What came of some items.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) records: Vec<SourceRecord>,
    /// Tickets of items that make no record.
    pub(crate) refused: Vec<u64>,
    /// What kept the rest of the items from becoming records.
    pub(crate) failure: Option<Error>,
}

/// Records of `items`, in their order, up to the first that fails the task.
pub(crate) fn make<T: Item>(recorder: &mut dyn Recorder<T>, items: Vec<T>) -> Made {
    let mut made = Made::default();
    for item in items {
        let ticket = item.ticket();
        match recorder.record(item) {
            Ok(Some(record)) => made.records.push(record),
            Ok(None) => made.refused.push(ticket),
            Err(error) => {
                made.failure = Some(error);
                break;
            }
        }
    }
    made
}
