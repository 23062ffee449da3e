//! The observe mode as Lenses' Stream Reactor configures it: KCQL statements say which resource goes to which topic.
//!
//! - `config`: the keys, and what each is in the mode's own.
//! - `record`: the keys and values that Lenses' connector makes.
//! - `connector`: statements over tasks.
//!
//! Two losses of that connector are not copied: a payload that is no text is kept (as Base64, with a header that says so),
//! and options are written where they are there. What it does not do, and this does, is in the observe mode: observations
//! are registered anew, acknowledgements wait for Kafka.

mod config;
mod connector;
mod record;

pub(crate) use config::LensesConfig;
pub(crate) use connector::LensesSource;
pub(crate) use record::LensesRecords;
