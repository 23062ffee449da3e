//! Settings, as they are and as they are changed.

use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    alter_configs_request::{AlterConfigsResource, AlterableConfig as PlainConfig},
    describe_configs_request::DescribeConfigsResource,
    incremental_alter_configs_request::{AlterConfigsResource as IncrementalResource, AlterableConfig},
};

use super::{
    session::{Session, code, text},
    wire::ask,
};

const TOPIC: i8 = 2;

/// Name, operation and value.
type Change = (&'static str, i8, Option<&'static str>);

/// What is left of a step.
#[derive(Clone, Copy, PartialEq)]
enum Effect {
    /// Other values than before.
    Changes,
    /// The values of before.
    Keeps,
    /// The values of before, for it is only checked.
    Checks,
}

fn describe(session: &mut Session, topic: &str, keys: Option<Vec<&str>>) -> Vec<String> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(&session.name(topic)))
        .with_configuration_keys(keys.map(|keys| keys.into_iter().map(text).collect()));
    let request =
        DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
    let answer = ask!(session.wire, DescribeConfigs 4, request).results.remove(0);
    if answer.error_code != 0 {
        return vec![format!(
            "{} {}",
            code(answer.error_code),
            answer.error_message.as_deref().unwrap_or("-")
        )];
    }
    let mut lines: Vec<String> = answer
        .configs
        .iter()
        .map(|config| {
            let synonyms: Vec<String> = config
                .synonyms
                .iter()
                .map(|one| {
                    format!(
                        "{}={} from {}",
                        one.name.as_str(),
                        one.value.as_deref().unwrap_or("-"),
                        one.source
                    )
                })
                .collect();
            format!(
                "{}={} from {} type {} read-only {} sensitive {} {synonyms:?}",
                config.name.as_str(),
                config.value.as_deref().unwrap_or("-"),
                config.config_source,
                config.config_type,
                config.read_only,
                config.is_sensitive
            )
        })
        .collect();
    lines.sort();
    lines
}

pub(crate) fn defaults(session: &mut Session) {
    session.create("t", 1, &[]);
    for line in describe(session, "t", None) {
        session.note("default", line);
    }
    session.create("own", 1, &[("retention.ms", "1000"), ("cleanup.policy", "compact")]);
    for line in describe(session, "own", Some(vec!["retention.ms", "cleanup.policy", "no.such.setting"])) {
        session.note("own", line);
    }
    for line in describe(session, "nowhere", None) {
        session.note("nowhere", line);
    }
}

pub(crate) fn alter(session: &mut Session) {
    session.create("t", 1, &[("retention.ms", "1000")]);
    let steps: &[(&str, &[Change], Effect)] = &[
        ("t", &[("retention.ms", 0, Some("2000"))], Effect::Checks),
        ("t", &[("retention.ms", 0, Some("3000")), ("max.message.bytes", 0, Some("100"))], Effect::Changes),
        ("t", &[("retention.ms", 1, None)], Effect::Changes),
        ("t", &[("retention.ms", 1, None)], Effect::Keeps),
        ("t", &[("cleanup.policy", 2, Some("compact"))], Effect::Changes),
        ("t", &[("cleanup.policy", 3, Some("delete"))], Effect::Changes),
        ("t", &[("cleanup.policy", 2, Some("shred"))], Effect::Keeps),
        ("t", &[("retention.ms", 2, Some("1"))], Effect::Keeps),
        ("t", &[("retention.ms", 0, None)], Effect::Keeps),
        ("t", &[("retention.ms", 0, Some("soon"))], Effect::Keeps),
        ("t", &[("no.such.setting", 0, Some("1"))], Effect::Keeps),
        ("t", &[("no.such.setting", 1, None)], Effect::Keeps),
        ("t", &[("retention.ms", 9, Some("1"))], Effect::Keeps),
        ("t", &[("retention.ms", 0, Some("1")), ("retention.ms", 0, Some("2"))], Effect::Keeps),
        ("nowhere", &[("retention.ms", 0, Some("1"))], Effect::Keeps),
    ];
    for (topic, changes, effect) in steps {
        let named = |session: &mut Session| describe(session, "t", Some(vec![changes[0].0]));
        let before = named(session);
        let configs = changes.iter().map(|(name, operation, value)| {
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(*operation)
                .with_value(value.map(text))
        });
        let resource = IncrementalResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(&session.name(topic)))
            .with_configs(configs.collect());
        let request = IncrementalAlterConfigsRequest::default()
            .with_resources(vec![resource])
            .with_validate_only(*effect == Effect::Checks);
        let answer = ask!(session.wire, IncrementalAlterConfigs 1, request).responses.remove(0);
        let message = answer.error_message.as_deref().unwrap_or("-");
        session.note(format!("{topic} {changes:?}"), format!("{} {message}", code(answer.error_code)));
        if *topic == "t" && answer.error_code == 0 && *effect != Effect::Checks {
            // The change comes to the broker by way of its controller.
            if *effect == Effect::Changes {
                session.until("the change", |session| named(session) != before);
            } else {
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            for line in named(session) {
                session.note("now", line);
            }
        }
    }
    let named = |session: &mut Session| {
        describe(session, "t", Some(vec!["retention.ms", "max.message.bytes", "cleanup.policy"]))
    };
    let before = named(session);
    let config = PlainConfig::default().with_name(text("retention.ms")).with_value(Some(text("7")));
    let resource = AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(&session.name("t")))
        .with_configs(vec![config]);
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = ask!(session.wire, AlterConfigs 2, request).responses.remove(0);
    session.note("replaced", code(answer.error_code));
    session.until("the change", |session| named(session) != before);
    for line in named(session) {
        session.note("now", line);
    }
}
