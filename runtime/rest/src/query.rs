//! Parameters of queries.

use crate::operation::{Query, QueryKind};

pub(crate) static EXPAND: Query = Query {
    name: "expand",
    about: "What to tell of each connector, instead of the names alone. Other values ask for nothing.",
    kind: QueryKind::Choice(&["info", "status"], true),
};
pub(crate) static INCLUDE_TASKS: Query = Query {
    name: "includeTasks",
    about: "Whether to restart the tasks as well.",
    kind: QueryKind::Flag(false),
};
pub(crate) static ONLY_FAILED: Query = Query {
    name: "onlyFailed",
    about: "Whether to restart only what has failed.",
    kind: QueryKind::Flag(false),
};
pub(crate) static CONNECTORS_ONLY: Query = Query {
    name: "connectorsOnly",
    about: "Whether to list connectors alone, or transforms, predicates and converters too.",
    kind: QueryKind::Flag(true),
};
pub(crate) static VERSION: Query = Query {
    name: "version",
    about: "The version of the plugin; without it, the one that there is.",
    kind: QueryKind::Text,
};
pub(crate) static SCOPE: Query = Query {
    name: "scope",
    about: "Whose level to change. The whole cluster is this worker, so that only the status differs.",
    kind: QueryKind::Choice(&["worker", "cluster"], false),
};
