//! Tolerance, retries and reports.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::{Check, Width, key};
use lavka_api::error::exception;
use lavka_api::plugin::TaskId;
use lavka_api::{Error, ErrorClass, Result};
use lavka_telemetry::metrics::ErrorMetrics;
use lavka_telemetry::redaction::Redactor;
use tokio::sync::watch;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::dead_letter::{DeadLetters, Original};
use super::redacted::redacted;
use crate::task::Target;

/// Where a record failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// `SourceTask.poll`.
    TaskPoll,
    /// `SinkTask.put`.
    TaskPut,
    /// A transform or its predicate.
    Transformation,
    /// The key converter.
    KeyConverter,
    /// The value converter.
    ValueConverter,
    /// The header converter.
    HeaderConverter,
    /// Sending to Kafka.
    KafkaProduce,
    /// Reading from Kafka.
    KafkaConsume,
}

impl Stage {
    /// The name in logs and dead letter headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stage::TaskPoll => "TASK_POLL",
            Stage::TaskPut => "TASK_PUT",
            Stage::Transformation => "TRANSFORMATION",
            Stage::KeyConverter => "KEY_CONVERTER",
            Stage::ValueConverter => "VALUE_CONVERTER",
            Stage::HeaderConverter => "HEADER_CONVERTER",
            Stage::KafkaProduce => "KAFKA_PRODUCE",
            Stage::KafkaConsume => "KAFKA_CONSUME",
        }
    }
}

/// `errors.tolerance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// The first bad record fails the task.
    None,
    /// Bad records are reported and skipped.
    All,
}

lavka_api::config! {
    /// The `errors.*` keys that every connector has.
    pub struct ErrorSettings {
        /// `errors.retry.timeout`.
        pub retry_timeout: i64 = key("errors.retry.timeout").default(0)
            .group("Error Handling").width(Width::Medium).display("Retry Timeout for Errors")
            .doc("How long a failed operation is tried again, in milliseconds. 0 means not at all, -1 or any other \
                  negative number for ever."),
        /// `errors.retry.delay.max.ms`.
        pub retry_delay_max: i64 = key("errors.retry.delay.max.ms").default(60_000)
            .group("Error Handling").width(Width::Medium).display("Maximum Delay Between Retries for Errors")
            .doc("The longest wait between two tries, in milliseconds. Waits double from 300 ms; beyond this limit \
                  they are random below it. One below 1 is taken for the default."),
        /// `errors.tolerance`.
        pub tolerance: String = key("errors.tolerance").default("none").check(Check::one_of(&["none", "all"]))
            .group("Error Handling").width(Width::Short).display("Error Tolerance")
            .doc("What a record that cannot be converted or transformed does: 'none' fails the task, 'all' reports \
                  and skips the record."),
        /// `errors.log.enable`.
        pub log_enable: bool = key("errors.log.enable").default(false)
            .group("Error Handling").width(Width::Short).display("Log Errors")
            .doc("Whether each tolerated error is logged."),
        /// `errors.log.include.messages`.
        pub log_messages: bool = key("errors.log.include.messages").default(false)
            .group("Error Handling").width(Width::Short).display("Log Error Details")
            .doc("Whether the log line of an error also names the record's topic, partition and offset."),
    }
}

impl ErrorSettings {
    /// The wait between tries.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        Backoff {
            timeout_ms: u64::try_from(self.retry_timeout).ok(),
            // Connect takes such a limit, and crashes at the first wait that exceeds it.
            max_delay_ms: u64::try_from(self.retry_delay_max).ok().filter(|ms| *ms > 0).unwrap_or(60_000),
        }
    }

    /// What a bad record does.
    #[must_use]
    pub fn tolerance(&self) -> Tolerance {
        if self.tolerance == "all" { Tolerance::All } else { Tolerance::None }
    }
}

/// A record that failed, with where and why.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Where.
    pub stage: Stage,
    /// The class that failed: a converter, a transform, the sink task.
    pub class: String,
    /// Why.
    pub error: Error,
}

/// The tries of one operation.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    /// When the first failure was seen.
    start: Option<Instant>,
    failures: u32,
}

/// What follows a failed operation that is not a record's own fault.
#[derive(Debug)]
pub(crate) enum Next {
    /// It is tried again now; the wait is over.
    Again,
    /// It stays failed: not retriable, or its time is up.
    GiveUp(Error),
    /// The task is to stop: whatever the operation was for stays undone.
    Stop,
}

/// The task is to stop and gives up what it was waiting for. Nothing that depends on it may count as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopping;

/// Acts on errors for one task.
pub struct ErrorPolicy {
    id: TaskId,
    tolerance: Tolerance,
    backoff: Backoff,
    log: bool,
    log_messages: bool,
    dead_letters: Option<DeadLetters>,
    metrics: Arc<ErrorMetrics>,
    target: watch::Receiver<Target>,
    secrets: Redactor,
}

