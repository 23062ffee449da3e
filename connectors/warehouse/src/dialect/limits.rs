//! What a database can do beside rows: transactions, parts of them, and how long names may be.

use super::Dialect;

/// How a part of a transaction is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Savepoints {
    /// By these statements: to begin a part, to keep it (where there is one), to take it back.
    Statements { set: &'static str, release: Option<&'static str>, back: &'static str },
    /// Not at all: the whole transaction is.
    None,
}

impl Dialect {
    /// How parts of a transaction are taken back.
    pub(crate) fn savepoints(self) -> Savepoints {
        let (set, release, back) = match self {
            Dialect::Oracle => ("SAVEPOINT lavka_part", None, "ROLLBACK TO SAVEPOINT lavka_part"),
            Dialect::SqlServer => ("SAVE TRANSACTION lavka_part", None, "ROLLBACK TRANSACTION lavka_part"),
            Dialect::Db2 => (
                "SAVEPOINT lavka_part ON ROLLBACK RETAIN CURSORS",
                Some("RELEASE SAVEPOINT lavka_part"),
                "ROLLBACK TO SAVEPOINT lavka_part",
            ),
            Dialect::Snowflake | Dialect::Teradata | Dialect::Hive | Dialect::Redshift | Dialect::Generic => {
                return Savepoints::None;
            }
            Dialect::Postgres | Dialect::MySql | Dialect::MariaDb | Dialect::Sqlite | Dialect::Vertica => (
                "SAVEPOINT lavka_part",
                Some("RELEASE SAVEPOINT lavka_part"),
                "ROLLBACK TO SAVEPOINT lavka_part",
            ),
        };
        Savepoints::Statements { set, release, back }
    }

    /// Whether there are transactions. Without them every statement stays, whatever comes behind it.
    pub(crate) fn has_transactions(self) -> bool {
        self != Dialect::Hive
    }

    /// Whether a row can be inserted or updated by its key in one statement, or by a table beside.
    pub(crate) fn has_upsert(self) -> bool {
        !matches!(self, Dialect::Redshift | Dialect::Hive | Dialect::Generic)
    }

    /// Whether rows can be changed and deleted. Hive's tables take new rows alone, but for those that are made otherwise.
    pub(crate) fn has_changes(self) -> bool {
        self != Dialect::Hive
    }

