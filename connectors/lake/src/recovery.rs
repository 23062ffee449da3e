//! Taking over a topic partition: finding out where its files end.

use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::data::{Schema, Topic, TopicPartition};

use crate::commit::replay;
use crate::commit_log::{CommitLog, Opened};
use crate::compatibility::Compatibility;
use crate::file_schema::schema_of;
use crate::history::History;
use crate::lake::Lake;
use crate::naming::Naming;
use crate::store::{LakePath, Lease};
use crate::wal::Block;

/// A partition that was taken over.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) lease: Lease,
    pub(crate) log: CommitLog,
    /// One more than the largest offset in the names of finished files; `None` where there is none.
    pub(crate) files_end: Option<i64>,
    /// The first offset that is in no file; `None` where there is neither a file nor a log.
    pub(crate) next: Option<i64>,
    /// What was taken up to there.
    pub(crate) history: History,
    /// The schema of the last records in finished files, where `schema.compatibility` asks for it and a file tells it with
    /// its version.
    pub(crate) schema: Option<Schema>,
}

/// The newest file of each of a topic's partitions, with its [number](crate::naming::Naming::place), so that one open of
/// many partitions lists the topic once, and only where a file may tell something. Files that a recovery renames after a listing do not matter: they are in the log
/// as well.
pub(crate) type Listings = HashMap<Topic, HashMap<i32, (i64, LakePath)>>;

/// Takes the lease, finishes what a crash cut off, and clears away the rest; `None` while another writer has the lease.
///
/// The next offset is what the log says, or what the names of finished files say where these know of more: the log knows
/// of files that were moved away since, and of an end of the topic that was lost and written again; the names survive a
/// log that was lost.
pub(crate) async fn recover(
    lake: &Lake,
    tp: &TopicPartition,
    listings: &mut Listings,
) -> Result<Option<Recovered>> {
    lake.check_names(tp)?;
    let Some(mut lease) = lake.store.lease(&lake.lock(tp)?).await? else { return Ok(None) };
    // Before the log is taken over: those that come behind are of a writer that takes it over in turn.
    let mut stale = lake.store.list(&lake.temp_dir(tp)?).await?;
    let Some(Opened { mut log, block, orphans }) = CommitLog::open(lake, &mut lease, tp).await? else {
        return Ok(None);
    };
    let renamed = match &block {
        Some(block) => replay(lake, &lease, tp, block).await?,
        None => 0,
    };
    let naming = &lake.settings.naming;
    let newest = match listings.get(&tp.topic) {
        Some(newest) => newest,
        None => {
            let files = if files_tell(naming, lake.settings.compatibility) {
                lake.store.list(&lake.topic_dir(&tp.topic)?).await?
            } else {
                Vec::new()
            };
            listings.entry(tp.topic.clone()).or_insert(newest_files(naming, files, &tp.topic))
        }
    };
    let listed = newest.get(&tp.partition);
    let files_end = listed.and_then(|(order, _)| naming.end(*order));
    let schema = match lake.settings.compatibility {
        Compatibility::None => None,
        _ => last_schema(lake, tp, block.as_ref(), listed).await?,
    };
    let (next, history) = go_on(block, files_end);
    stale.extend(orphans);
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
        log.shorten(lake, &mut lease, next, &history).await?;
    }
    Ok(Some(Recovered { lease, log, files_end, next, history, schema }))
}

/// Whether anything is found out from finished files: where they end by their names, or what the last one's schema is. With
/// years of files listing them takes long.
fn files_tell(naming: &Naming, compatibility: Compatibility) -> bool {
    match naming {
        Naming::Span => true,
        Naming::Start { .. } => compatibility != Compatibility::None,
        Naming::Template(_) => false,
    }
}

