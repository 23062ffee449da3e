//! Several workers: requests that another one decides on, and those that workers send each other.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lavka_api::config::Config;
use lavka_rest::{
    MacAlgorithm, Matter, Membership, PeerRequest, SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER, Session,
    SessionKey, Whose, ask_peer,
};
use lavka_testkit::RestAnswer;
use lavka_worker::Refusal;
use serde_json::{Value, json};

use crate::plugins::SOURCE;
use crate::server::{Server, refused, refused_with};

/// A worker for which others decide, or nobody, or that decides itself.
struct Member {
    whose: Mutex<Whose>,
    session: Mutex<Session>,
    asked: Mutex<Vec<String>>,
}

impl Member {
    fn new(whose: Whose) -> Arc<Self> {
        Arc::new(Self {
            whose: Mutex::new(whose),
            session: Mutex::new(Session::Unsigned),
            asked: Mutex::default(),
        })
    }

    fn of(server: &Server) -> Arc<Self> {
        // As members advertise it.
        Self::new(Whose::Theirs(format!("{}/", server.client().base())))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Membership for Member {
    fn whose(&self, matter: Matter<'_>) -> Whose {
        self.asked.lock().unwrap().push(format!("{matter:?}"));
        self.whose.lock().unwrap().clone()
    }

    fn session(&self) -> Session {
        self.session.lock().unwrap().clone()
    }

    async fn take_task_configs(&self, connector: &str, configs: Vec<Config>) -> Result<(), Refusal> {
        if connector == "unknown" {
            return Err(Refusal::not_found("Connector unknown not found"));
        }
        let classes: Vec<_> =
            configs.iter().map(|config| config.get("task.class").unwrap_or_default()).collect();
        self.asked.lock().unwrap().push(format!("takes {connector}: {}", classes.join(", ")));
        Ok(())
    }

    async fn fence(&self, connector: &str) -> Result<(), Refusal> {
        self.asked.lock().unwrap().push(format!("fences {connector}"));
        Ok(())
    }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn send(server: &Server, method: &str, path: &str, body: Option<&Value>) -> RestAnswer {
    server.client().send(method, path, &JSON, body.map(|body| body.to_string().into_bytes()))
}

#[test]
fn a37_every_write_goes_to_the_leader() {
    let leader = Server::start();
    let member = Member::of(&leader);
    let follower = Server::member(Arc::<Member>::clone(&member));
    let config = json!({ "connector.class": SOURCE, "tasks.max": "1" });
    let created = send(&follower, "POST", "/connectors", Some(&json!({ "name": "a b/c", "config": config })));
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.body["name"], "a b/c");
    let location = format!("{}/connectors/a%20b%2Fc", follower.client().base());
    assert_eq!(created.header("location"), Some(location.as_str()), "found where it was asked for");
    assert_eq!(leader.client().get("/connectors").text, r#"["a b/c"]"#);
    assert_eq!(
        follower.client().get("/connectors").text,
        "[]",
        "what is only looked at is every worker's own"
    );
    assert_eq!(member.asked(), ["Cluster"]);
    leader.wait_for_state("a%20b%2Fc", "RUNNING", 1);

    let path = "/connectors/a%20b%2Fc";
    let cluster = "Cluster".to_owned();
    for (method, sub, body, status, matter) in [
        ("PUT", "/config", Some(config.clone()), 200, cluster.clone()),
        ("PATCH", "/config", Some(json!({ "x": "1" })), 200, cluster.clone()),
        ("POST", "/restart", None, 204, r#"Connector("a b/c")"#.into()),
        ("POST", "/restart?includeTasks=true&onlyFailed=false", None, 202, cluster.clone()),
        ("POST", "/tasks/0/restart", None, 204, r#"Task("a b/c", 0)"#.into()),
        ("PUT", "/stop", None, 204, cluster.clone()),
        ("DELETE", "/offsets", None, 200, cluster.clone()),
        ("DELETE", "", None, 204, cluster.clone()),
        ("DELETE", "", None, 404, cluster),
    ] {
        let answer = send(&follower, method, &format!("{path}{sub}"), body.as_ref());
        assert_eq!(answer.status, status, "{method} {sub}: {}", answer.text);
        assert_eq!(member.asked(), [matter], "{method} {sub}");
        assert_eq!(answer.text.is_empty(), status == 204, "{method} {sub}: {}", answer.text);
        if status == 404 {
            refused(&answer, 404, "Connector a b/c not found");
        }
    }
    let put = send(&follower, "PUT", "/connectors/new/config", Some(&config));
    assert_eq!((put.status, put.body["name"].as_str()), (201, Some("new")));
    // What any worker may do is done here.
    member.asked();
    refused(&send(&follower, "PUT", "/connectors/new/pause", None), 404, "Unknown connector new");
    assert_eq!(member.asked(), Vec::<String>::new());
    // Errors of the leader come with their own status and text.
    refused_with(
        &send(&follower, "POST", "/connectors", Some(&json!({ "name": "x", "config": {} }))),
        400,
        "no connector type",
    );
}

#[test]
fn a37_a_request_is_passed_on_twice_at_most() {
    let leader = Server::start();
    let second = Member::of(&leader);
    let second_server = Server::member(Arc::<Member>::clone(&second));
    let first = Server::member(Member::of(&second_server));
    let creation = |name: &str| json!({ "name": name, "config": { "connector.class": SOURCE } });
    assert_eq!(send(&first, "POST", "/connectors", Some(&creation("a"))).status, 201, "two hops");
    assert_eq!(leader.client().get("/connectors").text, r#"["a"]"#);
    // Two workers that take each other for the leader.
    *second.whose.lock().unwrap() = Whose::Theirs(first.client().base().to_owned());
    let conflict = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";
    refused(&send(&first, "POST", "/connectors", Some(&creation("b"))), 409, conflict);
    refused(&send(&first, "DELETE", "/connectors/a?forward=false", None), 409, conflict);
    *second.whose.lock().unwrap() = Whose::Nobodys;
    refused(&send(&second_server, "DELETE", "/connectors/a?forward=false", None), 409, conflict);
    // Whoever is meant answers, however often it was passed on.
    refused(&send(&leader, "DELETE", "/connectors/b?forward=false", None), 404, "Connector b not found");
}

#[test]
fn a38_without_a_leader_nothing_is_changed() {
    let follower = Server::member(Member::new(Whose::Nobodys));
    let body = json!({ "name": "x", "config": { "connector.class": SOURCE } });
    let text = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.";
    refused(&send(&follower, "POST", "/connectors", Some(&body)), 409, text);
    refused(&send(&follower, "POST", "/connectors/x/restart", None), 409, text);
    refused(&send(&follower, "POST", "/connectors/x/tasks/0/restart?forward=true", None), 409, text);
    assert_eq!(follower.client().get("/connectors").status, 200);
}

/// Answers one request with these bytes, and gives back what it was asked.
fn peer(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..read]).to_lowercase()
    });
    (url, served)
}

#[test]
fn what_is_passed_on_says_who_asked_and_no_more() {
    let (url, served) = peer("HTTP/1.1 204 No Content\r\n\r\n");
    let follower = Server::member(Member::new(Whose::Theirs(format!("{url}/"))));
    let headers =
        [("authorization", "Basic eDp5"), ("cookie", "secret"), ("content-type", "application/json")];
    let path = "/connectors/x/restart?includeTasks=false&onlyFailed=true&other=1";
    let answer = follower.client().send("POST", path, &headers, None);
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let request = served.join().unwrap();
    let line = "post /connectors/x/restart?forward=true&includetasks=false&onlyfailed=true http/1.1\r\n";
    assert!(request.starts_with(line), "{request}");
    for part in ["authorization: basic edp5", "user-agent: kafka-connect", "accept: application/json"] {
        assert!(request.contains(part), "{part}: {request}");
    }
    assert!(!request.contains("cookie"), "{request}");
}

#[test]
fn answers_that_are_none_are_told_apart() {
    for (answer, status, part) in [
        (
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            500,
            "Unexpected status code when handling forwarded request: 307",
        ),
        ("nonsense\r\n\r\n", 500, "IO Error trying to forward REST request: "),
        ("", 500, "IO Error trying to forward REST request: "),
        ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\noops", 503, ""),
    ] {
        let (url, served) = peer(answer);
        let follower = Server::member(Member::new(Whose::Theirs(url)));
        refused_with(&send(&follower, "PUT", "/connectors/x/stop", None), status, part);
        served.join().unwrap();
    }
    for url in ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "ftp", ""] {
        let follower = Server::member(Member::new(Whose::Theirs(url.into())));
        let answer = send(&follower, "PUT", "/connectors/x/stop", None);
        refused_with(&answer, 500, "IO Error trying to forward REST request: ");
    }
}

const TASKS: &str = r#"[{"task.class":"T"}]"#;

fn signed<'a>(algorithm: &'a str, signature: &'a str) -> [(&'static str, &'a str); 2] {
    [(SIGNATURE_HEADER, signature), (SIGNATURE_ALGORITHM_HEADER, algorithm)]
}

