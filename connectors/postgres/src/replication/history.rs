//! Which cluster and which timeline offsets belong to.

use std::fmt;

use lavka_api::{Error, Result};

use crate::pgoutput::Lsn;

/// The cluster and its timeline, as in `IDENTIFY_SYSTEM`.
///
/// Kept in offsets as `<system>/<timeline>`: LSNs of another cluster, or of a timeline that went another way, mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The system identifier.
    pub(crate) system: String,
    /// The timeline, from 1; a promoted standby begins a new one.
    pub(crate) timeline: u32,
}

impl Origin {
    /// Reads the form of the offset.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (system, timeline) = text.split_once('/')?;
        Some(Self { system: system.to_owned(), timeline: timeline.parse().ok()? })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.system, self.timeline)
    }
}

/// Where the history of the present timeline left `timeline`: a line is the timeline, the LSN up to which it counts, and
/// why it ended.
pub(crate) fn left_at(history: &str, timeline: u32) -> Option<Lsn> {
    history.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let number: u32 = words.next()?.parse().ok()?;
        (number == timeline).then(|| words.next().and_then(Lsn::parse))?
    })
}

/// Whether what was stored at `stored` on `before` still lies in the past of `now`. Pure; `history` is the history file of
/// the present timeline, empty for the first.
///
/// # Errors
/// Names the other cluster, or how far the timelines agree.
pub(crate) fn diverged(before: &Origin, now: &Origin, stored: Option<Lsn>, history: &str) -> Result<()> {
    const REMEDY: &str = "Stop the connector, delete its offsets (DELETE /connectors/NAME/offsets) and start it for a new \
                          snapshot.";
    if before.system != now.system {
        return Err(Error::fatal(format!(
            "The offsets belong to another database cluster (system identifier {}, now {}). Check database.hostname. If \
             the database has moved: {REMEDY}",
            before.system, now.system
        )));
    }
    if before.timeline == now.timeline {
        return Ok(());
    }
    let left = left_at(history, before.timeline);
    match (left, stored) {
        (Some(left), Some(stored)) if stored > left => Err(Error::fatal(format!(
            "The server was promoted or restored (timeline {} at {left}, now {}) without what the connector has read up to \
             {stored}: Kafka has changes that the database no longer has. {REMEDY}",
            before.timeline, now.timeline
        ))),
        (None, _) => Err(Error::fatal(format!(
            "The server is on timeline {}, which does not descend from timeline {} of the offsets: it was restored from a \
             backup. {REMEDY}",
            now.timeline, before.timeline
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: &str = "1\t0/5000\tno recovery target specified\n\n2\t0/9000\tbefore 2026\n";

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    #[test]
    fn a_promotion_is_fine_as_long_as_nothing_was_read_beyond_it() {
        assert_eq!(origin("7001/3").to_string(), "7001/3");
        let now = origin("7001/3");
        assert!(diverged(&now, &now, Some(Lsn(0x9999)), HISTORY).is_ok());
        assert!(diverged(&origin("7001/1"), &now, Some(Lsn(0x5000)), HISTORY).is_ok());
        let beyond = diverged(&origin("7001/1"), &now, Some(Lsn(0x5001)), HISTORY).unwrap_err().to_string();
        assert!(beyond.contains("0/5000") && beyond.contains("0/5001"), "{beyond}");
        let other = diverged(&origin("7002/3"), &now, None, HISTORY).unwrap_err().to_string();
        assert!(other.contains("another database cluster"), "{other}");
        let restored = diverged(&origin("7001/4"), &now, None, HISTORY).unwrap_err().to_string();
        assert!(restored.contains("does not descend"), "{restored}");
    }
}
