//! What there is, by path and method: the one place that says so. Routing and the OpenAPI document both go by it.

use crate::operation::{Answer, Operation, Produces, Shape, Verb};
use crate::resource::Resource;
use crate::{query, schemas};

/// A path with what can be done there.
pub(crate) struct Route {
    /// The path, with names of parameters in braces.
    pub(crate) template: &'static str,
    resource: Make,
    pub(crate) operations: &'static [Operation],
}

/// The resource of the path's parameters.
enum Make {
    Fixed(Resource),
    Named(fn(String) -> Resource),
    Task(fn(String, i32) -> Resource),
}

impl Route {
    /// The route and resource at a path. A task number that is none leads nowhere, as in JAX-RS.
    pub(crate) fn at(segments: &[String]) -> Option<(&'static Route, Resource)> {
        let route = ROUTES.iter().find(|route| route.matches(segments))?;
        let mut values = route.parts().zip(segments).filter(|(part, _)| name_of(part).is_some());
        let mut next = || values.next().map(|(_, value)| value.clone());
        let resource = match &route.resource {
            Make::Fixed(resource) => resource.clone(),
            Make::Named(make) => make(next()?),
            Make::Task(make) => make(next()?, next()?.parse().ok()?),
        };
        Some((route, resource))
    }

    fn matches(&self, segments: &[String]) -> bool {
        self.parts().count() == segments.len()
            && self.parts().zip(segments).all(|(part, segment)| name_of(part).is_some() || part == segment)
    }

    fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.template.split('/').filter(|part| !part.is_empty())
    }

    /// Names of the parameters in the path.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.parts().filter_map(name_of)
    }

    /// Whether it is an admin endpoint.
    pub(crate) fn is_admin(&self) -> bool {
        self.template.starts_with("/admin/")
    }

    /// The operation of this method, if it has that.
    pub(crate) fn operation(&self, verb: Verb) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.verb == verb)
    }

    /// The value of an `Allow` header.
    pub(crate) fn allow(&self) -> String {
        let own = self.operations.iter().map(|operation| operation.verb.name());
        let head = self.operation(Verb::Get).map(|_| "HEAD");
        let names: Vec<&str> = head.into_iter().chain(own).chain(["OPTIONS"]).collect();
        names.join(",")
    }
}

