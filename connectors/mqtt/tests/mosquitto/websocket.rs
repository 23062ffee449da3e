//! Frames of a WebSocket server that are larger than usual.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::source::{Source, config_for, payloads};

/// More than what is read by default.
const PAYLOAD: usize = 17 * 1024 * 1024;

/// The next packet of the client.
async fn packet(frames: &mut WebSocketStream<TcpStream>) -> Option<Bytes> {
    loop {
        match frames.next().await? {
            Ok(Message::Binary(packet)) => return Some(packet),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

/// Accepts a connection and a subscription, and sends a QoS 1 message of [`PAYLOAD`] bytes in one frame; to each who comes.
async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let protocol = |_: &Request, mut response: Response| {
            response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
            Ok(response)
        };
        let mut frames = accept_hdr_async(stream, protocol).await.unwrap();
        let send = |packet: Vec<u8>| Message::Binary(packet.into());
        assert_eq!(packet(&mut frames).await.unwrap()[0], 0x10);
        frames.send(send(vec![0x20, 2, 0, 0])).await.unwrap();
        let subscribe = packet(&mut frames).await.unwrap();
        assert_eq!(subscribe[0], 0x82);
        frames.send(send(vec![0x90, 3, subscribe[2], subscribe[3], 1])).await.unwrap();
        let mut publish = vec![0x32];
        let mut length = 5 + PAYLOAD;
        while length > 0 {
            let more = if length > 0x7f { 0x80 } else { 0 };
            publish.push((length & 0x7f) as u8 | more);
            length >>= 7;
        }
        publish.extend([0, 1, b't', 0, 1]);
        publish.resize(publish.len() + PAYLOAD, b'x');
        // The client may leave at the length already.
        if frames.send(send(publish)).await.is_ok() {
            while packet(&mut frames).await.is_some() {}
        }
    }
}

async fn source(entries: &[(&str, &str)]) -> Source {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(listener));
    let mut config = config_for(port, entries);
    config.set("mqtt.server.uri", format!("ws://127.0.0.1:{port}/mqtt"));
    Source::start(&config).await
}

#[tokio::test]
async fn a_frame_may_be_as_large_as_a_packet() {
    let limit = (PAYLOAD + 100).to_string();
    let mut source = source(&[("lavka.mqtt.max.packet.bytes", &limit)]).await;
    let records = source.take(1).await;
    assert_eq!(payloads(&records)[0].len(), PAYLOAD);
    source.stop().await;
}

#[tokio::test]
async fn what_is_larger_is_a_failure_that_names_the_key() {
    let mut source = source(&[]).await;
    let error = tokio::time::timeout(Duration::from_secs(60), source.failure()).await.unwrap().to_string();
    assert!(error.contains("lavka.mqtt.max.packet.bytes") && error.contains("Raise it"), "{error}");
}
