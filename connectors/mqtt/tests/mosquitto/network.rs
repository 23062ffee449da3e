//! Networks that are cut, and that go silent.

use lavka_testkit::{Mosquitto, MosquittoConfig, Network};

use crate::VERSIONS;
use crate::sink::{self, Sink, numbered};
use crate::source::{Source, config_for, count, numbers, payloads, publish, until};

fn broker() -> Mosquitto {
    Mosquitto::start(&MosquittoConfig::default()).unwrap()
}

/// How often the broker has let the source in.
fn welcomes(broker: &Mosquitto) -> usize {
    count(broker, "Sending CONNACK to lavka-sensors-0")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_network_loses_nothing_of_a_kept_session() {
    for version in VERSIONS {
        for qos in [1, 2] {
            let broker = broker();
            let network = Network::to(broker.port());
            let entries = [("lavka.mqtt.version", version), ("mqtt.qos", &qos.to_string())];
            let mut source = Source::subscribed(&config_for(network.port(), &entries), &broker).await;
            publish(&broker, "t/1", qos, &numbers(60)).await;
            // Cut while some are delivered, some handed out, and some on their way.
            let taken = source.take(10).await;
            source.deliver(&taken[..5]);
            network.cut();
            publish(&broker, "t/1", qos, &["meanwhile".into()]).await;
            // Of the connection before: they come again, and are acknowledged then.
            source.deliver(&taken[5..]);
            let before = welcomes(&broker);
            network.heal();
            until(|| welcomes(&broker) > before).await;
            let expected = [&numbers(60)[payloads(&taken).len()..], &["meanwhile".to_owned()]].concat();
            source.drain_all(&expected).await;
            assert_eq!(count(&broker, "Received SUBSCRIBE from lavka-sensors-0"), 1, "{version}, QoS {qos}");
            assert_eq!(count(&broker, "protocol error"), 0, "{version}, QoS {qos}: {}", broker.log());
            source.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_a_clean_session_goes_on_without_what_came_meanwhile() {
    for version in VERSIONS {
        let broker = broker();
        let network = Network::to(broker.port());
        let entries = [("lavka.mqtt.version", version), ("mqtt.clean.session.enabled", "true")];
        let mut source = Source::subscribed(&config_for(network.port(), &entries), &broker).await;
        publish(&broker, "t/1", 1, &["before".into()]).await;
        let before = source.take(1).await;
        assert_eq!(payloads(&before), ["before"]);
        network.cut();
        until(|| count(&broker, "Client lavka-sensors-0 closed its connection") == 1).await;
        publish(&broker, "t/1", 1, &["meanwhile".into()]).await;
        let subscriptions = count(&broker, "Sending SUBACK to lavka-sensors-0");
        network.heal();
        until(|| count(&broker, "Sending SUBACK to lavka-sensors-0") > subscriptions).await;
        // Its acknowledgement is of no use to anybody any more.
        source.deliver(&before);
        publish(&broker, "t/1", 1, &["after".into()]).await;
        assert_eq!(payloads(&source.drain(1).await), ["after"], "{version}");
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_goes_silent_is_noticed() {
    let broker = broker();
    let network = Network::to(broker.port());
    let entries = [("mqtt.keepalive.interval.seconds", "1")];
    let mut source = Source::subscribed(&config_for(network.port(), &entries), &broker).await;
    let before = welcomes(&broker);
    network.lose();
    publish(&broker, "t/1", 1, &numbers(5)).await;
    source.drain_all(&numbers(5)).await;
    assert!(welcomes(&broker) > before);
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_network_costs_the_sink_time_and_nothing_else() {
    for version in VERSIONS {
        let broker = broker();
        let entries = [("mqtt.topics", "d/#")];
        let mut devices = Source::subscribed(&config_for(broker.port(), &entries), &broker).await;
        let network = Network::to(broker.port());
        let mut sink = Sink::start(&sink::config(network.port(), &[("lavka.mqtt.version", version)])).await;
        sink.put(&numbered(10), false).await.unwrap();
        devices.drain_all(&numbers(10)).await;
        network.cut();
        let batch = numbered(300);
        let (put, ()) = tokio::join!(sink.put(&batch, false), async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            network.heal();
        });
        assert_eq!(put.unwrap(), []);
        devices.drain_all(&numbers(300)).await;
        devices.stop().await;
    }
}
