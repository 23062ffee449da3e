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
    /// The first offset that is in no file; `None` where there is neither a file nor a log.
    pub(crate) next: Option<i64>,
}

/// Listings of topics, so that one open of many partitions lists each topic once. Files that a recovery renames after
/// a listing do not matter: their offsets are in the log as well.
pub(crate) type Listings = HashMap<Topic, Vec<LakePath>>;

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
    if let Some(block) = &block {
        replay(lake, &lease, block).await?;
    }
    let files = match listings.get(&tp.topic) {
        Some(files) => files,
        None => {
            let files = lake.store.list(&lake.topic_dir(&tp.topic)?).await?;
            listings.entry(tp.topic.clone()).or_insert(files)
        }
    };
    let next = block.map(|block| block.next).max(behind(files, tp));
    for stale in lake.store.list(&lake.temp_dir(tp)?).await? {
        lake.store.delete(&lease, &stale).await?;
    }
    if let Some(next) = next {
        log.shorten(lake, &lease, next).await?;
    }
    Ok(Some(Recovered { lease, log, next }))
}

/// One more than the largest end offset in the names of the partition's files.
fn behind(files: &[LakePath], tp: &TopicPartition) -> Option<i64> {
    let names = files.iter().filter_map(|path| FileName::parse(path.name()));
    let ours = names.filter(|name| name.topic == &*tp.topic && name.partition == tp.partition);
    ours.map(|name| name.end.saturating_add(1)).max()
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
        assert_eq!(behind(&files, &TopicPartition::new("t", 0)), Some(42));
        assert_eq!(behind(&files, &TopicPartition::new("t", 1)), Some(100));
        assert_eq!(behind(&files, &TopicPartition::new("t", 2)), None);
    }
}
