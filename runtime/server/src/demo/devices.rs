//! Simulated devices: twenty correlated channels each, now and then one that goes wrong.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::task::JoinHandle;

/// Channels of a device; the demo's model takes as many.
pub(super) const CHANNELS: usize = 20;
const FACTORS: usize = 5;
/// MQTT connections that the devices share.
const CONNECTIONS: u64 = 4;
/// One reading in so many is abnormal.
const ANOMALY: u64 = 200;

/// What has been sent so far.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Ids given out; they run from 0.
    ids: AtomicU64,
    /// Readings that the MQTT broker acknowledged.
    acknowledged: AtomicU64,
    /// Abnormal readings among them.
    anomalies: AtomicU64,
    stop: AtomicBool,
}

impl Sent {
    /// Readings sent.
    pub(super) fn readings(&self) -> u64 {
        self.ids.load(Relaxed)
    }

    /// Readings that the MQTT broker took over.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Relaxed)
    }

    /// Abnormal readings sent.
    pub(super) fn anomalies(&self) -> u64 {
        self.anomalies.load(Relaxed)
    }

    /// No more readings.
    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }
}

/// Starts `devices` devices that send `rate` readings a second, all together, until they are stopped.
pub(super) fn start(port: u16, devices: u64, rate: u64) -> (Arc<Sent>, Vec<JoinHandle<()>>) {
    let sent = Arc::new(Sent::default());
    let tasks = (0..CONNECTIONS)
        .map(|connection| {
            tokio::spawn(publish(port, connection, devices, rate / CONNECTIONS, Arc::clone(&sent)))
        })
        .collect();
    (sent, tasks)
}

async fn publish(port: u16, connection: u64, devices: u64, rate: u64, sent: Arc<Sent>) {
    let mut options = MqttOptions::new(format!("devices-{connection}"), "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(30)).set_inflight(100);
    let (client, mut events) = AsyncClient::new(options, 100);
    let counter = Arc::clone(&sent);
    let polling = tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => {
                    counter.acknowledged.fetch_add(1, Relaxed);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("devices cannot reach the MQTT broker: {error}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    });
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (connection + 1));
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    while !sent.stop.load(Relaxed) {
        tick.tick().await;
        for _ in 0..(rate / 100).max(1) {
            let device = (random.next() % devices) / CONNECTIONS * CONNECTIONS + connection;
            let abnormal = random.next().is_multiple_of(ANOMALY);
            let id = sent.ids.fetch_add(1, Relaxed);
            sent.anomalies.fetch_add(u64::from(abnormal), Relaxed);
            let payload = reading(i64::try_from(id).unwrap_or(i64::MAX), device, &random.channels(abnormal));
            if client
                .publish(format!("sensors/{device}/reading"), QoS::AtLeastOnce, false, payload)
                .await
                .is_err()
            {
                return;
            }
        }
    }
    // What is queued and in flight still goes out.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while sent.acknowledged() < sent.readings() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    polling.abort();
}

/// Sends single readings, to see whether they arrive.
pub(super) struct Probe {
    client: AsyncClient,
    polling: JoinHandle<()>,
}

impl Probe {
    pub(super) fn new(port: u16) -> Self {
        let (client, mut events) = AsyncClient::new(MqttOptions::new("probe", "127.0.0.1", port), 10);
        let polling = tokio::spawn(async move {
            loop {
                if events.poll().await.is_err() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
        Self { client, polling }
    }

    /// Sends an ordinary reading with this id.
    pub(super) async fn send(&self, id: i64) {
        let payload = reading(id, 0, &Random(7).channels(false));
        let _ = self.client.publish("sensors/probe/reading", QoS::AtLeastOnce, false, payload).await;
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

fn reading(id: i64, device: u64, channels: &[f64; CHANNELS]) -> String {
    let mut text =
        format!("{{\"id\":{id},\"device\":\"d-{device}\",\"sent_at\":{},\"channels\":{{", now_ms());
    for (i, value) in channels.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}\"x{i}\":{value:.4}");
    }
    text.push_str("}}");
    text
}

/// A small generator (xorshift): the same readings in every demo.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Roughly normal, by the sum of twelve uniform numbers.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| f64::from((self.next() >> 40) as u32) / f64::from(1u32 << 24)).sum::<f64>() - 6.0
    }

    /// Channels follow five hidden factors, which is what the model has learned; an abnormal reading does not.
    fn channels(&mut self, abnormal: bool) -> [f64; CHANNELS] {
        let factors: [f64; FACTORS] = std::array::from_fn(|_| self.normal());
        std::array::from_fn(|channel| {
            if abnormal {
                return self.normal() * 3.0;
            }
            let mixed: f64 =
                factors.iter().zip(&MIXING).map(|(factor, weights)| factor * weights[channel]).sum();
            mixed * 0.5 + self.normal() * 0.1
        })
    }
}

/// How the channels of the data that the model was trained on follow the hidden factors.
const MIXING: [[f64; CHANNELS]; FACTORS] = [
    [
        0.0825, -0.4644, 0.0505, 0.6862, -1.7568, 1.6844, -0.4578, -0.5964, -1.0470, 0.9318, 0.6750, 1.2444,
        0.8931, 0.2630, 0.3285, 0.9352, -0.8776, -0.0459, 0.3819, -0.4525,
    ],
    [
        0.7217, -0.3522, 0.6728, 0.1406, 0.4626, -1.5177, -0.8603, 1.3446, 0.1781, -0.0813, 0.9637, 0.7509,
        -0.0468, -0.6431, 1.9609, 0.6907, -1.5721, 0.8395, 0.7685, 0.8139,
    ],
    [
        -0.4039, 1.4713, -0.7480, 1.2111, 0.2926, 1.6973, -0.3886, 0.6964, 0.8448, -0.3238, 0.0113, -0.4146,
        0.4782, 0.6885, -0.2917, 0.3459, -0.5819, -0.5211, -1.9226, -1.1740,
    ],
    [
        -0.6739, 0.1082, 1.5203, 0.2690, 0.0914, 0.3479, -1.4015, 0.0484, -0.8681, -0.5737, 2.0363, 1.8474,
        0.9772, 0.5430, 0.5036, -0.9651, -1.2555, 0.3347, -0.4472, -0.7767,
    ],
    [
        -0.0803, -0.0725, 0.1892, -0.7396, 0.0173, -1.2393, 1.2268, 1.5192, -1.1044, 0.4273, -0.2210, 0.1137,
        0.0629, 1.1931, 0.5533, -0.8685, 0.0802, -0.0176, -0.7982, 0.2043,
    ],
];
