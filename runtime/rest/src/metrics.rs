//! `GET /metrics`: what the worker, its connectors and tasks count and measure, as Prometheus reads it.
//!
//! Connect has no such path: there a JMX exporter runs beside it. Names and labels are those that the exporter gives by
//! the rules that are in use for Connect and for Debezium ([`METRIC_NAMES`]), so that their dashboards and alerts go on
//! working.

use std::collections::BTreeMap;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use lavka_api::plugin::PluginKind;
use lavka_telemetry::exposition::{Families, Format, Kind};
use lavka_telemetry::metrics::{PLUGINS, Sample};
use lavka_telemetry::redaction;
use lavka_worker::{ConnectorInfo, ConnectorStatus, State, Status, WorkerHandle};

/// The most bytes of an answer: some 300,000 values.
const MOST: usize = 32 << 20;

/// What metrics are named: the MBean and attribute in Java, the metric here, its labels. As Markdown.
pub const METRIC_NAMES: &[[&str; 3]] = &[
    [
        "`kafka.connect:type=app-info`: `version`, `commit-id`",
        "`kafka_connect_version_info`, `kafka_connect_commit_id_info`, which are 1",
        "`version`, `commit_id`",
    ],
    ["`kafka.connect:type=connect-worker-metrics`: `NAME`", "`kafka_connect_worker_NAME`", ""],
    [
        "`kafka.connect:type=connect-worker-metrics,connector=C`: `NAME`",
        "`kafka_connect_worker_NAME`",
        "`connector`",
    ],
    [
        "`kafka.connect:type=connector-metrics,connector=C`: `connector-class`, `connector-type`, `connector-version`, \
         `status`",
        "`kafka_connect_connector_NAME`, which is 1",
        "`connector`, and the attribute",
    ],
    [
        "`kafka.connect:type=connector-task-metrics,connector=C,task=T`: `status`",
        "`kafka_connect_connector_task_status`, which is 1",
        "`connector`, `task`, `status`",
    ],
    [
        "`kafka.connect:type=TYPE-metrics,connector=C,task=T`: `NAME`; TYPE is `source-task`, `sink-task` or `task-error`",
        "`kafka_connect_TYPE_NAME`",
        "`connector`, `task`",
    ],
    [
        "`kafka.connect:type=plugins,connector=C,task=T`: `NAME` (KIP-877)",
        "`kafka_connect_plugins_NAME`",
        "`connector`, `task`",
    ],
    [
        "`debezium.postgres:type=connector-metrics,context=X,server=S`: `NAME`",
        "`debezium_metrics_NAME`",
        "`context`, `plugin` (`postgres`), `name` (`topic.prefix`); besides `connector`, `task`; `table` or `key` of maps",
    ],
];

/// The answer in this format.
pub(crate) fn answer(worker: &WorkerHandle, format: Format) -> Response {
    let mut families = Families::new(MOST);
    about_worker(worker, &mut families);
    for sample in worker.metrics() {
        about_task(&sample, &mut families);
    }
    ([(header::CONTENT_TYPE, format.content_type())], families.text(format)).into_response()
}

fn about_worker(worker: &WorkerHandle, families: &mut Families) {
    let info = worker.server_info();
    for (name, value) in [("version", &info.version), ("commit-id", &info.commit)] {
        let help = format!("{name} of kafka.connect:type=app-info");
        families.add(&format!("kafka_connect_{name}_info"), Kind::Gauge, &help, &[(name, value)], 1.0);
    }
    let (mut connectors, mut tasks) = (0_u32, 0_u32);
    for name in worker.connectors() {
        // One that was deleted since is left out.
        let (Ok(info), Ok(status)) = (worker.info(&name), worker.status(&name)) else { continue };
        connectors += 1;
        tasks += info.tasks;
        about_connector(&info, &status, families);
    }
    for (name, value) in [("connector-count", connectors), ("task-count", tasks)] {
        of_worker(name, &[], f64::from(value), families);
    }
}

fn of_worker(name: &str, labels: &[(&str, &str)], value: f64, families: &mut Families) {
    let help = format!("{name} of kafka.connect:type=connect-worker-metrics");
    families.add(&format!("kafka_connect_worker_{name}"), Kind::Gauge, &help, labels, value);
}

fn about_connector(info: &ConnectorInfo, status: &ConnectorStatus, families: &mut Families) {
    let connector = ("connector", info.name.as_str());
    let class = info.config.get("connector.class").unwrap_or_default();
    let version = status.connector.version.as_deref().unwrap_or_default();
    for (name, value) in [
        ("connector-class", class),
        ("connector-type", info.kind.map_or("unknown", PluginKind::name)),
        ("connector-version", version),
        ("status", &state(&status.connector)),
    ] {
        let help = format!("{name} of kafka.connect:type=connector-metrics");
        let labels = [connector, (name, value)];
        families.add(&format!("kafka_connect_connector_{name}"), Kind::Gauge, &help, &labels, 1.0);
    }
    let mut counts: BTreeMap<&str, u32> = STATES
        .map(|(_, name)| (name, 0))
        .into_iter()
        .chain([("connector-total-task-count", info.tasks)])
        .collect();
    for (number, status) in &status.tasks {
        for (_, name) in STATES.iter().filter(|(of, _)| *of == status.state) {
            *counts.entry(name).or_default() += 1;
        }
        let help = "status of kafka.connect:type=connector-task-metrics";
        let labels = [connector, ("task", &number.to_string()), ("status", &state(status))];
        families.add("kafka_connect_connector_task_status", Kind::Gauge, help, &labels, 1.0);
    }
    for (name, count) in counts {
        of_worker(name, &[connector], f64::from(count), families);
    }
}

/// What tasks in each state are counted as.
const STATES: [(State, &str); 5] = [
    (State::Running, "connector-running-task-count"),
    (State::Paused, "connector-paused-task-count"),
    (State::Failed, "connector-failed-task-count"),
    (State::Unassigned, "connector-unassigned-task-count"),
    (State::Restarting, "connector-restarting-task-count"),
];

fn state(status: &Status) -> String {
    status.state.name().to_ascii_lowercase()
}

fn about_task(sample: &Sample, families: &mut Families) {
    let Sample { group, connector, task, name, labels, value } = sample;
    let task = task.to_string();
    let shown: Vec<_> = labels.iter().map(|(label, of)| (*label, redaction::for_log(of))).collect();
    let mut labels = vec![("connector", connector.as_str()), ("task", task.as_str())];
    labels.extend(shown.iter().map(|(label, of)| (*label, &**of)));
    // A name with a point is that of an attribute of an MBean of Debezium's.
    if let Some((context, attribute)) = name.split_once('.').filter(|_| *group == PLUGINS) {
        labels.push(("context", context));
        let name = format!("debezium_metrics_{attribute}");
        let help = format!("{attribute}, as Debezium's MBeans name theirs");
        families.add(&name, Kind::Unknown, &help, &labels, *value);
        return;
    }
    let kind = if name.ends_with("-total") { Kind::Counter } else { Kind::Gauge };
    let help = format!("{name} of kafka.connect:type={group}");
    let group = group.strip_suffix("-metrics").unwrap_or(group);
    families.add(&format!("kafka_connect_{group}_{name}"), kind, &help, &labels, *value);
}
