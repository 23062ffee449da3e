//! What a request is waiting for, so that its time-out can say it.
//!
//! Whoever serves a request runs it inside of [`within`]; whatever the request calls tells by `enter` what it begins.
//! The current stage belongs to the request's own task, so requests know nothing of each other's.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lavka_api::java::write_timestamp;

tokio::task_local! {
    static CURRENT: Arc<Mutex<Option<Stage>>>;
}

/// Something that takes time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stage {
    /// Completes "The worker is currently …".
    description: String,
    /// Epoch milliseconds.
    began: i64,
    completed: Option<i64>,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let began = instant(self.began);
        match self.completed {
            None => {
                write!(f, "The worker is currently {}, which began at {began}.", self.description)
            }
            Some(completed) => write!(
                f,
                "The last operation the worker completed was {}, which began at {began} and completed at {}.",
                self.description,
                instant(completed)
            ),
        }
    }
}

/// A request that took too long. Its text is that of Connect's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedOut(Option<Stage>);

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(stage) => write!(f, "Request timed out. {stage}"),
            None => f.write_str("Request timed out"),
        }
    }
}

impl std::error::Error for TimedOut {}

/// Runs a request, for at most `limit`.
///
/// # Errors
/// [`TimedOut`], with what the request was waiting for.
pub async fn within<T>(limit: Duration, request: impl Future<Output = T>) -> Result<T, TimedOut> {
    let current = Arc::new(Mutex::new(None));
    // Dropping the request would complete its stage, so it is looked at first.
    let mut scoped = std::pin::pin!(CURRENT.scope(Arc::clone(&current), request));
    match tokio::time::timeout(limit, scoped.as_mut()).await {
        Ok(output) => Ok(output),
        Err(_) => Err(TimedOut(current.lock().unwrap_or_else(PoisonError::into_inner).take())),
    }
}

/// A stage that is under way until this is dropped.
#[must_use]
pub(crate) struct Entered(());

/// Tells what the current request does from here on. Outside of a request it tells nobody.
pub(crate) fn enter(description: impl Into<String>) -> Entered {
    let stage = Stage { description: description.into(), began: now(), completed: None };
    change(|current| *current = Some(stage));
    Entered(())
}

impl Drop for Entered {
    fn drop(&mut self) {
        change(|current| {
            if let Some(stage) = current {
                stage.completed.get_or_insert_with(now);
            }
        });
    }
}

/// The current request's stage in words, if it has entered one.
pub(crate) fn summary() -> Option<String> {
    let mut text = None;
    change(|current| text = current.as_ref().map(Stage::to_string));
    text
}

fn change(act: impl FnOnce(&mut Option<Stage>)) {
    // Not within a request: nobody waits for what is told.
    let _ = CURRENT.try_with(|current| act(&mut current.lock().unwrap_or_else(PoisonError::into_inner)));
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// As `java.time.Instant` prints milliseconds.
fn instant(epoch_ms: i64) -> String {
    let mut text = Vec::new();
    write_timestamp(&mut text, epoch_ms);
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_told_as_connect_tells_them() {
        let mut stage = Stage {
            description: "reading to the end of the config topic".into(),
            began: 1_700_000_000_123,
            completed: None,
        };
        assert_eq!(
            TimedOut(Some(stage.clone())).to_string(),
            "Request timed out. The worker is currently reading to the end of the config topic, which began at \
             2023-11-14T22:13:20.123Z."
        );
        stage.completed = Some(1_700_000_001_000);
        assert_eq!(
            stage.to_string(),
            "The last operation the worker completed was reading to the end of the config topic, which began at \
             2023-11-14T22:13:20.123Z and completed at 2023-11-14T22:13:21.000Z."
        );
        assert_eq!(TimedOut(None).to_string(), "Request timed out");
    }

    #[tokio::test(start_paused = true)]
    async fn a39_a_request_that_takes_too_long_tells_its_stage() {
        let request = async {
            drop(enter("looking"));
            let _stage = enter("waiting for the cluster");
            std::future::pending::<()>().await;
        };
        let text = within(Duration::from_secs(90), request).await.unwrap_err().to_string();
        assert!(
            text.starts_with(
                "Request timed out. The worker is currently waiting for the cluster, which began at "
            ),
            "{text}"
        );
        let request = async {
            drop(enter("looking"));
            std::future::pending::<()>().await;
        };
        let text = within(Duration::from_secs(90), request).await.unwrap_err().to_string();
        assert!(
            text.contains("The last operation the worker completed was looking, which began at "),
            "{text}"
        );
        assert_eq!(within(Duration::from_secs(90), async { 7 }).await, Ok(7));
        let silent = within(Duration::from_secs(90), std::future::pending::<()>()).await;
        assert_eq!(silent, Err(TimedOut(None)));
    }
}
