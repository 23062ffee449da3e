//! Restarts a connector where what its variables stand for has changed (`WorkerConfigTransformer` restarts it whenever a
//! time to live is over, changed or not; and never the tasks).

use std::time::Duration;

use lavka_api::config::Config;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use crate::actor::News;
use crate::assembly::Assembly;
use crate::providers::Resolved;

/// Looks again and again at what a running connector's variables stand for; dropped, it stops looking.
pub(crate) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watch {
    /// Watches the connector `name`, which was started with `resolved`, made of `raw`. `None` where no value has a time
    /// to live, or the connector does not want to be restarted.
    pub(crate) fn start(
        name: &str,
        raw: &Config,
        resolved: &Resolved,
        assembly: &Assembly,
        news: &UnboundedSender<News>,
    ) -> Option<Self> {
        let ttl = resolved.ttl?;
        if resolved.config.get("config.action.reload").is_some_and(|action| action.trim() == "none") {
            return None;
        }
        let watching =
            watch(name.to_owned(), raw.clone(), resolved.config.clone(), ttl, assembly.clone(), news.clone());
        Some(Self(tokio::spawn(watching)))
    }
}

async fn watch(
    name: String,
    raw: Config,
    known: Config,
    ttl: Duration,
    assembly: Assembly,
    news: UnboundedSender<News>,
) {
    loop {
        tokio::time::sleep(ttl).await;
        match assembly.resolve(&raw).await {
            Ok(now) if now.config == known => {}
            Ok(_) => {
                tracing::info!(connector = %name, "a value from a configuration provider has changed: restarting");
                // A driver that is gone restarts nothing.
                let _ = news.send(News::Changed(name));
                return;
            }
            Err(error) => tracing::warn!(
                connector = %name,
                "the configuration providers cannot be asked again, next try in {} ms: {error}",
                ttl.as_millis()
            ),
        }
    }
}
