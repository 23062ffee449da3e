//! LeaveGroup, and leaving by silence.

use std::time::Duration;

use kafka_protocol::{
    ResponseError,
    messages::{
        LeaveGroupRequest, LeaveGroupResponse, ResponseKind, leave_group_request::MemberIdentity,
        leave_group_response::MemberResponse,
    },
};

use crate::cluster::{
    agenda::{Agenda, Alarm},
    name::Name,
};

use super::{
    Groups,
    group::{Group, State},
};

/// The first version in which several members can leave at once.
const SEVERAL: i16 = 3;

impl Groups {
    pub(in crate::cluster) fn leave(
        &mut self,
        agenda: &mut Agenda,
        version: i16,
        request: LeaveGroupRequest,
    ) -> ResponseKind {
        let answer = LeaveGroupResponse::default();
        if request.group_id.is_empty() {
            let error = ResponseError::InvalidGroupId.code();
            return ResponseKind::LeaveGroup(answer.with_error_code(error));
        }
        let leaving = if version < SEVERAL {
            vec![MemberIdentity::default().with_member_id(request.member_id)]
        } else {
            request.members
        };
        let group = self.0.get_mut(request.group_id.as_str());
        let members = match group {
            Some(group) => group.leave(agenda, leaving),
            None => {
                leaving.into_iter().map(|one| response(one, Err(ResponseError::UnknownMemberId))).collect()
            }
        };
        ResponseKind::LeaveGroup(if version < SEVERAL {
            answer.with_error_code(members.first().map_or(0, |member| member.error_code))
        } else {
            answer.with_members(members)
        })
    }

    /// A member, or an id that was only given out, was not heard of for too long.
    pub(in crate::cluster) fn session_expired(&mut self, agenda: &mut Agenda, group: &str, member: &str) {
        let Some(group) = self.0.get_mut(group) else { return };
        if group.pending.remove(member) {
            group.departed(agenda, Departure::Pending);
        } else if group.remove(agenda, member, ResponseError::UnknownMemberId).is_some() {
            group.departed(agenda, Departure::Member);
        }
    }
}

fn response(identity: MemberIdentity, result: Result<Departure, ResponseError>) -> MemberResponse {
    MemberResponse::default()
        .with_member_id(identity.member_id)
        .with_group_instance_id(identity.group_instance_id)
        .with_error_code(result.err().map_or(0, |error| error.code()))
}

/// Who is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Departure {
    /// Somebody who had an id and had not joined with it.
    Pending,
    /// A member.
    Member,
}

impl Group {
    fn leave(&mut self, agenda: &mut Agenda, leaving: Vec<MemberIdentity>) -> Vec<MemberResponse> {
        let mut gone = None;
        let mut responses = Vec::with_capacity(leaving.len());
        for identity in leaving {
            let result = self.leave_one(agenda, &identity.member_id, identity.group_instance_id.as_deref());
            gone = gone.max(result.ok());
            responses.push(response(identity, result));
        }
        if let Some(gone) = gone {
            self.departed(agenda, gone);
        }
        responses
    }

    fn leave_one(
        &mut self,
        agenda: &mut Agenda,
        member: &str,
        instance: Option<&str>,
    ) -> Result<Departure, ResponseError> {
        if instance.is_none() && self.pending.remove(member) {
            agenda.cancel(&Alarm::Session { group: self.id.clone(), member: Name::from(member) });
            return Ok(Departure::Pending);
        }
        // An administrator may remove a static member without knowing its present id.
        let current = instance.and_then(|instance| self.static_members.get(instance)).cloned();
        let member = match (member, current) {
            ("", Some(current)) => current,
            (member, _) => Name::from(member),
        };
        self.check_member(&member, instance)?;
        self.remove(agenda, &member, ResponseError::UnknownMemberId);
        Ok(Departure::Member)
    }

    /// The others share the work anew, or need not wait any longer.
    fn departed(&mut self, agenda: &mut Agenda, gone: Departure) {
        match (gone, self.state()) {
            (_, State::PreparingRebalance)
            | (Departure::Member, State::CompletingRebalance | State::Stable) => {
                self.rebalance(agenda, Duration::ZERO);
            }
            _ => {}
        }
    }
}
