use lavka_api::data::{Datum, Record};

use crate::harness::{Case, Keys, apply_to, fails, refuses, run, sink};

const NAME: &str = "TimestampRouter";

fn routes(row: &'static str, keys: Keys<'static>, topic: &'static str, expected: &'static str) -> Case {
    Case::new(row, move || {
        let given = Record { timestamp: Some(1_483_425_001_864), ..Record::for_topic(topic) };
        assert_eq!(apply_to(NAME, keys, given).unwrap().topic.as_str(), expected, "{row}");
    })
}

pub(crate) fn table() -> Vec<Case> {
    vec![
        routes("R12", &[], "test", "test-20170103"),
        routes(
            "R13",
            &[("timestamp.format", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"), ("topic.format", "${timestamp}")],
            "any",
            "2017-01-03T06:30:01.864Z",
        ),
        routes("R14", &[("topic.format", "x-${topic}-${topic}")], "te$t", "x-te$t-te$t"),
        routes(
            "R15",
            &[("timestamp.format", "YYYY'W'ww"), ("topic.format", "${timestamp}")],
            "any",
            "2017W01",
        ),
        routes(
            "R15",
            &[("timestamp.format", "EEE MMM d hh:mm a"), ("topic.format", "${timestamp}")],
            "any",
            "Tue Jan 3 06:30 AM",
        ),
        fails(
            "R16",
            NAME,
            &[],
            Record::for_topic("test"),
            "DataException",
            "Timestamp missing on record: SourceRecord{…",
        ),
        fails(
            "R16",
            NAME,
            &[],
            Record { timestamp: None, ..sink(Datum::schemaless("secret")) },
            "DataException",
            "Timestamp missing on record: SinkRecord{kafkaOffset=0, timestampType=CreateTime} ConnectRecord{topic='t', \
             kafkaPartition=0}",
        ),
        routes("a topic that names the placeholder", &[], "a${timestamp}", "a20170103-20170103"),
        refuses(
            "a pattern that is none",
            NAME,
            &[("timestamp.format", "yyyy-MM-ddTHH")],
            "Invalid value yyyy-MM-ddTHH for configuration timestamp.format: Illegal pattern character 'T'",
        ),
    ]
}

#[test]
fn rows() {
    run(table());
}
