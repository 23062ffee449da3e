//! What differs between databases in the text of statements: names, types, upserts.

mod limits;
mod merge;
mod odbc_types;
#[cfg(test)]
mod snapshots;
mod sql;
mod types;

pub(crate) use limits::Savepoints;
pub(crate) use sql::{Quoting, Statements, placeholders};
pub(crate) use types::{ColumnSpec, TypeRules, literal};

/// Which database's SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    /// PostgreSQL and what speaks its protocol and its SQL.
    Postgres,
    /// PostgreSQL's protocol without `COPY FROM STDIN` and without `ON CONFLICT`.
    Redshift,
    MySql,
    MariaDb,
    Sqlite,
    Vertica,
    Oracle,
    SqlServer,
    Snowflake,
    Db2,
    Teradata,
    Hive,
    /// What every database understands; also of a connection that has not said yet which database it leads to.
    Generic,
}

impl Dialect {
    /// The names that `dialect.name` takes, each with its dialect.
    pub(crate) const NAMED: [(&'static str, Dialect); 13] = [
        ("PostgreSqlDatabaseDialect", Dialect::Postgres),
        ("RedshiftDatabaseDialect", Dialect::Redshift),
        ("MySqlDatabaseDialect", Dialect::MySql),
        ("MariaDbDatabaseDialect", Dialect::MariaDb),
        ("SqliteDatabaseDialect", Dialect::Sqlite),
        ("VerticaDatabaseDialect", Dialect::Vertica),
        ("OracleDatabaseDialect", Dialect::Oracle),
        ("SqlServerDatabaseDialect", Dialect::SqlServer),
        ("SnowflakeDatabaseDialect", Dialect::Snowflake),
        ("Db2DatabaseDialect", Dialect::Db2),
        ("TeradataDatabaseDialect", Dialect::Teradata),
        ("HiveDatabaseDialect", Dialect::Hive),
        ("GenericDatabaseDialect", Dialect::Generic),
    ];

    /// The name in `dialect.name`.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, dialect)| *dialect == self).map_or("", |(name, _)| name)
    }

    /// By the name that an ODBC driver reports of its database (`SQL_DBMS_NAME`).
    pub(crate) fn of_product(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let known = [
            ("postgres", Dialect::Postgres),
            ("greenplum", Dialect::Postgres),
            ("redshift", Dialect::Redshift),
            ("mariadb", Dialect::MariaDb),
            ("mysql", Dialect::MySql),
            ("sqlite", Dialect::Sqlite),
            ("vertica", Dialect::Vertica),
            ("oracle", Dialect::Oracle),
            // Sybase calls itself SQL Server too.
            ("microsoft sql server", Dialect::SqlServer),
            ("snowflake", Dialect::Snowflake),
            ("db2", Dialect::Db2),
            ("teradata", Dialect::Teradata),
            ("hive", Dialect::Hive),
        ];
        known.iter().find(|(part, _)| name.contains(part)).map_or(Dialect::Generic, |(_, dialect)| *dialect)
    }

    pub(crate) fn is_postgres(self) -> bool {
        matches!(self, Dialect::Postgres | Dialect::Redshift)
    }

    pub(crate) fn is_mysql(self) -> bool {
        matches!(self, Dialect::MySql | Dialect::MariaDb)
    }

    /// The port of a URL without one; 0 where a URL is no place in a network, or the ODBC driver knows it.
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Dialect::Postgres => 5432,
            Dialect::Redshift => 5439,
            Dialect::MySql | Dialect::MariaDb => 3306,
            Dialect::Vertica => 5433,
            Dialect::Snowflake => 443,
            Dialect::Db2 => 50_000,
            Dialect::Hive => 10_000,
            Dialect::Oracle | Dialect::SqlServer | Dialect::Teradata | Dialect::Sqlite | Dialect::Generic => {
                0
            }
        }
    }

    /// The character around quoted names, where one is read.
    pub(crate) fn quote(self) -> char {
        if self.is_mysql() || self == Dialect::Hive { '`' } else { '"' }
    }

    /// The characters around quoted names as they are written. SQL Server's double quotes are those of texts for who asks
    /// for that (`SET QUOTED_IDENTIFIER OFF`); its brackets never are.
    pub(crate) fn quotes(self) -> (char, char) {
        if self == Dialect::SqlServer { ('[', ']') } else { (self.quote(), self.quote()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_known_by_what_their_drivers_report() {
        for (name, dialect) in [
            ("PostgreSQL", Dialect::Postgres),
            ("MariaDB", Dialect::MariaDb),
            ("MySQL", Dialect::MySql),
            ("SQLite", Dialect::Sqlite),
            ("Vertica Database", Dialect::Vertica),
            ("Oracle", Dialect::Oracle),
            ("Microsoft SQL Server", Dialect::SqlServer),
            ("Snowflake", Dialect::Snowflake),
            ("DB2/LINUXX8664", Dialect::Db2),
            ("Teradata", Dialect::Teradata),
            ("Hive", Dialect::Hive),
            ("Apache Hive", Dialect::Hive),
            ("Amazon Redshift", Dialect::Redshift),
            ("Firebird 3.0", Dialect::Generic),
        ] {
            assert_eq!(Dialect::of_product(name), dialect, "{name}");
        }
        for (name, dialect) in Dialect::NAMED {
            assert_eq!(dialect.name(), name);
        }
    }
}
