//! Connection strings of ODBC: attributes with their values, from strings and from the JDBC URLs of databases that have no
//! driver here but ODBC's.

use lavka_api::config::Password;

use crate::dialect::Dialect;
use crate::url::{decode, host};

/// Attributes of a connection. Of two with one name the first counts, as in ODBC. `Debug` shows no values, since
/// passwords may be among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<(String, Password)>);

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place())
    }
}

/// Those that say where a connection leads, and hold no secrets.
const PLACES: &[&str] = &[
    "DSN",
    "Driver",
    "Server",
    "ServerName",
    "Host",
    "HostName",
    "DBCName",
    "Port",
    "Database",
    "DBQ",
    "DefaultDatabase",
    "Schema",
];

impl Attributes {
    /// Reads `NAME=VALUE;...`, where a value in braces may hold anything, `}}` meaning a brace.
    ///
    /// # Errors
    /// What is wrong, without the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut attributes = Self::default();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (name, behind) = rest.split_once('=').ok_or("an attribute needs a = behind its name")?;
            let name = name.trim_start_matches([';', ' ']).trim();
            if name.is_empty() {
                return Err("an attribute needs a name before its =".to_owned());
            }
            let (value, behind) = match behind.trim_start().strip_prefix('{') {
                Some(braced) => braces(braced).ok_or("a { needs a }")?,
                None => {
                    let (value, behind) = behind.split_once(';').unwrap_or((behind, ""));
                    (value.trim().to_owned(), behind)
                }
            };
            attributes.add(name, &value);
            rest = behind.trim_start_matches([';', ' ']);
        }
        Ok(attributes)
    }

    /// Adds an attribute, unless there is one of this name.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.0.push((name.to_owned(), Password::new(value)));
        }
    }

    /// The value of this name, in any case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.reveal())
    }

    /// Adds those of `other` that are not there yet.
    pub(crate) fn extend(&mut self, other: &Attributes) {
        for (name, value) in &other.0 {
            self.add(name, value.reveal());
        }
    }

    /// The connection string. It may have a password in it.
    pub(super) fn connection_string(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.0 {
            let value = value.reveal();
            out.push_str(name);
            out.push('=');
            if value.contains(['[', ']', '{', '}', '(', ')', ',', ';', '?', '*', '=', '!', '@', ' ']) {
                out.push('{');
                out.push_str(&value.replace('}', "}}"));
                out.push('}');
            } else {
                out.push_str(value);
            }
            out.push(';');
        }
        out
    }

    /// Where it leads, for messages.
    pub(crate) fn place(&self) -> String {
        let shown = PLACES.iter().filter_map(|name| Some(format!("{name}={}", self.get(name)?)));
        format!("ODBC {}", shown.collect::<Vec<_>>().join(";"))
    }
}

/// What is before the closing brace, with its doubles made single, and what is behind it.
fn braces(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '}' {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '}') {
            chars.next();
            value.push('}');
        } else {
            return text.get(at + 1..).map(|behind| (value, behind));
        }
    }
    None
}

/// The dialect and the attributes of a JDBC URL's `rest` behind its subprotocol; `None` for databases that are not
/// reached over ODBC.
pub(crate) fn of_jdbc(protocol: &str, rest: &str) -> Option<Result<(Dialect, Attributes), String>> {
    Some(match protocol {
        "oracle" => oracle(rest).map(|found| (Dialect::Oracle, found)),
        "sqlserver" | "microsoft" | "jtds" => sql_server(rest).map(|found| (Dialect::SqlServer, found)),
        "vertica" => vertica(rest).map(|found| (Dialect::Vertica, found)),
        "hive2" => hive(rest).map(|found| (Dialect::Hive, found)),
        "snowflake" => snowflake(rest).map(|found| (Dialect::Snowflake, found)),
        "db2" => db2(rest).map(|found| (Dialect::Db2, found)),
        "teradata" => teradata(rest).map(|found| (Dialect::Teradata, found)),
        // The bridge that Java once had.
        "odbc" if !rest.contains('=') => {
            let mut attributes = Attributes::default();
            attributes.add("DSN", rest);
            Ok((Dialect::Generic, attributes))
        }
        "odbc" => Attributes::parse(rest).map(|found| (Dialect::Generic, found)),
        _ => return None,
    })
}

