//! The page of metrics: what they are named, and which there are.

use std::fmt::Write as _;

use lavka_connector_postgres::MBEAN_ATTRIBUTES;
use lavka_rest::METRIC_NAMES;
use lavka_telemetry::metrics::{ErrorMetrics, Group, SinkTaskMetrics, SourceTaskMetrics};

use super::Page;

const INTRODUCTION: &str = "# Metrics

`GET /metrics` of the REST API tells what the worker, its connectors and tasks count and measure, for Prometheus to read:
its text format 0.0.4, or OpenMetrics 1.0 where that is accepted. Kafka Connect has no such path and needs a JMX exporter
beside it; names and labels here are those that the exporter gives by the rules in use for Connect (Strimzi's) and for
Debezium (its own), so that dashboards and alerts go on working.

| MBean and attributes in Java | metric | labels |
|---|---|---|
";

const NAMES: &str = "
Hyphens become underscores. What ends in `_total` is a counter. Maxima and averages are over the life of a task, not over a
window of time, and rates are left to Prometheus' `rate()`. An answer has at most 32 MiB; of what does not fit,
`lavka_metrics_left_out` is the number.

A scrape takes nothing but what is in memory: nothing is asked of Kafka or of databases for it.

## Tasks

";

const PLUGINS: &str = "
## Plugins

What a plugin counts and measures itself has names of its own: the lake sink has `file-*` (how large
files come out and what finished them), the MQTT source `message-dropped-total` and `message-skipped-total`, the CoAP
connectors theirs.

## PostgreSQL source

Attributes of Debezium's MBeans, and what becomes of them. The slot and three estimates are Lavka's own.

| context | attribute | |
|---|---|---|
";

const OWN: &str = "| `snapshot` | `RowsRead` | rows so far, of all tables |
| `snapshot` | `RowsEstimated` | rows that the tables have by the server's statistics; `NaN` where it has none |
| `snapshot` | `SecondsLeftEstimated` | seconds left, if it goes on as so far; `NaN` where there is no telling |
| `slot` | `LagBytes` | WAL that the server has written and the slot was not confirmed for |
| `slot` | `RetainedBytes` | WAL that the server keeps for the slot |
| `slot` | `SafeBytes` | WAL that may still be written before the slot is lost; `NaN` where there is no limit |
| `slot` | `Active` | 1 while somebody reads it |
| `slot` | `WalStatus` | 0 reserved, 1 extended, 2 unreserved, 3 lost, -1 where there is no such slot |
";

/// The page.
pub(super) fn page() -> Page {
    let mut text = INTRODUCTION.to_owned();
    // Writing to a string cannot fail.
    for [bean, metric, labels] in METRIC_NAMES {
        let _ = writeln!(text, "| {bean} | {metric} | {labels} |");
    }
    text.push_str(NAMES);
    group::<SourceTaskMetrics>(&mut text);
    group::<SinkTaskMetrics>(&mut text);
    group::<ErrorMetrics>(&mut text);
    text.push_str(PLUGINS);
    for attribute in MBEAN_ATTRIBUTES {
        let said = attribute.missing.map(|why| format!("not there: {why}")).unwrap_or_default();
        let _ = writeln!(text, "| `{}` | `{}` | {said} |", attribute.context, attribute.name);
    }
    text.push_str(OWN);
    Page { path: "metrics.md".into(), text }
}

fn group<M: Group>(text: &mut String) {
    let names: Vec<String> = M::NAMES.iter().map(|(name, _)| format!("`{name}`")).collect();
    let _ = writeln!(text, "- `{}`: {}", M::TYPE, names.join(", "));
}
