//! JoinGroup and the rebalance it leads to.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{JoinGroupRequest, JoinGroupResponse, ResponseKind},
    protocol::StrBytes,
};

use crate::{
    BrokerConfig,
    cluster::{
        Outcome,
        agenda::{Agenda, Alarm},
        name::Name,
    },
};

use super::{
    Client, Groups,
    group::{Group, InitialDelay, Member, State, Waiter},
};

/// The first version in which a dynamic member first asks for an id (KIP-394).
const ID_FIRST: i16 = 4;
/// The first version whose protocol name may be null.
const NULLABLE_PROTOCOL: i16 = 7;
/// The first version in which a leader can be told to keep its hands off (KIP-814).
const SKIP_ASSIGNMENT: i16 = 9;

/// More protocols than any member offers, so that finding one that suits all stays quick.
const MAX_PROTOCOLS: usize = 64;

/// A JoinGroup request, with everything that will be kept copied out of the frame.
struct Joining<'a> {
    client: Client<'a>,
    instance: Option<Name>,
    protocol_type: Name,
    protocols: Vec<(Name, Bytes)>,
    session_timeout: Duration,
    rebalance_timeout: Duration,
}

impl Joining<'_> {
    fn member(&self, id: Name) -> Member {
        Member {
            id,
            instance: self.instance.clone(),
            client_id: Name::from(self.client.id),
            client_host: Name::from(self.client.host),
            session_timeout: self.session_timeout,
            rebalance_timeout: self.rebalance_timeout,
            protocols: self.protocols.clone(),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
        }
    }
}

fn millis(value: i32) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

/// The answer to a member that may not join.
pub(super) fn failure(version: i16, member: &Name, error: ResponseError) -> ResponseKind {
    let response = JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(-1)
        .with_protocol_name((version < NULLABLE_PROTOCOL).then(StrBytes::new))
        .with_member_id(member.wire());
    ResponseKind::JoinGroup(response)
}

/// The answer to a member of the present generation.
fn success(group: &Group, member: &Name, with_roster: bool) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_generation_id(group.generation)
        .with_protocol_type(group.protocol_type.as_ref().map(Name::wire))
        .with_protocol_name(group.protocol.as_ref().map(Name::wire))
        .with_leader(group.leader.as_ref().map(Name::wire).unwrap_or_default())
        .with_member_id(member.wire())
        .with_members(if with_roster { group.roster() } else { Vec::new() })
}

impl Groups {
    pub(in crate::cluster) fn join(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        client: Client<'_>,
        request: JoinGroupRequest,
    ) -> Outcome {
        let member = Name::from(request.member_id.as_str());
        self.try_join(agenda, config, client, request, &member)
            .unwrap_or_else(|error| Outcome::Reply(failure(client.version, &member, error)))
    }

