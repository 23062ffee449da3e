//! Classic groups: consumers, Connect workers, or any other protocol type (KIP-62, KIP-345, KIP-394, KIP-814).
//!
//! A [`Group`](group::Group) is data with its invariants; the phases of its life are one module each: joining
//! ([`join`]), getting assignments and staying alive ([`sync`]), leaving and expiring ([`leave`]). Committed offsets
//! ([`offsets`]) belong to the group as well. [`admin`] lists, describes and deletes.

mod admin;
mod group;
mod join;
mod leave;
mod offsets;
mod sync;
mod transactional_offsets;

use std::{collections::BTreeMap, time::Duration};

use kafka_protocol::ResponseError;

use self::group::{Group, State};
use super::{agenda::Agenda, name::Name, retention};
use crate::BrokerConfig;

/// The client behind a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client<'a> {
    pub(super) id: &'a str,
    pub(super) host: &'a str,
    pub(super) version: i16,
}

/// What members say and get is kept; Kafka keeps it in a record and so has the same limit and the same error.
fn check_size(bytes: usize, config: &BrokerConfig) -> Result<(), ResponseError> {
    if bytes > usize::try_from(config.max_message_bytes).unwrap_or(0) {
        return Err(ResponseError::UnknownServerError);
    }
    Ok(())
}

/// All groups by id.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<Name, Group>);

impl Groups {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn existing(&mut self, id: &str) -> Result<&mut Group, ResponseError> {
        self.0.get_mut(id).ok_or(ResponseError::UnknownMemberId)
    }

    /// The group of this id, made if there is room for one more.
    fn get_or_create(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        id: &str,
    ) -> Result<&mut Group, ResponseError> {
        if !self.0.contains_key(id) && self.0.len() >= config.max_groups {
            return Err(ResponseError::PolicyViolation);
        }
        retention::schedule(agenda, config.retention_check_interval);
        let now = agenda.now().elapsed;
        Ok(self.0.entry(Name::from(id)).or_insert_with_key(|id| Group::new(id.clone(), now)))
    }

    /// The coordinator moves and will be here again after `away`: whoever waits is to look for it, and sessions begin
    /// when it is back.
    pub(super) fn moved(&mut self, agenda: &mut Agenda, away: Duration) {
        for group in self.0.values_mut() {
            group.moved(agenda, away);
        }
    }

    /// Forgets offsets in a topic that was deleted.
    pub(super) fn forget_topic(&mut self, topic: &str) {
        for group in self.0.values_mut() {
            group.offsets.remove(topic);
            for pending in group.pending_offsets.values_mut() {
                pending.remove(topic);
            }
        }
    }

    /// Forgets groups that have had no member and no commit for `retention`, and those that have no offsets either.
    pub(super) fn forget_unused(&mut self, now: Duration, retention: Duration) {
        self.0.retain(|_, group| {
            group.state() != State::Empty
                || group.has_pending_members()
                || !group.pending_offsets.is_empty()
                || (!group.offsets.is_empty() && group.unused_since + retention > now)
        });
    }
}
