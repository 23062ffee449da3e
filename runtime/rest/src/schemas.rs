//! JSON Schemas of bodies: of answers as `shapes` writes them, of requests as `body` reads them.

use lavka_api::config::{Importance, Kind, Width};
use lavka_api::plugin::PluginKind;
use lavka_telemetry::log::LogLevel;
use lavka_worker::State;
use serde_json::{Map, Value, json};

use crate::operation::Shape;

/// Every shape.
pub(crate) static ALL: &[&Shape] = &[
    &ERROR,
    &SERVER_INFO,
    &HEALTH,
    &UNHEALTHY,
    &METRICS,
    &DOCUMENT,
    &CONFIGURATION,
    &CREATION,
    &CONNECTOR,
    &CONNECTORS,
    &STATE,
    &TASK_STATUS,
    &STATUS,
    &TASKS,
    &TASK_CONFIGS,
    &TOPICS,
    &OFFSET_MAP,
    &OFFSETS,
    &OFFSET_CHANGES,
    &MESSAGE,
    &PLUGINS,
    &KEY,
    &KEYS,
    &CONFIG_INFOS,
    &LOGGER,
    &LOGGERS,
    &LEVEL,
    &NAMES,
];

/// A reference to a shape.
pub(crate) fn to(shape: &Shape) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", shape.name) })
}

