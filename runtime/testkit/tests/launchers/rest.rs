//! The REST client against a server that answers one request as told and hands back what it was sent.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use lavka_testkit::{RestAnswer, RestClient};
use serde_json::json;

fn serve(answer: &'static str) -> (RestClient, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = RestClient::new(format!("http://{}/", listener.local_addr().unwrap()));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let read = stream.read(&mut chunk).unwrap();
            request.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&request).into_owned();
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if text.contains("\r\n\r\n") && body.len() >= length.unwrap_or(0) {
                stream.write_all(answer.as_bytes()).unwrap();
                return text;
            }
        }
    });
    (client, server)
}

#[test]
fn an_error_status_is_an_answer_like_any_other() {
    let (client, server) = serve(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 35\r\nConnection: close\r\n\r\n{\"message\":\"gone\",\"error_code\":404}",
    );
    let answer = client.get("/connectors/x?expand=info");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body, json!({"message": "gone", "error_code": 404}));
    assert_eq!(answer.text, "{\"message\":\"gone\",\"error_code\":404}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(server.join().unwrap().starts_with("GET /connectors/x?expand=info HTTP/1.1\r\n"));
}

#[test]
fn bodies_are_sent_as_json_and_no_content_is_null() {
    type Send = fn(&RestClient, &serde_json::Value) -> RestAnswer;
    let calls: [(&str, Send); 3] = [
        ("POST", |client, body| client.post("/c", body)),
        ("PUT", |client, body| client.put("/c", body)),
        ("PATCH", |client, body| client.patch("/c", body)),
    ];
    for (method, call) in calls {
        let (client, server) = serve("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        let answer = call(&client, &json!({"b": 1, "a": 2}));
        assert_eq!((answer.status, answer.body, answer.text.as_str()), (204, json!(null), ""));
        let request = server.join().unwrap();
        assert!(request.starts_with(&format!("{method} /c HTTP/1.1\r\n")), "{request}");
        assert!(request.to_ascii_lowercase().contains("content-type: application/json\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"b\":1,\"a\":2}"), "{request}");
    }
}

#[test]
fn broken_json_and_other_types_can_be_sent_and_received() {
    let (client, server) = serve("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops");
    let answer = client.send("POST", "/c", &[("content-type", "text/plain")], Some(b"{broken".to_vec()));
    assert_eq!((answer.status, answer.body, answer.text.as_str()), (500, json!(null), "oops"));
    assert!(server.join().unwrap().ends_with("\r\n\r\n{broken"));
}

#[test]
fn a_request_without_a_body_says_so() {
    for method in ["POST", "PUT", "GET", "DELETE"] {
        let (client, server) = serve("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        assert_eq!(client.send(method, "/c", &[], None).status, 204);
        let request = server.join().unwrap().to_ascii_lowercase();
        assert!(!request.contains("transfer-encoding"), "{request}");
        assert_eq!(request.contains("content-length: 0\r\n"), method.starts_with('P'), "{request}");
    }
}

#[test]
fn a_redirect_is_returned_rather_than_followed() {
    let (client, server) = serve(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    let answer = client.delete("/c");
    assert_eq!((answer.status, answer.header("location")), (307, Some("/elsewhere")));
    assert!(server.join().unwrap().starts_with("DELETE /c HTTP/1.1\r\n"));
}

#[test]
fn nobody_there_is_an_error_only_where_one_is_asked_for() {
    let client = RestClient::new(format!("http://127.0.0.1:{}", lavka_testkit::free_port()));
    let failure = client.try_get("/").unwrap_err().to_string();
    assert!(failure.starts_with(&format!("GET {}/: ", client.base())), "{failure}");
}
