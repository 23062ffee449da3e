//! The line that is logged for each request: NCSA's extended format and the time it took, as Connect logs it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use axum::body::HttpBody;
use axum::http::{HeaderMap, HeaderName, Method, header, request};
use axum::response::Response;

/// The most bytes of a path or header that are logged.
const MAX_TEXT: usize = 1000;

/// `127.0.0.1 - - [21/Nov/2026:07:13:50 +0000] "GET / HTTP/1.1" 200 91 "" "curl/7.88.1" 4`, for a request that came from
/// `peer` at `at` and took `took`.
pub(crate) fn line(
    peer: Option<SocketAddr>,
    at: SystemTime,
    request: &request::Parts,
    response: &Response,
    took: Duration,
) -> String {
    let mut line = String::new();
    // Writing to a string cannot fail.
    let _ = match peer {
        Some(peer) => write!(line, "{}", peer.ip()),
        None => write!(line, "-"),
    };
    let _ = write!(line, " - - [{}] \"{} ", date(at), request.method);
    quote(&mut line, request.uri.path_and_query().map_or("", |target| target.as_str()));
    let sent = if request.method == Method::HEAD { Some(0) } else { response.body().size_hint().exact() };
    let _ = write!(
        line,
        " {:?}\" {} {} \"",
        request.version,
        response.status().as_u16(),
        sent.unwrap_or_default()
    );
    quote(&mut line, text(&request.headers, &header::REFERER));
    line.push_str("\" \"");
    quote(&mut line, text(&request.headers, &header::USER_AGENT));
    let _ = write!(line, "\" {}", took.as_millis());
    line
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Appends what a client chose, so that it cannot end the quotes around it.
fn quote(line: &mut String, text: &str) {
    for c in text.chars().take(MAX_TEXT) {
        if matches!(c, '"' | '\\') {
            line.push('\\');
        }
        line.push(c);
    }
}

/// `21/Nov/2026:07:13:50 +0000`; `-` for a time that HTTP cannot write.
fn date(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if since >= crate::headers::LAST_DATE {
        return "-".into();
    }
    // `Sat, 21 Nov 2026 07:13:50 GMT`
    let text = httpdate::fmt_http_date(at);
    let mut parts = text.split(' ').skip(1);
    let mut next = || parts.next().unwrap_or_default();
    format!("{}/{}/{}:{} +0000", next(), next(), next(), next())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;

    use super::*;

    fn logged(request: Request<()>, body: &'static str) -> String {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_245_230);
        let peer = Some(SocketAddr::from(([127, 0, 0, 1], 9)));
        line(peer, at, &request.into_parts().0, &Response::new(Body::from(body)), Duration::from_millis(4))
    }

    #[test]
    fn the_line_is_connects() {
        let request = Request::get("/?a=b").header("user-agent", "curl/7.88.1").body(()).unwrap();
        assert_eq!(
            logged(request, "12345"),
            "127.0.0.1 - - [21/Nov/2026:07:13:50 +0000] \"GET /?a=b HTTP/1.1\" 200 5 \"\" \"curl/7.88.1\" 4"
        );
        let request = Request::head("/").header("referer", "a\"b\\").body(()).unwrap();
        assert_eq!(
            logged(request, "12345"),
            "127.0.0.1 - - [21/Nov/2026:07:13:50 +0000] \"HEAD / HTTP/1.1\" 200 0 \"a\\\"b\\\\\" \"\" 4"
        );
        let request = Request::get("/").header("user-agent", "x".repeat(5000)).body(()).unwrap();
        assert!(logged(request, "").len() < 1200);
    }
}
