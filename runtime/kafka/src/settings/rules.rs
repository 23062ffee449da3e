//! Values that need more than another name. Each function answers librdkafka's names and values, or the detail of the
//! error text, which never repeats the value.

use lavka_api::config::ConfigType;

use super::bootstrap as endpoints;

/// librdkafka's names and values, or the detail of the error text.
pub(super) type Outcome = Result<Vec<(&'static str, String)>, String>;

fn one(key: &'static str, value: impl ToString) -> Outcome {
    Ok(vec![(key, value.to_string())])
}

/// The entry of `names` that equals `text` whatever the case.
fn choose(text: &str, names: &[(&str, &'static str)]) -> Result<&'static str, String> {
    names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, to)| *to).ok_or_else(|| {
        let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        format!("String must be one of: {}", list.join(", "))
    })
}

pub(super) fn bootstrap(text: &str) -> Outcome {
    let list: Vec<String> = endpoints::parse(text)?.iter().map(ToString::to_string).collect();
    one("bootstrap.servers", list.join(","))
}

pub(super) fn client_id(text: &str) -> Outcome {
    if text.is_empty() { Ok(Vec::new()) } else { one("client.id", text) }
}

pub(super) fn recovery_strategy(text: &str) -> Outcome {
    one("metadata.recovery.strategy", choose(text, &[("rebootstrap", "rebootstrap"), ("none", "none")])?)
}

pub(super) fn producer_request_timeout(text: &str) -> Outcome {
    let millis = i32::parse(text)?;
    Ok(vec![
        ("request.timeout.ms", millis.clamp(1, 900_000).to_string()),
        ("socket.timeout.ms", millis.clamp(10, 300_000).to_string()),
    ])
}

pub(super) fn max_idle(text: &str) -> Outcome {
    one("connections.max.idle.ms", i64::parse(text)?.clamp(0, i64::from(i32::MAX)))
}

pub(super) fn acks(text: &str) -> Outcome {
    one("acks", choose(text, &[("all", "all"), ("-1", "all"), ("0", "0"), ("1", "1")])?)
}

pub(super) fn compression(text: &str) -> Outcome {
    const NAMES: &[(&str, &str)] =
        &[("none", "none"), ("gzip", "gzip"), ("snappy", "snappy"), ("lz4", "lz4"), ("zstd", "zstd")];
    one("compression.type", choose(text, NAMES)?)
}

pub(super) fn buffer_memory(text: &str) -> Outcome {
    one("queue.buffering.max.kbytes", (i64::parse(text)? / 1024).clamp(1, i64::from(i32::MAX)))
}

pub(super) fn delivery_timeout(text: &str) -> Outcome {
    let millis = i32::parse(text)?;
    one("delivery.timeout.ms", if millis == i32::MAX { 0 } else { millis.max(1) })
}

pub(super) fn group_protocol(text: &str) -> Outcome {
    one("group.protocol", choose(text, &[("classic", "classic"), ("consumer", "consumer")])?)
}

pub(super) fn offset_reset(text: &str) -> Outcome {
    if text.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("by_duration:")) {
        return Err("a reset by duration is not supported: use earliest, latest or none".into());
    }
    one(
        "auto.offset.reset",
        choose(text, &[("latest", "latest"), ("earliest", "earliest"), ("none", "error")])?,
    )
}

pub(super) fn isolation(text: &str) -> Outcome {
    const NAMES: &[(&str, &str)] =
        &[("read_uncommitted", "read_uncommitted"), ("read_committed", "read_committed")];
    one("isolation.level", choose(text, NAMES)?)
}

/// Java's consumers may list assignors of both protocols and then use what all members share, which is the eager one;
/// librdkafka refuses such a list. Naming the eager ones alone comes to the same.
pub(super) fn assignment_strategy(text: &str) -> Outcome {
    const PACKAGE: &str = "org.apache.kafka.clients.consumer.";
    const COOPERATIVE: &str = "cooperative-sticky";
    let mut names = Vec::new();
    for class in Vec::<String>::parse(text)? {
        names.push(match class.strip_prefix(PACKAGE).unwrap_or(&class) {
            "RangeAssignor" | "range" => "range",
            "RoundRobinAssignor" | "roundrobin" => "roundrobin",
            "CooperativeStickyAssignor" | "cooperative-sticky" => COOPERATIVE,
            "StickyAssignor" | "sticky" => {
                return Err(
                    "StickyAssignor is not supported: use org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
                        .into(),
                );
            }
            _ => return Err(format!("Class {class} could not be found.")),
        });
    }
    if names.iter().any(|name| *name != COOPERATIVE) {
        names.retain(|name| *name != COOPERATIVE);
    }
    if names.is_empty() {
        return Err("must name at least one assignor".into());
    }
    one("partition.assignment.strategy", names.join(","))
}

/// Offsets are committed by the engine, after a sink has made its records durable; committing on a timer would lose
/// records, so the key is checked and has no effect.
pub(super) fn auto_commit(text: &str) -> Outcome {
    if bool::parse(text)? {
        tracing::warn!(
            "enable.auto.commit=true has no effect: offsets are committed once the sink has stored them"
        );
    }
    Ok(Vec::new())
}
