//! What goes wrong over ODBC, by SQLSTATE and by the numbers of each database.

use odbc_api::Error;
use odbc_api::handles::slice_to_cow_utf8;

use crate::dialect::Dialect;
use crate::driver::{Failure, FailureKind};

/// What keeps secrets and values out of a message.
#[derive(Clone, Debug)]
pub(super) struct Wording {
    pub(super) dialect: Dialect,
    /// What is not shown.
    pub(super) secrets: Vec<lavka_api::config::Password>,
}

impl Wording {
    /// A failure of ODBC, classified.
    pub(super) fn failed(&self, error: &Error) -> Failure {
        let record = match error {
            Error::Diagnostics { record, .. }
            | Error::InvalidRowArraySize { record, .. }
            | Error::UnableToRepresentNull(record)
            | Error::OracleOdbcDriverDoesNotSupport64Bit(record)
            | Error::UnsupportedOdbcApiVersion(record) => record,
            Error::TooLargeValueForBuffer { .. } | Error::TooLargeColumnBufferSize { .. } => {
                return Failure::new(FailureKind::Row, "a value is too large for the ODBC driver");
            }
            Error::NoDiagnostics { function } => {
                let why = format!("{function} failed, and the ODBC driver does not say why");
                return Failure::new(FailureKind::Other, why);
            }
            other => return Failure::new(FailureKind::Other, self.shown(&other.to_string())),
        };
        let (state, number) = (String::from_utf8_lossy(&record.state.0), record.native_error);
        let message = slice_to_cow_utf8(&record.message);
        let kind = kind(self.dialect, &state, number, &message);
        let mut text = self.shown(message.trim());
        if let Some(remedy) = remedy(self.dialect, &state, number, &message) {
            text.push_str(". ");
            text.push_str(remedy);
        }
        Failure::new(kind, format!("{text} (SQLSTATE {state}, error {number})"))
    }

    /// A message without secrets, and without what PostgreSQL and MySQL say of the values of a duplicate.
    fn shown(&self, message: &str) -> String {
        let message = message.replace('\0', "");
        let mut lines: Vec<&str> = message.lines().map(str::trim).collect();
        lines.retain(|line| !line.is_empty() && !line.starts_with("DETAIL:"));
        let mut text = lines.join("; ");
        if let (Some(from), Some(to)) = (text.find("Duplicate entry '"), text.rfind(" for key "))
            && from + "Duplicate entry".len() <= to
        {
            text.replace_range(from + "Duplicate entry".len()..to, "");
        }
        for secret in &self.secrets {
            if !secret.reveal().is_empty() {
                text = text.replace(secret.reveal(), lavka_api::config::Password::HIDDEN);
            }
        }
        text
    }
}

fn kind(dialect: Dialect, state: &str, number: i32, message: &str) -> FailureKind {
    if let Some(known) = by_number(dialect, number, message) {
        return known;
    }
    match state {
        // The driver manager finds no driver or data source, or cannot load it.
        "IM002" | "IM003" | "IM004" | "IM005" => FailureKind::Config,
        // Undefined tables and columns: of ODBC, of the standard, of PostgreSQL, of Vertica, of DB2.
        "42S02" | "42S22" | "42P01" | "42703" | "42V01" | "42704" => FailureKind::Changed,
        // They are there.
        "42S01" | "42S21" | "42P07" | "42701" | "42710" | "42711" => FailureKind::Exists,
        // Cancelled, timeouts, locks, read-only transactions, lack of resources, shut-down.
        "57014" | "HY008" | "HYT00" | "55P03" | "57033" | "25006" | "57011" => FailureKind::Again,
        "HYT01" | "57P01" | "57P02" | "57P03" => FailureKind::Lost,
        "42501" | "HYC00" | "IM001" => FailureKind::Config,
        // A text that is no value of its type, in a statement without types (PostgreSQL, Vertica), or a value that the
        // driver cannot convert.
        "07006" | "22P02" | "HY090" => FailureKind::Row,
        _ => match state.get(..2).unwrap_or_default() {
            "08" => FailureKind::Lost,
            "40" => FailureKind::Again,
            "53" | "58" => FailureKind::Again,
            "22" | "23" | "44" => FailureKind::Row,
            "28" => FailureKind::Config,
            _ => FailureKind::Other,
        },
    }
}

