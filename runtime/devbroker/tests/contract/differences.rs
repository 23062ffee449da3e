//! Where the embedded broker says something else than Apache Kafka, and why.

/// One line of a recording, what the embedded broker says instead, and the reason.
struct Difference {
    case: &'static str,
    kafka: &'static str,
    ours: &'static str,
    why: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        case: "defaults_of_topics",
        kafka: r#"default: min.insync.replicas=1 from 3 type 3 read-only false sensitive false ["min.insync.replicas=1 from 3", "min.insync.replicas=1 from 5"]"#,
        ours: r#"default: min.insync.replicas=1 from 5 type 3 read-only false sensitive false ["min.insync.replicas=1 from 5"]"#,
        why: "Kafka sets it for all brokers where replicas may be elected that are not in sync; there is one replica here",
    },
    Difference {
        case: "fetches",
        kafka: "at most 200 bytes of the partition: ok, ok high=6 stable=6 start=0 aborted=None bytes=200",
        ours: "at most 200 bytes of the partition: ok, ok high=6 stable=6 start=0 aborted=None bytes=177",
        why: "Kafka sends a slice of a file, which may end within a batch that clients then throw away; here batches are whole",
    },
    Difference {
        case: "fetches",
        kafka: "at most 200 bytes in all: ok, ok high=6 stable=6 start=0 aborted=None bytes=200",
        ours: "at most 200 bytes in all: ok, ok high=6 stable=6 start=0 aborted=None bytes=177",
        why: "Kafka sends a slice of a file, which may end within a batch that clients then throw away; here batches are whole",
    },
];

/// The recording as the embedded broker would have it.
pub(crate) fn apply(case: &str, recorded: &str) -> String {
    let mut lines: Vec<String> = recorded.lines().map(str::to_owned).collect();
    for difference in DIFFERENCES.iter().filter(|difference| difference.case == case) {
        let place = lines.iter().position(|line| line == difference.kafka);
        let place = place.unwrap_or_else(|| panic!("{case}: Kafka does not say {:?}", difference.kafka));
        difference.ours.clone_into(&mut lines[place]);
    }
    lines.join("\n") + "\n"
}

/// Every difference is of a case there is, and has its reason.
pub(crate) fn check(cases: &[&str]) {
    for difference in DIFFERENCES {
        assert!(cases.contains(&difference.case), "{} is no case", difference.case);
        assert_ne!(difference.kafka, difference.ours);
        assert!(difference.why.len() > 20, "{}: a difference needs its reason", difference.case);
    }
}
