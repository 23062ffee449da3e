//! What the runtime asks of a Kafka cluster: traits and plain types.
