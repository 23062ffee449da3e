//! Java key stores: JKS, and PKCS#12, which is Java's default since version 9.

use std::path::Path;

use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A private key and its certificates, its own first.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What is in a key store.
#[derive(Debug, Default)]
struct Contents {
    /// Certificates that are trusted: those that stand for themselves, and those of private keys, as Java has it.
    trusted: Vec<CertificateDer<'static>>,
    /// The first private key.
    identity: Option<(Vec<CertificateDer<'static>>, Key)>,
}

#[derive(Debug)]
enum Key {
    Open(PrivateKeyDer<'static>),
    /// Under a password of its own.
    Sealed(Vec<u8>),
}

/// A key store larger than this is none.
const LARGEST: u64 = 16 * 1024 * 1024;
const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
const JCEKS: [u8; 4] = [0xce, 0xce, 0xce, 0xce];

/// The certificates that are trusted by the key store `file`. Blocks.
///
/// # Errors
/// What is wrong with it, for the end of an error text.
pub(crate) fn trusted(file: &str, password: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    contents(file, password, password).map(|contents| contents.trusted)
}

/// The first private key of the key store `file`, under `key_password` where that is not empty, else under `password`.
/// Blocks.
///
/// # Errors
/// What is wrong with it, for the end of an error text.
pub(crate) fn identity(file: &str, password: &str, key_password: &str) -> Result<Identity, String> {
    let key_password = if key_password.is_empty() { password } else { key_password };
    let (chain, key) = contents(file, password, key_password)?
        .identity
        .ok_or_else(|| "there is no private key in it".to_owned())?;
    let key = match key {
        Key::Open(key) => key,
        Key::Sealed(sealed) => PrivateKeyDer::Pkcs8(unseal(&sealed, key_password)?.into()),
    };
    Ok((chain, key))
}

fn contents(file: &str, password: &str, key_password: &str) -> Result<Contents, String> {
    let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
    if std::fs::metadata(Path::new(file)).map_err(unreadable)?.len() > LARGEST {
        return Err("the file is too large for a key store".to_owned());
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    if bytes.starts_with(&JKS) {
        jks(&bytes, password)
    } else if bytes.starts_with(&JCEKS) {
        Err(format!(
            "a JCEKS key store cannot be read; convert it with `keytool -importkeystore -srckeystore {file} -srcstoretype \
             JCEKS -destkeystore store.p12 -deststoretype PKCS12`"
        ))
    } else if bytes.first() == Some(&0x30) {
        pkcs12(&bytes, password, key_password)
    } else {
        Err("it is neither a JKS nor a PKCS#12 key store".to_owned())
    }
}

fn pkcs12(bytes: &[u8], password: &str, key_password: &str) -> Result<Contents, String> {
    let read = |password: &str| KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Relaxed);
    let store = read(password)
        .or_else(|error| if key_password == password { Err(error) } else { read(key_password) });
    let store = store.map_err(|error| match password {
        "" => format!("it cannot be opened without a password: {error}"),
        _ => format!("it cannot be opened; is the password right? ({error})"),
    })?;
    let mut contents = Contents::default();
    for (_, entry) in store.entries() {
        match entry {
            KeyStoreEntry::Certificate(certificate) => {
                contents.trusted.push(CertificateDer::from(certificate.as_der().to_vec()));
            }
            KeyStoreEntry::PrivateKeyChain(chain) => {
                let certificates =
                    chain.certs().iter().map(|one| CertificateDer::from(one.as_der().to_vec()));
                let key = PrivateKeyDer::Pkcs8(chain.key().as_der().to_vec().into());
                contents.add_key(certificates.collect(), Key::Open(key));
            }
            _ => {}
        }
    }
    Ok(contents)
}

impl Contents {
    fn add_key(&mut self, chain: Vec<CertificateDer<'static>>, key: Key) {
        self.trusted.extend(chain.first().cloned());
        self.identity.get_or_insert((chain, key));
    }
}

/// The format of `sun.security.provider.JavaKeyStore`: entries, and behind them a digest over password and entries.
fn jks(bytes: &[u8], password: &str) -> Result<Contents, String> {
    const CUT_OFF: &str = "the key store is cut off";
    let (body, digest) = bytes.split_at_checked(bytes.len().saturating_sub(20)).ok_or(CUT_OFF)?;
    // As in Java, certificates can be read without the password; then nobody checks whether they were changed.
    if !password.is_empty() && sha1(&[&utf16(password), b"Mighty Aphrodite", body]) != digest {
        return Err("the password is wrong, or the key store was changed".to_owned());
    }
    let mut input = Input { rest: body.get(4..).ok_or(CUT_OFF)? };
    let mut contents = Contents::default();
    let read = |input: &mut Input<'_>, contents: &mut Contents| -> Option<Result<(), String>> {
        let version = input.u32()?;
        if version != 1 && version != 2 {
            return Some(Err(format!("version {version} of JKS is not known")));
        }
        for _ in 0..input.u32()? {
            let kind = input.u32()?;
            let name_length = input.u16()?;
            input.take(name_length.into())?;
            // When it was made.
            input.take(8)?;
            match kind {
                1 => {
                    let sealed = input.long()?;
                    let mut chain = Vec::new();
                    for _ in 0..input.u32()? {
                        chain.push(input.certificate(version)?);
                    }
                    contents.add_key(chain, Key::Sealed(sealed.to_vec()));
                }
                2 => contents.trusted.push(input.certificate(version)?),
                _ => return Some(Err("it has an entry of a kind that is not known".to_owned())),
            }
        }
        Some(Ok(()))
    };
    read(&mut input, &mut contents).ok_or(CUT_OFF)??;
    Ok(contents)
}

/// The PKCS#8 key inside of what Java's key protector made: a salt, the key under a stream of digests, a check.
fn unseal(sealed: &[u8], password: &str) -> Result<Vec<u8>, String> {
    let broken = || "its private key is not protected as JKS does it".to_owned();
    // EncryptedPrivateKeyInfo: a sequence of algorithm and octets.
    let info = element(sealed, 0x30).map(|(info, _)| info).ok_or_else(broken)?;
    let (_, behind) = element(info, 0x30).ok_or_else(broken)?;
    let (octets, _) = element(behind, 0x04).ok_or_else(broken)?;
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

/// The contents of the DER element at the beginning, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            if digits.len() > 4 {
                return None;
            }
            (digits.iter().fold(0usize, |number, digit| (number << 8) | usize::from(*digit)), rest)
        }
    };
    rest.split_at_checked(length)
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

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// Four bytes of length, and as many bytes.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    fn certificate(&mut self, version: u32) -> Option<CertificateDer<'static>> {
        if version == 2 {
            // "X.509"
            let length = self.u16()?;
            self.take(length.into())?;
        }
        Some(CertificateDer::from(self.long()?.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn path(folder: &tempfile::TempDir, name: &str) -> String {
        folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Made by Java's keytool.
    fn keytool(arguments: &[&str]) {
        let made = Command::new("keytool").args(arguments).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    }

    fn made(folder: &tempfile::TempDir, kind: &str, key_password: &str) -> (String, String) {
        let (keys, trusted) =
            (path(folder, &format!("{kind}-keys")), path(folder, &format!("{kind}-trusted")));
        let certificate = path(folder, &format!("{kind}.cer"));
        let common = ["-storetype", kind, "-storepass", "changeit"];
        let make = ["-genkeypair", "-alias", "me", "-keyalg", "EC", "-dname", "CN=me", "-keystore", &keys];
        keytool(&[&make[..], &common[..], &["-keypass", key_password]].concat());
        keytool(
            &[&["-exportcert", "-alias", "me", "-file", &certificate, "-keystore", &keys], &common[..]]
                .concat(),
        );
        let import =
            ["-importcert", "-noprompt", "-alias", "ca", "-file", &certificate, "-keystore", &trusted];
        keytool(&[&import[..], &common[..]].concat());
        (keys, trusted)
    }

    #[test]
    fn stores_of_javas_keytool() {
        if Command::new("keytool").arg("-help").output().is_err() {
            lavka_testkit::cannot_run("keystore::tests::stores_of_javas_keytool", "keytool of a JDK");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for (kind, key_password) in [("JKS", "of-the-key"), ("PKCS12", "changeit")] {
            let (keys, certificates) = made(&folder, kind, key_password);
            let (chain, _) = identity(&keys, "changeit", key_password).unwrap();
            // Of a key too the certificate is trusted, whatever the key's password.
            for store in [&certificates, &keys] {
                assert_eq!(trusted(store, "changeit").unwrap(), chain, "{kind}");
            }
            assert!(
                identity(&certificates, "changeit", "").unwrap_err().contains("no private key"),
                "{kind}"
            );
            let error = identity(&keys, "wrong", "").unwrap_err();
            assert!(error.contains("password"), "{kind}: {error}");
            if kind == "JKS" {
                assert!(identity(&keys, "changeit", "").unwrap_err().contains("private key is wrong"));
                assert_eq!(trusted(&certificates, "").unwrap().len(), 1);
            }
        }
    }

    #[test]
    fn what_is_no_key_store() {
        let folder = tempfile::tempdir().unwrap();
        for (bytes, part) in [
            (&b"text"[..], "neither a JKS nor"),
            (&JCEKS, "keytool -importkeystore"),
            (&JKS, "cut off"),
            (b"\x30\x01", "cannot be opened"),
        ] {
            let file = path(&folder, "store");
            std::fs::write(&file, bytes).unwrap();
            let error = trusted(&file, "").unwrap_err();
            assert!(error.contains(part), "{bytes:?}: {error}");
        }
        assert!(trusted(&path(&folder, "none"), "").unwrap_err().contains("cannot be read"));
    }

    proptest! {
        #[test]
        fn hostile_stores_are_read_without_harm(body in prop::collection::vec(prop_oneof![Just(0u8), 0u8..4, any::<u8>()], 0..200)) {
            let mut bytes = JKS.to_vec();
            bytes.extend_from_slice(&body);
            let _ = jks(&bytes, "");
            let _ = unseal(&body, "x");
        }
    }
}
