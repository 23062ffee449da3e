//! What the lake sink left in its directory, read back without its help.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use lavka_testkit::ConsumedRecord;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};

/// A row, by where its record was in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LakeRow {
    pub(crate) partition: i64,
    pub(crate) offset: i64,
    pub(crate) id: i64,
}

/// All files below `folder`, whatever they are, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        // A running sink renames and removes: what is gone between two calls is no file.
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => found.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    found.sort();
    found
}

/// The finished Parquet files below `folder`.
pub(crate) fn finished(folder: &Path) -> Vec<PathBuf> {
    let temporary = |path: &Path| path.components().any(|part| part.as_os_str() == "+tmp");
    let mut all = files(folder);
    all.retain(|path| path.extension().is_some_and(|name| name == "parquet") && !temporary(path));
    all
}

/// Whether a file has the leader epoch in its name, because its offsets were those of records that were lost.
pub(crate) fn has_epoch(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().matches('+').count() == 4)
}

/// How many rows the finished files have, by their footers.
pub(crate) fn count_rows(folder: &Path) -> usize {
    let rows = |path: &PathBuf| open(path).metadata().file_metadata().num_rows();
    usize::try_from(finished(folder).iter().map(rows).sum::<i64>()).unwrap()
}

/// The rows of a file, which the sink gave the fields `id`, `kafka_partition` and `kafka_offset`.
pub(crate) fn rows(path: &Path) -> Vec<LakeRow> {
    let row = |row: parquet::errors::Result<Row>| {
        let row = row.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let number =
            |name| integer(&row, name).unwrap_or_else(|| panic!("{}: {name} in {row}", path.display()));
        LakeRow { partition: number("kafka_partition"), offset: number("kafka_offset"), id: number("id") }
    };
    open(path).get_row_iter(None).unwrap().map(row).collect()
}

fn open(path: &Path) -> SerializedFileReader<File> {
    SerializedFileReader::new(File::open(path).unwrap())
        .unwrap_or_else(|error| panic!("{} is not a Parquet file: {error}", path.display()))
}

fn integer(row: &Row, name: &str) -> Option<i64> {
    match row.get_column_iter().find(|(column, _)| *column == name)?.1 {
        Field::Long(value) => Some(*value),
        Field::Int(value) => Some(i64::from(*value)),
        _ => None,
    }
}

/// What is wrong with the finished files below `folder`, given all records of their topic: each record has to be one
/// row, in a file whose name says so, and nothing else may be there. Empty when all is well.
pub(crate) fn complaints(folder: &Path, records: &[ConsumedRecord]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut places: BTreeMap<(i64, i64), Vec<(i64, PathBuf)>> = BTreeMap::new();
    for path in finished(folder) {
        let rows = rows(&path);
        let bounds = (rows.iter().map(|row| row.offset).min(), rows.iter().map(|row| row.offset).max());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let named: Vec<i64> = name
            .trim_end_matches(".parquet")
            .split('+')
            .skip(2)
            .filter_map(|number| number.parse().ok())
            .collect();
        if named != [bounds.0, bounds.1].into_iter().flatten().collect::<Vec<_>>() {
            complaints.push(format!("{name} has rows of the offsets {bounds:?}"));
        }
        for row in rows {
            places.entry((row.partition, row.offset)).or_default().push((row.id, path.clone()));
        }
    }
    for record in records {
        let place = (i64::from(record.partition), record.offset);
        let id = record.value_json()["id"].as_i64();
        match places.remove(&place).as_deref() {
            None => {
                complaints.push(format!("missing: partition {}, offset {} (id {id:?})", place.0, place.1));
            }
            Some([(found, _)]) if Some(*found) == id => {}
            Some(found) => {
                complaints.push(format!("partition {}, offset {} (id {id:?}): {found:?}", place.0, place.1));
            }
        }
    }
    complaints.extend(places.into_iter().map(|(place, found)| format!("not in Kafka: {place:?}: {found:?}")));
    complaints
}

