//! Passwords, before anything else is answered.

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        ApiKey, ApiVersionsRequest, MetadataRequest, RequestKind, SaslAuthenticateRequest,
        SaslAuthenticateResponse, SaslHandshakeRequest,
    },
    protocol::StrBytes,
};

use super::{Sim, ask};
use crate::{BrokerConfig, SaslConfig, SaslMechanism, cluster::Outcome};

fn guarded() -> Sim {
    Sim::with(BrokerConfig { sasl: Some(SaslConfig::user("alice", "wonderland")), ..BrokerConfig::default() })
}

fn choose(sim: &mut Sim, mechanism: &'static str) -> i16 {
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let answer = ask!(sim, SaslHandshake 1, request);
    let names: Vec<&str> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
    assert_eq!(names, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);
    answer.error_code
}

fn show(sim: &mut Sim, token: &'static [u8]) -> SaslAuthenticateResponse {
    ask!(sim, SaslAuthenticate 2, SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(token)))
}

fn asks(sim: &mut Sim) -> Outcome {
    sim.send(ApiKey::Metadata, 12, RequestKind::Metadata(MetadataRequest::default()))
}

#[test]
fn nothing_but_versions_is_answered_before_the_password() {
    let mut sim = guarded();
    assert!(matches!(asks(&mut sim), Outcome::Disconnect));
    ask!(sim, ApiVersions 3, ApiVersionsRequest::default());
    assert_eq!(choose(&mut sim, "PLAIN"), 0);
    assert!(matches!(asks(&mut sim), Outcome::Disconnect));
    let answer = show(&mut sim, b"\0alice\0wonderland");
    assert_eq!((answer.error_code, answer.error_message), (0, None));
    assert!(matches!(asks(&mut sim), Outcome::Reply(_)));
    let again = show(&mut sim, b"\0alice\0wonderland");
    assert_eq!(again.error_code, ResponseError::IllegalSaslState.code());
    sim.cluster.disconnected(crate::cluster::ConnectionId(1));
    assert!(matches!(asks(&mut sim), Outcome::Disconnect), "the next connection begins anew");
}

#[test]
fn wrong_passwords_and_mechanisms_are_refused_and_end_the_connection() {
    for token in [
        &b"\0alice\0wrong"[..],
        b"\0bob\0wonderland",
        b"\0alice\0",
        b"alice",
        b"",
        b"other\0alice\0wonderland",
    ] {
        let mut sim = guarded();
        choose(&mut sim, "PLAIN");
        let answer = show(&mut sim, token);
        assert_eq!(answer.error_code, ResponseError::SaslAuthenticationFailed.code());
        assert!(!answer.error_message.unwrap().contains("wonderland"));
        assert!(matches!(asks(&mut sim), Outcome::Disconnect));
    }
    let mut sim = guarded();
    assert_eq!(choose(&mut sim, "GSSAPI"), ResponseError::UnsupportedSaslMechanism.code());
    assert!(matches!(asks(&mut sim), Outcome::Disconnect));
    for token in [
        &b"n,,n=alice,r=x"[..],
        b"n,,n=bob,r=x",
        b"p=tls,,n=alice,r=x",
        b"\xff",
        b"n,,n=alice",
        b"n,,n=alice,r=",
    ] {
        let mut sim = guarded();
        choose(&mut sim, "SCRAM-SHA-256");
        let first = show(&mut sim, token);
        let second = (first.error_code == 0).then(|| show(&mut sim, b"c=biws,r=x,p=AAAA").error_code);
        let last = second.unwrap_or(first.error_code);
        assert_eq!(last, ResponseError::SaslAuthenticationFailed.code());
        assert!(matches!(asks(&mut sim), Outcome::Disconnect));
    }
}

#[test]
fn a_broker_without_passwords_says_so() {
    let mut sim = Sim::new();
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    assert_eq!(ask!(sim, SaslHandshake 1, request).error_code, ResponseError::IllegalSaslState.code());
    assert_eq!(show(&mut sim, b"").error_code, ResponseError::IllegalSaslState.code());
    assert!(matches!(asks(&mut sim), Outcome::Reply(_)));
}

#[test]
fn passwords_are_never_shown() {
    let config =
        BrokerConfig { sasl: Some(SaslConfig::user("alice", "wonderland")), ..BrokerConfig::default() };
    let shown = format!("{config:?}");
    assert!(shown.contains("alice") && !shown.contains("wonderland"), "{shown}");
    assert_eq!(SaslMechanism::ALL.map(SaslMechanism::name)[2], "SCRAM-SHA-512");
}
