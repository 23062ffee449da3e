//! What the configuration means: every key checked against the others, once.

use std::path::PathBuf;
use std::sync::Arc;

use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyReport};
use lavka_api::data::Schema;
use lavka_api::error::{Error, Result};

use crate::aiven_dialect;
use crate::companions::{CompanionFormats, View, ViewFormat};
use crate::compatibility::Compatibility;
use crate::config::{IGNORED_GROUP, LakeConfig, definition};
use crate::envelope::Envelope;
use crate::field_path::FieldPath;
use crate::format::{Compression, FileFormat};
use crate::format_choice;
use crate::hive::{self, HiveConfig, HiveSettings};
use crate::instant::TimestampExtractor;
use crate::largest_file::largest_file;
use crate::naming::Naming;
use crate::partitioner::{Partitioner, TimePartitioner};
use crate::pattern::Pattern;
use crate::placing::PlaceRules;
use crate::rotation::{Clock, RotationPolicy};
use crate::s3_dialect::{self, S3Config};
use crate::storage::{Storage, StorageConfig};
use crate::store::LakePath;
use crate::tags::Tagging;
use crate::topic_dirs::TopicDirs;
use crate::zone::Zone;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// A task's settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) storage: Storage,
    pub(crate) dirs: TopicDirs,
    pub(crate) format: FileFormat,
    /// Objects beside those with the values.
    pub(crate) companions: Arc<CompanionFormats>,
    pub(crate) compatibility: Compatibility,
    pub(crate) partitioner: Partitioner,
    pub(crate) rotation: RotationPolicy,
    pub(crate) nulls: NullValues,
    pub(crate) naming: Naming,
    pub(crate) place_rules: PlaceRules,
    /// What finished objects are tagged with.
    pub(crate) tagging: Option<Tagging>,
    /// What the bytes of files go through.
    pub(crate) compression: Option<Compression>,
    /// What rows are made of, where that is more than values.
    pub(crate) envelope: Option<Arc<Envelope>>,
    pub(crate) retry_backoff_ms: u64,
    pub(crate) pad: usize,
    pub(crate) buffer_bytes: usize,
    pub(crate) max_open_files: usize,
    /// The metastore that is told of finished files.
    pub(crate) hive: Option<HiveSettings>,
}

/// `behavior.on.null.values`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NullValues {
    /// They are errant.
    Fail,
    /// They are passed over, and reported where somebody takes reports.
    Report,
    /// They are passed over.
    Ignore,
    /// Their keys and headers are written.
    Write,
}

