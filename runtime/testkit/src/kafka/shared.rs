//! The cluster that a whole test run shares.

use std::time::{Duration, Instant};

use super::embedded::EmbeddedBroker;
use super::jars::{JarSet, Jars, Unavailable};
use super::probe;
use super::server::KafkaServer;
use crate::environment::{BOOTSTRAP, KAFKA_KIND, REQUIRE_REAL, get, requires_real};
use crate::failure::Failure;
use crate::missed::miss;
use crate::progress::say;

const PATIENCE: Duration = Duration::from_secs(60);

/// What kind of cluster the tests run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaKind {
    /// Apache Kafka, started for this run.
    Real,
    /// A cluster named by `LAVKA_TEST_BOOTSTRAP`.
    External,
    /// Lavka's in-memory broker, because Apache Kafka's jars could not be resolved.
    Embedded,
}

impl KafkaKind {
    /// The word for it in `LAVKA_TEST_KAFKA`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::External => "external",
            Self::Embedded => "embedded",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Real, Self::External, Self::Embedded].into_iter().find(|kind| kind.word() == word)
    }
}

/// Keeps what was started alive.
#[derive(Debug)]
enum Owned {
    Nothing,
    Server(KafkaServer),
    Broker(EmbeddedBroker),
}

/// The shared cluster: topics are told apart by name, see [`unique`](crate::unique).
#[derive(Debug)]
pub struct Kafka {
    kind: KafkaKind,
    bootstrap: String,
    owned: Owned,
}

impl Kafka {
    /// Uses the cluster of `LAVKA_TEST_BOOTSTRAP`, else starts Apache Kafka, else (only where its jars cannot be
    /// resolved, and `LAVKA_REQUIRE_REAL` is not set) the embedded broker.
    ///
    /// # Errors
    /// When none of these serves; the message says why and what to install.
    pub fn attach_or_start() -> Result<Self, Failure> {
        if let Some(bootstrap) = get(BOOTSTRAP) {
            let kind = get(KAFKA_KIND).as_deref().and_then(KafkaKind::from_word);
            return Self::attach(bootstrap, kind.unwrap_or(KafkaKind::External));
        }
        match Jars::resolve(JarSet::Server) {
            Ok(jars) => {
                let server = KafkaServer::start_on(jars, &[])?;
                Ok(Self {
                    kind: KafkaKind::Real,
                    bootstrap: server.bootstrap(),
                    owned: Owned::Server(server),
                })
            }
            Err(Unavailable::Unresolvable(failure)) if !requires_real() => {
                say(&format!("{failure}"));
                say("falling back to the embedded broker");
                let broker = EmbeddedBroker::start().map_err(|second| {
                    Failure::new(format!("{failure}\nand the embedded broker: {second}"))
                })?;
                Ok(Self {
                    kind: KafkaKind::Embedded,
                    bootstrap: broker.bootstrap(),
                    owned: Owned::Broker(broker),
                })
            }
            Err(Unavailable::Unresolvable(failure)) => {
                Err(Failure::new(format!("{REQUIRE_REAL} is set, and {failure}")))
            }
            Err(Unavailable::Broken(failure)) => Err(failure),
        }
    }

    fn attach(bootstrap: String, kind: KafkaKind) -> Result<Self, Failure> {
        if kind == KafkaKind::Embedded && requires_real() {
            let told = format!("{REQUIRE_REAL} is set, but {BOOTSTRAP} names an embedded broker");
            return Err(Failure::new(told));
        }
        let deadline = Instant::now() + PATIENCE;
        while !probe::any_serves(&bootstrap) {
            if Instant::now() >= deadline {
                return Err(Failure::new(format!(
                    "no Kafka answers at {bootstrap}, which {BOOTSTRAP} names"
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { kind, bootstrap, owned: Owned::Nothing })
    }

    /// `host:port`, for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What kind of cluster this is.
    pub fn kind(&self) -> KafkaKind {
        self.kind
    }

    /// Whether this is Apache Kafka (an external cluster is taken for one).
    pub fn is_real(&self) -> bool {
        self.kind != KafkaKind::Embedded
    }

    /// For a test that only a real Kafka can answer: whether it may go on.
    ///
    /// On `false` the test returns; its name is in the closing lines of the run then, so it is not skipped
    /// silently. With `LAVKA_REQUIRE_REAL=1` there is no such run.
    pub fn is_real_for(&self, test: &str) -> bool {
        if !self.is_real() {
            miss(test, "a real Apache Kafka");
        }
        self.is_real()
    }

    /// A client of this cluster.
    #[cfg(feature = "harness")]
    pub fn client(&self) -> super::KafkaClient {
        super::KafkaClient::new(self.bootstrap.clone())
    }

    /// The log of the server that was started for this value, if one was.
    pub fn log_path(&self) -> Option<std::path::PathBuf> {
        match &self.owned {
            Owned::Server(server) => Some(server.log_path()),
            Owned::Broker(broker) => Some(broker.log_path()),
            Owned::Nothing => None,
        }
    }
}
