//! TLS of the replication connection, from PEM files; connections for SQL do their own with the same files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lavka_api::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::{Settings, SslMode};

/// The files that `database.ssl*` names.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) mode: SslMode,
    root: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl TlsFiles {
    /// What a configuration names.
    pub(crate) fn new(settings: &Settings) -> Self {
        let keys = &settings.connection;
        let path = |file: &Option<String>| file.as_ref().map(PathBuf::from);
        Self {
            mode: keys.database_sslmode,
            root: path(&keys.database_sslrootcert),
            certificate: path(&keys.database_sslcert),
            key: path(&keys.database_sslkey),
        }
    }

    /// Whether TLS is tried at all.
    pub(crate) fn wanted(&self) -> bool {
        !matches!(self.mode, SslMode::Disable | SslMode::Allow)
    }

    /// Whether the connection may go on in the clear where the server has no TLS.
    pub(crate) fn optional(&self) -> bool {
        self.mode == SslMode::Prefer
    }

    /// Reads the files. Blocks.
    ///
    /// # Errors
    /// What is wrong with them, by key.
    pub(crate) fn client_config(&self) -> Result<Arc<ClientConfig>> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match self.mode {
            SslMode::VerifyCa | SslMode::VerifyFull => {
                let chain =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), provider.clone())
                        .build()
                        .map_err(|error| {
                            Error::config(format!("database.sslrootcert cannot be used: {error}"))
                        })?;
                Arc::new(Verifier {
                    provider: provider.clone(),
                    chain: Some(chain),
                    host: self.mode == SslMode::VerifyFull,
                })
            }
            // What libpq does: encrypted, and with whom does not matter.
            _ => Arc::new(Verifier { provider: provider.clone(), chain: None, host: false }),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::config(format!("TLS cannot be set up: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates("database.sslcert", certificate)?, private_key(key)?)
                .map_err(|error| {
                    Error::config(format!("database.sslkey does not go with database.sslcert: {error}"))
                })?,
            (None, None) => builder.with_no_client_auth(),
            _ => {
                return Err(Error::config(
                    "database.sslcert and database.sslkey are given together or not at all",
                ));
            }
        };
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        match &self.root {
            Some(file) => {
                for certificate in certificates("database.sslrootcert", file)? {
                    roots.add(certificate).map_err(|error| {
                        Error::invalid_value("database.sslrootcert", file.display(), error)
                    })?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(Error::config(
                "database.sslrootcert is missing and the operating system has no trusted certificates (Debian: \
                 ca-certificates): name a PEM file with the authority that signed the server's certificate",
            ));
        }
        Ok(roots)
    }
}

fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bad = |why: String| Error::invalid_value(key, file.display(), why);
    let pem = std::fs::read(file).map_err(|error| bad(format!("the file cannot be read: {error}")))?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(bad("no certificate in it".to_owned())),
        Err(error) => Err(bad(format!("not a PEM file: {error}"))),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| {
        Error::invalid_value(
            "database.sslkey",
            file.display(),
            format!(
                "no readable private key: {error}. PKCS#8 in PEM is needed: openssl pkey -in {} -out plain.pem, for DER \
                 (.pk8) with -inform DER",
                file.display()
            ),
        )
    })
}

/// Checks of a server's certificate what the mode asks for.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    chain: Option<Arc<WebPkiServerVerifier>>,
    host: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at after the chain.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.host => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
