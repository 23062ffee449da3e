//! `lavka check`.

use expect_test::{Expect, expect};

use crate::support::{Folder, lavka};

#[track_caller]
fn check(name: &str, content: &str, expected: &Expect) {
    let folder = Folder::new();
    let path = folder.file(name, content);
    expected.assert_eq(&lavka(&["check".as_ref(), path.as_os_str()], "").shown(folder.path()));
}

#[test]
fn every_key_of_a_sink_is_explained() {
    check(
        "sink.json",
        r#"{
            "name": "sink",
            "config": {
                "connector.class": "FileStreamSink",
                "tasks.max": 1,
                "task.max": "1",
                "topics": "t",
                "file": "out.txt",
                "config.action.reload": "none",
                "confluent.license": "secret",
                "confluent.topic.bootstrap.servers": "kafka:9092",
                "key.converter.schemas.enable": "false",
                "value.converter": "JsonConverter",
                "value.converter.schemas.enable": "false",
                "value.converter.schema.enable": "false",
                "consumer.override.max.poll.records": "10",
                "consumer.override.max.pol.records": "10",
                "consumer.override.interceptor.classes": "a.B",
                "producer.override.linger.ms": "5",
                "consumer.fetch.min.bytes": "1",
                "transforms": "mask",
                "transforms.mask.type": "org.apache.kafka.connect.transforms.Cast$Value",
                "transforms.mask.spec": "a:int8",
                "transforms.mask.spek": "a:int8",
                "transforms.old.type": "org.apache.kafka.connect.transforms.Cast$Value",
                "zzz": null
            }
        }"#,
        &expect![[r#"
            org.apache.kafka.connect.file.FileStreamSinkConnector (sink)

              ok       name
              ok       connector.class
              ok       tasks.max
              unknown  task.max; did you mean tasks.max?
              ok       topics
              ok       file
              ok       config.action.reload
              ignored  confluent.license: no licence is needed
              ignored  confluent.topic.bootstrap.servers: no licence is needed
              ignored  key.converter.schemas.enable: the worker's converter is used with the worker's settings; set 'key.converter' too
              ok       value.converter
              ok       value.converter.schemas.enable
              unknown  value.converter.schema.enable; did you mean value.converter.schemas.enable?
              ok       consumer.override.max.poll.records
              unknown  consumer.override.max.pol.records; did you mean consumer.override.max.poll.records?
              ignored  consumer.override.interceptor.classes: Java classes cannot be loaded; what interceptors observe is in the metrics
              ignored  producer.override.linger.ms: a sink has a producer for dead letters alone; errors.deadletterqueue.topic.name is not set
              unknown  consumer.fetch.min.bytes; did you mean consumer.override.fetch.min.bytes?
              ok       transforms
              ok       transforms.mask.type
              ok       transforms.mask.spec
              unknown  transforms.mask.spek; did you mean transforms.mask.spec?
              ignored  transforms.old.type: 'old' is not listed in 'transforms'
              unknown  zzz

            12 understood, 6 ignored, 6 unknown

              error    zzz: Null value can not be supplied as the configuration value.
            It would not start.
            exit status 1
        "#]],
    );
}

#[test]
fn a_source_in_properties() {
    check(
        "source.properties",
        "name=mqtt\n\
         connector.class=io.confluent.connect.mqtt.MqttSourceConnector\n\
         mqtt.server.uri=tcp://localhost:1883\n\
         mqtt.topics=sensors/+/reading\n\
         kafka.topic=readings\n\
         records.buffer.queue.empty.timeout=100\n\
         confluent.topic.replication.factor=1\n\
         producer.override.compression.type=zstd\n\
         consumer.override.fetch.min.bytes=1\n\
         topic.creation.default.replication.factor=1\n\
         topic.creation.default.partitions=3\n\
         topic.creation.default.include=x\n\
         topic.creation.groups=live\n\
         topic.creation.live.include=readings\n\
         topic.creation.live.retention.ms=1000\n\
         topic.creation.old.partitions=1\n",
        &expect![[r#"
            io.confluent.connect.mqtt.MqttSourceConnector (source)

              ok       name
              ok       connector.class
              ok       mqtt.server.uri
              ok       mqtt.topics
              ok       kafka.topic
              ignored  records.buffer.queue.empty.timeout: an idle task sleeps until a message arrives
              ignored  confluent.topic.replication.factor: no licence is needed
              ok       producer.override.compression.type
              ignored  consumer.override.fetch.min.bytes: a source has no consumer
              ok       topic.creation.default.replication.factor
              ok       topic.creation.default.partitions
              ignored  topic.creation.default.include: the default group takes every topic that is in no other
              ok       topic.creation.groups
              ok       topic.creation.live.include
              ok       topic.creation.live.retention.ms
              ignored  topic.creation.old.partitions: 'old' is not listed in 'topic.creation.groups'

            11 understood, 5 ignored, 0 unknown
            It would start.
            exit status 0
        "#]],
    );
}

#[test]
fn a_source_whose_topics_cannot_be_created() {
    check(
        "topics.properties",
        "name=lines\nconnector.class=FileStreamSource\ntopic=t\ntopic.creation.groups=a\n",
        &expect![[r#"
            org.apache.kafka.connect.file.FileStreamSourceConnector (source)

              ok       name
              ok       connector.class
              ok       topic
              ok       topic.creation.groups

            4 understood, 0 ignored, 0 unknown

              error    Missing required configuration "topic.creation.default.replication.factor" which has no default value.
            It would not start.
            exit status 1
        "#]],
    );
}

#[test]
fn what_keeps_a_connector_from_starting() {
    check(
        "flat.json",
        r#"{
            "name": "c", "connector.class": "FileStreamSink", "tasks.max": "0", "topics": "t", "topics.regex": "t.*",
            "value.converter": "JsonConvertor",
            "transforms": "a", "transforms.a.type": "org.apache.kafka.connect.transforms.Casts$Value"
        }"#,
        &expect![[r#"
            org.apache.kafka.connect.file.FileStreamSinkConnector (sink)

              ok       name
              ok       connector.class
              ok       tasks.max
              ok       topics
              ok       topics.regex
              ok       value.converter
              ok       transforms
              ok       transforms.a.type

            8 understood, 0 ignored, 0 unknown

              error    Invalid value 0 for configuration tasks.max: Value must be at least 1
              error    Invalid value JsonConvertor for configuration value.converter: Class JsonConvertor could not be found. Did you mean org.apache.kafka.connect.json.JsonConverter?
              error    topics and topics.regex are mutually exclusive options, but both are set.
              error    Invalid value org.apache.kafka.connect.transforms.Casts$Value for configuration transforms.a.type: Class org.apache.kafka.connect.transforms.Casts$Value could not be found. Did you mean org.apache.kafka.connect.transforms.Cast$Value?
            It would not start.
            exit status 1
        "#]],
    );
}

#[test]
fn classes_that_are_not_there() {
    check(
        "a.json",
        r#"{"name":"c","connector.class":"FileStreamSonk"}"#,
        &expect![[r#"
        lavka: a.json: Invalid value FileStreamSonk for configuration connector.class: no plugin has the class or alias FileStreamSonk; did you mean org.apache.kafka.connect.file.FileStreamSinkConnector?; `lavka plugins` lists those there are
        exit status 1
    "#]],
    );
    check(
        "b.json",
        r#"{"name":"c","connector.class":"com.example.Nothing"}"#,
        &expect![[r#"
        lavka: b.json: Invalid value com.example.Nothing for configuration connector.class: no plugin has the class or alias com.example.Nothing; `lavka plugins` lists those there are
        exit status 1
    "#]],
    );
    check(
        "c.json",
        r#"{"name":"c"}"#,
        &expect![[r#"
        lavka: c.json: Missing required configuration "connector.class" which has no default value.
        exit status 1
    "#]],
    );
}

#[test]
fn files_that_cannot_be_read() {
    check(
        "a.json",
        "{\n  \"name\": \"c\",\n  \"tasks.max\": 1,\n}",
        &expect![[r#"
        lavka: a.json, line 4 column 1: trailing comma
        exit status 1
    "#]],
    );
    check(
        "b.json",
        "{\"name\": \"c\", \"config\": {\"tasks.max\": [1]}}",
        &expect![[r#"
        lavka: b.json: the value of "tasks.max" is not a string, number or boolean
        exit status 1
    "#]],
    );
    check(
        "c.json",
        "[]",
        &expect![[r#"
        lavka: c.json: not a JSON object; write {"name": …, "config": {…}}, or the keys in one object
        exit status 1
    "#]],
    );
    check(
        "d.properties",
        "name=c\nfile=\\u00zz\n",
        &expect![[r#"
        lavka: d.properties, line 2: malformed \uXXXX escape '\u00zz'; write four hexadecimal digits after \u, or \\ for a backslash
        exit status 1
    "#]],
    );
    check(
        "e.json",
        "{\"name\": \"a\", \"config\": {\"name\": \"b\"}}",
        &expect![[r#"
        lavka: e.json: the names 'a' and 'b' (in config) differ
        exit status 1
    "#]],
    );
    let missing = lavka(&["check", "/nowhere/c.json"], "");
    assert_eq!(missing.status, Some(1));
    assert!(missing.stderr.starts_with("lavka: /nowhere/c.json cannot be read: "), "{}", missing.stderr);
}

#[test]
fn a_worker_file_has_converters_and_a_policy() {
    let folder = Folder::new();
    let worker = folder.file(
        "worker.properties",
        "key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         offset.storage.file.filename=offsets\n\
         connector.client.config.override.policy=None\n",
    );
    let connector = folder.file(
        "c.json",
        r#"{"name":"c","connector.class":"FileStreamSink","topics":"t","consumer.override.max.poll.records":"10"}"#,
    );
    let output =
        lavka(&["check".as_ref(), connector.as_os_str(), "--worker".as_ref(), worker.as_os_str()], "");
    expect![[r#"
        org.apache.kafka.connect.file.FileStreamSinkConnector (sink)

          ok       name
          ok       connector.class
          ok       topics
          ok       consumer.override.max.poll.records

        4 understood, 0 ignored, 0 unknown

          error    consumer.override.max.poll.records: The 'None' policy does not allow 'max.poll.records' to be overridden in the connector configuration.
        It would not start.
        exit status 1
    "#]].assert_eq(&output.shown(folder.path()));
}

/// Variables are resolved by the providers of the worker's file; nothing shows what they stand for.
#[test]
fn variables_are_resolved_and_hidden() {
    let folder = Folder::new();
    let secrets =
        folder.file("secrets.properties", "tasks=many-of-them\nfile=in.txt\nclass=FileStreamSource\n");
    let worker = folder.file(
        "worker.properties",
        format!(
            "key.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n\
             offset.storage.file.filename={}/offsets\n\
             config.providers=file\n\
             config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider\n",
            folder.path().display()
        ),
    );
    let from = |key: &str| format!("${{file:{}:{key}}}", secrets.display());
    let content = |tasks: &str| {
        format!(
            "name=lines\nconnector.class={}\ntopic=t\nfile={}\nerrors.retry.timeout={tasks}\n",
            from("class"),
            from("file")
        )
    };
    let run = |tasks: &str| {
        let path = folder.file("source.properties", content(tasks));
        let arguments = ["check".as_ref(), "--worker".as_ref(), worker.as_os_str(), path.as_os_str()];
        lavka(&arguments, "").shown(folder.path())
    };
    expect![[r#"
        org.apache.kafka.connect.file.[hidden]Connector (source)

          ok       name
          ok       connector.class
          ok       topic
          ok       file
          ok       errors.retry.timeout

        5 understood, 0 ignored, 0 unknown
        It would start.
        exit status 0
    "#]]
    .assert_eq(&run("1"));
    expect![[r#"
        org.apache.kafka.connect.file.[hidden]Connector (source)

          ok       name
          ok       connector.class
          ok       topic
          ok       file
          ok       errors.retry.timeout

        5 understood, 0 ignored, 0 unknown

          error    Invalid value [hidden] for configuration errors.retry.timeout: Not a number of type LONG
        It would not start.
        exit status 1
    "#]]
    .assert_eq(&run(&from("tasks")));
    let told = run(&from("tasks").replace("secrets", "other"));
    assert!(told.contains("Could not read properties from file "), "{told}");
}
