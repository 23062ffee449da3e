//! Answers, in Connect's order of keys (`serde_json` keeps insertion order here).

use lavka_api::config::{Config, KeyDef, KeyReport, Password};
use lavka_api::data::{OffsetMap, Value as Data};
use lavka_api::plugin::{Plugin, PluginKind};
use lavka_worker::{ConfigInfos, ConnectorInfo, ConnectorOffset, ConnectorStatus, Status};
use serde_json::{Map, Value, json};

/// A configuration; null values as null.
pub(crate) fn config(config: &Config) -> Value {
    Value::Object(config.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect())
}

fn task_id(connector: &str, task: u32) -> Value {
    json!({ "connector": connector, "task": task })
}

pub(crate) fn connector(info: &ConnectorInfo) -> Value {
    let tasks: Vec<Value> = (0..info.tasks).map(|task| task_id(&info.name, task)).collect();
    let kind = info.kind.map_or("unknown", PluginKind::name);
    json!({ "name": info.name, "config": config(&info.config), "tasks": tasks, "type": kind })
}

fn state(status: &Status, into: &mut Map<String, Value>) {
    into.insert("state".into(), json!(status.state.name()));
    into.insert("worker_id".into(), json!(status.worker_id));
    into.insert("version".into(), json!(status.version));
    if let Some(trace) = status.trace.as_deref().filter(|trace| !trace.is_empty()) {
        into.insert("trace".into(), json!(trace));
    }
}

pub(crate) fn task_status(task: impl Into<i64>, status: &Status) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), json!(task.into()));
    state(status, &mut out);
    Value::Object(out)
}

pub(crate) fn status(status: &ConnectorStatus, kind: Option<PluginKind>) -> Value {
    let mut own = Map::new();
    state(&status.connector, &mut own);
    let tasks: Vec<Value> = status.tasks.iter().map(|(task, status)| task_status(*task, status)).collect();
    json!({
        "name": status.name,
        "connector": own,
        "tasks": tasks,
        "type": kind.map_or("unknown", PluginKind::name),
    })
}

pub(crate) fn tasks(connector: &str, configs: &[Config]) -> Value {
    let task =
        |(number, own): (u32, &Config)| json!({ "id": task_id(connector, number), "config": config(own) });
    Value::Array((0..).zip(configs).map(task).collect())
}

pub(crate) fn plugin(plugin: &Plugin) -> Value {
    json!({ "class": plugin.class, "type": plugin.kind().name(), "version": plugin.version })
}

pub(crate) fn key(key: &KeyDef) -> Value {
    let default = key.default.clone().flatten().map(|text| match key.kind {
        lavka_api::config::Kind::Password => Password::HIDDEN.to_owned(),
        _ => text,
    });
    json!({
        "name": key.name,
        "type": key.kind.name(),
        "required": key.is_required(),
        "default_value": default,
        "importance": key.importance.name(),
        "documentation": key.doc,
        "group": key.group,
        "order_in_group": key.order_in_group,
        "width": key.width.name(),
        "display_name": key.display_name,
        "dependents": key.dependents,
    })
}

fn report(report: &KeyReport) -> Value {
    json!({
        "name": report.name,
        "value": report.value,
        "recommended_values": report.recommended,
        "errors": report.errors,
        "visible": report.visible,
    })
}

pub(crate) fn config_infos(infos: &ConfigInfos) -> Value {
    let configs: Vec<Value> = infos
        .configs
        .iter()
        .map(|info| json!({ "definition": info.definition.as_ref().map(key), "value": report(&info.value) }))
        .collect();
    json!({
        "name": infos.name,
        "error_count": infos.error_count,
        "groups": infos.groups,
        "configs": configs,
    })
}

/// Primitive values; anything else is not part of an offset.
fn primitive(value: &Data) -> Value {
    match value {
        Data::Null => Value::Null,
        Data::Boolean(value) => json!(value),
        Data::Float32(value) => json!(value),
        Data::Float64(value) => json!(value),
        other => match other.as_i64() {
            Some(number) => json!(number),
            None => json!(lavka_api::java::plain_text(other)),
        },
    }
}

fn offset_map(map: &OffsetMap) -> Value {
    Value::Object(map.entries().iter().map(|(key, value)| (key.to_string(), primitive(value))).collect())
}

pub(crate) fn offsets(offsets: &[ConnectorOffset]) -> Value {
    let entries: Vec<Value> = offsets
        .iter()
        .map(
            |entry| json!({ "partition": offset_map(&entry.partition), "offset": offset_map(&entry.offset) }),
        )
        .collect();
    json!({ "offsets": entries })
}

#[cfg(test)]
mod tests {
    use lavka_worker::State;

    use super::*;

    #[test]
    fn keys_come_in_connects_order() {
        let status_of = |trace: Option<&str>| Status {
            state: State::Failed,
            worker_id: "w:8083".into(),
            trace: trace.map(str::to_owned),
            version: Some("1".into()),
        };
        assert_eq!(
            task_status(0u32, &status_of(Some("t"))).to_string(),
            r#"{"id":0,"state":"FAILED","worker_id":"w:8083","version":"1","trace":"t"}"#
        );
        let whole = ConnectorStatus { name: "c".into(), connector: status_of(None), tasks: Vec::new() };
        assert_eq!(
            status(&whole, Some(PluginKind::Sink)).to_string(),
            r#"{"name":"c","connector":{"state":"FAILED","worker_id":"w:8083","version":"1"},"tasks":[],"type":"sink"}"#
        );
        let info = ConnectorInfo {
            name: "c".into(),
            config: Config::from([("b", "1"), ("a", "2")]),
            tasks: 1,
            kind: Some(PluginKind::Source),
        };
        assert_eq!(
            connector(&info).to_string(),
            r#"{"name":"c","config":{"b":"1","a":"2"},"tasks":[{"connector":"c","task":0}],"type":"source"}"#
        );
    }
}
