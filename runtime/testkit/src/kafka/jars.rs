//! Released jars of Kafka, of Debezium and of the schema registry, resolved once into the cache folder.
//!
//! Invariants: a folder with the final name is complete (it is renamed into place), and one process at a time
//! works in the cache (a lock file), so an aborted or a concurrent download is never taken for a finished one.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Context as _, Failure};
use crate::folders::{cache, try_write_file};
use crate::leash::{Launch, find_program, log_tail};
use crate::progress::say;

/// Shared with `setup.sh`, which installs Maven only where this version is not in the cache.
const VERSION: &str = include_str!("../../kafka-version");
const REGISTRY_VERSION: &str = include_str!("../../registry-version");
const HADOOP_VERSION: &str = include_str!("../../hadoop-version");
/// The last one that runs without a release of Hive beside it.
const METASTORE_VERSION: &str = "3.1.3";
/// The newest release of the converters; the connectors themselves are not on Maven Central.
const LENSES_VERSION: &str = "2.0.5";
const DEBEZIUM_VERSION: &str = "3.6.3.Final";
/// The newest release of it that is a connector.
const DEBEZIUM_JDBC_VERSION: &str = "3.6.0.Final";
/// The logging facade ships without an implementation; the released server brings log4j, this is a smaller one.
const LOGGING: (&str, &str, &str) = ("org.slf4j", "slf4j-simple", "1.7.36");
const COPY_DEPENDENCIES: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const UNPACK: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack";
const LONGEST_DOWNLOAD: Duration = Duration::from_secs(900);

/// What can be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JarSet {
    /// The server: `org.apache.kafka:kafka_2.13` and what it needs to run.
    Server,
    /// Java's Connect worker with its file connectors, JSON converter and transforms, to compare with.
    Connect,
    /// Debezium's transforms, with what they need of Connect.
    Debezium,
    /// Debezium's PostgreSQL connector, with Java's Connect worker to run it.
    DebeziumPostgres,
    /// Debezium's JDBC sink with drivers, as released: a folder for `plugin.path`, to compare with.
    DebeziumJdbc,
    /// Apicurio Registry: a folder with the jar that starts it and `lib` beside it.
    Registry,
    /// Hadoop: a small HDFS cluster and a Kerberos server for tests, with what they need.
    Hadoop,
    /// Hive's metastore, which runs alone, and its client.
    Metastore,
    /// The converters of Lenses' Stream Reactor, as far as they are released, with what they need of Connect. Its Jackson
    /// decides which Connect goes with it.
    LensesConverters,
}

