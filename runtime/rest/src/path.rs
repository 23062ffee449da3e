//! Paths and queries of requests: cut at `/`, `&` and `=`, then percent-decoded, never the other way round.

use lavka_worker::Refusal;

/// The segments of a path, decoded. A `/` at the end adds none, and what follows a `;` in a segment is no part of it
/// (matrix parameters, which nothing here has).
pub(crate) fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    path.split('/')
        .map(|segment| {
            if segment.is_empty() {
                return Err(Refusal::bad_request(
                    "The path has an empty segment; write one '/' where there are two",
                ));
            }
            let name = segment.split(';').next().unwrap_or_default();
            decoded(name.as_bytes(), false).ok_or_else(|| {
                Refusal::bad_request(format!(
                    "The segment '{segment}' of the path is not percent-encoded UTF-8; write %25 for a percent sign"
                ))
            })
        })
        .collect()
}

/// Parameters of a query, in order. A text that cannot be decoded is left as it is.
pub(crate) fn query(query: Option<&str>) -> Vec<(String, String)> {
    let text = |part: &str| decoded(part.as_bytes(), true).unwrap_or_else(|| part.to_owned());
    query
        .unwrap_or_default()
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (text(name), text(value))
        })
        .collect()
}

fn decoded(text: &[u8], plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(*bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// One path segment, percent-encoded but for what RFC 3986 allows in one (section 3.3). `;` is encoded too, because it
/// would begin a matrix parameter.
pub(crate) fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a5_names_are_one_path_segment() {
        assert_eq!(encoded("a b/c%\u{e9}\n-._~+?#;"), "a%20b%2Fc%25%C3%A9%0A-._~+%3F%23%3B");
        for name in ["a b/c%\u{e9}\n-._~+?#;", "..", "\u{0}", "%2F"] {
            assert_eq!(segments(&format!("/connectors/{}", encoded(name))).unwrap(), ["connectors", name]);
        }
    }

    #[test]
    fn paths_are_cut_before_they_are_decoded() {
        let of = |path: &str| segments(path).unwrap();
        assert_eq!(of("/"), Vec::<String>::new());
        assert_eq!(of("/connectors/"), ["connectors"]);
        assert_eq!(of("/a/%2F+%C3%A4;x=y/c"), ["a", "/+ä", "c"]);
        for bad in ["//a", "/a//b", "/a%", "/a%2", "/a%zz", "/a%ff", "/a%+1"] {
            assert_eq!(segments(bad).unwrap_err().status, 400, "{bad}");
        }
    }

    #[test]
    fn queries_keep_their_order() {
        let of = |text: &str| query(Some(text));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(of("expand=info&expand=status"), [pair("expand", "info"), pair("expand", "status")]);
        assert_eq!(of("expand&a=b%20c+d&x=%zz"), [pair("expand", ""), pair("a", "b c d"), pair("x", "%zz")]);
        assert_eq!(query(None), []);
    }
}
