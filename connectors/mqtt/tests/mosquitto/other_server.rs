//! Servers that are not Mosquitto (rumqttd in this process, Aedes), so that no habit of Mosquitto's becomes ours.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

use lavka_testkit::{Aedes, Unavailable};

use crate::VERSIONS;
use crate::sink::{self, Sink};
use crate::source::{Source, config_for, numbers, payloads, until};

/// Starts a server for each version; their ports.
fn start() -> [u16; 2] {
    let ports = [(); 2].map(|()| lavka_testkit::free_port());
    let settings = |port: u16| ServerSettings {
        name: port.to_string(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 60_000,
            max_payload_size: 64 * 1024,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    let server = |port: u16| Some(HashMap::from([(port.to_string(), settings(port))]));
    let config = Config {
        id: 0,
        router: RouterConfig {
            max_connections: 100,
            max_outgoing_packet_count: 200,
            max_segment_size: 16 << 20,
            max_segment_count: 4,
            ..RouterConfig::default()
        },
        v4: server(ports[0]),
        v5: server(ports[1]),
        ws: None,
        cluster: None,
        console: None,
        bridge: None,
        prometheus: None,
        metrics: None,
    };
    // It ends with the process.
    std::thread::spawn(move || {
        if let Err(error) = Broker::new(config).start() {
            panic!("rumqttd: {error}");
        }
    });
    ports
}

#[tokio::test]
async fn from_sink_to_source_over_another_server() {
    let ports = start();
    for (version, port) in VERSIONS.into_iter().zip(ports) {
        until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).await;
        let mut source = Source::start(&config_for(port, &[("lavka.mqtt.version", version)])).await;
        let entries = [("lavka.mqtt.version", version), ("lavka.mqtt.topic", "t/${key}")];
        let mut sink = Sink::start(&sink::config(port, &entries)).await;
        // The subscription is there when something comes through.
        let probe = sink::batch(&[("probe", "probe")]);
        let mut came = Vec::new();
        while came.is_empty() {
            sink.put(&probe, false).await.unwrap();
            came = source.rest().await;
            source.deliver(&came);
        }
        for round in 0..5 {
            let texts: Vec<String> = (0..100).map(|number| format!("{round}-{number}")).collect();
            let records: Vec<(&str, &str)> = texts.iter().map(|text| ("a", text.as_str())).collect();
            sink.put(&sink::batch(&records), false).await.unwrap();
            let mut came = Vec::new();
            while came.len() < texts.len() {
                came.extend(payloads(&source.drain(1).await));
                // More than one was sent where the first took its time.
                came.retain(|text| text != "probe");
            }
            assert_eq!(came, texts, "{version}");
        }
        source.stop().await;
    }
}

/// Publishes to `t/KEY` by a sink of ours.
async fn publish(port: u16, qos: &str, retained: &str, records: &[(&str, &str)]) {
    let entries = [("mqtt.qos", qos), ("mqtt.retained.enabled", retained), ("lavka.mqtt.topic", "t/${key}")];
    let mut sink = Sink::start(&sink::config(port, &entries)).await;
    sink.put(&sink::batch(records), false).await.unwrap();
    sink.stop().await;
}

#[tokio::test]
async fn qualities_of_service_sessions_and_retained_messages_of_aedes() {
    let broker = match Aedes::start() {
        Ok(broker) => broker,
        Err(Unavailable::Unresolvable(_)) => {
            let test = "qualities_of_service_sessions_and_retained_messages_of_aedes";
            return lavka_testkit::cannot_run(test, "Aedes from npm");
        }
        Err(Unavailable::Broken(failure)) => panic!("{failure}"),
    };
    let port = broker.port();
    for qos in ["0", "1", "2"] {
        let topics = format!("t/{qos}");
        let config = config_for(port, &[("mqtt.topics", &topics), ("mqtt.qos", qos)]);
        publish(port, "1", "true", &[(qos, "state")]).await;
        let mut source = Source::start(&config).await;
        // The retained message tells that the subscription is there.
        assert_eq!(payloads(&source.drain(1).await), ["state"], "QoS {qos}");
        let texts = numbers(100);
        let records: Vec<(&str, &str)> = texts.iter().map(|text| (qos, text.as_str())).collect();
        publish(port, qos, "false", &records).await;
        if qos == "0" {
            assert_eq!(payloads(&source.drain(100).await), texts);
            source.stop().await;
            continue;
        }
        // What was not delivered comes again in the kept session, and what was published meanwhile.
        let taken = source.take(100).await;
        assert_eq!(payloads(&taken), texts, "QoS {qos}");
        source.deliver(&taken[..40]);
        source.stop().await;
        publish(port, qos, "false", &[(qos, "meanwhile")]).await;
        let mut source = Source::start(&config).await;
        source.drain_all(&[&texts[40..], &["meanwhile".to_owned()]].concat()).await;
        source.stop().await;
    }
}