impl JarSet {
    fn name(self) -> &'static str {
        match self {
            Self::Server => "kafka",
            Self::Connect => "connect",
            Self::Debezium => "debezium",
            Self::DebeziumPostgres => "debezium-postgres",
            Self::DebeziumJdbc => "debezium-jdbc",
            Self::Registry => "registry",
            Self::Hadoop => "hadoop",
            Self::Metastore => "metastore",
            Self::LensesConverters => "lenses-converters",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Server | Self::Connect => VERSION.trim(),
            Self::Debezium | Self::DebeziumPostgres => DEBEZIUM_VERSION,
            Self::DebeziumJdbc => DEBEZIUM_JDBC_VERSION,
            Self::Registry => REGISTRY_VERSION.trim(),
            Self::Hadoop => HADOOP_VERSION.trim(),
            Self::Metastore => METASTORE_VERSION,
            Self::LensesConverters => LENSES_VERSION,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Server | Self::Connect => "Apache Kafka",
            Self::Debezium | Self::DebeziumPostgres | Self::DebeziumJdbc => "Debezium",
            Self::Registry => "Apicurio Registry",
            Self::Hadoop => "Apache Hadoop",
            Self::Metastore => "Hive Metastore",
            Self::LensesConverters => "Lenses' Stream Reactor",
        }
    }

    /// What messages say of a download.
    fn size(self) -> &'static str {
        match self {
            Self::Server | Self::Connect => "50 MB",
            Self::Debezium => "30 MB",
            Self::DebeziumPostgres => "70 MB",
            Self::DebeziumJdbc => "60 MB",
            Self::Registry => "140 MB",
            Self::Hadoop => "95 MB",
            Self::Metastore => "75 MB",
            Self::LensesConverters => "55 MB",
        }
    }

    /// What a program with these jars names itself; the rest comes along. Of two versions the first counts.
    fn dependencies(self) -> Vec<(&'static str, &'static str, &'static str)> {
        let of = |group: &'static str, version: &'static str, artifacts: &[&'static str]| {
            artifacts.iter().map(move |artifact| (group, *artifact, version)).collect::<Vec<_>>()
        };
        let kafka = |artifacts: &[&'static str]| of("org.apache.kafka", VERSION.trim(), artifacts);
        let debezium = |artifacts: &[&'static str]| of("io.debezium", DEBEZIUM_VERSION, artifacts);
        let mut dependencies = match self {
            Self::Server => kafka(&["kafka_2.13"]),
            Self::Connect => {
                kafka(&["connect-runtime", "connect-file", "connect-json", "connect-transforms"])
            }
            Self::Debezium => {
                [kafka(&["connect-json", "connect-transforms"]), debezium(&["debezium-connect-plugins"])]
                    .concat()
            }
            Self::DebeziumPostgres => [
                kafka(&["connect-runtime", "connect-json", "connect-transforms"]),
                debezium(&["debezium-connector-postgres"]),
            ]
            .concat(),
            Self::Registry | Self::DebeziumJdbc => Vec::new(),
            Self::Hadoop => of(
                "org.apache.hadoop",
                HADOOP_VERSION.trim(),
                &[
                    "hadoop-client-minicluster",
                    "hadoop-client-api",
                    "hadoop-client-runtime",
                    "hadoop-minikdc",
                ],
            ),
            Self::Metastore => [
                // Hadoop's own, which is newer than Hive's.
                of("com.google.guava", "27.0-jre", &["guava"]),
                of("org.apache.hive", METASTORE_VERSION, &["hive-standalone-metastore"]),
                of("org.apache.hadoop", "3.1.4", &["hadoop-common", "hadoop-mapreduce-client-core"]),
            ]
            .concat(),
            Self::LensesConverters => [
                of("com.datamountaineer", LENSES_VERSION, &["kafka-connect-common"]),
                of("org.apache.kafka", "2.5.0", &["connect-json"]),
                // Where its class for errors of configurations is.
                of("org.apache.zookeeper", "3.4.14", &["zookeeper"]),
            ]
            .concat(),
        };
        // These bring an implementation of the logging facade.
        if !matches!(self, Self::Hadoop | Self::Metastore | Self::LensesConverters) {
            dependencies.push(LOGGING);
        }
        dependencies
    }
}

/// A complete folder of jars.
#[derive(Clone, Debug)]
pub struct Jars {
    folder: PathBuf,
}

/// Why there are no jars.
#[derive(Clone, Debug)]
pub enum Unavailable {
    /// Maven (or pip) ran and could not resolve them: the one case in which a run may fall back to the embedded broker.
    Unresolvable(Failure),
    /// Something on this machine is missing or in the way; the message says what to do.
    Broken(Failure),
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        Self::Broken(failure)
    }
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::Unresolvable(failure) | Unavailable::Broken(failure) => failure,
        }
    }
}

impl Jars {
    /// The version of Apache Kafka that is resolved.
    pub fn version() -> &'static str {
        VERSION.trim()
    }

    /// Finds the jars in the cache, or has Maven resolve them into it.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when Maven could not resolve them; [`Unavailable::Broken`] when Maven is
    /// missing or the cache folder cannot be written.
    pub fn resolve(set: JarSet) -> Result<Self, Unavailable> {
        let cache = cache();
        let folder = cache.join(format!("{}-{}", set.name(), set.version()));
        if folder.is_dir() {
            return Ok(Self { folder });
        }
        fs::create_dir_all(&cache).context(|| {
            format!("cannot make the cache folder {} (LAVKA_CACHE names another)", cache.display())
        })?;
        let _lock = lock(&cache)?;
        if !folder.is_dir() {
            download(set, &cache, &folder)?;
        }
        Ok(Self { folder })
    }

    /// The folder that holds the jars.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The class path that takes in every jar of the folder.
    pub fn class_path(&self) -> String {
        format!("{}/*", self.folder.display())
    }
}

