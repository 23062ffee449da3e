//! The source side: poll → chain → encode → produce → acknowledged prefix → offset store.

mod books;
mod commit;
mod dead_letter;
mod encode;
mod new_topics;
mod pump;
mod run;
mod store;
mod tracker;

pub use dead_letter::SourceDeadLetters;
pub use encode::Encoder;
pub use new_topics::{TopicCreation, TopicGroup};
pub use run::{SourceTaskSpec, spawn_source};
pub use store::OffsetStore;
pub use tracker::{Settled, Tracker};
