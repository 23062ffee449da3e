//! What errors of the server mean, and what to do about them.

use std::{fmt, io};

use lavka_api::{Error, ErrorClass};

/// What an error of a replication connection has where another session uses the slot (`object_in_use`): the server's
/// message may be in any language.
pub(crate) const SLOT_IN_USE: &str = "(SQLSTATE 55006)";

/// Why a replication connection cannot go on.
#[derive(Debug)]
pub(crate) enum WireError {
    /// The network's.
    Io(io::Error),
    /// The server has ended the connection, or the stream.
    Ended,
    /// What the server says is wrong, with its SQLSTATE.
    Server {
        /// Five characters; empty where the server gives none.
        code: String,
        /// The message, in the server's language.
        message: String,
    },
    /// The login does not come about.
    Login(String),
    /// What came is not the protocol.
    Protocol(String),
    /// A message larger than what is taken.
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// What is taken.
        limit: usize,
    },
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Ended => f.write_str("the server ended the connection"),
            Self::Server { code, message } => write!(f, "{message} (SQLSTATE {code})"),
            Self::Login(why) => write!(f, "the server does not accept the login: {why}"),
            Self::Protocol(what) => write!(f, "the server sent what is not its protocol: {what}"),
            Self::TooLarge { bytes, limit } => {
                write!(f, "a change of {bytes} bytes is larger than the limit of {limit}")
            }
        }
    }
}

/// What is known of an error: the server's code, where it is from the server.
struct Known<'a> {
    code: Option<&'a str>,
    text: String,
    /// The connection is gone or never was.
    network: bool,
}

/// `error` in the words of a user: what was being done, what the server said, what to run. Whatever may pass by itself is
/// retriable.
pub(crate) fn named(error: &sqlx::Error, doing: &str) -> Error {
    let known = match error {
        sqlx::Error::Database(database) => {
            let code = database.code().map(|code| code.into_owned());
            let text = database.message().to_owned();
            return classify(&Known { code: code.as_deref(), text, network: false }, doing);
        }
        // A handshake fails while bytes are read.
        sqlx::Error::Io(io) if io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            return tls_failed(doing, io);
        }
        sqlx::Error::Io(io) => Known { code: None, text: io.to_string(), network: true },
        sqlx::Error::Tls(tls) => return tls_failed(doing, tls),
        sqlx::Error::PoolClosed | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => {
            Known { code: None, text: error.to_string(), network: true }
        }
        sqlx::Error::Protocol(text) => Known { code: None, text: text.clone(), network: true },
        other => Known { code: None, text: other.to_string(), network: false },
    };
    classify(&known, doing)
}

fn tls_failed(doing: &str, why: &dyn std::fmt::Display) -> Error {
    Error::config(format!(
        "{doing}: TLS failed: {why}. Check database.sslmode, database.sslrootcert (the authority that signed the server's \
         certificate), database.sslcert and database.sslkey."
    ))
}

/// As [`named`], for errors of the replication connection.
pub(crate) fn named_wire(error: &WireError, doing: &str) -> Error {
    let text = error.to_string();
    match error {
        WireError::Server { code, .. } => {
            classify(&Known { code: Some(code.as_str()), text, network: false }, doing)
        }
        WireError::Login(_) => Error::config(format!(
            "{doing}: {text}. Check database.user and database.password, and that pg_hba.conf lets the user in."
        )),
        WireError::TooLarge { .. } => Error::fatal(format!("{doing}: {text}")),
        // As in the handshake, before anything of the protocol was said.
        WireError::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            tls_failed(doing, error)
        }
        WireError::Io(_) | WireError::Ended | WireError::Protocol(_) => {
            classify(&Known { code: None, text, network: true }, doing)
        }
    }
}

