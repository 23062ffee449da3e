//! MQTT 5.

use std::time::Duration;

use bytes::Bytes;
use lavka_api::data::{Blob, Str};
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, ConnectReturnCode, DisconnectReasonCode, Filter, Packet, PubAckReason, PubRecReason,
    Publish, PublishProperties, RetainForwardRule, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error as PacketError, QoS};
use rumqttc::v5::{AsyncClient, ConnectionError, EventLoop, MqttOptions, StateError, TlsError};

use super::{Denial, Event, REQUESTS, network, transport};
use crate::message::{Message, Properties, Publication, Qos};
use crate::refusal::Cause;
use crate::server::Server;
use crate::settings::{Settings, V5};
use crate::window::Ack;

/// The library panics below that, and validation refuses it.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(5);

pub(super) fn open(settings: &Settings, v5: V5, server: &Server) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(settings.client_id.as_str(), server.host.as_str(), server.port);
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = Some(v5.session_expiry);
    properties.receive_maximum = Some(v5.receive_maximum);
    properties.max_packet_size = Some(settings.max_packet);
    properties.topic_alias_max = Some(0);
    options
        .set_transport(transport(settings, server))
        .set_keep_alive(settings.keep_alive.max(SHORTEST_KEEP_ALIVE))
        .set_clean_start(settings.clean_session)
        .set_connect_properties(properties)
        .set_connection_timeout(settings.connect_timeout.as_secs())
        .set_outgoing_inflight_upper_limit(settings.outgoing.max(1))
        .set_manual_acks(true);
    options.set_network_options(network());
    if let Some((user, password)) = &settings.credentials {
        options.set_credentials(user.as_str(), password.reveal());
    }
    AsyncClient::new(options, REQUESTS)
}

pub(super) fn subscribe(client: &AsyncClient, settings: &Settings) -> bool {
    let qos = qos(settings.qos);
    // A subscription that the session already has brings its retained messages no second time.
    let retain = if settings.clean_session {
        RetainForwardRule::OnEverySubscribe
    } else {
        RetainForwardRule::OnNewSubscribe
    };
    let filters = settings.filters.iter().map(|filter| {
        let mut filter = Filter::new(filter.as_str(), qos);
        filter.retain_forward_rule = retain.clone();
        filter
    });
    client.try_subscribe_many(filters).is_ok()
}

