//! The OpenAPI 3.1 document, made of the table that requests are routed by.

use lavka_telemetry::exposition::Format;
use serde_json::{Map, Value, json};

use crate::operation::{Answer, Operation, Produces, Query, QueryKind, Shape};
use crate::schemas;
use crate::table::{ROUTES, Route};

/// Errors that any operation can end in, and those that some can: status, name, meaning.
const REFUSALS: &[(u16, &str, &str)] = &[
    (
        400,
        "BadRequest",
        "The request is malformed, or says what cannot be done; the message says what is wrong.",
    ),
    (403, "Forbidden", "The worker's configuration forbids it."),
    (404, "NotFound", "There is no such connector, task, plugin or logger."),
    (
        406,
        "NotAcceptable",
        "The client does not accept what is answered: application/json, and metrics as text.",
    ),
    (409, "Conflict", "The connector's state, or another request under way, forbids it."),
    (413, "TooLarge", "The request body is too long."),
    (415, "UnsupportedMediaType", "The request body is not application/json."),
    (
        500,
        "Failed",
        "The worker, or a plugin, failed; or what was asked for is none of a standalone worker's business.",
    ),
    (503, "NotYet", "The worker is still starting."),
];
/// Of every operation.
const ANY: &[u16] = &[400, 406, 413, 415, 500];

/// The OpenAPI 3.1 document of the REST API as text, indented, with a line feed at the end.
#[must_use]
pub fn openapi() -> String {
    format!("{:#}\n", document())
}

/// The document.
pub(crate) fn document() -> Value {
    let paths: Map<String, Value> =
        ROUTES.iter().map(|route| (route.template.to_owned(), path(route))).collect();
    let schemas: Map<String, Value> =
        schemas::ALL.iter().map(|shape| (shape.name.to_owned(), (shape.schema)())).collect();
    let refusals: Map<String, Value> = REFUSALS
        .iter()
        .map(|(_, name, about)| ((*name).to_owned(), response(about, Some(&schemas::ERROR))))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lavka",
            "summary": "The REST API of Kafka Connect, as a Lavka worker serves it",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": schemas, "responses": refusals },
    })
}

fn path(route: &Route) -> Value {
    let operations = route.operations.iter();
    Value::Object(
        operations.map(|one| (one.verb.name().to_ascii_lowercase(), operation(route, one))).collect(),
    )
}

fn operation(route: &Route, operation: &Operation) -> Value {
    let tag = route.template.split('/').nth(1).map(|part| part.trim_end_matches(".json"));
    let tag = tag.filter(|tag| ROUTES.iter().filter(|other| in_group(other, tag)).count() > 1);
    let mut out = Map::new();
    out.insert("operationId".into(), json!(operation.id));
    out.insert("summary".into(), json!(operation.summary));
    out.insert("tags".into(), json!([tag.unwrap_or("worker")]));
    let in_path = route.parameters().map(path_parameter);
    let in_query = operation.query.iter().map(|query| query_parameter(query));
    out.insert("parameters".into(), in_path.chain(in_query).collect());
    if let Some(shape) = operation.body {
        out.insert("requestBody".into(), json!({ "required": true, "content": content(shape) }));
    }
    let mut responses: Vec<(u16, Value)> =
        operation.answers.iter().map(|answer| (answer.status, answered(operation, answer))).collect();
    for status in ANY.iter().chain(operation.refusals) {
        let Some((_, name, _)) = REFUSALS.iter().find(|(known, ..)| known == status) else { continue };
        // Where an operation says itself what a status means, it has the last word.
        if responses.iter().all(|(said, _)| said != status) {
            responses.push((*status, json!({ "$ref": format!("#/components/responses/{name}") })));
        }
    }
    for (_, response) in responses.iter_mut().filter(|(status, _)| *status == 201) {
        response["headers"] = json!({
            "Location": { "description": "The connector's URL.", "schema": { "type": "string" } },
        });
    }
    responses.sort_by_key(|(status, _)| *status);
    let responses: Map<String, Value> =
        responses.into_iter().map(|(status, response)| (status.to_string(), response)).collect();
    out.insert("responses".into(), Value::Object(responses));
    Value::Object(out)
}

fn in_group(route: &Route, first: &str) -> bool {
    route.template.split('/').nth(1) == Some(first)
}

fn path_parameter(name: &str) -> Value {
    let schema = match name {
        "task" => json!({ "type": "integer", "format": "int32", "minimum": 0 }),
        _ => json!({ "type": "string", "minLength": 1 }),
    };
    let about = match name {
        "task" => "The task's number, from 0.",
        "plugin" => "The plugin's class, or the last part of its name.",
        "logger" => "The logger's name.",
        _ => "The connector's name.",
    };
    json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema })
}

fn query_parameter(query: &Query) -> Value {
    let schema = match query.kind {
        QueryKind::Flag(default) => json!({ "type": "boolean", "default": default }),
        QueryKind::Text => json!({ "type": "string" }),
        QueryKind::Choice(names, false) => json!({ "type": "string", "enum": names }),
        QueryKind::Choice(names, true) => {
            json!({ "type": "array", "items": { "type": "string", "enum": names } })
        }
    };
    json!({ "name": query.name, "in": "query", "description": query.about, "schema": schema })
}

fn answered(operation: &Operation, answer: &Answer) -> Value {
    match (operation.produces, answer.body) {
        (Produces::Metrics, Some(shape)) => {
            let formats = Format::ALL.map(Format::media_type);
            let content: Map<String, Value> = formats
                .into_iter()
                .map(|media_type| (media_type.to_owned(), json!({ "schema": schemas::to(shape) })))
                .collect();
            json!({ "description": answer.about, "content": content })
        }
        _ => response(answer.about, answer.body),
    }
}

fn response(about: &str, body: Option<&Shape>) -> Value {
    match body {
        Some(shape) => json!({ "description": about, "content": content(shape) }),
        None => json!({ "description": about }),
    }
}

fn content(shape: &Shape) -> Value {
    json!({ "application/json": { "schema": schemas::to(shape) } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn references(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    into.insert(target.clone());
                }
                members.values().for_each(|value| references(value, into));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, into)),
            _ => {}
        }
    }

    #[test]
    fn references_lead_somewhere_and_nothing_is_left_over() {
        let document = document();
        let mut used = BTreeSet::new();
        references(&document, &mut used);
        let there: BTreeSet<String> = ["schemas", "responses"]
            .iter()
            .flat_map(|part| {
                let names = document["components"][part].as_object().unwrap().keys();
                names.map(move |name| format!("#/components/{part}/{name}"))
            })
            .collect();
        assert_eq!(used, there);
    }

    #[test]
    fn operations_are_complete_and_have_names_of_their_own() {
        let document = document();
        let mut names = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{name} twice");
                assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
                let in_path = operation["parameters"].as_array().unwrap();
                for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                    assert!(in_path.iter().any(|parameter| parameter["name"] == part), "{method} {path}");
                }
                for status in ANY {
                    assert!(operation["responses"].get(status.to_string()).is_some(), "{method} {path}");
                }
            }
        }
        let declared: usize = ROUTES.iter().map(|route| route.operations.len()).sum();
        assert_eq!(names.len(), declared);
    }

    /// A status that has no meaning would be left out without a word.
    #[test]
    fn every_status_has_a_meaning() {
        for operation in ROUTES.iter().flat_map(|route| route.operations) {
            for status in ANY.iter().chain(operation.refusals) {
                assert!(REFUSALS.iter().any(|(known, ..)| known == status), "{} {status}", operation.id);
            }
        }
    }
}
