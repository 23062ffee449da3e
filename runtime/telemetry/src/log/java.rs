//! Logger names of the Java worker and of connectors for it, and what stands for them here.

/// Java's name, and the loggers that do here what the classes below that name do there.
const NAMES: &[(&str, &[&str])] = &[
    (
        "org.apache.kafka.connect",
        &[
            "lavka",
            "lavka_engine",
            "lavka_worker",
            "lavka_coordination",
            "lavka_rest",
            "lavka_converters",
            "lavka_transforms",
            "lavka_kafka",
        ],
    ),
    ("org.apache.kafka.connect.cli", &["lavka"]),
    ("org.apache.kafka.connect.converters", &["lavka_converters"]),
    ("org.apache.kafka.connect.file", &["lavka_connector_file"]),
    ("org.apache.kafka.connect.json", &["lavka_converters"]),
    (
        "org.apache.kafka.connect.runtime",
        &["lavka_engine", "lavka_worker", "lavka_coordination", "lavka_rest"],
    ),
    ("org.apache.kafka.connect.runtime.AbstractHerder", &["lavka_worker", "lavka_coordination"]),
    ("org.apache.kafka.connect.runtime.AbstractWorkerSourceTask", &["lavka_engine.source"]),
    ("org.apache.kafka.connect.runtime.TransformationChain", &["lavka_engine.chain", "lavka_transforms"]),
    ("org.apache.kafka.connect.runtime.Worker", &["lavka_worker"]),
    ("org.apache.kafka.connect.runtime.WorkerConnector", &["lavka_worker"]),
    ("org.apache.kafka.connect.runtime.WorkerSinkTask", &["lavka_engine.sink"]),
    ("org.apache.kafka.connect.runtime.WorkerSourceTask", &["lavka_engine.source"]),
    ("org.apache.kafka.connect.runtime.WorkerTask", &["lavka_engine"]),
    ("org.apache.kafka.connect.runtime.distributed", &["lavka_coordination", "lavka_worker"]),
    ("org.apache.kafka.connect.runtime.errors", &["lavka_engine.errors"]),
    ("org.apache.kafka.connect.runtime.rest", &["lavka_rest"]),
    ("org.apache.kafka.connect.runtime.standalone", &["lavka_coordination", "lavka_worker"]),
    ("org.apache.kafka.connect.storage", &["lavka_worker", "lavka_converters"]),
    ("org.apache.kafka.connect.transforms", &["lavka_transforms"]),
    ("org.apache.kafka.connect.util", &["lavka_kafka"]),
    ("org.apache.kafka.clients", &["lavka_kafka", "librdkafka"]),
    ("io.confluent.connect.hdfs", &["lavka_connector_lake"]),
    ("io.confluent.connect.mqtt", &["lavka_connector_mqtt", "rumqttc"]),
    ("io.confluent.connect.s3", &["lavka_connector_lake"]),
    ("io.confluent.connect.storage", &["lavka_connector_lake"]),
    ("io.debezium", &["lavka_connector_postgres"]),
    ("org.eclipse.jetty", &["lavka_rest", "hyper", "axum"]),
];

/// The loggers that stand for `name`: those of the nearest entry at or above it, and of every entry below it. None for
/// names that are not of Java's.
pub(super) fn loggers(name: &str) -> Vec<&'static str> {
    let above =
        NAMES.iter().filter(|(java, _)| is_at_or_below(name, java)).max_by_key(|(java, _)| java.len());
    let below = NAMES.iter().filter(|(java, _)| is_at_or_below(java, name));
    let mut loggers: Vec<&str> =
        above.into_iter().chain(below).flat_map(|(_, loggers)| loggers.iter().copied()).collect();
    loggers.sort_unstable();
    loggers.dedup();
    loggers
}

/// Whether `name` is `ancestor` or one of those below it.
pub(super) fn is_at_or_below(name: &str, ancestor: &str) -> bool {
    name.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_counts() {
        assert_eq!(loggers("org.apache.kafka.connect.runtime.WorkerSourceTask"), ["lavka_engine.source"]);
        assert_eq!(loggers("org.apache.kafka.connect.runtime.rest.resources.RootResource"), ["lavka_rest"]);
        assert_eq!(loggers("io.debezium.connector.postgresql"), ["lavka_connector_postgres"]);
        assert!(loggers("org.apache.kafka.connect").contains(&"lavka_connector_file"));
        assert!(loggers("org.apache").contains(&"librdkafka"));
        assert_eq!(loggers("org.apache.kafka.connected"), Vec::<&str>::new());
        assert_eq!(loggers("lavka_engine"), Vec::<&str>::new());
    }
}
