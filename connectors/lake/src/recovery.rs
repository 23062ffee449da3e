//! Taking over a topic partition: finding out where its files end.

use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::data::{Topic, TopicPartition};

use crate::commit::replay;
use crate::commit_log::CommitLog;
use crate::file_name::FileName;
use crate::lake::Lake;
use crate::store::{LakePath, Lease};

/// A partition that was taken over.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) lease: Lease,
    pub(crate) log: CommitLog,
    /// One more than the largest offset in the names of finished files; `None` where there is none.
    pub(crate) files_end: Option<i64>,
    /// The first offset that is in no file; `None` where there is neither a file nor a log.
    pub(crate) next: Option<i64>,
}

/// Where the files of a topic's partitions end, so that one open of many partitions lists the topic once. Files that a
/// recovery renames after a listing do not matter: their offsets are in the log as well.
pub(crate) type Listings = HashMap<Topic, HashMap<i32, i64>>;

/// Takes the lease, finishes what a crash cut off, and clears away the rest; `None` while another writer has the lease.
///
/// The next offset is the larger one of what the log says and what the names of finished files say: the log knows of
/// files that were moved away since, the names survive a log that was lost.
pub(crate) async fn recover(
    lake: &Lake,
    tp: &TopicPartition,
    listings: &mut Listings,
) -> Result<Option<Recovered>> {
    lake.check_names(tp)?;
    let Some(lease) = lake.store.lease(&lake.lock(tp)?).await? else { return Ok(None) };
    let (mut log, block) = CommitLog::open(lake, &lease, tp).await?;
    let renamed = match &block {
        Some(block) => replay(lake, &lease, block).await?,
        None => 0,
    };
    let ends = match listings.get(&tp.topic) {
        Some(ends) => ends,
        None => {
            let files = lake.store.list(&lake.topic_dir(&tp.topic)?).await?;
            listings.entry(tp.topic.clone()).or_insert(ends(&files, &tp.topic))
        }
    };
    let files_end = ends.get(&tp.partition).copied();
    let next = block.map(|block| block.next).max(files_end);
    let stale = lake.store.list(&lake.temp_dir(tp)?).await?;
    for path in &stale {
        lake.store.delete(&lease, path).await?;
    }
    if renamed > 0 || !stale.is_empty() {
        tracing::info!(
            "{tp}: after an end in mid-work, {renamed} finished files got their names and {} unfinished ones were \
             deleted, whose records are read again",
            stale.len()
        );
    }
    if let Some(next) = next {
        log.shorten(lake, &lease, next).await?;
    }
    Ok(Some(Recovered { lease, log, files_end, next }))
}

/// For each partition of `topic` one more than the largest end offset in the names of its files.
fn ends(files: &[LakePath], topic: &str) -> HashMap<i32, i64> {
    let mut ends = HashMap::new();
    for name in files.iter().filter_map(|path| FileName::parse(path.name())) {
        if name.topic == topic {
            let end = ends.entry(name.partition).or_insert(0);
            *end = name.end.saturating_add(1).max(*end);
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_say_where_a_partition_ends() {
        let files = [
            "topics/t/partition=0/t+0+0000000000+0000000009.parquet",
            "topics/t/a=x/b=y/t+0+0000000003+0000000041.json",
            "topics/t/partition=1/t+1+0000000000+0000000099.parquet",
            "topics/t/partition=0/u+0+0000000000+0000000099.parquet",
            "topics/t/partition=0/notes.txt",
        ]
        .map(|path| LakePath::new(path).unwrap());
        assert_eq!(ends(&files, "t"), [(0, 42), (1, 100)].into());
    }
}
