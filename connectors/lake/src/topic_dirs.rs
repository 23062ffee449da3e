//! `topics.dir` and `logs.dir`, which may have parts of the topic's name in them (`topic.capture.groups.regex`).
//!
//! `${topic}` is the topic; `${0}`, `${1}` ... are what the groups of the expression capture in it, of which `${0}` is the
//! whole. The rules and the error texts are the HDFS sink's (`HdfsSinkConnectorConfig`).

use std::borrow::Cow;

use fancy_regex::{Captures, Regex};
use lavka_api::{Error, Result};

use crate::settings::{Checked, Problem};
use crate::store::LakePath;

const REGEX: &str = "topic.capture.groups.regex";
const TOPIC: &str = "${topic}";

/// The directories of topics.
#[derive(Debug, Clone)]
pub(crate) struct TopicDirs {
    topics: DirTemplate,
    logs: DirTemplate,
    /// Matches whole names of topics.
    capture: Option<(Regex, String)>,
}

/// A directory with holes in it.
#[derive(Debug, Clone)]
struct DirTemplate {
    text: String,
    /// The largest number in it; `None` where there is none.
    groups: Option<usize>,
}

impl TopicDirs {
    /// Reads the three keys.
    ///
    /// # Errors
    /// The keys at fault, and why.
    pub(crate) fn new(topics: &str, logs: &str, regex: Option<&str>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut note = |outcome: Checked<DirTemplate>| outcome.map_err(|problem| problems.push(problem)).ok();
        let topics = note(DirTemplate::parse("topics.dir", topics, regex.is_some()));
        let logs = note(DirTemplate::parse("logs.dir", logs, regex.is_some()));
        let capture = regex.map(|text| (Regex::new(&format!(r"\A(?:{text})\z")), text.to_owned()));
        let capture = match capture {
            Some((Err(error), _)) => {
                problems.push((REGEX, format!("{REGEX} is an invalid regex pattern: {error}")));
                None
            }
            Some((Ok(regex), text)) => Some((regex, text)),
            None => None,
        };
        match (topics, logs) {
            (Some(topics), Some(logs)) if problems.is_empty() => {
                // Names of topics have no slashes, so what holds for one holds for all.
                let sample = |template: &DirTemplate| template.filled_with(|_| Ok("x".into()));
                let unfinished = sample(&topics).and_then(|topics| topics.join("+tmp"));
                if let (Ok(unfinished), Ok(logs)) = (unfinished, sample(&logs))
                    && logs.is_within(&unfinished)
                {
                    let text = "this is where unfinished files are, which are deleted in a recovery; use another directory";
                    return Err(vec![("logs.dir", text.into())]);
                }
                Ok(Self { topics, logs, capture })
            }
            _ => Err(problems),
        }
    }

    /// The directory above that of `topic`.
    ///
    /// # Errors
    /// A config error where the topic's name is not one that the expression matches.
    pub(crate) fn topics(&self, topic: &str) -> Result<LakePath> {
        self.filled(&self.topics, topic)
    }

    /// The directory above that of the logs of `topic`.
    ///
    /// # Errors
    /// As [`topics`](Self::topics).
    pub(crate) fn logs(&self, topic: &str) -> Result<LakePath> {
        self.filled(&self.logs, topic)
    }

    fn filled(&self, template: &DirTemplate, topic: &str) -> Result<LakePath> {
        let Some((regex, text)) = &self.capture else {
            return template.filled_with(|name| match name {
                Hole::Topic => Ok(topic.into()),
                Hole::Group(_) => Ok("".into()),
            });
        };
        let found = regex.captures(topic).map_err(|error| {
            Error::invalid_value(REGEX, text, format!("Topic {topic} cannot be matched: {error}"))
        })?;
        let Some(captures) = found else {
            let detail = format!("Topic {topic} does not fully match the specified regex.");
            return Err(Error::invalid_value(REGEX, text, detail));
        };
        let groups = captures.len().saturating_sub(1);
        if let Some(most) = template.groups.filter(|most| *most > groups) {
            return Err(Error::config(format!(
                "Topic {topic} must have at least {most} capture groups using regex pattern {text}, but actually had \
                 {groups} capture groups."
            )));
        }
        template.filled_with(|name| match name {
            Hole::Topic => Ok(topic.into()),
            Hole::Group(group) => group_of(&captures, group, topic, text),
        })
    }
}

fn group_of<'c>(
    captures: &'c Captures<'_, str>,
    group: usize,
    topic: &str,
    regex: &str,
) -> Result<Cow<'c, str>> {
    let found = captures.get(group).map(|found| Cow::Borrowed(found.as_str()));
    found.ok_or_else(|| {
        Error::invalid_value(REGEX, regex, format!("its group {group} has no part in the topic {topic}"))
    })
}

