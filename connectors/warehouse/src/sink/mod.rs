//! The sink: which record does what to which table, in which transaction.

mod ahead;
mod apply;
mod batch;
mod connector;
mod offsets;
mod route;
mod tables;
mod task;
mod threads;
mod writer;

pub(crate) use connector::WarehouseSinkConnector;
