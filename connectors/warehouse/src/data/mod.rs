//! From records to cells: what a column gets, worked out once per schema.

mod cell;
mod conversion;
mod envelope;
mod geometry;
mod plan;
mod temporal;

pub(crate) use cell::{Cell, RowKey, decimal_text};
pub(crate) use conversion::{Conversion, Semantics};
pub(crate) use envelope::{Envelope, Operation, is_envelope, is_schema_change};
pub(crate) use plan::{Payload, PlanColumn, PlanRules, RowPlan};
pub(crate) use temporal::{
    DAY_MICROS, WallClock, date_text, datetime_text, parse_datetime, parse_time, parse_zoned_time, time_text,
};
