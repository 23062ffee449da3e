//! Pages on what is no plugin's own: the worker, what all connectors share, Kafka's clients.

use std::fmt::Write as _;

use lavka_api::config::{Config, ConfigDef, key};
use lavka_api::plugin::{PluginKind, TaskId};
use lavka_engine::chain::transform_framework_keys;
use lavka_kafka::{KeyFate, key_fate};
use lavka_worker::config::{
    Clients, WorkerConfig, framework_definition, ignored_worker_key, topic_group_definition,
};

use super::keys::{reasons, section};
use super::{Page, kafka_keys};

pub(super) fn finished(path: &str, mut text: String) -> Page {
    text.truncate(text.trim_end().len());
    text.push('\n');
    Page { path: path.into(), text }
}

/// Keys of worker files.
pub(super) fn worker() -> Page {
    let definition = WorkerConfig::definition();
    let mut text = String::from(
        "# Worker\n\n\
         The keys of a worker's properties file. Keys of its converters follow theirs (`key.converter.`, \
         `value.converter.`, `header.converter.`). Keys of [Kafka clients](kafka-clients.md) without a prefix are for \
         the worker's own; behind `producer.`, `consumer.` and `admin.` they are for those of all connectors.\n\n\
         The file is a Java properties file. Text beyond ASCII may be UTF-8 or `\\uXXXX`; bytes that are not UTF-8 are \
         read as ISO-8859-1, as Java does. An unknown key is named in the log.\n\n",
    );
    text.push_str(&section(&definition, 2));
    let idle = kafka_keys::of(kafka_keys::WORKER)
        .filter(|name| definition.get(name).is_none())
        .filter_map(|name| Some((name, ignored_worker_key(name)?.to_owned())));
    let idle: Vec<(&str, String)> = idle.collect();
    if !idle.is_empty() {
        text.push_str("## Keys of Kafka Connect without effect\n\n");
        text.push_str(&reasons(idle.into_iter()));
    }
    finished("worker.md", text)
}

/// Keys that all connectors have.
pub(super) fn connector() -> Page {
    let mut text = String::from(
        "# Every connector\n\n\
         Keys of the framework. They come besides the connector's own.\n\n",
    );
    let sink = framework_definition(PluginKind::Sink);
    let source = framework_definition(PluginKind::Source);
    let part = |of: &ConfigDef, wanted: &dyn Fn(&str) -> bool| {
        let mut part = ConfigDef::new();
        for key in of.iter().filter(|key| wanted(&key.name)) {
            part.add(key.clone());
        }
        part
    };
    let shared = part(&sink, &|name| source.get(name).is_some());
    text.push_str("## Sources and sinks\n\n");
    text.push_str(&section(&shared, 3));
    text.push_str("## Sinks\n\n");
    text.push_str(&section(&part(&sink, &|name| source.get(name).is_none()), 3));
    text.push_str("## Sources\n\n");
    text.push_str(&section(&part(&source, &|name| sink.get(name).is_none()), 3));
    text.push_str(
        "### New topics\n\n\
         A source connector with any `topic.creation.` key creates the topics that its records go to and that are \
         missing, unless the worker says `topic.creation.enable=false`. Any other key behind \
         `topic.creation.ALIAS.` is a setting of the new topics (`cleanup.policy`, `retention.ms` …). A topic that is \
         there is left as it is. Without such a key a topic that is missing is left to the broker \
         (`auto.create.topics.enable`).\n\n\
         ```properties\n\
         topic.creation.default.replication.factor=3\n\
         topic.creation.default.partitions=6\n\
         topic.creation.groups=state\n\
         topic.creation.state.include=.*-state\n\
         topic.creation.state.cleanup.policy=compact\n\
         ```\n\n",
    );
    for alias in ["default", "ALIAS"] {
        text.push_str(&section(&topic_group_definition(alias), 4));
    }
    text.push_str(
        "## Transforms and predicates\n\n\
         `transforms` lists aliases of one's own choice, in the order in which records go through them; \
         `transforms.ALIAS.type` names the class, and its keys follow behind `transforms.ALIAS.`. In the same way \
         `predicates` lists conditions. A transform with a `predicate` leaves alone the records for which it does not \
         hold.\n\n\
         ```properties\n\
         transforms=route\n\
         transforms.route.type=org.apache.kafka.connect.transforms.RegexRouter\n\
         transforms.route.regex=(.*)\n\
         transforms.route.replacement=live-$1\n\
         transforms.route.predicate=deleted\n\
         transforms.route.negate=true\n\
         predicates=deleted\n\
         predicates.deleted.type=org.apache.kafka.connect.transforms.predicates.RecordIsTombstone\n\
         ```\n\n",
    );
    let mut own = ConfigDef::new();
    own.add(
        key::<lavka_api::config::ClassName>("type")
            .high()
            .doc("Class name or alias of the transform.")
            .into_def(),
    );
    own.extend(transform_framework_keys());
    text.push_str(&section(&own.embedded("transforms.ALIAS.", "Keys of every transform"), 3));
    let mut own = ConfigDef::new();
    own.add(
        key::<lavka_api::config::ClassName>("type")
            .high()
            .doc("Class name or alias of the predicate.")
            .into_def(),
    );
    text.push_str(&section(&own.embedded("predicates.ALIAS.", "Keys of every predicate"), 3));
    text.push_str(
        "## Converters\n\n\
         A connector that names a converter (`value.converter`) gives it its keys too (`value.converter.…`); those of \
         the worker's file do not count then. One that names none has the worker's converter with the worker's keys.\n\n\
         ## Kafka clients\n\n\
         `producer.override.KEY`, `consumer.override.KEY` and `admin.override.KEY` set a key of a [Kafka \
         client](kafka-clients.md) for one connector, as far as the worker's \
         `connector.client.config.override.policy` allows.\n",
    );
    finished("connector.md", text)
}