/// Words by which the description of an installed driver is known for a dialect's.
pub(super) fn driver_words(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Oracle => &["oracle"],
        Dialect::SqlServer => &["sql server"],
        Dialect::Vertica => &["vertica"],
        Dialect::Hive => &["hive"],
        Dialect::Snowflake => &["snowflake"],
        Dialect::Db2 => &["db2"],
        Dialect::Teradata => &["teradata"],
        Dialect::Postgres | Dialect::Redshift => &["postgresql unicode", "redshift"],
        Dialect::MySql | Dialect::MariaDb => &["mariadb", "mysql"],
        Dialect::Sqlite => &["sqlite3"],
        Dialect::Generic => &[],
    }
}

/// `NAME=VALUE` pairs with something between.
fn pairs<'a>(text: &'a str, between: &'a [char]) -> impl Iterator<Item = (&'a str, &'a str)> {
    text.split(between).filter(|pair| !pair.trim().is_empty()).map(|pair| {
        pair.split_once('=').map_or((pair.trim(), ""), |(name, value)| (name.trim(), value.trim()))
    })
}

/// Adds properties under the names that they have in ODBC; others have no meaning there.
fn add_known(attributes: &mut Attributes, name: &str, value: &str, known: &[(&str, &str)]) {
    let login = [("user", "UID"), ("username", "UID"), ("password", "PWD")];
    let found = known.iter().chain(&login).find(|(jdbc, _)| jdbc.eq_ignore_ascii_case(name));
    if let Some((_, odbc)) = found {
        attributes.add(odbc, value);
    }
}

/// `true` and `false` as most drivers have them.
fn yes(value: &str) -> &'static str {
    if value.eq_ignore_ascii_case("true") || value == "1" { "yes" } else { "no" }
}

/// Host and port of `HOST[:PORT]`.
fn place(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = host(text)?;
    if host.is_empty() { Err("it names no host".to_owned()) } else { Ok((host, port)) }
}

/// Adds the port, or that of the database where the URL has none.
fn add_port(attributes: &mut Attributes, port: Option<u16>, dialect: Dialect) {
    attributes.add("Port", &port.unwrap_or_else(|| dialect.default_port()).to_string());
}

fn behind_slashes(rest: &str) -> Result<&str, String> {
    rest.split_once("//")
        .map(|(_, rest)| rest)
        .ok_or_else(|| "// and a host have to follow the database's kind".to_owned())
}

/// `thin:[user/password]@//host:port/service`, `@host:port:sid`, `@tns` or `@(DESCRIPTION=...)`.
fn oracle(rest: &str) -> Result<Attributes, String> {
    let (_, rest) = rest.split_once(':').ok_or("thin: or oci: has to follow oracle:")?;
    // A password may hold an @ too; what is behind the right one is shown in messages.
    let described = if rest.ends_with(')') { rest.rfind("@(") } else { None };
    let at = described.or_else(|| rest.rfind('@')).ok_or("an @ has to come before the database's place")?;
    let (login, place) = (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default());
    let mut attributes = Attributes::default();
    let easy = place.strip_prefix("//").unwrap_or(place);
    let parts: Vec<&str> = easy.split(':').collect();
    let dbq = match parts.as_slice() {
        [host, port, sid] if !place.starts_with(['(', '/']) && !sid.contains('/') => format!(
            "(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST={host})(PORT={port}))(CONNECT_DATA=(SID={sid})))"
        ),
        _ => easy.to_owned(),
    };
    if dbq.is_empty() {
        return Err("it names no database behind the @".to_owned());
    }
    attributes.add("DBQ", &dbq);
    if let Some((user, password)) = login.split_once('/') {
        attributes.add("UID", user);
        attributes.add("PWD", password);
    }
    Ok(attributes)
}