fn classify(known: &Known<'_>, doing: &str) -> Error {
    let text = &known.text;
    let code = known.code.unwrap_or_default();
    let fatal = |remedy: &str| Error::fatal(format!("{doing}: {text}. {remedy}"));
    let config = |remedy: &str| Error::config(format!("{doing}: {text}. {remedy}"));
    if text.contains("requested WAL segment") && text.contains("removed") {
        return fatal(
            "What the slot still had to send is gone. Delete the connector's offsets (DELETE /connectors/NAME/offsets, \
             with the connector stopped) and drop the slot (SELECT pg_drop_replication_slot('SLOT')), so that a new \
             snapshot is taken; raise max_slot_wal_keep_size so that it does not happen again.",
        );
    }
    if text.contains("all replication slots are in use") {
        return fatal(
            "Raise max_replication_slots in postgresql.conf and restart the server, or drop a slot that nobody reads any \
             more: SELECT slot_name FROM pg_replication_slots WHERE NOT active; SELECT pg_drop_replication_slot('SLOT').",
        );
    }
    if text.contains("exceeds max_wal_senders") || text.contains("number of requested standby connections") {
        return Error::new(
            ErrorClass::Retriable,
            lavka_api::error::exception::RETRIABLE,
            format!("{doing}: {text}. Raise max_wal_senders in postgresql.conf and restart the server."),
        );
    }
    if text.contains("wal_level") {
        return config("Set wal_level = logical in postgresql.conf and restart the server.");
    }
    match code {
        "28P01" | "28000" if text.contains("pg_hba") => config(
            "Add a line for this host and user to pg_hba.conf and reload the server: SELECT pg_reload_conf().",
        ),
        code if code.starts_with("28") => config("Check database.user and database.password."),
        "3D000" => config("Check database.dbname."),
        "42501" if text.contains("replication") || text.contains("slot") => {
            config("Give the user the right to replicate: ALTER ROLE \"USER\" REPLICATION.")
        }
        "42501" => config(
            "Give the user what it needs: GRANT USAGE ON SCHEMA s, GRANT SELECT ON TABLE t; a publication needs the \
             owner of its tables, or create it yourself and set publication.autocreate.mode=disabled.",
        ),
        // Out of memory or disk, too many connections, shutting down, starting up, serialization, deadlock, locks, I/O.
        code if ["53", "57", "40", "55", "08", "58"].iter().any(|class| code.starts_with(class)) => {
            Error::retriable(format!("{doing}: {text}"))
        }
        "" if known.network => Error::retriable(format!("{doing}: {text}")),
        _ => Error::fatal(format!("{doing}: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a text as `message (SQLSTATE code)`.
    fn server(text: &str) -> Error {
        let (message, code) = text.strip_suffix(')').unwrap().split_once(" (SQLSTATE ").unwrap();
        let error = WireError::Server { code: code.to_owned(), message: message.to_owned() };
        assert_eq!(error.to_string(), text);
        named_wire(&error, "doing it")
    }

    #[test]
    fn what_passes_by_itself_is_retriable_and_the_rest_says_what_to_run() {
        for (text, class, part) in [
            (
                "terminating connection due to administrator command (SQLSTATE 57P01)",
                ErrorClass::Retriable,
                "",
            ),
            ("the database system is starting up (SQLSTATE 57P03)", ErrorClass::Retriable, ""),
            ("replication slot \"s\" is active for PID 7 (SQLSTATE 55006)", ErrorClass::Retriable, "PID 7"),
            ("password authentication failed (SQLSTATE 28P01)", ErrorClass::Config, "database.password"),
            ("database \"x\" does not exist (SQLSTATE 3D000)", ErrorClass::Config, "database.dbname"),
            (
                "all replication slots are in use (SQLSTATE 53400)",
                ErrorClass::Fatal,
                "Raise max_replication_slots",
            ),
            (
                "must be superuser or replication role to use replication slots (SQLSTATE 42501)",
                ErrorClass::Config,
                "ALTER ROLE",
            ),
            (
                "requested WAL segment 000000010000000000000001 has already been removed (SQLSTATE 58P01)",
                ErrorClass::Fatal,
                "new snapshot",
            ),
            (
                "logical decoding requires wal_level >= logical (SQLSTATE 55000)",
                ErrorClass::Config,
                "wal_level = logical",
            ),
        ] {
            let error = server(text);
            assert_eq!(error.class(), class, "{text}");
            assert!(error.to_string().contains(part), "{error}");
        }
        let gone = named(&sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()), "connecting");
        assert!(gone.is_retriable());
    }
}
