//! ODBC's driver manager, found when the program runs.
//!
//! `odbc-api` is made to be linked with unixODBC's `libodbc`; a program so linked does not start where that library is not
//! installed. Most users have no ODBC, so the library is loaded when the first ODBC connection is asked for: this crate has
//! functions of the names that `odbc-api` calls, each of which leads on to the loaded library's. All the `unsafe` of that is
//! in one file; `odbc-api` on top of it is safe to use.
//!
//! # Invariants
//!
//! - A program with this crate has no `libodbc` among the libraries that it needs.
//! - The library is loaded once and stays.
//! - Of rows that were executed together it is known which were not done.
//! - A statement is cancelled only while it runs: [`Cancel`] holds its handle under a lock from before the call to behind it.
//!
//! # Map
//!
//! | module | what is in it |
//! | --- | --- |
//! | `functions` | ODBC's functions, and the library behind them |

mod functions;

use std::sync::{Mutex, MutexGuard, PoisonError};

use odbc_api::handles::{AnyHandle, StatementRef};
use odbc_api::sys::Handle;
use odbc_api::{ColumnarBulkInserter, Environment};

/// What to do where there is no driver manager.
const REMEDY: &str = "install unixODBC (Debian: libodbc2 and odbcinst, Red Hat: unixODBC, macOS: unixodbc) and the \
                      ODBC driver of the database";

/// The environment of this process, for which the driver manager is loaded.
///
/// # Errors
/// That there is no driver manager, or that it does not work, with what to do.
pub fn environment() -> Result<&'static Environment, String> {
    functions::load().map_err(|why| format!("there is no ODBC driver manager: {REMEDY} ({why})"))?;
    odbc_api::environment().map_err(|error| format!("the ODBC driver manager does not work: {error}"))
}

/// Whether there is a driver manager on this machine.
#[must_use]
pub fn is_installed() -> bool {
    functions::load().is_ok()
}

/// Executes the rows that are bound to a prepared statement, and tells which of them the driver did not do: a driver that
/// did some may answer that all went well. `None` where it takes no arrays of rows.
///
/// `statement` is the handle that `rows` is bound to.
///
/// # Errors
/// That of the statement.
pub fn execute_rows<C>(
    statement: Handle,
    rows: &mut ColumnarBulkInserter<StatementRef<'_>, C>,
) -> Option<Result<Vec<usize>, odbc_api::Error>> {
    let count = rows.num_rows();
    let execute = || rows.execute().map(drop);
    let (outcome, not_done) = functions::with_statuses(statement.as_hstmt(), count, execute)?;
    Some(outcome.map(|()| not_done))
}

/// Whether the column at `column` (counted from 1) of a statement's answer counts up by itself, as far as its driver
/// tells.
pub fn counts_up(statement: &impl AnyHandle, column: u16) -> bool {
    functions::counts_up(statement.as_handle().as_hstmt(), column)
}

/// Cancels the statement of one connection that is running, if one is, from another thread.
#[derive(Debug, Default)]
pub struct Cancel {
    running: Mutex<Option<Statement>>,
}

/// The handle of a statement that runs.
#[derive(Clone, Copy, Debug)]
struct Statement(usize);

impl Cancel {
    /// Notes that `statement` is about to run, until what is returned is dropped. It has to be dropped before the
    /// statement is.
    pub fn running(&self, statement: &impl AnyHandle) -> Running<'_> {
        *self.lock() = Some(Statement(statement.as_handle().0.expose_provenance()));
        Running { cancel: self }
    }

    /// Asks the driver to give up what is running. It may take its time, or not be able to.
    pub fn cancel(&self) {
        // The lock is held meanwhile, so that the statement is not freed.
        let running = self.lock();
        if let Some(Statement(address)) = *running {
            let handle = Handle(std::ptr::with_exposed_provenance_mut(address));
            let _ = functions::cancel(handle.as_hstmt());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Statement>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it is there, its statement can be cancelled.
#[derive(Debug)]
pub struct Running<'a> {
    cancel: &'a Cancel,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.cancel.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use odbc_api::{ConnectionOptions, Cursor as _};

    use super::*;

    /// Also says that nothing at all was linked: with an empty archive the functions can be ours alone.
    #[test]
    fn a_driver_manager_is_found_or_said_to_be_missing() {
        match environment() {
            Ok(environment) => {
                assert!(is_installed());
                let options = ConnectionOptions { login_timeout_sec: None, packet_size: None };
                let error = environment
                    .connect_with_connection_string("Driver={no such driver of lavka}", options)
                    .err()
                    .unwrap();
                assert!(error.to_string().contains("unixODBC"), "{error}");
            }
            Err(why) => assert!(why.contains("install unixODBC"), "{why}"),
        }
    }

    #[test]
    fn a_statement_that_is_over_is_not_cancelled() {
        let Ok(environment) = environment() else { return };
        let Ok(connection) = environment.connect_with_connection_string(
            "Driver={SQLite3};Database=:memory:",
            ConnectionOptions::default(),
        ) else {
            return;
        };
        let cancel = Cancel::default();
        cancel.cancel();
        let mut prepared = connection.prepare("SELECT 7").unwrap();
        {
            let _running = cancel.running(&odbc_api::handles::AsStatementRef::as_stmt_ref(&mut prepared));
            cancel.cancel();
        }
        let mut cursor = prepared.execute(()).unwrap().unwrap();
        let mut text = Vec::new();
        cursor.next_row().unwrap().unwrap().get_text(1, &mut text).unwrap();
        assert_eq!(text, b"7");
        cancel.cancel();
    }
}
