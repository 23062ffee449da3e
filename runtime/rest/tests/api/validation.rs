//! Validation, as forms and the error texts of 400 show it.

use serde_json::{Value, json};

use crate::plugins::{CONVERTER, MARK, MATCHES, SINK, SOURCE, STRICT};
use crate::server::{Server, refused};

fn sink(extra: Value) -> Value {
    merged(json!({ "name": "v", "connector.class": SINK, "topics": "t" }), extra)
}

fn merged(mut base: Value, extra: Value) -> Value {
    let Value::Object(extra) = extra else { panic!("{extra} is no object") };
    base.as_object_mut().unwrap().extend(extra);
    base
}

#[track_caller]
fn validate(server: &Server, config: &Value) -> Value {
    let class = config["connector.class"].as_str().unwrap();
    let answer = server.client().put(&format!("/connector-plugins/{class}/config/validate"), config);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let errors: u64 = answer.body["configs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|info| info["value"]["errors"].as_array().unwrap().len() as u64)
        .sum();
    assert_eq!(answer.body["error_count"], errors);
    answer.body
}

/// The keys with errors, and these.
fn errors(infos: &Value) -> Vec<(String, String)> {
    let configs = infos["configs"].as_array().unwrap().iter();
    configs
        .flat_map(|info| {
            let name = info["value"]["name"].as_str().unwrap().to_owned();
            let texts = info["value"]["errors"].as_array().unwrap().iter();
            texts.map(move |text| (name.clone(), text.as_str().unwrap().to_owned()))
        })
        .collect()
}

fn names(infos: &Value) -> Vec<&str> {
    infos["configs"].as_array().unwrap().iter().filter_map(|info| info["value"]["name"].as_str()).collect()
}

fn find<'i>(infos: &'i Value, name: &str) -> &'i Value {
    let mut configs = infos["configs"].as_array().unwrap().iter();
    configs.find(|info| info["value"]["name"] == name).unwrap_or_else(|| panic!("there is no {name}"))
}