pub(super) fn acknowledge(client: &AsyncClient, ack: Ack) -> bool {
    let qos = if ack.exactly_once { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
    let mut publish = Publish::new("", qos, Vec::new(), None);
    publish.pkid = ack.packet_id;
    client.try_ack(&publish).is_ok()
}

pub(super) fn publish(client: &AsyncClient, publication: &Publication) -> bool {
    let payload = Bytes::copy_from_slice(&publication.payload);
    let (topic, qos, retain) = (&*publication.topic, qos(publication.qos), publication.retain);
    let sent = match publication.properties.as_deref() {
        None => client.try_publish(topic, qos, retain, payload),
        Some(properties) => {
            let properties = PublishProperties {
                payload_format_indicator: properties.payload_format,
                message_expiry_interval: properties.message_expiry,
                response_topic: properties.response_topic.clone(),
                correlation_data: properties
                    .correlation_data
                    .as_ref()
                    .map(|data| Bytes::copy_from_slice(data)),
                user_properties: properties.user.clone(),
                content_type: properties.content_type.clone(),
                ..PublishProperties::default()
            };
            client.try_publish_with_properties(topic, qos, retain, payload, properties)
        }
    };
    sent.is_ok()
}

fn qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

pub(super) async fn next(
    events: &mut EventLoop,
    properties: bool,
    keep_alive: Duration,
    now: fn() -> i64,
) -> Result<Event, Cause> {
    let event = match events.poll().await {
        Ok(event) => translated(event, properties, now),
        Err(error) => return Err(cause(&error)),
    };
    if matches!(event, Event::Connected { .. }) && events.options.keep_alive().is_zero() {
        // The server wants no pings, which the library takes for pings without a pause.
        events.options.set_keep_alive(keep_alive.max(SHORTEST_KEEP_ALIVE));
    }
    Ok(event)
}

/// What was read before the connection ended.
pub(super) fn left(events: &mut EventLoop, properties: bool, now: fn() -> i64) -> Option<Event> {
    events.state.events.pop_front().map(|event| translated(event, properties, now))
}

fn translated(event: rumqttc::v5::Event, properties: bool, now: fn() -> i64) -> Event {
    match event {
        rumqttc::v5::Event::Incoming(Packet::ConnAck(answer)) => {
            let said = answer.properties.as_ref();
            Event::Connected {
                session_present: answer.session_present,
                keep_alive: said.and_then(|said| said.server_keep_alive).filter(|seconds| *seconds > 0),
                session_expiry: said.and_then(|said| said.session_expiry_interval),
                receive_maximum: said.and_then(|said| said.receive_max),
                max_packet: said.and_then(|said| said.max_packet_size),
            }
        }
        rumqttc::v5::Event::Incoming(Packet::Publish(publish)) => {
            Event::Message(message(publish, properties, now()))
        }
        rumqttc::v5::Event::Incoming(Packet::SubAck(answer)) => {
            Event::Subscribed(answer.return_codes.into_iter().map(granted).collect())
        }
        rumqttc::v5::Event::Incoming(Packet::PubAck(answer)) => {
            let reason = answer.properties.and_then(|properties| properties.reason_string);
            Event::Settled(answer.pkid, taken(answer.reason, reason))
        }
        // Only a refusal ends here: what was received goes on with PUBREL and PUBCOMP.
        rumqttc::v5::Event::Incoming(Packet::PubRec(answer)) => {
            let reason = answer.properties.and_then(|properties| properties.reason_string);
            match taken(as_of_puback(answer.reason), reason) {
                Ok(()) => Event::Other,
                refused => Event::Settled(answer.pkid, refused),
            }
        }
        rumqttc::v5::Event::Incoming(Packet::PubComp(answer)) => Event::Settled(answer.pkid, Ok(())),
        rumqttc::v5::Event::Outgoing(rumqttc::Outgoing::Publish(packet_id)) => Event::Written(packet_id),
        _ => Event::Other,
    }
}

pub(super) fn expect_releases(events: &mut EventLoop) {
    let mut publish = Publish::new("", QoS::ExactlyOnce, Vec::new(), None);
    for packet_id in 1..=u16::MAX {
        publish.pkid = packet_id;
        // With manual acks this notes the packet id, answers nothing and cannot fail; the event is not for us.
        let _ = events.state.handle_incoming_packet(Packet::Publish(publish.clone()));
        events.state.events.pop_back();
    }
}

fn message(publish: Publish, properties: bool, now: i64) -> Message {
    Message {
        // Servers check topics; should one not, an odd topic is better than a message that can never be taken.
        topic: Str::from(String::from_utf8_lossy(&publish.topic).as_ref()),
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
        properties: publish.properties.filter(|_| properties).map(|p| Box::new(kept(p))),
    }
}

fn kept(properties: PublishProperties) -> Properties {
    Properties {
        content_type: properties.content_type,
        response_topic: properties.response_topic,
        correlation_data: properties.correlation_data.map(|data| Blob::from(data.as_ref())),
        message_expiry: properties.message_expiry_interval,
        payload_format: properties.payload_format_indicator,
        user: properties.user_properties,
    }
}

/// What the answer to a message says; `reason` are the server's own words.
fn taken(code: PubAckReason, reason: Option<String>) -> Result<(), Denial> {
    use PubAckReason as Code;
    let for_good = match code {
        Code::Success | Code::NoMatchingSubscribers => return Ok(()),
        Code::NotAuthorized | Code::TopicNameInvalid | Code::PayloadFormatInvalid => true,
        Code::UnspecifiedError
        | Code::ImplementationSpecificError
        | Code::PacketIdentifierInUse
        | Code::QuotaExceeded => false,
    };
    let said = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    Err(Denial { words: format!("{}{said}", words(&code)), for_good })
}

/// The library has the same codes twice.
fn as_of_puback(code: PubRecReason) -> PubAckReason {
    match code {
        PubRecReason::Success => PubAckReason::Success,
        PubRecReason::NoMatchingSubscribers => PubAckReason::NoMatchingSubscribers,
        PubRecReason::UnspecifiedError => PubAckReason::UnspecifiedError,
        PubRecReason::ImplementationSpecificError => PubAckReason::ImplementationSpecificError,
        PubRecReason::NotAuthorized => PubAckReason::NotAuthorized,
        PubRecReason::TopicNameInvalid => PubAckReason::TopicNameInvalid,
        PubRecReason::PacketIdentifierInUse => PubAckReason::PacketIdentifierInUse,
        PubRecReason::QuotaExceeded => PubAckReason::QuotaExceeded,
        PubRecReason::PayloadFormatInvalid => PubAckReason::PayloadFormatInvalid,
    }
}

fn granted(code: SubscribeReasonCode) -> Result<u8, Denial> {
    use SubscribeReasonCode as Code;
    let for_good = match code {
        Code::Success(qos) => return Ok(qos as u8),
        Code::ImplementationSpecific | Code::PkidInUse | Code::QuotaExceeded => false,
        // "Does not wish to reveal the reason", as some servers say where others say that it is not allowed.
        Code::Failure
        | Code::Unspecified
        | Code::NotAuthorized
        | Code::TopicFilterInvalid
        | Code::SharedSubscriptionsNotSupported
        | Code::SubscriptionIdNotSupported
        | Code::WildcardSubscriptionsNotSupported => true,
    };
    Err(Denial { words: words(&code), for_good })
}

fn cause(error: &ConnectionError) -> Cause {
    match error {
        ConnectionError::ConnectionRefused(code) => refused(*code),
        ConnectionError::Tls(TlsError::TLS(error)) => Cause::Tls(error.clone()),
        ConnectionError::Tls(TlsError::Io(error))
        | ConnectionError::Io(error)
        | ConnectionError::MqttState(
            StateError::Io(error) | StateError::Deserialization(PacketError::Io(error)),
        ) => Cause::from(error),
        ConnectionError::MqttState(StateError::Deserialization(PacketError::PayloadSizeLimitExceeded {
            pkt_size,
            ..
        })) => Cause::PacketTooLarge(*pkt_size),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
            disconnected(*reason_code, reason_string.as_deref())
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => Cause::Closed,
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            Cause::Passing("the server did not answer a ping".into())
        }
        ConnectionError::Timeout(_) => Cause::Passing("no answer within mqtt.connect.timeout.seconds".into()),
        other => Cause::Passing(other.to_string()),
    }
}

