//! Why there is no connection, and whether trying again can help.

use std::io;

use lavka_api::Error;
use rustls::AlertDescription as Alert;

use crate::message::Qos;
use crate::server::Server;
use crate::settings::Settings;

/// What went wrong, whichever protocol version.
#[derive(Debug)]
pub(crate) enum Cause {
    /// User and password, or what they may do, were refused; with the server's words.
    NotAuthorized(String),
    /// The client id was refused.
    ClientId,
    /// The protocol version was refused.
    ProtocolVersion,
    /// The server closed the connection.
    Closed,
    /// The server closed the connection without an answer to `CONNECT`.
    ClosedBeforeAnswer,
    /// The server refused something else; with its words, and whether it may think better of it.
    Refused { words: String, for_good: bool },
    /// A packet of this many bytes is more than we read.
    PacketTooLarge(usize),
    /// A subscription was refused: the filter, the server's words, and whether it may think better of it.
    Subscription { filter: String, words: String, for_good: bool },
    /// TLS failed.
    Tls(rustls::Error),
    /// Anything that may pass: network, time-outs, restarts.
    Passing(String),
}

impl From<&io::Error> for Cause {
    fn from(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Cause::Tls(tls.clone()),
            None => Cause::Passing(error.to_string()),
        }
    }
}

/// A cause judged.
#[derive(Debug)]
pub(crate) enum Loss {
    /// Worth trying again; what to log.
    Passing(String),
    /// Nothing but the user can help: the task fails.
    ForGood(Error),
}

/// Judges `cause`, with texts that name the server, the key and the remedy.
pub(crate) fn judge(cause: Cause, settings: &Settings, server: &Server) -> Loss {
    let refused = format!("The MQTT server {server} refused the connection");
    match cause {
        Cause::NotAuthorized(words) => for_good(format!(
            "{refused}: {words}. Check mqtt.username and mqtt.password, and that the server lets this user in as \
             client {}.",
            settings.client_id
        )),
        Cause::ClientId => for_good(format!(
            "{refused}: it does not accept the client id {}. Set lavka.mqtt.client.id to something else; some servers \
             take no more than 23 letters and digits.",
            settings.client_id
        )),
        Cause::ProtocolVersion => for_good(format!(
            "{refused}: it does not speak MQTT {}. Set lavka.mqtt.version to {}.",
            settings.version_name(),
            if settings.v5.is_some() { "3.1.1" } else { "5" }
        )),
        Cause::ClosedBeforeAnswer if settings.v5.is_some() => Loss::Passing(format!(
            "The MQTT server {server} closed the connection instead of answering. If it does not speak MQTT 5, set \
             lavka.mqtt.version=3.1.1."
        )),
        Cause::ClosedBeforeAnswer => {
            Loss::Passing(format!("The MQTT server {server} closed the connection instead of answering"))
        }
        Cause::Closed => Loss::Passing(format!("The MQTT server {server} closed the connection")),
        Cause::Refused { words, for_good: true } => for_good(format!("{refused}: {words}")),
        Cause::Refused { words, for_good: false } => Loss::Passing(format!("{refused}: {words}")),
        Cause::PacketTooLarge(size) => {
            let text = format!(
                "The MQTT server {server} sent a packet of {size} bytes, more than lavka.mqtt.max.packet.bytes ({})",
                settings.max_packet
            );
            if settings.qos == Qos::AtMostOnce {
                Loss::Passing(format!("{text}; the message is lost"))
            } else {
                for_good(format!("{text}. Raise it: the server keeps the message and will send it again."))
            }
        }
        Cause::Subscription { filter, words, for_good: lasting } => {
            let text = format!(
                "The MQTT server {server} refused the subscription to {filter} (mqtt.topics): {words}"
            );
            if lasting {
                for_good(format!("{text}. Check the filter, and that the user may subscribe to it."))
            } else {
                Loss::Passing(text)
            }
        }
        Cause::Tls(error) => tls(&error, server),
        Cause::Passing(what) => Loss::Passing(format!("Connection to the MQTT server {server}: {what}")),
    }
}

fn for_good(message: String) -> Loss {
    Loss::ForGood(Error::fatal(message))
}

fn tls(error: &rustls::Error, server: &Server) -> Loss {
    let failed = format!("TLS with the MQTT server {server} failed: {error}");
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => for_good(format!(
            "{failed}. lavka.mqtt.ssl.ca.pem must hold the authority that signed the server's certificate, and the \
             host in mqtt.server.uri must be a name in it."
        )),
        rustls::Error::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired,
        ) => for_good(format!(
            "{failed}. The server wants another client certificate: check lavka.mqtt.ssl.cert.pem and \
             lavka.mqtt.ssl.key.pem."
        )),
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure) => for_good(
            format!("{failed}. Server and client have no TLS version (1.2 or 1.3) and cipher in common."),
        ),
        rustls::Error::InvalidMessage(_) => Loss::Passing(format!(
            "{failed}. Does the port speak TLS? Without it the address begins with tcp://."
        )),
        _ => Loss::Passing(failed),
    }
}