/// Where to go on, and what was taken up to there: after the last block of the log, where the names of finished files end.
fn go_on(block: Option<Block>, files_end: Option<i64>) -> (Option<i64>, History) {
    let (next, history) = match block {
        Some(Block { next, history: Some(history), .. }) => (Some(next), history),
        Some(Block { next, history: None, .. }) => (Some(next), History::up_to(next)),
        None => (None, History::default()),
    };
    // Names up to the history's end are accounted for, also those beyond the offset to go on from.
    match files_end {
        Some(end) if next.is_none() || end > history.ceiling() => (Some(end), History::up_to(end)),
        _ => (next, history),
    }
}

/// The newest file of each partition of `topic`.
fn newest_files(naming: &Naming, files: Vec<LakePath>, topic: &str) -> HashMap<i32, (i64, LakePath)> {
    let mut newest: HashMap<i32, (i64, LakePath)> = HashMap::new();
    for path in files {
        let Some((partition, order)) = naming.place(path.name(), topic) else { continue };
        if newest.get(&partition).is_none_or(|(known, _)| order > *known) {
            newest.insert(partition, (order, path));
        }
    }
    newest
}

/// The schema in the newest of the partition's finished files that is still there: the newest of the last commit, whose
/// files may have got their names since the listing, or the `listed` one.
async fn last_schema(
    lake: &Lake,
    tp: &TopicPartition,
    block: Option<&Block>,
    listed: Option<&(i64, LakePath)>,
) -> Result<Option<Schema>> {
    let order = |path: &LakePath| lake.settings.naming.place(path.name(), &tp.topic).map(|(_, order)| order);
    let moved =
        block.into_iter().flat_map(|block| &block.moves).filter_map(|(_, path)| Some((order(path)?, path)));
    let mut newest: Vec<(i64, &LakePath)> = moved.max_by_key(|(order, _)| *order).into_iter().collect();
    newest.extend(listed.map(|(order, path)| (*order, path)));
    newest.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
    newest.dedup();
    for (_, path) in newest {
        if let Some(schema) = schema_of(lake, path).await? {
            return Ok(Some(schema).filter(|schema| schema.version().is_some()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_counts_as_far_as_it_knows() {
        let block = |next, taken: Option<&str>| {
            let history = taken.map(|taken| History::parse(taken).unwrap());
            Some(Block { next, history, moves: Vec::new() })
        };
        let cut = "..0@0 0..100@0 90..95@1";
        for (block, files_end, next) in [
            (None, None, None),
            (None, Some(7), Some(7)),
            (block(9, None), Some(7), Some(9)),
            (block(9, None), Some(12), Some(12)),
            (block(9, Some("..0@0 0..9@0")), None, Some(9)),
            (block(9, Some("..0@0 0..9@0")), Some(12), Some(12)),
            // The files up to 99 are those of records that were lost.
            (block(95, Some(cut)), Some(100), Some(95)),
            (block(95, Some(cut)), Some(101), Some(101)),
        ] {
            let (found, history) = go_on(block, files_end);
            assert_eq!(found, next);
            assert!(history.ceiling() >= next.unwrap_or(0));
        }
    }

    #[test]
    fn files_are_listed_where_they_tell_something() {
        let start = Naming::Start { delim: "+".into() };
        assert!(files_tell(&Naming::Span, Compatibility::None));
        assert!(!files_tell(&start, Compatibility::None) && files_tell(&start, Compatibility::Backward));
    }

    #[test]
    fn file_names_say_where_a_partition_ends() {
        let files = [
            "topics/t/partition=0/t+0+0000000000+0000000009.parquet",
            "topics/t/a=x/b=y/t+0+0000000003+0000000041+2.json",
            "topics/t/partition=1/t+1+0000000000+0000000099.parquet",
            "topics/t/partition=0/u+0+0000000000+0000000099.parquet",
            "topics/t/partition=0/notes.txt",
        ]
        .map(|path| LakePath::new(path).unwrap());
        let newest = newest_files(&Naming::Span, files.to_vec(), "t");
        let ends: HashMap<i32, i64> =
            newest.into_iter().map(|(partition, (end, _))| (partition, end)).collect();
        assert_eq!(ends, [(0, 41), (1, 99)].into());
    }
}
