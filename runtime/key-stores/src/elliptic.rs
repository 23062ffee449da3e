//! Private keys of elliptic curves as Java writes them: without the public key (RFC 5915 leaves it free), which ring
//! wants. It is in the certificate.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::der::{BITS, FIELD_1, INTEGER, OCTETS, SEQUENCE, element, made};

/// The contents of the identifier 1.2.840.10045.2.1, `id-ecPublicKey` (RFC 5480).
const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const IDENTIFIER: u8 = 0x06;

/// The key `pkcs8` with the public key of `certificate`, if it is one of these; `None` for all others.
pub(crate) fn completed(pkcs8: &[u8], certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (info, _) = element(pkcs8, SEQUENCE)?;
    let (version, rest) = element(info, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    if element(algorithm, IDENTIFIER)?.0 != EC_PUBLIC_KEY {
        return None;
    }
    let (inside, _) = element(rest, OCTETS)?;
    let (fields, _) = element(inside, SEQUENCE)?;
    let (inner_version, rest) = element(fields, INTEGER)?;
    let (secret, behind) = element(rest, OCTETS)?;
    if !behind.is_empty() {
        return None;
    }
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let point = &*certificate.public_key().subject_public_key.data;
    // An uncompressed point is its mark and two coordinates, each as long as the key.
    let length = point.len().checked_sub(1)? / 2;
    let padding = vec![0; length.checked_sub(secret.len())?];
    let public = made(BITS, &[&[0], point])?;
    let key = made(
        SEQUENCE,
        &[
            &made(INTEGER, &[inner_version])?,
            &made(OCTETS, &[&padding, secret])?,
            &made(FIELD_1, &[&public])?,
        ],
    )?;
    made(SEQUENCE, &[&made(INTEGER, &[version])?, &made(SEQUENCE, &[algorithm])?, &made(OCTETS, &[&key])?])
}
