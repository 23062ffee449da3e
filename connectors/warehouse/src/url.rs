//! JDBC URLs: which database, where, with which properties.
//!
//! A JDBC URL is `jdbc:SUBPROTOCOL:REST`; what the rest looks like is each driver's own. Those of the PostgreSQL, Redshift,
//! MySQL, MariaDB and SQLite drivers are read here; those of databases that are reached over ODBC become attributes of an
//! ODBC connection, and `odbc:` is followed by such attributes themselves.

use lavka_api::config::Password;

use crate::dialect::Dialect;
use crate::driver::odbc::{Attributes, of_jdbc};

/// The longest URL that is read.
const MAX_URL: usize = 8192;

/// What a JDBC URL says. `Debug` shows no property values, since passwords may be among them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct JdbcUrl {
    pub(crate) dialect: Dialect,
    /// Hosts in the order in which they are tried; empty for SQLite.
    pub(crate) hosts: Vec<(String, u16)>,
    /// The database's name, or SQLite's file (`None`: the driver's default, for SQLite a database in memory).
    pub(crate) database: Option<String>,
    /// Properties with their names as written; later ones win.
    properties: Vec<(String, Password)>,
    /// What the connection is made of where it goes over ODBC.
    pub(crate) odbc: Option<Attributes>,
    /// Whether the driver is to say which database it is.
    pub(crate) asks: bool,
}

impl std::fmt::Debug for JdbcUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place())
    }
}

