//! What a task is known by, and whom it trusts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dimpl::{Config, DtlsCertificate};
use lavka_api::config::KeyError;
use lavka_api::plugin::TaskId;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::files::{self, CERTIFICATE, Files, KEY, PSK, STORE, TRUSTED};
use super::hello;
use super::keys::Keys;

const IDENTITY: &str = "lavka.coap.dtls.psk.identity";

/// How long a handshake may take.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(40);

/// What sessions are made with. Clones share it.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(super) keys: Option<Arc<Keys>>,
    pub(super) certificate: Option<DtlsCertificate>,
    /// Of sessions with pre-shared keys, and of those with certificates.
    pub(super) psk: Option<Arc<Config>>,
    pub(super) certificates: Option<Arc<Config>>,
    pub(super) trust: Trust,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("keys", &self.keys)
            .field("certificate", &self.certificate.is_some())
            .field("trust", &self.trust)
            .finish()
    }
}

/// Whose certificates are accepted.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    /// A server that asks for none.
    Nobody,
    Clients(Arc<dyn ClientCertVerifier>),
    Servers(Arc<WebPkiServerVerifier>),
}

impl Trust {
    /// Whether a certificate (DER) holds for its owner: a client, or the server `name`.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn accepts(&self, certificate: &[u8], name: Option<&str>) -> Result<(), rustls::Error> {
        let certificate = CertificateDer::from(certificate);
        let now = UnixTime::now();
        match self {
            Self::Nobody => Ok(()),
            Self::Clients(verifier) => verifier.verify_client_cert(&certificate, &[], now).map(drop),
            Self::Servers(verifier) => {
                let name = ServerName::try_from(name.unwrap_or_default())
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
                verifier.verify_server_cert(&certificate, &[], &name, &[], now).map(drop)
            }
        }
    }
}

impl Credentials {
    /// Of a server. Blocks.
    ///
    /// # Errors
    /// What is wrong with the files, by key.
    pub(crate) fn of_server(files: &Files) -> Result<Self, KeyError> {
        let keys = (!files.psk.is_empty()).then(|| Keys::read(&files.psk)).transpose()?.map(Arc::new);
        let certificate = files::certificate(files)?;
        let trust = match files.trusted.as_str() {
            "" => Trust::Nobody,
            file => {
                let roots = Arc::new(files::roots(files)?);
                let provider = Arc::new(ring::default_provider());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                Trust::Clients(verifier.map_err(|error| KeyError::invalid(TRUSTED, file, error))?)
            }
        };
        if keys.is_none() && certificate.is_none() {
            let why = format!(
                "DTLS needs something that devices know the server by: {PSK} for pre-shared keys, or {CERTIFICATE} and \
                 {KEY}, or {STORE}, for a certificate"
            );
            return Err(KeyError::missing(PSK, why));
        }
        let psk = keys.clone().map(|keys| config(PSK, |builder| builder.with_psk_server(None, keys)));
        let asks = matches!(trust, Trust::Clients(_));
        let certificates = certificate
            .is_some()
            .then(|| config(CERTIFICATE, |builder| builder.require_client_certificate(asks)));
        Ok(Self { keys, certificate, psk: psk.transpose()?, certificates: certificates.transpose()?, trust })
    }

