//! From text to typed values, by the rules of Kafka's `ConfigDef.parseType`.

use std::fmt;

use super::Kind;

/// A secret. `Debug` and `Display` print `[hidden]`; the text is had by [`reveal`](Self::reveal) alone.
///
/// ```
/// use lavka_api::config::Password;
///
/// let password = Password::new("open sesame");
/// assert_eq!(format!("{password} {password:?}"), "[hidden] [hidden]");
/// assert_eq!(password.reveal(), "open sesame");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for handing it to whoever needs it, never for a log or an error text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is shown instead.
    pub const HIDDEN: &'static str = "[hidden]";
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HIDDEN)
    }
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HIDDEN)
    }
}

/// The name of a plugin class, as written; looked up in the catalogue by whoever needs the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassName(pub String);

/// A Rust type that a configuration value can have.
///
/// There are implementations for what Kafka's types are: `bool`, `i16`, `i32`, `i64`, `f64`, `String`, `Vec<String>`,
/// [`Password`], [`ClassName`], and `Option` of each, whose default is null. A plugin can add its own:
///
/// ```
/// use lavka_api::config::{Config, ConfigType, Kind, key};
///
/// #[derive(Debug, PartialEq)]
/// enum Mode { Fast, Safe }
///
/// impl ConfigType for Mode {
///     const KIND: Kind = Kind::String;
///     fn parse(text: &str) -> Result<Self, String> {
///         match text.trim() {
///             "fast" => Ok(Mode::Fast),
///             "safe" => Ok(Mode::Safe),
///             _ => Err("String must be one of: fast, safe".into()),
///         }
///     }
/// }
///
/// let mode = key::<Mode>("mode").default("safe");
/// assert_eq!(mode.read(&Config::new())?, Mode::Safe);
/// let error = mode.read(&[("mode", "slow")].into()).unwrap_err();
/// assert_eq!(
///     error.message(),
///     Some("Invalid value slow for configuration mode: String must be one of: fast, safe")
/// );
/// # Ok::<(), lavka_api::Error>(())
/// ```
///
/// Validation over REST goes by [`KIND`](Self::KIND) and the key's checks alone, so such a type wants a
/// [`Check`](super::Check) too.
pub trait ConfigType: Sized {
    /// The type shown over REST.
    const KIND: Kind;
    /// Whether null (no value, no default) is a value of this type.
    const NULLABLE: bool = false;

    /// Parses `text` as the user wrote it; white space around it is not part of the value.
    ///
    /// # Errors
    /// The detail of the error text, without the key.
    fn parse(text: &str) -> Result<Self, String>;

    /// The value that stands for null; `None` where null is not a value of the type.
    #[must_use]
    fn null() -> Option<Self> {
        None
    }
}

/// Checks that `text` parses as a `kind`.
///
/// # Errors
/// The detail of the error text, without the key.
pub fn parse_text(kind: Kind, text: &str) -> Result<(), String> {
    match kind {
        Kind::Boolean => bool::parse(text).map(drop),
        Kind::Short => i16::parse(text).map(drop),
        Kind::Int => i32::parse(text).map(drop),
        Kind::Long => i64::parse(text).map(drop),
        Kind::Double => f64::parse(text).map(drop),
        Kind::String | Kind::Class | Kind::Password | Kind::List => Ok(()),
    }
}

impl ConfigType for String {
    const KIND: Kind = Kind::String;
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.trim().to_owned())
    }
}

impl ConfigType for bool {
    const KIND: Kind = Kind::Boolean;
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if text.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            Err("Expected value to be either true or false".into())
        }
    }
}

macro_rules! number {
    ($($ty:ty => $kind:ident $name:literal),*) => {$(
        impl ConfigType for $ty {
            const KIND: Kind = Kind::$kind;
            fn parse(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| concat!("Not a number of type ", $name).into())
            }
        }
    )*};
}
number! { i16 => Short "SHORT", i32 => Int "INT", i64 => Long "LONG", f64 => Double "DOUBLE" }

impl ConfigType for Password {
    const KIND: Kind = Kind::Password;
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl ConfigType for ClassName {
    const KIND: Kind = Kind::Class;
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl ConfigType for Vec<String> {
    const KIND: Kind = Kind::List;
    /// Splits at commas with white space around them; empty elements between commas are kept, empty text is no
    /// element at all.
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        Ok(text.split(',').map(|item| item.trim().to_owned()).collect())
    }
}

impl<T: ConfigType> ConfigType for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    fn parse(text: &str) -> Result<Self, String> {
        T::parse(text).map(Some)
    }
    fn null() -> Option<Self> {
        Some(None)
    }
}
