//! What a sink's configuration means, whichever sink's keys it is written with.

use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyReport, Password};
use lavka_api::{Error, Result};

use crate::config::{AivenKeys, ConfluentKeys, DebeziumKeys, IGNORED_GROUP, OdbcKeys, OurKeys};
use crate::data::{PlanRules, Semantics, WallClock};
use crate::dialect::{Dialect, Quoting, Statements, TypeRules};
use crate::driver::odbc::Attributes;
use crate::naming::{Naming, mapping};
use crate::url::JdbcUrl;

/// Whose keys a configuration is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Confluent,
    Aiven,
    Debezium,
}

/// What a record with a value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InsertMode {
    Insert,
    Upsert,
    Update,
}

/// Where the primary key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyMode {
    None,
    Kafka,
    RecordKey,
    RecordValue,
    RecordHeader,
}

/// Which fields of a value get columns.
#[derive(Clone, Debug)]
pub(crate) enum FieldFilter {
    All,
    Only(Vec<String>),
    /// Entries are `field` or `topic:field`.
    Include(Vec<String>),
    Exclude(Vec<String>),
}

impl FieldFilter {
    /// Whether `field` of values of `topic` gets a column.
    pub(crate) fn takes(&self, topic: &str, field: &str) -> bool {
        let listed = |entries: &[String]| {
            entries.iter().any(|entry| match entry.split_once(':') {
                Some((of, name)) => of.trim() == topic && name.trim() == field,
                None => entry == field,
            })
        };
        match self {
            FieldFilter::All => true,
            FieldFilter::Only(names) => names.iter().any(|name| name == field),
            FieldFilter::Include(entries) => listed(entries),
            FieldFilter::Exclude(entries) => !listed(entries),
        }
    }
}

/// How the database is reached.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) url: JdbcUrl,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Password>,
    pub(crate) attempts: u32,
    pub(crate) backoff_ms: u64,
}

/// A sink's settings.
#[derive(Clone, Debug)]
pub(crate) struct SinkSettings {
    /// The connector's name.
    pub(crate) name: String,
    pub(crate) flavour: Flavour,
    pub(crate) connection: Connection,
    pub(crate) statements: Statements,
    pub(crate) types: TypeRules,
    pub(crate) mode: InsertMode,
    pub(crate) rules: PlanRules,
    pub(crate) naming: Naming,
    pub(crate) delete: bool,
    pub(crate) truncate: bool,
    pub(crate) create: bool,
    pub(crate) evolve: bool,
    /// The names of [`TableKind`](crate::table::TableKind)s that are written to.
    pub(crate) table_types: Vec<String>,
    pub(crate) batch_size: usize,
    pub(crate) max_retries: u32,
    pub(crate) retry_backoff_ms: u64,
    /// The table of offsets, where they are kept in the database.
    pub(crate) offsets_table: Option<String>,
    /// Records of a transaction at most, unless one poll has more; 0: each poll is one, and waited for.
    pub(crate) transaction_records: usize,
}

