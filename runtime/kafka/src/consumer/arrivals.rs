//! Topics that are subscribed to before they exist.
//!
//! Java's consumer lets the broker create them and, where it does not, asks for them again and again. librdkafka does
//! neither: it would see such a topic only with its next periodic look at the cluster, minutes later.

use std::time::Duration;

use lavka_api::Result;

use crate::wire::WireClient;

/// How long subscribing waits for a topic that is being created.
const CREATION: Duration = Duration::from_secs(1);
/// How often topics are looked for that are not there.
const LOOK: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

const UNKNOWN_TOPIC: i16 = 3;
const LEADER_NOT_AVAILABLE: i16 = 5;

/// Which of `topics` do not exist; asking has them created where `create` is set and the broker does that. Topics with
/// another error count as there: librdkafka will meet the error and report it.
async fn missing(wire: &WireClient, topics: &[String], create: bool) -> Result<Vec<String>> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let metadata =
        if create { wire.metadata_creating(&names).await? } else { wire.metadata(Some(&names)).await? };
    let absent =
        metadata.topics.into_iter().filter(|t| [UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE].contains(&t.error_code));
    Ok(absent.filter_map(|topic| topic.name).map(|name| name.to_string()).collect())
}

/// What of `topics` is still missing after the broker had a moment to create it; `None` where it cannot be asked.
pub(super) async fn prepare(wire: &WireClient, topics: &[String], create: bool) -> Option<Vec<String>> {
    let mut absent = None;
    let asking = async {
        loop {
            match missing(wire, absent.as_deref().unwrap_or(topics), create).await {
                Ok(now) => {
                    let done = now.is_empty() || !create;
                    absent = Some(now);
                    if done {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!("cannot tell now whether the subscribed topics exist: {error}");
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let _ = tokio::time::timeout(CREATION, asking).await;
    absent
}

/// Looks for those of `topics` that are `absent` until all are there; `arrived` is told of those that came, and answers
/// whether to go on. Where it is not known what is absent, that is found out first.
pub(super) async fn watch(
    wire: &WireClient,
    topics: Vec<String>,
    mut absent: Option<Vec<String>>,
    create: bool,
    mut arrived: impl FnMut(Vec<String>) -> bool,
) {
    while absent.as_ref().is_none_or(|absent| !absent.is_empty()) {
        tokio::time::sleep(LOOK).await;
        // A broker that is away is reported by librdkafka.
        let Ok(now) = missing(wire, absent.as_deref().unwrap_or(&topics), create).await else { continue };
        let came: Vec<String> = absent.into_iter().flatten().filter(|topic| !now.contains(topic)).collect();
        absent = Some(now);
        if !came.is_empty() && !arrived(came) {
            return;
        }
    }
}
