//! Which file a record belongs to: by the directory of its partition, or by a name from a template.

use lavka_api::data::SinkRecord;
use lavka_api::{Error, Result};

use crate::aiven_dialect::TemplateNames;
use crate::name_template::Binding;
use crate::naming::Naming;
use crate::partitioner::Partitioner;

/// What the S3 sink adds to the partitioner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PlaceRules {
    /// `s3.schema.partition.affix.type`.
    pub(crate) affix: SchemaAffix,
    /// The directory of tombstones below that of their topic, where they are written.
    pub(crate) tombstones: Option<String>,
}

/// Where the name of a record's schema is in its directory, as `schema_name=<name>`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SchemaAffix {
    #[default]
    None,
    /// Before the directory of the partitioner.
    Prefix,
    /// Behind it.
    Suffix,
}

/// Finds places for the records of a topic partition.
#[derive(Debug, Default)]
pub(crate) struct Placing {
    /// The first offset since the last commit, which names from a template have.
    head: Option<i64>,
    /// The name that the first record since then made, where the others share it.
    shared: Option<String>,
}

impl Placing {
    /// Replaces `out` by the place of `record`: `<topic>/<encoded partition>`, or with a template the file's name. `time` is
    /// what the partitioner saw in it.
    ///
    /// # Errors
    /// A data error where it has none.
    pub(crate) fn place(
        &mut self,
        (naming, rules): (&Naming, &PlaceRules),
        partitioner: &mut Partitioner,
        record: &SinkRecord,
        time: Option<i64>,
        now: i64,
        out: &mut String,
    ) -> Result<()> {
        out.clear();
        let Naming::Template(names) = naming else {
            out.push_str(&record.record.topic);
            out.push('/');
            return directory(rules, partitioner, record, time, out);
        };
        if let Some(shared) = &self.shared {
            out.push_str(shared);
            return Ok(());
        }
        let start_offset = *self.head.get_or_insert(record.origin.offset);
        name(names, record, start_offset, now, out)?;
        if names.one_file || !names.template.has_time() {
            self.shared = Some(out.clone());
        }
        Ok(())
    }

    /// Everything was committed: the next record is the first one.
    pub(crate) fn restart(&mut self) {
        (self.head, self.shared) = (None, None);
    }
}

/// Appends the directory of `record` below its topic's.
fn directory(
    rules: &PlaceRules,
    partitioner: &mut Partitioner,
    record: &SinkRecord,
    time: Option<i64>,
    out: &mut String,
) -> Result<()> {
    if let Some(tombstones) = &rules.tombstones
        && record.record.value.is_null()
    {
        out.push_str(tombstones);
        return Ok(());
    }
    let schema = || {
        let schema = record.record.value.schema.as_ref();
        schema.and_then(|schema| schema.name()).map_or("null", |name| name.as_str())
    };
    let start = out.len();
    if rules.affix == SchemaAffix::Prefix {
        out.push_str("schema_name=");
        out.push_str(schema());
        out.push('/');
    }
    partitioner.encode(record, time, out)?;
    if rules.affix == SchemaAffix::Suffix {
        out.push_str("/schema_name=");
        out.push_str(schema());
    }
    match (&rules.tombstones, out.get(start..)) {
        (Some(tombstones), Some(directory)) if directory == tombstones => Err(Error::data(format!(
            "{directory} is the directory of tombstones (tombstone.encoded.partition), where no values are written"
        ))),
        _ => Ok(()),
    }
}

fn name(
    names: &TemplateNames,
    record: &SinkRecord,
    start_offset: i64,
    now: i64,
    out: &mut String,
) -> Result<()> {
    let time = if names.by_event && names.template.has_time() {
        record.record.timestamp.ok_or_else(|| {
            Error::data("the record has no timestamp, which file.name.timestamp.source=EVENT needs")
        })?
    } else {
        now
    };
    let (topic, partition) = (&*record.record.topic, record.origin.partition);
    names.template.render(&Binding { topic, partition, start_offset, time, zone: &names.zone }, out)
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{KafkaOrigin, Record};

    use super::*;
    use crate::name_template::{NameTemplate, Variables};
    use crate::zone::Zone;

    /// Where records with these offsets and timestamps come.
    fn places(template: &str, records: &[(i64, Option<i64>)]) -> Result<Vec<String>> {
        let naming = Naming::Template(Box::new(TemplateNames {
            template: NameTemplate::parse(template, Variables::Name).unwrap(),
            zone: Zone::UTC,
            by_event: true,
            one_file: false,
        }));
        let (mut placing, mut place) = (Placing::default(), String::new());
        let mut partitioner = Partitioner::Default;
        let one = |(offset, timestamp): &(i64, Option<i64>)| {
            let origin = KafkaOrigin { topic: "t".into(), partition: 7, offset: *offset, leader_epoch: None };
            let record = Record { timestamp: *timestamp, ..Record::for_topic("t") };
            let record = SinkRecord { record, origin, raw_key: None, raw_value: None };
            let rules = (&naming, &PlaceRules::default());
            placing.place(rules, &mut partitioner, &record, None, 0, &mut place)?;
            Ok(place.clone())
        };
        records.iter().map(one).collect()
    }

    #[test]
    fn names_without_time_ask_for_none_and_are_shared() {
        let template = "{{topic}}-{{partition}}-{{start_offset}}";
        assert_eq!(places(template, &[(3, None), (4, Some(3_600_000))]).unwrap(), ["t-7-3", "t-7-3"]);
    }

    #[test]
    fn names_with_time_are_those_of_each_record() {
        let template = "{{topic}}-{{partition}}-{{start_offset}}-{{timestamp:unit=HH}}";
        let records = [(3, Some(0)), (4, Some(3_600_000)), (5, Some(0))];
        assert_eq!(places(template, &records).unwrap(), ["t-7-3-00", "t-7-3-01", "t-7-3-00"]);
        assert!(places(template, &[(3, None)]).unwrap_err().to_string().contains("no timestamp"));
    }
}
