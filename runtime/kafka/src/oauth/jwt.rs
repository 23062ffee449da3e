//! JSON Web Tokens as far as a client needs them: what is in one that a server gave (RFC 7519), and unsecured ones made
//! here (RFC 7515, `alg` none). Signatures are the broker's business.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Number, Value};

/// A larger token is no token; headers of HTTP servers and Kafka's own limits are below this.
pub(super) const MAX_TOKEN: usize = 256 * 1024;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// Who it is for.
    pub(super) principal: String,
    /// When it ends, in epoch milliseconds.
    pub(super) expires_ms: i64,
}

/// Reads the claims of `token`; `subject` is the name of the one with the principal. The errors repeat nothing of the
/// token.
pub(super) fn claims(token: &str, subject: &str) -> Result<Claims, String> {
    if token.len() > MAX_TOKEN {
        return Err(format!("the access token is longer than {MAX_TOKEN} bytes"));
    }
    let sections: Vec<&str> = token.split('.').collect();
    let [header, payload, _signature] = sections[..] else {
        return Err("the access token is no JWT: it has not three sections with dots between them".into());
    };
    object(header).ok_or("the header of the JWT cannot be decoded")?;
    let payload = object(payload).ok_or("the payload of the JWT cannot be decoded")?;
    let expires = payload.get("exp").and_then(Value::as_f64).filter(|seconds| *seconds > 0.0);
    let expires = expires.ok_or("the JWT has no claim exp (a number of seconds)")?;
    let principal =
        payload.get(subject).and_then(Value::as_str).map(str::trim).filter(|name| !name.is_empty());
    let principal = principal.ok_or_else(|| format!("the JWT has no claim {subject} (a text)"))?;
    // Saturates where it is absurd.
    Ok(Claims { principal: principal.to_owned(), expires_ms: (expires * 1000.0) as i64 })
}

/// A section of a token, with or without padding.
fn object(section: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(section.trim_end_matches('=')).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// A token without signature, with the issue time `now_ms` and the end after `lifetime_seconds`.
pub(super) fn unsecured(claims: &[(String, Value)], now_ms: i64, lifetime_seconds: i64) -> String {
    let seconds = |ms: i64| Number::from_f64(ms as f64 / 1000.0).map_or(Value::Null, Value::Number);
    let mut payload: Map<String, Value> = claims.iter().cloned().collect();
    payload.entry("iat").or_insert_with(|| seconds(now_ms));
    payload
        .entry("exp")
        .or_insert_with(|| seconds(now_ms.saturating_add(lifetime_seconds.saturating_mul(1000))));
    let payload = Value::Object(payload).to_string();
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn an_unsecured_token_is_read_back() {
        let made = unsecured(
            &[("sub".into(), "alice".into()), ("scope".into(), vec!["a", "b"].into())],
            1_700_000_000_500,
            60,
        );
        assert!(made.starts_with("eyJhbGciOiJub25lIn0.") && made.ends_with('.'), "{made}");
        let read = claims(&made, "sub").unwrap();
        assert_eq!(read, Claims { principal: "alice".into(), expires_ms: 1_700_000_060_500 });
    }

    #[test]
    fn claims_are_read_and_what_is_missing_named() {
        let read = claims(&token(r#"{"exp":1700000000,"sub":" svc ","azp":"x"}"#), "sub").unwrap();
        assert_eq!(read, Claims { principal: "svc".into(), expires_ms: 1_700_000_000_000 });
        assert_eq!(claims(&token(r#"{"exp":1.5,"azp":"x"}"#), "azp").unwrap().expires_ms, 1500);
        let refused = |payload: &str| claims(&token(payload), "sub").unwrap_err();
        assert!(refused(r#"{"sub":"x"}"#).contains("claim exp"));
        assert!(refused(r#"{"exp":"1","sub":"x"}"#).contains("claim exp"));
        assert!(refused(r#"{"exp":1,"sub":7}"#).contains("claim sub"));
        assert!(refused(r#"{"exp":1,"sub":" "}"#).contains("claim sub"));
        assert!(refused("[]").contains("payload"));
        assert_eq!(claims(&token(r#"{"exp":1e300,"sub":"x"}"#), "sub").unwrap().expires_ms, i64::MAX);
    }

    #[test]
    fn no_token_is_too_odd_and_none_is_repeated() {
        for token in ["", "a", "a.b", "secret.secret.secret", "a.b.c.d", "....", "é.é.é"] {
            let error = claims(token, "sub").unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(claims(&"x".repeat(MAX_TOKEN + 1), "sub").unwrap_err().contains("longer"));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(claims(&token(&deep), "sub").is_err());
    }
}
