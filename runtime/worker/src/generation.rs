//! Generations of source tasks, for exactly-once delivery.
//!
//! No task of a generation may go on before every task of the earlier ones is fenced: source partitions move between
//! tasks, and an old task that still writes would write what a new one reads again. A task fences the one that had its
//! own transactional id by itself; the others are fenced once, by whichever task comes first.

use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use lavka_engine::source::Generation;
use lavka_ports::Admin;
use tokio::sync::OnceCell;

use crate::driver::HerderView;

/// Ids that may be fenced for a connector whose number of tasks so far is not known, at most.
pub(crate) const MOST_UNKNOWN: u32 = 100;

/// What the tasks of a generation share.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    done: OnceCell<()>,
    /// The number of tasks that an earlier generation may have had.
    pub(crate) count: u32,
}

impl Fence {
    /// Before a generation whose predecessors had at most `count` tasks.
    pub(crate) fn before(count: u32) -> Self {
        Self { done: OnceCell::new(), count }
    }
}

/// The start of one task.
#[derive(Clone)]
pub(crate) struct TaskStart {
    pub(crate) fence: Arc<Fence>,
    pub(crate) epoch: u64,
    pub(crate) view: HerderView,
}

impl TaskStart {
    /// What the engine asks. `admin` fences `ids`.
    pub(crate) fn generation(self, admin: Arc<dyn Admin>, ids: Vec<String>) -> Arc<dyn Generation> {
        Arc::new(StartedBy { start: self, admin, ids })
    }
}

struct StartedBy {
    start: TaskStart,
    admin: Arc<dyn Admin>,
    ids: Vec<String>,
}

#[async_trait]
impl Generation for StartedBy {
    async fn fence(&self) -> Result<()> {
        // The only task fences its predecessor when it takes the id.
        if self.ids.len() > 1 {
            self.start.fence.done.get_or_try_init(|| self.admin.fence_producers(&self.ids)).await?;
        }
        Ok(())
    }

    fn check(&self, id: &TaskId) -> Result<()> {
        if self.start.view.read().is_current_task(id, self.start.epoch) {
            return Ok(());
        }
        Err(Error::fatal(format!(
            "Cannot start source task {id} with exactly-once support as the connector has already generated a new set of \
             task configs"
        )))
    }
}