    /// The query for the schema (or what stands for it) that a table without one is in.
    pub(crate) fn home(self) -> Option<&'static str> {
        Some(match self {
            Dialect::Postgres | Dialect::Redshift | Dialect::Vertica | Dialect::Snowflake => {
                "SELECT CURRENT_SCHEMA()"
            }
            Dialect::MySql | Dialect::MariaDb => "SELECT DATABASE()",
            Dialect::Oracle => "SELECT SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM DUAL",
            Dialect::SqlServer => "SELECT SCHEMA_NAME()",
            Dialect::Db2 => "VALUES CURRENT SCHEMA",
            Dialect::Teradata => "SELECT DATABASE",
            Dialect::Hive => "SELECT current_database()",
            Dialect::Sqlite | Dialect::Generic => return None,
        })
    }

    /// The query for the time, as an instant or as a reading of UTC.
    pub(crate) fn now(self) -> &'static str {
        match self {
            Dialect::Postgres | Dialect::Redshift => "SELECT CURRENT_TIMESTAMP",
            Dialect::MySql | Dialect::MariaDb => "SELECT UTC_TIMESTAMP(6)",
            Dialect::Sqlite => "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
            Dialect::Vertica => "SELECT CLOCK_TIMESTAMP() AT TIME ZONE 'UTC'",
            Dialect::Oracle => "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM DUAL",
            Dialect::SqlServer => "SELECT SYSUTCDATETIME()",
            Dialect::Snowflake => "SELECT SYSDATE()",
            Dialect::Db2 => "VALUES CURRENT TIMESTAMP - CURRENT TIMEZONE",
            Dialect::Teradata => {
                "SELECT CAST(CURRENT_TIMESTAMP AT TIME ZONE INTERVAL '0:00' HOUR TO MINUTE AS TIMESTAMP(6))"
            }
            Dialect::Hive => "SELECT to_utc_timestamp(current_timestamp(), from_unixtime(0, 'z'))",
            Dialect::Generic => "SELECT CURRENT_TIMESTAMP",
        }
    }

    /// The statement that makes UTC the session's zone, where a session has one.
    pub(crate) fn utc(self) -> Option<&'static str> {
        Some(match self {
            Dialect::Postgres | Dialect::Redshift => "SET TIME ZONE 'UTC'",
            Dialect::MySql | Dialect::MariaDb => "SET time_zone = '+00:00'",
            Dialect::Vertica => "SET TIME ZONE TO 'UTC'",
            Dialect::Oracle => "ALTER SESSION SET TIME_ZONE = 'UTC'",
            Dialect::Snowflake => "ALTER SESSION SET TIMEZONE = 'UTC'",
            Dialect::Teradata => "SET TIME ZONE INTERVAL '0:00' HOUR TO MINUTE",
            Dialect::SqlServer | Dialect::Db2 | Dialect::Hive | Dialect::Sqlite | Dialect::Generic => {
                return None;
            }
        })
    }

    /// The statement by which all transactions of a session have the isolation `level`, one of JDBC's names or SQL Server's
    /// `SQL_SERVER_SNAPSHOT`; `None` where there is none.
    pub(crate) fn isolation(self, level: &str) -> Option<String> {
        let words = level.replace('_', " ");
        let standard =
            matches!(level, "READ_UNCOMMITTED" | "READ_COMMITTED" | "REPEATABLE_READ" | "SERIALIZABLE");
        match self {
            Dialect::Postgres | Dialect::Redshift | Dialect::Vertica if standard => {
                Some(format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {words}"))
            }
            Dialect::MySql | Dialect::MariaDb if standard => {
                Some(format!("SET SESSION TRANSACTION ISOLATION LEVEL {words}"))
            }
            Dialect::SqlServer if standard => Some(format!("SET TRANSACTION ISOLATION LEVEL {words}")),
            Dialect::SqlServer if level == "SQL_SERVER_SNAPSHOT" => {
                Some("SET TRANSACTION ISOLATION LEVEL SNAPSHOT".to_owned())
            }
            Dialect::Oracle if matches!(level, "READ_COMMITTED" | "SERIALIZABLE") => {
                Some(format!("ALTER SESSION SET ISOLATION_LEVEL = {words}"))
            }
            Dialect::Db2 if standard => {
                let name = match level {
                    "READ_UNCOMMITTED" => "UR",
                    "READ_COMMITTED" => "CS",
                    "REPEATABLE_READ" => "RS",
                    _ => "RR",
                };
                Some(format!("SET CURRENT ISOLATION = {name}"))
            }
            // It has that one alone.
            Dialect::Sqlite if level == "SERIALIZABLE" => Some("PRAGMA read_uncommitted = 0".to_owned()),
            Dialect::Snowflake if level == "READ_COMMITTED" => {
                Some("ALTER SESSION SET TRANSACTION_DEFAULT_ISOLATION_LEVEL = 'READ COMMITTED'".to_owned())
            }
            _ => None,
        }
    }

    /// The longest name of a table or column: so many characters, or bytes of UTF-8.
    fn longest_name(self) -> Option<(usize, bool)> {
        const BYTES: bool = true;
        const CHARACTERS: bool = false;
        Some(match self {
            Dialect::Postgres => (63, BYTES),
            Dialect::Redshift => (127, BYTES),
            Dialect::MySql | Dialect::MariaDb => (64, CHARACTERS),
            Dialect::Vertica | Dialect::Oracle | Dialect::Db2 => (128, BYTES),
            Dialect::SqlServer | Dialect::Teradata | Dialect::Hive => (128, CHARACTERS),
            Dialect::Snowflake => (255, CHARACTERS),
            Dialect::Sqlite | Dialect::Generic => return None,
        })
    }

    /// Checks a name before something is called so: some databases cut names that are too long without a word, and two
    /// columns may become one.
    ///
    /// # Errors
    /// That it is too long, and what is allowed.
    pub(crate) fn check_name(self, name: &str) -> Result<(), String> {
        let Some((limit, bytes)) = self.longest_name() else { return Ok(()) };
        let length = if bytes { name.len() } else { name.chars().count() };
        if length <= limit {
            return Ok(());
        }
        let unit = if bytes { "bytes" } else { "characters" };
        Err(format!("the name {name} has {length} {unit}, and this database takes {limit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_isolate_as_far_as_they_can() {
        for (dialect, level, statement) in [
            (
                Dialect::Postgres,
                "REPEATABLE_READ",
                Some("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
            ),
            (
                Dialect::MariaDb,
                "READ_UNCOMMITTED",
                Some("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"),
            ),
            (Dialect::SqlServer, "SQL_SERVER_SNAPSHOT", Some("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")),
            (Dialect::Oracle, "SERIALIZABLE", Some("ALTER SESSION SET ISOLATION_LEVEL = SERIALIZABLE")),
            (Dialect::Db2, "READ_UNCOMMITTED", Some("SET CURRENT ISOLATION = UR")),
            (Dialect::Oracle, "READ_UNCOMMITTED", None),
            (Dialect::Postgres, "SQL_SERVER_SNAPSHOT", None),
            (Dialect::Sqlite, "READ_COMMITTED", None),
            (Dialect::Hive, "SERIALIZABLE", None),
        ] {
            assert_eq!(dialect.isolation(level).as_deref(), statement, "{dialect:?} {level}");
        }
    }

    #[test]
    fn names_are_measured_as_their_database_does() {
        let long = "č".repeat(40);
        assert!(Dialect::Postgres.check_name(&long).unwrap_err().contains("80 bytes"));
        assert_eq!(Dialect::MySql.check_name(&long), Ok(()));
        assert!(Dialect::MySql.check_name(&"a".repeat(65)).unwrap_err().contains("65 characters"));
        assert_eq!(Dialect::Sqlite.check_name(&"a".repeat(5000)), Ok(()));
    }
}
