//! What a broker can be told to do wrong, for tests of whatever uses it.

mod text;

use std::time::Duration;

use kafka_protocol::{ResponseError, messages::ApiKey};

/// One way to misbehave. Several can be in force at once; of those that concern a request, the first that hits counts.
///
/// Each has a text, which `lavka broker --fault` and [`FromStr`](std::str::FromStr) take and `Display` gives:
///
/// | text | what happens |
/// |---|---|
/// | `drop:share=0.01` | the connection is closed and the request is not carried out |
/// | `cut:api=Produce,share=0.01` | the request is carried out and the connection closed within the answer |
/// | `delay:by=200ms,share=0.5` | the request is carried out later |
/// | `error:api=Produce,code=NOT_LEADER_OR_FOLLOWER,share=0.1` | the request is answered with an error and not carried out |
/// | `move-coordinator:every=10s,away=1s` | groups and transactions move away, and come back after a while |
/// | `full-disk:after=5s,lasting=10s` | producing fails with KAFKA_STORAGE_ERROR |
/// | `unclean-election:every=30s,lose=5` | every partition has a new leader, which lacks the newest records |
///
/// `share` is 1 where it is not given, `api` any, `after` nothing and `lasting` for ever.
///
/// ```
/// use lavka_devbroker::Fault;
///
/// let fault: Fault = "delay:by=200ms,share=0.5".parse()?;
/// assert_eq!(fault.to_string(), "delay:share=0.5,by=200ms");
/// # Ok::<(), lavka_devbroker::UnknownFault>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Closes the connection; the request is not carried out.
    Drop(Requests),
    /// Carries the request out and closes the connection within the answer.
    Cut(Requests),
    /// Carries the request out after this time.
    Delay(Requests, Duration),
    /// Answers with an error and does not carry the request out. Requests that have no place for an error, such as
    /// ApiVersions, are carried out.
    Error(Requests, ResponseError),
    /// Every so often groups and transactional ids move to another coordinator, which is this broker again after it
    /// has been `away`.
    MoveCoordinator {
        /// Time between two moves.
        every: Duration,
        /// How long requests are answered with NOT_COORDINATOR.
        away: Duration,
    },
    /// Producing fails with KAFKA_STORAGE_ERROR.
    FullDisk {
        /// When it begins, from the moment the fault is put in force.
        after: Duration,
        /// When it ends, from when it began; `None` for never.
        lasting: Option<Duration>,
    },
    /// Every so often each partition gets a new leader epoch and loses its newest records.
    UncleanElection {
        /// Time between two elections.
        every: Duration,
        /// Records lost of each partition; whole batches go, so it may be more.
        lose: u64,
    },
}

/// Which requests a fault concerns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Requests {
    /// The one kind of request; `None` for all.
    pub api: Option<ApiKey>,
    /// Which share of them, from 0 to 1, chosen at random.
    pub share: f64,
}

/// A text that names no [`Fault`]; it says why, and what there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownFault(pub(crate) String);
