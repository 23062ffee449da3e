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
        if names.one_file {
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
    let time = match names.by_event {
        false => now,
        true => record.record.timestamp.ok_or_else(|| {
            Error::data("the record has no timestamp, which file.name.timestamp.source=EVENT needs")
        })?,
    };
    let (topic, partition) = (&*record.record.topic, record.origin.partition);
    names.template.render(&Binding { topic, partition, start_offset, time, zone: &names.zone }, out)
}
