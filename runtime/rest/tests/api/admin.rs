//! The admin endpoints. Levels are the whole process's, so that each test has loggers of its own.

use serde_json::{Value, json};

use crate::server::{Server, refused, refused_with};

#[test]
fn levels_are_set_and_shown() {
    let server = Server::start();
    let client = server.client();
    refused(&client.get("/admin/loggers/no.such"), 404, "Logger no.such not found.");
    let answer = client.put("/admin/loggers/rows.a", &json!({ "level": "debug", "other": 1 }));
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"["rows.a"]"#));
    let shown = client.get("/admin/loggers/rows.a").body;
    let keys: Vec<&String> = shown.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["level", "last_modified"]);
    assert_eq!(shown["level"], "DEBUG");
    assert!(shown["last_modified"].as_i64().is_some());
    let all = client.get("/admin/loggers").body;
    assert_eq!(all["rows.a"], shown);
    assert!(all.get("root").is_some());
    let names: Vec<&String> = all.as_object().unwrap().keys().collect();
    assert!(names.is_sorted(), "{names:?}");
    // A prefix of names, as plain text.
    assert_eq!(client.put("/admin/loggers/rows.ab", &json!({ "level": "OFF" })).status, 200);
    let answer = client.put("/admin/loggers/rows", &json!({ "level": " trace " }));
    assert_eq!(answer.text, r#"["rows","rows.a","rows.ab"]"#);
    assert_eq!(client.get("/admin/loggers/rows.ab").body["level"], "TRACE");
    for level in ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"] {
        assert_eq!(client.put("/admin/loggers/rows.a", &json!({ "level": level })).status, 200);
        assert_eq!(client.get("/admin/loggers/rows.a").body["level"], level);
    }
}

#[test]
fn wrong_levels_are_told() {
    let server = Server::start();
    let put =
        |query: &str, body: Value| server.client().put(&format!("/admin/loggers/wrong.b{query}"), &body);
    for query in ["", "?scope=cluster"] {
        for body in [json!({}), json!({ "level": null })] {
            refused(&put(query, body), 400, "Desired 'level' parameter was not specified in request.");
        }
        refused(&put(query, json!({ "level": "loud" })), 404, "invalid log level 'loud'.");
        refused_with(&put(query, json!([])), 400, "Cannot deserialize value");
    }
    assert_eq!(server.client().get("/admin/loggers/wrong.b").status, 404, "nothing was set");
}

#[test]
fn scopes_are_worker_and_cluster() {
    let server = Server::start();
    let put = |scope: &str, level: &str| {
        let path = format!("/admin/loggers/scoped.c?scope={scope}");
        server.client().put(&path, &json!({ "level": level }))
    };
    for scope in ["worker", "WORKER", "x", ""] {
        assert_eq!(put(scope, "WARN").text, r#"["scoped.c"]"#, "{scope}");
    }
    for scope in ["cluster", "CLUSTER"] {
        let answer = put(scope, "ERROR");
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        assert_eq!(server.client().get("/admin/loggers/scoped.c").body["level"], "ERROR");
    }
}

#[test]
fn the_admin_endpoints_may_be_elsewhere_or_nowhere() {
    let server =
        Server::with(&[("admin.listeners", "http://127.0.0.1:0"), ("access.control.allow.origin", "*")]);
    let admin = server.admin.as_ref().unwrap();
    refused(&server.client().get("/admin/loggers"), 404, "HTTP 404 Not Found");
    assert_eq!(admin.get("/admin/loggers").status, 200);
    assert_eq!(admin.get("/admin/loggers").header("vary"), None, "no web page has business there");
    for path in ["/", "/connectors", "/health"] {
        refused(&admin.get(path), 404, "HTTP 404 Not Found");
    }
    let server = Server::with(&[("admin.listeners", "")]);
    refused(&server.client().get("/admin/loggers"), 404, "HTTP 404 Not Found");
    assert!(server.admin.is_none());
}
