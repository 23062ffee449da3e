//! What the source's configuration means.

use lavka_api::config::{Config, ConfigSpec as _, Password};
use lavka_api::{Error, Result};
use regex::Regex;

use super::columns::ColumnMapping;
use crate::config::SourceKeys;
use crate::data::WallClock;
use crate::dialect::{Dialect, Quoting, Statements};
use crate::settings::{Connection, jdbc_url};
use crate::table::{TableId, TableKind};

/// How new rows are told from old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) incrementing: bool,
    pub(crate) timestamp: bool,
}

impl Mode {
    /// Everything is read each time.
    pub(crate) fn is_bulk(self) -> bool {
        !self.incrementing && !self.timestamp
    }
}

/// What `NUMERIC` columns become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumericMapping {
    None,
    PrecisionOnly,
    BestFit,
    EagerDouble,
}

/// What timestamp columns become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granularity {
    Logical,
    /// A number of so many nanoseconds each.
    Long(i64),
    /// Its text.
    Text(i64),
    /// A date and time with so many digits.
    Iso(usize),
}

/// The source's settings.
#[derive(Clone, Debug)]
pub(crate) struct SourceSettings {
    pub(crate) connection: Connection,
    pub(crate) statements: Statements,
    pub(crate) mode: Mode,
    pub(crate) incrementing: String,
    pub(crate) timestamps: Vec<String>,
    /// Where tables differ in these columns.
    incrementing_by: ColumnMapping,
    timestamps_by: ColumnMapping,
    pub(crate) initial: Option<i64>,
    pub(crate) validate: bool,
    /// Instead of tables.
    pub(crate) query: Option<String>,
    pub(crate) suffix: String,
    /// How often in a row a read may fail before the task does; 0: as often as it does.
    pub(crate) retries: u32,
    /// What a session begins with, where its transactions are not those of the server's default.
    pub(crate) isolation: Option<String>,
    pub(crate) poll_ms: u64,
    pub(crate) tables_ms: u64,
    pub(crate) batch: usize,
    pub(crate) prefix: String,
    pub(crate) delay_ms: i64,
    pub(crate) clock: WallClock,
    pub(crate) zone: String,
    pub(crate) granularity: Granularity,
    pub(crate) numeric: NumericMapping,
    /// The tables of a task.
    pub(crate) tables: Vec<String>,
    filter: TableFilter,
}

#[derive(Clone, Debug)]
struct TableFilter {
    include: Vec<String>,
    exclude: Vec<String>,
    include_patterns: Vec<Regex>,
    exclude_patterns: Vec<Regex>,
    schema: Option<Regex>,
    kinds: Vec<String>,
}

