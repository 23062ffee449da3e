//! Certificates made for one test.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use crate::failure::{Context as _, Failure, OrFail as _};

/// A certificate and its private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS #8).
    pub key: String,
}

/// An authority of a test's own, which signs servers and clients.
#[derive(Debug)]
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority with a new key.
    #[track_caller]
    pub fn new(name: &str) -> Self {
        Self::make(name).or_fail()
    }

    /// The authority's own certificate, PEM: what the other side has to trust.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// An identity for a server at `localhost` and 127.0.0.1.
    #[track_caller]
    pub fn server(&self) -> Identity {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        self.sign("localhost", names.to_vec(), ExtendedKeyUsagePurpose::ServerAuth).or_fail()
    }

    /// An identity for a client named `name`.
    #[track_caller]
    pub fn client(&self, name: &str) -> Identity {
        self.sign(name, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth).or_fail()
    }

    fn make(name: &str) -> Result<Self, Failure> {
        let explain = || format!("cannot make the authority {name}");
        let mut params = CertificateParams::new(Vec::new()).context(explain)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().context(explain)?;
        let certificate = params.self_signed(&key).context(explain)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    fn sign(
        &self,
        name: &str,
        names: Vec<String>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Identity, Failure> {
        let explain = || format!("cannot make a certificate for {name}");
        let mut params = CertificateParams::new(names).context(explain)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().context(explain)?;
        let certificate = params.signed_by(&key, &self.issuer).context(explain)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}
