//! Reason codes of MQTT 5 (section 2.4) and return codes of 3.1.1 (section 3.2.2.3): their words, and whether they last.

use super::Denial;
use crate::refusal::Cause;

/// The words for a reason code of MQTT 5.
fn words(code: u8) -> &'static str {
    match code {
        0x10 => "no matching subscribers",
        0x80 => "unspecified error",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x83 => "implementation specific error",
        0x84 => "unsupported protocol version",
        0x85 => "client identifier not valid",
        0x86 => "bad user name or password",
        0x87 => "not authorized",
        0x88 => "server unavailable",
        0x89 => "server busy",
        0x8a => "banned",
        0x8b => "server shutting down",
        0x8c => "bad authentication method",
        0x8d => "keep alive timeout",
        0x8e => "session taken over",
        0x8f => "topic filter invalid",
        0x90 => "topic name invalid",
        0x91 => "packet identifier in use",
        0x92 => "packet identifier not found",
        0x93 => "receive maximum exceeded",
        0x94 => "topic alias invalid",
        0x95 => "packet too large",
        0x96 => "message rate too high",
        0x97 => "quota exceeded",
        0x98 => "administrative action",
        0x99 => "payload format invalid",
        0x9a => "retain not supported",
        0x9b => "QoS not supported",
        0x9c => "use another server",
        0x9d => "server moved",
        0x9e => "shared subscriptions not supported",
        0x9f => "connection rate exceeded",
        0xa0 => "maximum connect time",
        0xa1 => "subscription identifiers not supported",
        0xa2 => "wildcard subscriptions not supported",
        _ => "a reason that is not known",
    }
}

/// The words for `code`, with what the server itself says.
fn said(code: u8, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{} ({reason})", words(code)),
        None => words(code).to_owned(),
    }
}

/// Why a connection was refused, with MQTT 3.1.1.
pub(super) fn refused_v3(code: u8) -> Cause {
    match code {
        1 => Cause::ProtocolVersion,
        2 => Cause::ClientId,
        4 => Cause::NotAuthorized("bad user name or password".into()),
        5 => Cause::NotAuthorized("not authorized".into()),
        3 => Cause::Refused { words: "service unavailable".into(), for_good: false },
        other => Cause::Refused { words: format!("return code {other}"), for_good: false },
    }
}

/// Why a connection was refused, with MQTT 5. Servers that do not know it may answer as 3.1.1 does.
pub(super) fn refused_v5(code: u8, reason: Option<&str>) -> Cause {
    let words = said(code, reason);
    match code {
        1 | 0x84 => Cause::ProtocolVersion,
        2 | 0x85 => Cause::ClientId,
        0x86 | 0x87 => Cause::NotAuthorized(words),
        0x8a | 0x8c | 0x81 | 0x82 | 0x90 | 0x95 | 0x99 | 0x9a | 0x9b => {
            Cause::Refused { words, for_good: true }
        }
        _ => Cause::Refused { words, for_good: false },
    }
}

/// The server of an MQTT 5 connection said good-bye. Some reasons will be the same at the next try.
pub(super) fn disconnected(code: u8, reason: Option<&str>) -> Cause {
    let words = said(code, reason);
    match code {
        0x87 => Cause::NotAuthorized(words),
        0x8f | 0x9b | 0x9e | 0xa2 => Cause::Refused { words, for_good: true },
        0x8e => Cause::Passing(format!(
            "the server ended it: {words}. Another client has the same client id; see lavka.mqtt.client.id"
        )),
        _ => Cause::Passing(format!("the server ended it: {words}")),
    }
}

/// What the answer to a message says; none for success, with or without subscribers.
pub(super) fn refused_message(code: u8, reason: Option<&str>) -> Option<Denial> {
    (code >= 0x80).then(|| Denial {
        words: said(code, reason),
        // Not authorized, topic name invalid, packet too large, payload format invalid, retain or QoS not supported.
        for_good: matches!(code, 0x87 | 0x90 | 0x95 | 0x99 | 0x9a | 0x9b),
    })
}

/// The QoS granted to a subscription, or why it was refused.
pub(super) fn granted(code: u8, v5: bool) -> Result<u8, Denial> {
    match code {
        0..=2 => Ok(code),
        0x80 if !v5 => Err(Denial { words: "it gave no reason".to_owned(), for_good: true }),
        3..0x80 => Err(Denial { words: format!("its answer {code} means nothing"), for_good: false }),
        _ if !v5 => Err(Denial { words: format!("its answer {code} means nothing"), for_good: false }),
        // Implementation specific, packet identifier in use, quota exceeded: may pass. Unspecified is what some servers say
        // where others say that it is not allowed.
        _ => Err(Denial { words: said(code, None), for_good: !matches!(code, 0x83 | 0x91 | 0x97) }),
    }
}
