//! Paths, methods, status codes.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use lavka_telemetry::log::LogControl;
use lavka_worker::{Refusal, RestartRequest, TargetState, WorkerHandle};
use serde_json::{Value, json};

use crate::{body, loggers, shapes};

type Answer = Result<Response, Failure>;
type Params = Result<Query<Vec<(String, String)>>, QueryRejection>;

const MAX_BODY: usize = 10 << 20;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// An error answer.
pub(crate) struct Failure(Refusal);

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        error(status, &self.0.message)
    }
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error_code": status.as_u16(), "message": message }))).into_response()
}

fn ok(value: Value) -> Answer {
    Ok(Json(value).into_response())
}

fn empty(status: StatusCode) -> Answer {
    Ok(status.into_response())
}

/// The API of a worker, with the admin endpoints if `logs` is given.
pub(crate) fn router(worker: WorkerHandle, logs: Option<LogControl>) -> Router {
    let api = Router::new()
        .route("/", get(server_info))
        .route("/health", get(health))
        .route("/connectors", get(list).post(create))
        .route("/connectors/{name}", get(info).delete(delete))
        .route("/connectors/{name}/config", get(config).put(put_config).patch(patch_config))
        .route("/connectors/{name}/status", get(status))
        .route("/connectors/{name}/tasks", get(tasks))
        .route("/connectors/{name}/tasks/{task}/status", get(task_status))
        .route("/connectors/{name}/tasks/{task}/restart", post(restart_task))
        .route("/connectors/{name}/restart", post(restart))
        .route("/connectors/{name}/pause", put(pause))
        .route("/connectors/{name}/resume", put(resume))
        .route("/connectors/{name}/stop", put(stop))
        .route("/connectors/{name}/topics", get(topics))
        .route("/connectors/{name}/topics/reset", put(reset_topics))
        .route("/connectors/{name}/offsets", get(offsets).patch(alter_offsets).delete(reset_offsets))
        .route("/connector-plugins", get(plugins))
        .route("/connector-plugins/{plugin}/config", get(plugin_config))
        .route("/connector-plugins/{plugin}/config/validate", put(validate))
        .with_state(worker);
    match logs {
        Some(logs) => finished(api.merge(admin(logs))),
        None => finished(api),
    }
}

/// The admin endpoints alone.
pub(crate) fn admin_router(logs: LogControl) -> Router {
    finished(admin(logs))
}

fn admin(logs: LogControl) -> Router {
    Router::new()
        .route("/admin/loggers", get(list_loggers))
        .route("/admin/loggers/{logger}", get(get_logger).put(set_logger))
        .with_state(logs)
}

fn finished(router: Router) -> Router {
    router
        .fallback(async || error(StatusCode::NOT_FOUND, "HTTP 404 Not Found"))
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(limits))
}

/// Time-out of a request, and the media type of its body.
async fn limits(request: Request, next: Next) -> Response {
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if media.is_some_and(|media| !media.to_ascii_lowercase().starts_with("application/json")) {
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "HTTP 415 Unsupported Media Type");
    }
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "Request timed out"),
    }
}

fn param<'p>(params: &'p Params, name: &str) -> Option<&'p str> {
    let Ok(Query(params)) = params else { return None };
    params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn flag(params: &Params, name: &str, default: bool) -> bool {
    param(params, name).map_or(default, |text| text.eq_ignore_ascii_case("true"))
}

async fn server_info(State(worker): State<WorkerHandle>) -> Answer {
    let info = worker.server_info();
    ok(json!({
        "version": info.version,
        "commit": info.commit,
        "kafka_cluster_id": info.kafka_cluster_id,
    }))
}

async fn health(State(worker): State<WorkerHandle>) -> Answer {
    match worker.health().await {
        Ok(()) => ok(json!({
            "status": "healthy",
            "message": "Worker has completed startup and is ready to handle requests.",
        })),
        Err(refusal) => {
            let body = json!({ "status": "unhealthy", "message": refusal.message });
            Ok((StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response())
        }
    }
}

async fn list(State(worker): State<WorkerHandle>, params: Params) -> Answer {
    let names = worker.connectors();
    let wanted: Vec<&str> = match &params {
        Ok(Query(params)) => {
            params.iter().filter(|(key, _)| key == "expand").map(|(_, v)| v.as_str()).collect()
        }
        Err(_) => Vec::new(),
    };
    if wanted.is_empty() {
        return ok(json!(names));
    }
    let mut expanded = serde_json::Map::new();
    for name in names {
        // One that is gone meanwhile is left out.
        let (Ok(info), Ok(state)) = (worker.info(&name), worker.status(&name)) else { continue };
        let mut parts = serde_json::Map::new();
        if wanted.contains(&"status") {
            parts.insert("status".into(), shapes::status(&state, info.kind));
        }
        if wanted.contains(&"info") {
            parts.insert("info".into(), shapes::connector(&info));
        }
        expanded.insert(name, Value::Object(parts));
    }
    ok(Value::Object(expanded))
}

fn created(info: &lavka_worker::ConnectorInfo) -> Response {
    let location = format!("/connectors/{}", encoded(&info.name));
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(shapes::connector(info))).into_response()
}

/// One path segment, percent-encoded but for unreserved characters (RFC 3986 section 2.3).
fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

