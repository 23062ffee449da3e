//! A source of tokens against an endpoint that does as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lavka_api::config::Config;
use lavka_testkit::Authority;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::settings::Security;

/// A stream, encrypted or not.
trait Both: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Both for S {}

/// A server that answers each request with the next of `answers`, and the last one from then on; and what it was asked.
struct Server {
    url: String,
    asked: Arc<std::sync::Mutex<Vec<String>>>,
    count: Arc<AtomicUsize>,
}

impl Server {
    async fn start(answers: &[(&str, String)]) -> Self {
        Self::behind(None, answers).await
    }

    /// Behind TLS where there is an acceptor.
    async fn behind(tls: Option<TlsAcceptor>, answers: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/token?tenant=hidden-tenant", listener.local_addr().unwrap());
        let answers: Vec<String> = answers
            .iter()
            .map(|(status, body)| {
                format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
            })
            .collect();
        let (asked, count) = (Arc::<std::sync::Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default());
        let (noted, counted) = (Arc::clone(&asked), Arc::clone(&count));
        tokio::spawn(async move {
            loop {
                let (plain, _) = listener.accept().await.unwrap();
                let mut stream: Box<dyn Both> = match &tls {
                    None => Box::new(plain),
                    Some(acceptor) => match acceptor.accept(plain).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => continue,
                    },
                };
                let mut request = String::new();
                let mut buffer = [0; 4096];
                while !request.contains("grant_type=") {
                    let read = stream.read(&mut buffer).await.unwrap();
                    request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
                }
                noted.lock().unwrap().push(request);
                let number = counted.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
                stream.write_all(answers[number].as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { url, asked, count }
    }

    fn source(&self, extra: &[(&str, &str)]) -> Arc<TokenSource> {
        let mut entries = vec![
            ("sasl.oauthbearer.token.endpoint.url", self.url.as_str()),
            (
                "sasl.jaas.config",
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId=\"m e\" \
                 clientSecret=\"hunter/2\" scope=\"kafka:x y\";",
            ),
        ];
        entries.extend(extra);
        source(&entries)
    }
}

fn source(entries: &[(&str, &str)]) -> Arc<TokenSource> {
    let mut config: Config = entries.iter().copied().collect();
    config.set("security.protocol", "SASL_PLAINTEXT");
    config.set("sasl.mechanism", "OAUTHBEARER");
    Security::from_config(&config).unwrap().tokens().unwrap()
}

/// The answer with a token that lives for `seconds` from now.
fn token(seconds: i64) -> String {
    let token = jwt::unsecured(&[("sub".into(), "svc".into())], now_ms(), seconds);
    format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#)
}

#[tokio::test]
async fn a_token_is_asked_for_as_java_asks_and_used_until_it_is_old() {
    let server = Server::start(&[("200 OK", token(3600))]).await;
    let source = server.source(&[]);
    for _ in 0..3 {
        let token = source.token().await.unwrap();
        assert_eq!(token.principal, "svc");
        assert!(token.expires_ms > now_ms() + 3_500_000);
    }
    assert_eq!(server.count.load(Ordering::SeqCst), 1);
    let asked = server.asked.lock().unwrap()[0].to_lowercase();
    assert!(asked.starts_with("post /token?tenant=hidden-tenant http/1.1\r\n"), "{asked}");
    for header in [
        "accept: application/json",
        "authorization: basic bsblomh1bnrlci8y",
        "content-type: application/x-www-form-urlencoded",
    ] {
        assert!(asked.contains(&format!("\r\n{header}\r\n")), "{asked}");
    }
    assert!(asked.ends_with("\r\n\r\ngrant_type=client_credentials&scope=kafka%3ax+y"), "{asked}");
    // `m+e:hunter%2F2`.
    let encoding = server.source(&[("sasl.oauthbearer.header.urlencode", "true")]);
    encoding.token().await.unwrap();
    assert!(server.asked.lock().unwrap()[1].contains("Basic bStlOmh1bnRlciUyRjI="));
}

#[tokio::test]
async fn a_token_that_is_nearly_over_is_replaced() {
    let server = Server::start(&[("200 OK", token(4)), ("200 OK", token(3600))]).await;
    let source = server.source(&[]);
    let first = source.token().await.unwrap();
    // It is old when four fifths of what it had left are over.
    tokio::time::sleep(std::time::Duration::from_millis(3500)).await;
    let second = source.token().await.unwrap();
    assert!(second.expires_ms > first.expires_ms + 1_000_000);
}

#[tokio::test]
async fn passing_trouble_is_waited_out_and_lasting_trouble_told() {
    let quick = [("sasl.login.retry.backoff.ms", "5"), ("sasl.login.retry.backoff.max.ms", "200")];
    let server =
        Server::start(&[("503 Busy", String::new()), ("429 Slow", "x".into()), ("200 OK", token(60))]).await;
    server.source(&quick).token().await.unwrap();
    assert_eq!(server.count.load(Ordering::SeqCst), 3);

    let server = Server::start(&[("503 Busy", String::new())]).await;
    let error = server.source(&quick).token().await.unwrap_err();
    assert!(error.is_retriable() && error.to_string().ends_with("answered 503"), "{error}");

    let body = r#"{"error":"invalid_client","error_description":"who are you\n?"}"#;
    for (status, body, told) in [
        ("401 No", body, "answered 401 (invalid_client: who are you?)"),
        ("400 No", "secret <html>", "answered 400"),
        ("302 There\r\nlocation: http://127.0.0.1:1/", "", "answered 302"),
        ("200 OK", "{}", "the answer has no access_token"),
        ("200 OK", "<html>", "the answer has no access_token"),
        ("200 OK", r#"{"access_token":"opaque-token"}"#, "no JWT"),
        ("200 OK", &token(-60), "has expired"),
    ] {
        let server = Server::start(&[(status, body.to_owned())]).await;
        let error = server.source(&quick).token().await.unwrap_err();
        let text = error.to_string();
        assert!(!error.is_retriable() && text.contains(told), "{text}");
        assert!(text.starts_with("OAuth: the token endpoint http://127.0.0.1:"), "{text}");
        for secret in ["hunter", "hidden-tenant", "opaque-token", "secret"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(server.count.load(Ordering::SeqCst), 1, "{status}");
    }
    let nobody = source(&[
        ("sasl.oauthbearer.token.endpoint.url", "http://127.0.0.1:1/token"),
        (
            "sasl.jaas.config",
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId=a clientSecret=b;",
        ),
        quick[0],
        quick[1],
    ]);
    assert!(nobody.token().await.unwrap_err().is_retriable());
}

#[tokio::test]
async fn endless_answers_are_cut_off() {
    let server = Server::start(&[("200 OK", "x".repeat(MAX))]).await;
    const MAX: usize = 3 << 20;
    let quick = [("sasl.login.retry.backoff.ms", "5"), ("sasl.login.retry.backoff.max.ms", "10")];
    let error = server.source(&quick).token().await.unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn files_and_unsecured_tokens_need_no_server_and_threads_may_ask() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let url = format!("file://{}", file.display());
    let jaas = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
    let from_file = source(&[("sasl.oauthbearer.token.endpoint.url", &url), ("sasl.jaas.config", jaas)]);
    let error = from_file.token().await.unwrap_err();
    assert!(error.is_retriable() && error.to_string().contains("with the token"), "{error}");
    std::fs::write(&file, format!("{}\n", jwt::unsecured(&[("sub".into(), "f".into())], now_ms(), 60)))
        .unwrap();
    assert_eq!(from_file.token().await.unwrap().principal, "f");

    let jaas = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                unsecuredLoginStringClaim_sub=\"alice\";";
    let unsecured = source(&[("sasl.jaas.config", jaas)]);
    let handle = Handle::current();
    let asked = std::thread::spawn(move || unsecured.token_blocking(&handle).unwrap().principal);
    assert_eq!(tokio::task::spawn_blocking(|| asked.join().unwrap()).await.unwrap(), "alice");
}

/// As in Java the certificates to trust are options of the login module.
#[tokio::test]
async fn an_endpoint_behind_tls_has_to_be_trusted() {
    let authority = Authority::new("idp");
    let identity = authority.server();
    let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
    let server = Server::behind(Some(TlsAcceptor::from(Arc::new(config))), &[("200 OK", token(60))]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let ask = |certificate: &str| {
        std::fs::write(&file, certificate).unwrap();
        let jaas = format!(
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId=me \
             clientSecret=hunter2 ssl.truststore.type=PEM ssl.truststore.location=\"{}\";",
            file.display()
        );
        let quick = [
            ("sasl.login.retry.backoff.ms", "5"),
            ("sasl.login.retry.backoff.max.ms", "20"),
            ("sasl.jaas.config", jaas.as_str()),
        ];
        server.source(&quick)
    };
    assert_eq!(ask(authority.certificate()).token().await.unwrap().principal, "svc");
    let error = ask(Authority::new("stranger").certificate()).token().await.unwrap_err().to_string();
    assert!(error.contains("certificate") && !error.contains("hunter2"), "{error}");
    let error = ask("no certificate").token().await.unwrap_err();
    assert!(error.to_string().contains("there is no certificate"), "{error}");
}
