//! All keys together.

use std::borrow::Cow;
use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, Importance, KeyDef, Kind, Width};

use super::ignored::IgnoredKeys;
use super::order::ORDER;
use super::{
    ConnectionKeys, FilterKeys, LsnFlushMode, MismatchStrategy, RecordKeys, ReplicationKeys, RunKeys,
    SnapshotKeys, SnapshotMode,
};

/// Names of `snapshot.select.statement.overrides.<schema.table>` begin with this.
const OVERRIDES: &str = "snapshot.select.statement.overrides.";

/// The configuration of a connector.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connection: ConnectionKeys,
    pub(crate) replication: ReplicationKeys,
    pub(crate) snapshot: SnapshotKeys,
    pub(crate) records: RecordKeys,
    pub(crate) filters: FilterKeys,
    pub(crate) run: RunKeys,
    /// The configuration itself, for keys whose names are patterns.
    pub(crate) raw: Config,
}

impl ConfigSpec for Settings {
    fn definition() -> ConfigDef {
        let mut all = ConfigDef::new();
        for part in [
            ConnectionKeys::definition(),
            ReplicationKeys::definition(),
            SnapshotKeys::definition(),
            RecordKeys::definition(),
            FilterKeys::definition(),
            RunKeys::definition(),
            IgnoredKeys::definition(),
        ] {
            all.extend(part);
        }
        let mut ordered = ConfigDef::new();
        for name in ORDER {
            match all.get(name) {
                Some(key) => ordered.add(KeyDef { order_in_group: -1, ..key.clone() }),
                None => ordered.add(pattern_key(name)),
            }
        }
        ordered
    }

    fn from_config(config: &Config) -> Result<Self> {
        IgnoredKeys::from_config(config)?;
        Ok(Self {
            connection: ConnectionKeys::from_config(config)?,
            replication: ReplicationKeys::from_config(config)?,
            snapshot: SnapshotKeys::from_config(config)?,
            records: RecordKeys::from_config(config)?,
            filters: FilterKeys::from_config(config)?,
            run: RunKeys::from_config(config)?,
            raw: config.clone(),
        })
    }
}

/// A key whose name is a pattern: shown, and read by whoever looks for the pattern.
fn pattern_key(name: &'static str) -> KeyDef {
    let doc = if name.contains("hash") {
        "column.mask.hash.ALGORITHM.with.salt.SALT (or column.mask.hash.v2.…): regular expressions for the columns whose \
         text is replaced by the hash of salt and text, in hex."
    } else if name.contains("truncate") {
        "column.truncate.to.N.chars: regular expressions for the columns whose text is cut after N characters."
    } else {
        "column.mask.with.N.chars: regular expressions for the columns whose text is replaced by N asterisks."
    };
    KeyDef {
        name: Cow::Borrowed(name),
        kind: if name.contains("truncate") { Kind::Int } else { Kind::String },
        default: Some(None),
        importance: Importance::Medium,
        doc: Cow::Borrowed(doc),
        group: Some(Cow::Borrowed("Tables and Columns")),
        order_in_group: -1,
        width: Width::None,
        display_name: Cow::Borrowed(name),
        dependents: Vec::new(),
        recommended: Vec::new(),
        checks: Vec::new(),
    }
}

impl Settings {
    /// `topic.prefix`; validation has seen to it that it is there.
    pub(crate) fn server(&self) -> &str {
        self.connection.topic_prefix.as_deref().unwrap_or_default()
    }

    /// `database.dbname`.
    pub(crate) fn database(&self) -> &str {
        self.connection.database_dbname.as_deref().unwrap_or_default()
    }

    /// `lsn.flush.mode`, or what the older `flush.lsn.source` says.
    pub(crate) fn flush_mode(&self) -> LsnFlushMode {
        self.replication.lsn_flush_mode.unwrap_or(if self.replication.flush_lsn_source {
            LsnFlushMode::Connector
        } else {
            LsnFlushMode::Manual
        })
    }

    /// `offset.mismatch.strategy`, or what the older key says.
    pub(crate) fn mismatch_strategy(&self) -> MismatchStrategy {
        if self.replication.internal_slot_seek_to_known_offset_on_start {
            MismatchStrategy::TrustOffset
        } else {
            self.replication.offset_mismatch_strategy
        }
    }

    /// Whether nobody else may move the slot, so that one that was moved is noticed.
    pub(crate) fn owns_slot(&self) -> bool {
        self.flush_mode() != LsnFlushMode::Manual && self.replication.internal_log_position_check_enable
    }

    /// Whether there is a stream after the snapshot.
    pub(crate) fn streams(&self) -> bool {
        match self.snapshot.snapshot_mode {
            SnapshotMode::InitialOnly => false,
            SnapshotMode::ConfigurationBased => self.snapshot.snapshot_mode_configuration_based_start_stream,
            _ => true,
        }
    }

    /// The statements of `snapshot.select.statement.overrides.<schema.table>` by table.
    pub(crate) fn overrides(&self) -> HashMap<String, String> {
        self.raw
            .with_prefix_stripped(OVERRIDES)
            .iter()
            .filter_map(|(table, statement)| Some((table.to_owned(), statement?.trim().to_owned())))
            .filter(|(_, statement)| !statement.is_empty())
            .collect()
    }

    /// Whether signals come by `channel` (`signal.enabled.channels`).
    pub(crate) fn takes_signals_by(&self, channel: &str) -> bool {
        names(&self.run.signal_enabled_channels, channel)
    }

    /// Whether notifications go to `channel` (`notification.enabled.channels`).
    pub(crate) fn notifies_by(&self, channel: &str) -> bool {
        self.run.notification_enabled_channels.as_ref().is_some_and(|list| names(list, channel))
    }

    /// The statements of `database.initial.statements`.
    pub(crate) fn initial_statements(&self) -> Vec<String> {
        statements(self.connection.database_initial_statements.as_deref().unwrap_or_default())
    }
}

fn names(list: &[String], word: &str) -> bool {
    list.iter().any(|entry| entry.trim().eq_ignore_ascii_case(word))
}

/// Splits at semicolons; two of them are one that does not split.
fn statements(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut current = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != ';' {
            current.push(c);
        } else if rest.next_if_eq(&';').is_some() {
            current.push(';');
        } else {
            out.push(std::mem::take(&mut current));
        }
    }
    out.push(current);
    out.into_iter().map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_debezium_is_there_once_in_its_order() {
        let definition = Settings::definition();
        let names: Vec<&str> = definition.iter().map(|key| &*key.name).collect();
        assert_eq!(names, ORDER);
        assert_eq!(definition.len(), 142);
    }

    #[test]
    fn an_empty_configuration_has_the_defaults() {
        let settings = Settings::from_config(&Config::new()).unwrap();
        assert_eq!(settings.replication.slot_name, "debezium");
        assert_eq!(settings.run.max_queue_size, 8192);
        assert_eq!(settings.flush_mode(), LsnFlushMode::Connector);
    }

    #[test]
    fn statements_are_split_at_single_semicolons() {
        assert_eq!(statements("set a = 1; select ';;'; ;"), ["set a = 1", "select ';'"]);
    }

    #[test]
    fn overrides_go_by_table() {
        let config = Config::from([
            ("snapshot.select.statement.overrides", "s.t"),
            ("snapshot.select.statement.overrides.s.t", "select * from s.t where id < 5"),
        ]);
        let settings = Settings::from_config(&config).unwrap();
        assert_eq!(settings.overrides()["s.t"], "select * from s.t where id < 5");
    }
}