/// What a database's own number says beyond the SQLSTATE.
fn by_number(dialect: Dialect, number: i32, message: &str) -> Option<FailureKind> {
    let small = u16::try_from(number).unwrap_or(0);
    Some(match dialect {
        Dialect::MySql | Dialect::MariaDb => match crate::driver::mysql::kind(small, "") {
            FailureKind::Other => return None,
            known => known,
        },
        Dialect::Sqlite => match crate::driver::sqlite::kind(u32::from(small), message) {
            FailureKind::Other => return None,
            known => known,
        },
        Dialect::Oracle => match number {
            942 | 904 => FailureKind::Changed,
            955 | 1430 => FailureKind::Exists,
            // Deadlock, busy, full, read-only, quotas.
            60 | 54 | 4021 | 1653 | 1654 | 1536 | 1652 | 16000 | 1012 => FailureKind::Again,
            28 | 1033 | 1034 | 1089 | 3113 | 3114 | 3135 | 12170 | 12514 | 12528 | 12537 | 12541 | 12543 => {
                FailureKind::Lost
            }
            1017 | 1031 | 1045 | 12154 | 12505 | 28000 | 28001 => FailureKind::Config,
            1 | 1400 | 1401 | 1407 | 1426 | 1438 | 1461 | 1722 | 1840..=1861 | 2290 | 2291 | 2292 | 12899 => {
                FailureKind::Row
            }
            _ => return None,
        },
        Dialect::SqlServer => match number {
            207 | 208 => FailureKind::Changed,
            2714 | 2705 => FailureKind::Exists,
            // Deadlock, lock timeout, log or disk full, read-only, a copy that is not the primary.
            1205 | 1222 | 9002 | 1105 | 3906 | 976 | 40501 | 40613 | 49918 => FailureKind::Again,
            18456 | 4060 | 229 | 262 => FailureKind::Config,
            2601 | 2627 | 515 | 547 | 2628 | 8152 | 8115 | 8114 | 245 | 241 | 8023 => FailureKind::Row,
            _ => return None,
        },
        Dialect::Snowflake => match number {
            2003 | 904 => FailureKind::Changed,
            2002 | 1430 => FailureKind::Exists,
            625 | 604 | 630 => FailureKind::Again,
            390_100..=390_199 | 3001 | 606 => FailureKind::Config,
            100_038 | 100_040 | 100_046 | 100_069 | 100_072 | 100_078 | 100_097 => FailureKind::Row,
            _ => return None,
        },
        Dialect::Db2 => match number {
            -204 | -206 => FailureKind::Changed,
            -601 | -612 => FailureKind::Exists,
            -911 | -913 | -964 | -289 => FailureKind::Again,
            -1224 | -30081 | -30080 => FailureKind::Lost,
            -30082 | -551 | -552 => FailureKind::Config,
            -803 | -407 | -302 | -304 | -413 | -433 | -530 | -545 | -180 | -181 | -420 => FailureKind::Row,
            _ => return None,
        },
        Dialect::Teradata => match number.unsigned_abs() {
            3807 | 5628 | 3810 => FailureKind::Changed,
            3803 | 5602 | 3739 => FailureKind::Exists,
            2631 | 2644 | 3111 | 3120 | 2641 | 3598 | 2646 => FailureKind::Again,
            8017 | 3523 | 3524 => FailureKind::Config,
            2801 | 2802 | 2803 | 3604 | 3811 | 3996 | 2620 | 2621 | 2616 | 2665 | 2666 | 6760 => {
                FailureKind::Row
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn remedy(dialect: Dialect, state: &str, number: i32, message: &str) -> Option<&'static str> {
    const READS: &str = "The database only reads: check that connection.url leads to the primary";
    const FULL: &str = "The database has no more room: make some, or raise the user's quota";
    let known = match dialect {
        Dialect::Postgres | Dialect::Redshift => crate::driver::postgres::remedy(state),
        Dialect::MySql | Dialect::MariaDb => crate::driver::mysql::remedy(u16::try_from(number).unwrap_or(0)),
        Dialect::Sqlite => crate::driver::sqlite::remedy(u32::try_from(number).unwrap_or(0), message),
        Dialect::Oracle => match number {
            1653 | 1654 | 1536 | 1652 => Some(FULL),
            16000 => Some(READS),
            _ => None,
        },
        Dialect::SqlServer => match number {
            9002 | 1105 => Some(FULL),
            3906 | 976 => Some(READS),
            _ => None,
        },
        Dialect::Db2 => matches!(number, -964 | -289).then_some(FULL),
        Dialect::Teradata => matches!(number.unsigned_abs(), 2644 | 2646).then_some(FULL),
        _ => None,
    };
    if known.is_some() {
        return known;
    }
    Some(match state {
        "IM002" => {
            "Check DSN or Driver in connection.url or lavka.odbc.connection against what odbcinst -q -d and odbcinst -q -s show"
        }
        "IM003" | "IM004" | "IM005" | "01000" if message.contains("Can't open lib") => {
            "The ODBC driver's library cannot be loaded: check its path in odbcinst.ini, and ldd of it"
        }
        "28000" => "Check the user and the password of the connection",
        "42501" => "Give the user the right to the table",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use lavka_api::config::Password;

    use super::*;

    #[test]
    fn states_and_numbers_say_what_to_do() {
        for (dialect, state, number, expected) in [
            (Dialect::Postgres, "42P01", 1, FailureKind::Changed),
            (Dialect::Postgres, "08S01", 26, FailureKind::Lost),
            (Dialect::Postgres, "23505", 1, FailureKind::Row),
            (Dialect::Postgres, "40P01", 1, FailureKind::Again),
            (Dialect::MariaDb, "23000", 1062, FailureKind::Row),
            (Dialect::MariaDb, "HY000", 2013, FailureKind::Lost),
            (Dialect::MariaDb, "28000", 1045, FailureKind::Config),
            (Dialect::Sqlite, "HY000", 19, FailureKind::Row),
            (Dialect::Sqlite, "HY000", 5, FailureKind::Again),
            (Dialect::Oracle, "HY000", 12899, FailureKind::Row),
            (Dialect::Oracle, "HY000", 3113, FailureKind::Lost),
            (Dialect::SqlServer, "42S02", 208, FailureKind::Changed),
            (Dialect::SqlServer, "40001", 1205, FailureKind::Again),
            (Dialect::Snowflake, "42S02", 2003, FailureKind::Changed),
            (Dialect::Db2, "23505", -803, FailureKind::Row),
            (Dialect::Teradata, "42S01", -3803, FailureKind::Exists),
            (Dialect::Generic, "IM002", 0, FailureKind::Config),
            (Dialect::Generic, "42000", 0, FailureKind::Other),
            (Dialect::Vertica, "", i32::MIN, FailureKind::Other),
        ] {
            assert_eq!(kind(dialect, state, number, ""), expected, "{dialect:?} {state} {number}");
        }
    }

    #[test]
    fn what_to_do_is_known_of_each_database() {
        for (dialect, state, number, says) in [
            (Dialect::Postgres, "25006", 1, "leads to the primary"),
            (Dialect::Postgres, "53100", 1, "disk is full"),
            (Dialect::MariaDb, "HY000", 1290, "leads to the primary"),
            (Dialect::MariaDb, "HY000", 1114, "disk is full"),
            (Dialect::Sqlite, "HY000", 8, "worker's user write"),
            (Dialect::Oracle, "HY000", 1653, "no more room"),
            (Dialect::SqlServer, "25000", 3906, "leads to the primary"),
            (Dialect::Db2, "57011", -964, "no more room"),
            (Dialect::Snowflake, "IM002", 0, "odbcinst"),
            (Dialect::Vertica, "28000", 0, "user and the password"),
        ] {
            let found = remedy(dialect, state, number, "");
            assert!(
                found.is_some_and(|found| found.contains(says)),
                "{dialect:?} {state} {number} {found:?}"
            );
        }
        assert_eq!(remedy(Dialect::Postgres, "42601", 1, ""), None);
    }

    #[test]
    fn secrets_and_values_are_left_out() {
        let wording =
            Wording { dialect: Dialect::MariaDb, secrets: vec![Password::new("s3cret"), Password::new("")] };
        assert_eq!(
            wording.shown(
                "[x]Duplicate entry 'Ann' for key 'PRIMARY'\nDETAIL:  Key (id)=(7)\nUID=a;PWD=s3cret\0"
            ),
            "[x]Duplicate entry for key 'PRIMARY'; UID=a;PWD=[hidden]"
        );
        assert_eq!(wording.shown(" for key Duplicate entry '"), "for key Duplicate entry '");
    }
}