    fn try_join(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        client: Client<'_>,
        request: JoinGroupRequest,
        member: &Name,
    ) -> Result<Outcome, ResponseError> {
        if request.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let session_timeout = millis(request.session_timeout_ms);
        if !(config.min_session_timeout..=config.max_session_timeout).contains(&session_timeout) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        if request.protocols.len() > MAX_PROTOCOLS {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        let metadata = request.protocols.iter().map(|protocol| protocol.metadata.len());
        super::check_size(metadata.sum(), config)?;
        // Version 0 had no time-out of its own for rebalances.
        let rebalance_timeout =
            if client.version == 0 { session_timeout } else { millis(request.rebalance_timeout_ms) };
        let protocols = request.protocols.iter();
        let joining = Joining {
            client,
            instance: request.group_instance_id.as_deref().map(Name::from),
            protocol_type: Name::from(request.protocol_type.as_str()),
            protocols: protocols
                .map(|protocol| {
                    (Name::from(protocol.name.as_str()), Bytes::copy_from_slice(&protocol.metadata))
                })
                .collect(),
            session_timeout,
            rebalance_timeout,
        };
        let group = if member.is_empty() {
            self.get_or_create(agenda, config, &request.group_id)?
        } else {
            self.existing(&request.group_id)?
        };
        let known = group.members.contains_key(member) || group.pending.contains(member);
        if !known && group.members.len() + group.pending.len() >= config.max_group_members {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        if !group.accepts(&joining.protocol_type, &joining.protocols) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        if member.is_empty() {
            Ok(group.join_new(agenda, config, &joining))
        } else {
            group.join_known(agenda, config, joining, member)
        }
    }

    /// Members had their time to rejoin.
    pub(in crate::cluster) fn rebalance_due(&mut self, agenda: &mut Agenda, group: &str) {
        let Some(group) = self.0.get_mut(group) else { return };
        match &mut group.initial_delay {
            Some(delay) if delay.newcomers && !delay.remaining.is_zero() => {
                let step = delay.step.min(delay.remaining);
                delay.remaining -= step;
                delay.newcomers = false;
                agenda.set(Alarm::Rebalance { group: group.id.clone() }, step);
            }
            _ => group.complete_join(agenda),
        }
    }
}

impl Group {
    fn join_new(&mut self, agenda: &mut Agenda, config: &BrokerConfig, joining: &Joining<'_>) -> Outcome {
        let Client { id: client, version, .. } = joining.client;
        let unique = agenda.random.uuid();
        match &joining.instance {
            Some(instance) => {
                let id = Name::from(format!("{instance}-{unique}"));
                match self.static_members.get(instance).cloned() {
                    Some(old) => self.replace_static(agenda, config, joining, &old, id),
                    None => self.add(agenda, config, joining, id),
                }
            }
            None => {
                let id = Name::from(format!("{client}-{unique}"));
                if version < ID_FIRST {
                    return self.add(agenda, config, joining, id);
                }
                self.pending.insert(id.clone());
                let alarm = Alarm::Session { group: self.id.clone(), member: id.clone() };
                agenda.set(alarm, joining.session_timeout);
                Outcome::Reply(failure(version, &id, ResponseError::MemberIdRequired))
            }
        }
    }

    fn join_known(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        joining: Joining<'_>,
        id: &Name,
    ) -> Result<Outcome, ResponseError> {
        if joining.instance.is_none() && self.pending.remove(id) {
            return Ok(self.add(agenda, config, &joining, id.clone()));
        }
        self.check_member(id, joining.instance.as_deref())?;
        let unchanged = self.members.get(id).is_some_and(|member| member.protocols == joining.protocols);
        let settled = match self.state() {
            State::Empty => return Err(ResponseError::UnknownMemberId),
            State::PreparingRebalance => false,
            // The answer to the last join got lost; say it again.
            State::CompletingRebalance => unchanged,
            // A leader that joins again wants a rebalance: it has seen new partitions or new topics.
            State::Stable => unchanged && !self.is_leader(id),
        };
        if settled {
            let with_roster = self.is_leader(id) && self.state() == State::CompletingRebalance;
            self.keep_alive(agenda, id);
            return Ok(Outcome::Reply(ResponseKind::JoinGroup(success(self, id, with_roster))));
        }
        let outcome = self.await_join(agenda, joining, id);
        self.rebalance(agenda, config.initial_rebalance_delay);
        Ok(outcome)
    }

    fn add(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        joining: &Joining<'_>,
        id: Name,
    ) -> Outcome {
        if self.members.is_empty() {
            self.protocol_type = Some(joining.protocol_type.clone());
            self.leader = Some(id.clone());
        }
        let mut member = joining.member(id.clone());
        let waiter = Waiter { ticket: agenda.ticket(), version: joining.client.version };
        member.awaiting_join = Some(waiter);
        if let Some(instance) = &member.instance {
            self.static_members.insert(instance.clone(), id.clone());
        }
        self.members.insert(id.clone(), member);
        self.keep_alive(agenda, &id);
        if let Some(delay) = &mut self.initial_delay {
            delay.newcomers = true;
        }
        self.rebalance(agenda, config.initial_rebalance_delay);
        Outcome::Parked(waiter.ticket)
    }

    /// Notes what a member says now and that it waits for the rebalance to end.
    fn await_join(&mut self, agenda: &mut Agenda, joining: Joining<'_>, id: &Name) -> Outcome {
        let waiter = Waiter { ticket: agenda.ticket(), version: joining.client.version };
        if let Some(member) = self.members.get_mut(id) {
            member.protocols = joining.protocols;
            member.session_timeout = joining.session_timeout;
            member.rebalance_timeout = joining.rebalance_timeout;
            if let Some(earlier) = member.awaiting_join.replace(waiter) {
                let error = ResponseError::RebalanceInProgress;
                agenda.complete(earlier.ticket, failure(earlier.version, id, error));
            }
        }
        self.keep_alive(agenda, id);
        Outcome::Parked(waiter.ticket)
    }

    /// A static member came back under its old name: it takes the place of what it was before, without a rebalance
    /// if that changes nothing for the others (KIP-345).
    fn replace_static(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        joining: &Joining<'_>,
        old_id: &Name,
        id: Name,
    ) -> Outcome {
        let old_leader = self.leader.clone();
        let was_leader = self.is_leader(old_id);
        let was_unsynced = self.unsynced.contains(old_id);
        let place = self.members.get_index_of(old_id).unwrap_or(self.members.len());
        let old = self.remove(agenda, old_id, ResponseError::FencedInstanceId);
        let mut member = joining.member(id.clone());
        member.assignment = old.map(|old| old.assignment).unwrap_or_default();
        let waiter = Waiter { ticket: agenda.ticket(), version: joining.client.version };
        self.members.shift_insert(place, id.clone(), member);
        self.static_members.extend(joining.instance.clone().map(|instance| (instance, id.clone())));
        if was_leader {
            self.leader = Some(id.clone());
        }
        if was_unsynced {
            self.unsynced.insert(id.clone());
        }
        if self.state() == State::Stable && self.vote() == self.protocol {
            self.keep_alive(agenda, &id);
            let skip = joining.client.version >= SKIP_ASSIGNMENT;
            let mut answer = success(self, &id, skip && was_leader).with_skip_assignment(skip && was_leader);
            if !skip {
                // An older leader must not think it is one, because a stable group ignores its assignments.
                answer.leader = old_leader.map(|leader| leader.wire()).unwrap_or_default();
            }
            return Outcome::Reply(ResponseKind::JoinGroup(answer));
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.awaiting_join = Some(waiter);
        }
        self.keep_alive(agenda, &id);
        self.rebalance(agenda, config.initial_rebalance_delay);
        Outcome::Parked(waiter.ticket)
    }

    /// Calls for a rebalance, or, where one is under way, sees whether it can end.
    pub(super) fn rebalance(&mut self, agenda: &mut Agenda, initial_delay: Duration) {
        let alarm = Alarm::Rebalance { group: self.id.clone() };
        match self.state() {
            State::PreparingRebalance => {}
            State::Empty if !initial_delay.is_zero() => {
                self.enter(State::PreparingRebalance);
                let patience = self.longest_rebalance_timeout();
                let step = initial_delay.min(patience);
                self.initial_delay =
                    Some(InitialDelay { step, remaining: patience - step, newcomers: false });
                agenda.set(alarm, step);
            }
            State::Empty | State::CompletingRebalance | State::Stable => {
                self.abandon_sync(agenda);
                self.enter(State::PreparingRebalance);
                agenda.set(alarm, self.longest_rebalance_timeout());
            }
        }
        if self.initial_delay.is_none() && self.all_joined() {
            self.complete_join(agenda);
        }
    }

    /// Ends the joining phase with those who have joined; the others are out, unless they are static members, who
    /// are given until their session expires.
    fn complete_join(&mut self, agenda: &mut Agenda) {
        if self.state() != State::PreparingRebalance {
            return;
        }
        self.initial_delay = None;
        let late = |member: &&Member| member.awaiting_join.is_none() && member.instance.is_none();
        let late: Vec<Name> = self.members.values().filter(late).map(|member| member.id.clone()).collect();
        for id in late {
            self.remove(agenda, &id, ResponseError::UnknownMemberId);
        }
        let alarm = Alarm::Rebalance { group: self.id.clone() };
        let joined = |member: &&Member| member.awaiting_join.is_some();
        let leads = self.leader.as_ref().and_then(|id| self.members.get(id)).is_some_and(|m| joined(&m));
        if !leads {
            let next = self.members.values().find(joined).map(|member| member.id.clone());
            if next.is_none() && !self.members.is_empty() {
                agenda.set(alarm, self.longest_rebalance_timeout());
                return;
            }
            self.leader = next;
        }
        agenda.cancel(&alarm);
        self.generation = self.generation.wrapping_add(1) & i32::MAX;
        self.protocol = self.vote();
        if self.members.is_empty() {
            self.enter(State::Empty);
            self.unused_since = agenda.now().elapsed;
            return;
        }
        self.enter(State::CompletingRebalance);
        self.unsynced = self.members.keys().cloned().collect();
        agenda.set(Alarm::Sync { group: self.id.clone() }, self.longest_rebalance_timeout());
        for index in 0..self.members.len() {
            let Some((id, member)) = self.members.get_index_mut(index) else { break };
            let (id, waiter) = (id.clone(), member.awaiting_join.take());
            if let Some(waiter) = waiter {
                let answer = success(self, &id, self.is_leader(&id));
                agenda.complete(waiter.ticket, ResponseKind::JoinGroup(answer));
            }
            self.keep_alive(agenda, &id);
        }
    }

    /// Tells everybody who waits for an assignment that there will be none.
    fn abandon_sync(&mut self, agenda: &mut Agenda) {
        agenda.cancel(&Alarm::Sync { group: self.id.clone() });
        self.unsynced.clear();
        if self.state() != State::CompletingRebalance {
            return;
        }
        for index in 0..self.members.len() {
            let Some((id, member)) = self.members.get_index_mut(index) else { break };
            member.assignment = Bytes::new();
            let (id, waiter) = (id.clone(), member.awaiting_sync.take());
            if let Some(waiter) = waiter {
                agenda.complete(waiter.ticket, super::sync::failure(ResponseError::RebalanceInProgress));
                self.keep_alive(agenda, &id);
            }
        }
    }
}