/// What stands for a part of the topic's name.
#[derive(Debug, Clone, Copy)]
enum Hole {
    Topic,
    Group(usize),
}

impl DirTemplate {
    fn parse(key: &'static str, text: &str, has_regex: bool) -> Checked<Self> {
        let template = Self { text: text.to_owned(), groups: groups(text).max() };
        if template.groups.is_some() && !has_regex {
            let detail = format!("{key} cannot contain ${{}} without a valid {REGEX} being configured.");
            return Err((key, detail));
        }
        let mut rest = text.replace(TOPIC, "");
        groups(text).for_each(|group| rest = rest.replace(&format!("${{{group}}}"), ""));
        if let Some(start) = rest.find("${")
            && let Some(end) = rest.rfind('}').filter(|end| *end > start)
        {
            let invalid = rest.get(start..=end).unwrap_or_default();
            return Err((
                key,
                format!(
                    "{key}: {text} contains an invalid ${{}} substitution {invalid}. Valid substitutions are {TOPIC} and \
                     ${{n}} where n >= 0."
                ),
            ));
        }
        template.filled_with(|_| Ok("x".into())).map_err(|error| (key, error.to_string()))?;
        Ok(template)
    }

    fn filled_with<'v>(&self, value: impl Fn(Hole) -> Result<Cow<'v, str>>) -> Result<LakePath> {
        let mut text = self.text.replace(TOPIC, &value(Hole::Topic)?);
        for group in groups(&self.text) {
            text = text.replace(&format!("${{{group}}}"), &value(Hole::Group(group))?);
        }
        LakePath::new(&text)
    }
}

/// The numbers of the groups in a directory, as often as they are there.
fn groups(text: &str) -> impl Iterator<Item = usize> {
    text.split("${").skip(1).filter_map(|behind| {
        let (name, _) = behind.split_once('}')?;
        // A number with a zero in front, which Java reads as well, would not be found again.
        name.parse().ok().filter(|group: &usize| group.to_string() == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(template: &str, regex: Option<&str>, topic: &str) -> String {
        let dirs = TopicDirs::new(template, "logs", regex).unwrap();
        dirs.topics(topic).map_or_else(|error| error.to_string(), |path| path.to_string())
    }

    #[test]
    fn groups_of_the_topic_become_directories() {
        let words = Some("([a-zA-Z]*)_([a-zA-Z]*)");
        for (template, regex, want) in [
            ("topics", None, "topics"),
            ("a/${topic}/b", None, "a/example_name/b"),
            ("${1}/${2}", words, "example/name"),
            ("x-${2}/${0}/${topic}/${2}", words, "x-name/example_name/example_name/name"),
            ("${1}", Some("(e.*)|(f.*)"), "example_name"),
            (
                "${2}",
                Some("(e.*)|(f.*)"),
                "Invalid value (e.*)|(f.*) for configuration topic.capture.groups.regex: its group 2 has no part in the \
                 topic example_name",
            ),
            (
                "${1}",
                Some("(exam)"),
                "Invalid value (exam) for configuration topic.capture.groups.regex: Topic example_name does not fully match \
                 the specified regex.",
            ),
            (
                "${3}",
                words,
                "Topic example_name must have at least 3 capture groups using regex pattern ([a-zA-Z]*)_([a-zA-Z]*), but \
                 actually had 2 capture groups.",
            ),
        ] {
            assert_eq!(topics(template, regex, "example_name"), want, "{template}");
        }
        let dirs = TopicDirs::new("topics", "wal/${1}", Some("(..).*")).unwrap();
        assert_eq!(dirs.logs("abc").unwrap().to_string(), "wal/ab");
        assert!(dirs.logs("..x").unwrap_err().to_string().contains("\"..\" is not allowed"));
    }

    #[test]
    fn what_cannot_be_filled_is_refused() {
        let refused = |topics: &str, logs: &str, regex| TopicDirs::new(topics, logs, regex).unwrap_err();
        let text =
            "topics.dir cannot contain ${} without a valid topic.capture.groups.regex being configured.";
        assert_eq!(refused("${1}", "logs", None), [("topics.dir", text.to_owned())]);
        let text = "logs.dir: a/${name} contains an invalid ${} substitution ${name}. Valid substitutions are ${topic} and \
                    ${n} where n >= 0.";
        assert_eq!(refused("t", "a/${name}", Some("(.*)")), [("logs.dir", text.to_owned())]);
        assert_eq!(refused("t", "l", Some("(")).first().map(|(key, _)| *key), Some(REGEX));
        assert_eq!(refused("../t", "t/+tmp", None).first().map(|(key, _)| *key), Some("topics.dir"));
        assert_eq!(
            refused("${topic}", "${topic}/+tmp/x", None).first().map(|(key, _)| *key),
            Some("logs.dir")
        );
    }
}