/// Held as long as the returned file is open, so it is freed by any kind of exit.
pub(crate) fn lock(cache: &Path) -> Result<File, Failure> {
    let path = cache.join("lock");
    let explain = || format!("cannot lock {}", path.display());
    let file = File::create(&path).context(explain)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say("waiting for another run that is at work in the cache");
            file.lock().context(explain)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).context(explain),
    }
    Ok(file)
}

fn download(set: JarSet, cache: &Path, folder: &Path) -> Result<(), Unavailable> {
    let maven = find_program("mvn").ok_or_else(|| {
        Failure::new(format!(
            "{}'s jars are not in the cache, and Maven, which resolves them, is not installed: run \
             `runtime/testkit/setup.sh tests`, or install it (Debian: maven)",
            set.title()
        ))
    })?;
    let partial = cache.join(format!(".partial-{}", set.name()));
    // The lock is held: whatever is there was left by a run that was aborted.
    if partial.exists() {
        fs::remove_dir_all(&partial).context(|| format!("cannot remove {}", partial.display()))?;
    }
    let jars = partial.join("jars");
    fs::create_dir_all(&partial).context(|| format!("cannot make {}", partial.display()))?;
    let log = partial.join("maven.log");
    let what = format!("{} {}", set.title(), set.version());
    say(&format!("downloading {what} ({} jars, once, about {})", set.name(), set.size()));
    let began = Instant::now();
    let mut command = Command::new(maven);
    command.args(["--batch-mode", "--no-transfer-progress"]).current_dir(&partial);
    match set {
        JarSet::Server
        | JarSet::Connect
        | JarSet::Debezium
        | JarSet::DebeziumPostgres
        | JarSet::Hadoop
        | JarSet::Metastore
        | JarSet::LensesConverters => {
            let pom = try_write_file(&partial, "pom.xml", pom(set).as_bytes())?;
            command.arg("--file").arg(pom).args([COPY_DEPENDENCIES, "-DincludeScope=runtime"]);
        }
        JarSet::Registry => {
            let artifact = format!("io.apicurio:apicurio-registry-app:{}:tar.gz:all", set.version());
            command.args([UNPACK, &format!("-Dartifact={artifact}")]);
        }
        JarSet::DebeziumJdbc => {
            let artifact = format!("io.debezium:debezium-connector-jdbc:{}:tar.gz:plugin", set.version());
            command.args([UNPACK, &format!("-Dartifact={artifact}")]);
        }
    }
    command.arg(format!("-DoutputDirectory={}", jars.display()));
    let launch = Launch { name: "maven", command: &command, log: Some(&log), remove: None };
    let mut process = launch.start()?;
    let failure = match process.wait(LONGEST_DOWNLOAD)? {
        Some(status) if status.success() => {
            fs::rename(&jars, folder).context(|| format!("cannot rename {} into place", jars.display()))?;
            fs::remove_dir_all(&partial).context(|| format!("cannot remove {}", partial.display()))?;
            say(&format!("downloaded to {} in {:.0?}", folder.display(), began.elapsed()));
            return Ok(());
        }
        Some(status) => format!("maven could not resolve {what} ({status})"),
        None => format!("maven did not finish within {LONGEST_DOWNLOAD:?}"),
    };
    Err(Unavailable::Unresolvable(Failure::new(format!("{failure}:\n{}", log_tail(&log, 15)))))
}

fn pom(set: JarSet) -> String {
    let dependencies: String = set
        .dependencies()
        .into_iter()
        .map(|(group, artifact, version)| {
            format!(
                "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
                 <version>{version}</version></dependency>"
            )
        })
        .collect();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>lavka</groupId><artifactId>{}</artifactId><version>1</version>\
         <dependencies>{dependencies}</dependencies></project>\n",
        set.name()
    )
}