/// `//host\\instance:port;name=value;...`, or jTDS's `sqlserver://host:port/database;name=value`.
fn sql_server(rest: &str) -> Result<Attributes, String> {
    let rest = behind_slashes(rest)?;
    let (server, properties) = rest.split_once(';').unwrap_or((rest, ""));
    let (server, database) = server.split_once('/').unwrap_or((server, ""));
    let mut attributes = Attributes::default();
    let named = pairs(properties, &[';']).find(|(name, _)| name.eq_ignore_ascii_case("serverName"));
    let server = if server.is_empty() { named.map_or("", |(_, value)| value) } else { server };
    let (host, port) = place(server)?;
    attributes.add("Server", &port.map_or(host.to_owned(), |port| format!("{host},{port}")));
    if !database.is_empty() {
        attributes.add("Database", database);
    }
    for (name, value) in pairs(properties, &[';']) {
        match name.to_ascii_lowercase().as_str() {
            "encrypt" if value.eq_ignore_ascii_case("strict") => attributes.add("Encrypt", "strict"),
            "encrypt" => attributes.add("Encrypt", yes(value)),
            "trustservercertificate" => attributes.add("TrustServerCertificate", yes(value)),
            "integratedsecurity" => attributes.add("Trusted_Connection", yes(value)),
            _ => add_known(
                &mut attributes,
                name,
                value,
                &[
                    ("databaseName", "Database"),
                    ("database", "Database"),
                    ("applicationName", "APP"),
                    ("hostNameInCertificate", "HostNameInCertificate"),
                    ("multiSubnetFailover", "MultiSubnetFailover"),
                    ("applicationIntent", "ApplicationIntent"),
                    ("authentication", "Authentication"),
                ],
            ),
        }
    }
    Ok(attributes)
}

/// `//host:port/database?name=value&...`.
fn vertica(rest: &str) -> Result<Attributes, String> {
    let rest = behind_slashes(rest)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (server, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = place(server)?;
    let mut attributes = Attributes::default();
    attributes.add("ServerName", host);
    add_port(&mut attributes, port, Dialect::Vertica);
    attributes.add("Database", database);
    for (name, value) in pairs(query, &['&']) {
        let known = [
            ("TLSmode", "TLSMode"),
            ("BackupServerNode", "BackupServerNode"),
            ("ConnectionLoadBalance", "ConnectionLoadBalance"),
            ("SearchPath", "SearchPath"),
            ("Label", "Label"),
        ];
        add_known(&mut attributes, name, &decode(value)?, &known);
    }
    Ok(attributes)
}

/// `//host:port/database;name=value;...?configuration#variables`.
fn hive(rest: &str) -> Result<Attributes, String> {
    let rest = behind_slashes(rest)?;
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (rest, properties) = rest.split_once(';').unwrap_or((rest, ""));
    let (server, database) = rest.split_once('/').unwrap_or((rest, ""));
    let mut attributes = Attributes::default();
    attributes.add("HiveServerType", "2");
    let property = |wanted: &str| {
        pairs(properties, &[';']).find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    if property("serviceDiscoveryMode").is_some() {
        attributes.add("ServiceDiscoveryMode", "1");
        attributes.add("Host", server);
        attributes.add("ZKNamespace", property("zooKeeperNamespace").unwrap_or("hiveserver2"));
    } else {
        let (host, port) = place(server)?;
        attributes.add("Host", host);
        add_port(&mut attributes, port, Dialect::Hive);
    }
    attributes.add("Schema", if database.is_empty() { "default" } else { database });
    if let Some(principal) = property("principal") {
        let (service, rest) = principal.split_once('/').unwrap_or(("hive", principal));
        let (host, realm) = rest.split_once('@').unwrap_or((rest, ""));
        attributes.add("AuthMech", "1");
        attributes.add("KrbServiceName", service);
        attributes.add("KrbHostFQDN", host);
        if !realm.is_empty() {
            attributes.add("KrbRealm", realm);
        }
    }
    if property("ssl").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        attributes.add("SSL", "1");
    }
    if property("transportMode").is_some_and(|value| value.eq_ignore_ascii_case("http")) {
        attributes.add("ThriftTransport", "2");
        attributes.add("HTTPPath", property("httpPath").unwrap_or("cliservice"));
    }
    for (name, value) in pairs(properties, &[';']) {
        add_known(&mut attributes, name, value, &[]);
    }
    Ok(attributes)
}

/// `//account.snowflakecomputing.com/?name=value&...`.
fn snowflake(rest: &str) -> Result<Attributes, String> {
    let rest = behind_slashes(rest)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, port) = place(rest.trim_end_matches('/'))?;
    let mut attributes = Attributes::default();
    attributes.add("Server", host);
    add_port(&mut attributes, port, Dialect::Snowflake);
    for (name, value) in pairs(query, &['&']) {
        let known = [
            ("db", "Database"),
            ("schema", "Schema"),
            ("warehouse", "Warehouse"),
            ("role", "Role"),
            ("authenticator", "Authenticator"),
            ("token", "Token"),
            ("private_key_file", "PRIV_KEY_FILE"),
            ("private_key_file_pwd", "PRIV_KEY_FILE_PWD"),
        ];
        add_known(&mut attributes, name, &decode(value)?, &known);
    }
    Ok(attributes)
}

