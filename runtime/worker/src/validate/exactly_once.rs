//! Exactly-once delivery of source connectors: whether worker and connector can do what is asked for.

use lavka_api::config::Config;
use lavka_api::plugin::{ExactlyOnceSupport, Plugin};

use super::reports::Reports;
use crate::assembly::Connector;
use crate::config::is_enabled;

const SUPPORT: &str = "exactly.once.support";
const BOUNDARY: &str = "transaction.boundary";

/// Adds complaints, with Connect's texts.
pub(super) fn check(plugin: &Plugin, config: &Config, worker: &Config, reports: &mut Reports) {
    let Ok(Connector::Source(source)) = Connector::new(plugin) else { return };
    let is =
        |key: &str, value: &str| config.get(key).is_some_and(|text| text.trim().eq_ignore_ascii_case(value));
    let enabled = worker.get("exactly.once.source.support").is_some_and(is_enabled);
    if !enabled {
        if is(SUPPORT, "required") {
            reports
                .complain(SUPPORT, "This worker does not have exactly-once source support enabled.".into());
        }
        return;
    }
    if is(SUPPORT, "required") {
        match source.exactly_once_support(config) {
            Some(ExactlyOnceSupport::Supported) => {}
            Some(ExactlyOnceSupport::Unsupported) => reports.complain(
                SUPPORT,
                "The connector does not support exactly-once semantics with the provided configuration.".into(),
            ),
            None => reports.complain(
                SUPPORT,
                "The connector does not implement the API required for preflight validation of exactly-once source \
                 support. Please consult the documentation for the connector to determine whether it supports \
                 exactly-once semantics, and then consider reconfiguring the connector to use the value \"requested\" for \
                 this property (which will disable this preflight check and allow the connector to be created)."
                    .into(),
            ),
        }
    }
    if is(BOUNDARY, "connector") && !source.can_define_transaction_boundaries(config) {
        reports.complain(
            BOUNDARY,
            "The connector does not support connector-defined transaction boundaries with the given configuration. Please \
             reconfigure it to use a different transaction boundary definition."
                .into(),
        );
    }
}