/// A key and what is wrong with its value.
type Problem = (&'static str, String);

impl SinkSettings {
    /// Reads `config`.
    ///
    /// # Errors
    /// A config error for the first thing that is wrong.
    pub(crate) fn read(flavour: Flavour, config: &Config) -> Result<Self> {
        let settings = match flavour {
            Flavour::Confluent => Self::confluent(&ConfluentKeys::from_config(config)?, config),
            Flavour::Aiven => Self::aiven(&AivenKeys::from_config(config)?, config),
            Flavour::Debezium => Self::debezium(&DebeziumKeys::from_config(config)?, config),
        };
        let ours = OurKeys::from_config(config)?;
        let mut settings = settings.map_err(|problem| complaint(config, problem))?;
        settings.offsets_table = ours.exactly_once.then_some(ours.offsets_table);
        settings.transaction_records = usize::try_from(ours.transaction_records).unwrap_or(0);
        settings.check().map_err(|problem| complaint(config, problem))?;
        Ok(settings)
    }

    fn confluent(keys: &ConfluentKeys, config: &Config) -> Result<Self, Problem> {
        let legacy = keys.calendar == "LEGACY";
        let clock = clock("db.timezone", &keys.db_timezone, legacy)?;
        let dates = if keys.date_timezone.eq_ignore_ascii_case("UTC") {
            self::clock("date.timezone", "UTC", legacy)?
        } else {
            clock.clone()
        };
        let quoting = quoting(keys.quote_identifiers.eq_ignore_ascii_case("always"));
        let whitelist = &keys.fields_whitelist;
        let common = Common {
            flavour: Flavour::Confluent,
            url: &keys.url,
            dialect: &keys.dialect_name,
            user: keys.user.clone(),
            password: keys.password.clone(),
            mode: &keys.insert_mode,
            quoting,
        };
        let rules = PlanRules {
            key_mode: key_mode(&keys.pk_mode),
            key_fields: named(&keys.pk_fields),
            filter: if whitelist.is_empty() {
                FieldFilter::All
            } else {
                FieldFilter::Only(whitelist.clone())
            },
            semantics: Semantics::Connect {
                clock: clock.clone(),
                dates,
                timestamp_fields: keys.timestamp_fields.clone(),
                nanos: keys.timestamp_precision.eq_ignore_ascii_case("nanoseconds"),
            },
            null_to_default: keys.replace_null,
            text_column: Some(keys.text_column.clone()),
            clock,
        };
        let mut settings = common.settings(config, rules, &keys.table_name_format)?;
        settings.connection.attempts = u32::try_from(keys.attempts).unwrap_or(1);
        settings.connection.backoff_ms = u64::try_from(keys.backoff_ms).unwrap_or(0);
        settings.delete = keys.delete_enabled;
        settings.create = keys.auto_create;
        settings.evolve = keys.auto_evolve;
        settings.table_types = keys.table_types.iter().map(|name| name.to_uppercase()).collect();
        settings.batch_size = batch(keys.batch_size);
        settings.max_retries = u32::try_from(keys.max_retries).unwrap_or(0);
        settings.retry_backoff_ms = u64::try_from(keys.retry_backoff_ms).unwrap_or(0);
        Ok(settings)
    }

    fn aiven(keys: &AivenKeys, config: &Config) -> Result<Self, Problem> {
        let clock = clock("db.timezone", &keys.db_timezone, true)?;
        let whitelist = &keys.fields_whitelist;
        let common = Common {
            flavour: Flavour::Aiven,
            url: &keys.url,
            dialect: &keys.dialect_name,
            user: keys.user.clone(),
            password: keys.password.clone(),
            mode: &keys.insert_mode,
            quoting: quoting(keys.quote_identifiers),
        };
        let rules = PlanRules {
            key_mode: key_mode(&keys.pk_mode),
            key_fields: named(&keys.pk_fields),
            filter: if whitelist.is_empty() {
                FieldFilter::All
            } else {
                FieldFilter::Only(whitelist.clone())
            },
            semantics: Semantics::Connect {
                clock: clock.clone(),
                dates: clock.clone(),
                timestamp_fields: Vec::new(),
                nanos: false,
            },
            null_to_default: true,
            text_column: None,
            clock,
        };
        let mut settings = common.settings(config, rules, &keys.table_name_format)?;
        settings.connection.attempts = u32::try_from(keys.attempts).unwrap_or(1);
        settings.connection.backoff_ms = u64::try_from(keys.backoff_ms).unwrap_or(0);
        settings.naming.normalize = keys.normalize;
        settings.naming.mapping =
            mapping(&keys.topics_to_tables.clone().unwrap_or_default().join(",")).unwrap_or_default();
        settings.delete = keys.delete_enabled;
        settings.create = keys.auto_create;
        settings.evolve = keys.auto_evolve;
        settings.batch_size = batch(keys.batch_size);
        settings.max_retries = u32::try_from(keys.max_retries).unwrap_or(0);
        settings.retry_backoff_ms = u64::try_from(keys.retry_backoff_ms).unwrap_or(0);
        Ok(settings)
    }

    fn debezium(keys: &DebeziumKeys, config: &Config) -> Result<Self, Problem> {
        let older = keys.old_time_zone.as_deref().filter(|_| !config.contains("use.time.zone"));
        let clock = clock("use.time.zone", older.unwrap_or(&keys.time_zone), false)?;
        let filter = match (keys.exclude.is_empty(), keys.include.is_empty()) {
            (false, _) => FieldFilter::Exclude(keys.exclude.clone()),
            (true, false) => FieldFilter::Include(keys.include.clone()),
            (true, true) => FieldFilter::All,
        };
        let fields = keys.pk_fields.as_deref().unwrap_or_default();
        let common = Common {
            flavour: Flavour::Debezium,
            url: &keys.url,
            dialect: "",
            user: keys.user.clone(),
            password: keys.password.clone(),
            mode: &keys.insert_mode,
            quoting: quoting(keys.quote_identifiers),
        };
        let rules = PlanRules {
            key_mode: key_mode(&keys.pk_mode),
            key_fields: named(&fields.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()),
            filter,
            semantics: Semantics::Debezium,
            null_to_default: true,
            text_column: None,
            clock,
        };
        let format = keys.collection_name_format.as_deref().or(keys.table_name_format.as_deref());
        let mut settings = common.settings(config, rules, format.unwrap_or("${topic}"))?;
        settings.naming.sources = true;
        settings.naming.underscores = !keys
            .collection_naming
            .as_ref()
            .is_some_and(|class| class.0.ends_with(".PassthroughCollectionNamingStrategy"));
        settings.delete = keys.delete_enabled;
        settings.truncate = keys.truncate_enabled;
        settings.create = keys.schema_evolution.eq_ignore_ascii_case("basic");
        settings.evolve = settings.create;
        settings.batch_size = batch(keys.batch_size);
        settings.max_retries = u32::try_from(keys.flush_max_retries).unwrap_or(0);
        settings.retry_backoff_ms = u64::try_from(keys.flush_retry_delay_ms).unwrap_or(0);
        let missing =
            settings.connection.user.is_none() && settings.connection.url.property("user").is_none();
        // An ODBC data source may have its login with it.
        let optional = settings.connection.url.odbc.is_some();
        if missing && !optional && settings.statements.dialect != Dialect::Sqlite {
            return Err(("connection.username", "A value is required".to_owned()));
        }
        Ok(settings)
    }

    /// What to set so that missing tables are made.
    pub(crate) fn creation_key(&self) -> &'static str {
        if self.flavour == Flavour::Debezium { "schema.evolution=basic" } else { "auto.create=true" }
    }

    /// What to set so that missing columns are added.
    pub(crate) fn evolution_key(&self) -> &'static str {
        if self.flavour == Flavour::Debezium { "schema.evolution=basic" } else { "auto.evolve=true" }
    }

    /// Rows that are written by one statement at most: those of a `COPY` are a stream, which has no such bound.
    pub(crate) fn work_size(&self) -> usize {
        let copies = self.statements.dialect.is_postgres() && self.statements.dialect != Dialect::Redshift;
        if copies { usize::MAX } else { self.batch_size }
    }

    /// Whether polls may be written while the next ones are taken. What went wrong is to be taken back whole.
    pub(crate) fn writes_ahead(&self) -> bool {
        self.transaction_records > 0 && self.statements.dialect.has_transactions()
    }

    /// The key that bounds retries.
    pub(crate) fn retries_key(&self) -> &'static str {
        if self.flavour == Flavour::Debezium { "flush.max.retries" } else { "max.retries" }
    }

    /// The same for the database that the driver reported.
    ///
    /// # Errors
    /// A config error where it cannot do what the configuration asks for.
    pub(crate) fn for_dialect(&self, dialect: Dialect) -> Result<Self> {
        self.check_dialect(dialect)
            .map_err(|(key, detail)| Error::invalid_value(key, dialect.name(), detail))?;
        let mut settings = self.clone();
        settings.connection.url = settings.connection.url.with_dialect(dialect);
        settings.statements.dialect = dialect;
        settings.types.dialect = dialect;
        Ok(settings)
    }

    /// What the database cannot do.
    fn check_dialect(&self, dialect: Dialect) -> Result<(), Problem> {
        let name = dialect.name().trim_end_matches("DatabaseDialect");
        if self.mode == InsertMode::Upsert && !dialect.has_upsert() {
            let instead = if dialect.has_changes() { "insert or update" } else { "insert" };
            return Err(("insert.mode", format!("{name} has no upsert; use {instead}")));
        }
        if self.mode == InsertMode::Update && !dialect.has_changes() {
            return Err(("insert.mode", format!("{name} has no updates; use insert")));
        }
        if self.delete && !dialect.has_changes() {
            return Err(("delete.enabled", format!("{name} has no deletes of rows")));
        }
        if self.offsets_table.is_some() && !dialect.has_transactions() {
            return Err(("lavka.exactly.once", format!("{name} has no transactions to keep offsets in")));
        }
        Ok(())
    }

    /// What keys say against each other.
    fn check(&self) -> Result<(), Problem> {
        let confluent = self.flavour != Flavour::Debezium;
        let key = if confluent { "pk.mode" } else { "primary.key.mode" };
        if confluent && self.delete && self.rules.key_mode != KeyMode::RecordKey {
            return Err((
                "delete.enabled",
                "Primary key mode must be 'record_key' when delete support is enabled".to_owned(),
            ));
        }
        if !confluent && self.delete && matches!(self.rules.key_mode, KeyMode::None | KeyMode::Kafka) {
            return Err((
                "delete.enabled",
                "a delete needs to know which row: set primary.key.mode to record_key".to_owned(),
            ));
        }
        if self.mode != InsertMode::Insert && self.rules.key_mode == KeyMode::None {
            return Err((
                "insert.mode",
                format!("it needs a key: set {key} to record_key, record_value or kafka"),
            ));
        }
        let dialect = self.statements.dialect;
        if !self.connection.url.asks {
            self.check_dialect(dialect)?;
        }
        if self.rules.key_mode == KeyMode::Kafka && !matches!(self.rules.key_fields.len(), 0 | 3) {
            return Err((
                if confluent { "pk.fields" } else { "primary.key.fields" },
                "with kafka as the mode of the key it has to be empty or three names".to_owned(),
            ));
        }
        Ok(())
    }
}

