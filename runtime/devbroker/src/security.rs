//! Who may connect: certificates and passwords.

use std::{collections::BTreeMap, fmt, io, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

/// A TLS listener (`ssl.keystore.type=PEM`). Its texts are PEM.
#[derive(Clone)]
pub struct TlsConfig {
    /// The broker's certificate, followed by those that lead to an authority (`ssl.keystore.certificate.chain`).
    pub certificate: String,
    /// The private key of the certificate (`ssl.keystore.key`).
    pub key: String,
    /// Clients must show a certificate that one of these authorities signed (`ssl.client.auth=required` with
    /// `ssl.truststore.certificates`). `None`: they need none.
    pub client_authorities: Option<String>,
}

impl fmt::Debug for TlsConfig {
    /// Never shows the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("TlsConfig");
        shown.field("client_authorities", &self.client_authorities.is_some()).finish_non_exhaustive()
    }
}

impl TlsConfig {
    /// What the listener needs; the error says which of the texts is wrong.
    pub(crate) fn server(&self) -> io::Result<Arc<ServerConfig>> {
        let wrong = |what: &str, error: &dyn fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("the embedded broker's {what}: {error}"))
        };
        let chain = certificates(&self.certificate).map_err(|error| wrong("certificate", &error))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|_| wrong("private key", &"no private key in PEM was found"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("TLS versions", &error))?;
        let builder = match &self.client_authorities {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let what = "client authorities";
                let mut roots = RootCertStore::empty();
                for authority in certificates(authorities).map_err(|error| wrong(what, &error))? {
                    roots.add(authority).map_err(|error| wrong(what, &error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| wrong(what, &error))?)
            }
        };
        let server =
            builder.with_single_cert(chain, key).map_err(|error| wrong("certificate and key", &error))?;
        Ok(Arc::new(server))
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match all {
        Ok(all) if all.is_empty() => Err("no certificate in PEM was found".to_owned()),
        Ok(all) => Ok(all),
        Err(error) => Err(error.to_string()),
    }
}

/// A way to show who one is (`sasl.enabled.mechanisms`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SaslMechanism {
    /// Name and password as they are (RFC 4616).
    Plain,
    /// Proof of the password, which is not sent (RFC 5802, RFC 7677).
    ScramSha256,
    /// The same with the longer hash.
    ScramSha512,
}

impl SaslMechanism {
    /// Every mechanism.
    pub const ALL: [Self; 3] = [Self::Plain, Self::ScramSha256, Self::ScramSha512];

    /// The registered name, as in `sasl.mechanism`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A listener that asks for a password.
#[derive(Clone)]
pub struct SaslConfig {
    /// Names and passwords.
    pub users: BTreeMap<String, String>,
    /// What clients may choose from.
    pub mechanisms: Vec<SaslMechanism>,
}

impl SaslConfig {
    /// One user, who may use every mechanism.
    #[must_use]
    pub fn user(name: impl Into<String>, password: impl Into<String>) -> Self {
        let users = BTreeMap::from([(name.into(), password.into())]);
        Self { users, mechanisms: SaslMechanism::ALL.to_vec() }
    }
}

impl fmt::Debug for SaslConfig {
    /// Never shows passwords.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.users.keys().collect();
        let mut shown = formatter.debug_struct("SaslConfig");
        shown.field("users", &names).field("mechanisms", &self.mechanisms).finish()
    }
}
