//! Configurations: what users write, and the declarations that give it meaning.
//!
//! [`Config`] is what a user wrote, as text; nobody outside of this module takes it apart key by key. A plugin declares
//! each key once with [`config!`](crate::config!); from that come the typed struct, the REST
//! definition ([`ConfigDef`]), validation ([`ConfigDef::validate`]) and the reference page.

mod check;
mod def;
mod key_error;
mod nearest;
mod raw;
mod spec;
mod value;

pub use check::Check;
pub use def::{ConfigDef, Importance, KeyDef, KeyReport, Kind, Width};
pub use key_error::KeyError;
pub use nearest::nearest_name;
pub use raw::Config;
pub use spec::{ConfigSpec, Key, key};
pub use value::{ClassName, ConfigType, Password, parse_text};
