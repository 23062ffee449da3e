//! What requests are for.

/// A resource, with the names in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    Root,
    Health,
    Metrics,
    OpenApi,
    Connectors,
    Connector(String),
    Config(String),
    Status(String),
    Tasks(String),
    TaskStatus(String, i32),
    TaskRestart(String, i32),
    Restart(String),
    Pause(String),
    Resume(String),
    Stop(String),
    Fence(String),
    Topics(String),
    TopicsReset(String),
    Offsets(String),
    Plugins,
    PluginConfig(String),
    PluginValidation(String),
    Loggers,
    Logger(String),
}
