//! Finds plugins by class name or alias.

use super::{Plugin, PluginKind};
use crate::config::nearest_name;

/// All plugins of a worker.
///
/// ```
/// # use lavka_api::config::ConfigDef;
/// # use lavka_api::plugin::{Catalogue, Factory, LookupError, Plugin, Predicate};
/// # use lavka_api::data::Record;
/// # struct Never;
/// # impl Predicate for Never {
/// #     fn test(&mut self, _: &Record) -> lavka_api::Result<bool> { Ok(false) }
/// # }
/// # let never = Plugin {
/// #     class: "org.example.NeverPredicate", aliases: &[], version: "1", doc: "Never holds.",
/// #     definition: ConfigDef::new, factory: Factory::Predicate(|_| Ok(Box::new(Never))),
/// # };
/// let catalogue = Catalogue::new([never]);
/// for name in ["org.example.NeverPredicate", "NeverPredicate", "Never"] {
///     assert_eq!(catalogue.find(name, |_| true).unwrap().class, "org.example.NeverPredicate");
/// }
/// let unknown = catalogue.find("Nevr", |_| true).unwrap_err();
/// assert_eq!(
///     unknown.to_string(),
///     "no plugin has the class or alias Nevr; did you mean org.example.NeverPredicate?"
/// );
/// ```
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    plugins: Vec<Plugin>,
}

/// Why a name finds no plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupError {
    /// No plugin has this name; the nearest known class, if one is near.
    Unknown {
        /// The name that was asked for.
        name: String,
        /// A class the user may have meant.
        nearest: Option<&'static str>,
    },
    /// Several plugins share this short name.
    Ambiguous {
        /// The name that was asked for.
        name: String,
        /// Their classes.
        classes: Vec<&'static str>,
    },
}

impl Catalogue {
    /// A catalogue of `plugins`, in REST order: sinks, sources, transformations, predicates, converters, header
    /// converters, each sorted by class.
    #[must_use]
    pub fn new(plugins: impl IntoIterator<Item = Plugin>) -> Self {
        let mut plugins: Vec<Plugin> = plugins.into_iter().collect();
        plugins.sort_by_key(|plugin| (plugin.kind(), plugin.class));
        Self { plugins }
    }

    /// Every plugin, in REST order.
    pub fn iter(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.iter()
    }

    /// The plugin among those that `wanted` accepts whose class, alias or short name is `name`. Short names are
    /// Connect's: the simple class name, and that without `Connector`, `Converter`, `HeaderConverter`,
    /// `Transformation` or `Predicate` at its end.
    ///
    /// # Errors
    /// Where no plugin, or more than one, has this name.
    pub fn find(&self, name: &str, wanted: impl Fn(PluginKind) -> bool) -> Result<&Plugin, LookupError> {
        let name = name.trim();
        let of_kind = || self.plugins.iter().filter(|plugin| wanted(plugin.kind()));
        if let Some(plugin) = of_kind().find(|p| p.class == name || p.aliases.contains(&name)) {
            return Ok(plugin);
        }
        let mut found: Vec<&Plugin> =
            of_kind().filter(|p| short_names(p).any(|short| short == name)).collect();
        match (found.pop(), found.is_empty()) {
            (Some(plugin), true) => Ok(plugin),
            (Some(plugin), false) => Err(LookupError::Ambiguous {
                name: name.to_owned(),
                classes: found.iter().map(|p| p.class).chain([plugin.class]).collect(),
            }),
            (None, _) => Err(LookupError::Unknown {
                name: name.to_owned(),
                nearest: {
                    let names =
                        || of_kind().flat_map(|p| short_names(p).chain([p.class]).map(move |n| (n, p.class)));
                    let near = nearest_name(name, names().map(|(name, _)| name));
                    near.and_then(|near| names().find(|(name, _)| *name == near)).map(|(_, class)| class)
                },
            }),
        }
    }
}

/// Simple class name (`Cast$Value` for inner classes), and that without the suffix of its kind, over class and
/// aliases.
fn short_names(plugin: &Plugin) -> impl Iterator<Item = &'static str> {
    let suffixes: &[&str] = match plugin.kind() {
        PluginKind::Sink | PluginKind::Source => &["Connector"],
        PluginKind::Transformation => &["Transformation"],
        PluginKind::Predicate => &["Predicate"],
        PluginKind::Converter => &["Converter"],
        PluginKind::HeaderConverter => &["HeaderConverter", "Converter"],
    };
    std::iter::once(plugin.class).chain(plugin.aliases.iter().copied()).flat_map(move |class| {
        let simple = class.rsplit('.').next().unwrap_or(class);
        let shorter = suffixes.iter().filter_map(move |suffix| simple.strip_suffix(suffix));
        std::iter::once(simple).chain(shorter.filter(|name| !name.is_empty()))
    })
}

impl std::fmt::Display for LookupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LookupError::Unknown { name, nearest } => {
                write!(f, "no plugin has the class or alias {name}")?;
                if let Some(nearest) = nearest {
                    write!(f, "; did you mean {nearest}?")?;
                }
                Ok(())
            }
            LookupError::Ambiguous { name, classes } => write!(
                f,
                "More than one connector matches alias {name}. Please use full package and class name instead. \
                 Classes found: {}",
                classes.join(", ")
            ),
        }
    }
}

impl std::error::Error for LookupError {}
