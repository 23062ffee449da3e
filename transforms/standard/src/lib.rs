//! Kafka Connect's transforms and predicates.
