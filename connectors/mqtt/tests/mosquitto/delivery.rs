//! When messages are acknowledged.

use lavka_testkit::{Mosquitto, MosquittoConfig};

use crate::VERSIONS;
use crate::source::{Source, config, count, numbers, payloads, publish, until};

fn broker() -> Mosquitto {
    Mosquitto::start(&MosquittoConfig::default()).unwrap()
}

/// What the broker logs for an acknowledgement of a message with this QoS.
fn acknowledgement(qos: i32) -> &'static str {
    if qos == 2 { "Received PUBREC from lavka-sensors-0" } else { "Received PUBACK from lavka-sensors-0" }
}

#[tokio::test]
async fn every_qos_and_version() {
    for version in VERSIONS {
        for qos in 0..=2 {
            let broker = broker();
            let config = config(&broker, &[("lavka.mqtt.version", version), ("mqtt.qos", &qos.to_string())]);
            let mut source = Source::subscribed(&config, &broker).await;
            publish(&broker, "t/1", qos, &numbers(100)).await;
            let records = source.drain(100).await;
            assert_eq!(payloads(&records), numbers(100), "MQTT {version}, QoS {qos}");
            // What was acknowledged just before the end is not sent again.
            source.stop().await;
            if qos > 0 {
                assert_eq!(count(&broker, acknowledgement(qos)), 100, "MQTT {version}, QoS {qos}");
            }
            let mut source = Source::subscribed(&config, &broker).await;
            publish(&broker, "t/1", qos, &["next".into()]).await;
            assert_eq!(payloads(&source.take(1).await), ["next"], "MQTT {version}, QoS {qos}");
        }
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_delivered() {
    for version in VERSIONS {
        for qos in 1..=2 {
            let broker = broker();
            let config = config(&broker, &[("lavka.mqtt.version", version), ("mqtt.qos", &qos.to_string())]);
            let mut source = Source::subscribed(&config, &broker).await;
            publish(&broker, "t/1", qos, &numbers(15)).await;
            let first = source.take(15).await;
            assert_eq!(source.rest().await.len(), 0);
            assert_eq!(count(&broker, acknowledgement(qos)), 0, "MQTT {version}, QoS {qos}");
            drop(source);

            let mut source = Source::start(&config).await;
            let second = source.take(15).await;
            assert_eq!(payloads(&second), payloads(&first), "MQTT {version}, QoS {qos}");
            for record in &second {
                let duplicate = record.record.headers.last("mqtt.duplicate").unwrap();
                assert_eq!(duplicate.value, lavka_api::data::Value::Boolean(true));
            }
            assert_eq!(count(&broker, acknowledgement(qos)), 0, "MQTT {version}, QoS {qos}");
            source.deliver(&second);
            until(|| count(&broker, acknowledgement(qos)) == 15).await;
        }
    }
}

#[tokio::test]
async fn acknowledgements_go_out_in_order_of_arrival() {
    let broker = broker();
    let config = config(&broker, &[]);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 1, &numbers(10)).await;
    let records = source.take(10).await;
    for record in records[1..].iter().rev() {
        source.deliver(std::slice::from_ref(record));
    }
    assert_eq!(source.rest().await.len(), 0);
    assert_eq!(count(&broker, acknowledgement(1)), 0);
    source.deliver(&records[..1]);
    until(|| count(&broker, acknowledgement(1)) == 10).await;
    let log = broker.log();
    let id = |line: &str| line.split("Mid: ").nth(1)?.split([',', ')']).next()?.parse::<u16>().ok();
    let ids: Vec<u16> = log.lines().filter(|line| line.contains(acknowledgement(1))).filter_map(id).collect();
    assert_eq!(ids, (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_part_that_was_delivered_does_not_come_again() {
    let broker = broker();
    let config = config(&broker, &[]);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 1, &numbers(10)).await;
    let records = source.take(10).await;
    // 7 is delivered as well, but 4 before it is not.
    source.deliver(&records[..4]);
    source.deliver(&records[7..8]);
    source.stop().await;
    assert!(broker.log().contains("Client lavka-sensors-0 disconnected."));
    let mut source = Source::start(&config).await;
    assert_eq!(payloads(&source.take(6).await), numbers(10)[4..]);
}

#[tokio::test]
async fn what_arrives_while_the_task_is_away_is_kept() {
    for version in VERSIONS {
        let broker = broker();
        let config = config(&broker, &[("lavka.mqtt.version", version)]);
        Source::subscribed(&config, &broker).await.stop().await;
        publish(&broker, "t/1", 1, &numbers(200)).await;
        let mut source = Source::start(&config).await;
        assert_eq!(payloads(&source.drain(200).await), numbers(200), "MQTT {version}");
    }
}
