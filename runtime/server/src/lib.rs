//! Lavka: Kafka Connect without the JVM. A worker builder and the binary.
