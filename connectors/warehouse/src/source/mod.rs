//! The source: tables and queries read again and again, new rows told by columns that grow.

mod columns;
mod connector;
mod mapping;
mod position;
mod select;
mod settings;
mod task;

pub(crate) use connector::QuerySourceConnector;
