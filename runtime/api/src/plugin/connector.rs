//! What source and sink connectors have in common.

use std::fmt;

/// A task of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The connector's name.
    pub connector: String,
    /// The task's number, from 0.
    pub task: u32,
}

impl fmt::Display for TaskId {
    /// `<connector>-<task>`, as in logs and error texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}

/// What a running connector instance can ask of the worker.
///
/// A connector whose source changes shape (a table was added) keeps it and asks for new task configurations:
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::sync::Arc;
///
/// use lavka_api::plugin::ConnectorContext;
///
/// // A test can count the requests.
/// let asked = Arc::new(AtomicU32::new(0));
/// let counter = asked.clone();
/// let context = ConnectorContext::new("orders", move || {
///     counter.fetch_add(1, Ordering::Relaxed);
/// });
/// context.request_task_reconfiguration();
/// assert_eq!(asked.load(Ordering::Relaxed), 1);
/// ```
#[derive(Clone)]
pub struct ConnectorContext {
    /// The connector's name.
    pub name: String,
    request: std::sync::Arc<dyn Fn() + Send + Sync>,
}

impl ConnectorContext {
    /// A context whose requests for new task configurations go to `request`.
    pub fn new(name: impl Into<String>, request: impl Fn() + Send + Sync + 'static) -> Self {
        Self { name: name.into(), request: std::sync::Arc::new(request) }
    }

    /// Asks the worker to call `task_configs` again and restart tasks whose configuration changed. Returns at once.
    pub fn request_task_reconfiguration(&self) {
        (self.request)();
    }
}

impl fmt::Debug for ConnectorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectorContext({})", self.name)
    }
}
