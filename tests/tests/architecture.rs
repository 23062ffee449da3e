//! The rules of ARCHITECTURE.md that a machine can check: which crate may know which, who owns a heavy dependency, and
//! what the source tree looks like.
//!
//! The arrows are those of the manifests (`cargo metadata --no-deps`): nothing is resolved, so no registry is asked.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a rule that cannot be checked fails its test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Crates of the runtime and what each may know, from the bottom up.
const ARROWS: &[(&str, &[&str])] = &[
    ("lavka-api", &[]),
    ("lavka-telemetry", &[]),
    ("lavka-devbroker", &[]),
    ("lavka-testkit", &["lavka-api"]),
    ("lavka-coordination", &["lavka-api"]),
    ("lavka-ports", &["lavka-api"]),
    ("lavka-converters", &["lavka-api"]),
    ("lavka-columnar", &["lavka-api"]),
    ("lavka-kcql", &[]),
    ("lavka-key-stores", &[]),
    ("lavka-lake-stores", &["lavka-api"]),
    ("lavka-odbc-manager", &[]),
    ("lavka-schema-registry", &["lavka-api"]),
    ("lavka-avro", &["lavka-api", "lavka-schema-registry"]),
    ("lavka-protobuf", &["lavka-api", "lavka-schema-registry"]),
    ("lavka-json-schema", &["lavka-api", "lavka-converters", "lavka-schema-registry"]),
    ("lavka-kafka", &["lavka-api", "lavka-telemetry", "lavka-ports"]),
    (
        "lavka-engine",
        &["lavka-api", "lavka-telemetry", "lavka-coordination", "lavka-ports", "lavka-converters"],
    ),
    (
        "lavka-worker",
        &[
            "lavka-api",
            "lavka-telemetry",
            "lavka-coordination",
            "lavka-ports",
            "lavka-converters",
            "lavka-engine",
        ],
    ),
    ("lavka-rest", &["lavka-api", "lavka-telemetry", "lavka-worker"]),
];

/// What a crate under `connectors/` or `transforms/` may know.
const PLUGIN: &[&str] = &[
    "lavka-api",
    "lavka-avro",
    "lavka-converters",
    "lavka-columnar",
    "lavka-kcql",
    "lavka-key-stores",
    "lavka-models",
    "lavka-lake-stores",
    "lavka-odbc-manager",
];

/// The models know no records: they take columns of numbers, and anybody may use them.
const MODELS: &str = "lavka-models";

/// Plugins and a worker as somebody else would write them. The plugins show that `lavka-api` is enough: they depend on
/// nothing else at all.
const EXAMPLES: &str = "examples/";
const EXAMPLE_WORKER: &str = "trip-worker";

/// On top of everything: these may know every crate but the testkit, which the tests alone may name.
const SERVER: &str = "lavka";
const TESTS: &str = "lavka-tests";
const TESTKIT: &str = "lavka-testkit";

/// What the tests of a crate may know besides what the crate may: the testkit, and these.
const DEV_ONLY: &[(&str, &str)] = &[
    ("lavka-kafka", "lavka-devbroker"),
    ("lavka-rest", "lavka-ports"),
    ("lavka-avro", "lavka-converters"),
    ("lavka-protobuf", "lavka-converters"),
    // What Debezium's records become behind the connector was captured too.
    ("lavka-connector-postgres", "lavka-avro"),
    ("lavka-connector-postgres", "lavka-transforms"),
];

/// Who may name an outside crate. `tests` stands for the test code of `lavka-tests`, which looks from outside.
struct Owned {
    /// The crate, or with a `*` at its end all whose names begin so.
    dependency: &'static str,
    /// In code that ships.
    owners: &'static [&'static str],
    /// In tests and benches.
    dev: &'static [&'static str],
    why: &'static str,
}

