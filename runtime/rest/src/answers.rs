//! What each resource answers.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lavka_telemetry::exposition::Format;
use lavka_telemetry::log::LogControl;
use lavka_worker::{ConnectorInfo, Health, Refusal, RestartRequest, TargetState, WorkerHandle};
use serde_json::{Value, json};

use crate::operation::{Query, QueryKind, Verb};
use crate::resource::Resource;
use crate::{body, loggers, metrics, openapi, path, query, shapes};

type Answer = Result<Response, Refusal>;

/// What a request brings besides its path and method.
pub(crate) struct Asked {
    /// The query's parameters, in order.
    pub(crate) params: Vec<(String, String)>,
    /// `http://host:port` as the client knows it.
    pub(crate) base: String,
    /// The body, where the resource reads one.
    pub(crate) body: Vec<u8>,
    /// The format that metrics are wanted in.
    pub(crate) format: Format,
}

impl Asked {
    /// The first value of a parameter; an empty one is none.
    fn param(&self, query: &Query) -> Option<&str> {
        let found = self.all(query).next();
        found.filter(|value| !value.is_empty())
    }

    /// Any value but `true` is false, as Java reads booleans.
    pub(crate) fn flag(&self, query: &Query) -> bool {
        let default = matches!(query.kind, QueryKind::Flag(true));
        self.param(query).map_or(default, |text| text.eq_ignore_ascii_case("true"))
    }

    /// All values of a parameter.
    fn all(&self, query: &Query) -> impl Iterator<Item = &str> {
        self.params.iter().filter(|(key, _)| key == query.name).map(|(_, value)| value.as_str())
    }
}

fn ok(value: Value) -> Answer {
    Ok(Json(value).into_response())
}

fn empty(status: StatusCode) -> Answer {
    Ok(status.into_response())
}

/// The answer of an admin endpoint.
pub(crate) fn of_admin(logs: &LogControl, resource: &Resource, verb: Verb, asked: &Asked) -> Answer {
    match (resource, verb) {
        (Resource::Loggers, _) => ok(loggers::list(logs)),
        (Resource::Logger(name), Verb::Put) => {
            let names = loggers::set(logs, name, &asked.body)?;
            match asked.param(&query::SCOPE) {
                // The whole cluster is this worker.
                Some(scope) if scope.eq_ignore_ascii_case("cluster") => empty(StatusCode::NO_CONTENT),
                Some(scope) if !scope.eq_ignore_ascii_case("worker") => {
                    tracing::warn!("the scope '{scope}' of a change of log levels is taken for 'worker'");
                    ok(json!(names))
                }
                _ => ok(json!(names)),
            }
        }
        (Resource::Logger(name), _) => ok(loggers::get(logs, name)?),
        _ => Err(Refusal::not_found("HTTP 404 Not Found")),
    }
}

/// The answer of any other endpoint.
pub(crate) async fn of(worker: &WorkerHandle, resource: Resource, verb: Verb, asked: Asked) -> Answer {
    match resource {
        Resource::Root => {
            let info = worker.server_info();
            ok(json!({
                "version": info.version,
                "commit": info.commit,
                "kafka_cluster_id": info.kafka_cluster_id,
            }))
        }
        Resource::Health => Ok(health(&worker.health().await)),
        Resource::Metrics => Ok(metrics::answer(worker, asked.format)),
        Resource::OpenApi => ok(openapi::document()),
        Resource::Connectors if verb == Verb::Post => {
            let body = body::creation(&asked.body)?;
            let (_, info) = worker.put_connector(body.name, body.config, body.initial, false).await?;
            Ok(created(&asked.base, &info))
        }
        Resource::Connectors => ok(list(worker, &asked)),
        Resource::Connector(name) if verb == Verb::Delete => {
            worker.delete(&name).await?;
            empty(StatusCode::NO_CONTENT)
        }
        Resource::Connector(name) => ok(shapes::connector(&worker.info(&name)?)),
        Resource::Config(name) => config(worker, name, verb, &asked).await,
        Resource::Status(name) => {
            let status = worker.status(&name)?;
            let kind = worker.info(&name).ok().and_then(|info| info.kind);
            ok(shapes::status(&status, kind))
        }
        Resource::Tasks(name) => ok(shapes::tasks(&name, &worker.task_configs(&name)?)),
        Resource::TaskStatus(name, number) => {
            ok(shapes::task_status(number, &worker.task_status(&name, number)?))
        }
        Resource::TaskRestart(name, number) => {
            worker.restart_task(&name, number).await?;
            empty(StatusCode::NO_CONTENT)
        }
        Resource::Restart(name) => restart(worker, &name, &asked).await,
        Resource::Pause(name) => {
            worker.set_target(&name, TargetState::Paused).await?;
            empty(StatusCode::ACCEPTED)
        }
        Resource::Resume(name) => {
            worker.set_target(&name, TargetState::Started).await?;
            empty(StatusCode::ACCEPTED)
        }
        Resource::Stop(name) => {
            worker.set_target(&name, TargetState::Stopped).await?;
            empty(StatusCode::NO_CONTENT)
        }
        Resource::Topics(name) => {
            let topics = worker.topics(&name)?;
            ok(json!({ name: { "topics": topics } }))
        }
        Resource::TopicsReset(name) => {
            worker.reset_topics(&name).await?;
            empty(StatusCode::ACCEPTED)
        }
        Resource::Offsets(name) => offsets(worker, &name, verb, &asked).await,
        Resource::Plugins => {
            let connectors_only = asked.flag(&query::CONNECTORS_ONLY);
            let listed = worker.catalogue().iter();
            let listed = listed.filter(|plugin| !connectors_only || plugin.kind().is_connector());
            ok(listed.map(shapes::plugin).collect())
        }
        Resource::PluginConfig(plugin) => {
            let keys = worker.plugin_definition(&plugin, asked.param(&query::VERSION))?;
            ok(keys.iter().map(shapes::key).collect())
        }
        Resource::PluginValidation(plugin) => {
            let config = body::configuration(&asked.body)?;
            ok(shapes::config_infos(&worker.validate(&plugin, &config).await?))
        }
        // What workers send each other is answered before.
        Resource::Fence(_) | Resource::Loggers | Resource::Logger(_) => {
            Err(Refusal::not_found("HTTP 404 Not Found"))
        }
    }
}

