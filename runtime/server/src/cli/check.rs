//! `lavka check`.

use std::path::Path;
use std::process::ExitCode;

use lavka_api::config::Config;
use lavka_api::plugin::PluginKind;
use lavka_api::{Error, Result};
use lavka_worker::Validation;
use lavka_worker::config::{KeyMeaning, OverridePolicy, definition_for, describe_key};

use crate::connector_file::ConnectorFile;

pub(super) fn run(path: &Path) -> Result<ExitCode> {
    crate::install_tls_provider();
    let file = ConnectorFile::read(path)?;
    let report = super::runtime()?.block_on(check(&file.config))?;
    print!("{}", report.text);
    Ok(if report.would_start { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Report {
    text: String,
    would_start: bool,
}

async fn check(config: &Config) -> Result<Report> {
    let catalogue = crate::catalogue();
    let class = config.get("connector.class").unwrap_or_default();
    let plugin = catalogue
        .find(class, PluginKind::is_connector)
        .map_err(|error| Error::invalid_value("connector.class", class, error))?;
    let definition = definition_for(plugin, config, &catalogue);
    let mut text = format!("{} ({})\n\n", plugin.class, plugin.kind().name());
    for key in config.keys() {
        let line = match describe_key(key, &definition, config) {
            KeyMeaning::Understood => format!("  ok       {key}\n"),
            KeyMeaning::Ignored(why) => format!("  ignored  {key}: {why}\n"),
            KeyMeaning::Unknown(Some(nearest)) => format!("  unknown  {key}; did you mean {nearest}?\n"),
            KeyMeaning::Unknown(None) => format!("  unknown  {key}\n"),
        };
        text.push_str(&line);
    }
    let worker = default_worker();
    let validation = Validation { catalogue: &catalogue, worker: &worker, policy: &OverridePolicy::All };
    let infos = validation.run(config).await.map_err(|refusal| Error::config(refusal.message))?;
    let would_start = infos.error_count == 0;
    text.push('\n');
    for error in infos.errors() {
        text.push_str(&format!("  error    {error}\n"));
    }
    text.push_str(if would_start { "It would start.\n" } else { "It would not start.\n" });
    Ok(Report { text, would_start })
}

/// The converters of a worker whose file is not at hand: JSON without schemas.
pub(super) fn default_worker() -> Config {
    Config::from([
        ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("key.converter.schemas.enable", "false"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("value.converter.schemas.enable", "false"),
    ])
}
