//! Giving records to the producer.

use std::time::Duration;

use lavka_api::error::exception;
use lavka_api::{Error, Result};
use lavka_ports::{OutgoingRecord, SendError};

use super::books::Books;
use super::pump::Run;

/// How long a full client queue is waited for when no acknowledgement wakes the pump earlier.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(20);

/// What became of a record that was to be sent.
pub(super) enum Handed {
    Taken,
    /// The client does not take it, and never will.
    Refused(Error),
    /// The task is to stop; the record is withdrawn.
    Stopped,
}

/// Gives a submitted record to the producer, waiting while its queue is full.
pub(super) async fn hand_over(
    books: &Books,
    outgoing: OutgoingRecord<'_>,
    sequence: u64,
    run: &Run<'_>,
) -> Result<Handed> {
    loop {
        match books.producer.send(outgoing) {
            Ok(()) => return Ok(Handed::Taken),
            Err(SendError::QueueFull) => {
                let _ = tokio::time::timeout(QUEUE_FULL_WAIT, books.progress.notified()).await;
                if run.is_stopping() {
                    books.withdraw(sequence);
                    return Ok(Handed::Stopped);
                }
            }
            Err(SendError::Refused(error)) => return Ok(Handed::Refused(error)),
            Err(SendError::Fatal(error)) => {
                books.withdraw(sequence);
                return Err(error.wrapped_in(exception::CONNECT, "Unrecoverable exception trying to send"));
            }
        }
    }
}