/// `//host:port/database:name=value;...`.
fn db2(rest: &str) -> Result<Attributes, String> {
    let rest = behind_slashes(rest)?;
    let (server, rest) = rest.split_once('/').ok_or("a / and the database have to follow the host")?;
    let (database, properties) = rest.split_once(':').unwrap_or((rest, ""));
    let (host, port) = place(server)?;
    let mut attributes = Attributes::default();
    attributes.add("Hostname", host);
    add_port(&mut attributes, port, Dialect::Db2);
    attributes.add("Database", database);
    attributes.add("Protocol", "TCPIP");
    for (name, value) in pairs(properties, &[';']) {
        match name.to_ascii_lowercase().as_str() {
            "sslconnection" if yes(value) == "yes" => attributes.add("Security", "SSL"),
            _ => add_known(
                &mut attributes,
                name,
                value,
                &[("currentSchema", "CurrentSchema"), ("sslCertLocation", "SSLServerCertificate")],
            ),
        }
    }
    Ok(attributes)
}

/// `//host/NAME=VALUE,...`.
fn teradata(rest: &str) -> Result<Attributes, String> {
    let rest = behind_slashes(rest)?;
    let (host, properties) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, _) = place(host)?;
    let mut attributes = Attributes::default();
    attributes.add("DBCName", host);
    // Without it the driver sends ASCII, and what is not in it is lost.
    attributes.add("CharacterSet", "UTF16");
    for (name, value) in pairs(properties, &[',']) {
        let known = [
            ("DATABASE", "DefaultDatabase"),
            ("DBS_PORT", "TDMSTPortNumber"),
            ("TMODE", "SessionMode"),
            ("LOGMECH", "MechanismName"),
            ("LOGDATA", "MechanismKey"),
            ("ACCOUNT", "Account"),
            ("SSLMODE", "SSLMode"),
        ];
        add_known(&mut attributes, name, value, &known);
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jdbc_urls_become_connection_strings() {
        for (protocol, rest, string) in [
            ("oracle", "thin:@//db:1521/shop", "DBQ=db:1521/shop;"),
            ("oracle", "thin:me/s3cret@shop_tns", "DBQ=shop_tns;UID=me;PWD=s3cret;"),
            (
                "oracle",
                "thin:@db:1521:XE",
                "DBQ={(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=db)(PORT=1521))(CONNECT_DATA=(SID=XE)))};",
            ),
            ("oracle", "thin:@(DESCRIPTION=(X=1))", "DBQ={(DESCRIPTION=(X=1))};"),
            ("oracle", "thin:me/s3@cret@//db/shop", "DBQ=db/shop;UID=me;PWD={s3@cret};"),
            (
                "oracle",
                "thin:me/s3@(cret@(DESCRIPTION=(X=a@b))",
                "DBQ={(DESCRIPTION=(X=a@b))};UID=me;PWD={s3@(cret};",
            ),
            (
                "sqlserver",
                "//db:1433;databaseName=shop;encrypt=true;trustServerCertificate=false;user=me;password=a;sendTimeAsDatetime=false",
                "Server={db,1433};Database=shop;Encrypt=yes;TrustServerCertificate=no;UID=me;PWD=a;",
            ),
            ("jtds", "sqlserver://db/shop", "Server=db;Database=shop;"),
            ("vertica", "//db/shop?user=me", "ServerName=db;Port=5433;Database=shop;UID=me;"),
            (
                "hive2",
                "//db:10001/web;principal=hive/_HOST@EXAMPLE.ORG;ssl=true;transportMode=http;httpPath=cliservice?x=1",
                "HiveServerType=2;Host=db;Port=10001;Schema=web;AuthMech=1;KrbServiceName=hive;KrbHostFQDN=_HOST;\
                 KrbRealm=EXAMPLE.ORG;SSL=1;ThriftTransport=2;HTTPPath=cliservice;",
            ),
            (
                "snowflake",
                "//acme.snowflakecomputing.com/?db=SHOP&schema=PUBLIC&warehouse=WH",
                "Server=acme.snowflakecomputing.com;Port=443;Database=SHOP;Schema=PUBLIC;Warehouse=WH;",
            ),
            (
                "db2",
                "//db:50001/shop:currentSchema=WEB;user=me;",
                "Hostname=db;Port=50001;Database=shop;Protocol=TCPIP;CurrentSchema=WEB;UID=me;",
            ),
            (
                "teradata",
                "//db/DATABASE=shop,TMODE=ANSI,DBS_PORT=1026",
                "DBCName=db;CharacterSet=UTF16;DefaultDatabase=shop;SessionMode=ANSI;TDMSTPortNumber=1026;",
            ),
            ("odbc", "shop", "DSN=shop;"),
            ("odbc", "Driver={X {y}}};UID=a", "Driver={X {y}}};UID=a;"),
        ] {
            let (_, attributes) = of_jdbc(protocol, rest).unwrap().unwrap();
            assert_eq!(attributes.connection_string(), string, "{protocol}:{rest}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused_without_the_url() {
        for (protocol, rest) in [
            ("oracle", "s3cret"),
            ("oracle", "thin:s3cret"),
            ("oracle", "thin:a/s3cret@"),
            ("sqlserver", "s3cret"),
            ("sqlserver", "//;password=s3cret"),
            ("vertica", "//h:port/d?password=s3cret"),
            ("vertica", "//me:s3cret@h/d"),
            ("db2", "//h;s3cret"),
            ("odbc", "DSN=x;s3cret"),
            ("odbc", "DSN={s3cret=;"),
            ("odbc", "=s3cret"),
        ] {
            let error = of_jdbc(protocol, rest).unwrap().unwrap_err();
            assert!(!error.contains("s3cret"), "{protocol}:{rest}: {error}");
        }
        assert!(of_jdbc("postgresql", "//h/d").is_none());
    }

    #[test]
    fn secrets_are_in_the_string_alone() {
        let attributes = Attributes::parse("DSN=shop;UID=me;PWD={s3;cr}}et};Port=1;pwd=other").unwrap();
        assert_eq!(attributes.get("Pwd"), Some("s3;cr}et"));
        assert_eq!(attributes.connection_string(), "DSN=shop;UID=me;PWD={s3;cr}}et};Port=1;");
        assert_eq!(format!("{attributes:?}"), "ODBC DSN=shop;Port=1");
    }
}
