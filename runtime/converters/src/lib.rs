//! Bytes to data and back, byte for byte as Kafka Connect's converters.
