//! What SQLSTATEs mean.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use super::super::failure::{Failure, FailureKind};

/// A failure of the server or the client, classified.
pub(super) fn failed(error: sqlx::Error) -> Failure {
    Failure::of(error, said)
}

fn said(database: &dyn DatabaseError) -> Failure {
    let Some(server) = database.try_downcast_ref::<PgDatabaseError>() else {
        return Failure::new(FailureKind::Other, database.to_string());
    };
    let code = server.code();
    // The detail of a violated constraint holds values of the row; which constraint is enough.
    let mut text = server.message().to_owned();
    if let Some(hint) = remedy(code) {
        text.push_str(". ");
        text.push_str(hint);
    }
    Failure::new(kind(code), format!("{text} (SQLSTATE {code})"))
}

fn kind(code: &str) -> FailureKind {
    match code {
        // Two tasks make the same table or column.
        "42P07" | "42701" | "42710" => FailureKind::Exists,
        "42P01" | "42703" => FailureKind::Changed,
        // Binary data of another length than a type has, a value of another type: the table is not as it was described.
        "22P03" | "08P01" | "42804" => FailureKind::Changed,
        // An upsert that meets one row twice: the keys of two records are one to the database.
        "21000" => FailureKind::Row,
        // Shutting down, crashed, starting; a session that was ended.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => FailureKind::Lost,
        "42501" => FailureKind::Config,
        // Read-only: a standby that takes over becomes writable.
        "25006" | "55P03" | "57014" => FailureKind::Again,
        code => match code.get(..2).unwrap_or_default() {
            "08" => FailureKind::Lost,
            // Deadlocks, serialization; out of disk, memory, connections; I/O.
            "40" | "53" | "58" => FailureKind::Again,
            "22" | "23" | "44" => FailureKind::Row,
            "28" | "3D" => FailureKind::Config,
            // Raised by a trigger.
            "P0" => FailureKind::Row,
            _ => FailureKind::Other,
        },
    }
}

/// What to do about a failure, where it can be told.
pub(in super::super) fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        "42P10" => {
            "An upsert needs a primary key or unique constraint on exactly the key's columns: create one, or change the \
             fields of the key"
        }
        "28P01" | "28000" => "Check the user and the password of the connection, and pg_hba.conf",
        "3D000" => "Check the database in connection.url",
        "42501" => {
            "Give the user the right: GRANT INSERT, UPDATE, DELETE, SELECT ON TABLE ..., and CREATE ON SCHEMA for new tables"
        }
        "53100" => "The server's disk is full",
        "25006" => "The server only reads: check that connection.url leads to the primary (targetServerType)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_to_do() {
        for (code, expected) in [
            ("40P01", FailureKind::Again),
            ("40001", FailureKind::Again),
            ("53100", FailureKind::Again),
            ("25006", FailureKind::Again),
            ("57P01", FailureKind::Lost),
            ("08006", FailureKind::Lost),
            ("23505", FailureKind::Row),
            ("22003", FailureKind::Row),
            ("22021", FailureKind::Row),
            ("21000", FailureKind::Row),
            ("42P01", FailureKind::Changed),
            ("42703", FailureKind::Changed),
            ("22P03", FailureKind::Changed),
            ("42804", FailureKind::Changed),
            ("42P07", FailureKind::Exists),
            ("42P10", FailureKind::Other),
            ("28P01", FailureKind::Config),
            ("42501", FailureKind::Config),
            ("", FailureKind::Other),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }
}