const OWNED: &[Owned] = &[
    Owned {
        dependency: "rdkafka",
        // The bench of lavka-tests compares with a bare producer loop.
        owners: &["lavka-kafka", TESTKIT, TESTS],
        dev: &["lavka-devbroker", TESTS],
        why: "librdkafka is behind the ports of lavka-ports",
    },
    Owned {
        dependency: "kafka-protocol",
        owners: &["lavka-kafka", "lavka-devbroker"],
        dev: &[],
        why: "Kafka's wire format is known to the client and to the embedded broker alone",
    },
    Owned {
        dependency: "arrow*",
        // The bench compares with a bare writer.
        owners: &["lavka-columnar", "lavka-connector-lake", TESTS],
        dev: &[],
        why: "columns appear only at the edges that want them",
    },
    Owned {
        dependency: "parquet",
        // The demo reads back what the lake sink wrote; the bench compares with a bare writer.
        owners: &["lavka-connector-lake", SERVER, TESTS],
        dev: &[TESTS],
        why: "Parquet is the lake sink's",
    },
    Owned {
        dependency: "hdfs-native",
        owners: &["lavka-lake-stores"],
        dev: &[],
        why: "HDFS is behind the lake's port",
    },
    Owned {
        dependency: "object_store",
        owners: &["lavka-lake-stores"],
        dev: &[],
        why: "object stores are behind the lake's port",
    },
    Owned {
        dependency: "axum",
        owners: &["lavka-rest"],
        dev: &[],
        why: "HTTP and the JSON shapes of the REST API are known to lavka-rest alone",
    },
    Owned {
        dependency: "rumqttc",
        // The demo's simulated devices; publishers and subscribers of tests.
        owners: &[SERVER],
        dev: &[TESTS, "lavka-connector-mqtt"],
        why: "MQTT is the MQTT connectors' own",
    },
    Owned {
        dependency: "tokio-tungstenite",
        owners: &["lavka-connector-mqtt"],
        dev: &[],
        why: "WebSocket is the MQTT connectors'",
    },
    Owned {
        dependency: "coap-lite",
        owners: &["lavka-connector-coap"],
        dev: &[],
        why: "CoAP is the CoAP source's",
    },
    Owned {
        dependency: "dimpl",
        owners: &["lavka-connector-coap"],
        dev: &[],
        why: "DTLS is for CoAP alone, and known to one folder of it",
    },
    Owned {
        dependency: "sqlx",
        // The bench of lavka-tests compares with bare statements, and its tests look into tables.
        owners: &["lavka-connector-postgres", "lavka-connector-warehouse", TESTS],
        dev: &[],
        why: "SQL is that of the PostgreSQL source and of the warehouse's tables",
    },
    Owned {
        dependency: "odbc-api",
        owners: &["lavka-odbc-manager", "lavka-connector-warehouse"],
        dev: &[],
        why: "ODBC is one driver of the warehouse's",
    },
    Owned {
        dependency: "libloading",
        owners: &["lavka-odbc-manager"],
        dev: &[],
        why: "libraries that are loaded at run time are called by unsafe code, which is in one place",
    },
    Owned {
        dependency: "postgres-protocol",
        owners: &["lavka-connector-postgres"],
        dev: &[],
        why: "PostgreSQL's replication protocol is the PostgreSQL source's",
    },
    Owned {
        dependency: "protox*",
        owners: &["lavka-protobuf"],
        dev: &[],
        why: "the grammar of .proto files is known to the Protobuf converter alone",
    },
    Owned {
        dependency: "prost*",
        // prost-reflect is the oracle of the tests.
        owners: &["lavka-protobuf"],
        dev: &["lavka-protobuf"],
        why: "records become Protobuf by plans, not by other libraries' messages",
    },
    Owned {
        dependency: "apache-avro",
        owners: &[],
        // The oracle of the tests, and what the bench compares with; the reader of the lake's files.
        dev: &["lavka-avro", "lavka-connector-lake"],
        why: "records become Avro by plans, and its parser drops properties that the mapping needs",
    },
    Owned {
        dependency: "serde_avro_fast",
        // The bench of whole paths.
        owners: &[TESTS],
        dev: &["lavka-avro"],
        why: "benches compare with it; its licence (MPL-2.0) is not for what is shipped",
    },
    Owned {
        dependency: "reqwest",
        // The wire client asks for tokens.
        owners: &["lavka-schema-registry", "lavka-kafka", "lavka-lake-stores"],
        dev: &[],
        why: "whoever speaks HTTP as a client goes through what has our TLS, proxies and timeouts",
    },
    Owned {
        dependency: "rumqttd",
        owners: &[SERVER],
        // Another server than Mosquitto.
        dev: &[TESTS, "lavka-connector-mqtt"],
        why: "the demo's MQTT broker",
    },
    Owned { dependency: "clap*", owners: &[SERVER], dev: &[], why: "the command line is the binary's" },
];

/// Crates that decide and compute, and leave sockets, threads and the clock to others.
const PURE: &[&str] = &[
    "lavka-api",
    "lavka-coordination",
    "lavka-ports",
    "lavka-converters",
    "lavka-columnar",
    "lavka-kcql",
    "lavka-models",
    "lavka-score",
    "lavka-transforms",
];

/// What a pure crate has no business with.
const IMPURE: &[&str] = &["tokio", "tokio-rustls", "rustls", "tracing", "ureq", "rustix"];

/// Below these folders none of these words, not even behind a full path.
const CLOCKLESS: &[&str] =
    &["runtime/api/src/", "runtime/coordination/src/", "runtime/devbroker/src/cluster/"];
const CLOCKS: &[&str] = &["Instant::now", "SystemTime::now", "std::net::Tcp", "std::fs::", "std::thread"];

