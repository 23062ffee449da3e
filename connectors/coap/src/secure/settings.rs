//! The keys about DTLS that server and client have in common.

use lavka_api::config::{Key, Password, key};

/// Group of keys about DTLS.
pub(crate) const SECURITY: &str = "Security";

/// `lavka.coap.dtls.key.pem`.
pub(crate) fn private_key() -> Key<String> {
    key("lavka.coap.dtls.key.pem")
        .default("")
        .group(SECURITY)
        .doc("Its private key, PEM (PKCS#8 or SEC1, not encrypted).")
}

/// `lavka.coap.dtls.keystore.path`.
pub(crate) fn key_store() -> Key<String> {
    key("lavka.coap.dtls.keystore.path")
        .default("")
        .group(SECURITY)
        .doc("Both in one Java key store (PKCS#12 or JKS), in place of the two above.")
}

/// `lavka.coap.dtls.keystore.password`.
pub(crate) fn key_store_password() -> Key<Password> {
    key("lavka.coap.dtls.keystore.password").default("").group(SECURITY).doc("Its password, and its key's.")
}

/// `lavka.coap.dtls.keystore.alias`.
pub(crate) fn key_store_alias() -> Key<String> {
    key("lavka.coap.dtls.keystore.alias")
        .default("")
        .low()
        .group(SECURITY)
        .doc("The alias of the key in it, where there are several.")
}

/// `lavka.coap.dtls.ca.password`.
pub(crate) fn trusted_password() -> Key<Password> {
    key("lavka.coap.dtls.ca.password").default("").low().group(SECURITY).doc(
        "The password of lavka.coap.dtls.ca.pem, which may be a Java key store (PKCS#12 or JKS) as well.",
    )
}

/// `lavka.coap.dtls.ca.aliases`.
pub(crate) fn trusted_aliases() -> Key<Vec<String>> {
    key("lavka.coap.dtls.ca.aliases")
        .default("")
        .low()
        .group(SECURITY)
        .doc("The aliases in that key store of the certificates that are trusted; all of them by default.")
}

/// The files of a configuration that has these keys, with `identity` for the one to use, of a client.
macro_rules! files_of {
    ($config:expr, $identity:expr) => {{
        let config = $config;
        $crate::secure::Files {
            psk: config.psk_file.clone(),
            identity: $identity,
            certificate: config.certificate.clone(),
            key: config.private_key.clone(),
            store: config.key_store.clone(),
            store_password: config.key_store_password.clone(),
            store_alias: config.key_store_alias.clone(),
            trusted: config.trusted.clone(),
            trusted_password: config.trusted_password.clone(),
            trusted_aliases: config.trusted_aliases.clone(),
        }
    }};
}

pub(crate) use files_of;
