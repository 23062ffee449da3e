//! What the configuration means: every key checked against the others, once.

use std::path::PathBuf;
use std::sync::Arc;

use lavka_api::config::{Config, ConfigSpec, KeyReport};
use lavka_api::data::Schema;
use lavka_api::error::{Error, Result};

use crate::config::{IGNORED_GROUP, LakeConfig, definition};
use crate::field_path::FieldPath;
use crate::format::{Codec, FileFormat, ParquetSettings};
use crate::instant::TimestampExtractor;
use crate::partitioner::{Partitioner, TimePartitioner};
use crate::pattern::Pattern;
use crate::rotation::{Clock, RotationPolicy};
use crate::store::LakePath;
use crate::zone::Zone;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// The sink that stands behind these names writes Avro where no format is given.
const AVRO_BY_DEFAULT: [&str; 4] = [
    "io.confluent.connect.hdfs.HdfsSinkConnector",
    "io.confluent.connect.hdfs3.Hdfs3SinkConnector",
    "HdfsSinkConnector",
    "HdfsSink",
];

/// A task's settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) root: PathBuf,
    /// The key that [`root`](Self::root) came from.
    pub(crate) root_key: &'static str,
    pub(crate) topics_dir: LakePath,
    pub(crate) logs_dir: LakePath,
    pub(crate) format: FileFormat,
    pub(crate) partitioner: Partitioner,
    pub(crate) rotation: RotationPolicy,
    pub(crate) ignore_nulls: bool,
    pub(crate) retry_backoff_ms: u64,
    pub(crate) pad: usize,
    pub(crate) buffer_bytes: usize,
    pub(crate) max_open_files: usize,
}

