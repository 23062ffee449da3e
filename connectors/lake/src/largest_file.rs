//! How large a file may become where an object store has limits that a file's last commit must not run into.

use crate::naming::Naming;
use crate::storage::Storage;

/// What S3 copies within the store in one request: 5 GiB. Azure's limit is near.
const LARGEST_COPY: u64 = 5 << 30;
/// Parts that an upload may have in S3 and Google Cloud Storage; Azure takes more.
const MOST_PARTS: u64 = 10_000;
/// What a file may still grow by when it is found to be large enough: a row group and a footer.
const ROOM: u64 = 1 << 30;

/// The size at which a file is finished although nobody asked for it; `None` where there is no limit.
///
/// A file whose name is known from the start is uploaded under it. One that has its last offset in its name is uploaded under a
/// temporary one, and copied.
pub(crate) fn largest_file(storage: &Storage, naming: &Naming) -> Option<u64> {
    let Storage::Bucket(settings) = storage else { return None };
    let uploaded = u64::try_from(settings.part_bytes).unwrap_or(u64::MAX).saturating_mul(MOST_PARTS);
    let limit = match naming {
        Naming::Span => uploaded.min(LARGEST_COPY),
        Naming::Start { .. } | Naming::Template(_) => uploaded,
    };
    Some(limit.saturating_sub(ROOM))
}

#[cfg(test)]
mod tests {
    use lavka_api::config::{Config, ConfigSpec as _};

    use super::*;
    use crate::storage::StorageConfig;

    #[test]
    fn files_stay_within_what_a_store_can_copy_or_put_together() {
        let storage = |url| {
            let keys = StorageConfig::from_config(&Config::from([("store.url", url)])).unwrap();
            Storage::of(&keys, false).unwrap()
        };
        let start = Naming::Start { delim: "+".into() };
        let bucket = storage("s3://bucket/lake");
        assert_eq!(largest_file(&bucket, &Naming::Span), Some(4 << 30));
        let large = largest_file(&bucket, &start).unwrap();
        assert!(((70 << 30)..10_000 * (8 << 20)).contains(&large), "{large}");
        for url in ["file:///data", "hdfs://nn:8020"] {
            assert_eq!(largest_file(&storage(url), &Naming::Span), None);
        }
    }
}
