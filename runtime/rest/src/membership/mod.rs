//! What the REST API has to know of the cluster that its worker belongs to: who decides on a request, and how workers
//! recognise each other.
//!
//! A worker that does not decide on a request passes it on to the one that does, at most twice (`forward=true`, then
//! `forward=false`). What workers send each other of their own accord, task configurations and requests to fence, is
//! signed with a session key that they share (KIP-507).

mod forwarding;
mod signature;

use async_trait::async_trait;
use lavka_api::config::Config;
use lavka_worker::{Refusal, WorkerHandle};

pub(crate) use forwarding::Passing;
pub use forwarding::{PeerRequest, ask_peer};
pub(crate) use signature::check;
pub use signature::{
    InterWorkerKeys, MacAlgorithm, SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER, SessionKey,
};

/// What a request is about, as far as that says who decides on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter<'a> {
    /// The leader's: configurations, target states, offsets.
    Cluster,
    /// A connector instance: the worker's that runs it.
    Connector(&'a str),
    /// A task: the worker's that runs it.
    Task(&'a str, i32),
}

/// Who decides on a matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// This worker.
    Ours,
    /// The worker whose API has this URL.
    Theirs(String),
    /// Nobody is known to: the workers are about to agree on it.
    Nobodys,
}

/// How the workers of a cluster recognise each other's requests.
#[derive(Debug, Clone)]
pub enum Session {
    /// They do not (protocol versions 0 and 1).
    Unsigned,
    /// By signatures.
    Signed {
        /// The key; `None` where this worker has not read it yet.
        key: Option<SessionKey>,
        /// The algorithms that signatures may be made by (`inter.worker.verification.algorithms`).
        algorithms: Vec<String>,
    },
}

/// A worker as a member of its cluster. One that is alone decides on everything.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Who decides on a matter.
    fn whose(&self, matter: Matter<'_>) -> Whose;

    /// How requests of other workers are recognised.
    fn session(&self) -> Session;

    /// Takes task configurations that the worker of a connector has made.
    ///
    /// # Errors
    /// With the status to answer.
    async fn take_task_configs(&self, connector: &str, configs: Vec<Config>) -> Result<(), Refusal>;

    /// Fences the tasks that a connector had before.
    ///
    /// # Errors
    /// With the status to answer.
    async fn fence(&self, connector: &str) -> Result<(), Refusal>;
}

/// A standalone worker: its own leader.
pub(crate) struct Alone(pub(crate) WorkerHandle);

#[async_trait]
impl Membership for Alone {
    fn whose(&self, _: Matter<'_>) -> Whose {
        Whose::Ours
    }

    fn session(&self) -> Session {
        Session::Unsigned
    }

    async fn take_task_configs(&self, _: &str, _: Vec<Config>) -> Result<(), Refusal> {
        Err(self.0.take_task_configs())
    }

    async fn fence(&self, _: &str) -> Result<(), Refusal> {
        Err(self.0.fence())
    }
}