impl JdbcUrl {
    /// Reads `url`.
    ///
    /// # Errors
    /// What is wrong with it, without the URL itself, which may hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        if url.len() > MAX_URL {
            return Err(format!("it is longer than {MAX_URL} bytes"));
        }
        if let Some(rest) = strip_prefix_ignoring_case(url, "odbc:") {
            return Ok(Self::over_odbc(Dialect::Generic, Attributes::parse(rest)?));
        }
        let rest = strip_prefix_ignoring_case(url, "jdbc:").ok_or("it has to begin with jdbc: or odbc:")?;
        let (protocol, rest) = rest.split_once(':').ok_or("it has no database behind jdbc:")?;
        let protocol = protocol.to_ascii_lowercase();
        if let Some(found) = of_jdbc(&protocol, rest) {
            let (dialect, attributes) = found?;
            return Ok(Self::over_odbc(dialect, attributes));
        }
        let dialect = match protocol.as_str() {
            "postgresql" | "pgsql" => Dialect::Postgres,
            "redshift" => Dialect::Redshift,
            "mysql" => Dialect::MySql,
            "mariadb" => Dialect::MariaDb,
            "sqlite" => return Self::sqlite(rest),
            other => {
                return Err(format!(
                    "there is no driver for {other} in this build; use postgresql, redshift, mysql, mariadb or sqlite, \
                     or over ODBC oracle, sqlserver, vertica, snowflake, hive2, db2, teradata or odbc:DSN=..."
                ));
            }
        };
        // Modes of load balancing and replication come between the name and the hosts: jdbc:mysql:replication://...
        let rest = match rest.split_once("//") {
            Some((_, rest)) => rest,
            // jdbc:postgresql:database
            None if dialect.is_postgres() => return Self::network(dialect, "localhost", rest),
            None => return Err("// and a host have to follow the database's kind".to_owned()),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (hosts, rest) = rest.split_at(end);
        Self::network(dialect, hosts, rest.strip_prefix('/').unwrap_or(rest))
    }

    fn network(dialect: Dialect, hosts: &str, rest: &str) -> Result<Self, String> {
        let (database, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut properties = Vec::new();
        let mut places = hosts;
        // What MySQL's driver allows before the hosts: user:password@host.
        if dialect.is_mysql()
            && let Some((login, hosts)) = hosts.rsplit_once('@')
        {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            properties.push(("user".to_owned(), Password::new(decode(user)?)));
            properties.push(("password".to_owned(), Password::new(decode(password)?)));
            places = hosts;
        }
        let hosts = places
            .split(',')
            .map(|place| {
                let (name, port) = host(place)?;
                let name = if name.is_empty() { "localhost" } else { name };
                Ok((name.to_owned(), port.unwrap_or_else(|| dialect.default_port())))
            })
            .collect::<Result<Vec<_>, String>>()?;
        for property in query.split(['&', ';']).filter(|property| !property.is_empty()) {
            let (name, value) = property.split_once('=').unwrap_or((property, ""));
            properties.push((decode(name)?, Password::new(decode(value)?)));
        }
        let database = decode(database)?;
        let database = (!database.is_empty()).then_some(database);
        Ok(Self { hosts, database, properties, ..Self::bare(dialect) })
    }

    fn over_odbc(dialect: Dialect, attributes: Attributes) -> Self {
        Self { odbc: Some(attributes), asks: dialect == Dialect::Generic, ..Self::bare(dialect) }
    }

    fn bare(dialect: Dialect) -> Self {
        Self { dialect, hosts: Vec::new(), database: None, properties: Vec::new(), odbc: None, asks: false }
    }

    fn sqlite(rest: &str) -> Result<Self, String> {
        let (file, query) = match rest.split_once('?') {
            Some((file, query)) => (file, query),
            None => (rest, ""),
        };
        let mut properties = Vec::new();
        for property in query.split('&').filter(|property| !property.is_empty()) {
            let (name, value) = property.split_once('=').unwrap_or((property, ""));
            properties.push((decode(name)?, Password::new(decode(value)?)));
        }
        if file.contains('\0') {
            return Err("a file's name cannot hold a NUL".to_owned());
        }
        let file = file.strip_prefix("file:").unwrap_or(file);
        let database = (!file.is_empty() && file != ":memory:").then(|| file.to_owned());
        Ok(Self { database, properties, ..Self::bare(Dialect::Sqlite) })
    }

    /// The property of this name, in any case.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        let found = self.properties.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.reveal())
    }

    /// Adds a property; it wins over one of the same name in the URL.
    pub(crate) fn add_property(&mut self, name: &str, value: &str) {
        self.properties.push((name.to_owned(), Password::new(value)));
    }

    /// The names of properties that mean nothing here.
    pub(crate) fn ineffective(&self) -> impl Iterator<Item = &str> {
        let known: &[&str] = match self.dialect {
            Dialect::Postgres | Dialect::Redshift => {
                &["ssl", "sslmode", "sslrootcert", "sslcert", "sslkey", "ApplicationName", "currentSchema"]
            }
            Dialect::MySql | Dialect::MariaDb => {
                &["sslMode", "useSSL", "requireSSL", "verifyServerCertificate", "serverSslCert"]
            }
            Dialect::Sqlite => &["busy_timeout", "journal_mode", "synchronous", "foreign_keys", "date_class"],
            _ => &[],
        };
        // What the sinks' own keys are called behind `connection.`.
        let keys = ["url", "user", "username", "password", "attempts", "backoff.ms", "connectTimeout"];
        let own = move |name: &str| {
            ["provider", "pool.", "restart."].iter().any(|own| name.starts_with(own))
                || known.iter().chain(&keys).any(|known| known.eq_ignore_ascii_case(name))
        };
        self.properties.iter().map(|(name, _)| name.as_str()).filter(move |name| !own(name))
    }

    /// The same place as another dialect (`dialect.name` overrides what the URL says).
    pub(crate) fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self.asks = false;
        self
    }

    /// Where it is, for messages.
    pub(crate) fn place(&self) -> String {
        if let Some(attributes) = &self.odbc {
            return attributes.place();
        }
        let name = self.dialect.name();
        if self.dialect == Dialect::Sqlite {
            return format!("{name} {}", self.database.as_deref().unwrap_or(":memory:"));
        }
        let hosts: Vec<String> = self.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        format!("{name} at {}/{}", hosts.join(","), self.database.as_deref().unwrap_or_default())
    }
}