/// What all flavours have.
struct Common<'a> {
    flavour: Flavour,
    url: &'a str,
    dialect: &'a str,
    user: Option<String>,
    password: Option<Password>,
    mode: &'a str,
    quoting: Quoting,
}

impl Common<'_> {
    fn settings(self, config: &Config, rules: PlanRules, format: &str) -> Result<SinkSettings, Problem> {
        let url = jdbc_url(self.url, self.dialect, config)?;
        let dialect = url.dialect;
        let mode = match self.mode.to_ascii_lowercase().as_str() {
            "upsert" => InsertMode::Upsert,
            "update" => InsertMode::Update,
            _ => InsertMode::Insert,
        };
        Ok(SinkSettings {
            name: config.get("name").unwrap_or_default().to_owned(),
            flavour: self.flavour,
            connection: Connection {
                url,
                user: self.user,
                password: self.password,
                attempts: 3,
                backoff_ms: 10_000,
            },
            statements: Statements { dialect, quoting: self.quoting },
            types: TypeRules { dialect, debezium: self.flavour == Flavour::Debezium },
            mode,
            rules,
            naming: Naming {
                format: format.to_owned(),
                normalize: false,
                mapping: std::collections::HashMap::new(),
                underscores: false,
                sources: false,
            },
            delete: false,
            truncate: false,
            create: false,
            evolve: false,
            table_types: vec!["TABLE".to_owned(), "PARTITIONED TABLE".to_owned()],
            batch_size: 3000,
            max_retries: 10,
            retry_backoff_ms: 3000,
            offsets_table: None,
            transaction_records: 0,
        })
    }
}

