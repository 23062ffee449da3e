//! The source side: poll → chain → encode → produce → acknowledged prefix → offset store; or, where records are to be
//! delivered exactly once, all of it in transactions.

mod books;
mod commit;
mod dead_letter;
mod encode;
mod hand_over;
mod new_topics;
mod newest;
mod pump;
mod refusals;
mod run;
mod store;
mod tracker;
mod transaction;
mod window;

pub use dead_letter::SourceDeadLetters;
pub use encode::Encoder;
pub use new_topics::{TopicCreation, TopicGroup};
pub use run::{Delivery, SourceTaskSpec, spawn_source};
pub use store::{OffsetRecord, OffsetStore, OffsetTopic};
pub use tracker::{Settled, Tracker};
pub use transaction::{Boundary, ExactlyOnce, Generation};
