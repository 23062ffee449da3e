//! The sink side: consume → decode → chain → put → commit.

mod assignment;
mod batch;
mod decode;
mod delivery;
mod progress;
mod run;
mod topics;

pub use decode::Decoder;
pub use progress::Progress;
pub use run::{SinkTaskSpec, spawn_sink};
pub use topics::TopicSelection;
