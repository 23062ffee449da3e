//! Hive: tables over the directories of topics, and a partition in the metastore for each directory of files.
//!
//! Files come first: what is told to the metastore is durable already. A partition that could not be told stays on the
//! list until it is; after a restart the directories are compared with what the metastore knows.

mod config;
mod metastore;
mod registrar;
mod site;
mod table;
mod thrift;
mod types;

pub(crate) use config::{HiveConfig, settings};
pub(crate) use registrar::{Finished, HiveSettings, Registrar};
