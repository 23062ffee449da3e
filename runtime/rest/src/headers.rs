//! `response.http.headers.config`: headers that every answer gets.
//!
//! The syntax is that of Jetty's header filter, `[action] [name]:[value]` with commas between; a rule with commas in it
//! goes into double quotes.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use lavka_api::{Error, Result};

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderRule {
    /// Take the place of what is there, or come in addition.
    replaces: bool,
    name: HeaderName,
    value: RuleValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum RuleValue {
    Text(HeaderValue),
    /// A date, so many milliseconds from now.
    FromNow(i64),
}

/// Reads the rules.
///
/// # Errors
/// A config error with Java's text where that refuses the rule too, else one that names the rule.
pub(crate) fn rules(config: &str) -> Result<Vec<HeaderRule>> {
    if config.trim().is_empty() {
        return Ok(Vec::new());
    }
    split(config).iter().map(|rule| parse(rule.trim())).collect()
}

/// Cuts at commas outside of double quotes, which themselves are dropped.
fn split(config: &str) -> Vec<String> {
    let mut rules = vec![String::new()];
    let mut quoted = false;
    for c in config.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => rules.push(String::new()),
            c => {
                if let Some(rule) = rules.last_mut() {
                    rule.push(c);
                }
            }
        }
    }
    rules
}

fn parse(rule: &str) -> Result<HeaderRule> {
    let refused = |text: String| Err(Error::config(text));
    let Some((action, pair)) = rule.split_once(char::is_whitespace) else {
        return refused(format!(
            "Invalid format of header config '{rule}'. Expected: '[action] [header name]:[header value]'"
        ));
    };
    let pair = pair.trim();
    let (replaces, date) = match action.to_ascii_lowercase().as_str() {
        "set" => (true, false),
        "add" => (false, false),
        "setdate" => (true, true),
        "adddate" => (false, true),
        _ => {
            return refused(format!(
                "Invalid header config action: '{action}'. Expected one of [set, add, setDate, addDate]"
            ));
        }
    };
    // Java takes no colon in a value.
    let parts = pair.split_once(':').filter(|(_, value)| !value.is_empty() && !value.contains(':'));
    let Some((name, value)) = parts else {
        return refused(format!(
            "Invalid format of header name and header value pair '{pair}'. Expected: '[header name]:[header value]'"
        ));
    };
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.contains(char::is_whitespace) {
        return refused(format!(
            "Invalid header name '{name}'. The '[header name]' cannot contain whitespace"
        ));
    }
    let invalid = |what: &str| Error::invalid_value("response.http.headers.config", rule, what);
    let name = HeaderName::try_from(name).map_err(|_| invalid("this is not a name of an HTTP header"))?;
    let value = if date {
        RuleValue::FromNow(value.parse().map_err(|_| invalid("a date is given in milliseconds from now"))?)
    } else {
        RuleValue::Text(
            HeaderValue::try_from(value).map_err(|_| invalid("this is not a value of an HTTP header"))?,
        )
    };
    Ok(HeaderRule { replaces, name, value })
}

/// Applies `rules` to the headers of an answer given at `now`.
pub(crate) fn apply(rules: &[HeaderRule], headers: &mut HeaderMap, now: SystemTime) {
    for rule in rules {
        let value = match &rule.value {
            RuleValue::Text(value) => Some(value.clone()),
            RuleValue::FromNow(ms) => date(now, *ms),
        };
        match value {
            Some(value) if rule.replaces => {
                headers.insert(rule.name.clone(), value);
            }
            Some(value) => {
                headers.append(rule.name.clone(), value);
            }
            None => {}
        }
    }
}

/// The end of the years that have four digits, since the epoch: beyond it formatting a date would panic.
pub(crate) const LAST_DATE: Duration = Duration::from_secs(253_402_300_800);

/// `None` for a date that HTTP cannot write.
fn date(now: SystemTime, ms: i64) -> Option<HeaderValue> {
    let distance = Duration::from_millis(ms.unsigned_abs());
    let at = if ms < 0 { now.checked_sub(distance) } else { now.checked_add(distance) }?;
    let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since < LAST_DATE).then(|| httpdate::fmt_http_date(at))?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_do_what_jetty_does() {
        let config = "add X-One: 1, \"set Cache-Control: no-cache, no-store\", setDate X-Date: 31540000000, \
                      addDate Expires: 0,set X-Two:2";
        let mut headers = HeaderMap::new();
        headers.insert("x-one", HeaderValue::from_static("0"));
        headers.insert("x-two", HeaderValue::from_static("0"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_245_713);
        apply(&rules(config).unwrap(), &mut headers, now);
        let all = |name: &str| {
            let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned());
            values.collect::<Vec<_>>()
        };
        assert_eq!(all("x-one"), ["0", "1"]);
        assert_eq!(all("x-two"), ["2"]);
        assert_eq!(all("cache-control"), ["no-cache, no-store"]);
        assert_eq!(all("x-date"), ["Sun, 21 Nov 2027 08:28:33 GMT"]);
        assert_eq!(all("expires"), ["Sat, 21 Nov 2026 07:21:53 GMT"]);
    }

    #[test]
    fn mistakes_have_javas_texts() {
        for (config, text) in [
            (
                "set",
                "Invalid format of header config 'set'. Expected: '[action] [header name]:[header value]'",
            ),
            ("foo X: 1", "Invalid header config action: 'foo'. Expected one of [set, add, setDate, addDate]"),
            (
                "set X",
                "Invalid format of header name and header value pair 'X'. Expected: '[header name]:[header value]'",
            ),
            (
                "set X: a:b",
                "Invalid format of header name and header value pair 'X: a:b'. Expected: '[header name]:[header value]'",
            ),
            ("set X Y: 1", "Invalid header name 'X Y'. The '[header name]' cannot contain whitespace"),
            ("set : 1", "Invalid header name ''. The '[header name]' cannot contain whitespace"),
            (
                "set X: 1,,add Y: 2",
                "Invalid format of header config ''. Expected: '[action] [header name]:[header value]'",
            ),
        ] {
            assert_eq!(rules(config).unwrap_err().message(), Some(text), "{config}");
        }
        for (config, part) in [
            ("setDate X: abc", "milliseconds from now"),
            ("set X(: 1", "not a name of an HTTP header"),
            ("set X: a\u{1}", "not a value of an HTTP header"),
        ] {
            assert!(rules(config).unwrap_err().to_string().contains(part), "{config}");
        }
        assert_eq!(rules(" ").unwrap(), []);
    }

    #[test]
    fn dates_beyond_http_are_left_out() {
        for ms in [i64::MAX, i64::MIN] {
            let mut headers = HeaderMap::new();
            apply(&rules(&format!("setDate X: {ms}")).unwrap(), &mut headers, SystemTime::now());
            assert!(headers.is_empty());
        }
    }
}
