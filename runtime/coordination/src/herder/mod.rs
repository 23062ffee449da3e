//! Decides what runs: requests and events in, effects and answers out.
//!
//! ```text
//! REST ──Request──▶ ┌────────┐ ──Effect──▶ driver ──▶ worker (connectors, tasks), config log
//!                   │ Herder │
//! worker ──Event──▶ └────────┘ ──Answer──▶ whoever asked
//! ```
//!
//! Effects of one connector run in order, an [`Effect::Answer`] among them, so an answer that is queued behind a stop
//! is given after the stop. Every start carries an epoch; news from an older epoch is not news.
//!
//! - `message`: what goes in and comes out.
//! - `core`: the state, and the way in and out.
//! - `requests`: what users ask for.
//! - `runs`: connectors and tasks, started and stopped, and what becomes of them.

mod core;
mod message;
mod requests;
mod runs;

pub use core::Herder;
pub use message::{Answer, ConnectorInfo, Effect, Event, HerderError, Request, RequestId, failed_task};
pub use runs::tasks_max;
