//! Reads the lake back: which readings arrived, how late, with what predictions.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};

/// A committed file.
#[derive(Debug, Clone)]
pub(super) struct LakeFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

/// The Parquet files below `folder`, without temporary ones, sorted by path.
pub(super) fn files(folder: &Path) -> io::Result<Vec<LakeFile>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let temporary = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('+'));
            if path.is_dir() && !temporary {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let reader = SerializedFileReader::new(File::open(&path)?).map_err(io::Error::other)?;
                let rows = u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
                found.push(LakeFile { bytes: entry.metadata()?.len(), path, rows });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// What the files hold.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// Rows of readings (ids from 0).
    pub(super) rows: u64,
    /// Different ids among them.
    pub(super) ids: HashSet<i64>,
    /// Rows that have a prediction.
    pub(super) scored: u64,
    /// Rows whose prediction calls them abnormal.
    pub(super) flagged: u64,
    /// Milliseconds from sending a reading to its file being complete, sorted.
    pub(super) latencies: Vec<i64>,
    /// A few rows: id, device, prediction.
    pub(super) samples: Vec<(i64, String, f64)>,
}

impl Holdings {
    /// How many different readings there are.
    pub(super) fn different(&self) -> u64 {
        u64::try_from(self.ids.len()).unwrap_or(u64::MAX)
    }
}

/// Rows shown.
const SAMPLES: usize = 5;

/// Reads all rows of `files`. A reading is abnormal if its prediction `field` is above `threshold`.
pub(super) fn read(files: &[LakeFile], field: &str, threshold: f64) -> io::Result<Holdings> {
    let mut holdings = Holdings::default();
    for file in files {
        let complete = file.path.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let complete = i64::try_from(complete.as_millis()).unwrap_or(i64::MAX);
        let reader = SerializedFileReader::new(File::open(&file.path)?).map_err(io::Error::other)?;
        for row in reader.get_row_iter(None).map_err(io::Error::other)? {
            let row = row.map_err(io::Error::other)?;
            let Some(id) = integer(&row, "id").filter(|id| *id >= 0) else { continue };
            holdings.rows += 1;
            let new = holdings.ids.insert(id);
            if let Some(prediction) = number(&row, field) {
                holdings.scored += 1;
                let abnormal = prediction > threshold;
                holdings.flagged += u64::from(abnormal && new);
                if holdings.samples.len() < SAMPLES && (abnormal || holdings.samples.is_empty()) {
                    holdings.samples.push((id, text(&row, "device").unwrap_or_default(), prediction));
                }
            }
            if let Some(sent) = integer(&row, "sent_at") {
                holdings.latencies.push(complete.saturating_sub(sent));
            }
        }
    }
    holdings.latencies.sort_unstable();
    Ok(holdings)
}

fn column<'r>(row: &'r Row, name: &str) -> Option<&'r Field> {
    row.get_column_iter().find(|(column, _)| *column == name).map(|(_, field)| field)
}

fn integer(row: &Row, name: &str) -> Option<i64> {
    match column(row, name)? {
        Field::Long(value) => Some(*value),
        Field::Int(value) => Some((*value).into()),
        _ => None,
    }
}

fn number(row: &Row, name: &str) -> Option<f64> {
    match column(row, name)? {
        Field::Float(value) => Some((*value).into()),
        Field::Double(value) => Some(*value),
        _ => None,
    }
}

fn text(row: &Row, name: &str) -> Option<String> {
    match column(row, name)? {
        Field::Str(value) => Some(value.clone()),
        _ => None,
    }
}
