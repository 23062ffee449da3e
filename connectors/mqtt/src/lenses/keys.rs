//! Lenses' keys that source and sink share: how servers are reached.

use lavka_api::config::{Check, Config, Key, Password, key};

/// Group of keys about the way to the servers.
pub(crate) const CONNECTION: &str = "Connection";
const SSL: &str = "SSL";

/// `connect.mqtt.hosts`.
pub(crate) fn hosts() -> Key<String> {
    key("connect.mqtt.hosts").high().group(CONNECTION)
        .check(Check::new("tcp://, ssl://, ws:// or wss:// with host and port", |text| {
            servers(text).try_for_each(|uri| crate::server::Server::parse(&uri).map(drop))
        }))
        .doc("MQTT servers, tcp://host:1883 or ssl://host:8883, with commas between them. They are tried in order until \
              one answers. Here: mqtt.server.uri.")
}

/// `connect.mqtt.username`.
pub(crate) fn user() -> Key<Option<String>> {
    key("connect.mqtt.username").high().group(CONNECTION).doc("User name. Here: mqtt.username.")
}

/// `connect.mqtt.password`.
pub(crate) fn password() -> Key<Option<Password>> {
    key("connect.mqtt.password").high().group(CONNECTION).doc("Password. Here: mqtt.password.")
}

/// `connect.mqtt.timeout`.
pub(crate) fn timeout() -> Key<i32> {
    key("connect.mqtt.timeout").default(3000).low().group(CONNECTION).check(Check::at_least(1)).doc(
        "How long to wait for a connection to be accepted, in seconds, as Lenses' client has it. Here: \
              mqtt.connect.timeout.seconds.",
    )
}

/// `connect.mqtt.keep.alive`.
pub(crate) fn keep_alive() -> Key<i32> {
    key("connect.mqtt.keep.alive").default(5000).low().group(CONNECTION).check(Check::between(1, 65_535)).doc(
        "How often to ping an idle server, in seconds, as Lenses' client has it. Here: \
              mqtt.keepalive.interval.seconds.",
    )
}

/// `connect.mqtt.client.id`.
pub(crate) fn client_id() -> Key<Option<String>> {
    key("connect.mqtt.client.id").low().group(CONNECTION).doc(
        "The client id; with several tasks a hyphen and the task's number follow. By default lavka-, the \
              connector's name and the task's number. Here: lavka.mqtt.client.id.",
    )
}

/// `connect.mqtt.ssl.ca.cert`.
pub(crate) fn ca() -> Key<Option<String>> {
    key("connect.mqtt.ssl.ca.cert").group(SSL).doc(
        "PEM file with the certificates that a server's certificate is checked against. Here: \
              lavka.mqtt.ssl.ca.pem.",
    )
}

/// `connect.mqtt.ssl.cert`.
pub(crate) fn cert() -> Key<Option<String>> {
    key("connect.mqtt.ssl.cert")
        .group(SSL)
        .doc("PEM file with the client's certificate. Here: lavka.mqtt.ssl.cert.pem.")
}

/// `connect.mqtt.ssl.key`.
pub(crate) fn private_key() -> Key<Option<String>> {
    key("connect.mqtt.ssl.key")
        .group(SSL)
        .doc("PEM file with the client's private key. Here: lavka.mqtt.ssl.key.pem.")
}

/// Sets in `$own` what Lenses' keys say of servers, session, credentials and certificates; source and sink have them under
/// the same names.
macro_rules! set_reach {
    ($own:expr, $lenses:expr) => {{
        let lenses = $lenses;
        $own.set(
            "mqtt.server.uri",
            $crate::lenses::keys::servers(&lenses.hosts).collect::<Vec<_>>().join(","),
        );
        $own.set("mqtt.qos", lenses.qos.to_string());
        $own.set("mqtt.username", lenses.user.clone().unwrap_or_default());
        let password = lenses.password.as_ref().map(|password| password.reveal().to_owned());
        $own.set("mqtt.password", password.unwrap_or_default());
        $own.set("mqtt.clean.session.enabled", lenses.clean.to_string());
        $own.set("mqtt.connect.timeout.seconds", lenses.timeout.to_string());
        $own.set("mqtt.keepalive.interval.seconds", lenses.keep_alive.to_string());
        let files = [("ca", &lenses.ca), ("cert", &lenses.cert), ("key", &lenses.key)];
        for (part, file) in files {
            if let Some(file) = file {
                $own.set(format!("lavka.mqtt.ssl.{part}.pem"), file.as_str());
            }
        }
    }};
}

pub(crate) use set_reach;

/// The keys of `config` that begin with `lavka.`, which are the same in all dialects.
pub(crate) fn taken_over(config: &Config) -> Config {
    let mut own = Config::new();
    for (name, value) in config.iter().filter(|(name, _)| name.starts_with("lavka.")) {
        own.set(name, value.unwrap_or_default());
    }
    own
}

/// The servers in `hosts`, those without a scheme as plain TCP.
pub(crate) fn servers(hosts: &str) -> impl Iterator<Item = String> {
    hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(|host| match host.contains("://") {
        true => host.to_owned(),
        false => format!("tcp://{host}"),
    })
}

/// Lenses takes all three files or none.
pub(crate) fn all_or_none(files: [&Option<String>; 3]) -> Result<(), String> {
    match files.into_iter().flatten().count() {
        0 | 3 => Ok(()),
        _ => Err("You can't define one of the connect.mqtt.ssl.ca.cert,connect.mqtt.ssl.cert, connect.mqtt.ssl.key \
                  without the other"
            .into()),
    }
}
