//! `lavka check`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use lavka_api::config::Config;
use lavka_api::plugin::PluginKind;
use lavka_api::{Error, Result};
use lavka_worker::config::{Clients, KeyMeaning, OverridePolicy};
use lavka_worker::{Providers, Validation};

use crate::connector_file::ConnectorFile;
use crate::connector_keys::ConnectorKeys;
use crate::worker_file;

pub(super) fn run(path: &Path, worker: Option<&Path>) -> Result<ExitCode> {
    crate::install_tls_provider();
    let file = ConnectorFile::read(path)?;
    let (worker, policy, providers) = match worker {
        Some(path) => {
            let worker = crate::read_worker_config(path)?;
            let policy = Clients::new(&worker).policy().clone();
            (worker.raw, policy, worker.providers)
        }
        None => (worker_file::default_worker(), OverridePolicy::All, Providers::default()),
    };
    let in_file = |error: Error| crate::properties::in_file(path, &error);
    let resolved = providers.resolve(&file.config).map_err(in_file)?;
    let catalogue = crate::catalogue();
    let validation =
        Validation { catalogue: &catalogue, worker: &worker, policy: &policy, providers: &providers };
    let report = super::runtime()?.block_on(check(&file.config, &resolved.config, &validation));
    let hidden = |error: Error| in_file(Error::config(resolved.secrets.redact(&error.to_string())));
    let mut report = report.map_err(hidden)?;
    report.text = resolved.secrets.redact(&report.text).into_owned();
    super::emit(&report.text)?;
    Ok(if report.would_start { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Report {
    text: String,
    would_start: bool,
}

/// `config` is what `raw` says with its variables resolved.
async fn check(raw: &Config, config: &Config, validation: &Validation<'_>) -> Result<Report> {
    let catalogue = validation.catalogue;
    let class = config.get("connector.class").map(str::trim).unwrap_or_default();
    if class.is_empty() {
        return Err(Error::config(
            "Missing required configuration \"connector.class\" which has no default value.",
        ));
    }
    let plugin = catalogue.find(class, PluginKind::is_connector).map_err(|error| {
        let known = "`lavka plugins` lists those there are";
        Error::invalid_value("connector.class", class, format!("{error}; {known}"))
    })?;
    let keys = ConnectorKeys::new(plugin, config, catalogue);
    let mut text = format!("{} ({})\n\n", plugin.class, plugin.kind().name());
    let (mut understood, mut ignored, mut unknown) = (0, 0, 0);
    for key in config.keys() {
        let _ = match keys.meaning(key) {
            KeyMeaning::Understood => {
                understood += 1;
                writeln!(text, "  ok       {key}")
            }
            KeyMeaning::Ignored(why) => {
                ignored += 1;
                writeln!(text, "  ignored  {key}: {why}")
            }
            KeyMeaning::Unknown(nearest) => {
                unknown += 1;
                match nearest {
                    Some(nearest) => writeln!(text, "  unknown  {key}; did you mean {nearest}?"),
                    None => writeln!(text, "  unknown  {key}"),
                }
            }
        };
    }
    let _ = writeln!(text, "\n{understood} understood, {ignored} ignored, {unknown} unknown");
    let infos = validation.run(raw).await.map_err(|refusal| Error::config(refusal.message))?;
    let new_topics = validation.topic_creation(config).err();
    let would_start = infos.error_count == 0 && new_topics.is_none();
    if !would_start {
        text.push('\n');
    }
    let mut told: Vec<String> = Vec::new();
    for info in &infos.configs {
        for error in &info.value.errors {
            // Connect's text for a null does not say of which key.
            let names_key = error.contains(&info.value.name) || told.contains(error);
            let error = if names_key { error.clone() } else { format!("{}: {error}", info.value.name) };
            if !told.contains(&error) {
                let _ = writeln!(text, "  error    {error}");
                told.push(error);
            }
        }
    }
    if let Some(error) = new_topics {
        let _ = writeln!(text, "  error    {}", error.message().unwrap_or_default());
    }
    text.push_str(if would_start { "It would start.\n" } else { "It would not start.\n" });
    Ok(Report { text, would_start })
}
