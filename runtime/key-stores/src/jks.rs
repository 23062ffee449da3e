//! The format of `sun.security.provider.JavaKeyStore`: entries, and behind them a digest over password and entries.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use rustls::pki_types::CertificateDer;

use crate::der::{OCTETS, SEQUENCE, element};
use crate::input::Input;
use crate::store::{Key, KeyEntry, KeyStore, Trusted};

/// Opens the key store in `bytes`, which begin with its mark.
pub(crate) fn open(bytes: &[u8], password: &str) -> Result<KeyStore, String> {
    const CUT_OFF: &str = "the key store is cut off";
    let (body, digest) = bytes.split_at_checked(bytes.len().saturating_sub(20)).ok_or(CUT_OFF)?;
    // As in Java, certificates can be read without the password; then nobody checks whether they were changed.
    if !password.is_empty() && sha1(&[&utf16(password), b"Mighty Aphrodite", body]) != digest {
        return Err("the password is wrong, or the key store was changed".to_owned());
    }
    let mut input = Input { rest: body.get(4..).ok_or(CUT_OFF)? };
    entries(&mut input).ok_or(CUT_OFF)?
}

/// `None` where the bytes end too early.
fn entries(input: &mut Input<'_>) -> Option<Result<KeyStore, String>> {
    let mut contents = KeyStore::default();
    let version = input.u32()?;
    if version != 1 && version != 2 {
        return Some(Err(format!("version {version} of JKS is not known")));
    }
    for _ in 0..input.u32()? {
        let kind = input.u32()?;
        let alias = String::from_utf8_lossy(input.short()?).into_owned();
        // When it was made.
        input.take(8)?;
        match kind {
            1 => {
                let sealed = input.long()?.to_vec();
                let mut chain = Vec::new();
                for _ in 0..input.u32()? {
                    chain.push(certificate(input, version)?);
                }
                contents.keys.push(KeyEntry { alias, chain, key: Key::Sealed(sealed) });
            }
            2 => {
                let certificate = certificate(input, version)?;
                contents.trusted.push(Trusted { alias, certificate });
            }
            _ => return Some(Err("it has an entry of a kind that is not known".to_owned())),
        }
    }
    Some(Ok(contents))
}

fn certificate(input: &mut Input<'_>, version: u32) -> Option<CertificateDer<'static>> {
    if version == 2 {
        // "X.509"
        input.short()?;
    }
    Some(CertificateDer::from(input.long()?.to_vec()))
}

/// The PKCS#8 key inside of what Java's key protector made: a salt, the key under a stream of digests, a check.
pub(crate) fn unseal(sealed: &[u8], password: &str) -> Result<Vec<u8>, String> {
    let broken = || "its private key is not protected as JKS does it".to_owned();
    // EncryptedPrivateKeyInfo: a sequence of algorithm and octets.
    let info = element(sealed, SEQUENCE).map(|(info, _)| info).ok_or_else(broken)?;
    let (_, behind) = element(info, SEQUENCE).ok_or_else(broken)?;
    let (octets, _) = element(behind, OCTETS).ok_or_else(broken)?;
    let (salt, rest) = octets.split_at_checked(20).ok_or_else(broken)?;
    let (hidden, check) = rest.split_at_checked(rest.len().saturating_sub(20)).ok_or_else(broken)?;
    let password = utf16(password);
    let mut key = Vec::with_capacity(hidden.len());
    let mut stream = salt.to_vec();
    for part in hidden.chunks(20) {
        stream = sha1(&[&password, &stream]);
        key.extend(part.iter().zip(&stream).map(|(byte, mask)| byte ^ mask));
    }
    if sha1(&[&password, &key]) != check {
        return Err("the password of its private key is wrong".to_owned());
    }
    Ok(key)
}

fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        digest.update(part);
    }
    digest.finish().as_ref().to_vec()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::elliptic::completed;
    use crate::store::JKS;

    proptest! {
        #[test]
        fn hostile_stores_are_read_without_harm(body in prop::collection::vec(prop_oneof![Just(0u8), 0u8..4, any::<u8>()], 0..200)) {
            let mut bytes = JKS.to_vec();
            bytes.extend_from_slice(&body);
            let _ = open(&bytes, "");
            let _ = unseal(&body, "x");
            let _ = completed(&body, &body.clone().into());
        }
    }
}
