//! The environment variables by which a test run is told what to use, and `testrun` tells its children.

/// Bootstrap servers of a cluster that runs already; nothing is started then.
pub(crate) const BOOTSTRAP: &str = "LAVKA_TEST_BOOTSTRAP";
/// `host:port` of an MQTT broker that runs already; nothing is started then.
pub(crate) const MQTT: &str = "LAVKA_TEST_MQTT";
/// URL of a schema registry that runs already; nothing is started then.
pub(crate) const REGISTRY: &str = "LAVKA_TEST_REGISTRY";
/// URL of an HDFS cluster that runs already; nothing is started then.
pub(crate) const HDFS: &str = "LAVKA_TEST_HDFS";
/// What the cluster named by [`BOOTSTRAP`] is: `real`, `external` (the default) or `embedded`.
pub(crate) const KAFKA_KIND: &str = "LAVKA_TEST_KAFKA";
/// File to which tests that could not run add their names and what they wanted.
pub(crate) const REPORT: &str = "LAVKA_TEST_REPORT";
/// `1`: a run without a real Apache Kafka is a failure.
pub(crate) const REQUIRE_REAL: &str = "LAVKA_REQUIRE_REAL";
/// Path of the `lavka` executable under test.
pub(crate) const BINARY: &str = "LAVKA_BIN";
/// How many tests of a target run at once; known to Rust's own harness.
pub(crate) const THREADS: &str = "RUST_TEST_THREADS";
/// What [`Chance`](crate::Chance) begins with.
pub(crate) const SEED: &str = "LAVKA_SEED";
/// `1`: the long variants.
const SOAK: &str = "LAVKA_SOAK";

/// The value of a variable, unless it is unset, empty or not text.
pub(crate) fn get(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

fn is_on(variable: &str) -> bool {
    get(variable).is_some_and(|value| value != "0")
}

/// Whether only a real Apache Kafka will do (`LAVKA_REQUIRE_REAL=1`, set by continuous integration).
pub(crate) fn requires_real() -> bool {
    is_on(REQUIRE_REAL)
}

/// Whether this is a soak run (`LAVKA_SOAK=1`, set by `make soak`).
pub fn soak() -> bool {
    is_on(SOAK)
}

/// How often to do something: `usual` times, or `soaked` times in a soak run.
///
/// Long variants are the same tests with other counts rather than ignored tests, so that they cannot rot.
pub fn count(usual: usize, soaked: usize) -> usize {
    if soak() { soaked } else { usual }
}