#[test]
fn a50_requests_among_workers_are_signed() {
    let member = Member::new(Whose::Ours);
    let leader = Server::member(Arc::<Member>::clone(&member));
    let ask = |headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().chain(&JSON).copied().collect();
        leader.client().send("POST", "/connectors/c/tasks", &headers, Some(TASKS.as_bytes().to_vec()))
    };
    // Protocol versions 0 and 1 need no signature.
    assert_eq!(ask(&[]).status, 200);
    assert_eq!(member.asked(), ["Cluster", "takes c: T"]);

    let key = SessionKey::new((0..32).collect::<Vec<u8>>(), "HmacSHA256", 0);
    let algorithms = vec!["HmacSHA256".to_owned()];
    *member.session.lock().unwrap() = Session::Signed { key: None, algorithms: algorithms.clone() };
    let signature = key.sign(MacAlgorithm::HmacSha256, TASKS.as_bytes());
    refused(
        &ask(&signed("HmacSHA256", &signature)),
        503,
        "This worker is still starting up and has not been able to read a session key from the config topic yet",
    );
    *member.session.lock().unwrap() = Session::Signed { key: Some(key.clone()), algorithms };
    refused(&ask(&[]), 400, "Internal request missing required signature");
    refused(&ask(&[(SIGNATURE_HEADER, &signature)]), 400, "Internal request missing required signature");
    for algorithm in ["HmacSHA512", "Rot13"] {
        let own = key.sign(MacAlgorithm::HmacSha512, TASKS.as_bytes());
        let text = format!("This worker does not support the '{algorithm}' key signing algorithm");
        refused_with(&ask(&signed(algorithm, &own)), 400, &text);
    }
    refused_with(&ask(&signed("HmacSHA256", "%%%")), 400, "is not base64");
    let invalid = "Internal request contained invalid signature.";
    for wrong in [key.sign(MacAlgorithm::HmacSha256, b""), "AAAA".into(), String::new()] {
        refused(&ask(&signed("HmacSHA256", &wrong)), 403, invalid);
    }
    assert_eq!(member.asked(), Vec::<String>::new(), "the signature comes first");
    assert_eq!(ask(&signed("hmacsha256", &signature)).status, 200);
    assert_eq!(member.asked(), ["Cluster", "takes c: T"]);

    // As another worker asks.
    let base = leader.client().base();
    let peer = |request: PeerRequest| {
        let asked = ask_peer(request.signed(key.clone(), MacAlgorithm::HmacSha256));
        leader.block_on(asked).map(|(status, _)| status.as_u16())
    };
    let tasks = |connector| PeerRequest::task_configs(base, connector, TASKS.as_bytes().to_vec());
    assert_eq!(peer(tasks("a b")), Ok(200));
    assert_eq!(peer(PeerRequest::fence(base, "a b")), Ok(200));
    assert_eq!(member.asked(), ["Cluster", "takes a b: T", "Cluster", "fences a b"]);
    assert_eq!(peer(tasks("unknown")), Err(Refusal::not_found("Connector unknown not found")));
    let malformed = PeerRequest::task_configs(base, "c", b"{}".to_vec());
    assert_eq!(peer(malformed).unwrap_err().status, 400);
    // One that is passed on has no signature, so that it is refused.
    let follower = Member::of(&leader);
    let follower = Server::member(follower);
    refused(
        &send(&follower, "PUT", "/connectors/c/fence", None),
        400,
        "Internal request missing required signature",
    );
}
