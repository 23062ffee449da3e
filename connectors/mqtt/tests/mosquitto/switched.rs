//! Sessions of several servers, and of one server that forgets: what becomes of messages that wait, and of subscriptions.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::scripted::{Peer, Script, serve};
use crate::source::{Source, config_for, payloads};

const SUBSCRIBE: u8 = 0x82;

/// Accepts the connection, and says whether the session is there.
fn welcome(peer: &mut Peer, session_present: bool) {
    assert_eq!(peer.read().unwrap().0, 0x10);
    peer.write(&[0x20, 2, session_present.into(), 0]);
}

/// Grants a subscription with one filter at QoS 1; what the request was.
fn grant(peer: &mut Peer) -> (u8, Vec<u8>) {
    let (kind, body) = peer.read().unwrap();
    peer.write(&[0x90, 3, body[0], body[1], 1]);
    (kind, body)
}

/// A QoS 1 message on `t` with the packet id 1.
fn message(peer: &mut Peer, payload: u8) {
    peer.write(&[0x32, 6, 0, 1, b't', 0, 1, payload]);
}

/// What scripts tell their test.
fn telling<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    unbounded_channel()
}

async fn told<T>(told: &mut UnboundedReceiver<T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), told.recv()).await.expect("nothing is told").unwrap()
}

/// A session of an earlier run that another server has knows nothing of today's filters, and that server will not send again
/// what the first one sent.
#[tokio::test]
async fn another_server_has_another_session() {
    let (tell, mut tells) = telling();
    let dies: Script = Box::new(|mut peer| {
        welcome(&mut peer, false);
        grant(&mut peer);
        message(&mut peer, b'a');
    });
    let first = serve(vec![dies, Box::new(drop)]);
    let second: Script = Box::new(move |mut peer| {
        welcome(&mut peer, true);
        tell.send(grant(&mut peer)).unwrap();
        message(&mut peer, b'b');
        peer.linger();
    });
    let uris = format!("tcp://127.0.0.1:{first},tcp://127.0.0.1:{}", serve(vec![second]));
    let mut source = Source::start(&config_for(first, &[("mqtt.server.uri", &uris)])).await;
    let (kind, subscription) = told(&mut tells).await;
    assert_eq!((kind, &subscription[2..]), (SUBSCRIBE, &b"\x00\x03t/#\x01"[..]));
    assert_eq!(payloads(&source.take(2).await), ["a", "b"]);
    source.stop().await;
}

/// What came in a session that is gone is the last copy, also when a connection that follows goes on with a later session.
#[tokio::test]
async fn a_later_session_does_not_bring_back_what_an_earlier_one_had() {
    let (tell, mut tells) = telling();
    let forgets: Script = Box::new(|mut peer| {
        welcome(&mut peer, false);
        grant(&mut peer);
        message(&mut peer, b'a');
    });
    let cut: Script = Box::new(|mut peer| {
        welcome(&mut peer, false);
        grant(&mut peer);
    });
    let goes_on: Script = Box::new(move |mut peer| {
        welcome(&mut peer, true);
        message(&mut peer, b'b');
        // A release is answered at once, behind everything before it.
        peer.write(&[0x62, 2, 0, 9]);
        while peer.read().is_some_and(|(kind, _)| kind != 0x70) {}
        tell.send(()).unwrap();
        peer.linger();
    });
    let mut source = Source::start(&config_for(serve(vec![forgets, cut, goes_on]), &[])).await;
    told(&mut tells).await;
    assert_eq!(payloads(&source.take(2).await), ["a", "b"]);
    source.stop().await;
}
