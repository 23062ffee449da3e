//! One group and its members.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use indexmap::IndexMap;
use kafka_protocol::{ResponseError, messages::join_group_response::JoinGroupResponseMember};

use crate::cluster::{
    Ticket,
    agenda::{Agenda, Alarm},
    name::Name,
};

use super::offsets::Offsets;

/// Where a group is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No members; offsets may be kept.
    Empty,
    /// Waiting for all members to join again.
    PreparingRebalance,
    /// All have joined; waiting for the leader's assignments.
    CompletingRebalance,
    /// Everybody has an assignment.
    Stable,
}

impl State {
    /// The name in listings and descriptions.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A parked request and the version its answer follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiter {
    pub(super) ticket: Ticket,
    pub(super) version: i16,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: Name,
    /// The name of a static member (KIP-345).
    pub(super) instance: Option<Name>,
    pub(super) client_id: Name,
    pub(super) client_host: Name,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    /// Protocols in order of preference, with what the member says under each.
    pub(super) protocols: Vec<(Name, Bytes)>,
    pub(super) assignment: Bytes,
    pub(super) awaiting_join: Option<Waiter>,
    pub(super) awaiting_sync: Option<Waiter>,
}

impl Member {
    /// What the member says under the chosen protocol.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| **name == *protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| **name == *protocol)
    }
}

/// The first rebalance of an empty group waits for more members, as long as new ones keep coming.
#[derive(Debug, Clone, Copy)]
pub(super) struct InitialDelay {
    /// How long each wait is.
    pub(super) step: Duration,
    /// How much longer all waits together may be.
    pub(super) remaining: Duration,
    /// Whether somebody joined since the present wait began.
    pub(super) newcomers: bool,
}

/// A group. Invariants: `leader` and the values of `static_members` are keys of `members`; a group without members
/// is `Empty` (or waits for its first ones); `unsynced` is a subset of the members, empty unless the state is
/// `CompletingRebalance` or `Stable`.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: Name,
    state: State,
    pub(super) protocol_type: Option<Name>,
    pub(super) protocol: Option<Name>,
    pub(super) generation: i32,
    pub(super) leader: Option<Name>,
    /// In the order they first joined.
    pub(super) members: IndexMap<Name, Member>,
    pub(super) static_members: BTreeMap<Name, Name>,
    /// Ids that were given out and not used yet (KIP-394).
    pub(super) pending: BTreeSet<Name>,
    /// Members of this generation that have not asked for their assignment.
    pub(super) unsynced: BTreeSet<Name>,
    pub(super) initial_delay: Option<InitialDelay>,
    pub(super) offsets: Offsets,
    /// What open transactions will commit, by producer id.
    pub(super) pending_offsets: BTreeMap<i64, Offsets>,
    /// When the group lost its last member or offsets were last committed.
    pub(super) unused_since: Duration,
}

impl Group {
    pub(super) fn new(id: Name, now: Duration) -> Self {
        Self {
            id,
            state: State::Empty,
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: IndexMap::new(),
            static_members: BTreeMap::new(),
            pending: BTreeSet::new(),
            unsynced: BTreeSet::new(),
            initial_delay: None,
            offsets: Offsets::new(),
            pending_offsets: BTreeMap::new(),
            unused_since: now,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn enter(&mut self, state: State) {
        self.state = state;
    }

    pub(super) fn has_pending_members(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    /// Whether a member with these protocols could join: some protocol must suit everybody.
    pub(super) fn accepts(&self, protocol_type: &str, protocols: &[(Name, Bytes)]) -> bool {
        if self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|(name, _)| self.members.values().all(|member| member.supports(name)))
    }

    /// The protocol most members prefer among those all of them know.
    pub(super) fn vote(&self) -> Option<Name> {
        let known_to_all = |name: &Name| self.members.values().all(|member| member.supports(name));
        let mut votes: IndexMap<&Name, usize> = IndexMap::new();
        for member in self.members.values() {
            if let Some((choice, _)) = member.protocols.iter().find(|(name, _)| known_to_all(name)) {
                *votes.entry(choice).or_default() += 1;
            }
        }
        // The first of equals wins, so that the oldest member's choice decides.
        votes.into_iter().rev().max_by_key(|(_, count)| *count).map(|(name, _)| name.clone())
    }

    pub(super) fn longest_rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    pub(super) fn all_joined(&self) -> bool {
        self.pending.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some())
    }

    /// The members as the leader gets them.
    pub(super) fn roster(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let entry = |member: &Member| {
            JoinGroupResponseMember::default()
                .with_member_id(member.id.wire())
                .with_group_instance_id(member.instance.as_ref().map(Name::wire))
                .with_metadata(member.metadata(protocol))
        };
        self.members.values().map(entry).collect()
    }

    /// Checks that a request comes from a current member: the id is known, and a static member is not fenced by a
    /// newer one of the same instance.
    pub(super) fn check_member(&self, member: &str, instance: Option<&str>) -> Result<(), ResponseError> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(current) if **current != *member => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    /// The member was heard of: its session starts again. While it waits for a rebalance it cannot be heard of, and
    /// so it has no alarm.
    pub(super) fn keep_alive(&self, agenda: &mut Agenda, member: &str) {
        let Some(member) = self.members.get(member) else { return };
        let alarm = Alarm::Session { group: self.id.clone(), member: member.id.clone() };
        if member.awaiting_join.is_some() || member.awaiting_sync.is_some() {
            agenda.cancel(&alarm);
        } else {
            agenda.set(alarm, member.session_timeout);
        }
    }

    /// See [`Groups::moved`](super::Groups::moved).
    pub(super) fn moved(&mut self, agenda: &mut Agenda, away: Duration) {
        let error = ResponseError::NotCoordinator;
        for member in self.members.values_mut() {
            if let Some(waiter) = member.awaiting_join.take() {
                agenda.complete(waiter.ticket, super::join::failure(waiter.version, &member.id, error));
            }
            if let Some(waiter) = member.awaiting_sync.take() {
                agenda.complete(waiter.ticket, super::sync::failure(error));
            }
            let alarm = Alarm::Session { group: self.id.clone(), member: member.id.clone() };
            agenda.set(alarm, away.saturating_add(member.session_timeout));
        }
    }

    /// Takes a member out and answers what it waits for with `error`.
    pub(super) fn remove(
        &mut self,
        agenda: &mut Agenda,
        member: &str,
        error: ResponseError,
    ) -> Option<Member> {
        let member = self.members.shift_remove(member)?;
        agenda.cancel(&Alarm::Session { group: self.id.clone(), member: member.id.clone() });
        if let Some(instance) = &member.instance
            && self.static_members.get(instance) == Some(&member.id)
        {
            self.static_members.remove(instance);
        }
        self.unsynced.remove(&member.id);
        if self.is_leader(&member.id) {
            self.leader = self.members.keys().next().cloned();
        }
        if let Some(waiter) = member.awaiting_join {
            agenda.complete(waiter.ticket, super::join::failure(waiter.version, &member.id, error));
        }
        if let Some(waiter) = member.awaiting_sync {
            agenda.complete(waiter.ticket, super::sync::failure(error));
        }
        Some(member)
    }
}