/// `GET /health` (KIP-1017).
fn health(health: &Health) -> Response {
    let (code, status) = match health {
        Health::Healthy => (StatusCode::OK, "healthy"),
        Health::Starting(_) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Health::Unhealthy(_) => (StatusCode::INTERNAL_SERVER_ERROR, "unhealthy"),
    };
    (code, Json(json!({ "status": status, "message": health.to_string() }))).into_response()
}

fn created(base: &str, info: &ConnectorInfo) -> Response {
    let location = format!("{base}/connectors/{}", path::encoded(&info.name));
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(shapes::connector(info))).into_response()
}

/// Names, or with `expand` what it asks for; unknown values ask for nothing.
fn list(worker: &WorkerHandle, asked: &Asked) -> Value {
    let names = worker.connectors();
    if asked.all(&query::EXPAND).next().is_none() {
        return json!(names);
    }
    let mut expanded = serde_json::Map::new();
    for name in names {
        // One that is gone meanwhile is left out.
        let (Ok(info), Ok(state)) = (worker.info(&name), worker.status(&name)) else { continue };
        let mut parts = serde_json::Map::new();
        for wanted in asked.all(&query::EXPAND) {
            let part = match wanted {
                "status" => shapes::status(&state, info.kind),
                "info" => shapes::connector(&info),
                _ => continue,
            };
            parts.insert(wanted.to_owned(), part);
        }
        expanded.insert(name, Value::Object(parts));
    }
    Value::Object(expanded)
}

async fn config(worker: &WorkerHandle, name: String, verb: Verb, asked: &Asked) -> Answer {
    match verb {
        Verb::Put => {
            let config = body::configuration(&asked.body)?;
            let (new, info) = worker.put_connector(name, config, None, true).await?;
            if new { Ok(created(&asked.base, &info)) } else { ok(shapes::connector(&info)) }
        }
        Verb::Patch => {
            let patch = body::configuration(&asked.body)?;
            ok(shapes::connector(&worker.patch_connector(&name, &patch).await?))
        }
        _ => ok(shapes::config(&worker.info(&name)?.config)),
    }
}

async fn restart(worker: &WorkerHandle, name: &str, asked: &Asked) -> Answer {
    let request = RestartRequest {
        include_tasks: asked.flag(&query::INCLUDE_TASKS),
        only_failed: asked.flag(&query::ONLY_FAILED),
    };
    match worker.restart(name, request).await? {
        None => empty(StatusCode::NO_CONTENT),
        Some(plan) => {
            let kind = worker.info(name).ok().and_then(|info| info.kind);
            Ok((StatusCode::ACCEPTED, Json(shapes::status(&plan, kind))).into_response())
        }
    }
}

async fn offsets(worker: &WorkerHandle, name: &str, verb: Verb, asked: &Asked) -> Answer {
    match verb {
        Verb::Patch => {
            let changes = body::offset_changes(&asked.body)?;
            ok(json!({ "message": worker.alter_offsets(name, changes).await? }))
        }
        Verb::Delete => ok(json!({ "message": worker.reset_offsets(name).await? })),
        _ => ok(shapes::offsets(&worker.offsets(name).await?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn health_has_a_status_of_its_own() {
        for (told, code, text) in [
            (
                Health::Healthy,
                200,
                r#"{"status":"healthy","message":"Worker has completed startup and is ready to handle requests."}"#,
            ),
            (
                Health::Starting(None),
                503,
                r#"{"status":"starting","message":"Worker is still starting up."}"#,
            ),
            (
                Health::Unhealthy(Some("The worker is currently x.".into())),
                500,
                r#"{"status":"unhealthy","message":"Worker was unable to handle this request and may be unable to handle other requests. The worker is currently x."}"#,
            ),
        ] {
            let response = health(&told);
            assert_eq!(response.status().as_u16(), code);
            let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
            assert_eq!(body, text.as_bytes());
        }
    }

    #[test]
    fn flags_are_javas() {
        let asked = |name: &str, value: &str| Asked {
            params: vec![(name.into(), value.into())],
            base: String::new(),
            body: Vec::new(),
            format: Format::Prometheus,
        };
        assert!(asked("includeTasks", "TRUE").flag(&query::INCLUDE_TASKS));
        assert!(!asked("connectorsOnly", "yes").flag(&query::CONNECTORS_ONLY));
        assert!(asked("connectorsOnly", "").flag(&query::CONNECTORS_ONLY));
        assert!(asked("x", "false").flag(&query::CONNECTORS_ONLY));
    }
}