/// A key and what is wrong with its value.
type Problem = (&'static str, String);
type Checked<T> = std::result::Result<T, Problem>;

impl Settings {
    /// Reads `config`; `declared` is the schema that `lavka.schema` names, see [`schema_file`].
    ///
    /// # Errors
    /// A config error for the first thing that is wrong.
    pub(crate) fn from_config(config: &Config, declared: Option<Arc<Schema>>) -> Result<Self> {
        let keys = LakeConfig::from_config(config)?;
        Self::of(&keys, config, declared).map_err(|problems| {
            let (key, detail) = problems.into_iter().next().unwrap_or(("store.url", String::new()));
            Error::config(complaint(config, key, &detail))
        })
    }

    fn of(keys: &LakeConfig, config: &Config, declared: Option<Arc<Schema>>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        fn note<T>(problems: &mut Vec<Problem>, outcome: Checked<T>) -> Option<T> {
            outcome.map_err(|problem| problems.push(problem)).ok()
        }
        let problems_of = &mut problems;
        let root = note(problems_of, root(keys));
        let topics_dir = note(problems_of, directory("topics.dir", &keys.topics_dir));
        let logs_dir = note(problems_of, directory("logs.dir", &keys.logs_dir));
        let codec = note(problems_of, codec(keys));
        let format = note(problems_of, format(keys, config));
        let partitioner = note(problems_of, partitioner(keys));
        let schedule = note(problems_of, schedule(keys));
        for (key, refused) in [
            (
                "schema.compatibility",
                ["BACKWARD", "FORWARD", "FULL"]
                    .contains(&keys.schema_compatibility.to_ascii_uppercase().as_str()),
            ),
            ("topic.capture.groups.regex", keys.capture_groups_regex.is_some()),
        ] {
            if refused {
                problems_of.push((key, "this is not in this build yet".into()));
            }
        }
        if keys.directory_delim != "/" {
            problems_of.push(("directory.delim", "a local directory has / as its delimiter".into()));
        }
        if let (Some(topics_dir), Some(logs_dir)) = (&topics_dir, &logs_dir)
            && topics_dir.join("+tmp").is_ok_and(|temp| logs_dir.is_within(&temp))
        {
            let text =
                "this is where unfinished files are, which are deleted in a recovery; use another directory";
            problems_of.push(("logs.dir", text.into()));
        }
        let (Some((root, root_key)), Some(topics_dir), Some(logs_dir), Some(codec), Some(parquet)) =
            (root, topics_dir, logs_dir, codec, format)
        else {
            return Err(problems);
        };
        let (Some((partitioner, clock)), Some(schedule)) = (partitioner, schedule) else {
            return Err(problems);
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let format = if parquet {
            FileFormat::Parquet(Arc::new(ParquetSettings {
                codec,
                row_group_bytes: size(keys.row_group_bytes),
                declared,
            }))
        } else {
            FileFormat::JsonLines
        };
        let positive = |value: i64| (value > 0).then_some(value);
        Ok(Self {
            root,
            root_key,
            topics_dir,
            logs_dir,
            format,
            partitioner,
            rotation: RotationPolicy {
                rows: u64::try_from(keys.flush_size).unwrap_or(1),
                interval_ms: positive(keys.rotate_interval_ms),
                clock,
                schedule,
                bytes: positive(keys.rotate_bytes).and_then(|bytes| u64::try_from(bytes).ok()),
            },
            ignore_nulls: keys.null_values.eq_ignore_ascii_case("ignore"),
            retry_backoff_ms: u64::try_from(keys.retry_backoff_ms).unwrap_or(0),
            pad: usize::try_from(keys.offset_zero_pad_width).unwrap_or(10),
            buffer_bytes: size(keys.buffer_bytes),
            max_open_files: usize::try_from(keys.max_open_files).unwrap_or(1),
        })
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
        if let Some(report) = reports.iter_mut().find(|report| report.name == key) {
            report.errors.push(text);
        }
    };
    let declared = declared.unwrap_or_else(|error| {
        complain("lavka.schema", error.to_string());
        None
    });
    if let Ok(keys) = LakeConfig::from_config(config)
        && let Err(problems) = Settings::of(&keys, config, declared)
    {
        for (key, detail) in problems {
            complain(key, complaint(config, key, &detail));
        }
    }
    reports
}

/// The keys in `config` that have no effect, with the reason.
pub(crate) fn ignored(config: &Config) -> Vec<(String, String)> {
    definition()
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

fn complaint(config: &Config, key: &str, detail: &str) -> String {
    let keys = definition();
    let value = keys.get(key).and_then(|def| def.effective(config.get(key))).unwrap_or("null");
    format!("Invalid value {value} for configuration {key}: {detail}")
}

fn size(bytes: i64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn root(keys: &LakeConfig) -> Checked<(PathBuf, &'static str)> {
    let given = |url: &Option<String>| url.clone().filter(|url| !url.is_empty());
    let (key, url) = match (given(&keys.store_url), given(&keys.hdfs_url)) {
        (Some(url), _) => ("store.url", url),
        (None, Some(url)) => ("hdfs.url", url),
        (None, None) => {
            return Err((
                "store.url",
                "a directory has to be given, as file:///directory or as a path".into(),
            ));
        }
    };
    let path = match url.split_once(':') {
        Some(("file", rest)) => match rest.strip_prefix("//") {
            Some(local) => local.strip_prefix("localhost").unwrap_or(local),
            None => rest,
        },
        Some((scheme, rest)) if rest.starts_with("//") => {
            return Err((
                key,
                format!(
                    "storage of the kind {scheme} is not in this build yet; use file:///directory or the path of a \
                     directory"
                ),
            ));
        }
        _ => &url,
    };
    if path.is_empty() || (url.starts_with("file:") && !path.starts_with('/')) {
        return Err((key, "a file URL needs an absolute path, as in file:///data/lake".into()));
    }
    Ok((PathBuf::from(path), key))
}

fn directory(key: &'static str, text: &str) -> Checked<LakePath> {
    if text.contains("${") {
        return Err((key, "${...} needs topic.capture.groups.regex, which is not in this build yet".into()));
    }
    LakePath::new(text).map_err(|error| (key, error.to_string()))
}

/// Whether it is Parquet; else it is JSON lines.
fn format(keys: &LakeConfig, config: &Config) -> Checked<bool> {
    let Some(class) = &keys.format_class else {
        let connector = config.get("connector.class").map_or("", str::trim);
        if AVRO_BY_DEFAULT.contains(&connector) {
            return Err((
                "format.class",
                "it has to be given with this connector.class, whose default is Avro; Avro files are not in this \
                 build yet: use io.confluent.connect.hdfs.parquet.ParquetFormat or \
                 io.confluent.connect.hdfs.json.JsonFormat"
                    .into(),
            ));
        }
        return Ok(true);
    };
    let simple = class.0.rsplit('.').next().unwrap_or_default();
    match simple.strip_suffix("Format").unwrap_or(simple).to_ascii_lowercase().as_str() {
        "parquet" => Ok(true),
        "json" => Ok(false),
        "avro" | "orc" | "string" | "bytearray" => {
            Err(("format.class", "this format is not in this build yet; use Parquet or Json".into()))
        }
        _ => Err(("format.class", "there is no such format; use Parquet or Json".into())),
    }
}

fn codec(keys: &LakeConfig) -> Checked<Codec> {
    match keys.parquet_codec.to_ascii_lowercase().as_str() {
        "snappy" => Ok(Codec::Snappy),
        "zstd" => Ok(Codec::Zstd(keys.zstd_level)),
        "gzip" => Ok(Codec::Gzip),
        "none" | "uncompressed" => Ok(Codec::None),
        "lzo" | "brotli" | "lz4" | "lz4_raw" => {
            Err(("parquet.codec", "this codec is not in this build; use snappy, zstd, gzip or none".into()))
        }
        _ => Err(("parquet.codec", "there is no such codec; use snappy, zstd, gzip or none".into())),
    }
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
