//! What goes wrong between two peers: in words for whoever runs the connector, and as alerts for the peer.

use dimpl::{Error, SecurityError};
use rustls::AlertDescription;

use super::credentials::HANDSHAKE;

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The peer closed it.
    Closed,
    /// Something is wrong with it.
    Failed {
        why: String,
        /// What the peer is to be told, if it is known.
        alert: Option<AlertDescription>,
    },
}

impl End {
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), alert: None }
    }

    /// A certificate that does not hold.
    pub(super) fn refused(error: &rustls::Error) -> Self {
        // It may quote the certificate, which is somebody else's and as long as they like.
        let why: String = error.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
        let alert = match error {
            rustls::Error::InvalidCertificate(error) => AlertDescription::from(error.clone()),
            _ => AlertDescription::CertificateUnknown,
        };
        Self::Failed { why: format!("the peer's certificate is not accepted: {why}"), alert: Some(alert) }
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::failed(match error {
            Error::Timeout(_) => format!(
                "the handshake was not over within {} seconds; a peer that is there, but has another pre-shared key, looks \
                 like that too",
                HANDSHAKE.as_secs()
            ),
            Error::SecurityError(SecurityError::FatalAlert { description }) => match told(description) {
                Some(name) => format!("the peer refused: {name}"),
                None => format!("the peer refused with the alert {description}"),
            },
            Error::SecurityError(SecurityError::NoMutuallyAcceptableCipherSuite) => {
                "no cipher suite in common; here are TLS_PSK_WITH_AES_128_CCM_8 and TLS_ECDHE_ECDSA_WITH_AES_*_GCM_*, and \
                 none with RSA"
                    .to_owned()
            }
            other => other.to_string(),
        })
    }
}

/// Alerts that tell something (RFC 5246, section 7.2.2; RFC 4279, section 2).
fn told(description: u8) -> Option<&'static str> {
    Some(match description {
        20 => "bad record MAC (is the pre-shared key right?)",
        40 => "handshake failure (nothing in common, or it wants a certificate or a key)",
        42 => "bad certificate",
        43 => "unsupported certificate",
        44 => "certificate revoked",
        45 => "certificate expired",
        46 => "certificate unknown",
        48 => "unknown authority",
        49 => "access denied",
        51 => "decrypt error (is the pre-shared key right?)",
        115 => "unknown pre-shared key identity",
        _ => return None,
    })
}

/// A fatal alert for a peer with whom there are no keys yet. The library has none to send; without one the peer would
/// go on with a handshake that is over, and some servers listen to no other meanwhile.
pub(super) fn record(alert: AlertDescription) -> Vec<u8> {
    const ALERT: u8 = 21;
    const FATAL: u8 = 2;
    // A number that no message of the handshake had, or it would count as replayed.
    const NUMBER: [u8; 6] = [0, 0, 0xff, 0xff, 0xff, 0xff];
    let [n0, n1, n2, n3, n4, n5] = NUMBER;
    vec![ALERT, 0xfe, 0xfd, 0, 0, n0, n1, n2, n3, n4, n5, 0, 2, FATAL, alert.into()]
}
