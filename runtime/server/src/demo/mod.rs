//! `lavka demo`: sensors → MQTT → Kafka → scored → Parquet, on this machine, set up over the REST API.

mod devices;
mod mqtt;
mod readback;
mod setup;
mod summary;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lavka_api::{Error, Result};
use lavka_devbroker::{Broker, BrokerConfig};
use lavka_telemetry::log::{LogControl, LogLevel, ROOT};
use lavka_telemetry::metrics::Metrics;

use devices::Sent;
use readback::{Holdings, LakeFile};
use setup::Pipeline;

/// What the demo can be told.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// A Kafka cluster to use; an embedded broker if `None`.
    pub bootstrap: Option<String>,
    /// How long devices send.
    pub duration: Duration,
    /// Devices.
    pub devices: u64,
    /// Readings a second, all devices together.
    pub rate: u64,
    /// Where the lake goes; a new temporary folder if `None`.
    pub folder: Option<PathBuf>,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { bootstrap: None, duration: Duration::from_secs(20), devices: 300, rate: 2000, folder: None }
    }
}

/// How long what was sent may take to arrive after the devices stopped.
const DRAIN: Duration = Duration::from_secs(60);

/// Runs the demo; whether every reading arrived. `log` is silenced when the brokers end, since clients that see their
/// broker go would complain about it.
///
/// # Errors
/// Where something cannot be started; the message says what.
pub async fn run(options: DemoOptions, log: &LogControl) -> Result<bool> {
    let folder = match &options.folder {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("lavka-demo-{}", std::process::id())),
    };
    std::fs::create_dir_all(&folder)?;
    let broker = match &options.bootstrap {
        Some(_) => None,
        None => Some(Broker::start(BrokerConfig::default()).await?),
    };
    let bootstrap =
        options.bootstrap.clone().or_else(|| broker.as_ref().map(Broker::bootstrap)).unwrap_or_default();
    println!("Kafka      {bootstrap}{}", if broker.is_some() { " (embedded, in memory)" } else { "" });
    let mqtt = mqtt::start_broker()?;
    println!("MQTT       127.0.0.1:{mqtt} (embedded)");
    let metrics = Metrics::new();
    let topic = topic(options.bootstrap.is_some());
    let pipeline = Pipeline::start(&bootstrap, &topic, mqtt, &folder, metrics.clone()).await?;
    println!("REST API   {}\nLake       {}\n", pipeline.rest_url(), pipeline.lake().display());
    pipeline.post_connectors().await?;
    pipeline.wait_until_readings_flow(mqtt).await?;

    println!(
        "\n{} devices send {} readings a second for {} s\n",
        options.devices,
        options.rate,
        options.duration.as_secs()
    );
    let began = Instant::now();
    let (sent, senders) = devices::start(mqtt, options.devices, options.rate);
    let progress = Progress { metrics, lake: pipeline.lake(), terminal: std::io::stdout().is_terminal() };
    while began.elapsed() < options.duration {
        tokio::time::sleep(Duration::from_millis(500)).await;
        progress.show(&sent, began.elapsed()).await?;
    }
    sent.stop();
    for sender in senders {
        let _ = sender.await;
    }
    let sending = began.elapsed();
    let (files, holdings) = progress.drain(&sent, began).await?;
    println!();
    let complete = summary::print(&sent, &pipeline.lake(), &files, &holdings, sending);
    if options.bootstrap.is_some() {
        println!("\nThe topic {topic} stays in your Kafka; delete it when you like.");
    }
    if std::io::stdout().is_terminal() {
        println!("\nThe worker stays up; look around at {} and end it with Ctrl-C.", pipeline.rest_url());
        let _ = tokio::signal::ctrl_c().await;
    }
    pipeline.shutdown().await;
    log.set(ROOT, LogLevel::Off, 0);
    if let Some(broker) = broker {
        broker.shutdown().await;
    }
    if options.folder.is_none() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    Ok(complete)
}

/// The topic of the readings: in a cluster of the user's, one that no earlier demo has left records in.
fn topic(in_a_users_cluster: bool) -> String {
    if !in_a_users_cluster {
        return "sensors".into();
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("lavka-demo-sensors-{}", since.as_secs())
}

struct Progress {
    metrics: Metrics,
    lake: PathBuf,
    terminal: bool,
}

impl Progress {
    /// Shows one line; the number of rows in the lake.
    async fn show(&self, sent: &Sent, elapsed: Duration) -> Result<u64> {
        let total = |name: &str| {
            self.metrics
                .snapshot()
                .iter()
                .filter(|sample| sample.name == name)
                .map(|sample| sample.value)
                .sum::<f64>()
        };
        let lake = self.lake.clone();
        let files = blocking(move || readback::files(&lake)).await?;
        // Probe readings and repeats count too here; `drain` and the summary count different ids.
        let rows = files.iter().map(|file| file.rows).sum::<u64>();
        let line = format!(
            "{:>4.1} s   sent {:>7}   in Kafka {:>7.0}   scored {:>7.0}   in the lake {:>7}   lag {:>6}",
            elapsed.as_secs_f64(),
            sent.readings(),
            total("source-record-write-total"),
            total("sink-record-send-total"),
            rows,
            sent.readings().saturating_sub(rows),
        );
        if self.terminal {
            use std::io::Write as _;
            print!("\r{line}");
            let _ = std::io::stdout().flush();
        } else {
            println!("{line}");
        }
        Ok(rows)
    }

    /// Waits until every reading is in the lake, but no longer than [`DRAIN`]; what is there then.
    async fn drain(&self, sent: &Sent, began: Instant) -> Result<(Vec<LakeFile>, Holdings)> {
        let deadline = Instant::now() + DRAIN;
        loop {
            let enough_rows = self.show(sent, began.elapsed()).await? >= sent.readings();
            let late = Instant::now() >= deadline;
            if enough_rows || late {
                let lake = self.lake.clone();
                let (files, holdings) = blocking(move || {
                    let files = readback::files(&lake)?;
                    let holdings = readback::read(&files, setup::PREDICTION, setup::THRESHOLD)?;
                    Ok((files, holdings))
                })
                .await?;
                if late || holdings.different() >= sent.readings() {
                    return Ok((files, holdings));
                }
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(Error::from),
        Err(crashed) => Err(Error::fatal(crashed.to_string())),
    }
}
