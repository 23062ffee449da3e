//! ListGroups, DescribeGroups and DeleteGroups.

use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
        ListGroupsRequest, ListGroupsResponse, ResponseKind,
        delete_groups_response::DeletableGroupResult,
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
        list_groups_response::ListedGroup,
    },
    protocol::StrBytes,
};

use crate::cluster::{
    name::Name,
    operations::{self, NOT_ASKED},
    unique,
};

use super::{
    Groups,
    group::{Group, State},
};

/// The first DescribeGroups version in which a missing group is an error.
const MISSING_IS_ERROR: i16 = 6;
/// The only type of group there is.
const CLASSIC: &str = "classic";

impl Groups {
    pub(in crate::cluster) fn list(&self, request: &ListGroupsRequest) -> ResponseKind {
        let matches = |filter: &[StrBytes], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let groups = self
            .0
            .values()
            .filter(|group| matches(&request.states_filter, group.state().name()))
            .filter(|_| matches(&request.types_filter, CLASSIC))
            .map(|group| {
                ListedGroup::default()
                    .with_group_id(GroupId(group.id.wire()))
                    .with_protocol_type(group.protocol_type.as_ref().map(Name::wire).unwrap_or_default())
                    .with_group_state(StrBytes::from_static_str(group.state().name()))
                    .with_group_type(StrBytes::from_static_str(CLASSIC))
            });
        ResponseKind::ListGroups(ListGroupsResponse::default().with_groups(groups.collect()))
    }

    pub(in crate::cluster) fn describe(&self, version: i16, request: DescribeGroupsRequest) -> ResponseKind {
        let operations = if request.include_authorized_operations { operations::GROUP } else { NOT_ASKED };
        let groups = unique(request.groups, GroupId::clone).map(|id| {
            let described = match self.0.get(id.as_str()) {
                Some(group) => describe(group),
                None => missing(version, &id),
            };
            described.with_group_id(id).with_authorized_operations(operations)
        });
        ResponseKind::DescribeGroups(DescribeGroupsResponse::default().with_groups(groups.collect()))
    }

    pub(in crate::cluster) fn delete(&mut self, request: DeleteGroupsRequest) -> ResponseKind {
        let results = request.groups_names.into_iter().map(|id| {
            let error = match self.0.get(id.as_str()) {
                None => ResponseError::GroupIdNotFound.code(),
                Some(group) if group.state() != State::Empty => ResponseError::NonEmptyGroup.code(),
                Some(_) => {
                    self.0.remove(id.as_str());
                    0
                }
            };
            DeletableGroupResult::default().with_group_id(id).with_error_code(error)
        });
        ResponseKind::DeleteGroups(DeleteGroupsResponse::default().with_results(results.collect()))
    }
}

fn missing(version: i16, id: &str) -> DescribedGroup {
    let described = DescribedGroup::default().with_group_state(StrBytes::from_static_str("Dead"));
    if version < MISSING_IS_ERROR {
        return described;
    }
    described
        .with_error_code(ResponseError::GroupIdNotFound.code())
        .with_error_message(Some(StrBytes::from_string(format!("Group {id} not found."))))
}

/// Metadata, assignments and the protocol are shown of a stable group only, because before that they are about to
/// change.
fn describe(group: &Group) -> DescribedGroup {
    let stable = group.state() == State::Stable;
    let protocol = group.protocol.clone().filter(|_| stable).unwrap_or_default();
    let members = group.members.values().map(|member| {
        let described = DescribedGroupMember::default()
            .with_member_id(member.id.wire())
            .with_group_instance_id(member.instance.as_ref().map(Name::wire))
            .with_client_id(member.client_id.wire())
            .with_client_host(member.client_host.wire());
        if stable {
            described
                .with_member_metadata(member.metadata(&protocol))
                .with_member_assignment(member.assignment.clone())
        } else {
            described
        }
    });
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(group.state().name()))
        .with_protocol_type(group.protocol_type.as_ref().map(Name::wire).unwrap_or_default())
        .with_protocol_data(protocol.wire())
        .with_members(members.collect())
}
