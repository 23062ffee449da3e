//! What to tell of a file that the log counts as written and the store has lost.

use std::time::Duration;

use lavka_api::Error;
use lavka_api::data::TopicPartition;

use crate::lake::Lake;
use crate::store::Lost;
use crate::wal::Block;

/// The error that ends a task whose partition cannot go on without losing records: which object, what says so and since
/// when, and what to do in either case. `block` is the commit that the file belongs to.
pub(crate) fn error(lake: &Lake, tp: &TopicPartition, block: &Block, lost: &Lost) -> Error {
    let Lost { object, note, age } = lost;
    let age = age.map_or_else(|| "of an unknown age".to_owned(), |age| format!("{} old", text(age)));
    let start = |name: &str| lake.settings.naming.start(name, &tp.topic);
    let start = block.moves.iter().filter_map(|(_, path)| start(path.name())).min();
    let last = block.next.saturating_sub(1);
    let again = match start {
        Some(start) => format!(
            "move the partition's files that begin at offset {start} or later away, set the connector's offset of {tp} to {start} \
             (PATCH /connectors/NAME/offsets) and resume it, which writes offsets {start} to {last} again"
        ),
        None => format!(
            "move the partition's files of the commit that ends at offset {last} away, set the connector's offset of {tp} to the \
             first one of that commit (PATCH /connectors/NAME/offsets; the consumer group's offset says it, unless somebody \
             has changed that) and resume it, which writes those records again"
        ),
    };
    Error::fatal(format!(
        "{tp}: the file {object} was written and never made visible, and now the store has its parts no more. The note {note} \
         tells of them; it is {age}. Azure keeps such parts for a week, other stores as long as the bucket's rules for \
         unfinished uploads say. If the file was there all the same and somebody has moved it away, delete the note and \
         restart the task. Otherwise its records are in no file: stop the connector, delete the note, {again}"
    ))
}

/// A length of time in its largest unit.
fn text(age: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "days"), (3600, "hours"), (60, "minutes")];
    let seconds = age.as_secs();
    let fit = UNITS.into_iter().find(|(unit, _)| seconds >= 2 * unit);
    fit.map_or_else(|| format!("{seconds} seconds"), |(unit, name)| format!("{} {name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        for (seconds, want) in [
            (0, "0 seconds"),
            (119, "119 seconds"),
            (7199, "119 minutes"),
            (90_000, "25 hours"),
            (700_000, "8 days"),
        ] {
            assert_eq!(text(Duration::from_secs(seconds)), want);
        }
    }
}