/// Keys of Kafka's clients.
pub(super) fn clients() -> Page {
    let mut text = String::from(
        "# Kafka clients\n\n\
         Clients take the keys of Java's clients, by the same names and with the same values; they are [translated for \
         librdkafka](kafka-client-keys.md). Where a key is set in several places, the later counts:\n\n\
         1. what Connect sets (below)\n\
         2. the worker's file: `producer.KEY`, `consumer.KEY`, `admin.KEY`\n\
         3. a connector's configuration: `producer.override.KEY`, `consumer.override.KEY`, `admin.override.KEY`\n\n\
         Security settings of the worker (`security.protocol`, `sasl.…`, `ssl.…` without prefix) are for admin clients \
         alone, its own and those of connectors, as in Kafka Connect: repeat them behind `producer.` and `consumer.`. Key stores are PEM files.\n\n",
    );
    text.push_str(&defaults());
    for (title, kind) in super::client_keys::CLIENTS {
        let names = || kafka_keys::of(kafka_keys::section(kind));
        let understood: Vec<String> = names()
            .filter(|name| key_fate(kind, name) == KeyFate::Understood)
            .map(|name| format!("`{name}`"))
            .collect();
        let _ = writeln!(text, "## {title}\n\nWith effect: {}.\n\nWithout effect:\n", understood.join(", "));
        let idle = names().filter_map(|name| match key_fate(kind, name) {
            KeyFate::Ignored(why) => Some((name, why.to_owned())),
            KeyFate::Understood | KeyFate::Unknown => None,
        });
        text.push_str(&reasons(idle));
    }
    finished("kafka-clients.md", text)
}

/// What Connect sets, as the worker's own code answers.
fn defaults() -> String {
    let worker = Config::from([
        ("bootstrap.servers", "SERVERS"),
        ("key.converter", "-"),
        ("value.converter", "-"),
        ("offset.storage.file.filename", "-"),
    ]);
    let Ok(worker) = WorkerConfig::new(worker) else { return String::new() };
    let (clients, none) = (Clients::new(&worker), Config::new());
    let task = TaskId { connector: "NAME".into(), task: 0 };
    let mut text = String::from("## What Connect sets\n\n| client | settings |\n|---|---|\n");
    for (client, config) in [
        ("producer of a source task", clients.producer(&task, &none)),
        ("consumer of a sink task", clients.consumer(&task, &none)),
        ("producer of dead letters", clients.dead_letter_producer(&task, &none)),
        ("admin client of a connector", clients.admin("NAME", &none)),
        ("admin client that creates topics", clients.topic_admin(&task, &none)),
    ] {
        let settings: Vec<String> =
            config.iter().map(|(key, value)| format!("`{key}={}`", value.unwrap_or_default())).collect();
        let _ = writeln!(text, "| {client} | {} |", settings.join("<br>"));
    }
    text.push_str(
        "\n`SERVERS` are the worker's, `NAME` is the connector's name, 0 the number of the task.\n\n",
    );
    text
}
