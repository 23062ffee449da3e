//! Which columns get a dictionary, by what their first rows show.
//!
//! A dictionary pays where values repeat. Where nearly all differ (identifiers, measured values) the writer would build
//! one up to its limit, throw it away, and go on without: time and memory for nothing, in each row group.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::schema::types::ColumnPath;

/// Rows that are looked at.
const SAMPLE: usize = 4096;
/// Fewer say nothing.
const MIN_VALUES: usize = 256;
/// Above this share of values that are different, in percent, there is no dictionary.
const MAX_DISTINCT_PERCENT: usize = 75;

/// The columns of `batch`, by their paths in the file, whose values hardly repeat.
pub(super) fn without_dictionary(batch: &RecordBatch) -> Vec<ColumnPath> {
    let mut found = Vec::new();
    let hasher = RandomState::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        visit(vec![field.name().clone()], column, &hasher, &mut found);
    }
    found
}

fn visit(path: Vec<String>, array: &ArrayRef, hasher: &RandomState, found: &mut Vec<ColumnPath>) {
    let below =
        |names: &[&str]| path.iter().cloned().chain(names.iter().map(|name| (*name).to_owned())).collect();
    match array.data_type() {
        DataType::Struct(fields) => {
            for (field, column) in fields.iter().zip(array.as_struct().columns()) {
                visit(below(&[field.name()]), column, hasher, found);
            }
        }
        DataType::List(element) => {
            visit(below(&["list", element.name()]), array.as_list::<i32>().values(), hasher, found);
        }
        DataType::Map(entries, _) => {
            let map = array.as_map();
            if let DataType::Struct(fields) = entries.data_type() {
                for (field, column) in fields.iter().zip([map.keys(), map.values()]) {
                    visit(below(&[entries.name(), field.name()]), column, hasher, found);
                }
            }
        }
        _ => {
            if hardly_repeats(array, hasher) {
                found.push(ColumnPath::new(path));
            }
        }
    }
}

/// Whether nearly all of the first values are different. False for types that are not looked at.
fn hardly_repeats(array: &ArrayRef, hasher: &RandomState) -> bool {
    let sample = array.slice(0, array.len().min(SAMPLE));
    let mut seen = HashSet::with_capacity(SAMPLE);
    let mut values = 0;
    let mut note = |hash: u64| {
        values += 1;
        seen.insert(hash);
    };
    match sample.data_type() {
        DataType::Utf8 => {
            sample.as_string::<i32>().iter().flatten().for_each(|text| note(hasher.hash_one(text)));
        }
        DataType::Binary => {
            sample.as_binary::<i32>().iter().flatten().for_each(|bytes| note(hasher.hash_one(bytes)));
        }
        other => {
            // Values of fixed width lie one behind the other in the only buffer.
            let Some(width) = other.primitive_width() else { return false };
            let data = sample.to_data();
            let Some(buffer) = data.buffers().first() else { return false };
            let bytes = buffer.get(data.offset().saturating_mul(width)..).unwrap_or_default();
            for (row, value) in bytes.chunks_exact(width).take(sample.len()).enumerate() {
                if sample.is_valid(row) {
                    note(hasher.hash_one(value));
                }
            }
        }
    }
    values >= MIN_VALUES && seen.len().saturating_mul(100) > values.saturating_mul(MAX_DISTINCT_PERCENT)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray, StructArray};
    use arrow_schema::Field;

    use super::*;

    #[test]
    fn columns_whose_values_hardly_repeat_are_named_nested_ones_by_path() {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        let same: ArrayRef =
            Arc::new(StringArray::from_iter_values((0..1000).map(|i| format!("kind {}", i % 5))));
        let unique: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|i| format!("row {i}"))));
        let nested = StructArray::from(vec![
            (Arc::new(Field::new("u", DataType::Utf8, false)), Arc::clone(&unique)),
            (Arc::new(Field::new("s", DataType::Utf8, false)), Arc::clone(&same)),
        ]);
        let sparse: ArrayRef = Arc::new(Int64Array::from_iter((0..1000).map(|i| (i % 5 == 0).then_some(i))));
        let batch = RecordBatch::try_from_iter([
            ("ids", Arc::clone(&ids)),
            ("same", same),
            ("sparse", sparse),
            ("nested", Arc::new(nested) as ArrayRef),
        ]);
        let names: Vec<String> = without_dictionary(&batch.unwrap()).iter().map(ColumnPath::string).collect();
        assert_eq!(names, ["ids", "nested.u"], "200 values in a column say nothing yet");
        let few = RecordBatch::try_from_iter([("ids", ids.slice(0, 100))]).unwrap();
        assert!(without_dictionary(&few).is_empty());
        let part = RecordBatch::try_from_iter([("ids", ids.slice(300, 500))]).unwrap();
        assert_eq!(without_dictionary(&part).len(), 1);
    }
}