/// A key and what is wrong with its value.
pub(crate) type Problem = (&'static str, String);
pub(crate) type Checked<T> = std::result::Result<T, Problem>;

impl Settings {
    /// Reads `config`; `declared` is the schema that `lavka.schema` names, see [`schema_file`].
    ///
    /// # Errors
    /// A config error for the first thing that is wrong.
    pub(crate) fn from_config(config: &Config, declared: Option<Arc<Schema>>) -> Result<Self> {
        let refused = |(key, detail): Problem| Error::config(complaint(config, key, &detail));
        let words = aiven_dialect::translated(config).map_err(refused)?;
        let keys = LakeConfig::from_config(&words)?;
        Self::of(&keys, &words, declared)
            .map_err(|problems| refused(problems.into_iter().next().unwrap_or(("store.url", String::new()))))
    }

    fn of(keys: &LakeConfig, config: &Config, declared: Option<Arc<Schema>>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        fn note<T>(problems: &mut Vec<Problem>, outcome: Checked<T>) -> Option<T> {
            outcome.map_err(|problem| problems.push(problem)).ok()
        }
        let problems_of = &mut problems;
        let storage = note(problems_of, storage(config));
        let regex = keys.capture_groups_regex.as_deref();
        let dirs = TopicDirs::new(&keys.topics_dir, &keys.logs_dir, regex);
        let dirs = dirs.map_err(|found| problems_of.extend(found)).ok();
        let s3 = match s3_dialect::is_meant(config) {
            true => note(problems_of, s3_dialect::read(config)),
            false => None,
        };
        let aiven = note(problems_of, aiven_dialect::aiven(keys, config)).flatten();
        let format = match &aiven {
            Some(aiven) => Some(aiven.format.clone()),
            None => note(problems_of, format_choice::format(keys, config, s3.as_ref(), declared)),
        };
        let partitioner = note(problems_of, partitioner(keys));
        let schedule = note(problems_of, schedule(keys));
        if keys.directory_delim != "/" {
            problems_of.push(("directory.delim", "a local directory has / as its delimiter".into()));
        }
        let nulls = nulls(keys, s3.as_ref());
        let (companions, tagging) = match &s3 {
            Some(s3) => {
                problems_of.extend(s3_dialect::contradictions(keys, config, s3));
                (
                    note(problems_of, s3_dialect::companions(keys, s3)),
                    note(problems_of, s3_dialect::tagging(s3)),
                )
            }
            None => (Some(CompanionFormats::default()), Some(None)),
        };
        if nulls == NullValues::Write && s3.is_none() {
            let text = "keys of tombstones are written by the S3 sink alone; use fail or ignore";
            problems_of.push(("behavior.on.null.values", text.into()));
        }
        let (Some(storage), Some(dirs), Some(format), Some(companions), Some(tagging)) =
            (storage, dirs, format, companions, tagging)
        else {
            return Err(problems);
        };
        let (Some((partitioner, clock)), Some(schedule)) = (partitioner, schedule) else {
            return Err(problems);
        };
        let compatibility = Compatibility::of(&keys.schema_compatibility);
        let hive = HiveConfig::from_config(config)
            .map_err(|error| ("hive.integration", error.to_string()))
            .and_then(|keys| hive::settings(&keys, &storage, &dirs, &format, compatibility, &partitioner));
        let hive = note(&mut problems, hive).flatten();
        if !problems.is_empty() {
            return Err(problems);
        }
        let by_time = matches!(partitioner, Partitioner::Time(_));
        let open_files = s3.as_ref().map(|s3| s3.max_open_files).filter(|limit| *limit > 0);
        let is_lines = matches!(format, FileFormat::Lines(_));
        let positive = |value: i64| (value > 0).then_some(value);
        let naming = match (&s3, &aiven) {
            (Some(s3), _) => Naming::Start { delim: s3.file_delim.clone() },
            (None, Some(aiven)) => Naming::Template(Box::new(aiven.names.clone())),
            (None, None) => Naming::Span,
        };
        let rotate_bytes = positive(keys.rotate_bytes).and_then(|bytes| u64::try_from(bytes).ok());
        let rotate_bytes = rotate_bytes.into_iter().chain(largest_file(&storage, &naming)).min();
        Ok(Self {
            storage,
            dirs,
            format,
            companions: Arc::new(companions),
            compatibility,
            partitioner,
            rotation: RotationPolicy {
                rows: u64::try_from(keys.flush_size).unwrap_or(1),
                // The S3 sink measures it by the partitioner's time alone.
                interval_ms: positive(keys.rotate_interval_ms).filter(|_| s3.is_none() || by_time),
                clock,
                schedule,
                bytes: rotate_bytes,
                idle_ms: positive(keys.rotate_idle_ms),
                on_commit: aiven.is_some(),
                on_new_place: s3.as_ref().is_some_and(|s3| s3.rotate_on_partition_change)
                    && by_time
                    && keys.rotate_interval_ms > 0,
            },
            nulls,
            place_rules: PlaceRules {
                affix: s3.as_ref().map(s3_dialect::affix).unwrap_or_default(),
                tombstones: s3
                    .as_ref()
                    .map(|s3| s3.tombstone_partition.clone())
                    .filter(|_| nulls == NullValues::Write),
            },
            tagging,
            naming,
            compression: match (&s3, &aiven) {
                (Some(s3), _) if is_lines => s3.compression(),
                (None, Some(aiven)) => aiven.compression,
                _ => None,
            },
            envelope: aiven.map(|aiven| Arc::new(aiven.envelope)),
            retry_backoff_ms: u64::try_from(keys.retry_backoff_ms).unwrap_or(0),
            pad: usize::try_from(keys.offset_zero_pad_width).unwrap_or(10),
            buffer_bytes: size(keys.buffer_bytes),
            max_open_files: usize::try_from(open_files.unwrap_or(keys.max_open_files)).unwrap_or(1),
            hive,
        })
    }
}

impl Settings {
    /// The format of objects of `view`, and what their bytes go through; `None` where there are no such objects.
    pub(crate) fn format_of(&self, view: View) -> Option<(&FileFormat, Option<Compression>)> {
        match view {
            View::Value => Some((&self.format, self.compression)),
            view => self.companions.of(view).map(|ViewFormat { format, compression }| (format, *compression)),
        }
    }

    /// What names of objects of `view` end with.
    pub(crate) fn extension(&self, view: View) -> Option<String> {
        let (format, _) = self.format_of(view)?;
        Some(format!("{}{}", view.extension(), format.extension()))
    }
}

/// `behavior.on.null.values`.
fn nulls(keys: &LakeConfig, s3: Option<&S3Config>) -> NullValues {
    match keys.null_values.to_ascii_lowercase().as_str() {
        "write" => NullValues::Write,
        "ignore" if s3.is_some_and(|s3| s3.report_nulls) => NullValues::Report,
        "ignore" => NullValues::Ignore,
        _ => NullValues::Fail,
    }
}

/// Adds to `reports` what is wrong between keys that are fine each by itself. `declared` is the outcome of reading
/// the schema file, if one is configured.
pub(crate) fn cross_check(
    config: &Config,
    declared: Result<Option<Arc<Schema>>>,
    mut reports: Vec<KeyReport>,
) -> Vec<KeyReport> {
    let mut complain = |key: &str, text: String| {
        // What follows from several keys may be about one that this connector has under another name.
        let at = reports.iter().position(|report| report.name == key).unwrap_or_default();
        reports.get_mut(at).into_iter().for_each(|report| report.errors.push(text.clone()));
    };
    let declared = declared.unwrap_or_else(|error| {
        complain("lavka.schema", error.to_string());
        None
    });
    let problems = match aiven_dialect::translated(config) {
        Err(problem) => vec![problem],
        Ok(words) => match LakeConfig::from_config(&words) {
            Ok(keys) => Settings::of(&keys, &words, declared).err().unwrap_or_default(),
            // Each key has been checked by itself.
            Err(_) => Vec::new(),
        },
    };
    for (key, detail) in problems {
        complain(key, complaint(config, key, &detail));
    }
    reports
}

/// The keys in `config` that have no effect, with the reason.
pub(crate) fn ignored(config: &Config) -> Vec<(String, String)> {
    definition_for(config)
        .iter()
        .filter(|key| key.group.as_deref() == Some(IGNORED_GROUP) && config.contains(&key.name))
        .map(|key| (key.name.to_string(), key.doc.to_string()))
        .collect()
}

/// The path that `lavka.schema` names; `None` for inference.
///
/// # Errors
/// A config error for any other value.
pub(crate) fn schema_file(config: &Config) -> Result<Option<PathBuf>> {
    let keys = definition();
    let written = keys.get("lavka.schema").and_then(|key| key.effective(config.get("lavka.schema")));
    match written.unwrap_or("infer") {
        infer if infer.eq_ignore_ascii_case("infer") => Ok(None),
        other => match other.strip_prefix("file:").map(str::trim).filter(|path| !path.is_empty()) {
            Some(path) => Ok(Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))),
            None => Err(Error::invalid_value("lavka.schema", other, "it has to be infer or file:PATH")),
        },
    }
}

