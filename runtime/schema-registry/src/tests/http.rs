//! What goes over the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lavka_api::config::Config;
use lavka_api::plugin::ConverterRole;
use lavka_api::{Error, ErrorClass};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

use super::avro;
use super::server::{Seen, Server};
use crate::schema::SchemaType;
use crate::session::Session;

const SCHEMA: &str = r#"{"schema":"\"int\"","id":7,"version":1}"#;

async fn registry() -> Server {
    Server::start(None, |_: &Seen| (200, SCHEMA.to_owned())).await
}

fn session(url: &str, entries: &[(&str, &str)]) -> Result<Session, Error> {
    let mut config = Config::from([("schema.registry.url", url), ("max.retries", "0")]);
    for (key, value) in entries {
        config.set(*key, *value);
    }
    Session::new(&config, ConverterRole::Value, SchemaType::Avro)
}

async fn ask(url: &str, entries: &[(&str, &str)]) -> Result<(), Error> {
    session(url, entries)?.registry().by_id(7, None).await.map(drop)
}

/// As in Java, this header stands for what the credentials would say.
#[tokio::test]
async fn a_header_of_the_users_own_comes_before_credentials() {
    let server = registry().await;
    let url = format!("http://u:p@127.0.0.1:{}", server.port);
    ask(&url, &[("request.header.Authorization", "Bearer mine")]).await.unwrap();
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer mine"));
}

#[tokio::test]
async fn requests_are_those_of_confluents_client() {
    let server = registry().await;
    let url = format!("http://127.0.0.1:{}/base/", server.port);
    let session = session(&url, &[("request.header.X-Team", "lake")]).unwrap();
    session.registry().register("a/b", &avro("\"int\""), false).await.unwrap();
    session.registry().by_id(7, Some("a/b")).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].line, "POST /base/subjects/a%2Fb/versions HTTP/1.1");
    assert_eq!(seen[0].body, r#"{"schema":"\"int\""}"#);
    assert_eq!(seen[0].header("content-type"), Some("application/vnd.schemaregistry.v1+json"));
    assert_eq!(seen[0].header("x-team"), Some("lake"));
    assert_eq!(seen[1].line, "GET /base/schemas/ids/7?subject=a%2Fb HTTP/1.1");
    assert!(
        seen[1].header("accept").unwrap().contains("application/json")
            && seen[1].header("authorization").is_none()
    );
}

#[tokio::test]
async fn credentials_are_sent() {
    let server = registry().await;
    let plain = format!("http://127.0.0.1:{}", server.port);
    let in_url = format!("http://ada:s%40crt@127.0.0.1:{}", server.port);
    for (url, entries, expected) in [
        (&in_url, vec![], format!("Basic {}", STANDARD.encode("ada:s@crt"))),
        (
            &plain,
            vec![("basic.auth.credentials.source", "USER_INFO"), ("basic.auth.user.info", "ada:pw")],
            format!("Basic {}", STANDARD.encode("ada:pw")),
        ),
        (&plain, vec![("bearer.auth.token", "tok")], "Bearer tok".into()),
    ] {
        ask(url, &entries).await.unwrap();
        assert_eq!(server.seen().last().unwrap().header("authorization"), Some(expected.as_str()));
    }
    let cluster = [("bearer.auth.token", "tok"), ("bearer.auth.logical.cluster", "lsrc-1")];
    ask(&plain, &cluster).await.unwrap();
    assert_eq!(server.seen().last().unwrap().header("target-sr-cluster"), Some("lsrc-1"));
}