fn refused(code: ConnectReturnCode) -> Cause {
    use ConnectReturnCode as Code;
    match code {
        Code::RefusedProtocolVersion | Code::UnsupportedProtocolVersion => Cause::ProtocolVersion,
        Code::BadClientId | Code::ClientIdentifierNotValid => Cause::ClientId,
        Code::BadUserNamePassword => Cause::NotAuthorized("bad user name or password".into()),
        Code::NotAuthorized => Cause::NotAuthorized("not authorized".into()),
        Code::Success
        | Code::ServiceUnavailable
        | Code::ServerUnavailable
        | Code::ServerBusy
        | Code::QuotaExceeded
        | Code::ConnectionRateExceeded
        | Code::UseAnotherServer
        | Code::ServerMoved
        | Code::UnspecifiedError
        | Code::ImplementationSpecificError => Cause::Refused { words: words(&code), for_good: false },
        Code::Banned
        | Code::BadAuthenticationMethod
        | Code::MalformedPacket
        | Code::ProtocolError
        | Code::TopicNameInvalid
        | Code::PacketTooLarge
        | Code::PayloadFormatInvalid
        | Code::RetainNotSupported
        | Code::QoSNotSupported => Cause::Refused { words: words(&code), for_good: true },
    }
}

/// The server said good-bye. Some reasons will be the same at the next try.
fn disconnected(code: DisconnectReasonCode, reason: Option<&str>) -> Cause {
    use DisconnectReasonCode as Code;
    let said = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let words = format!("{}{said}", words(&code));
    match code {
        Code::NotAuthorized => Cause::NotAuthorized(words),
        Code::QoSNotSupported
        | Code::TopicFilterInvalid
        | Code::SharedSubscriptionNotSupported
        | Code::WildcardSubscriptionsNotSupported => Cause::Refused { words, for_good: true },
        Code::SessionTakenOver => Cause::Passing(format!(
            "the server ended it: {words}. Another client has the same client id; see lavka.mqtt.client.id"
        )),
        _ => Cause::Passing(format!("the server ended it: {words}")),
    }
}

/// `NotAuthorized` as `not authorized`.
fn words(code: &impl std::fmt::Debug) -> String {
    let name = format!("{code:?}");
    let mut words = String::with_capacity(name.len() + 4);
    for (i, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && i > 0 && !words.ends_with("Qo") {
            words.push(' ');
        }
        words.push(letter);
    }
    words
        .split(' ')
        .map(|word| if word == "QoS" { word.to_owned() } else { word.to_lowercase() })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_codes_read_as_words() {
        assert_eq!(words(&ConnectReturnCode::ConnectionRateExceeded), "connection rate exceeded");
        assert_eq!(words(&ConnectReturnCode::QoSNotSupported), "QoS not supported");
        assert_eq!(words(&SubscribeReasonCode::NotAuthorized), "not authorized");
    }
}
