//! `/admin/loggers`: levels that really change.

use std::time::{SystemTime, UNIX_EPOCH};

use lavka_telemetry::log::{LogControl, LogLevel, LoggerLevel};
use lavka_worker::Refusal;
use serde_json::{Value, json};

use crate::body;

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
    let level = level(body)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(logs.set(name, level, i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}

/// The level of a body such as `{"level":"DEBUG"}`; other keys mean nothing.
fn level(body: &[u8]) -> Result<LogLevel, Refusal> {
    let body = body::configuration(body)?;
    let level = body
        .get("level")
        .ok_or_else(|| Refusal::bad_request("Desired 'level' parameter was not specified in request."))?;
    level.trim().parse().map_err(|_| Refusal::not_found(format!("invalid log level '{level}'.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_java_reads_them() {
        for (body, expected) in [
            (r#"{"level":"off"}"#, LogLevel::Off),
            (r#"{"x":1,"level":" Trace "}"#, LogLevel::Trace),
            (r#"{"level":"ALL"}"#, LogLevel::All),
        ] {
            assert_eq!(level(body.as_bytes()), Ok(expected));
        }
        for (body, status, part) in [
            ("{}", 400, "Desired 'level' parameter was not specified in request."),
            (r#"{"level":null}"#, 400, "Desired 'level' parameter was not specified in request."),
            (r#"{"level":"loud"}"#, 404, "invalid log level 'loud'."),
            (r#"{"level":1}"#, 404, "invalid log level '1'."),
            (r#"{"level":{}}"#, 400, "Cannot deserialize value"),
            ("[]", 400, "Cannot deserialize value"),
            ("", 400, "empty"),
        ] {
            let refusal = level(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.status, status, "{body}");
            assert!(refusal.message.contains(part), "{body}: {}", refusal.message);
        }
    }
}