#[track_caller]
fn expect(server: &Server, config: &Value, expected: &[(&str, &str)]) {
    let found = errors(&validate(server, config));
    let found: Vec<(&str, &str)> = found.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a40_a_sink_reads_topics_and_its_dead_letters_go_elsewhere() {
    let server = Server::start();
    let none = "Must configure one of topics or topics.regex";
    let both = "topics and topics.regex are mutually exclusive options, but both are set.";
    let plain = json!({ "name": "v", "connector.class": SINK });
    expect(&server, &plain, &[("topics", none), ("topics.regex", none)]);
    expect(&server, &sink(json!({ "topics.regex": "t.*" })), &[("topics", both), ("topics.regex", both)]);
    expect(
        &server,
        &sink(json!({ "topics": "t, u", "errors.deadletterqueue.topic.name": "u" })),
        &[(
            "topics",
            "The DLQ topic 'u' may not be included in the list of topics ('topics=[t, u]') consumed by the connector",
        )],
    );
    let config = json!({ "topics.regex": "t.*", "errors.deadletterqueue.topic.name": "t1" });
    expect(
        &server,
        &merged(plain, config),
        &[(
            "topics.regex",
            "The DLQ topic 't1' may not be matched by the regex for the topics ('topics.regex=t.*') consumed by the connector",
        )],
    );
    expect(&server, &sink(json!({ "errors.deadletterqueue.topic.name": "dead" })), &[]);
}

#[test]
fn a41_a_sinks_group_is_not_the_workers() {
    let server = Server::with(&[("group.id", "connect-v")]);
    expect(
        &server,
        &sink(json!({})),
        &[(
            "name",
            "Consumer group for sink connector named v conflicts with Connect worker group connect-v",
        )],
    );
    expect(&server, &sink(json!({ "name": "w" })), &[]);
    expect(&server, &sink(json!({ "consumer.override.group.id": "other" })), &[]);
    let text = "Consumer group connect-v conflicts with Connect worker group connect-v";
    let config = sink(json!({ "name": "w", "consumer.override.group.id": "connect-v" }));
    let found = errors(&validate(&server, &config));
    assert_eq!(found, [("consumer.override.group.id".to_owned(), text.to_owned())]);
    expect(&Server::start(), &sink(json!({})), &[]);
}

#[test]
fn a42_aliases_are_unique() {
    let server = Server::start();
    let text = |key: &str| format!("Invalid value [a, a] for configuration {key}: Duplicate alias provided.");
    for (key, config) in [
        (
            "transforms",
            sink(json!({ "transforms": "a,a", "transforms.a.type": MARK, "transforms.a.mark": "x" })),
        ),
        (
            "predicates",
            sink(json!({ "predicates": "a,a", "predicates.a.type": MATCHES, "predicates.a.pattern": "x" })),
        ),
        (
            "topic.creation.groups",
            json!({
                "name": "v", "connector.class": SOURCE, "topic.creation.groups": "a,a",
                "topic.creation.default.partitions": 1, "topic.creation.default.replication.factor": 1,
            }),
        ),
    ] {
        expect(&server, &config, &[(key, &text(key))]);
    }
}

#[test]
fn a43_classes_have_to_be_there_and_of_the_right_kind() {
    let server = Server::start();
    for (list, class, interface) in [
        ("transforms", "transforms.a.type", "Transformation"),
        ("predicates", "predicates.a.type", "Predicate"),
        ("key.converter", "key.converter", "Converter"),
        ("header.converter", "header.converter", "HeaderConverter"),
    ] {
        let with = |value: &str| sink(merged(json!({ list: "a" }), json!({ class: value })));
        let infos = validate(&server, &with("Nope"));
        let text = format!("Invalid value Nope for configuration {class}: Class Nope could not be found.");
        assert_eq!(errors(&infos), [(class.to_owned(), text)]);
        assert_eq!(find(&infos, class)["value"]["value"], Value::Null);
        let infos = validate(&server, &with(SINK));
        let text = format!("Class class {SINK} does not implement the {interface} interface");
        assert_eq!(errors(&infos), [(class.to_owned(), text)]);
        assert_eq!(find(&infos, class)["value"]["value"], SINK);
    }
    let infos = validate(&server, &sink(json!({ "key.converter": "Strict" })));
    assert_eq!(find(&infos, "key.converter")["value"]["value"], STRICT, "an alias is shown as its class");
    let missing = "Missing required configuration \"transforms.a.type\" which has no default value.";
    expect(&server, &sink(json!({ "transforms": "a" })), &[("transforms.a.type", missing)]);
    let empty = "Invalid value  for configuration value.converter: Class  could not be found.";
    expect(&server, &sink(json!({ "value.converter": "" })), &[("value.converter", empty)]);
}

#[test]
fn a44_there_has_to_be_something_to_negate() {
    let server = Server::start();
    let config = sink(json!({
        "transforms": "a", "transforms.a.type": MARK, "transforms.a.mark": "x", "transforms.a.negate": true,
    }));
    expect(
        &server,
        &config,
        &[(
            "transforms.a.type",
            "Config 'transforms.a.negate' was provided but there is no config 'transforms.a.predicate' defining a predicate to be negated.",
        )],
    );
}

#[test]
fn a45_the_keys_of_a_converter_are_checked() {
    let server = Server::start();
    let config = sink(json!({ "value.converter": STRICT, "value.converter.strict": "maybe" }));
    let infos = validate(&server, &config);
    assert_eq!(
        errors(&infos),
        [(
            "value.converter.strict".to_owned(),
            "Invalid value maybe for configuration strict: Expected value to be either true or false"
                .to_owned()
        )]
    );
    let strict = find(&infos, "value.converter.strict");
    assert_eq!(strict["value"]["value"], Value::Null);
    assert_eq!(strict["definition"]["name"], "value.converter.strict");
    let role = find(&infos, "value.converter.converter.type");
    assert_eq!(role["value"]["value"], "value");
    assert!(infos["groups"].as_array().unwrap().contains(&json!("Strictness")));
    expect(&server, &sink(json!({ "value.converter": CONVERTER, "value.converter.any": "x" })), &[]);
    // Without the class they belong to the worker's converter, and mean nothing.
    let infos = validate(&server, &sink(json!({ "value.converter.strict": "maybe" })));
    assert!(errors(&infos).is_empty() && !names(&infos).contains(&"value.converter.strict"));
}

#[test]
fn a46_the_class_in_the_path_is_that_of_the_body() {
    let server = Server::start();
    let put = |plugin: &str, config: &Value| {
        server.client().put(&format!("/connector-plugins/{plugin}/config/validate"), config)
    };
    refused(
        &put("ScriptedSource", &sink(json!({}))),
        400,
        &format!("Included connector type {SINK} does not match request type ScriptedSource"),
    );
    refused(
        &put("Connector", &json!({ "connector.class": "ScriptedSink" })),
        400,
        "Included connector type ScriptedSink does not match request type Connector",
    );
    refused(&put(SINK, &json!({})), 400, "Connector config {} contains no connector type");
    for (plugin, class) in [
        ("ScriptedSink", SINK),
        ("ScriptedSinkConnector", "ScriptedSink"),
        (SINK, SINK),
        ("Sink", "ScriptedSink"),
    ] {
        let answer = put(plugin, &sink(json!({ "connector.class": class })));
        assert_eq!((answer.status, answer.body["name"].as_str()), (200, Some(class)), "{}", answer.text);
    }
    let answer = put("Nope", &json!({ "connector.class": "Nope" }));
    assert_eq!(answer.status, 400);
    let message = answer.body["message"].as_str().unwrap();
    assert!(message.starts_with("Failed to find any class that implements Connector and which name matches Nope, available connectors are: "));
}

#[test]
fn the_whole_answer_is_in_connects_order() {
    let server = Server::start();
    let config = sink(json!({
        "nobody.knows": "x", "nothing": null, "tasks.max": "x", "script.secret": "s", "errors.tolerance": "maybe",
        "transforms": "a", "transforms.a.type": MARK, "transforms.a.mark": "x",
        "consumer.override.sasl.jaas.config": "s", "producer.override.acks": "1", "key.converter": STRICT,
    }));
    let infos = validate(&server, &config);
    let keys: Vec<&String> = infos.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["name", "error_count", "groups", "configs"]);
    assert_eq!(
        infos["groups"],
        json!([
            "Common",
            "Transforms",
            "Predicates",
            "Error Handling",
            "Transforms: a",
            "Script",
            "Strictness"
        ])
    );
    assert_eq!(
        names(&infos),
        [
            "nothing",
            "name",
            "connector.class",
            "connector.plugin.version",
            "tasks.max",
            "tasks.max.enforce",
            "key.converter",
            "key.converter.plugin.version",
            "value.converter",
            "value.converter.plugin.version",
            "header.converter",
            "header.converter.plugin.version",
            "transforms",
            "predicates",
            "config.action.reload",
            "errors.retry.timeout",
            "errors.retry.delay.max.ms",
            "errors.tolerance",
            "errors.log.enable",
            "errors.log.include.messages",
            "topics",
            "topics.regex",
            "errors.deadletterqueue.topic.name",
            "errors.deadletterqueue.topic.replication.factor",
            "errors.deadletterqueue.context.headers.enable",
            "transforms.a.type",
            "transforms.a.plugin.version",
            "transforms.a.mark",
            "transforms.a.colour",
            "transforms.a.negate",
            "transforms.a.predicate",
            "script.tasks",
            "script.fail",
            "script.failing.tasks",
            "script.fail.once",
            "script.managed",
            "script.secret",
            "script.size",
            "consumer.override.sasl.jaas.config",
            "key.converter.converter.type",
            "key.converter.strict",
        ]
    );
    assert_eq!(
        find(&infos, "nothing").to_string(),
        r#"{"definition":null,"value":{"name":"nothing","value":null,"recommended_values":[],"errors":["Null value can not be supplied as the configuration value."],"visible":true}}"#
    );
    assert_eq!(find(&infos, "tasks.max")["value"]["value"], Value::Null, "not of its type");
    assert_eq!(find(&infos, "errors.tolerance")["value"]["value"], "maybe", "of its type, though refused");
    for secret in ["script.secret", "consumer.override.sasl.jaas.config"] {
        assert_eq!(find(&infos, secret)["value"]["value"], "[hidden]");
    }
    for (key, default, recommended) in [
        ("connector.plugin.version", json!("1.2.3"), json!(["1.2.3"])),
        ("value.converter", json!(CONVERTER), json!([CONVERTER, STRICT])),
        ("transforms.a.plugin.version", json!("1.2.3"), json!(["1.2.3"])),
    ] {
        let info = find(&infos, key);
        assert_eq!(info["definition"]["default_value"], default, "{key}");
        assert_eq!(info["value"]["value"], default, "{key}");
        assert_eq!(info["value"]["recommended_values"], recommended, "{key}");
    }
    let positions: Vec<(&str, i64)> = [
        "name",
        "tasks.max",
        "transforms",
        "predicates",
        "config.action.reload",
        "topics",
        "transforms.a.type",
        "transforms.a.mark",
        "script.size",
        "script.fail",
    ]
    .into_iter()
    .map(|key| (key, find(&infos, key)["definition"]["order_in_group"].as_i64().unwrap()))
    .collect();
    assert_eq!(
        positions,
        [
            ("name", 1),
            ("tasks.max", 4),
            ("transforms", 12),
            ("predicates", 13),
            ("config.action.reload", 14),
            ("topics", 4),
            ("transforms.a.type", 0),
            ("transforms.a.mark", 2),
            ("script.size", 1),
            ("script.fail", -1)
        ]
    );
}

