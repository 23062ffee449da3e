//! What validation says of transforms and predicates. Texts were observed on the worker of Kafka 4.3.0.

use lavka_api::config::Config;
use lavka_testkit::temp_dir;

use crate::support::TestWorker;

const PACKAGE: &str = "org.apache.kafka.connect.transforms.";

/// A sink with these keys; `@` stands for the package of Kafka's transforms.
fn sink(keys: &[(&str, &str)]) -> Config {
    let mut config = Config::from([("name", "v"), ("connector.class", "FileStreamSink"), ("topics", "t")]);
    for (key, value) in keys {
        config.set(*key, value.replace('@', PACKAGE));
    }
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_transforms_and_predicates_have_connects_texts() {
    let folder = temp_dir();
    let worker = TestWorker::start_on("127.0.0.1:1", folder.path(), &[]);
    for (keys, wrong, text) in [
        (
            &[("transforms", "a,a"), ("transforms.a.type", "@Cast$Value"), ("transforms.a.spec", "int8")][..],
            "transforms",
            "Invalid value [a, a] for configuration transforms: Duplicate alias provided.",
        ),
        (
            &[("transforms", "a"), ("transforms.a.type", "@Cast")],
            "transforms.a.type",
            "This class is abstract and cannot be created. Did you mean @Cast$Key, @Cast$Value?",
        ),
        (
            &[("transforms", "a,"), ("transforms.a.type", "@Flatten$Key")],
            "transforms..type",
            "Missing required configuration \"transforms..type\" which has no default value.",
        ),
        (
            &[("transforms", "a")],
            "transforms.a.type",
            "Missing required configuration \"transforms.a.type\" which has no default value.",
        ),
        (
            &[("transforms", "a"), ("transforms.a.type", "no.such.Class")],
            "transforms.a.type",
            "Invalid value no.such.Class for configuration transforms.a.type: Class no.such.Class could not be found.",
        ),
        (
            &[("transforms", "a"), ("transforms.a.type", "@Flatten$Key"), ("transforms.a.negate", "true")],
            "transforms.a.type",
            "Config 'transforms.a.negate' was provided but there is no config 'transforms.a.predicate' defining a \
             predicate to be negated.",
        ),
        // A value of the wrong type is named with its whole key, one that is refused without the prefix.
        (
            &[
                ("transforms", "a"),
                ("transforms.a.type", "@Cast$Value"),
                ("transforms.a.spec", "int8"),
                ("transforms.a.replace.null.with.default", "maybe"),
            ],
            "transforms.a.replace.null.with.default",
            "Invalid value maybe for configuration transforms.a.replace.null.with.default: Expected value to be either \
             true or false",
        ),
        (
            &[
                ("transforms", "a"),
                ("transforms.a.type", "@TimestampConverter$Value"),
                ("transforms.a.target.type", "x"),
            ],
            "transforms.a.target.type",
            "Invalid value x for configuration target.type: String must be one of: string, unix, Date, Time, Timestamp",
        ),
        (
            &[
                ("transforms", "a"),
                ("transforms.a.type", "@RegexRouter"),
                ("transforms.a.regex", "("),
                ("transforms.a.replacement", "x"),
            ],
            "transforms.a.regex",
            "Invalid value ( for configuration regex: Invalid regex: Unclosed group near index 1\n(",
        ),
        (
            &[("transforms", "a"), ("transforms.a.type", "@MaskField$Value"), ("transforms.a.fields", "")],
            "transforms.a.fields",
            "Configuration 'fields' must not be empty. Valid values include: any non-empty value",
        ),
        (
            &[
                ("predicates", "p"),
                ("predicates.p.type", "@predicates.TopicNameMatches"),
                ("predicates.p.pattern", "["),
            ],
            "predicates.p.pattern",
            "Invalid value [ for configuration pattern: Invalid regex: Unclosed character class near index 0\n[\n^",
        ),
    ] {
        let config = sink(keys);
        let infos = worker.handle().validate("FileStreamSink", &config).await.unwrap();
        let found: Vec<(&str, &str)> = infos
            .configs
            .iter()
            .flat_map(|info| info.value.errors.iter().map(|error| (info.value.name.as_str(), error.as_str())))
            .collect();
        assert_eq!(found, [(wrong, text.replace('@', PACKAGE).as_str())]);
        assert_eq!(infos.error_count, 1);
    }
    worker.shutdown().await;
}
