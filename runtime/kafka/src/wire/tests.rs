//! The client against brokers that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, MetadataResponse};
use kafka_protocol::protocol::{Encodable, StrBytes};
use lavka_api::ErrorClass;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::{WireClient, frame};
use crate::settings::{Endpoint, Security, WireSettings};

fn settings(port: u16) -> WireSettings {
    WireSettings {
        bootstrap: vec![Endpoint { host: "127.0.0.1".into(), port }],
        client_id: "test".into(),
        security: Security::default(),
        read_committed: false,
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(10),
        call_timeout: Duration::from_secs(20),
        backoff: Duration::from_millis(1),
        backoff_max: Duration::from_millis(10),
    }
}

/// What a broker does with the n-th request of all its connections; `None` hangs up.
type Script = fn(usize, Request) -> Option<Bytes>;

struct Request {
    api: i16,
    version: i16,
    correlation: i32,
}

impl Request {
    /// A whole frame: the header of a plain response, then `body`.
    fn answer(&self, body: &[u8]) -> Bytes {
        answer(self.correlation, body)
    }

    fn versions(&self) -> Bytes {
        let api = |key: ApiKey, max| {
            ApiVersion::default().with_api_key(key as i16).with_min_version(0).with_max_version(max)
        };
        let response = ApiVersionsResponse::default()
            .with_api_keys(vec![api(ApiKey::ApiVersions, 3), api(ApiKey::Metadata, 8)]);
        let mut body = BytesMut::new();
        response.encode(&mut body, self.version).unwrap();
        self.answer(&body)
    }

    fn metadata(&self) -> Bytes {
        let response =
            MetadataResponse::default().with_cluster_id(Some(StrBytes::from_static_str("cluster")));
        let mut body = BytesMut::new();
        response.encode(&mut body, self.version).unwrap();
        self.answer(&body)
    }
}

fn answer(correlation: i32, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i32(i32::try_from(body.len() + 4).unwrap());
    frame.put_i32(correlation);
    frame.put_slice(body);
    frame.freeze()
}

async fn broker(script: Script) -> WireClient {
    WireClient::new(settings(start(script).await))
}

async fn start(script: Script) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&count), script));
        }
    });
    port
}

async fn serve(mut stream: TcpStream, count: Arc<AtomicUsize>, script: Script) {
    while let Ok(Some(request)) = frame::read(&mut stream).await {
        let field = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let correlation = i32::from_be_bytes([request[4], request[5], request[6], request[7]]);
        let request = Request { api: field(0), version: field(2), correlation };
        let Some(frame) = script(count.fetch_add(1, Ordering::Relaxed), request) else { return };
        if stream.write_all(&frame).await.is_err() {
            return;
        }
    }
}

/// What comes of asking once, without repetition.
async fn asked(script: Script) -> lavka_api::Result<String> {
    let metadata = broker(script).await.metadata(Some(&[])).await?;
    Ok(metadata.cluster_id.unwrap().to_string())
}

#[tokio::test]
async fn an_honest_broker_is_understood() {
    let name = asked(|n, request| {
        assert_eq!(request.api, if n == 0 { ApiKey::ApiVersions } else { ApiKey::Metadata } as i16);
        assert!(request.version <= 8);
        Some(if n == 0 { request.versions() } else { request.metadata() })
    });
    assert_eq!(name.await.unwrap(), "cluster");
}

#[tokio::test]
async fn a_broker_of_another_age_is_asked_again_in_the_oldest_version() {
    let name = asked(|n, request| match n {
        0 => {
            assert_eq!(request.version, 3);
            // UNSUPPORTED_VERSION in version 0, and what it speaks.
            Some(request.answer(&[0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2]))
        }
        1 => {
            assert_eq!(request.version, 0);
            Some(request.versions())
        }
        _ => Some(request.metadata()),
    });
    assert_eq!(name.await.unwrap(), "cluster");
}

