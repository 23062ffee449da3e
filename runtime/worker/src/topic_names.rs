//! Names of topics and Java's regular expressions, which a predicate of the catalogue knows.

use std::sync::{Arc, Mutex, PoisonError};

use lavka_api::config::Config;
use lavka_api::data::Record;
use lavka_api::plugin::{Catalogue, Factory, PluginKind};
use lavka_engine::TopicMatcher;

/// What matches whole names against `regex`.
///
/// # Errors
/// What is wrong with the expression.
pub(crate) fn matcher(regex: &str, catalogue: &Catalogue) -> Result<Arc<TopicMatcher>, String> {
    let class = "org.apache.kafka.connect.transforms.predicates.TopicNameMatches";
    let plugin =
        catalogue.find(class, |kind| kind == PluginKind::Predicate).map_err(|error| error.to_string())?;
    let Factory::Predicate(make) = plugin.factory else {
        return Err("patterns cannot be matched by this worker".into());
    };
    let predicate = make(&Config::from([("pattern", regex)])).map_err(|error| {
        // The predicate speaks of its own key.
        let detail = error.message().unwrap_or_default();
        detail.split_once("Invalid regex: ").map_or(detail, |(_, reason)| reason).to_owned()
    })?;
    let predicate = Mutex::new(predicate);
    Ok(Arc::new(move |name: &str| {
        let mut predicate = predicate.lock().unwrap_or_else(PoisonError::into_inner);
        predicate.test(&Record::for_topic(name)).unwrap_or(false)
    }))
}