async fn create(State(worker): State<WorkerHandle>, bytes: Bytes) -> Answer {
    let body = body::creation(&bytes)?;
    let (_, info) = worker.put_connector(body.name, body.config, body.initial, false).await?;
    Ok(created(&info))
}

async fn info(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    ok(shapes::connector(&worker.info(&name)?))
}

async fn delete(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    worker.delete(&name).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn config(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    ok(shapes::config(&worker.info(&name)?.config))
}

async fn put_config(State(worker): State<WorkerHandle>, Path(name): Path<String>, bytes: Bytes) -> Answer {
    let config = body::configuration(&bytes)?;
    let (new, info) = worker.put_connector(name, config, None, true).await?;
    if new { Ok(created(&info)) } else { ok(shapes::connector(&info)) }
}

async fn patch_config(State(worker): State<WorkerHandle>, Path(name): Path<String>, bytes: Bytes) -> Answer {
    let patch = body::configuration(&bytes)?;
    ok(shapes::connector(&worker.patch_connector(&name, patch).await?))
}

async fn status(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    let status = worker.status(&name)?;
    let kind = worker.info(&name).ok().and_then(|info| info.kind);
    ok(shapes::status(&status, kind))
}

async fn tasks(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    ok(shapes::tasks(&name, &worker.task_configs(&name)?))
}

/// A task number that is none leads nowhere, as in JAX-RS.
fn task_number(text: &str) -> Result<u32, Refusal> {
    text.parse().map_err(|_| Refusal::not_found("HTTP 404 Not Found"))
}

async fn task_status(
    State(worker): State<WorkerHandle>,
    Path((name, task)): Path<(String, String)>,
) -> Answer {
    let task = task_number(&task)?;
    ok(shapes::task_status(task, &worker.task_status(&name, task)?))
}

async fn restart_task(
    State(worker): State<WorkerHandle>,
    Path((name, task)): Path<(String, String)>,
) -> Answer {
    worker.restart_task(&name, task_number(&task)?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn restart(State(worker): State<WorkerHandle>, Path(name): Path<String>, params: Params) -> Answer {
    let request = RestartRequest {
        include_tasks: flag(&params, "includeTasks", false),
        only_failed: flag(&params, "onlyFailed", false),
    };
    match worker.restart(&name, request).await? {
        None => empty(StatusCode::NO_CONTENT),
        Some(plan) => {
            let kind = worker.info(&name).ok().and_then(|info| info.kind);
            Ok((StatusCode::ACCEPTED, Json(shapes::status(&plan, kind))).into_response())
        }
    }
}

async fn pause(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    worker.set_target(&name, TargetState::Paused).await?;
    empty(StatusCode::ACCEPTED)
}

async fn resume(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    worker.set_target(&name, TargetState::Started).await?;
    empty(StatusCode::ACCEPTED)
}

async fn stop(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    worker.set_target(&name, TargetState::Stopped).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn topics(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    let topics = worker.topics(&name)?;
    ok(json!({ name: { "topics": topics } }))
}

async fn reset_topics(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    worker.reset_topics(&name).await?;
    empty(StatusCode::ACCEPTED)
}

async fn offsets(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    ok(shapes::offsets(&worker.offsets(&name).await?))
}

async fn alter_offsets(State(worker): State<WorkerHandle>, Path(name): Path<String>, bytes: Bytes) -> Answer {
    let changes = body::offset_changes(&bytes)?;
    ok(json!({ "message": worker.alter_offsets(&name, changes).await? }))
}

async fn reset_offsets(State(worker): State<WorkerHandle>, Path(name): Path<String>) -> Answer {
    ok(json!({ "message": worker.reset_offsets(&name).await? }))
}

async fn plugins(State(worker): State<WorkerHandle>, params: Params) -> Answer {
    let connectors_only = flag(&params, "connectorsOnly", true);
    let plugins: Vec<Value> = worker
        .catalogue()
        .iter()
        .filter(|plugin| !connectors_only || plugin.kind().is_connector())
        .map(shapes::plugin)
        .collect();
    ok(Value::Array(plugins))
}

async fn plugin_config(State(worker): State<WorkerHandle>, Path(plugin): Path<String>) -> Answer {
    ok(Value::Array(worker.plugin_definition(&plugin)?.iter().map(shapes::key).collect()))
}

async fn validate(State(worker): State<WorkerHandle>, Path(plugin): Path<String>, bytes: Bytes) -> Answer {
    let config = body::configuration(&bytes)?;
    ok(shapes::config_infos(&worker.validate(&plugin, &config).await?))
}

async fn list_loggers(State(logs): State<LogControl>) -> Answer {
    ok(loggers::list(&logs))
}

async fn get_logger(State(logs): State<LogControl>, Path(logger): Path<String>) -> Answer {
    ok(loggers::get(&logs, &logger)?)
}

async fn set_logger(
    State(logs): State<LogControl>,
    Path(logger): Path<String>,
    params: Params,
    bytes: Bytes,
) -> Answer {
    let names = loggers::set(&logs, &logger, &bytes)?;
    match param(&params, "scope") {
        Some(scope) if scope.eq_ignore_ascii_case("cluster") => empty(StatusCode::NO_CONTENT),
        _ => ok(json!(names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a5_names_are_one_path_segment() {
        assert_eq!(encoded("a b/c%\u{e9}\n-._~"), "a%20b%2Fc%25%C3%A9%0A-._~");
    }
}
