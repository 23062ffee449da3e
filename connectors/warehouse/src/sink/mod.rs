//! The sink: which record does what to which table, in which transaction.

mod apply;
mod connector;
mod offsets;
mod route;
mod tables;
mod task;

pub(crate) use connector::WarehouseSinkConnector;