const MOST_LINES: usize = 620;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap()
}

/// Where a package is, relative to the root, with `/`.
fn folder(package: &Package) -> String {
    let manifest = package.manifest_path.as_std_path().strip_prefix(root()).unwrap();
    manifest.parent().unwrap().to_string_lossy().replace('\\', "/")
}

fn is_plugin(package: &Package) -> bool {
    let folder = folder(package);
    folder.starts_with("connectors/") || folder.starts_with("transforms/")
}

fn is_example(package: &Package) -> bool {
    folder(package).starts_with(EXAMPLES)
}

/// Dependencies of `package` in code that ships, or those of its tests and benches.
fn dependencies(package: &Package, dev: bool) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(move |dependency| (dependency.kind == DependencyKind::Development) == dev)
        .map(|dependency| dependency.name.as_str())
}

/// What code of `package` that ships may know of this workspace; `None` for the crates on top.
fn allowed(package: &Package) -> Option<Vec<&'static str>> {
    let name = package.name.as_str();
    if name == SERVER || name == TESTS {
        return None;
    }
    if is_example(package) {
        return (name != EXAMPLE_WORKER).then(|| vec!["lavka-api"]);
    }
    if name == MODELS {
        return Some(Vec::new());
    }
    if is_plugin(package) {
        return Some(PLUGIN.to_vec());
    }
    let row = ARROWS.iter().find(|(known, _)| *known == name);
    let (_, allowed) = row.unwrap_or_else(|| {
        panic!(
            "{name} is new: say in ARROWS (tests/tests/architecture.rs) and ARCHITECTURE.md what it may know"
        )
    });
    Some(allowed.to_vec())
}

fn tracked_files() -> Vec<String> {
    // Whoever owns the checkout: a container often runs as somebody else.
    let listed = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| {
            panic!("git has to be installed, it lists the files of the project: {error}")
        });
    assert!(
        listed.status.success(),
        "these tests look at a git checkout: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout).unwrap();
    names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Name and text of every tracked text file.
fn tracked_texts() -> Vec<(String, String)> {
    let texts: Vec<_> = tracked_files()
        .into_iter()
        // A file that was deleted and not committed yet is still listed.
        .filter_map(|name| Some((std::fs::read(root().join(&name)).ok()?, name)))
        .filter_map(|(bytes, name)| Some((name, String::from_utf8(bytes).ok()?)))
        .collect();
    assert!(
        texts.iter().any(|(name, _)| name == "Cargo.toml"),
        "the list of files is not that of the project"
    );
    texts
}

fn fail_on(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn arrows_between_crates_point_down() {
    let metadata = metadata();
    let ours: Vec<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(allowed) = allowed(package) else { continue };
        for (dev, kind) in [(false, "may not know"), (true, "may not know, even in its tests,")] {
            for dependency in dependencies(package, dev).filter(|dependency| ours.contains(dependency)) {
                let tests_may = dev && (dependency == TESTKIT || DEV_ONLY.contains(&(name, dependency)));
                if !allowed.contains(&dependency) && !tests_may {
                    faults.push(format!("{name} {kind} {dependency}"));
                }
            }
        }
    }
    fail_on(&faults);
}

#[test]
fn every_row_of_the_rules_is_a_crate() {
    let metadata = metadata();
    let known = |name: &&str| metadata.packages.iter().any(|package| package.name.as_str() == *name);
    let named = ARROWS.iter().map(|(name, _)| *name).chain(PURE.iter().copied());
    let named = named.chain(PLUGIN.iter().copied()).chain([MODELS, SERVER, TESTS, TESTKIT]);
    let named = named.chain(OWNED.iter().flat_map(|row| row.owners.iter().chain(row.dev)).copied());
    let gone: Vec<&str> = named.filter(|name| !known(name)).collect();
    assert!(gone.is_empty(), "rules for crates that do not exist (any more): {gone:?}");
}

#[test]
fn only_server_and_tests_name_plugin_crates() {
    let metadata = metadata();
    let plugins: Vec<&str> = metadata
        .packages
        .iter()
        .filter(|package| is_plugin(package) && package.name.as_str() != MODELS)
        .map(|package| package.name.as_str())
        .collect();
    let mut faults = Vec::new();
    for package in metadata.packages.iter().filter(|p| ![SERVER, TESTS].contains(&p.name.as_str())) {
        let of_tests = |name: &str| DEV_ONLY.contains(&(package.name.as_str(), name));
        let named = package
            .dependencies
            .iter()
            .filter(|named| named.kind != DependencyKind::Development || !of_tests(&named.name))
            .map(|named| named.name.as_str());
        for plugin in named.filter(|dependency| plugins.contains(dependency)) {
            faults.push(format!("{} names the plugin crate {plugin}", package.name));
        }
    }
    fail_on(&faults);
}

#[test]
fn every_plugin_crate_is_in_the_catalogue() {
    let metadata = metadata();
    let server = metadata.packages.iter().find(|package| package.name.as_str() == SERVER).unwrap();
    let linked: Vec<&str> = dependencies(server, false).collect();
    let catalogue = std::fs::read_to_string(root().join("runtime/server/src/catalogue.rs")).unwrap();
    let mut faults = Vec::new();
    for package in metadata.packages.iter().filter(|package| is_plugin(package)) {
        let name = package.name.as_str();
        let line = format!("{}::plugins()", name.replace('-', "_"));
        if name != MODELS && !(linked.contains(&name) && catalogue.contains(&line)) {
            faults.push(format!(
                "{name} is built and nobody can use it: {line} is not in runtime/server/src/catalogue.rs"
            ));
        }
    }
    fail_on(&faults);
}

/// Whatever else a plugin's author needed would be missing from the API.
#[test]
fn the_examples_of_plugins_need_the_api_alone() {
    let metadata = metadata();
    let examples: Vec<&Package> = metadata.packages.iter().filter(|package| is_example(package)).collect();
    assert!(examples.iter().any(|package| package.name.as_str() == EXAMPLE_WORKER));
    for package in examples.iter().filter(|package| package.name.as_str() != EXAMPLE_WORKER) {
        assert_eq!(dependencies(package, false).collect::<Vec<_>>(), ["lavka-api"], "{}", package.name);
        assert_eq!(dependencies(package, true).collect::<Vec<_>>(), [TESTKIT], "{}", package.name);
    }
}

#[test]
fn the_testkit_is_for_tests() {
    let metadata = metadata();
    let mut faults = Vec::new();
    for package in metadata.packages.iter().filter(|package| package.name.as_str() != TESTS) {
        if dependencies(package, false).any(|dependency| dependency == TESTKIT) {
            faults.push(format!("{} ships with {TESTKIT}: make it a dev-dependency", package.name));
        }
    }
    fail_on(&faults);
}

#[test]
fn heavy_dependencies_have_their_owners() {
    let metadata = metadata();
    let mut faults = Vec::new();
    for row in OWNED {
        let is_it = |name: &str| match row.dependency.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == row.dependency,
        };
        for package in &metadata.packages {
            let name = package.name.as_str();
            let ships = row.owners.contains(&name);
            if !ships && dependencies(package, false).any(is_it) {
                faults.push(format!("{name} depends on {}: {}", row.dependency, row.why));
            }
            if !ships && !row.dev.contains(&name) && dependencies(package, true).any(is_it) {
                faults.push(format!("the tests of {name} depend on {}: {}", row.dependency, row.why));
            }
        }
    }
    fail_on(&faults);
}