/// Host and port of `HOST[:PORT]`, also of an IPv6 address in brackets. The host may be empty.
///
/// # Errors
/// What is wrong, without the text: where it is not of the form, a password may be in it.
pub(crate) fn host(place: &str) -> Result<(&str, Option<u16>), String> {
    let place = place.trim();
    let (name, port) = if let Some(rest) = place.strip_prefix('[') {
        let (name, rest) = rest.split_once(']').ok_or("an address in [ needs a ]")?;
        (name, rest.strip_prefix(':'))
    } else {
        match place.rsplit_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (place, None),
        }
    };
    let port = port.map(str::parse).transpose();
    Ok((name, port.map_err(|_| "what follows the host's : is no port")?))
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

/// Percent-decoding, as the drivers do it.
///
/// # Errors
/// What is wrong, without the text.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.first()), digit(rest.get(1))) else {
            return Err("a % has to be followed by two hexadecimal digits".to_owned());
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
        rest = rest.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| "what is percent-encoded is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_each_driver_are_read() {
        for (url, place) in [
            (
                "jdbc:postgresql://db.example:6432/shop?ssl=true",
                "PostgreSqlDatabaseDialect at db.example:6432/shop",
            ),
            ("jdbc:postgresql:shop", "PostgreSqlDatabaseDialect at localhost:5432/shop"),
            ("jdbc:postgresql://a,b:1/", "PostgreSqlDatabaseDialect at a:5432,b:1/"),
            ("jdbc:postgresql://[::1]:5/x", "PostgreSqlDatabaseDialect at ::1:5/x"),
            ("JDBC:mysql://h/d%20b", "MySqlDatabaseDialect at h:3306/d b"),
            ("jdbc:mysql:replication://h1,h2/d", "MySqlDatabaseDialect at h1:3306,h2:3306/d"),
            ("jdbc:mariadb://h:3307/d", "MariaDbDatabaseDialect at h:3307/d"),
            ("jdbc:redshift://c.example:5439/dev", "RedshiftDatabaseDialect at c.example:5439/dev"),
            ("jdbc:sqlite:/tmp/a b.db", "SqliteDatabaseDialect /tmp/a b.db"),
            ("jdbc:sqlite::memory:", "SqliteDatabaseDialect :memory:"),
            ("jdbc:sqlite:", "SqliteDatabaseDialect :memory:"),
            ("jdbc:oracle:thin:@h:1521/x", "ODBC DBQ=h:1521/x"),
            ("ODBC:DSN=shop;PWD=secret", "ODBC DSN=shop"),
        ] {
            assert_eq!(JdbcUrl::parse(url).map(|url| url.place()), Ok(place.to_owned()), "{url}");
        }
    }

    #[test]
    fn properties_are_found_in_any_case_and_never_shown() {
        let url = JdbcUrl::parse("jdbc:mysql://me:s3cret@h/d?useSSL=false&a=%3D%26").unwrap();
        assert_eq!(url.property("USESSL"), Some("false"));
        assert_eq!((url.property("a"), url.property("user")), (Some("=&"), Some("me")));
        assert!(!format!("{url:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_no_url_is_refused_with_a_reason() {
        for (url, reason) in [
            ("postgresql://h/d", "jdbc:"),
            ("jdbc:derby:x", "no driver for derby"),
            ("jdbc:oracle:thin", "thin:"),
            ("jdbc:mysql:d", "//"),
            ("jdbc:postgresql://h:port/d", "no port"),
            ("jdbc:postgresql://me:s3cret@h/d", "no port"),
            ("jdbc:postgresql://h/%zz", "hexadecimal"),
            ("jdbc:postgresql://[::1/d", "]"),
            ("jdbc:", "database"),
            ("é", "jdbc:"),
        ] {
            let error = JdbcUrl::parse(url).unwrap_err();
            assert!(error.contains(reason) && !error.contains("s3cret"), "{url}: {error}");
        }
    }
}
