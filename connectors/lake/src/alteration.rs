//! Offsets that a user sets for a stopped connector.
//!
//! Setting the offsets of the consumer group alone would do nothing: a task goes on where its files and its log end. So
//! the log gets a block that has nothing but the new offset. It may lie anywhere behind the finished files, which is
//! how a record that no file can take is passed over. It may not lie before their end, because the records from there
//! on would come to stand in two files.

use lavka_api::data::TopicPartition;
use lavka_api::{Error, Result};

use crate::history::History;
use crate::lake::Lake;
use crate::recovery::{Listings, Recovered, recover};
use crate::task::held_elsewhere;
use crate::wal::Block;

/// Makes the tasks go on at `offsets`; at Kafka's own where one is `None`. All are checked before any is set.
///
/// # Errors
/// Where a task still runs, or an offset lies before the end of the files.
pub(crate) async fn alter(lake: &Lake, offsets: &[(TopicPartition, Option<i64>)]) -> Result<()> {
    let mut listings = Listings::new();
    let mut taken = Vec::with_capacity(offsets.len());
    for (tp, offset) in offsets {
        let Some(recovered) = recover(lake, tp, &mut listings).await? else {
            return Err(held_elsewhere(lake, tp).await?);
        };
        if let Some(end) = recovered.files_end.filter(|end| offset.is_none_or(|offset| offset < *end)) {
            let wanted = match offset {
                Some(offset) => format!("go on at offset {offset}"),
                None => "begin anew".into(),
            };
            return Err(Error::data(format!(
                "{tp} cannot {wanted}: finished files have its records up to offset {}, which would be written again. \
                 Move its files below {} away first",
                end.saturating_sub(1),
                lake.topic_dir(&tp.topic)?
            )));
        }
        taken.push((recovered, *offset));
    }
    for (Recovered { lease, mut log, next, .. }, offset) in taken {
        match (next, offset) {
            // Nothing here has an opinion; Kafka's offset alone counts.
            (None, _) => {}
            (Some(_), None) => log.forget(lake, &lease).await?,
            (Some(_), Some(next)) => {
                let history = Some(History::up_to(next));
                log.append(lake, &lease, &Block { next, history, moves: Vec::new() }).await?;
            }
        }
        lake.store.release(lease).await;
    }
    Ok(())
}
