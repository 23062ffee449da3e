//! What the demo prints at its end, and whether all is well.

use std::path::Path;
use std::time::Duration;

use super::devices::Sent;
use super::readback::{Holdings, LakeFile};
use super::setup::PREDICTION;

/// Files listed.
const LISTED: usize = 12;

/// Prints what was read back from the lake; whether every reading that was sent is there.
pub(super) fn print(
    sent: &Sent,
    lake: &Path,
    files: &[LakeFile],
    holdings: &Holdings,
    sending: Duration,
) -> bool {
    let readings = sent.readings();
    let arrived = holdings.different();
    let missing = readings.saturating_sub(arrived);
    let rate = per_second(arrived, sending);
    println!("readings sent        {readings} ({} abnormal)", sent.anomalies());
    println!(
        "in the lake          {arrived} different, {} rows ({} repeats by MQTT)",
        holdings.rows,
        holdings.rows - arrived
    );
    println!("missing              {missing}");
    println!("scored               {} ({} flagged as abnormal)", holdings.scored, holdings.flagged);
    println!("throughput           {rate:.0} readings/s");
    println!(
        "latency to the lake  p50 {} ms, p99 {} ms (device to complete Parquet file)",
        quantile(&holdings.latencies, 50),
        quantile(&holdings.latencies, 99)
    );
    if let Some(megabytes) = resident_megabytes() {
        println!("memory               {megabytes} MB resident (worker, both brokers and the devices)");
    }
    println!("\n{}", lake.display());
    for file in files.iter().take(LISTED) {
        let name = file.path.strip_prefix(lake).unwrap_or(&file.path);
        println!("  {:<60} {:>8} rows {:>10} bytes", name.display(), file.rows, file.bytes);
    }
    if files.len() > LISTED {
        println!("  … and {} more files", files.len() - LISTED);
    }
    println!("\n  id        device    {PREDICTION}");
    for (id, device, prediction) in &holdings.samples {
        println!("  {id:<9} {device:<9} {prediction:.4}");
    }
    missing == 0 && readings > 0
}

fn quantile(sorted: &[i64], percent: usize) -> i64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a rate to show")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(0.001)
}

fn resident_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024)
}
