//! The config log: the records that make up what a cluster is told to run, and the state they add up to.
//!
//! Standalone workers keep the log in memory; distributed ones in a compacted topic. The rules are those of
//! `KafkaConfigBackingStore`.

use std::collections::BTreeMap;

use lavka_api::config::Config;

/// What a connector should be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TargetState {
    /// Running.
    #[default]
    Started,
    /// Connector and tasks exist and move nothing.
    Paused,
    /// No connector, no tasks; offsets may be changed.
    Stopped,
}

impl TargetState {
    /// The name in the log (`STARTED`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TargetState::Started => "STARTED",
            TargetState::Paused => "PAUSED",
            TargetState::Stopped => "STOPPED",
        }
    }

    /// The state that `initial_state` of a creation request names, whatever the case.
    #[must_use]
    pub fn from_initial_state(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "RUNNING" => Some(TargetState::Started),
            "PAUSED" => Some(TargetState::Paused),
            "STOPPED" => Some(TargetState::Stopped),
            _ => None,
        }
    }
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigRecord {
    /// A connector's configuration, `${…}` unresolved; `None` deletes the connector.
    Connector(String, Option<Config>),
    /// A connector's target state; `None` forgets it.
    Target(String, Option<TargetState>),
    /// Configurations of all tasks of a connector. (In a topic this is one record per task and a commit record.)
    Tasks(String, Vec<Config>),
}

/// What the log adds up to.
#[derive(Debug, Default, Clone)]
pub struct ConfigState {
    connectors: BTreeMap<String, Config>,
    targets: BTreeMap<String, TargetState>,
    tasks: BTreeMap<String, Vec<Config>>,
}

impl ConfigState {
    /// Takes a record in.
    pub fn apply(&mut self, record: ConfigRecord) {
        match record {
            ConfigRecord::Connector(name, Some(config)) => {
                self.connectors.insert(name, config);
            }
            ConfigRecord::Connector(name, None) => {
                self.connectors.remove(&name);
                self.tasks.remove(&name);
            }
            ConfigRecord::Target(name, Some(target)) => {
                self.targets.insert(name, target);
            }
            ConfigRecord::Target(name, None) => {
                self.targets.remove(&name);
            }
            // Tasks of a connector that is gone are leftovers of compaction.
            ConfigRecord::Tasks(name, configs) => {
                if self.connectors.contains_key(&name) {
                    self.tasks.insert(name, configs);
                }
            }
        }
    }

    /// Names of the connectors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.connectors.keys().map(String::as_str)
    }

    /// A connector's configuration.
    #[must_use]
    pub fn connector(&self, name: &str) -> Option<&Config> {
        self.connectors.get(name)
    }

    /// A connector's target state; started unless the log says otherwise.
    #[must_use]
    pub fn target(&self, name: &str) -> TargetState {
        self.targets.get(name).copied().unwrap_or_default()
    }

    /// Configurations of a connector's tasks, by number.
    #[must_use]
    pub fn tasks(&self, name: &str) -> &[Config] {
        self.tasks.get(name).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(value: &str) -> Config {
        Config::from([("k", value)])
    }

    #[test]
    fn k4_a_tombstone_forgets_connector_and_tasks_but_not_the_target() {
        let mut state = ConfigState::default();
        state.apply(ConfigRecord::Connector("c".into(), Some(config("1"))));
        state.apply(ConfigRecord::Target("c".into(), Some(TargetState::Paused)));
        state.apply(ConfigRecord::Tasks("c".into(), vec![config("t")]));
        state.apply(ConfigRecord::Connector("c".into(), None));
        assert_eq!((state.connector("c"), state.tasks("c")), (None, [].as_slice()));
        assert_eq!(state.target("c"), TargetState::Paused);
        state.apply(ConfigRecord::Target("c".into(), None));
        assert_eq!(state.target("c"), TargetState::Started);
    }

    #[test]
    fn k5_a_target_may_come_before_its_connector() {
        let mut state = ConfigState::default();
        state.apply(ConfigRecord::Target("c".into(), Some(TargetState::Stopped)));
        state.apply(ConfigRecord::Connector("c".into(), Some(config("1"))));
        assert_eq!(state.target("c"), TargetState::Stopped);
    }

    #[test]
    fn k9_tasks_without_a_connector_are_ignored() {
        let mut state = ConfigState::default();
        state.apply(ConfigRecord::Tasks("c".into(), vec![config("t")]));
        state.apply(ConfigRecord::Connector("c".into(), Some(config("1"))));
        assert!(state.tasks("c").is_empty());
    }
}
