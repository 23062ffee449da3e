//! What the configuration says about conversions.

use super::Placeholder;

/// An enum of configuration values: the text of each, the default first.
macro_rules! modes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The values as the configuration writes them.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The mode of that name, in any case, as Debezium reads it.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                let name = name.trim();
                $(if name.eq_ignore_ascii_case($text) {
                    return Some(Self::$variant);
                })+
                None
            }

            /// The name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }
    };
}
pub(crate) use modes;

modes! {
    /// `time.precision.mode`.
    TimePrecision {
        /// By the column's precision: milliseconds up to 3 digits, else microseconds.
        #[default]
        Adaptive = "adaptive",
        /// As adaptive, but times always in microseconds.
        AdaptiveTimeMicroseconds = "adaptive_time_microseconds",
        /// Connect's logical types, in milliseconds.
        Connect = "connect",
        /// ISO 8601 texts.
        IsoString = "isostring",
        /// Always microseconds.
        Microseconds = "microseconds",
        /// Always nanoseconds.
        Nanoseconds = "nanoseconds",
    }
}

modes! {
    /// `decimal.handling.mode`.
    DecimalMode {
        /// Exact: `Decimal`, or a struct with the scale where the column has none.
        #[default]
        Precise = "precise",
        /// Text.
        String = "string",
        /// Doubles.
        Double = "double",
    }
}

modes! {
    /// `binary.handling.mode`.
    BinaryMode {
        /// Bytes.
        #[default]
        Bytes = "bytes",
        /// Base64.
        Base64 = "base64",
        /// Base64 with the alphabet that is safe in URLs.
        Base64UrlSafe = "base64-url-safe",
        /// Lower-case hexadecimal digits.
        Hex = "hex",
    }
}

modes! {
    /// `hstore.handling.mode`.
    HstoreMode {
        /// A JSON object as text.
        #[default]
        Json = "json",
        /// A map of texts.
        Map = "map",
    }
}

modes! {
    /// `interval.handling.mode`.
    IntervalMode {
        /// Microseconds; a month has 365.25 / 12 days.
        #[default]
        Numeric = "numeric",
        /// ISO 8601 durations.
        String = "string",
    }
}

/// All of a connector's settings that values depend on.
#[derive(Clone, Debug)]
pub struct Conversions {
    /// `time.precision.mode`.
    pub time: TimePrecision,
    /// `decimal.handling.mode`.
    pub decimal: DecimalMode,
    /// `binary.handling.mode`.
    pub binary: BinaryMode,
    /// `hstore.handling.mode`.
    pub hstore: HstoreMode,
    /// `interval.handling.mode`.
    pub interval: IntervalMode,
    /// `money.fraction.digits`.
    pub money_fraction_digits: i32,
    /// `include.unknown.datatypes`.
    pub include_unknown: bool,
    /// `unavailable.value.placeholder`.
    pub placeholder: Placeholder,
}

impl Default for Conversions {
    fn default() -> Self {
        Self {
            time: TimePrecision::default(),
            decimal: DecimalMode::default(),
            binary: BinaryMode::default(),
            hstore: HstoreMode::default(),
            interval: IntervalMode::default(),
            money_fraction_digits: 2,
            include_unknown: false,
            placeholder: Placeholder::default(),
        }
    }
}