#[test]
fn what_decides_is_pure() {
    let metadata = metadata();
    let mut faults = Vec::new();
    for package in metadata.packages.iter().filter(|package| PURE.contains(&package.name.as_str())) {
        for dependency in dependencies(package, false).filter(|dependency| IMPURE.contains(dependency)) {
            faults.push(format!("{} depends on {dependency}: it is to decide, not to do", package.name));
        }
    }
    for (name, text) in tracked_texts() {
        let pure = CLOCKLESS.iter().any(|folder| name.starts_with(folder)) && name.ends_with(".rs");
        for word in CLOCKS.iter().filter(|word| pure && text.contains(**word)) {
            faults.push(format!("{name} uses {word}: pass the time or the effect in as an argument"));
        }
    }
    fail_on(&faults);
}

/// Paths of the machine on which something was written say nothing to a reader, and break elsewhere.
#[test]
fn no_file_names_a_machine_path() {
    // In two halves, so that this file passes.
    let forbidden = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut faults = Vec::new();
    for (name, text) in tracked_texts() {
        for (number, line) in text.lines().enumerate() {
            for word in forbidden.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    fail_on(&faults);
}

#[test]
fn source_files_stay_readable() {
    let sources =
        tracked_texts().into_iter().filter(|(name, _)| name.ends_with(".rs") && name.contains("src/"));
    let lengths: BTreeMap<String, usize> = sources.map(|(name, text)| (name, text.lines().count())).collect();
    let long: Vec<String> = lengths
        .iter()
        .filter(|(_, lines)| **lines >= MOST_LINES)
        .map(|(name, lines)| format!("{name} has {lines} lines, {MOST_LINES} are too many: one idea a file"))
        .collect();
    fail_on(&long);
}

#[test]
fn every_crate_takes_part_in_the_lints() {
    let mut faults = Vec::new();
    for package in &metadata().packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        if !manifest.contains("[lints]\nworkspace = true") {
            faults.push(format!("{} does not inherit the workspace's lints", package.name));
        }
    }
    fail_on(&faults);
}
