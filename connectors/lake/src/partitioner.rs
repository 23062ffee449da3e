//! Which directory a record belongs to.

use std::fmt::Write as _;

use lavka_api::data::{SinkRecord, Value};
use lavka_api::{Error, Result};

use crate::field_path::FieldPath;
use crate::instant::TimestampExtractor;
use crate::pattern::Pattern;
use crate::zone::Zone;

/// `partitioner.class`, compiled. One per task: the partitioners by time remember the last bucket.
#[derive(Debug, Clone)]
pub(crate) enum Partitioner {
    /// `partition=<Kafka partition>`.
    Default,
    /// `<field>=<value>`, for every field in turn.
    Fields(Vec<FieldPath>),
    /// The time bucket of the record.
    Time(TimePartitioner),
}

impl Partitioner {
    /// Appends the directory of `record` below its topic's. `time` is what [`time`](Self::time) gave.
    ///
    /// # Errors
    /// A data error where the record has no place.
    pub(crate) fn encode(&mut self, record: &SinkRecord, time: Option<i64>, out: &mut String) -> Result<()> {
        match self {
            Partitioner::Default => {
                // Writing to a String cannot fail.
                let _ = write!(out, "partition={}", record.origin.partition);
                Ok(())
            }
            Partitioner::Fields(fields) => by_fields(fields, &record.record.value.value, out),
            Partitioner::Time(partitioner) => partitioner.encode(time.unwrap_or_default(), out),
        }
    }

    /// The names in its directories, as columns of a table: `year` and `month` of `year=2015/month=04`.
    ///
    /// # Errors
    /// What is wrong where a directory has no name.
    pub(crate) fn columns(&self) -> Result<Vec<String>, String> {
        match self {
            Partitioner::Default => Ok(vec!["partition".into()]),
            Partitioner::Fields(fields) => Ok(fields.iter().map(|field| field.text().to_owned()).collect()),
            Partitioner::Time(partitioner) => {
                let mut sample = String::new();
                let time = partitioner.zone.local_time(0).map_err(|error| error.to_string())?;
                partitioner.pattern.format(&time, &mut sample);
                let name = |part: &str| part.split_once('=').map(|(name, _)| name.to_owned());
                sample.split('/').map(name).collect::<Option<_>>().ok_or_else(|| {
                    "hive.integration needs directories with a name in each, as path.format='year'=YYYY/'month'=MM \
                     makes them"
                        .into()
                })
            }
        }
    }

    /// The time that the partitioner sees in `record`; `None` for partitioners that look at none.
    ///
    /// # Errors
    /// A data error where the record does not tell its time.
    pub(crate) fn time(&self, record: &SinkRecord, now: i64) -> Result<Option<i64>> {
        match self {
            // A tombstone has no field to look at; the S3 sink, which writes them, takes the time that Kafka has.
            Partitioner::Time(_) if record.record.value.is_null() => {
                TimestampExtractor::Record.extract(record, now).map(Some)
            }
            Partitioner::Time(partitioner) => partitioner.extractor.extract(record, now).map(Some),
            _ => Ok(None),
        }
    }
}

/// Values are not escaped, as the HDFS sink does not: a value with a slash makes a deeper directory. (One that would
/// lead out of the lake is refused when it becomes a [`LakePath`](crate::store::LakePath).)
fn by_fields(fields: &[FieldPath], value: &Value, out: &mut String) -> Result<()> {
    if !matches!(value, Value::Struct(_) | Value::Object(_)) {
        return Err(Error::data(format!(
            "Error encoding partition: the FieldPartitioner needs a value with fields and not one of class {}",
            value.java_class()
        )));
    }
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.push('/');
        }
        out.push_str(field.text());
        out.push('=');
        let place = || format!("field \"{}\" (partition.field.name)", field.text());
        let _ = match field.get(value) {
            None | Some(Value::Null) => write!(out, "null"),
            Some(Value::String(text)) => write!(out, "{}", text.as_str()),
            Some(Value::Boolean(flag)) => write!(out, "{flag}"),
            Some(other) => match other.as_i64() {
                Some(number) => write!(out, "{number}"),
                None => {
                    return Err(Error::data(format!(
                        "Error encoding partition: {} is of class {}; integers, strings and booleans can be partitioned by",
                        place(),
                        other.java_class()
                    )));
                }
            },
        };
    }
    Ok(())
}

/// The partitioners by time: `path.format` of the bucket that a record falls into.
#[derive(Debug, Clone)]
pub(crate) struct TimePartitioner {
    duration_ms: i64,
    zone: Zone,
    pattern: Pattern,
    extractor: TimestampExtractor,
    /// The time seen last; it lies in the bucket seen last.
    recent: Option<i64>,
    /// The start of the bucket seen last.
    bucket: Option<i64>,
    /// Its directory.
    directory: String,
}

impl TimePartitioner {
    /// Buckets of `duration_ms` (at least 1) by the clocks of `zone`.
    pub(crate) fn new(duration_ms: i64, zone: Zone, pattern: Pattern, extractor: TimestampExtractor) -> Self {
        Self {
            duration_ms: duration_ms.max(1),
            zone,
            pattern,
            extractor,
            recent: None,
            bucket: None,
            directory: String::new(),
        }
    }

    fn encode(&mut self, time: i64, out: &mut String) -> Result<()> {
        if self.recent != Some(time) {
            let bucket = self.bucket_of(time)?;
            if self.bucket != Some(bucket) {
                let start = self.zone.local_time(bucket)?;
                self.directory.clear();
                self.pattern.format(&start, &mut self.directory);
                self.bucket = Some(bucket);
            }
            self.recent = Some(time);
        }
        out.push_str(&self.directory);
        Ok(())
    }

