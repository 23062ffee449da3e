//! Values that are one of a few words.

use lavka_api::config::{ConfigType, Kind};

macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal $(| $alias:literal)*),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$variant_meta])* $variant,)* }

        impl $name {
            /// The words, as error texts list them.
            pub(crate) const NAMES: &'static [&'static str] = &[$($word),*];

            /// The variant of a word, whatever its case.
            fn named(text: &str) -> Option<Self> {
                let text = text.trim();
                $(if text.eq_ignore_ascii_case($word) $(|| text.eq_ignore_ascii_case($alias))* {
                    return Some(Self::$variant);
                })*
                None
            }
        }

        impl ConfigType for $name {
            const KIND: Kind = Kind::String;

            fn parse(text: &str) -> Result<Self, String> {
                Self::named(text).ok_or_else(|| format!("Value must be one of {}", Self::NAMES.join(", ")))
            }
        }
    )*};
}

words! {
    /// `plugin.name`.
    PluginName { Decoderbufs = "decoderbufs", Pgoutput = "pgoutput" }
    /// `database.sslmode`, with the meaning libpq gives it.
    SslMode {
        Disable = "disable", Allow = "allow", Prefer = "prefer", Require = "require" | "required",
        VerifyCa = "verify-ca", VerifyFull = "verify-full",
    }
    /// `publication.autocreate.mode`.
    AutocreateMode { AllTables = "all_tables", Disabled = "disabled", Filtered = "filtered", NoTables = "no_tables" }
    /// `lsn.flush.mode`.
    LsnFlushMode { Connector = "connector", Manual = "manual", ConnectorAndDriver = "connector_and_driver" }
    /// `lsn.flush.timeout.action`.
    FlushTimeoutAction { Fail = "fail", Warn = "warn", Ignore = "ignore" }
    /// `offset.mismatch.strategy`.
    MismatchStrategy {
        NoValidation = "no_validation", TrustOffset = "trust_offset", TrustSlot = "trust_slot",
        TrustGreaterLsn = "trust_greater_lsn",
    }
    /// `snapshot.mode`.
    SnapshotMode {
        Always = "always", Initial = "initial", InitialOnly = "initial_only", NoData = "no_data" | "never",
        WhenNeeded = "when_needed", ConfigurationBased = "configuration_based", Custom = "custom",
    }
    /// `snapshot.isolation.mode`.
    IsolationMode {
        Serializable = "serializable", RepeatableRead = "repeatable_read", ReadCommitted = "read_committed",
        ReadUncommitted = "read_uncommitted",
    }
    /// `snapshot.locking.mode`.
    LockingMode { Shared = "shared", None = "none", Custom = "custom" }
    /// `snapshot.query.mode`.
    QueryMode { SelectAll = "select_all", Custom = "custom" }
    /// `snapshot.tables.order.by.row.count`.
    RowCountOrder { Disabled = "disabled", Ascending = "ascending", Descending = "descending" }
    /// `incremental.snapshot.watermarking.strategy`.
    WatermarkStrategy { InsertInsert = "insert_insert", InsertDelete = "insert_delete" }
    /// What becomes of what cannot be processed.
    FailureMode { Fail = "fail", Warn = "warn", Skip = "skip" | "ignore" }
    /// `guardrail.collections.limit.action`.
    GuardrailAction { Warn = "warn", Fail = "fail" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_in_any_case_and_under_their_older_names() {
        assert_eq!(SnapshotMode::parse(" Initial_Only "), Ok(SnapshotMode::InitialOnly));
        assert_eq!(SnapshotMode::parse("never"), Ok(SnapshotMode::NoData));
        assert_eq!(
            LockingMode::parse("exclusive"),
            Err("Value must be one of shared, none, custom".to_owned())
        );
    }
}