/// The URL with what `dialect.name` and further keys `connection.*` say.
pub(crate) fn jdbc_url(
    text: &str,
    dialect: &str,
    config: &Config,
) -> Result<JdbcUrl, (&'static str, String)> {
    let mut url = JdbcUrl::parse(text).map_err(|detail| ("connection.url", detail))?;
    if let Some((_, named)) = Dialect::NAMED.iter().find(|(name, _)| *name == dialect) {
        let family =
            |dialect: Dialect| (dialect.is_postgres(), dialect.is_mysql(), dialect == Dialect::Sqlite);
        if url.odbc.is_none() && (family(*named) != family(url.dialect) || *named == Dialect::Generic) {
            return Err(("dialect.name", format!("the URL is one of {}", url.dialect.name())));
        }
        url = url.with_dialect(*named);
    }
    for (name, value) in config.iter() {
        if let (Some(property), Some(value)) = (name.strip_prefix("connection."), value) {
            url.add_property(property, value);
        }
    }
    let ours = OdbcKeys::from_config(config).map_err(|error| (OdbcKeys::CONNECTION, error.to_string()))?;
    if let (Some(attributes), Some(own)) = (&url.odbc, ours.connection.as_ref()) {
        let mut own = Attributes::parse(own.reveal()).map_err(|detail| (OdbcKeys::CONNECTION, detail))?;
        own.extend(attributes);
        url.odbc = Some(own);
    }
    Ok(url)
}