#[tokio::test]
async fn nonsense_is_an_error_and_never_more() {
    let scripts: [(Script, ErrorClass); 8] = [
        // It is not Kafka at all.
        (|_, _| Some(Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n\r\n")), ErrorClass::Retriable),
        (|_, _| None, ErrorClass::Retriable),
        // A frame that announces more than it may, one of negative length, one that ends early.
        (|_, _| Some(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff])), ErrorClass::Retriable),
        (|_, _| Some(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff])), ErrorClass::Retriable),
        // An answer to something else.
        (|_, request| Some(answer(request.correlation.wrapping_add(1), &[])), ErrorClass::Retriable),
        // An empty frame.
        (|_, _| Some(Bytes::from_static(&[0, 0, 0, 0])), ErrorClass::Retriable),
        // Two thousand million API versions.
        (|_, request| Some(request.answer(&[0, 0, 0x7f, 0xff, 0xff, 0xff])), ErrorClass::Fatal),
        // It speaks nothing we want.
        (|_, request| Some(request.answer(&[0, 0, 1, 0, 0, 0, 0, 0])), ErrorClass::Fatal),
    ];
    for (number, (script, class)) in scripts.into_iter().enumerate() {
        let error = asked(script).await.unwrap_err();
        assert_eq!(error.class(), class, "script {number}: {error}");
        assert!(error.to_string().contains("127.0.0.1:"), "script {number}: {error}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_replaced_by_the_next_attempt() {
    let client = broker(|n, request| match n {
        // The first connection breaks after the first answer, the second in the middle of a frame.
        0 | 2 | 4 => Some(request.versions()),
        1 => None,
        3 => Some(Bytes::from_static(&[0, 0, 0, 9, 0])),
        // One that took too long was asked again before its turn.
        _ if request.api == ApiKey::ApiVersions as i16 => Some(request.versions()),
        _ => Some(request.metadata()),
    })
    .await;
    let mut settings = client.settings().clone();
    settings.request_timeout = Duration::from_millis(2000);
    let client = WireClient::new(settings);
    let metadata = client.repeat("Asking", || client.metadata(Some(&[]))).await.unwrap();
    assert_eq!(metadata.cluster_id.as_deref(), Some("cluster"));
}

#[tokio::test]
async fn silence_ends_with_a_timeout_that_names_broker_and_request() {
    let port = start(|n, request| if n == 0 { Some(request.versions()) } else { Some(Bytes::new()) }).await;
    let client =
        WireClient::new(WireSettings { request_timeout: Duration::from_millis(1000), ..settings(port) });
    let error = client.metadata(Some(&[])).await.unwrap_err();
    assert_eq!(error.to_string(), format!("127.0.0.1:{port} did not answer Metadata within 1000 ms"));
    assert!(error.is_retriable());
}

#[tokio::test]
async fn many_callers_share_one_connection_and_each_gets_its_answer() {
    let client = Arc::new(
        broker(|n, request| {
            assert!(n == 0 || request.api == ApiKey::Metadata as i16, "a second connection");
            Some(if n == 0 { request.versions() } else { request.metadata() })
        })
        .await,
    );
    client.metadata(Some(&[])).await.unwrap();
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.metadata(Some(&[])).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().cluster_id.as_deref(), Some("cluster"));
    }
}

#[tokio::test]
async fn of_several_bootstrap_servers_one_is_enough() {
    let nobody = lavka_testkit::free_port();
    let port = start(|n, request| Some(if n == 0 { request.versions() } else { request.metadata() })).await;
    let mut settings = settings(port);
    settings.bootstrap.insert(0, Endpoint { host: "127.0.0.1".into(), port: nobody });
    WireClient::new(settings.clone()).metadata(Some(&[])).await.unwrap();
    settings.bootstrap.pop();
    let error = WireClient::new(settings).metadata(Some(&[])).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("Cannot connect to 127.0.0.1:{nobody}: ")), "{error}");
}
