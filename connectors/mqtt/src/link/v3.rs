//! MQTT 3.1.1.

use std::time::Duration;

use lavka_api::data::{Blob, Str};
use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, EventLoop, MqttOptions, Outgoing, Packet, Publish, QoS,
    StateError, SubscribeFilter, SubscribeReasonCode, TlsError,
};

use super::{Denial, Event, LARGEST_PACKET, REQUESTS, network, transport};
use crate::message::{Message, Publication, Qos};
use crate::refusal::Cause;
use crate::server::Server;
use crate::settings::Settings;
use crate::window::Ack;

pub(super) fn open(settings: &Settings, server: &Server) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(settings.client_id.as_str(), server.host.as_str(), server.port);
    options
        .set_transport(transport(settings, server))
        .set_keep_alive(settings.keep_alive.max(Duration::from_secs(1)))
        .set_clean_session(settings.clean_session)
        .set_max_packet_size(to_usize(settings.max_packet), to_usize(LARGEST_PACKET))
        .set_inflight(settings.outgoing.max(1))
        .set_manual_acks(true);
    if let Some((user, password)) = &settings.credentials {
        options.set_credentials(user.as_str(), password.reveal());
    }
    let (client, mut events) = AsyncClient::new(options, REQUESTS);
    let mut network = network();
    network.set_connection_timeout(settings.connect_timeout.as_secs());
    events.set_network_options(network);
    (client, events)
}

pub(super) fn subscribe(client: &AsyncClient, settings: &Settings) -> bool {
    let qos = qos(settings.qos);
    let filters = settings.filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), qos));
    client.try_subscribe_many(filters).is_ok()
}

pub(super) fn acknowledge(client: &AsyncClient, ack: Ack) -> bool {
    let qos = if ack.exactly_once { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
    let mut publish = Publish::new("", qos, Vec::new());
    publish.pkid = ack.packet_id;
    client.try_ack(&publish).is_ok()
}

pub(super) fn publish(client: &AsyncClient, publication: &Publication) -> bool {
    let payload = publication.payload.as_slice();
    client.try_publish(&*publication.topic, qos(publication.qos), publication.retain, payload).is_ok()
}

pub(super) async fn next(events: &mut EventLoop, now: fn() -> i64) -> Result<Event, Cause> {
    match events.poll().await {
        Ok(event) => Ok(translated(event, now)),
        Err(error) => Err(cause(&error)),
    }
}

/// What was read before the connection ended.
pub(super) fn left(events: &mut EventLoop, now: fn() -> i64) -> Option<Event> {
    events.state.events.pop_front().map(|event| translated(event, now))
}

fn translated(event: rumqttc::Event, now: fn() -> i64) -> Event {
    match event {
        rumqttc::Event::Incoming(Packet::ConnAck(answer)) => Event::Connected {
            session_present: answer.session_present,
            keep_alive: None,
            session_expiry: None,
            receive_maximum: None,
            max_packet: None,
        },
        rumqttc::Event::Incoming(Packet::Publish(publish)) => Event::Message(message(publish, now())),
        rumqttc::Event::Incoming(Packet::SubAck(answer)) => {
            Event::Subscribed(answer.return_codes.into_iter().map(granted).collect())
        }
        rumqttc::Event::Incoming(Packet::PubAck(answer)) => Event::Settled(answer.pkid, Ok(())),
        rumqttc::Event::Incoming(Packet::PubComp(answer)) => Event::Settled(answer.pkid, Ok(())),
        rumqttc::Event::Outgoing(Outgoing::Publish(packet_id)) => Event::Written(packet_id),
        _ => Event::Other,
    }
}

pub(super) fn expect_releases(events: &mut EventLoop) {
    let mut publish = Publish::new("", QoS::ExactlyOnce, Vec::new());
    for packet_id in 1..=u16::MAX {
        publish.pkid = packet_id;
        // With manual acks this notes the packet id, answers nothing and cannot fail; the event is not for us.
        let _ = events.state.handle_incoming_packet(Packet::Publish(publish.clone()));
        events.state.events.pop_back();
    }
}

fn message(publish: Publish, now: i64) -> Message {
    Message {
        topic: Str::from(publish.topic),
        payload: Blob::from(publish.payload.as_ref()),
        packet_id: publish.pkid,
        qos: match publish.qos {
            QoS::AtMostOnce => Qos::AtMostOnce,
            QoS::AtLeastOnce => Qos::AtLeastOnce,
            QoS::ExactlyOnce => Qos::ExactlyOnce,
        },
        retained: publish.retain,
        duplicate: publish.dup,
        received: now,
        properties: None,
    }
}

fn granted(code: SubscribeReasonCode) -> Result<u8, Denial> {
    match code {
        SubscribeReasonCode::Success(qos) => Ok(qos as u8),
        SubscribeReasonCode::Failure => Err(Denial { words: "it gave no reason".to_owned(), for_good: true }),
    }
}

fn cause(error: &ConnectionError) -> Cause {
    match error {
        ConnectionError::ConnectionRefused(code) => match code {
            ConnectReturnCode::RefusedProtocolVersion => Cause::ProtocolVersion,
            ConnectReturnCode::BadClientId => Cause::ClientId,
            ConnectReturnCode::BadUserNamePassword => {
                Cause::NotAuthorized("bad user name or password".into())
            }
            ConnectReturnCode::NotAuthorized => Cause::NotAuthorized("not authorized".into()),
            ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::Success => {
                Cause::Refused { words: "service unavailable".into(), for_good: false }
            }
        },
        ConnectionError::Tls(TlsError::TLS(error)) => Cause::Tls(error.clone()),
        ConnectionError::Tls(TlsError::Io(error))
        | ConnectionError::Io(error)
        | ConnectionError::MqttState(
            StateError::Io(error) | StateError::Deserialization(PacketError::Io(error)),
        ) => Cause::from(error),
        ConnectionError::MqttState(StateError::Deserialization(PacketError::PayloadSizeLimitExceeded(
            size,
        ))) => Cause::PacketTooLarge(*size),
        ConnectionError::MqttState(StateError::ConnectionAborted) => Cause::Closed,
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            Cause::Passing("the server did not answer a ping".into())
        }
        ConnectionError::NetworkTimeout => {
            Cause::Passing("no answer within mqtt.connect.timeout.seconds".into())
        }
        other => Cause::Passing(other.to_string()),
    }
}

fn qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

fn to_usize(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
