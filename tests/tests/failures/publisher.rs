//! A device that knows which of its messages the MQTT server has accepted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use lavka_testkit::{eventually, unique};
use rumqttc::{Client, Connection, Event, MqttOptions, Outgoing, Packet, PubAck, PubRec, QoS};

/// Publishes readings `{"id": n, "device": "d0", "text": "…"}`, ids counting up from 0, on the topics
/// `sensors/<device>/reading` with QoS 1.
pub(crate) struct Publisher {
    client: Client,
    ledger: Arc<Mutex<Ledger>>,
    meters: bool,
    next: u64,
    connection: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Ledger {
    /// Handed to the client, not yet on the wire.
    queued: VecDeque<u64>,
    /// On the wire, by packet id.
    sent: HashMap<u16, u64>,
    accepted: HashSet<u64>,
}

/// Devices, each with a topic of its own.
const DEVICES: u64 = 8;
/// Unacknowledged messages; fewer than Mosquitto keeps under way to a client.
const INFLIGHT: u16 = 50;

impl Publisher {
    pub(crate) fn connect(port: u16) -> Self {
        Self::connect_as(port, None)
    }

    pub(crate) fn connect_as(port: u16, user: Option<(&str, &str)>) -> Self {
        let mut options = MqttOptions::new(unique("device"), "127.0.0.1", port);
        options.set_clean_session(false).set_inflight(INFLIGHT).set_keep_alive(Duration::from_secs(5));
        if let Some((user, password)) = user {
            options.set_credentials(user, password);
        }
        let (client, connection) = Client::new(options, 100);
        let ledger = Arc::<Mutex<Ledger>>::default();
        let shared = Arc::clone(&ledger);
        let connection = std::thread::spawn(move || drive(connection, &shared));
        Self { client, ledger, meters: false, next: 0, connection: Some(connection) }
    }

    /// Publishes every second reading on `meters/<device>/reading` with QoS 2 instead.
    pub(crate) fn with_meters(mut self) -> Self {
        self.meters = true;
        self
    }

    /// Publishes `count` more readings; waits for room, not for their acceptance.
    pub(crate) fn publish(&mut self, count: u64) {
        for _ in 0..count {
            let text = format!("reading {:08}", self.next);
            self.publish_one(&text);
        }
    }

    /// Publishes one more reading with this text.
    pub(crate) fn publish_one(&mut self, text: &str) {
        let (id, device) = (self.next, self.next % DEVICES);
        self.next += 1;
        let reading = format!("{{\"id\":{id},\"device\":\"d{device}\",\"text\":\"{text}\"}}");
        lock(&self.ledger).queued.push_back(id);
        let (kind, qos) = match self.meters && id % 2 == 1 {
            false => ("sensors", QoS::AtLeastOnce),
            true => ("meters", QoS::ExactlyOnce),
        };
        self.client.publish(format!("{kind}/{device}/reading"), qos, false, reading).unwrap();
    }

    /// How many were published.
    pub(crate) fn published(&self) -> u64 {
        self.next
    }

    /// Waits until the server has accepted all of them.
    #[track_caller]
    pub(crate) fn wait_accepted(&self, limit: Duration) {
        eventually("the MQTT server to accept all readings", limit, || {
            (lock(&self.ledger).accepted.len() == usize::try_from(self.next).unwrap()).then_some(())
        });
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Fails where the connection is gone already.
        let _ = self.client.try_disconnect();
        if let Some(connection) = self.connection.take().filter(|_| !std::thread::panicking()) {
            let _ = connection.join();
        }
    }
}

fn drive(mut connection: Connection, ledger: &Mutex<Ledger>) {
    for event in connection.iter() {
        match event {
            Ok(Event::Outgoing(Outgoing::Publish(packet))) => {
                let mut ledger = lock(ledger);
                // A packet id that is known is a message sent again after a lost connection.
                if !ledger.sent.contains_key(&packet)
                    && let Some(id) = ledger.queued.pop_front()
                {
                    ledger.sent.insert(packet, id);
                }
            }
            // With PUBREC a message is the server's, as it is with PUBACK.
            Ok(Event::Incoming(Packet::PubAck(PubAck { pkid }) | Packet::PubRec(PubRec { pkid }))) => {
                let mut ledger = lock(ledger);
                if let Some(id) = ledger.sent.remove(&pkid) {
                    ledger.accepted.insert(id);
                }
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(_) => {}
            // The client connects again by itself.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn lock(ledger: &Mutex<Ledger>) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