/// The keys of the sink that `config` is for.
fn definition_for(config: &Config) -> ConfigDef {
    if s3_dialect::is_meant(config) {
        s3_dialect::definition()
    } else if aiven_dialect::is_meant(config) {
        aiven_dialect::definition()
    } else {
        definition()
    }
}

fn complaint(config: &Config, key: &str, detail: &str) -> String {
    let keys = definition_for(config);
    let value = keys.get(key).and_then(|def| def.effective(config.get(key))).unwrap_or("null");
    format!("Invalid value {value} for configuration {key}: {detail}")
}

pub(crate) fn size(bytes: i64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn storage(config: &Config) -> Checked<Storage> {
    let keys = StorageConfig::from_config(config).map_err(|error| ("store.url", error.to_string()))?;
    Storage::of(&keys, config.contains("s3.part.size"))
}

fn zone(keys: &LakeConfig, why: &str) -> Checked<Zone> {
    if keys.timezone.is_empty() {
        return Err(("timezone", format!("{why} needs a time zone")));
    }
    Zone::parse(&keys.timezone).ok_or_else(|| {
        ("timezone", "there is no such time zone; use a name such as Europe/Prague, UTC or +02:00".into())
    })
}

fn schedule(keys: &LakeConfig) -> Checked<Option<(i64, Zone)>> {
    if keys.rotate_schedule_interval_ms <= 0 {
        return Ok(None);
    }
    Ok(Some((keys.rotate_schedule_interval_ms, zone(keys, "rotate.schedule.interval.ms")?)))
}

fn partitioner(keys: &LakeConfig) -> Checked<(Partitioner, Clock)> {
    let class = keys.partitioner_class.0.as_str();
    let simple = class.rsplit('.').next().unwrap_or_default();
    let kind = simple.strip_suffix("Partitioner").unwrap_or(simple).to_ascii_lowercase();
    match kind.as_str() {
        "default" => Ok((Partitioner::Default, Clock::Wall)),
        "field" => {
            let fields: Vec<FieldPath> = keys
                .partition_field_name
                .iter()
                .filter(|name| !name.is_empty())
                .map(|name| FieldPath::new(name))
                .collect();
            if fields.is_empty() {
                return Err(("partition.field.name", "the FieldPartitioner needs at least one field".into()));
            }
            Ok((Partitioner::Fields(fields), Clock::Wall))
        }
        "daily" => by_time(keys, "DailyPartitioner", DAY_MS, "'year'=YYYY/'month'=MM/'day'=dd"),
        "hourly" => by_time(keys, "HourlyPartitioner", HOUR_MS, "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"),
        "timebased" => {
            if keys.partition_duration_ms < 1 {
                return Err((
                    "partition.duration.ms",
                    "the TimeBasedPartitioner needs a positive duration".into(),
                ));
            }
            if keys.path_format.is_empty() {
                return Err(("path.format", "the TimeBasedPartitioner needs a path format".into()));
            }
            by_time(keys, "TimeBasedPartitioner", keys.partition_duration_ms, &keys.path_format)
        }
        _ => Err((
            "partitioner.class",
            "there is no such partitioner; use Default, Field, TimeBased, Daily or Hourly".into(),
        )),
    }
}

fn by_time(keys: &LakeConfig, class: &str, duration_ms: i64, format: &str) -> Checked<(Partitioner, Clock)> {
    if keys.locale.is_empty() {
        return Err(("locale", format!("the {class} needs a locale, such as en")));
    }
    let zone = zone(keys, &format!("the {class}"))?;
    let format = format.strip_suffix('/').unwrap_or(format);
    let pattern = Pattern::parse(format).map_err(|detail| ("path.format", detail))?;
    if pattern.has_words() && !keys.locale.to_ascii_lowercase().starts_with("en") {
        return Err((
            "locale",
            "names of months and days are written in English alone; use en, or numbers".into(),
        ));
    }
    let mut sample = String::new();
    pattern.format(&zone.local_time(0).map_err(|error| ("timezone", error.to_string()))?, &mut sample);
    LakePath::new(&sample).map_err(|error| ("path.format", format!("it makes no directory: {error}")))?;
    let name = keys.timestamp_extractor.rsplit(['.', '$']).next().unwrap_or_default();
    let extractor =
        match name.strip_suffix("TimestampExtractor").unwrap_or(name).to_ascii_lowercase().as_str() {
            "wallclock" => TimestampExtractor::Wallclock,
            "record" => TimestampExtractor::Record,
            "recordfield" => {
                if keys.timestamp_field.is_empty() {
                    return Err(("timestamp.field", "RecordField needs the name of a field".into()));
                }
                TimestampExtractor::Field(FieldPath::new(&keys.timestamp_field))
            }
            _ => {
                return Err((
                    "timestamp.extractor",
                    "there is no such extractor; use Wallclock, Record or RecordField".into(),
                ));
            }
        };
    let clock = match extractor {
        TimestampExtractor::Wallclock => Clock::Wall,
        _ => Clock::Records,
    };
    Ok((Partitioner::Time(TimePartitioner::new(duration_ms, zone, pattern, extractor)), clock))
}