impl ErrorPolicy {
    /// A policy for task `id`. Waits end early once `target` says that the task is to stop.
    #[must_use]
    pub fn new(
        id: TaskId,
        settings: &ErrorSettings,
        dead_letters: Option<DeadLetters>,
        metrics: Arc<ErrorMetrics>,
        target: watch::Receiver<Target>,
    ) -> Self {
        Self {
            id,
            tolerance: settings.tolerance(),
            backoff: settings.backoff(),
            log: settings.log_enable,
            log_messages: settings.log_messages,
            dead_letters,
            metrics,
            target,
            secrets: Redactor::default(),
        }
    }

    /// Leaves these values out of what is reported.
    #[must_use]
    pub fn hiding(mut self, secrets: Redactor) -> Self {
        self.secrets = secrets;
        self
    }

    /// A failure as it may be shown.
    pub(crate) fn presentable(&self, failure: Failure) -> Failure {
        Failure { error: redacted(&failure.error, &self.secrets), ..failure }
    }

    /// Whether bad records are skipped.
    #[must_use]
    pub fn tolerates(&self) -> bool {
        self.tolerance == Tolerance::All
    }

    /// Whether a sink may report records instead of failing.
    #[must_use]
    pub fn takes_errant_records(&self) -> bool {
        self.tolerates() || self.dead_letters.is_some()
    }

    /// Reports a failed record and decides: `Ok` to skip it, an error to fail the task with.
    ///
    /// # Errors
    /// `Tolerance exceeded in error handler` where errors are not tolerated, with the failure as its cause; an error
    /// of a stage that cannot be tolerated at all comes back wrapped.
    pub(crate) async fn failed(&mut self, failure: &Failure, original: Option<&Original<'_>>) -> Result<()> {
        self.metrics.failure();
        self.metrics.error(now_ms());
        let presentable = (!self.secrets.is_empty()).then(|| self.presentable(failure.clone()));
        let failure = presentable.as_ref().unwrap_or(failure);
        self.report(failure, original).await?;
        if !tolerable(failure) {
            return Err(failure
                .error
                .clone()
                .wrapped_in(exception::CONNECT, "Unhandled exception in error handler"));
        }
        if !self.tolerates() {
            return Err(failure
                .error
                .clone()
                .wrapped_in(exception::CONNECT, "Tolerance exceeded in error handler"));
        }
        self.metrics.skipped();
        Ok(())
    }

    /// What follows a failed operation that is not a record's own fault, after the wait that is due.
    pub(crate) async fn try_again(&mut self, tries: &mut Tries, error: Error) -> Next {
        let start = *tries.start.get_or_insert_with(Instant::now);
        tries.failures += 1;
        if self.target.borrow().is_stopping() {
            return Next::Stop;
        }
        let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !error.is_retriable() || !self.backoff.may_retry(elapsed) {
            // Counted by `failed`, where it is decided what becomes of it.
            return Next::GiveUp(error);
        }
        self.metrics.failure();
        let delay = self.backoff.delay_ms(tries.failures, elapsed, jitter());
        tokio::select! {
            biased;
            _ = self.target.wait_for(|target| target.is_stopping()) => Next::Stop,
            () = tokio::time::sleep(Duration::from_millis(delay)) => {
                self.metrics.retry();
                Next::Again
            }
        }
    }

    /// The counters, for what is done about errors elsewhere.
    pub(crate) fn metrics(&self) -> &ErrorMetrics {
        &self.metrics
    }

    async fn report(&mut self, failure: &Failure, original: Option<&Original<'_>>) -> Result<()> {
        if self.log {
            self.metrics.logged();
            let consumed = match original {
                Some(original) if self.log_messages => {
                    format!(", where consumed record is {}", original.describe())
                }
                _ => String::new(),
            };
            tracing::error!(
                "Error encountered in task {}. Executing stage '{}' with class '{}'{consumed}. {}",
                self.id,
                failure.stage.name(),
                failure.class,
                failure.error.trace().trim_end(),
            );
        }
        if let (Some(dead_letters), Some(original)) = (&mut self.dead_letters, original) {
            dead_letters.send(&self.id, failure, original, &self.metrics).await?;
        }
        Ok(())
    }

    /// Waits until every dead letter is acknowledged: offsets must not pass a record whose report may be lost.
    ///
    /// # Errors
    /// Where a dead letter could not be written, now or at any time before.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        match &mut self.dead_letters {
            Some(dead_letters) => dead_letters.settle(&self.metrics).await,
            None => Ok(()),
        }
    }
}

/// Whether `errors.tolerance` has a say. A sink that reports a record has said itself that it can go on without it.
fn tolerable(failure: &Failure) -> bool {
    match failure.stage {
        Stage::TaskPut => true,
        Stage::Transformation
        | Stage::KeyConverter
        | Stage::ValueConverter
        | Stage::HeaderConverter
        | Stage::KafkaProduce => failure.error.class() != ErrorClass::Fatal,
        Stage::TaskPoll | Stage::KafkaConsume => false,
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// Uniform in `0.0..1.0`: the low bits of the clock are random enough to spread retries.
fn jitter() -> f64 {
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    f64::from(nanos % 1_000_003) / 1_000_003.0
}
