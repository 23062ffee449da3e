//! What finished files say of the schema of their records: the metadata of Parquet, the head of Avro.

use lavka_api::data::Schema;
use lavka_api::{Error, Result};
use lavka_avro::{AvroSchema, Mapping, read_length};
use parquet::file::metadata::ParquetMetaDataReader;

use crate::format::{AVRO_MAGIC, AVRO_SCHEMA, FileFormat};
use crate::lake::Lake;
use crate::store::{End, LakePath};

/// Enough for the head or the footer of most files.
const USUAL: u64 = 64 * 1024;
/// A footer or head that is longer is none of ours.
const LONGEST: u64 = 16 * 1024 * 1024;
/// The length of Parquet's metadata and its magic, at the end of a file.
const TRAILER: u64 = 8;
/// The property of Avro's head that has the schema.
const HEAD_SCHEMA: &str = "avro.schema";

/// The schema of the records of a finished file; `None` where there is no such file, or it does not say. One that cannot
/// be read is warned of.
///
/// # Errors
/// Where the store fails.
pub(crate) async fn schema_of(lake: &Lake, path: &LakePath) -> Result<Option<Schema>> {
    let (text, mapping) = match &lake.settings.format {
        FileFormat::Parquet(settings) => (in_footer(lake, path).await?, &settings.mapping),
        FileFormat::Avro(settings) => (in_head(lake, path).await?, &settings.mapping),
        FileFormat::Orc(_) | FileFormat::Lines(_) => return Ok(None),
    };
    let schema = text.and_then(|text| text.map(|text| connect(mapping, &text)).transpose());
    Ok(schema.map(Option::flatten).unwrap_or_else(|error| {
        tracing::warn!(
            "{path} does not tell the schema of its records, which begin anew with the next one's: {error}"
        );
        None
    }))
}

fn connect(mapping: &Mapping, text: &str) -> Result<Option<Schema>> {
    mapping.to_connect(&AvroSchema::parse(text)?, None)
}

/// The schema's text in the metadata of a Parquet file; the inner error is about the file's content.
async fn in_footer(lake: &Lake, path: &LakePath) -> Result<Result<Option<String>>> {
    let Some(mut tail) = lake.store.read_end(path, End::Last(USUAL)).await? else { return Ok(Ok(None)) };
    let length = match footer_length(&tail) {
        Ok(length) => length,
        Err(error) => return Ok(Err(error)),
    };
    if u64::try_from(tail.len()).unwrap_or(u64::MAX) < length + TRAILER {
        tail = lake.store.read_end(path, End::Last(length + TRAILER)).await?.unwrap_or_default();
    }
    // Decoding takes a while where there are many columns and row groups.
    let decoded = tokio::task::spawn_blocking(move || metadata_schema(&tail, length)).await;
    Ok(decoded.unwrap_or_else(|error| Err(Error::data(error.to_string()))))
}

fn footer_length(tail: &[u8]) -> Result<u64> {
    let broken = || Error::data("it does not end as Parquet files do");
    let length = tail.strip_suffix(b"PAR1").and_then(|rest| rest.last_chunk::<4>()).ok_or_else(broken)?;
    let length = u64::from(u32::from_le_bytes(*length));
    if length <= LONGEST { Ok(length) } else { Err(broken()) }
}

fn metadata_schema(tail: &[u8], length: u64) -> Result<Option<String>> {
    let broken = |detail: String| Error::data(format!("its metadata cannot be read: {detail}"));
    let whole = usize::try_from(length + TRAILER).ok().and_then(|count| tail.len().checked_sub(count));
    let end = tail.len().saturating_sub(usize::try_from(TRAILER).unwrap_or(usize::MAX));
    let bytes = whole.and_then(|start| tail.get(start..end)).ok_or_else(|| broken("it is cut off".into()))?;
    let metadata =
        ParquetMetaDataReader::decode_metadata(bytes).map_err(|error| broken(error.to_string()))?;
    let entries = metadata.file_metadata().key_value_metadata();
    let entry = entries.into_iter().flatten().find(|entry| entry.key == AVRO_SCHEMA);
    Ok(entry.and_then(|entry| entry.value.clone()))
}

/// The schema's text in the head of an Avro file; the inner error is about the file's content.
async fn in_head(lake: &Lake, path: &LakePath) -> Result<Result<Option<String>>> {
    for limit in [USUAL, LONGEST] {
        let Some(head) = lake.store.read_end(path, End::First(limit)).await? else { return Ok(Ok(None)) };
        let found = head_schema(&head);
        let is_all = u64::try_from(head.len()).unwrap_or(u64::MAX) < limit;
        if found.is_ok() || is_all || limit == LONGEST {
            return Ok(found.map(Some));
        }
    }
    Ok(Ok(None))
}

fn head_schema(head: &[u8]) -> Result<String> {
    let broken = || Error::data("it does not begin as Avro files do");
    let mut rest = head.strip_prefix(AVRO_MAGIC).ok_or_else(broken)?;
    let text = |rest: &mut &'_ [u8]| -> Result<Vec<u8>> {
        let length = read_length(rest)?;
        let (text, behind) = rest.split_at_checked(length).ok_or_else(broken)?;
        *rest = behind;
        Ok(text.to_vec())
    };
    // The properties are a map: blocks of entries, of which the last one has none.
    loop {
        let entries = read_length(&mut rest)?;
        if entries == 0 {
            return Err(broken());
        }
        for _ in 0..entries {
            let (key, value) = (text(&mut rest)?, text(&mut rest)?);
            if key == HEAD_SCHEMA.as_bytes() {
                return String::from_utf8(value).map_err(|_| broken());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_ends_are_errors() {
        for tail in [&b""[..], b"PAR1", b"xxxxPAR2", b"\xff\xff\xff\xffPAR1"] {
            assert!(footer_length(tail).is_err(), "{tail:?}");
        }
        assert_eq!(footer_length(b"\x05\0\0\0PAR1").unwrap(), 5);
        assert!(metadata_schema(b"\x05\0\0\0PAR1", 5).is_err(), "cut off");
        assert!(metadata_schema(b"abcde\x05\0\0\0PAR1", 5).is_err());
    }

    #[test]
    fn hostile_heads_are_errors() {
        let mut head = AVRO_MAGIC.to_vec();
        head.extend_from_slice(b"\x04\x14avro.codec\x08null\x16avro.schema\x0c\"long\"\0");
        assert_eq!(head_schema(&head).unwrap(), "\"long\"");
        for cut in 0..head.len() - 1 {
            assert!(head_schema(&head[..cut]).is_err(), "cut at {cut}");
        }
        for broken in [&b"Obj\x01\0"[..], b"Obj\x01\x01", b"Obj\x01\xff\xff\xff\xff\xff\x0f", b"PAR1"] {
            assert!(head_schema(broken).is_err(), "{broken:?}");
        }
    }
}