    /// The start of the bucket. The division rounds towards zero, so that before 1970 (local time) a bucket is named
    /// by its end, as the Java partitioner does.
    fn bucket_of(&self, time: i64) -> Result<i64> {
        let local = self.zone.local_ms(time)?;
        self.zone.epoch_of_local(local / self.duration_ms * self.duration_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lavka_api::data::{Datum, KafkaOrigin, Object, Record};

    fn record(value: impl Into<Value>, timestamp: Option<i64>) -> SinkRecord {
        let mut record = Record::for_topic("t");
        record.value = Datum::schemaless(value);
        record.timestamp = timestamp;
        let origin = KafkaOrigin { topic: "t".into(), partition: 7, offset: 0, leader_epoch: None };
        SinkRecord { record, origin, raw_key: None, raw_value: None }
    }

    fn encode(partitioner: &mut Partitioner, record: &SinkRecord) -> Result<String> {
        let mut out = String::new();
        let time = partitioner.time(record, 0)?;
        partitioner.encode(record, time, &mut out)?;
        Ok(out)
    }

    fn by_time(pattern: &str, duration_ms: i64, zone: &str) -> Partitioner {
        Partitioner::Time(TimePartitioner::new(
            duration_ms,
            Zone::parse(zone).unwrap(),
            Pattern::parse(pattern).unwrap(),
            TimestampExtractor::Record,
        ))
    }

    fn at(partitioner: &mut Partitioner, utc: &str) -> String {
        let ms = utc.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        encode(partitioner, &record("x", Some(ms))).unwrap()
    }

    #[test]
    fn default_is_the_kafka_partition() {
        assert_eq!(encode(&mut Partitioner::Default, &record("x", None)).unwrap(), "partition=7");
    }

    #[test]
    fn fields_keep_their_configured_names_and_plain_values() {
        let mut partitioner = Partitioner::Fields(["a", "b.c", "n", "z", "o"].map(FieldPath::new).to_vec());
        let inner = Object::from_entries([("c", Value::from("x/y=é"))]);
        let value = Object::from_entries([
            ("a", Value::Int8(-3)),
            ("b", inner.into()),
            ("n", Value::Null),
            ("o", Value::Boolean(true)),
        ]);
        assert_eq!(
            encode(&mut partitioner, &record(value, None)).unwrap(),
            "a=-3/b.c=x/y=é/n=null/z=null/o=true"
        );
        let empty = Object::from_entries([("a", "")]);
        let mut partitioner = Partitioner::Fields(vec![FieldPath::new("a")]);
        assert_eq!(encode(&mut partitioner, &record(empty, None)).unwrap(), "a=", "as in Java");
        let error =
            |value: Value| encode(&mut Partitioner::Fields(vec![FieldPath::new("a")]), &record(value, None));
        for (value, text) in [
            (Object::from_entries([("a", 1.5)]).into(), "is of class java.lang.Double"),
            (Value::from("text"), "java.lang.String"),
        ] {
            let error = error(value).unwrap_err();
            assert!(error.message().unwrap().contains(text), "{error}");
        }
    }

    #[test]
    fn daily_and_hourly_buckets_in_a_zone() {
        let mut daily = by_time("'year'=YYYY/'month'=MM/'day'=dd", 86_400_000, "America/New_York");
        assert_eq!(at(&mut daily, "2024-03-10T04:59:59Z"), "year=2024/month=03/day=09");
        assert_eq!(at(&mut daily, "2024-03-10T05:00:00Z"), "year=2024/month=03/day=10");
        assert_eq!(
            at(&mut daily, "2024-03-11T03:59:59Z"),
            "year=2024/month=03/day=10",
            "the day of 23 hours"
        );
        assert_eq!(
            at(&mut daily, "2024-11-04T04:59:59Z"),
            "year=2024/month=11/day=03",
            "the day of 25 hours"
        );
        let mut hourly = by_time("YYYY-MM-dd'T'HHZ", 3_600_000, "Asia/Kolkata");
        assert_eq!(at(&mut hourly, "2024-01-01T00:00:00Z"), "2024-01-01T05+0530");
        assert_eq!(at(&mut hourly, "2024-01-01T00:30:00Z"), "2024-01-01T06+0530");
    }

    #[test]
    fn buckets_of_other_durations() {
        let mut quarter = by_time("HH-mm", 900_000, "UTC");
        assert_eq!(at(&mut quarter, "2024-01-01T10:44:59.999Z"), "10-30");
        assert_eq!(at(&mut quarter, "2024-01-01T10:45:00Z"), "10-45");
        assert_eq!(at(&mut quarter, "2024-01-01T10:45:00Z"), "10-45", "remembered");
    }

    #[test]
    fn before_1970_buckets_round_towards_zero() {
        let mut daily = by_time("YYYY-MM-dd", 86_400_000, "UTC");
        assert_eq!(at(&mut daily, "1969-12-31T12:00:00Z"), "1970-01-01");
        assert_eq!(at(&mut daily, "1969-12-31T00:00:00Z"), "1969-12-31");
        assert_eq!(at(&mut daily, "1969-12-30T23:59:59Z"), "1969-12-31");
    }

    #[test]
    fn a_record_without_a_time_is_a_data_error() {
        let mut daily = by_time("YYYY", 86_400_000, "UTC");
        let error = encode(&mut daily, &record("x", None)).unwrap_err();
        assert_eq!(error.class(), lavka_api::ErrorClass::Data);
        assert!(encode(&mut daily, &record("x", Some(i64::MAX))).is_err());
    }
}