/// The keys in `config` that have no effect, with the reason.
pub(crate) fn ignored(definition: &ConfigDef, config: &Config) -> Vec<(String, String)> {
    definition
        .iter()
        .filter(|key| key.group.as_deref() == Some(IGNORED_GROUP) && config.contains(&key.name))
        .map(|key| (key.name.to_string(), key.doc.to_string()))
        .collect()
}

/// Adds to `reports` what is wrong between keys that are fine each by itself.
pub(crate) fn cross_check(outcome: Result<()>, mut reports: Vec<KeyReport>) -> Vec<KeyReport> {
    if reports.iter().all(|report| report.errors.is_empty())
        && let Err(error) = outcome
    {
        let text = error.to_string();
        let named = |report: &&mut KeyReport| text.contains(&format!("configuration {}:", report.name));
        if let Some(report) = reports.iter_mut().find(named) {
            report.errors.push(text);
        } else if let Some(first) = reports.first_mut() {
            first.errors.push(text);
        }
    }
    reports
}

fn complaint(config: &Config, (key, detail): Problem) -> Error {
    // A URL may have a password in it.
    let value = if key == "connection.url" { "" } else { config.get(key).unwrap_or("null") };
    let value = if value.is_empty() { Password::HIDDEN } else { value };
    Error::invalid_value(key, value, detail)
}

fn clock(key: &'static str, zone: &str, legacy: bool) -> Result<WallClock, Problem> {
    WallClock::parse(zone, legacy).ok_or((key, "Invalid time zone identifier".to_owned()))
}

fn quoting(always: bool) -> Quoting {
    if always { Quoting::Always } else { Quoting::Never }
}

fn key_mode(text: &str) -> KeyMode {
    match text.to_ascii_lowercase().as_str() {
        "kafka" => KeyMode::Kafka,
        "record_key" => KeyMode::RecordKey,
        "record_value" => KeyMode::RecordValue,
        "record_header" => KeyMode::RecordHeader,
        _ => KeyMode::None,
    }
}

fn named(names: &[String]) -> Vec<String> {
    names.iter().filter(|name| !name.is_empty()).cloned().collect()
}

/// 0 is 1: nothing could be written together otherwise.
fn batch(size: i32) -> usize {
    usize::try_from(size).unwrap_or(1).max(1)
}
