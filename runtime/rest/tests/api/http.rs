//! What HTTP decides: paths, methods, media types, sizes, headers.

use std::io::{Read, Write};
use std::net::TcpStream;

use lavka_testkit::RestAnswer;
use serde_json::json;

use crate::plugins::SOURCE;
use crate::server::{Server, refused, refused_with};

fn send(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> RestAnswer {
    server.client().send(method, path, headers, body.map(|body| body.as_bytes().to_vec()))
}

#[test]
fn unknown_paths_and_methods() {
    let server = Server::start();
    for path in ["/nope", "/connectors/a/b", "/admin", "/connectors/a/tasks/0", "/connectors/a/tasks-config"]
    {
        refused(&server.client().get(path), 404, "HTTP 404 Not Found");
    }
    for (method, path, allow) in [
        ("DELETE", "/connectors", "HEAD,POST,GET,OPTIONS"),
        ("PATCH", "/", "HEAD,GET,OPTIONS"),
        ("TRACE", "/connectors", "HEAD,POST,GET,OPTIONS"),
        ("FOO", "/connectors", "HEAD,POST,GET,OPTIONS"),
        ("GET", "/connectors/x/restart", "POST,OPTIONS"),
        ("POST", "/connectors/x/config", "HEAD,PATCH,GET,PUT,OPTIONS"),
        ("HEAD", "/connectors/x/pause", "PUT,OPTIONS"),
        ("POST", "/admin/loggers/x", "HEAD,GET,PUT,OPTIONS"),
    ] {
        let answer = send(&server, method, path, &[], None);
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}");
        if method != "HEAD" {
            refused(&answer, 405, "HTTP 405 Method Not Allowed");
        }
    }
}

#[test]
fn head_and_options_come_for_free() {
    let server = Server::start();
    server.create("x", &json!({ "connector.class": SOURCE }));
    let answer = send(&server, "HEAD", "/connectors/x", &[], None);
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(send(&server, "HEAD", "/connectors/no", &[], None).status, 404);
    let answer = send(&server, "OPTIONS", "/connectors", &[], None);
    assert_eq!((answer.status, answer.text.as_str()), (200, "HEAD, POST, GET, OPTIONS"));
    assert_eq!(answer.header("allow"), Some("HEAD,POST,GET,OPTIONS"));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    refused(&send(&server, "OPTIONS", "/nope", &[], None), 404, "HTTP 404 Not Found");
}

#[test]
fn a_slash_at_the_end_and_matrix_parameters_mean_nothing() {
    let server = Server::start();
    server.create("x", &json!({ "connector.class": SOURCE }));
    let client = server.client();
    for path in ["/connectors/x/", "/connectors/x;a=b", "/connectors/%78"] {
        assert_eq!(client.get(path).text, client.get("/connectors/x").text, "{path}");
    }
    assert_eq!(client.get("/health/").status, 200);
    assert_eq!(client.get("/connector-plugins/").text, client.get("/connector-plugins").text);
}

