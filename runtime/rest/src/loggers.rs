//! `/admin/loggers`: levels that really change.

use std::time::{SystemTime, UNIX_EPOCH};

use lavka_telemetry::log::{LogControl, LogLevel, LoggerLevel};
use lavka_worker::Refusal;
use serde_json::{Value, json};

fn shown(level: &LoggerLevel) -> Value {
    json!({ "level": level.level.name(), "last_modified": level.last_modified })
}

pub(crate) fn list(logs: &LogControl) -> Value {
    Value::Object(logs.list().iter().map(|(name, level)| (name.clone(), shown(level))).collect())
}

pub(crate) fn get(logs: &LogControl, name: &str) -> Result<Value, Refusal> {
    let found = logs.get(name).as_ref().map(shown);
    found.ok_or_else(|| Refusal::not_found(format!("Logger {name} not found.")))
}

/// Sets a level; the names of the loggers it reaches.
pub(crate) fn set(logs: &LogControl, name: &str, body: &[u8]) -> Result<Vec<String>, Refusal> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("The request body is not JSON: {error}")))?;
    let level = body
        .get("level")
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::bad_request("Desired 'level' parameter was not specified in request."))?;
    let level: LogLevel =
        level.parse().map_err(|_| Refusal::not_found(format!("invalid log level '{level}'.")))?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(logs.set(name, level, i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}
