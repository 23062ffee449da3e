//! What happens while Kafka is slow.

use lavka_testkit::{Mosquitto, MosquittoConfig};

use crate::VERSIONS;
use crate::source::{Source, config, count, numbers, payloads, publish, until};

fn broker(max_inflight: Option<u16>) -> Mosquitto {
    // Thousands of lines for thousands of messages would be most of the work.
    Mosquitto::start(&MosquittoConfig { max_inflight, ..MosquittoConfig::default() }).unwrap()
}

#[tokio::test]
async fn the_receive_maximum_is_the_window() {
    let broker = broker(Some(0));
    let config = config(&broker, &[("lavka.mqtt.version", "5"), ("lavka.mqtt.max.inflight", "100")]);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 1, &numbers(10_000)).await;
    let mut waiting = source.take(100).await;
    assert_eq!(source.rest().await.len(), 0, "more than the window");
    let mut all = payloads(&waiting);
    while all.len() < 10_000 {
        source.deliver(&waiting);
        waiting = source.take(1).await;
        all.extend(payloads(&waiting));
    }
    assert_eq!(all, numbers(10_000));
}

#[tokio::test]
async fn with_3_1_1_the_servers_limit_is_the_window() {
    let broker = broker(Some(30));
    let config = config(&broker, &[]);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 1, &numbers(500)).await;
    let mut waiting = source.take(30).await;
    assert_eq!(source.rest().await.len(), 0, "more than the window");
    let mut all = payloads(&waiting);
    while all.len() < 500 {
        source.deliver(&waiting);
        waiting = source.take(1).await;
        all.extend(payloads(&waiting));
    }
    assert_eq!(all, numbers(500));
}

/// A server without a limit sends everything at once; reading stops where the inbox is full, and nothing is lost.
#[tokio::test]
async fn a_wide_server_waits_for_the_inbox() {
    for version in VERSIONS {
        let broker = broker(Some(0));
        let config = config(
            &broker,
            &[
                ("lavka.mqtt.version", version),
                ("lavka.mqtt.max.inflight", "65535"),
                ("records.buffer.queue.size", "50"),
                ("mqtt.qos", "2"),
            ],
        );
        let mut source = Source::subscribed(&config, &broker).await;
        publish(&broker, "t/1", 2, &numbers(3_000)).await;
        let mut all = Vec::new();
        while all.len() < 3_000 {
            let more = source.take(1).await;
            // What one read of the client brings comes on top.
            assert!(more.len() <= 60, "{} messages were in memory", more.len());
            source.deliver(&more);
            all.extend(payloads(&more));
        }
        assert_eq!(all, numbers(3_000), "MQTT {version}");
        source.stop().await;
    }
}

/// The same by bytes: never more in memory than the configuration says, and one message.
#[tokio::test]
async fn a_wide_server_waits_for_the_bytes_of_the_inbox() {
    const BYTES: usize = 20_000;
    for version in VERSIONS {
        let broker = broker(Some(0));
        let bytes = BYTES.to_string();
        let entries = [
            ("lavka.mqtt.version", version),
            ("lavka.mqtt.max.inflight", "65535"),
            ("lavka.mqtt.buffer.bytes", &bytes),
        ];
        let mut source = Source::subscribed(&config(&broker, &entries), &broker).await;
        let texts: Vec<String> = (0..3_000).map(|number| format!("{number:0200}")).collect();
        publish(&broker, "t/1", 1, &texts).await;
        let mut all = Vec::new();
        while all.len() < texts.len() {
            let more = source.take(1).await;
            let held: usize = payloads(&more).iter().map(String::len).sum();
            assert!(held <= BYTES + 200, "{held} bytes were in memory");
            source.deliver(&more);
            all.extend(payloads(&more));
        }
        assert_eq!(all, texts, "MQTT {version}");
        source.stop().await;
    }
}

#[tokio::test]
async fn qos_0_beyond_the_buffer_is_dropped_and_counted() {
    let broker = broker(None);
    let config = config(&broker, &[("mqtt.qos", "0"), ("records.buffer.queue.size", "10")]);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 0, &numbers(1_000)).await;
    until(|| source.counted("message-dropped-total") == 990).await;
    assert_eq!(payloads(&source.take(10).await), numbers(10));
    publish(&broker, "t/1", 0, &["next".into()]).await;
    assert_eq!(payloads(&source.take(1).await), ["next"]);
    assert_eq!(count(&broker, "Client lavka-sensors-0 closed its connection"), 0);
}

#[tokio::test]
async fn messages_that_are_skipped_are_counted() {
    let broker = broker(None);
    let config = config(&broker, &[("lavka.payload.format", "json"), ("lavka.payload.on.error", "skip")]);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 1, &["{".into(), "1".into(), "x".into(), "2".into()]).await;
    assert_eq!(source.take(2).await.len(), 2);
    until(|| source.counted("message-skipped-total") == 2).await;
    assert_eq!(source.counted("message-dropped-total"), 0);
    source.stop().await;
}