/// An object with exactly these members, the last so many of which may be missing.
fn object(members: &[(&str, Value)], optional: usize) -> Value {
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let required = required.get(..required.len().saturating_sub(optional)).unwrap_or_default();
    let properties: Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn by_name(values: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

fn one_of(names: &[&str]) -> Value {
    json!({ "type": "string", "enum": names })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn text_or_null() -> Value {
    json!({ "type": ["string", "null"] })
}

fn boolean() -> Value {
    json!({ "type": "boolean" })
}

fn integer() -> Value {
    json!({ "type": "integer", "format": "int32" })
}

/// Of a connector; `unknown` where its plugin is not there.
fn connector_kind() -> Value {
    one_of(&[PluginKind::Source.name(), PluginKind::Sink.name(), "unknown"])
}

fn task_id() -> Value {
    object(&[("connector", text()), ("task", integer())], 0)
}

/// What states have in common.
fn state() -> [(&'static str, Value); 4] {
    let states =
        [State::Unassigned, State::Running, State::Paused, State::Failed, State::Restarting, State::Stopped];
    [
        ("state", one_of(&states.map(State::name))),
        ("worker_id", text()),
        ("version", text_or_null()),
        ("trace", text()),
    ]
}

pub(crate) static ERROR: Shape = Shape {
    name: "Error",
    schema: || {
        let status = json!({ "type": "integer", "description": "The status of the answer." });
        object(&[("error_code", status), ("message", text())], 0)
    },
};

pub(crate) static SERVER_INFO: Shape = Shape {
    name: "ServerInfo",
    schema: || object(&[("version", text()), ("commit", text()), ("kafka_cluster_id", text_or_null())], 0),
};

pub(crate) static HEALTH: Shape = Shape {
    name: "Health",
    schema: || object(&[("status", one_of(&["healthy", "starting", "unhealthy"])), ("message", text())], 0),
};

pub(crate) static UNHEALTHY: Shape =
    Shape { name: "Unhealthy", schema: || json!({ "anyOf": [to(&HEALTH), to(&ERROR)] }) };

pub(crate) static METRICS: Shape = Shape { name: "Metrics", schema: text };

pub(crate) static DOCUMENT: Shape = Shape {
    name: "Document",
    schema: || json!({ "type": "object", "required": ["openapi", "info", "paths"] }),
};

pub(crate) static CONFIGURATION: Shape = Shape {
    name: "Configuration",
    schema: || by_name(&json!({ "type": ["string", "number", "boolean", "null"] })),
};

pub(crate) static CREATION: Shape = Shape {
    name: "Creation",
    schema: || {
        let name = json!({ "type": "string", "description": "Without one, the configuration's own." });
        let initial = json!({
            "anyOf": [one_of(&["RUNNING", "PAUSED", "STOPPED"]), { "type": "null" }],
            "description": "The state to begin in.",
        });
        let members = [("config", to(&CONFIGURATION)), ("name", name), ("initial_state", initial)];
        object(&members, 2)
    },
};

pub(crate) static CONNECTOR: Shape = Shape {
    name: "Connector",
    schema: || {
        let members = [
            ("name", text()),
            ("config", to(&CONFIGURATION)),
            ("tasks", list(&task_id())),
            ("type", connector_kind()),
        ];
        object(&members, 0)
    },
};

pub(crate) static CONNECTORS: Shape = Shape {
    name: "Connectors",
    schema: || {
        let expanded = object(&[("info", to(&CONNECTOR)), ("status", to(&STATUS))], 2);
        json!({ "oneOf": [list(&text()), by_name(&expanded)] })
    },
};

pub(crate) static STATE: Shape = Shape { name: "State", schema: || object(&state(), 1) };

pub(crate) static TASK_STATUS: Shape = Shape {
    name: "TaskStatus",
    schema: || {
        let members: Vec<_> = [("id", integer())].into_iter().chain(state()).collect();
        object(&members, 1)
    },
};

pub(crate) static STATUS: Shape = Shape {
    name: "Status",
    schema: || {
        let members = [
            ("name", text()),
            ("connector", to(&STATE)),
            ("tasks", list(&to(&TASK_STATUS))),
            ("type", connector_kind()),
        ];
        object(&members, 0)
    },
};

pub(crate) static TASKS: Shape = Shape {
    name: "Tasks",
    schema: || list(&object(&[("id", task_id()), ("config", to(&CONFIGURATION))], 0)),
};

pub(crate) static TASK_CONFIGS: Shape = Shape { name: "TaskConfigs", schema: || list(&to(&CONFIGURATION)) };

pub(crate) static TOPICS: Shape =
    Shape { name: "Topics", schema: || by_name(&object(&[("topics", list(&text()))], 0)) };

pub(crate) static OFFSET_MAP: Shape = Shape {
    name: "OffsetMap",
    schema: || by_name(&json!({ "type": ["string", "number", "boolean", "null"] })),
};

pub(crate) static OFFSETS: Shape = Shape {
    name: "Offsets",
    schema: || {
        let entry = object(&[("partition", to(&OFFSET_MAP)), ("offset", to(&OFFSET_MAP))], 0);
        object(&[("offsets", list(&entry))], 0)
    },
};

pub(crate) static OFFSET_CHANGES: Shape = Shape {
    name: "OffsetChanges",
    schema: || {
        let offset = json!({ "anyOf": [to(&OFFSET_MAP), { "type": "null" }] });
        let mut entries = list(&object(&[("partition", to(&OFFSET_MAP)), ("offset", offset)], 1));
        entries["minItems"] = json!(1);
        object(&[("offsets", entries)], 0)
    },
};

pub(crate) static MESSAGE: Shape = Shape { name: "Message", schema: || object(&[("message", text())], 0) };

pub(crate) static PLUGINS: Shape = Shape {
    name: "Plugins",
    schema: || {
        let kinds = [
            PluginKind::Sink,
            PluginKind::Source,
            PluginKind::Transformation,
            PluginKind::Predicate,
            PluginKind::Converter,
            PluginKind::HeaderConverter,
        ];
        let kinds = one_of(&kinds.map(PluginKind::name));
        list(&object(&[("class", text()), ("type", kinds), ("version", text())], 0))
    },
};

pub(crate) static KEY: Shape = Shape {
    name: "Key",
    schema: || {
        let kinds = [
            Kind::Boolean,
            Kind::String,
            Kind::Int,
            Kind::Short,
            Kind::Long,
            Kind::Double,
            Kind::List,
            Kind::Class,
            Kind::Password,
        ];
        let importances = [Importance::High, Importance::Medium, Importance::Low];
        let widths = [Width::None, Width::Short, Width::Medium, Width::Long];
        let members = [
            ("name", text()),
            ("type", one_of(&kinds.map(Kind::name))),
            ("required", boolean()),
            ("default_value", text_or_null()),
            ("importance", one_of(&importances.map(Importance::name))),
            ("documentation", text_or_null()),
            ("group", text_or_null()),
            ("order_in_group", integer()),
            ("width", one_of(&widths.map(Width::name))),
            ("display_name", text_or_null()),
            ("dependents", list(&text())),
        ];
        object(&members, 0)
    },
};

pub(crate) static KEYS: Shape = Shape { name: "Keys", schema: || list(&to(&KEY)) };

pub(crate) static CONFIG_INFOS: Shape = Shape {
    name: "ConfigInfos",
    schema: || {
        let value = object(
            &[
                ("name", text()),
                ("value", text_or_null()),
                ("recommended_values", list(&text())),
                ("errors", list(&text())),
                ("visible", boolean()),
            ],
            0,
        );
        let definition = json!({ "anyOf": [to(&KEY), { "type": "null" }] });
        let config = object(&[("definition", definition), ("value", value)], 0);
        let members = [
            ("name", text()),
            ("error_count", integer()),
            ("groups", list(&text())),
            ("configs", list(&config)),
        ];
        object(&members, 0)
    },
};

pub(crate) static LOGGER: Shape = Shape {
    name: "Logger",
    schema: || {
        let since = json!({
            "type": ["integer", "null"],
            "format": "int64",
            "description": "Milliseconds since 1970; null where the level was not changed since the start.",
        });
        object(&[("level", text()), ("last_modified", since)], 0)
    },
};

pub(crate) static LOGGERS: Shape = Shape { name: "Loggers", schema: || by_name(&to(&LOGGER)) };

pub(crate) static LEVEL: Shape = Shape {
    name: "Level",
    schema: || {
        let levels = [
            LogLevel::Off,
            LogLevel::Fatal,
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
            LogLevel::All,
        ];
        // Other members mean nothing.
        let level = one_of(&levels.map(LogLevel::name));
        json!({ "type": "object", "properties": { "level": level }, "required": ["level"] })
    },
};

pub(crate) static NAMES: Shape = Shape { name: "Names", schema: || list(&text()) };
