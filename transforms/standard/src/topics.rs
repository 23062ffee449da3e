//! What is worked out once per topic.

use std::collections::HashMap;

use lavka_api::data::Topic;

/// More topics than this in one task start the memory afresh.
const TOPICS: usize = 1024;

/// Remembers what came of each topic. Records come in runs of one topic, so the last one is asked first.
pub(crate) struct TopicMemory<T> {
    last: Option<(Topic, T)>,
    known: HashMap<Topic, T>,
}

impl<T: Clone> TopicMemory<T> {
    pub(crate) fn new() -> Self {
        Self { last: None, known: HashMap::new() }
    }

    /// What came of `topic`, by `work` if it is new.
    pub(crate) fn get(&mut self, topic: &Topic, work: impl FnOnce(&str) -> T) -> &T {
        if self.last.as_ref().is_none_or(|(last, _)| last != topic) {
            self.last = None;
        }
        let Self { last, known } = self;
        let (_, outcome) = last.get_or_insert_with(|| {
            if let Some(outcome) = known.get(topic) {
                return (topic.clone(), outcome.clone());
            }
            if known.len() >= TOPICS {
                known.clear();
            }
            let outcome = work(topic.as_str());
            known.insert(topic.clone(), outcome.clone());
            (topic.clone(), outcome)
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_per_topic() {
        let mut memory = TopicMemory::new();
        let mut worked = Vec::new();
        for name in ["a", "a", "b", "a", "b"] {
            let length = *memory.get(&name.into(), |topic| {
                worked.push(topic.to_owned());
                topic.len()
            });
            assert_eq!(length, 1);
        }
        assert_eq!(worked, ["a", "b"]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut memory = TopicMemory::new();
        for i in 0..3 * TOPICS {
            assert_eq!(*memory.get(&format!("t{i}").into(), |_| i), i);
        }
        assert!(memory.known.len() <= TOPICS);
    }
}
