//! What a start comes to, by `snapshot.mode` and what is there. Pure.

use lavka_api::{Error, Result};

use crate::config::{Settings, SnapshotMode};
use crate::offset::Offset;
use crate::replication::{Slot, check_slot};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// A snapshot is read.
    pub(super) snapshot: bool,
    /// The slot has to be made; where nothing is streamed there is none.
    pub(super) new_slot: bool,
    /// What was stored does not count any more.
    pub(super) fresh: bool,
}

/// Goes by `snapshot.mode`. Pure.
///
/// # Errors
/// Where the slot is gone although there is an offset, and the mode takes no new snapshot for it.
pub(super) fn plan(
    settings: &Settings,
    slot: Option<&Slot>,
    stored: Option<&Offset>,
    past_snapshot: bool,
) -> Result<Plan> {
    let unfinished = stored.is_some_and(Offset::snapshot_is_unfinished);
    let first = stored.is_none() || unfinished;
    let usable = slot.is_some_and(|slot| {
        let behind = |offset: &Offset| match (slot.restart, offset.reached()) {
            (Some(restart), Some(reached)) => restart <= reached,
            _ => true,
        };
        let same = |offset: &Offset| !(settings.owns_slot() && slot.is_another(offset));
        slot.invalidated.is_none() && stored.is_none_or(|offset| behind(offset) && same(offset))
    });
    let streams = settings.streams();
    let lost = streams && stored.is_some() && !unfinished && !usable;
    let keys = &settings.snapshot;
    let snapshot = match keys.snapshot_mode {
        _ if past_snapshot => false,
        SnapshotMode::Always => true,
        SnapshotMode::Initial | SnapshotMode::InitialOnly => first,
        SnapshotMode::NoData => false,
        SnapshotMode::WhenNeeded => first || lost,
        SnapshotMode::ConfigurationBased => {
            (first && keys.snapshot_mode_configuration_based_snapshot_data)
                || (lost && keys.snapshot_mode_configuration_based_snapshot_on_data_error)
        }
        SnapshotMode::Custom => {
            return Err(Error::config("snapshot.mode=custom needs a Java class, which cannot be run here"));
        }
    };
    let resumable = unfinished && (usable || !streams);
    let fresh = snapshot && !resumable;
    if streams && slot.is_none() && !snapshot {
        // Says what has happened, where something was lost.
        check_slot(
            &settings.replication.slot_name,
            settings.database(),
            None,
            stored,
            settings.mismatch_strategy(),
            settings.owns_slot(),
        )?;
    }
    Ok(Plan { snapshot, new_slot: streams && slot.is_none(), fresh })
}

#[cfg(test)]
mod tests {
    use lavka_api::config::{Config, ConfigSpec};

    use super::*;
    use crate::offset::{Snapshot, SnapshotKind};
    use crate::pgoutput::Lsn;

    fn slot(restart: u64) -> Slot {
        Slot { plugin: Some("pgoutput".into()), restart: Some(Lsn(restart)), ..Slot::default() }
    }

    fn stored(completed: Option<bool>) -> Offset {
        let snapshot = completed.map(|completed| Snapshot {
            kind: SnapshotKind::Initial,
            last_record: completed,
            completed,
        });
        Offset { lsn: Some(Lsn(100)), lsn_commit: Some(Lsn(100)), snapshot, ..Offset::default() }
    }

    /// (snapshot, new slot, fresh), or `None` where the start is refused.
    fn outcome(
        mode: &str,
        slot: Option<&Slot>,
        offset: Option<&Offset>,
        past: bool,
    ) -> Option<(bool, bool, bool)> {
        let config = Config::from([("snapshot.mode", mode)]);
        let settings = Settings::from_config(&config).unwrap();
        plan(&settings, slot, offset, past).ok().map(|plan| (plan.snapshot, plan.new_slot, plan.fresh))
    }

    #[test]
    fn the_mode_decides_what_is_read() {
        let (done, half, near, far) = (stored(None), stored(Some(false)), slot(50), slot(500));
        for (mode, slot, offset, expected) in [
            ("initial", None, None, Some((true, true, true))),
            ("initial", Some(&near), None, Some((true, false, true))),
            ("initial", Some(&near), Some(&done), Some((false, false, false))),
            ("initial", Some(&near), Some(&half), Some((true, false, false))),
            ("initial", None, Some(&half), Some((true, true, true))),
            // What was written since is lost, and that is said.
            ("initial", None, Some(&done), None),
            ("always", Some(&near), Some(&done), Some((true, false, true))),
            ("no_data", None, None, Some((false, true, false))),
            ("no_data", None, Some(&done), None),
            ("never", Some(&near), Some(&half), Some((false, false, false))),
            ("when_needed", None, Some(&done), Some((true, true, true))),
            ("when_needed", Some(&far), Some(&done), Some((true, false, true))),
            ("when_needed", Some(&near), Some(&done), Some((false, false, false))),
            ("initial_only", None, None, Some((true, false, true))),
            ("initial_only", None, Some(&half), Some((true, false, false))),
            ("initial_only", None, Some(&done), Some((false, false, false))),
            ("configuration_based", None, None, Some((false, false, false))),
            ("custom", None, None, None),
        ] {
            assert_eq!(outcome(mode, slot, offset, false), expected, "{mode} {slot:?} {offset:?}");
        }
        assert_eq!(outcome("always", Some(&near), Some(&done), true), Some((false, false, false)));
    }
}
