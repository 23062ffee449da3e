//! Which topics a sink reads.

use std::fmt;
use std::sync::Arc;

use lavka_ports::Subscription;

use crate::TopicMatcher;

/// `topics` or `topics.regex`.
#[derive(Clone)]
pub enum TopicSelection {
    /// These topics.
    Named(Vec<String>),
    /// Topics whose whole name matches.
    Matching {
        /// The regular expression as written.
        regex: String,
        /// Whether a name matches.
        matcher: Arc<TopicMatcher>,
    },
}

impl TopicSelection {
    /// The subscription, given all topics of the cluster (which only a pattern looks at).
    #[must_use]
    pub fn subscription(&self, topics: &[String]) -> Subscription {
        match self {
            TopicSelection::Named(names) => Subscription::Topics(names.clone()),
            TopicSelection::Matching { regex, matcher } => {
                let mut matches: Vec<String> = topics.iter().filter(|name| matcher(name)).cloned().collect();
                matches.sort();
                Subscription::Pattern { regex: regex.clone(), matches }
            }
        }
    }

    /// Whether new topics can join the selection.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        matches!(self, TopicSelection::Matching { .. })
    }
}

impl fmt::Debug for TopicSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicSelection::Named(names) => f.debug_list().entries(names).finish(),
            TopicSelection::Matching { regex, .. } => write!(f, "/{regex}/"),
        }
    }
}
