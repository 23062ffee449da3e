//! The order by which a Parquet file says that its statistics compare.
//!
//! The parquet crate declares the total order of IEEE 754 for floating-point columns (PARQUET-2249), which came into
//! the format in 2026. Readers from before then do not use the statistics of such columns (Apache Arrow's), or do not
//! open the file at all (Polars 1). The statistics themselves are the same in the order that a type defines, for the
//! writer keeps NaN out of them where there are other values, and readers take either zero for both. So the
//! declaration is put back to what every reader knows.
//!
//! It stands at the end of the footer (`FileMetaData` of `parquet.thrift`, compact protocol):
//!
//! ```text
//! 19                 field 7, one after created_by: list<ColumnOrder>
//! nC | FC varint     n structs
//! 1C 00 00           each a union: field 1 (TYPE_ORDER), or 2C for field 2 (IEEE_754_TOTAL_ORDER), an empty struct
//! 00                 end of FileMetaData
//! <length> PAR1
//! ```

/// Length and magic behind the footer.
const TAIL: usize = 8;
const TYPE_ORDER: u8 = 0x1c;
const TOTAL_ORDER: u8 = 0x2c;

/// Declares the order of its type for each of the `columns` of the file that ends with `bytes`. Bytes that do not end
/// as described are left alone; whether they were changed or had nothing to change is returned.
pub(crate) fn declare_type_orders(bytes: &mut [u8], columns: usize) -> bool {
    let mut header = vec![0x19];
    match u8::try_from(columns) {
        Ok(few) if few < 15 => header.push(few << 4 | 0x0c),
        _ => {
            header.push(0xfc);
            push_varint(&mut header, columns);
        }
    }
    let orders = columns.saturating_mul(3);
    let Some(end) = bytes.len().checked_sub(TAIL + 1) else { return false };
    let Some(start) = end.checked_sub(orders) else { return false };
    let Some((front, tail)) = bytes.split_at_mut_checked(start) else { return false };
    let Some((orders, stop)) = tail.split_at_mut_checked(orders) else { return false };
    let known = |order: &[u8]| {
        matches!(order, [TYPE_ORDER..=0x3c, 0, 0]) && order.first().is_some_and(|b| b & 0xf == 0xc)
    };
    if !front.ends_with(&header) || stop.first() != Some(&0) || !orders.chunks(3).all(known) {
        return false;
    }
    for order in orders.iter_mut().filter(|byte| **byte == TOTAL_ORDER) {
        *order = TYPE_ORDER;
    }
    true
}

fn push_varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::parquet::arrow::ArrowWriter;
    use ::parquet::basic::ColumnOrder;
    use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
    use arrow_array::{ArrayRef, Float32Array, Float64Array, RecordBatch, StringArray};

    use super::*;

    fn file(columns: usize) -> Vec<u8> {
        let array = |i: usize| -> ArrayRef {
            match i % 3 {
                0 => Arc::new(Float64Array::from(vec![-0.0, 1.5, f64::NAN])),
                1 => Arc::new(StringArray::from(vec!["a", "b", "c"])),
                _ => Arc::new(Float32Array::from(vec![0.5, 1.0, -3.0])),
            }
        };
        let batch = RecordBatch::try_from_iter((0..columns).map(|i| (format!("c{i}"), array(i)))).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn every_column_gets_the_order_of_its_type_and_keeps_its_statistics() {
        for columns in [1, 3, 14, 15, 16, 127, 128, 300] {
            let before = file(columns);
            let mut after = before.clone();
            assert!(declare_type_orders(&mut after, columns), "{columns}");
            assert!(!declare_type_orders(&mut before.clone(), columns + 1));
            let reader = SerializedFileReader::new(bytes::Bytes::from(after)).unwrap();
            let metadata = reader.metadata();
            let orders = metadata.file_metadata().column_orders().unwrap();
            assert_eq!(orders.len(), columns);
            assert!(orders.iter().all(|order| matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_))));
            let old = SerializedFileReader::new(bytes::Bytes::from(before)).unwrap();
            for (new, old) in
                metadata.row_group(0).columns().iter().zip(old.metadata().row_group(0).columns())
            {
                assert_eq!(new.statistics(), old.statistics());
                assert!(new.statistics().unwrap().min_bytes_opt().is_some());
            }
        }
    }

    #[test]
    fn other_bytes_are_left_alone() {
        for other in [&b""[..], b"PAR1", &[0; 40], &[0x2c; 40]] {
            let mut bytes = other.to_vec();
            assert!(!declare_type_orders(&mut bytes, 3));
            assert_eq!(bytes, other);
        }
    }
}