impl SourceSettings {
    /// Reads `config`.
    ///
    /// # Errors
    /// A config error for the first thing that is wrong.
    pub(crate) fn read(config: &Config) -> Result<Self> {
        let keys = SourceKeys::from_config(config)?;
        let invalid =
            |key: &str, detail: &str| Error::invalid_value(key, config.get(key).unwrap_or("null"), detail);
        let url = jdbc_url(&keys.url, &keys.dialect_name, config)
            .map_err(|(key, detail)| Error::invalid_value(key, Password::HIDDEN, detail))?;
        let clock = WallClock::parse(&keys.db_timezone, false)
            .ok_or_else(|| invalid("db.timezone", "Invalid time zone identifier"))?;
        let mode = keys.mode.to_ascii_lowercase();
        let mode =
            Mode { incrementing: mode.contains("incrementing"), timestamp: mode.contains("timestamp") };
        let timestamps: Vec<String> = keys.timestamps.into_iter().filter(|name| !name.is_empty()).collect();
        let masked = keys.query_masked.as_ref().map(Password::reveal).unwrap_or_default().to_owned();
        // What is hidden is not shown in complaints.
        let query_key = if masked.is_empty() { "query" } else { "query.masked" };
        let invalid_query = |detail: &str| match masked.is_empty() {
            true => invalid("query", detail),
            false => Error::invalid_value(query_key, Password::HIDDEN, detail),
        };
        if !keys.query.is_empty() && !masked.is_empty() {
            return Err(invalid_query("query and query.masked exclude each other"));
        }
        let query = [keys.query, masked.clone()].into_iter().find(|query| !query.is_empty());
        let columns = |key: &str, entries: &[String], several| {
            ColumnMapping::parse(entries, several).map_err(|detail| invalid(key, &detail))
        };
        let incrementing_by = columns("incrementing.column.mapping", &keys.incrementing_mapping, false)?;
        let timestamps_by = columns("timestamp.columns.mapping", &keys.timestamps_mapping, true)?;
        if mode.timestamp && timestamps.is_empty() && (query.is_some() || timestamps_by.is_empty()) {
            return Err(invalid("mode", "this mode needs timestamp.column.name"));
        }
        if query.is_some() && mode.incrementing && keys.incrementing.is_empty() {
            return Err(invalid_query("with this mode a query needs incrementing.column.name"));
        }
        let listed = [&keys.include, &keys.exclude, &keys.include_patterns, &keys.exclude_patterns];
        if query.is_some() && listed.iter().any(|list| !list.is_empty()) {
            return Err(invalid_query("a query and lists of tables exclude each other"));
        }
        if !keys.include.is_empty() && !keys.exclude.is_empty() {
            return Err(invalid("table.blacklist", "table.whitelist and table.blacklist exclude each other"));
        }
        let patterns = |key: &str, list: &[String]| {
            let compiled = list.iter().map(|pattern| Regex::new(&format!("^(?:{pattern})$")));
            compiled.collect::<Result<Vec<_>, _>>().map_err(|error| invalid(key, &error.to_string()))
        };
        let numeric = match keys.numeric_mapping.map(|mapping| mapping.to_ascii_lowercase()).as_deref() {
            Some("precision_only") => NumericMapping::PrecisionOnly,
            Some("best_fit") => NumericMapping::BestFit,
            Some("best_fit_eager_double") => NumericMapping::EagerDouble,
            None if keys.numeric_precision => NumericMapping::PrecisionOnly,
            _ => NumericMapping::None,
        };
        let granularity = match keys.granularity.to_ascii_lowercase().as_str() {
            "micros_long" => Granularity::Long(1000),
            "nanos_long" => Granularity::Long(1),
            "micros_string" => Granularity::Text(1000),
            "nanos_string" => Granularity::Text(1),
            "micros_iso_datetime_string" => Granularity::Iso(6),
            "nanos_iso_datetime_string" => Granularity::Iso(9),
            _ => Granularity::Logical,
        };
        let schema = keys.schema_pattern.as_deref().map(like);
        let filter = TableFilter {
            include: keys.include,
            exclude: keys.exclude,
            include_patterns: patterns("table.include.list", &keys.include_patterns)?,
            exclude_patterns: patterns("table.exclude.list", &keys.exclude_patterns)?,
            schema: schema.transpose().map_err(|error| invalid("schema.pattern", &error.to_string()))?,
            kinds: keys.table_types.iter().map(|kind| kind.to_uppercase()).collect(),
        };
        let dialect = url.dialect;
        let isolation = match keys.isolation.to_ascii_uppercase().as_str() {
            "DEFAULT" => None,
            // Which statement it is, is known when the database is.
            level => Some(level.to_owned()),
        };
        let settings = Self {
            connection: Connection {
                url,
                user: keys.user,
                password: keys.password,
                attempts: u32::try_from(keys.attempts).unwrap_or(1),
                backoff_ms: u64::try_from(keys.backoff_ms).unwrap_or(0),
            },
            statements: Statements { dialect, quoting: Quoting::Always },
            mode,
            incrementing: keys.incrementing,
            timestamps,
            incrementing_by,
            timestamps_by,
            initial: keys.timestamp_initial,
            validate: keys.validate_non_null,
            query,
            suffix: keys.query_suffix,
            retries: u32::try_from(keys.query_retries).unwrap_or(0),
            isolation,
            poll_ms: u64::try_from(keys.poll_interval_ms).unwrap_or(0),
            tables_ms: u64::try_from(keys.table_poll_interval_ms).unwrap_or(60_000),
            batch: usize::try_from(keys.batch_max_rows).unwrap_or(1),
            prefix: keys.topic_prefix,
            delay_ms: keys.delay_ms,
            clock,
            zone: keys.db_timezone,
            granularity,
            numeric,
            tables: keys.tables,
            filter,
        };
        if !settings.connection.url.asks {
            settings.isolate().map_err(|detail| invalid("transaction.isolation.mode", &detail))?;
        }
        Ok(settings)
    }

    /// The statement that a session begins with so that its transactions are as isolated as was asked for.
    ///
    /// # Errors
    /// That the database has no such isolation.
    pub(crate) fn isolate(&self) -> Result<Option<String>, String> {
        let Some(level) = &self.isolation else { return Ok(None) };
        let dialect = self.statements.dialect;
        let name = dialect.name().trim_end_matches("DatabaseDialect");
        let statement =
            dialect.isolation(level).ok_or_else(|| format!("{name} has no such isolation; use DEFAULT"))?;
        Ok(Some(statement))
    }

    /// The column that grows of the table with this full name; empty for the one that the database counts up.
    pub(crate) fn incrementing_of(&self, table: &str) -> &str {
        let mapped = self.incrementing_by.of(table).and_then(<[String]>::first);
        mapped.unwrap_or(&self.incrementing)
    }

    /// The columns that are set of the table with this full name.
    pub(crate) fn timestamps_of(&self, table: &str) -> &[String] {
        self.timestamps_by.of(table).unwrap_or(&self.timestamps)
    }

    /// The same for the database that the driver reported.
    pub(crate) fn for_dialect(&self, dialect: Dialect) -> Self {
        let mut settings = self.clone();
        settings.connection.url = settings.connection.url.with_dialect(dialect);
        settings.statements.dialect = dialect;
        settings
    }

    /// Whether a table is read.
    pub(crate) fn reads(&self, id: &TableId, kind: TableKind) -> bool {
        let filter = &self.filter;
        let full = id.to_string();
        let named = |list: &[String]| list.iter().any(|name| *name == full || name == id.table());
        kind.is_among(&filter.kinds)
            && filter.schema.as_ref().is_none_or(|schema| schema.is_match(id.schema().unwrap_or_default()))
            && (filter.include.is_empty() || named(&filter.include))
            && !named(&filter.exclude)
            && (filter.include_patterns.is_empty()
                || filter.include_patterns.iter().any(|p| p.is_match(&full)))
            && !filter.exclude_patterns.iter().any(|pattern| pattern.is_match(&full))
    }
}

/// A pattern of SQL's `LIKE`.
fn like(pattern: &str) -> Result<Regex, regex::Error> {
    let mut out = String::from("^");
    for c in pattern.chars() {
        match c {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push('$');
    Regex::new(&out)
}
