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

/// Topics made of a topic and a time: a format in which `${topic}` and `${timestamp}` stand for them. Most records have
/// the time's text of the record before, so that the topic is there already.
pub(crate) struct TimedTopics {
    format: String,
    known: HashMap<Topic, TimedTopic>,
    /// The time's text of the record at hand.
    text: String,
}

struct TimedTopic {
    /// The format with the topic in it, split where the time goes.
    pieces: Vec<String>,
    /// The time's text of the last record.
    text: String,
    topic: Topic,
}

impl TimedTopics {
    pub(crate) fn new(format: String) -> Self {
        Self { format, known: HashMap::new(), text: String::new() }
    }

    /// The topic for `topic` at the time that `write` appends.
    pub(crate) fn get(&mut self, topic: &Topic, write: impl FnOnce(&mut String)) -> &Topic {
        let Self { format, known, text } = self;
        text.clear();
        write(text);
        if known.len() >= TOPICS && !known.contains_key(topic) {
            known.clear();
        }
        let entry = known.entry(topic.clone()).or_insert_with(|| {
            // The topic goes in first, so that a topic which says ${timestamp} has the time put in too.
            let pieces: Vec<String> =
                format.replace("${topic}", topic).split("${timestamp}").map(str::to_owned).collect();
            TimedTopic { topic: pieces.join(text).into(), text: text.clone(), pieces }
        });
        if entry.text != *text {
            entry.topic = entry.pieces.join(text).into();
            entry.text.clone_from(text);
        }
        &entry.topic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_goes_in_before_the_time() {
        let mut topics = TimedTopics::new("${timestamp}/${topic}".into());
        for (topic, text, expected) in [
            ("a", "1", "1/a"),
            ("a", "1", "1/a"),
            ("a", "2", "2/a"),
            ("${timestamp}", "3", "3/3"),
            ("a$t", "${topic}", "${topic}/a$t"),
        ] {
            let made = topics.get(&topic.into(), |out| out.push_str(text));
            assert_eq!(made.as_str(), expected);
        }
        let same = [(); 2].map(|()| topics.get(&"a".into(), |out| out.push('x')).clone());
        assert!(std::ptr::eq(same[0].as_str(), same[1].as_str()));
        for i in 0..3 * TOPICS {
            topics.get(&format!("t{i}").into(), |_| {});
        }
        assert!(topics.known.len() <= TOPICS);
    }

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
