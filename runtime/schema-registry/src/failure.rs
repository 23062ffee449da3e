//! What an answer that is no success means for the engine.

use lavka_api::error::exception;
use lavka_api::{Error, ErrorClass};

use crate::retry::RetryPolicy;
use crate::transport::{Answer, Trouble};

/// The exception of Confluent's client.
const REST_CLIENT: &str = "io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException";

/// What Java's sockets throw.
const SOCKET: &str = "java.net.SocketException";

/// What Java's converters make of that.
const NETWORK: &str = "org.apache.kafka.common.errors.NetworkException";

/// Of a message from outside no more than this is shown.
const MOST_SHOWN: usize = 2000;

/// The error of an `answer` to what `doing` says ("registering …"), given by the registry at `url`.
pub(crate) fn refused(doing: &str, url: &str, answer: &Answer) -> Error {
    let (code, message) = server_error(&answer.body);
    let code = code.map_or_else(|| answer.status.to_string(), |code| code.to_string());
    let text = format!(
        "Error {doing}: the registry at {url} answered with status {}: {message}; error code: {code}",
        answer.status
    );
    let hint = match answer.status {
        401 => ". Set basic.auth.credentials.source and basic.auth.user.info, or bearer.auth.token",
        403 => ". The user needs permission for this",
        _ => "",
    };
    let class = match answer.status {
        401 | 403 => ErrorClass::Config,
        status if RetryPolicy::repeats(status) => ErrorClass::Retriable,
        // Redirects are followed; what is left of them leads nowhere. Other codes of the server are its own trouble.
        300..=399 => ErrorClass::Config,
        status if status >= 500 => ErrorClass::Retriable,
        _ => ErrorClass::Data,
    };
    Error::new(class, REST_CLIENT, format!("{text}{hint}"))
}

/// The error where no URL answered at all.
pub(crate) fn unreachable(doing: &str, url: &str, trouble: &Trouble) -> Error {
    let text = format!("Error {doing}: the registry at {url} did not answer: {trouble}");
    let class = if trouble.passes { ErrorClass::Retriable } else { ErrorClass::Config };
    Error::new(class, SOCKET, text)
}

/// Trouble that passes, as Java's converters put it: a `NetworkException` where no registry answered, a
/// `RetriableException` with the text `failed` where one answered that it could not. `doing` is what the converter was
/// about ("serializing Avro data"). Any other error stays as it is.
#[must_use]
pub fn of_converter(error: Error, doing: &str, topic: &str, failed: &str) -> Error {
    if error.class() != ErrorClass::Retriable {
        return error;
    }
    if error.exception() == SOCKET {
        let cause = error.message().unwrap_or_default();
        let text = format!("Network connection error while {doing} for topic {topic}: {cause}");
        error.wrapped_in(NETWORK, text)
    } else {
        error.wrapped_in(exception::RETRIABLE, failed)
    }
}

/// The error of an answer that is a success and yet makes no sense.
pub(crate) fn garbled(doing: &str, url: &str, what: &str) -> Error {
    Error::retriable(format!(
        "Error {doing}: the answer of {url} is not that of a Schema Registry: {what}. Does schema.registry.url lead to \
         its API?"
    ))
    .with_exception("java.io.IOException")
}

/// `error_code` and `message` of a body; of any other body its beginning.
fn server_error(body: &[u8]) -> (Option<i64>, String) {
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) {
        let code = json.get("error_code").and_then(serde_json::Value::as_i64);
        let message = json.get("message").and_then(serde_json::Value::as_str);
        if let Some(message) = message {
            return (code, shown(message));
        }
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    (None, if text.is_empty() { "no message".into() } else { shown(text) })
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.into() }
    }

    #[test]
    fn classes_follow_the_status() {
        for (status, class) in [
            (401, ErrorClass::Config),
            (403, ErrorClass::Config),
            (404, ErrorClass::Data),
            (409, ErrorClass::Data),
            (422, ErrorClass::Data),
            (408, ErrorClass::Retriable),
            (429, ErrorClass::Retriable),
            (500, ErrorClass::Retriable),
            (502, ErrorClass::Retriable),
            (503, ErrorClass::Retriable),
            (504, ErrorClass::Retriable),
        ] {
            assert_eq!(refused("x", "http://h", &answer(status, "")).class(), class, "{status}");
        }
    }

    #[test]
    fn converters_say_what_passes_as_java_does() {
        let put = |error| of_converter(error, "serializing Avro data", "t", "Failed to serialize");
        let trouble = Trouble { text: "no connection".into(), passes: true };
        let away = put(unreachable("x", "http://h", &trouble));
        assert_eq!((away.class(), away.exception()), (ErrorClass::Retriable, NETWORK));
        assert_eq!(
            away.message(),
            Some(
                "Network connection error while serializing Avro data for topic t: Error x: the registry at http://h did \
                 not answer: no connection"
            )
        );
        let busy = put(refused("x", "http://h", &answer(503, "")));
        assert_eq!((busy.class(), busy.exception()), (ErrorClass::Retriable, exception::RETRIABLE));
        assert_eq!(busy.message(), Some("Failed to serialize"));
        let refused = refused("x", "http://h", &answer(409, ""));
        assert_eq!(put(refused.clone()).to_string(), refused.to_string());
    }

    #[test]
    fn the_servers_words_are_passed_on() {
        let body = r#"{"error_code":40901,"message":"Schema being registered is incompatible"}"#;
        let error =
            refused("registering an AVRO schema under subject s", "http://h:8081", &answer(409, body));
        assert_eq!(
            error.message(),
            Some(
                "Error registering an AVRO schema under subject s: the registry at http://h:8081 answered with status \
                 409: Schema being registered is incompatible; error code: 40901"
            )
        );
        let proxy = refused("x", "u", &answer(502, &"<html>".repeat(1000)));
        assert!(proxy.to_string().len() < 2200 && proxy.to_string().ends_with("…; error code: 502"));
    }
}
