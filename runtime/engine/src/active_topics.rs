//! Which topics a task uses, told often enough that a user may reset what is known of them.

use std::collections::HashSet;
use std::time::Duration;

use lavka_api::data::Topic;
use tokio::time::Instant;

/// How long a topic that was told is not told again. `PUT /connectors/NAME/topics/reset` takes what was told away, and
/// what is still used has to come back (KIP-558).
const TOLD_FOR: Duration = Duration::from_secs(1);

/// Topics told lately.
#[derive(Debug)]
pub(crate) struct ActiveTopics {
    told: HashSet<Topic>,
    /// Most records have the topic of the one before.
    last: Option<Topic>,
    since: Instant,
}

impl ActiveTopics {
    /// Nothing told yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self { told: HashSet::new(), last: None, since: now }
    }

    /// Begins a batch.
    pub(crate) fn begin(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= TOLD_FOR {
            self.told.clear();
            self.last = None;
            self.since = now;
        }
    }

    /// Notes a record's topic; whether it has to be told.
    pub(crate) fn note(&mut self, topic: &Topic) -> bool {
        if self.last.as_ref() == Some(topic) {
            return false;
        }
        self.last = Some(topic.clone());
        self.told.insert(topic.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_told_once_a_second() {
        let began = Instant::now();
        let mut topics = ActiveTopics::new(began);
        let (a, b) = (Topic::from("a"), Topic::from("b"));
        topics.begin(began);
        assert_eq!([&a, &a, &b, &a].map(|topic| topics.note(topic)), [true, false, true, false]);
        topics.begin(began + TOLD_FOR / 2);
        assert!(!topics.note(&b));
        topics.begin(began + TOLD_FOR);
        assert_eq!([&a, &b, &b].map(|topic| topics.note(topic)), [true, true, false]);
    }
}
