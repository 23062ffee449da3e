//! Examples on the pages. Connectors show a configuration from the `examples` folder; transforms and predicates show
//! records before and after, and what comes after is what comes out when the page is made.

use std::fmt::Write as _;

use lavka_api::config::Config;
use lavka_api::{Error, Result};

use super::plugin_page::Subject;
use crate::transform::{Answer, Bench};
use crate::worker_file::default_worker;

/// An example of one page.
pub(super) enum Example {
    /// A file of the `examples` folder.
    File { name: &'static str, text: &'static str },
    /// Keys of a sink, and records to send through its transforms.
    Records { settings: &'static str, records: &'static [&'static str] },
}

/// Class and file.
const FILES: [(&str, &str, &str); 5] = [
    (
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "file-source.json",
        include_str!("../../../../examples/file-source.json"),
    ),
    (
        "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "file-sink.json",
        include_str!("../../../../examples/file-sink.json"),
    ),
    (
        "io.confluent.connect.mqtt.MqttSourceConnector",
        "mqtt-source.json",
        include_str!("../../../../examples/mqtt-source.json"),
    ),
    (
        "io.lavka.connect.lake.LakeSinkConnector",
        "lake-sink.json",
        include_str!("../../../../examples/lake-sink.json"),
    ),
    ("io.lavka.transforms.Score", "score.json", include_str!("../../../../examples/score.json")),
];

/// The title of a page, the keys of a connector, and records.
type Row = (&'static str, &'static str, &'static [&'static str]);

const RECORDS: &[Row] = &[
    (
        "ByLogicalTableRouter",
        "transforms=shards\n\
         transforms.shards.type=io.debezium.transforms.ByLogicalTableRouter\n\
         transforms.shards.topic.regex=(.*)_\\\\d+\n\
         transforms.shards.topic.replacement=$1\n\
         transforms.shards.key.field.name=shard\n\
         key.converter=org.apache.kafka.connect.json.JsonConverter\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\n",
        &[
            r#"{"topic":"shop.orders_1","key":{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":false,"name":"shop.orders_1.Key"},"payload":{"id":7}},"value":{"schema":{"type":"struct","fields":[{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":false,"field":"state"}],"optional":true,"name":"shop.orders_1.Value","field":"before"},{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":false,"field":"state"}],"optional":true,"name":"shop.orders_1.Value","field":"after"},{"type":"struct","fields":[{"type":"string","optional":false,"field":"db"},{"type":"string","optional":false,"field":"table"},{"type":"int64","optional":false,"field":"ts_ms"}],"optional":false,"name":"io.debezium.connector.postgresql.Source","field":"source"},{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}],"optional":false,"name":"shop.orders_1.Envelope"},"payload":{"before":null,"after":{"id":7,"state":"new"},"source":{"db":"shop","table":"orders_1","ts_ms":1700000000000},"op":"c","ts_ms":1700000000000}}}"#,
        ],
    ),
    (
        "Cast",
        "transforms=cast\n\
         transforms.cast.type=org.apache.kafka.connect.transforms.Cast$Value\n\
         transforms.cast.spec=temperature:float64,count:int8,ok:boolean\n",
        &[
            r#"{"topic":"t","value":{"temperature":"21.50","count":7,"ok":"true"}}"#,
            r#"{"topic":"t","value":{"temperature":"warm","count":7,"ok":"true"}}"#,
        ],
    ),
    (
        "Drop",
        "transforms=drop\n\
         transforms.drop.type=io.confluent.connect.transforms.Drop$Key\n",
        &[r#"{"topic":"t","key":"k","value":{"a":1}}"#],
    ),
    (
        "DropHeaders",
        "transforms=drop\n\
         transforms.drop.type=org.apache.kafka.connect.transforms.DropHeaders\n\
         transforms.drop.headers=trace,span\n",
        &[
            r#"{"topic":"t","headers":[{"key":"trace","value":"a1"},{"key":"tenant","value":"x"}],"value":{"a":1}}"#,
        ],
    ),
    (
        "EventRouter",
        "transforms=outbox\n\
         transforms.outbox.type=io.debezium.transforms.outbox.EventRouter\n\
         transforms.outbox.route.topic.replacement=${routedByValue}.events\n\
         transforms.outbox.table.fields.additional.placement=type:header:eventType\n\
         transforms.outbox.table.expand.json.payload=true\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\n",
        &[
            r#"{"topic":"shop.outbox","value":{"schema":{"type":"struct","fields":[{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"},{"type":"string","optional":false,"field":"aggregatetype"},{"type":"string","optional":false,"field":"aggregateid"},{"type":"string","optional":false,"field":"type"},{"type":"string","optional":false,"field":"payload"}],"optional":true,"name":"shop.outbox.Value","field":"before"},{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"},{"type":"string","optional":false,"field":"aggregatetype"},{"type":"string","optional":false,"field":"aggregateid"},{"type":"string","optional":false,"field":"type"},{"type":"string","optional":false,"field":"payload"}],"optional":true,"name":"shop.outbox.Value","field":"after"},{"type":"struct","fields":[{"type":"string","optional":false,"field":"db"},{"type":"string","optional":false,"field":"table"},{"type":"int64","optional":false,"field":"ts_ms"}],"optional":false,"name":"io.debezium.connector.postgresql.Source","field":"source"},{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}],"optional":false,"name":"shop.outbox.Envelope"},"payload":{"before":null,"after":{"id":"e-1","aggregatetype":"order","aggregateid":"7","type":"OrderPaid","payload":"{\"total\":9.5}"},"source":{"db":"shop","table":"outbox","ts_ms":1700000000000},"op":"c","ts_ms":1700000000000}}}"#,
        ],
    ),
    (
        "ExtractNewRecordState",
        "transforms=row\n\
         transforms.row.type=io.debezium.transforms.ExtractNewRecordState\n\
         transforms.row.delete.tombstone.handling.mode=rewrite\n\
         transforms.row.add.fields=op,source.ts_ms\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\n",
        &[
            r#"{"topic":"shop.orders","value":{"schema":{"type":"struct","fields":[{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":false,"field":"state"}],"optional":true,"name":"shop.orders.Value","field":"before"},{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":false,"field":"state"}],"optional":true,"name":"shop.orders.Value","field":"after"},{"type":"struct","fields":[{"type":"string","optional":false,"field":"db"},{"type":"string","optional":false,"field":"table"},{"type":"int64","optional":false,"field":"ts_ms"}],"optional":false,"name":"io.debezium.connector.postgresql.Source","field":"source"},{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}],"optional":false,"name":"shop.orders.Envelope"},"payload":{"before":{"id":7,"state":"new"},"after":{"id":7,"state":"paid"},"source":{"db":"shop","table":"orders","ts_ms":1700000000000},"op":"u","ts_ms":1700000000000}}}"#,
            r#"{"topic":"shop.orders","value":{"schema":{"type":"struct","fields":[{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":false,"field":"state"}],"optional":true,"name":"shop.orders.Value","field":"before"},{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":false,"field":"state"}],"optional":true,"name":"shop.orders.Value","field":"after"},{"type":"struct","fields":[{"type":"string","optional":false,"field":"db"},{"type":"string","optional":false,"field":"table"},{"type":"int64","optional":false,"field":"ts_ms"}],"optional":false,"name":"io.debezium.connector.postgresql.Source","field":"source"},{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}],"optional":false,"name":"shop.orders.Envelope"},"payload":{"before":{"id":7,"state":"paid"},"after":null,"source":{"db":"shop","table":"orders","ts_ms":1700000000000},"op":"d","ts_ms":1700000000000}}}"#,
        ],
    ),
    (
        "ExtractField",
        "transforms=id\n\
         transforms.id.type=org.apache.kafka.connect.transforms.ExtractField$Key\n\
         transforms.id.field=id\n",
        &[r#"{"topic":"t","key":{"id":42,"region":"eu"},"value":{"a":1}}"#],
    ),
    (
        "ExtractTopic",
        "transforms=topic\n\
         transforms.topic.type=io.confluent.connect.transforms.ExtractTopic$Value\n\
         transforms.topic.field=kind\n",
        &[r#"{"topic":"t","value":{"kind":"orders","a":1}}"#],
    ),
    (
        "Filter",
        "transforms=drop\n\
         transforms.drop.type=org.apache.kafka.connect.transforms.Filter\n\
         transforms.drop.predicate=deleted\n\
         predicates=deleted\n\
         predicates.deleted.type=org.apache.kafka.connect.transforms.predicates.RecordIsTombstone\n",
        &[r#"{"topic":"t","key":"k","value":null}"#, r#"{"topic":"t","key":"k","value":{"a":1}}"#],
    ),
    (
        "Flatten",
        "transforms=flat\n\
         transforms.flat.type=org.apache.kafka.connect.transforms.Flatten$Value\n\
         transforms.flat.delimiter=_\n",
        &[r#"{"topic":"t","value":{"id":1,"place":{"x":2,"y":{"z":3}}}}"#],
    ),
    (
        "GzipDecompress",
        "transforms=unpack\n\
         transforms.unpack.type=io.confluent.connect.transforms.GzipDecompress$Value\n\
         value.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n",
        &[r#"{"topic":"t","value":{"base64":"H4sIAAAAAAAAA/NIzcnJVyjPL8pJAQBSntaLCwAAAA=="}}"#],
    ),
    (
        "HeaderFrom",
        "transforms=up\n\
         transforms.up.type=org.apache.kafka.connect.transforms.HeaderFrom$Value\n\
         transforms.up.fields=tenant\n\
         transforms.up.headers=x-tenant\n\
         transforms.up.operation=move\n",
        &[r#"{"topic":"t","value":{"tenant":"x","a":1}}"#],
    ),
    (
        "HoistField",
        "transforms=wrap\n\
         transforms.wrap.type=org.apache.kafka.connect.transforms.HoistField$Value\n\
         transforms.wrap.field=line\n",
        &[r#"{"topic":"t","value":"one"}"#],
    ),
    (
        "InsertField",
        "transforms=origin\n\
         transforms.origin.type=org.apache.kafka.connect.transforms.InsertField$Value\n\
         transforms.origin.topic.field=topic\n\
         transforms.origin.offset.field=offset\n\
         transforms.origin.static.field=site\n\
         transforms.origin.static.value=north\n",
        &[r#"{"topic":"t","partition":0,"offset":7,"value":{"a":1}}"#],
    ),
    (
        "InsertHeader",
        "transforms=mark\n\
         transforms.mark.type=org.apache.kafka.connect.transforms.InsertHeader\n\
         transforms.mark.header=site\n\
         transforms.mark.value.literal=north\n",
        &[r#"{"topic":"t","value":{"a":1}}"#],
    ),
    (
        "MaskField",
        "transforms=mask\n\
         transforms.mask.type=org.apache.kafka.connect.transforms.MaskField$Value\n\
         transforms.mask.fields=card,cvc\n",
        &[r#"{"topic":"t","value":{"name":"a","card":"4111","cvc":123}}"#],
    ),
    (
        "MessageTimestampRouter",
        "transforms=monthly\n\
         transforms.monthly.type=io.confluent.connect.transforms.MessageTimestampRouter\n\
         transforms.monthly.topic.timestamp.format=yyyyMM\n\
         transforms.monthly.message.timestamp.format=yyyy-MM-dd\n\
         transforms.monthly.message.timestamp.keys=sold,made\n",
        &[r#"{"topic":"t","value":{"made":"2023-11-14","a":1}}"#],
    ),
    (
        "RegexRouter",
        "transforms=route\n\
         transforms.route.type=org.apache.kafka.connect.transforms.RegexRouter\n\
         transforms.route.regex=db\\\\.(.*)\n\
         transforms.route.replacement=$1\n",
        &[r#"{"topic":"db.orders","value":{"a":1}}"#, r#"{"topic":"other","value":{"a":1}}"#],
    ),
    (
        "ReplaceField",
        "transforms=tidy\n\
         transforms.tidy.type=org.apache.kafka.connect.transforms.ReplaceField$Value\n\
         transforms.tidy.exclude=debug\n\
         transforms.tidy.renames=temp:temperature\n",
        &[r#"{"topic":"t","value":{"temp":21.5,"debug":"x","id":1}}"#],
    ),
    (
        "SetSchemaMetadata",
        "transforms=name\n\
         transforms.name.type=org.apache.kafka.connect.transforms.SetSchemaMetadata$Value\n\
         transforms.name.schema.name=com.example.Order\n\
         transforms.name.schema.version=2\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\n",
        &[
            r#"{"topic":"t","value":{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":false,"name":"row"},"payload":{"id":1}}}"#,
        ],
    ),
    (
        "TimestampConverter",
        "transforms=at\n\
         transforms.at.type=org.apache.kafka.connect.transforms.TimestampConverter$Value\n\
         transforms.at.field=at\n\
         transforms.at.target.type=string\n\
         transforms.at.format=yyyy-MM-dd'T'HH:mm:ss'Z'\n",
        &[r#"{"topic":"t","value":{"at":1700000000000,"a":1}}"#],
    ),
    (
        "TimestampRouter",
        "transforms=daily\n\
         transforms.daily.type=org.apache.kafka.connect.transforms.TimestampRouter\n\
         transforms.daily.topic.format=${topic}-${timestamp}\n\
         transforms.daily.timestamp.format=yyyyMMdd\n",
        &[r#"{"topic":"t","timestamp":1700000000000,"value":{"a":1}}"#],
    ),
    (
        "TombstoneHandler",
        "transforms=tombstones\n\
         transforms.tombstones.type=io.confluent.connect.transforms.TombstoneHandler\n\
         transforms.tombstones.behavior=ignore\n",
        &[r#"{"topic":"t","key":"k","value":null}"#],
    ),
    (
        "ValueToKey",
        "transforms=key\n\
         transforms.key.type=org.apache.kafka.connect.transforms.ValueToKey\n\
         transforms.key.fields=id\n",
        &[r#"{"topic":"t","key":null,"value":{"id":42,"a":1}}"#],
    ),
    (
        "HasHeaderKey",
        "transforms=drop\n\
         transforms.drop.type=org.apache.kafka.connect.transforms.Filter\n\
         transforms.drop.predicate=test\n\
         predicates=test\n\
         predicates.test.type=org.apache.kafka.connect.transforms.predicates.HasHeaderKey\n\
         predicates.test.name=x-test\n",
        &[
            r#"{"topic":"t","headers":[{"key":"x-test","value":"1"}],"value":{"a":1}}"#,
            r#"{"topic":"t","headers":[],"value":{"a":2}}"#,
        ],
    ),
    (
        "RecordIsTombstone",
        "transforms=mark\n\
         transforms.mark.type=org.apache.kafka.connect.transforms.InsertHeader\n\
         transforms.mark.header=op\n\
         transforms.mark.value.literal=delete\n\
         transforms.mark.predicate=deleted\n\
         predicates=deleted\n\
         predicates.deleted.type=org.apache.kafka.connect.transforms.predicates.RecordIsTombstone\n",
        &[r#"{"topic":"t","key":"k","value":null}"#, r#"{"topic":"t","key":"k","value":{"a":1}}"#],
    ),
    (
        "TopicNameMatches",
        "transforms=drop\n\
         transforms.drop.type=org.apache.kafka.connect.transforms.Filter\n\
         transforms.drop.predicate=internal\n\
         predicates=internal\n\
         predicates.internal.type=org.apache.kafka.connect.transforms.predicates.TopicNameMatches\n\
         predicates.internal.pattern=_.*\n",
        &[r#"{"topic":"_internal","value":{"a":1}}"#, r#"{"topic":"t","value":{"a":2}}"#],
    ),
];

/// The examples on the page of `subject`.
pub(super) fn of(subject: &Subject<'_>) -> Vec<Example> {
    let files = FILES
        .iter()
        .filter(|(class, ..)| subject.plugins.iter().any(|plugin| plugin.class == *class))
        .map(|&(_, name, text)| Example::File { name, text });
    let records = RECORDS
        .iter()
        .filter(|(title, ..)| *title == subject.title && subject.vendor.is_none())
        .map(|&(_, settings, records)| Example::Records { settings, records });
    files.chain(records).collect()
}

impl Example {
    /// # Errors
    /// Where the configuration is not accepted.
    pub(super) async fn to_markdown(&self) -> Result<String> {
        let mut text = String::from("## Example\n\n");
        match self {
            Example::File { name, text: file } => {
                let _ =
                    writeln!(text, "[examples/{name}](../../{name}):\n\n```json\n{}\n```\n", file.trim_end());
            }
            Example::Records { settings, records } => {
                let _ = writeln!(text, "```properties\n{}\n```\n", settings.trim_end());
                let mut bench = Bench::new(&connector(settings)?, &default_worker())?;
                for (place, record) in records.iter().enumerate() {
                    let answer = bench.run(record, place + 1, &mut None).await;
                    let what = match &answer {
                        Answer::Through(_) => "becomes",
                        Answer::Dropped(_) => "is dropped",
                        Answer::Failed(_) => "fails",
                    };
                    let _ = writeln!(
                        text,
                        "```json\n{record}\n```\n\n{what}\n\n```json\n{}\n```\n",
                        answer.line()
                    );
                }
            }
        }
        Ok(text)
    }
}

fn connector(settings: &str) -> Result<Config> {
    let mut config = crate::properties::parse(settings)
        .map_err(|error| Error::config(format!("an example of the reference: {error}")))?;
    config.set("connector.class", "org.apache.kafka.connect.file.FileStreamSinkConnector");
    Ok(config)
}

#[cfg(test)]
mod tests {
    use lavka_api::plugin::PluginKind;

    use super::*;
    use crate::reference::plugin_page::subjects;

    #[tokio::test]
    async fn every_example_is_on_a_page_and_runs() {
        let catalogue = crate::catalogue();
        let subjects = subjects(&catalogue);
        let mut seen = 0;
        for subject in &subjects {
            for example in of(subject) {
                seen += 1;
                let text = example.to_markdown().await.unwrap();
                assert!(!text.contains("\"exception\":null"), "{text}");
                if let Example::Records { records, .. } = example {
                    assert!(text.contains("becomes") || text.contains("is dropped"), "{text}");
                    assert_eq!(text.matches("```json").count(), 2 * records.len());
                }
            }
        }
        assert_eq!(seen, FILES.len() + RECORDS.len(), "an example of what is not in the catalogue");
    }

    /// Connectors may do without, and so must what this worker refuses: routers and filters that evaluate scripts.
    #[test]
    fn every_transform_and_predicate_has_an_example() {
        let catalogue = crate::catalogue();
        let without: Vec<&str> = subjects(&catalogue)
            .iter()
            .filter(|subject| {
                let kind = subject.plugins.first().map(|plugin| plugin.kind());
                matches!(kind, Some(PluginKind::Transformation | PluginKind::Predicate))
            })
            .filter(|subject| of(subject).is_empty())
            .flat_map(|subject| subject.plugins.iter().map(|plugin| plugin.class))
            .collect();
        assert_eq!(without, ["io.debezium.transforms.ContentBasedRouter"]);
    }
}