#[tokio::test]
async fn secrets_are_nowhere_to_be_read() {
    let server = Server::start(None, |_: &Seen| (401, r#"{"message":"who are you"}"#.to_owned())).await;
    let url = format!("http://ada:s3cret@127.0.0.1:{}", server.port);
    let session = session(&url, &[("bearer.auth.client.secret", "s3cret")]).unwrap();
    let error = session.registry().by_id(7, None).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Config);
    assert!(
        error.to_string().contains("who are you") && error.to_string().contains("basic.auth.user.info"),
        "{error}"
    );
    let mut config = Config::from([("schema.registry.url", url.as_str())]);
    config.set("basic.auth.user.info", "ada:s3cret");
    let keys = crate::RegistryConfig::read(&config).unwrap();
    let shown = format!("{error} {error:?} {session:?} {:?} {keys:?}", session.registry());
    assert!(!shown.contains("s3cret") && shown.contains(&server.port.to_string()), "{shown}");
    let broken = super::http::session("http://ada:s3cret@", &[]).unwrap_err();
    assert!(!broken.to_string().contains("s3cret"), "{broken}");
}

#[tokio::test]
async fn the_next_url_is_asked_and_then_kept() {
    let down = Server::start(None, |_: &Seen| (503, String::new())).await;
    let up = registry().await;
    // Bound and never listening: nobody else gets the port, and nobody answers there.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let closed_port = closed.local_addr().unwrap().port();
    let urls =
        format!("http://127.0.0.1:{closed_port},http://127.0.0.1:{},http://127.0.0.1:{}", down.port, up.port);
    let session = session(&urls, &[]).unwrap();
    for subject in ["a", "b", "c"] {
        session.registry().latest(subject).await.unwrap();
    }
    assert_eq!((down.seen().len(), up.seen().len()), (1, 3));
    drop(closed);
}

#[tokio::test]
async fn answers_that_are_none() {
    for (status, body, class, part) in [
        (200, "<html>", ErrorClass::Retriable, "is not that of a Schema Registry"),
        (200, "{}", ErrorClass::Retriable, "schema is missing"),
        (302, "", ErrorClass::Config, "status 302"),
        (500, "oops", ErrorClass::Retriable, "oops"),
    ] {
        let server = Server::start(None, move |_: &Seen| (status, body.to_owned())).await;
        let error = ask(&format!("http://127.0.0.1:{}", server.port), &[]).await.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://127.0.0.1:{}", silent.local_addr().unwrap().port());
    let error = ask(&url, &[("http.read.timeout.ms", "50")]).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retriable);
    assert!(error.to_string().contains("the time is up"), "{error}");
}

#[tokio::test]
async fn tokens_are_fetched_once_and_again_when_they_end() {
    for (lifetime, fetched) in [(3600, 1), (300, 3)] {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let server = Server::start(None, move |seen: &Seen| {
            if !seen.line.starts_with("POST /token") {
                return (200, SCHEMA.to_owned());
            }
            let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
            (200, format!(r#"{{"access_token":"t{number}","expires_in":{lifetime}}}"#))
        })
        .await;
        let url = format!("http://127.0.0.1:{}", server.port);
        let endpoint = format!("{url}/token");
        let session = session(
            &url,
            &[
                ("bearer.auth.credentials.source", "OAUTHBEARER"),
                ("bearer.auth.issuer.endpoint.url", &endpoint),
                ("bearer.auth.client.id", "me"),
                ("bearer.auth.client.secret", "pw"),
                ("bearer.auth.scope", "a b"),
            ],
        );
        let session = session.unwrap();
        for subject in ["a", "b", "c"] {
            session.registry().latest(subject).await.unwrap();
        }
        assert_eq!(count.load(Ordering::Relaxed), fetched);
        let seen = server.seen();
        let token = seen.iter().find(|seen| seen.line.starts_with("POST /token")).unwrap();
        assert_eq!(token.body, "grant_type=client_credentials&scope=a%20b");
        assert_eq!(
            token.header("authorization"),
            Some(format!("Basic {}", STANDARD.encode("me:pw")).as_str())
        );
        let last = seen.last().unwrap().header("authorization").unwrap().to_owned();
        assert_eq!(last, format!("Bearer t{fetched}"));
    }
}

#[tokio::test]
async fn a_refused_token_is_the_users_to_mend() {
    let server = Server::start(None, |_: &Seen| (400, r#"{"error":"invalid_client"}"#.to_owned())).await;
    let url = format!("http://127.0.0.1:{}", server.port);
    let entries = [
        ("bearer.auth.credentials.source", "OAUTHBEARER"),
        ("bearer.auth.issuer.endpoint.url", url.as_str()),
        ("bearer.auth.client.id", "me"),
        ("bearer.auth.client.secret", "pw"),
    ];
    let error = ask(&url, &entries).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Config);
    assert!(error.to_string().contains("invalid_client"), "{error}");
}

#[tokio::test]
async fn a_proxy_is_asked() {
    let proxy = registry().await;
    let port = proxy.port.to_string();
    ask("http://registry.invalid:8081", &[("proxy.host", "127.0.0.1"), ("proxy.port", &port)]).await.unwrap();
    assert_eq!(proxy.seen()[0].line, "GET http://registry.invalid:8081/schemas/ids/7 HTTP/1.1");
    let error = ask("http://h", &[("proxy.host", "127.0.0.1")]).await.unwrap_err();
    assert!(error.to_string().contains("proxy.port"), "{error}");
}

struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { authority: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// Certificate and key, PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.authority).unwrap().pem(), key.serialize_pem())
    }

    fn server(&self, name: &str, clients: Option<&Certificates>) -> ServerConfig {
        let (certificate, key) = self.issue(name);
        let provider = Arc::new(ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = match clients {
            None => builder.unwrap().with_no_client_auth(),
            Some(clients) => {
                let mut roots = rustls::RootCertStore::empty();
                roots
                    .add(CertificateDer::from_pem_slice(clients.authority.pem().as_bytes()).unwrap())
                    .unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.unwrap().with_client_cert_verifier(verifier)
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
    }
}

#[tokio::test]
async fn tls_and_mutual_tls() {
    let (servers, clients) = (Certificates::new(), Certificates::new());
    let answer = |_: &Seen| (200, SCHEMA.to_owned());
    let server = Server::start(Some(servers.server("localhost", Some(&clients))), answer).await;
    let url = format!("https://localhost:{}", server.port);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let trusted = file("ca.pem", &servers.authority.pem());
    let (certificate, key) = clients.issue("ada");
    let client = file("client.pem", &format!("{certificate}{key}"));
    let trust = ("schema.registry.ssl.truststore.location", trusted.as_str());
    ask(&url, &[trust, ("schema.registry.ssl.keystore.location", &client)]).await.unwrap();
    ask(
        &url,
        &[
            ("schema.registry.ssl.truststore.certificates", &servers.authority.pem()),
            ("schema.registry.ssl.keystore.certificate.chain", &certificate),
            ("schema.registry.ssl.keystore.key", &key),
        ],
    )
    .await
    .unwrap();
    assert!(ask(&url, &[trust]).await.is_err(), "no client certificate");
    let other = file("other.pem", &clients.authority.pem());
    let error = ask(&url, &[("schema.registry.ssl.truststore.location", &other)]).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Config, "{error}");
    let named = Server::start(Some(servers.server("elsewhere", None)), answer).await;
    let error = ask(&format!("https://localhost:{}", named.port), &[trust]).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Config, "{error}");
}

#[test]
fn java_key_stores_are_recognised() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, part) in [
        ("store.jks", &[0xfe, 0xed, 0xfe, 0xed, 0][..], "keytool -importkeystore"),
        ("store.p12", &[0x30, 0x82, 1, 2, 3], "openssl pkcs12 -in"),
        ("empty.pem", b"nothing", "BEGIN CERTIFICATE"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap();
        let error = session("https://h", &[("schema.registry.ssl.truststore.location", path)]).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Config);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn what_is_not_supported_is_named() {
    for (key, value) in [
        ("use.latest.with.metadata", "a=b"),
        ("propagate.schema.tags", "true"),
        ("rule.executors", "cel"),
        ("rule.executors.cel.class", "x"),
        ("schema.reflection", "true"),
        ("validation.rules.execution", "BEFORE_DOMAIN_RULES"),
        ("schema.backup.enabled", "true"),
        ("execution.environment", "MOON"),
        ("schema.registry.proxy.host", "proxy"),
        ("schema.registry.bearer.auth.token", "t"),
        ("schema.format", "resolved"),
        ("context.name.strategy", "org.example.Mine"),
        ("value.subject.name.strategy", "org.example.Mine"),
        ("value.schema.id.serializer", "org.example.Mine"),
        ("bearer.auth.credentials.source", "SASL_OAUTHBEARER_INHERIT"),
        ("schema.registry.ssl.truststore.type", "JKS"),
        ("schema.registry.ssl.key.password", "pw"),
        ("schema.registry.ssl.endpoint.identification.algorithm", ""),
        ("sasl.mechanism", "GSSAPI"),
        ("use.schema.guid", "7"),
        ("schema.registry.url", "mock://x"),
        ("schema.registry.url", "localhost:8081"),
        ("schema.registry.url", ""),
        ("request.header.a b", "x"),
    ] {
        let mut config = Config::from([("schema.registry.url", "http://h")]);
        config.set(key, value);
        let error = Session::new(&config, ConverterRole::Value, SchemaType::Avro).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Config);
        assert!(error.to_string().contains(key), "{key}: {error}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
}

/// Whoever wrote them as if there were no rules would write secrets in the clear.
#[tokio::test]
async fn schemas_with_rules_are_refused() {
    let answer = r#"{"id":7,"version":1,"schema":"\"int\"","ruleSet":{"domainRules":[
        {"name":"secret","kind":"TRANSFORM","mode":"WRITEREAD","type":"ENCRYPT","tags":["PII"]}]}}"#;
    let server = Server::start(None, |_| (200, answer.into())).await;
    let url = format!("http://127.0.0.1:{}", server.port);
    let (subject, own) = ("t-value".into(), avro("\"int\""));
    for entries in [
        &[][..],
        &[("auto.register.schemas", "false")],
        &[("auto.register.schemas", "false"), ("use.latest.version", "true")],
        &[("auto.register.schemas", "false"), ("use.schema.id", "7")],
    ] {
        let session = session(&url, entries).unwrap();
        let error = session.resolve_for_encode(&subject, &own, &super::equal).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Data);
        assert!(error.to_string().contains("rule executor of type ENCRYPT"), "{error}");
    }
    let session = session(&url, &[("use.latest.version", "true")]).unwrap();
    let (topic, payload) = ("t".into(), [0, 0, 0, 0, 7, 2].as_slice().into());
    let undecoded = lavka_api::plugin::Undecoded { topic: &topic, payload: Some(&payload), headers: &[] };
    let located = session.locate(&undecoded).unwrap().unwrap();
    let error = session.resolve_for_decode(&located, "t").await.unwrap_err();
    assert!(error.to_string().contains("the schema of id 7 has rules"), "{error}");
    let error = session.latest_for_decode("t", None).await.unwrap_err();
    assert!(error.to_string().contains("the schema of subject t-value has rules"), "{error}");
}
