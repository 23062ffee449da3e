//! What the binary writes about itself.

use std::process::{Command, Stdio};

use crate::support::{Folder, lavka};

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(lavka(&["--version"], "").stdout, format!("lavka {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn plugins_are_listed_with_all_of_their_names_and_keys() {
    let listed = lavka(&["plugins", "--json"], "");
    let plugins: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let plugins = plugins.as_array().unwrap();
    let find = |class: &str, kind: &str| {
        plugins.iter().find(|p| p["class"] == class && p["type"] == kind).unwrap_or_else(|| panic!("{class}"))
    };
    for (class, kind) in [
        ("io.confluent.connect.mqtt.MqttSourceConnector", "source"),
        ("io.lavka.connect.lake.LakeSinkConnector", "sink"),
        ("org.apache.kafka.connect.json.JsonConverter", "converter"),
        ("org.apache.kafka.connect.json.JsonConverter", "header_converter"),
        ("org.apache.kafka.connect.transforms.predicates.HasHeaderKey", "predicate"),
        ("io.lavka.transforms.Score", "transformation"),
    ] {
        find(class, kind);
    }
    let source = find("org.apache.kafka.connect.file.FileStreamSourceConnector", "source");
    assert_eq!(source["aliases"], serde_json::json!(["FileStreamSourceConnector", "FileStreamSource"]));
    let cast = find("org.apache.kafka.connect.transforms.Cast$Value", "transformation");
    assert_eq!(cast["aliases"], serde_json::json!(["Cast$Value"]));
    let spec = cast["config"].as_array().unwrap().iter().find(|key| key["name"] == "spec").unwrap();
    assert_eq!((spec["type"].as_str(), spec["required"].as_bool()), (Some("LIST"), Some(true)));

    let table = lavka(&["plugins"], "").stdout;
    assert_eq!(table.lines().count(), plugins.len());
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = lavka(&["completions", shell], "");
        assert_eq!(script.status, Some(0));
        assert!(script.stdout.contains("standalone") && script.stdout.contains("transform"), "{shell}");
    }
}

#[test]
fn manual_pages_for_every_command() {
    let folder = Folder::new();
    let output = lavka(&["man".as_ref(), folder.path().as_os_str()], "");
    assert_eq!(output.status, Some(0), "{output:?}");
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("lavka.1").starts_with(".ie"), "{}", page("lavka.1"));
    for command in
        ["standalone", "check", "transform", "plugins", "broker", "demo", "health", "docs", "completions"]
    {
        let text = page(&format!("lavka-{command}.1"));
        assert!(text.contains(&format!("lavka\\-{command}")), "{text}");
        assert!(page("lavka.1").contains(&format!("lavka\\-{command}(1)")), "{command}");
    }
    assert!(!folder.path().join("lavka-man.1").exists(), "it is hidden");
    assert_eq!(lavka(&["man"], "").stdout, page("lavka.1"));
}

/// Whoever stops reading has read enough: that is no error, and no panic.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    for arguments in [&["plugins", "--json"][..], &["plugins"], &["completions", "bash"], &["man"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lavka"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert!(output.status.success(), "{arguments:?}");
    }
}
