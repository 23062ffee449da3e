//! The typed side of a declaration.

use std::borrow::Cow;
use std::marker::PhantomData;

use super::value::ConfigType;
use super::{Check, Config, ConfigDef, Importance, KeyDef, Kind, Width};
use crate::error::{Error, Result};

/// A struct made by [`config!`](crate::config!): its definition, and itself from a configuration.
pub trait ConfigSpec: Sized {
    /// The definition of its keys.
    fn definition() -> ConfigDef;

    /// Reads the struct.
    ///
    /// # Errors
    /// A config error that names the first wrong key; [`ConfigDef::validate`] finds all of them.
    fn from_config(config: &Config) -> Result<Self>;
}

/// One key of a declaration, whose value has the Rust type `T`.
#[must_use]
pub struct Key<T> {
    def: KeyDef,
    ty: PhantomData<fn() -> T>,
}

/// Starts the declaration of a key, of medium importance. It is required unless [`default`](Key::default) follows or `T`
/// is an `Option`, whose default is null.
///
/// ```
/// use lavka_api::config::{Check, Config, key};
///
/// let port = key::<i32>("port").default(1883).check(Check::between(1, 65_535)).doc("The port of the server.");
/// assert_eq!(port.read(&Config::new())?, 1883);
/// let user = key::<Option<String>>("user").doc("Who to log in as; nobody by default.");
/// assert_eq!(user.read(&Config::new())?, None);
/// let host = key::<String>("host").high().doc("The server.");
/// let error = host.read(&Config::new()).unwrap_err();
/// assert_eq!(error.message(), Some("Missing required configuration \"host\" which has no default value."));
/// # Ok::<(), lavka_api::Error>(())
/// ```
pub fn key<T: ConfigType>(name: &'static str) -> Key<T> {
    Key {
        def: KeyDef {
            name: Cow::Borrowed(name),
            kind: T::KIND,
            default: T::NULLABLE.then_some(None),
            importance: Importance::Medium,
            doc: Cow::Borrowed(""),
            group: None,
            order_in_group: -1,
            width: Width::None,
            display_name: Cow::Borrowed(name),
            dependents: Vec::new(),
            recommended: Vec::new(),
            checks: Vec::new(),
        },
        ty: PhantomData,
    }
}

impl<T: ConfigType> Key<T> {
    /// The default, as a user would write it.
    pub fn default(mut self, text: impl ToString) -> Self {
        self.def.default = Some(Some(text.to_string()));
        self
    }

    /// Of high importance.
    pub fn high(mut self) -> Self {
        self.def.importance = Importance::High;
        self
    }

    /// Of low importance.
    pub fn low(mut self) -> Self {
        self.def.importance = Importance::Low;
        self
    }

    /// What the key does.
    pub fn doc(mut self, text: &'static str) -> Self {
        self.def.doc = Cow::Borrowed(text);
        self
    }

    /// The group it is shown in.
    pub fn group(mut self, group: &'static str) -> Self {
        self.def.group = Some(Cow::Borrowed(group));
        self
    }

    /// The width of its form field.
    pub fn width(mut self, width: Width) -> Self {
        self.def.width = width;
        self
    }

    /// What a form calls it.
    pub fn display(mut self, name: &'static str) -> Self {
        self.def.display_name = Cow::Borrowed(name);
        self
    }

    /// A check beyond the type.
    pub fn check(mut self, check: Check) -> Self {
        self.def.checks.push(check);
        self
    }

    /// Values to offer.
    pub fn recommend(mut self, values: &[&str]) -> Self {
        self.def.recommended = values.iter().map(|&v| v.to_owned()).collect();
        self
    }

    /// The definition.
    #[must_use]
    pub fn into_def(self) -> KeyDef {
        self.def
    }

    /// The value in `config`.
    ///
    /// # Errors
    /// A config error with Connect's text for a missing, ill-typed or refused value.
    pub fn read(&self, config: &Config) -> Result<T> {
        let entry = config.entry(&self.def.name);
        if let Some(message) = self.def.errors(entry).into_iter().next() {
            return Err(Error::config(message));
        }
        match self.def.effective(entry.flatten()) {
            Some(text) => T::parse(text).map_err(|detail| {
                let shown = if self.def.kind == Kind::Password { "[hidden]" } else { text };
                Error::invalid_value(&self.def.name, shown, detail)
            }),
            None => T::null().ok_or_else(|| {
                Error::config(format!(
                    "Missing required configuration \"{}\" which has no default value.",
                    self.def.name
                ))
            }),
        }
    }
}

/// Declares the configuration of a plugin: one line per key gives the struct's field, the REST definition, validation
/// and the entry on the reference page.
///
/// ```
/// use lavka_api::config::{key, Check, Config, ConfigSpec};
///
/// lavka_api::config! {
///     /// Settings of the pump.
///     pub struct PumpConfig {
///         /// Where the pump stands.
///         pub address: String = key("pump.address").high().doc("Host and port of the pump."),
///         /// Litres per minute.
///         pub rate: i32 = key("pump.rate").default(10).check(Check::at_least(1)).doc("Litres per minute."),
///     }
/// }
///
/// let config = PumpConfig::from_config(&Config::from([("pump.address", "p1:7000")]))?;
/// assert_eq!((config.address.as_str(), config.rate), ("p1:7000", 10));
///
/// let error = PumpConfig::from_config(&Config::from([("pump.address", "p1"), ("pump.rate", "0")])).unwrap_err();
/// assert_eq!(error.message(), Some("Invalid value 0 for configuration pump.rate: Value must be at least 1"));
/// # Ok::<(), lavka_api::Error>(())
/// ```
#[macro_export]
macro_rules! config {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident : $ty:ty = $key:expr),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $ty,)*
        }

        impl $crate::config::ConfigSpec for $name {
            fn definition() -> $crate::config::ConfigDef {
                #[allow(unused_mut, reason = "a declaration may be empty")]
                let mut def = $crate::config::ConfigDef::new();
                $({
                    let key: $crate::config::Key<$ty> = $key;
                    def.add(key.into_def());
                })*
                def
            }

            fn from_config(config: &$crate::config::Config) -> $crate::Result<Self> {
                let _ = config;
                Ok(Self {
                    $($field: {
                        let key: $crate::config::Key<$ty> = $key;
                        key.read(config)?
                    },)*
                })
            }
        }
    };
}
