//! `lavka standalone` where there is no Kafka: what keeps a worker from starting, or ends it.

use std::path::Path;

use expect_test::expect;

use crate::support::{Folder, Output, lavka};

fn worker(folder: &Folder, extra: &str) -> std::path::PathBuf {
    let offsets = folder.path().join("connect.offsets");
    folder.file(
        "worker.properties",
        format!(
            "bootstrap.servers=127.0.0.1:9\n\
             key.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n\
             offset.storage.file.filename={}\n\
             listeners=http://127.0.0.1:0\n\
             {extra}\n",
            offsets.display()
        ),
    )
}

fn standalone(worker: &Path, connectors: &[&Path]) -> Output {
    let mut arguments = vec!["standalone".as_ref(), worker.as_os_str()];
    arguments.extend(connectors.iter().map(|path| path.as_os_str()));
    lavka(&arguments, "")
}

#[test]
fn all_wrong_keys_are_named_at_once() {
    let folder = Folder::new();
    let path = worker(
        &folder,
        "offset.flush.interval.ms=soon\ntopic.tracking.enable=yes\nkey.converter=JsonConvertor\n",
    );
    let output = standalone(&path, &[]);
    assert_eq!(output.status, Some(1));
    let said = output.stderr.lines().skip_while(|line| !line.starts_with("lavka: ")).collect::<Vec<_>>();
    expect![[r#"
        lavka: worker.properties: 3 keys are wrong:
          Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG
          Invalid value yes for configuration topic.tracking.enable: Expected value to be either true or false
          Invalid value JsonConvertor for configuration key.converter: Class JsonConvertor could not be found: no plugin has the class or alias JsonConvertor; did you mean org.apache.kafka.connect.json.JsonConverter?"#]].assert_eq(&said.join("\n").replace(&format!("{}/", folder.path().display()), ""));
}

#[test]
fn malformed_files_are_named_with_the_line() {
    let folder = Folder::new();
    let path = folder.file("worker.properties", "# Müller\na=b\\\n  c\nd=\\u12\n");
    let output = standalone(&path, &[]);
    assert_eq!(output.status, Some(1));
    assert!(
        output.stderr.contains("worker.properties, line 4: malformed \\uXXXX escape '\\u12'"),
        "{output:?}"
    );

    let path = worker(&folder, "");
    let good = folder.file("a.properties", "name=a\nconnector.class=FileStreamSink\ntopics=t\nfile=x\n");
    let bad = folder.file("b.json", "{\"name\": \"b\",\n}");
    let output = standalone(&path, &[&good, &bad]);
    assert_eq!(output.status, Some(3));
    assert!(
        output.stderr.contains("b.json: line 2 column 1")
            || output.stderr.contains("b.json, line 2 column 1"),
        "{output:?}"
    );

    let same = folder.file("c.json", "{\"name\": \"a\", \"config\": {}}");
    let output = standalone(&path, &[&good, &same]);
    assert_eq!(output.status, Some(3));
    assert!(output.stderr.contains("c.json: the name 'a' is taken by the connector in "), "{output:?}");
}

#[test]
fn a_port_that_is_taken() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = standalone(&worker(&folder, &format!("listeners=http://{address}")), &[]);
    assert_eq!(output.status, Some(1));
    let expected = format!("The REST API cannot listen on http://{address} (listeners): ");
    assert!(output.stderr.contains(&expected) && output.stderr.contains("; choose another"), "{output:?}");
}

#[test]
fn an_offset_file_where_none_can_be() {
    let folder = Folder::new();
    for (place, remedy) in [
        ("/proc/connect.offsets", "make its folder /proc writable"),
        ("/nowhere/connect.offsets", "its folder /nowhere does not exist; create it"),
        ("/", "offset.storage.file.filename"),
    ] {
        let path = worker(&folder, &format!("offset.storage.file.filename={place}"));
        let output = standalone(&path, &[]);
        assert_eq!(output.status, Some(1));
        assert!(output.stderr.contains(remedy), "{place}: {output:?}");
        assert!(output.stderr.contains("(offset.storage.file.filename) cannot be used"), "{output:?}");
    }
}

/// Connectors may start meanwhile, as their tasks wait too; then it ends as Connect does.
#[test]
fn a_broker_that_never_comes_ends_the_worker() {
    let folder = Folder::new();
    let input = folder.file("in.txt", "one\n");
    let connector = folder.file(
        "source.properties",
        format!(
            "name=s\nconnector.class=FileStreamSource\ntopic=t\nfile={}\nbatch.sise=1\n",
            input.display()
        ),
    );
    let path = worker(&folder, "default.api.timeout.ms=1500\nplugin.path=/opt\nofset.flush.interval.ms=1\n");
    let output = standalone(&path, &[&connector]);
    assert_eq!(output.status, Some(1), "{output:?}");
    for part in [
        "worker.properties: Failed to connect to and describe Kafka cluster. Check worker's broker connection and \
         security properties. No broker at 127.0.0.1:9 (bootstrap.servers) answered within 1500 ms \
         (default.api.timeout.ms)",
        "'plugin.path' has no effect: plugins are built in",
        "the key 'batch.sise' of the connector 's' is not known; did you mean 'batch.size'?",
        "'ofset.flush.interval.ms' is not known; did you mean 'offset.flush.interval.ms'?",
    ] {
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_health_check_of_nobody_fails() {
    // Bound, and never listening: it refuses, and nobody else is given its port.
    let refusing = tokio::net::TcpSocket::new_v4().unwrap();
    refusing.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = refusing.local_addr().unwrap();
    let output = lavka(&["health", &format!("http://{free}")], "");
    assert_eq!(output.status, Some(1));
    assert!(output.stderr.contains(&format!("http://{free}/health does not answer: ")), "{output:?}");
}

/// The worker's own file has variables too, and what they stand for is in no line of the log and no error.
#[test]
fn variables_of_the_worker_are_resolved_and_hidden() {
    let folder = Folder::new();
    let secrets = folder.file("secrets.properties", "brokers=127.0.0.1:9\npatience=800\nmode=nobody-knows\n");
    let from = |key: &str| format!("${{file:{}:{key}}}", secrets.display());
    let providers = "config.providers=file,env\n\
                     config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider\n\
                     config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider\n\
                     rest.advertised.host.name=${env:CARGO_PKG_NAME}\n";
    let keys = format!(
        "{providers}bootstrap.servers={}\ndefault.api.timeout.ms={}\n",
        from("brokers"),
        from("patience")
    );
    let output = standalone(&worker(&folder, &keys), &[]);
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(
        output.stderr.contains("No broker at [hidden] (bootstrap.servers) answered within 800 ms"),
        "{output:?}"
    );
    assert!(!output.stderr.contains("127.0.0.1:9 "), "{output:?}");

    let keys = format!("{providers}topic.tracking.enable={}\n", from("mode"));
    let output = standalone(&worker(&folder, &keys), &[]);
    let told = "Invalid value [hidden] for configuration topic.tracking.enable: Expected value to be either";
    assert!(output.stderr.contains(told) && !output.stderr.contains("nobody-knows"), "{output:?}");

    std::fs::remove_file(&secrets).unwrap();
    let output = standalone(&worker(&folder, &keys), &[]);
    let told = format!("worker.properties: Could not read properties from file {}", secrets.display());
    assert!(output.stderr.contains(&told), "{output:?}");
    let output =
        standalone(&worker(&folder, "config.providers=v\nconfig.providers.v.class=com.acme.Vault\n"), &[]);
    assert!(
        output.stderr.contains("Invalid value com.acme.Vault for configuration config.providers.v.class")
    );
}
