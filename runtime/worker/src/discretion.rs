//! Keeps what variables stood for out of what is told of a task.

use std::sync::Arc;

use lavka_api::Error;
use lavka_api::data::Topic;
use lavka_api::plugin::TaskId;
use lavka_engine::errors::redacted;
use lavka_engine::task::{TaskObserver, TaskState};
use lavka_telemetry::redaction::Redactor;

/// Hears of a task's life and passes it on, with errors as they may be shown.
struct Discreet {
    inner: Arc<dyn TaskObserver>,
    secrets: Redactor,
}

/// `observer`, told nothing of `secrets`.
pub(crate) fn discreet(observer: Arc<dyn TaskObserver>, secrets: &Redactor) -> Arc<dyn TaskObserver> {
    if secrets.is_empty() {
        return observer;
    }
    Arc::new(Discreet { inner: observer, secrets: secrets.clone() })
}

impl TaskObserver for Discreet {
    fn changed(&self, id: &TaskId, state: TaskState) {
        self.inner.changed(id, state);
    }

    fn presentable(&self, error: Error) -> Error {
        redacted(&self.inner.presentable(error), &self.secrets)
    }

    fn topic_used(&self, id: &TaskId, topic: &Topic) {
        self.inner.topic_used(id, topic);
    }
}