    /// Of a client: a pre-shared key, or a certificate. Blocks.
    ///
    /// # Errors
    /// What is wrong with the files, by key.
    pub(crate) fn of_client(files: &Files) -> Result<Self, KeyError> {
        if !files.psk.is_empty() {
            let keys = Keys::read(&files.psk)?;
            let identity = files.identity.as_deref().map(str::as_bytes).or_else(|| keys.only());
            let Some(identity) = identity.map(<[u8]>::to_vec) else {
                return Err(KeyError::missing(IDENTITY, format!("{PSK} has several identities")));
            };
            if !keys.has(&identity) {
                let identity = String::from_utf8_lossy(&identity).into_owned();
                return Err(KeyError::invalid(IDENTITY, identity, format!("{PSK} has no such identity")));
            }
            return Self::of_client_with(keys, identity);
        }
        let Some(certificate) = files::certificate(files)? else {
            let why = format!(
                "a server with coaps:// needs something to know this client by: {PSK} for a pre-shared key, or \
                 {CERTIFICATE} and {KEY}, or {STORE}, for a certificate"
            );
            return Err(KeyError::missing(PSK, why));
        };
        if files.trusted.is_empty() {
            return Err(KeyError::missing(TRUSTED, "it says whose certificates servers may have"));
        }
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(files::roots(files)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        let verifier = verifier.map_err(|error| KeyError::invalid(TRUSTED, &files.trusted, error))?;
        Ok(Self {
            keys: None,
            certificate: Some(certificate),
            psk: None,
            certificates: Some(config(CERTIFICATE, |builder| builder)?),
            trust: Trust::Servers(verifier),
        })
    }

    /// Of a client with one pre-shared key, which the configuration has itself.
    ///
    /// # Errors
    /// Where the library refuses its settings.
    pub(crate) fn of_client_with_key(identity: &str, key: &[u8]) -> Result<Self, KeyError> {
        Self::of_client_with(Keys::of(identity, key), identity.as_bytes().to_vec())
    }

    fn of_client_with(keys: Keys, identity: Vec<u8>) -> Result<Self, KeyError> {
        let keys = Arc::new(keys);
        let resolver = Arc::clone(&keys);
        Ok(Self {
            keys: Some(keys),
            certificate: None,
            psk: Some(config(PSK, |builder| builder.with_psk_client(identity, resolver))?),
            certificates: None,
            trust: Trust::Nobody,
        })
    }

    /// What is to be said of the own certificate, if peers that look at the time refuse it at `now` (epoch seconds).
    pub(crate) fn outdated(&self, now: i64) -> Option<String> {
        let der = &self.certificate.as_ref()?.certificate;
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let validity = certificate.validity();
        let what = if now > validity.not_after.timestamp() {
            format!("has expired on {}", validity.not_after)
        } else if now < validity.not_before.timestamp() {
            format!("is not valid before {}", validity.not_before)
        } else {
            return None;
        };
        Some(format!(
            "the certificate for DTLS of {} ({CERTIFICATE} or {STORE}) {what}: peers that look at the time refuse it",
            certificate.subject()
        ))
    }
}

/// The credentials that `load` reads, on a thread that may block.
///
/// # Errors
/// What is wrong with the files, by key.
pub(crate) async fn loaded(
    load: impl FnOnce() -> Result<Credentials, KeyError> + Send + 'static,
) -> Result<Credentials, KeyError> {
    let failed = |error| KeyError { key: PSK, message: format!("The files for DTLS were not read: {error}") };
    tokio::task::spawn_blocking(load).await.map_err(failed)?
}

/// The same for a task, which says so where its certificate is out of its time at `now` (epoch milliseconds).
///
/// # Errors
/// As [`loaded`].
pub(crate) async fn loaded_for(
    id: &TaskId,
    now: i64,
    load: impl FnOnce() -> Result<Credentials, KeyError> + Send + 'static,
) -> Result<Credentials, KeyError> {
    let credentials = loaded(load).await?;
    if let Some(outdated) = credentials.outdated(now / 1000) {
        tracing::warn!(task = %id, "{outdated}");
    }
    Ok(credentials)
}

fn config(
    key: &'static str,
    change: impl FnOnce(dimpl::ConfigBuilder) -> dimpl::ConfigBuilder,
) -> Result<Arc<Config>, KeyError> {
    let builder = Config::builder()
        .with_crypto_provider(hello::provider())
        .handshake_timeout(HANDSHAKE)
        // Datagrams of CoAP have up to 1152 bytes (RFC 7252, section 4.6); DTLS adds up to 29.
        .mtu(1280);
    let built = change(builder).build();
    built.map(Arc::new).map_err(|error| KeyError { key, message: format!("DTLS cannot be set up: {error}") })
}

#[cfg(test)]
mod tests;