#[test]
fn plugins_are_listed_with_their_keys() {
    let server = Server::start();
    let client = server.client();
    let connectors = format!(
        r#"[{{"class":"{SINK}","type":"sink","version":"1.2.3"}},{{"class":"{SOURCE}","type":"source","version":"1.2.3"}}]"#
    );
    for query in ["", "?connectorsOnly=true", "?connectorsOnly="] {
        assert_eq!(client.get(&format!("/connector-plugins{query}")).text, connectors);
    }
    let all = client.get("/connector-plugins?connectorsOnly=false").body;
    let kinds: Vec<&str> =
        all.as_array().unwrap().iter().filter_map(|plugin| plugin["type"].as_str()).collect();
    assert_eq!(
        kinds,
        ["sink", "source", "transformation", "predicate", "converter", "converter", "header_converter"]
    );
    let keys = client.get("/connector-plugins/ScriptedSource/config").body;
    let keys: Vec<&str> = keys.as_array().unwrap().iter().filter_map(|key| key["name"].as_str()).collect();
    assert_eq!((keys[0], keys[7]), ("script.tasks", "name"), "its own come first");
    assert_eq!(
        client.get("/connector-plugins/Strict/config").body[0].to_string(),
        r#"{"name":"converter.type","type":"STRING","required":true,"default_value":null,"importance":"LOW","documentation":"What it converts.","group":null,"order_in_group":-1,"width":"NONE","display_name":"converter.type","dependents":[]}"#
    );
    assert_eq!(client.get("/connector-plugins/Strict/config?version=latest").status, 200);
    assert_eq!(client.get("/connector-plugins/Strict/config?version=1.2.3").status, 200);
    refused(
        &client.get("/connector-plugins/Strict/config?version=9"),
        400,
        "Plugin test.StrictConverter not found that matches the version range 9, available versions: [1.2.3]",
    );
}
