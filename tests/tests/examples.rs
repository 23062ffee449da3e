//! The configurations in `examples/` mean what they say: each is understood whole, and would start.

#![expect(clippy::unwrap_used, reason = "a configuration that cannot be read fails its test")]

use std::path::{Path, PathBuf};

use lavka::connector_file::ConnectorFile;
use lavka_api::plugin::PluginKind;
use lavka_worker::Validation;
use lavka_worker::config::{
    KeyMeaning, OverridePolicy, WorkerConfig, WorkerKey, definition_for, describe_key,
};

/// The root of the project, which is also where paths inside the examples begin.
fn enter_root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    std::env::set_current_dir(&root).unwrap();
    root
}

fn worker_file(root: &Path) -> WorkerConfig {
    WorkerConfig::new(lavka::read_worker_file(&root.join("examples/standalone.properties")).unwrap()).unwrap()
}

#[test]
fn every_key_of_the_worker_file_is_used() {
    let worker = worker_file(&enter_root());
    let idle: Vec<_> = worker.explain().filter(|(_, meaning)| *meaning != WorkerKey::Used).collect();
    assert!(idle.is_empty(), "{idle:?}");
}

#[tokio::test]
async fn every_connector_is_understood_and_would_start() {
    let root = enter_root();
    let (catalogue, worker) = (lavka::catalogue(), worker_file(&root));
    let validation = Validation {
        catalogue: &catalogue,
        worker: &worker.raw,
        policy: &OverridePolicy::All,
        providers: &worker.providers,
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        seen += 1;
        let ConnectorFile { config, .. } = ConnectorFile::read(&path).unwrap();
        let place = path.display();
        let class = config.get("connector.class").unwrap();
        let plugin = catalogue.find(class, PluginKind::is_connector).unwrap();
        let definition = definition_for(plugin, &config, &catalogue);
        for key in config.keys() {
            assert_eq!(describe_key(key, &definition, &config), KeyMeaning::Understood, "{place}: {key}");
        }
        let infos = validation.run(&config).await.unwrap();
        // The PostgreSQL source asks its server too, the CoAP and MQTT sources read their keys, and those of the examples are
        // not here.
        let away = |error: &String| {
            error.contains("Error while validating connector config: connecting to")
                || error.contains("cannot be read: No such file or directory")
        };
        let errors: Vec<String> =
            infos.errors().map(|error| error.to_string()).filter(|error| !away(error)).collect();
        assert!(errors.is_empty(), "{place}: {errors:?}");
    }
    assert!(seen > 0, "there are no connectors in examples");
}
