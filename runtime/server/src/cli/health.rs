//! `lavka health`.

use std::process::ExitCode;
use std::time::Duration;

use lavka_api::{Error, Result};

/// A worker that is well answers at once; one that is not says so within ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn run(url: &str) -> Result<ExitCode> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build()
        .new_agent();
    let address = format!("{}/health", url.trim_end_matches('/'));
    let unreachable = |error: ureq::Error| Error::fatal(format!("{address} does not answer: {error}"));
    let mut answer = agent.get(&address).call().map_err(unreachable)?;
    let text = answer.body_mut().read_to_string().map_err(unreachable)?;
    super::emit(&format!("{}\n", text.trim_end()))?;
    Ok(if answer.status().is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
