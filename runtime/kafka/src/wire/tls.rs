//! TLS by rustls.

use std::sync::Arc;

use lavka_api::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::settings::{Identity, Pem, Tls};

/// A connector for these settings. Files are read each time, so that a renewed certificate is taken up by the next
/// connection.
///
/// # Errors
/// A config error that names the key at fault.
pub(super) async fn connector(settings: &Tls) -> Result<TlsConnector> {
    Ok(TlsConnector::from(Arc::new(client_config(settings).await?)))
}

/// As [`connector`], for whoever opens the connections.
///
/// # Errors
/// As there.
pub(crate) async fn client_config(settings: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let broken = |error: rustls::Error| Error::config(format!("The TLS settings cannot be used: {error}"));
    let roots = Arc::new(match &settings.trusted {
        Some(pem) => trusted(pem).await?,
        None => system_roots().await?,
    });
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| Error::config(format!("ssl.truststore cannot be used: {error}")))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(broken)?;
    let builder = if settings.any_host {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyHost(verifier)))
    } else {
        builder.with_webpki_verifier(verifier)
    };
    let config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = client_certificate(identity).await?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| Error::config(format!("ssl.keystore cannot be used: {error}")))?
        }
    };
    Ok(config)
}

/// A configuration for whoever has to have one and opens no encrypted connection.
///
/// # Errors
/// Where the TLS library is of another mind.
pub(crate) fn trusting_nobody() -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::fatal(format!("TLS cannot be used: {error}")))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

async fn text(pem: &Pem, key: &str) -> Result<Vec<u8>> {
    match pem {
        Pem::Text(text) => Ok(text.reveal().as_bytes().to_vec()),
        Pem::File(path) => tokio::fs::read(path)
            .await
            .map_err(|error| Error::config(format!("{key}: cannot read {}: {error}", path.display()))),
    }
}

async fn trusted(pem: &Pem) -> Result<RootCertStore> {
    const KEY: &str = "ssl.truststore.location";
    let text = text(pem, KEY).await?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate =
            certificate.map_err(|error| Error::config(format!("{KEY}: broken PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| Error::config(format!("{KEY}: unusable certificate: {error}")))?;
    }
    if roots.is_empty() {
        return Err(Error::config(format!("{KEY}: there is no certificate in the PEM text")));
    }
    Ok(roots)
}

async fn system_roots() -> Result<RootCertStore> {
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs)
        .await
        .map_err(|error| Error::fatal(format!("Reading the system's certificates failed: {error}")))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(Error::config(
            "The system has no certificates to trust: set ssl.truststore.type=PEM and ssl.truststore.location, or \
             install ca-certificates",
        ));
    }
    Ok(roots)
}

async fn client_certificate(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = text(&identity.chain, "ssl.keystore.location").await?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::config(format!("ssl.keystore: broken certificate chain: {error}")))?;
    let key = text(&identity.key, "ssl.keystore.location").await?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| {
        Error::config(if identity.passphrase.is_some() {
            "ssl.keystore: an encrypted private key serves producers and consumers, but not connections for offsets and \
             topics: decrypt it with openssl pkcs8 and remove ssl.key.password"
        } else {
            "ssl.keystore: there is no private key in the PEM text"
        })
    })?;
    Ok((chain, key))
}

/// Checks the chain of certificates and the signatures, but not the host: what an empty
/// `ssl.endpoint.identification.algorithm` asks for.
#[derive(Debug)]
struct AnyHost(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is what is checked last, after the chain was found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Whether an error of a stream is TLS finding fault with the other side, which trying again does not mend.
pub(super) fn is_permanent(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    inner.is_some_and(|error| {
        matches!(
            error,
            rustls::Error::InvalidCertificate(_)
                | rustls::Error::AlertReceived(_)
                | rustls::Error::PeerIncompatible(_)
                | rustls::Error::InvalidMessage(_)
        )
    })
}

/// The name that the certificate must be made out to.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).map_err(|_| {
        Error::config(format!("{host} cannot be the name in a certificate: use a host name or an address"))
    })
}
