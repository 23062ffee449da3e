//! The page on how keys of Java's clients are translated for librdkafka, made of the table that the clients go by.

use std::fmt::Write as _;

use lavka_kafka::{ClientKind, KeyFate, Translation, translations};

use super::Page;

/// Kinds of clients.
pub(super) const CLIENTS: [(&str, ClientKind); 3] = [
    ("Producers", ClientKind::Producer),
    ("Consumers", ClientKind::Consumer),
    ("Admin clients", ClientKind::Admin),
];

/// The page.
pub(super) fn page() -> Page {
    let mut text = String::from(
        "# Client keys and librdkafka\n\n\
         What becomes of each key of Java's clients. A value is brought into librdkafka's range where that is narrower. \
         \"here\" is a key that Lavka acts on itself, \"–\" one without effect. A key that is in no table is named in the \
         log as a warning and has no effect. [Kafka clients](kafka-clients.md) tells where the keys are set.\n\n\
         Admin clients are Lavka's own and no librdkafka: keys that have effect have it there under Java's name.\n\n",
    );
    let all =
        |row: &Translation| CLIENTS.iter().all(|(_, kind)| translations(*kind).any(|other| other == *row));
    let shared: Vec<Translation> = translations(ClientKind::Producer).filter(all).collect();
    write_table(&mut text, "All clients", &shared);
    for (title, kind) in CLIENTS {
        let own: Vec<Translation> = translations(kind).filter(|row| !shared.contains(row)).collect();
        write_table(&mut text, title, &own);
    }
    text.push_str(
        "## Logging in\n\n\
         `sasl.jaas.config` holds one login module, with its options:\n\n\
         | `sasl.mechanism` | login module | options |\n\
         |---|---|---|\n\
         | `PLAIN` | `org.apache.kafka.common.security.plain.PlainLoginModule` | `username`, `password` |\n\
         | `SCRAM-SHA-256`, `SCRAM-SHA-512` | `org.apache.kafka.common.security.scram.ScramLoginModule` | `username`, \
         `password` |\n\
         | `OAUTHBEARER` | `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule` | of a token endpoint: \
         `clientId`, `clientSecret`, `scope`, and `ssl.…` for its TLS; unsecured: `unsecuredLoginStringClaim_sub` and \
         the like, `unsecuredLoginLifetimeSeconds` |\n\n\
         With `OAUTHBEARER` tokens come from `sasl.oauthbearer.token.endpoint.url`: a server that gives them for the \
         client's credentials, or `file:` and the path of a file that somebody keeps up to date. Without it tokens are \
         unsecured, for brokers that are being tried out. Lavka fetches tokens itself and hands them to librdkafka; SASL \
         extensions cannot be sent. A token is used until a fifth of its life is left.\n",
    );
    super::framework_pages::finished("kafka-client-keys.md", text)
}

fn write_table(text: &mut String, title: &str, rows: &[Translation]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "## {title}\n\n| Java | librdkafka | remark |\n|---|---|---|");
    for Translation { key, native, fate, remark } in rows {
        let native = match fate {
            KeyFate::Understood if native.is_empty() => "here".to_owned(),
            KeyFate::Understood => {
                native.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join("<br>")
            }
            KeyFate::Ignored(_) | KeyFate::Unknown => "–".to_owned(),
        };
        let _ = writeln!(text, "| `{key}` | {native} | {remark} |");
    }
    text.push('\n');
}
