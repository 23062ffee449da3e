//! The names of Kafka's own configuration keys, for telling which of them mean something here and for finding the
//! nearest to a misspelt one.

use lavka_kafka::ClientKind;

/// The keys of Kafka 4.3.0, taken from its definitions: sections in brackets, one name a line.
const NAMES: &str = include_str!("kafka-keys.txt");

/// The section of Connect workers, of either mode.
pub(crate) const WORKER: &str = "worker";

/// The section of a kind of client.
pub(crate) fn section(kind: ClientKind) -> &'static str {
    match kind {
        ClientKind::Producer => "producer",
        ClientKind::Consumer => "consumer",
        ClientKind::Admin => "admin",
    }
}

/// The names in a section, sorted.
pub(crate) fn of(section: &str) -> impl Iterator<Item = &'static str> {
    NAMES
        .lines()
        .skip_while(move |line| line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) != Some(section))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
}

#[cfg(test)]
mod tests {
    use lavka_kafka::{KeyFate, key_fate};

    use super::*;

    #[test]
    fn every_client_key_of_kafka_is_accounted_for() {
        for kind in [ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin] {
            assert!(of(section(kind)).count() > 80, "{kind:?}");
            for key in of(section(kind)) {
                assert_ne!(key_fate(kind, key), KeyFate::Unknown, "{kind:?} {key}");
            }
        }
        assert_eq!(key_fate(ClientKind::Producer, "lingr.ms"), KeyFate::Unknown);
    }
}