/// The name of a template's part that stands for any segment.
fn name_of(part: &'static str) -> Option<&'static str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

/// The beginning of an operation, for the others to be written over.
const fn operation(verb: Verb, id: &'static str, summary: &'static str) -> Operation {
    Operation {
        verb,
        id,
        summary,
        query: &[],
        body: None,
        answers: &[],
        produces: Produces::Json,
        refusals: &[],
    }
}

const fn with(about: &'static str, body: &'static Shape) -> Answer {
    Answer { status: 200, about, body: Some(body) }
}

const fn empty(status: u16, about: &'static str) -> Answer {
    Answer { status, about, body: None }
}

/// A connector that is not there is 404; one whose state forbids it, 409.
const CHANGE: &[u16] = &[404, 409];
const LOOK: &[u16] = &[404];
/// What workers send each other has to be signed, by a key that every one of them has.
const INTERNAL: &[u16] = &[400, 403, 404, 409, 503];

/// Every path. The order of the operations is that of an `Allow` header.
pub(crate) static ROUTES: &[Route] = &[
    Route {
        template: "/",
        resource: Make::Fixed(Resource::Root),
        operations: &[Operation {
            answers: &[with("The worker's version and its Kafka cluster.", &schemas::SERVER_INFO)],
            ..operation(Verb::Get, "getServerInfo", "Versions and the Kafka cluster")
        }],
    },
    Route {
        template: "/health",
        resource: Make::Fixed(Resource::Health),
        operations: &[Operation {
            answers: &[
                with("It is ready.", &schemas::HEALTH),
                Answer { status: 500, about: "It was ready, and is not.", body: Some(&schemas::UNHEALTHY) },
                Answer { status: 503, about: "It is not ready yet.", body: Some(&schemas::HEALTH) },
            ],
            ..operation(Verb::Get, "getHealth", "Whether the worker is ready")
        }],
    },
    Route {
        template: "/metrics",
        resource: Make::Fixed(Resource::Metrics),
        operations: &[Operation {
            answers: &[with("The metrics.", &schemas::METRICS)],
            produces: Produces::Metrics,
            ..operation(Verb::Get, "getMetrics", "What is counted and measured, as Prometheus reads it")
        }],
    },
    Route {
        template: "/openapi.json",
        resource: Make::Fixed(Resource::OpenApi),
        operations: &[Operation {
            answers: &[with("The document.", &schemas::DOCUMENT)],
            ..operation(Verb::Get, "getOpenApi", "This document")
        }],
    },
    Route {
        template: "/connectors",
        resource: Make::Fixed(Resource::Connectors),
        operations: &[
            Operation {
                body: Some(&schemas::CREATION),
                answers: &[Answer { status: 201, about: "It was created.", body: Some(&schemas::CONNECTOR) }],
                refusals: &[409],
                ..operation(Verb::Post, "createConnector", "Create a connector")
            },
            Operation {
                query: &[&query::EXPAND],
                answers: &[with("Names, or an object by name.", &schemas::CONNECTORS)],
                ..operation(Verb::Get, "listConnectors", "List connectors")
            },
        ],
    },
    Route {
        template: "/connectors/{connector}",
        resource: Make::Named(Resource::Connector),
        operations: &[
            Operation {
                answers: &[with("The connector.", &schemas::CONNECTOR)],
                refusals: LOOK,
                ..operation(Verb::Get, "getConnector", "A connector's configuration and tasks")
            },
            Operation {
                answers: &[empty(204, "It was deleted.")],
                refusals: CHANGE,
                ..operation(Verb::Delete, "deleteConnector", "Stop and delete a connector")
            },
        ],
    },
    Route {
        template: "/connectors/{connector}/config",
        resource: Make::Named(Resource::Config),
        operations: &[
            Operation {
                body: Some(&schemas::CONFIGURATION),
                answers: &[with("It was changed.", &schemas::CONNECTOR)],
                refusals: CHANGE,
                ..operation(Verb::Patch, "patchConnectorConfig", "Change some keys; null removes one")
            },
            Operation {
                answers: &[with("The configuration.", &schemas::CONFIGURATION)],
                refusals: LOOK,
                ..operation(Verb::Get, "getConnectorConfig", "A connector's configuration")
            },
            Operation {
                body: Some(&schemas::CONFIGURATION),
                answers: &[
                    with("It was changed.", &schemas::CONNECTOR),
                    Answer { status: 201, about: "It was created.", body: Some(&schemas::CONNECTOR) },
                ],
                refusals: CHANGE,
                ..operation(
                    Verb::Put,
                    "putConnectorConfig",
                    "Create a connector, or replace its configuration",
                )
            },
        ],
    },
    Route {
        template: "/connectors/{connector}/status",
        resource: Make::Named(Resource::Status),
        operations: &[Operation {
            answers: &[with("The states.", &schemas::STATUS)],
            refusals: LOOK,
            ..operation(Verb::Get, "getConnectorStatus", "States of a connector and its tasks")
        }],
    },
    Route {
        template: "/connectors/{connector}/restart",
        resource: Make::Named(Resource::Restart),
        operations: &[Operation {
            query: &[&query::INCLUDE_TASKS, &query::ONLY_FAILED],
            answers: &[
                Answer {
                    status: 202,
                    about: "What is being restarted, where tasks or failures alone were asked for.",
                    body: Some(&schemas::STATUS),
                },
                empty(204, "The connector was restarted."),
            ],
            refusals: CHANGE,
            ..operation(Verb::Post, "restartConnector", "Restart a connector")
        }],
    },
    Route {
        template: "/connectors/{connector}/pause",
        resource: Make::Named(Resource::Pause),
        operations: &[Operation {
            answers: &[empty(202, "It is being paused.")],
            refusals: CHANGE,
            ..operation(Verb::Put, "pauseConnector", "Pause a connector and its tasks")
        }],
    },
    Route {
        template: "/connectors/{connector}/resume",
        resource: Make::Named(Resource::Resume),
        operations: &[Operation {
            answers: &[empty(202, "It is being resumed.")],
            refusals: CHANGE,
            ..operation(Verb::Put, "resumeConnector", "Resume a paused or stopped connector")
        }],
    },
    Route {
        template: "/connectors/{connector}/stop",
        resource: Make::Named(Resource::Stop),
        operations: &[Operation {
            answers: &[empty(204, "It is being stopped.")],
            refusals: CHANGE,
            ..operation(Verb::Put, "stopConnector", "Stop a connector, and end its tasks")
        }],
    },
    Route {
        template: "/connectors/{connector}/fence",
        resource: Make::Named(Resource::Fence),
        operations: &[Operation {
            answers: &[empty(200, "Earlier tasks are fenced.")],
            refusals: INTERNAL,
            ..operation(Verb::Put, "fenceConnector", "For workers among themselves; a standalone one refuses")
        }],
    },
    Route {
        template: "/connectors/{connector}/topics",
        resource: Make::Named(Resource::Topics),
        operations: &[Operation {
            answers: &[with("Its topics.", &schemas::TOPICS)],
            refusals: &[403, 404],
            ..operation(Verb::Get, "getConnectorTopics", "Topics that a connector has used")
        }],
    },
    Route {
        template: "/connectors/{connector}/topics/reset",
        resource: Make::Named(Resource::TopicsReset),
        operations: &[Operation {
            answers: &[empty(202, "They were forgotten.")],
            refusals: &[403, 404, 409],
            ..operation(Verb::Put, "resetConnectorTopics", "Forget the topics that a connector has used")
        }],
    },
    Route {
        template: "/connectors/{connector}/offsets",
        resource: Make::Named(Resource::Offsets),
        operations: &[
            Operation {
                body: Some(&schemas::OFFSET_CHANGES),
                answers: &[with("They were changed.", &schemas::MESSAGE)],
                refusals: CHANGE,
                ..operation(Verb::Patch, "alterConnectorOffsets", "Change offsets of a stopped connector")
            },
            Operation {
                answers: &[with("Its offsets.", &schemas::OFFSETS)],
                refusals: CHANGE,
                ..operation(Verb::Get, "getConnectorOffsets", "A connector's offsets")
            },
            Operation {
                answers: &[with("They were removed.", &schemas::MESSAGE)],
                refusals: CHANGE,
                ..operation(
                    Verb::Delete,
                    "resetConnectorOffsets",
                    "Remove all offsets of a stopped connector",
                )
            },
        ],
    },
    Route {
        template: "/connectors/{connector}/tasks",
        resource: Make::Named(Resource::Tasks),
        operations: &[
            Operation {
                body: Some(&schemas::TASK_CONFIGS),
                answers: &[empty(200, "They were taken.")],
                refusals: INTERNAL,
                ..operation(
                    Verb::Post,
                    "putTaskConfigs",
                    "For workers among themselves; a standalone one refuses",
                )
            },
            Operation {
                answers: &[with("Its tasks.", &schemas::TASKS)],
                refusals: LOOK,
                ..operation(Verb::Get, "listTasks", "A connector's tasks with their configurations")
            },
        ],
    },
    Route {
        template: "/connectors/{connector}/tasks/{task}/status",
        resource: Make::Task(Resource::TaskStatus),
        operations: &[Operation {
            answers: &[with("Its state.", &schemas::TASK_STATUS)],
            refusals: LOOK,
            ..operation(Verb::Get, "getTaskStatus", "A task's state")
        }],
    },
    Route {
        template: "/connectors/{connector}/tasks/{task}/restart",
        resource: Make::Task(Resource::TaskRestart),
        operations: &[Operation {
            answers: &[empty(204, "It was restarted.")],
            refusals: CHANGE,
            ..operation(Verb::Post, "restartTask", "Restart a task")
        }],
    },
    Route {
        template: "/connector-plugins",
        resource: Make::Fixed(Resource::Plugins),
        operations: &[Operation {
            query: &[&query::CONNECTORS_ONLY],
            answers: &[with("The plugins.", &schemas::PLUGINS)],
            ..operation(Verb::Get, "listPlugins", "List plugins")
        }],
    },
    Route {
        template: "/connector-plugins/{plugin}/config",
        resource: Make::Named(Resource::PluginConfig),
        operations: &[Operation {
            query: &[&query::VERSION],
            answers: &[with("Its keys.", &schemas::KEYS)],
            refusals: LOOK,
            ..operation(Verb::Get, "getPluginConfig", "Configuration keys of a plugin")
        }],
    },
    Route {
        template: "/connector-plugins/{plugin}/config/validate",
        resource: Make::Named(Resource::PluginValidation),
        operations: &[Operation {
            body: Some(&schemas::CONFIGURATION),
            answers: &[with("What there is to say of each key.", &schemas::CONFIG_INFOS)],
            refusals: LOOK,
            ..operation(Verb::Put, "validatePluginConfig", "Check a connector's configuration")
        }],
    },
    Route {
        template: "/admin/loggers",
        resource: Make::Fixed(Resource::Loggers),
        operations: &[Operation {
            answers: &[with("Levels by logger.", &schemas::LOGGERS)],
            ..operation(Verb::Get, "listLoggers", "Loggers that have a level of their own")
        }],
    },
    Route {
        template: "/admin/loggers/{logger}",
        resource: Make::Named(Resource::Logger),
        operations: &[
            Operation {
                answers: &[with("Its level.", &schemas::LOGGER)],
                refusals: LOOK,
                ..operation(Verb::Get, "getLogger", "A logger's level")
            },
            Operation {
                query: &[&query::SCOPE],
                body: Some(&schemas::LEVEL),
                answers: &[
                    with("Loggers whose level was changed.", &schemas::NAMES),
                    empty(204, "The level was changed, in the whole cluster."),
                ],
                refusals: LOOK,
                ..operation(Verb::Put, "setLogger", "Change the level of a logger and of those below it")
            },
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Option<Resource> {
        Route::at(&crate::path::segments(path).unwrap()).map(|(_, resource)| resource)
    }

    fn allow(path: &str) -> String {
        Route::at(&crate::path::segments(path).unwrap()).unwrap().0.allow()
    }

    #[test]
    fn task_numbers_are_javas() {
        let status = |number| Some(Resource::TaskStatus("c".into(), number));
        assert_eq!(at("/connectors/c/tasks/00/status"), status(0));
        assert_eq!(at("/connectors/c/tasks/+1/status"), status(1));
        assert_eq!(at("/connectors/c/tasks/-1/status"), status(-1));
        for number in ["x", "1.0", "99999999999", "%20"] {
            assert_eq!(at(&format!("/connectors/c/tasks/{number}/status")), None, "{number}");
        }
    }

    #[test]
    fn what_is_allowed_is_said() {
        assert_eq!(allow("/"), "HEAD,GET,OPTIONS");
        assert_eq!(allow("/connectors"), "HEAD,POST,GET,OPTIONS");
        assert_eq!(allow("/connectors/c/restart"), "POST,OPTIONS");
        assert_eq!(at("/connectors/c/tasks-config"), None, "removed in 4.0");
    }

    #[test]
    fn no_path_is_hidden_by_another() {
        for route in ROUTES {
            let path = route.template.replace("{task}", "7");
            let found = Route::at(&crate::path::segments(&path).unwrap()).unwrap().0;
            assert_eq!(found.template, route.template);
        }
    }

    /// A brace in a path is nothing special: only templates have parameters.
    #[test]
    fn braces_in_names_are_names() {
        assert_eq!(at("/connectors/%7Bconnector%7D"), Some(Resource::Connector("{connector}".into())));
        assert_eq!(at("/%7Bx%7D"), None);
    }
}
