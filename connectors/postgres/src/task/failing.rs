//! What becomes of changes that cannot be made records.

use lavka_api::{Error, Result};

use crate::config::FailureMode;
use crate::pgoutput::Lsn;

/// Whether the stream goes on behind a change that could not be made records
/// (`event.processing.failure.handling.mode`).
///
/// # Errors
/// The error itself, where it is not to be passed over; what may pass by itself never is.
pub(super) fn passed_over(mode: FailureMode, lsn: Lsn, error: Error) -> Result<()> {
    match mode {
        _ if error.is_retriable() => return Err(error),
        FailureMode::Fail => return Err(error),
        FailureMode::Warn => tracing::warn!("the change at {lsn} is passed over: {error}"),
        FailureMode::Skip => tracing::debug!("the change at {lsn} is passed over: {error}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_passed_over_only_where_that_is_asked_for() {
        let broken = || Error::data("broken");
        assert!(passed_over(FailureMode::Fail, Lsn(1), broken()).is_err());
        assert!(passed_over(FailureMode::Warn, Lsn(1), broken()).is_ok());
        assert!(passed_over(FailureMode::Skip, Lsn(1), broken()).is_ok());
        assert!(passed_over(FailureMode::Skip, Lsn(1), Error::retriable("away")).is_err());
    }
}