#[test]
fn media_types_are_json() {
    let server = Server::start();
    let body = Some(r#"{"connector.class":"x"}"#);
    for (method, path, headers, body, status) in [
        ("GET", "/connectors", [("accept", "text/html")], None, 406),
        ("GET", "/connectors/no", [("accept", "foo")], None, 406),
        ("GET", "/nope", [("accept", "text/html")], None, 404),
        ("GET", "/", [("accept", "text/html, application/*;q=0.1")], None, 200),
        ("POST", "/connectors", [("content-type", "text/plain")], body, 415),
        ("PUT", "/connectors/x/config", [("content-type", "application/x-www-form-urlencoded")], body, 415),
        ("PUT", "/connectors/x/config", [("x-nothing", "1")], body, 415),
        ("PUT", "/connectors/x/pause", [("content-type", "text/plain")], body, 415),
        ("GET", "/connectors", [("content-type", "text/plain")], None, 415),
        ("POST", "/connectors", [("content-type", "foo")], body, 400),
        ("PUT", "/connectors/x/config", [("content-type", "application/json; charset=utf-8")], body, 400),
    ] {
        let answer = send(&server, method, path, &headers, body);
        assert_eq!(answer.status, status, "{method} {path} {headers:?}: {}", answer.text);
        if status >= 400 {
            assert_eq!(answer.body["error_code"], status);
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
    refused(&send(&server, "GET", "/", &[("accept", "text/html")], None), 406, "HTTP 406 Not Acceptable");
}

#[test]
fn hostile_bodies_are_refused() {
    let server = Server::start();
    let json = [("content-type", "application/json")];
    let post = |body: Vec<u8>| server.client().send("POST", "/connectors", &json, Some(body));
    for (body, part) in [
        (Vec::new(), "The request body is empty"),
        (b"null".to_vec(), "from null value"),
        (b"{bad".to_vec(), "line 1 column 2"),
        (b"{\"name\":\"\xff\"}".to_vec(), "Invalid UTF-8"),
        (b"{\"name\":".to_vec(), "Unexpected end-of-input"),
        (b"{\"name\":\"x\",\"config\":{}} {}".to_vec(), "trailing characters"),
        ("[".repeat(1 << 20).into_bytes(), "The request body is not JSON"),
        (
            format!("{{\"config\":{{\"a\":{}", "{\"a\":".repeat(1 << 19)).into_bytes(),
            "The request body is not JSON",
        ),
    ] {
        refused_with(&post(body), 400, part);
    }
    let long = format!(r#"{{"name":"x","config":{{"a":"{}"}}}}"#, "a".repeat(11 << 20));
    // The connection may be closed before all of it is sent.
    if let Ok(answer) = server.client().try_send("POST", "/connectors", &json, Some(long.into_bytes())) {
        refused_with(&answer, 413, "longer than 10485760 bytes");
    }
    let keys: Vec<String> = (0..100_000).map(|i| format!("\"k{i}\":\"v\"")).collect();
    let wide = format!(r#"{{"name":"wide","config":{{"connector.class":"{SOURCE}",{}}}}}"#, keys.join(","));
    assert_eq!(post(wide.into_bytes()).status, 201);
    assert_eq!(server.client().get("/connectors").text, r#"["wide"]"#);
}

#[test]
fn bytes_that_are_no_http_end_their_connection_alone() {
    let server = Server::start();
    let address = server.client().base().trim_start_matches("http://").to_owned();
    for bytes in
        [&b"\x16\x03\x01\x00\xa5\x01\x00\x00"[..], b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(server.client().get("/health").status, 200);
}

/// A body that nobody wants is read all the same: left unread it would end the connection under the next request.
#[test]
fn an_unwanted_body_leaves_the_connection_open() {
    let server = Server::start();
    let address = server.client().base().trim_start_matches("http://").to_owned();
    for path in ["/connectors/no/restart", "/nope"] {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        // The end of the body comes later, as clients send it that learn its length on the way.
        std::thread::sleep(std::time::Duration::from_millis(50));
        stream.write_all(b"3\r\nabc\r\n0\r\n\r\n").unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert!(answers.starts_with("HTTP/1.1 404 "), "{path}: {answers}");
        assert!(answers.contains("HTTP/1.1 200 "), "{path}: {answers}");
    }
}

#[test]
fn browsers_of_an_allowed_origin_are_let_in() {
    let server = Server::with(&[
        ("access.control.allow.origin", "http://a.example"),
        ("access.control.allow.methods", "GET,PUT"),
    ]);
    let from = |origin: &str| send(&server, "GET", "/", &[("origin", origin)], None);
    let answer = from("http://a.example");
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://a.example"));
    assert_eq!(answer.header("vary"), Some("Origin"));
    let answer = from("http://evil.example");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
    let preflight = [("origin", "http://a.example"), ("access-control-request-method", "PUT")];
    let answer = send(&server, "OPTIONS", "/connectors", &preflight, None);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET,PUT"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("Content-Type"));
    let answer = send(&Server::start(), "GET", "/", &[("origin", "http://a.example")], None);
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (None, None));
}

#[test]
fn every_answer_gets_the_configured_headers() {
    let rules = "add X-One: 1, \"set Cache-Control: no-cache, no-store\", setDate X-Date: 0";
    let server = Server::with(&[("response.http.headers.config", rules)]);
    for path in ["/", "/nope", "/connectors/no"] {
        let answer = server.client().get(path);
        assert_eq!(answer.header("x-one"), Some("1"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache, no-store"));
        assert!(answer.header("x-date").is_some_and(|date| date.ends_with(" GMT")));
    }
}

#[test]
fn every_request_is_logged_as_connect_logs_it() {
    let server = Server::start();
    let agent = [("user-agent", "the agent of this test")];
    let length = send(&server, "GET", "/nope?a=b", &agent, None).text.len();
    let told = format!("] \"GET /nope?a=b HTTP/1.1\" 404 {length} \"\" \"the agent of this test\" ");
    lavka_testkit::eventually("the line", crate::server::PATIENCE, || {
        crate::server::log().contains(&told).then_some(())
    });
}

#[test]
fn the_openapi_document_is_served_like_any_other_answer() {
    let server = Server::start();
    let answer = server.client().get("/openapi.json");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.body, serde_json::from_str::<serde_json::Value>(&lavka_rest::openapi()).unwrap());
    assert_eq!(answer.body["paths"]["/connectors"]["post"]["operationId"], "createConnector");
    let answer = send(&server, "POST", "/openapi.json", &[], None);
    assert_eq!((answer.status, answer.header("allow")), (405, Some("HEAD,GET,OPTIONS")));
}
