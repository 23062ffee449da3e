//! SyncGroup and Heartbeat: getting an assignment, and staying alive with it.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{HeartbeatRequest, HeartbeatResponse, ResponseKind, SyncGroupRequest, SyncGroupResponse},
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
    group::{Group, State, Waiter},
};

/// The answer to a member that gets no assignment.
pub(super) fn failure(error: ResponseError) -> ResponseKind {
    ResponseKind::SyncGroup(SyncGroupResponse::default().with_error_code(error.code()))
}

fn success(group: &Group, assignment: Bytes) -> ResponseKind {
    let response = SyncGroupResponse::default()
        .with_protocol_type(group.protocol_type.as_ref().map(Name::wire))
        .with_protocol_name(group.protocol.as_ref().map(Name::wire))
        .with_assignment(assignment);
    ResponseKind::SyncGroup(response)
}

impl Groups {
    pub(in crate::cluster) fn sync(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        client: Client<'_>,
        request: SyncGroupRequest,
    ) -> Outcome {
        self.try_sync(agenda, config, client, request).unwrap_or_else(|error| Outcome::Reply(failure(error)))
    }

    fn try_sync(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        client: Client<'_>,
        request: SyncGroupRequest,
    ) -> Result<Outcome, ResponseError> {
        if request.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        super::check_size(request.assignments.iter().map(|given| given.assignment.len()).sum(), config)?;
        let group = self.existing(&request.group_id)?;
        let member = Name::from(request.member_id.as_str());
        group.check_member(&member, request.group_instance_id.as_deref())?;
        if request.generation_id != group.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        let differs = |said: Option<&str>, actual: Option<&str>| said.is_some() && said != actual;
        if differs(request.protocol_type.as_deref(), group.protocol_type.as_deref())
            || differs(request.protocol_name.as_deref(), group.protocol.as_deref())
        {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match group.state() {
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            State::CompletingRebalance => {
                group.synced(agenda, &member);
                let waiter = Waiter { ticket: agenda.ticket(), version: client.version };
                group.await_sync(agenda, &member, waiter);
                if group.is_leader(&member) {
                    let given = request.assignments.into_iter();
                    group.assign(
                        agenda,
                        given.map(|given| (given.member_id.to_string(), given.assignment)).collect(),
                    );
                }
                Ok(Outcome::Parked(waiter.ticket))
            }
            State::Stable => {
                group.synced(agenda, &member);
                group.keep_alive(agenda, &member);
                let assignment = group.members.get(&member).map(|member| member.assignment.clone());
                Ok(Outcome::Reply(success(group, assignment.unwrap_or_default())))
            }
        }
    }

    pub(in crate::cluster) fn heartbeat(
        &mut self,
        agenda: &mut Agenda,
        request: &HeartbeatRequest,
    ) -> ResponseKind {
        let error = self.try_heartbeat(agenda, request).err().map_or(0, |error| error.code());
        ResponseKind::Heartbeat(HeartbeatResponse::default().with_error_code(error))
    }

    fn try_heartbeat(
        &mut self,
        agenda: &mut Agenda,
        request: &HeartbeatRequest,
    ) -> Result<(), ResponseError> {
        if request.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let group = self.existing(&request.group_id)?;
        group.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != group.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        match group.state() {
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::PreparingRebalance => {
                group.keep_alive(agenda, &request.member_id);
                Err(ResponseError::RebalanceInProgress)
            }
            State::CompletingRebalance | State::Stable => {
                group.keep_alive(agenda, &request.member_id);
                Ok(())
            }
        }
    }

    /// Members had their time to ask for their assignment; those who did not are out.
    pub(in crate::cluster) fn sync_due(&mut self, agenda: &mut Agenda, group: &str) {
        let Some(group) = self.0.get_mut(group) else { return };
        let late = std::mem::take(&mut group.unsynced);
        for member in &late {
            group.remove(agenda, member, ResponseError::UnknownMemberId);
        }
        if !late.is_empty() {
            group.rebalance(agenda, Duration::ZERO);
        }
    }
}

impl Group {
    fn synced(&mut self, agenda: &mut Agenda, member: &str) {
        self.unsynced.remove(member);
        if self.unsynced.is_empty() {
            agenda.cancel(&Alarm::Sync { group: self.id.clone() });
        }
    }

    fn await_sync(&mut self, agenda: &mut Agenda, member: &Name, waiter: Waiter) {
        if let Some(member) = self.members.get_mut(member)
            && let Some(earlier) = member.awaiting_sync.replace(waiter)
        {
            agenda.complete(earlier.ticket, failure(ResponseError::RebalanceInProgress));
        }
        self.keep_alive(agenda, member);
    }

    /// The leader has decided: everybody who waits is told, and so is everybody who asks later.
    fn assign(&mut self, agenda: &mut Agenda, mut given: HashMap<String, Bytes>) {
        self.enter(State::Stable);
        for index in 0..self.members.len() {
            let Some((id, member)) = self.members.get_index_mut(index) else { break };
            let assignment = given.remove(&**id).unwrap_or_default();
            member.assignment = Bytes::copy_from_slice(&assignment);
            let (id, assignment, waiter) =
                (id.clone(), member.assignment.clone(), member.awaiting_sync.take());
            if let Some(waiter) = waiter {
                agenda.complete(waiter.ticket, success(self, assignment));
                self.keep_alive(agenda, &id);
            }
        }
    }
}