/// The files below `folder` that a sink has no business leaving behind when it was stopped in an orderly way.
pub(crate) fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let finished = finished(folder);
    let logs = folder.join("logs");
    let ours = ["lock", "commits", "commits.1"];
    let mut all = files(folder);
    all.retain(|path| {
        let log = path.starts_with(&logs)
            && path.file_name().is_some_and(|name| ours.iter().any(|our| name == *our));
        !log && !finished.contains(path)
    });
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lavka_testkit::{temp_dir, write_file};
    use parquet::data_type::Int64Type;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    const SCHEMA: &str =
        "message row { required int64 id; required int64 kafka_partition; required int64 kafka_offset; }";

    /// A file of partition 0, named for the first and last of `rows`: ids and offsets.
    fn write(folder: &Path, rows: &[(i64, i64)]) {
        let (first, last) = (rows.first().unwrap().1, rows.last().unwrap().1);
        let path = write_file(folder, &format!("topics/t/t+0+{first:010}+{last:010}.parquet"), "");
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let properties = Arc::new(WriterProperties::default());
        let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let columns = [
            rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            rows.iter().map(|_| 0).collect(),
            rows.iter().map(|row| row.1).collect(),
        ];
        for values in columns {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
    }

    fn record(offset: i64, id: i64) -> ConsumedRecord {
        ConsumedRecord {
            topic: "t".into(),
            partition: 0,
            offset,
            timestamp: None,
            key: None,
            value: Some(format!("{{\"id\":{id}}}").into_bytes()),
            headers: Vec::new(),
        }
    }

    #[test]
    fn what_is_missing_repeated_changed_or_misnamed_is_complained_of() {
        let records: Vec<ConsumedRecord> = (0..4).map(|offset| record(offset, 10 + offset)).collect();
        let complain = |files: &[&[(i64, i64)]]| {
            let folder = temp_dir();
            for rows in files {
                write(folder.path(), rows);
            }
            complaints(folder.path(), &records)
        };
        assert_eq!(complain(&[&[(10, 0), (11, 1)], &[(12, 2), (13, 3)]]), Vec::<String>::new());
        let missing = complain(&[&[(10, 0), (11, 1)], &[(13, 3)]]);
        assert_eq!(missing, ["missing: partition 0, offset 2 (id Some(12))"]);
        let repeated = complain(&[&[(10, 0), (11, 1), (12, 2), (13, 3)], &[(13, 3)]]);
        assert!(matches!(repeated.as_slice(), [one] if one.contains("offset 3")), "{repeated:?}");
        let changed = complain(&[&[(10, 0), (99, 1), (12, 2), (13, 3)]]);
        assert!(matches!(changed.as_slice(), [one] if one.contains("offset 1")), "{changed:?}");
        let foreign = complain(&[&[(10, 0), (11, 1), (12, 2), (13, 3), (14, 4)]]);
        assert!(matches!(foreign.as_slice(), [one] if one.starts_with("not in Kafka")), "{foreign:?}");
        let misnamed = complain(&[&[(11, 1), (10, 0), (13, 3), (12, 2)]]);
        assert!(
            matches!(misnamed.as_slice(), [one] if one.contains("has rows of the offsets")),
            "{misnamed:?}"
        );
    }

    #[test]
    fn temporary_files_are_leftovers() {
        let folder = temp_dir();
        write(folder.path(), &[(10, 0)]);
        write_file(folder.path(), "logs/t/0/lock", "");
        write_file(folder.path(), "logs/t/0/commits", "");
        assert_eq!(leftovers(folder.path()), Vec::<PathBuf>::new());
        let temporary = write_file(folder.path(), "topics/+tmp/t/0/x_tmp.parquet", "");
        assert_eq!((leftovers(folder.path()), finished(folder.path()).len()), (vec![temporary], 1));
    }
}
