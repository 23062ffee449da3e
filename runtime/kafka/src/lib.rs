//! librdkafka and Kafka's wire protocol behind the ports.
