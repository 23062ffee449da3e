//! Group life: joining, rebalancing, expiring, static members, and administration.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ApiKey, DeleteGroupsRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest,
        JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, RequestKind,
        ResponseKind, SyncGroupRequest, SyncGroupResponse, describe_groups_response::DescribedGroup,
        join_group_request::JoinGroupRequestProtocol, leave_group_request::MemberIdentity,
        sync_group_request::SyncGroupRequestAssignment,
    },
    protocol::StrBytes,
};

use super::{Sim, ask};
use crate::{BrokerConfig, cluster::Ticket};

const SESSION: i32 = 10_000;
const REBALANCE: i32 = 60_000;
const STEP: Duration = Duration::from_secs(3);

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

pub(super) fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

fn join_request(member: &str, protocols: &[(&str, &'static str)]) -> JoinGroupRequest {
    let protocols = protocols.iter().map(|(name, metadata)| {
        JoinGroupRequestProtocol::default()
            .with_name(text(name))
            .with_metadata(Bytes::from_static(metadata.as_bytes()))
    });
    JoinGroupRequest::default()
        .with_group_id(group("g"))
        .with_session_timeout_ms(SESSION)
        .with_rebalance_timeout_ms(REBALANCE)
        .with_member_id(text(member))
        .with_protocol_type(text("connect"))
        .with_protocols(protocols.collect())
}

/// The usual request of a member.
fn plain(member: &str) -> JoinGroupRequest {
    join_request(member, &[("sessioned", "meta")])
}

fn static_member(member: &str, instance: &str) -> JoinGroupRequest {
    plain(member).with_group_instance_id(Some(text(instance)))
}

/// An id for a new member, as the two-step join of newer clients gives it.
fn new_id(sim: &mut Sim) -> String {
    let answer = ask!(sim, JoinGroup 9, plain(""));
    assert_eq!(answer.error_code, 79, "MEMBER_ID_REQUIRED");
    assert!(answer.member_id.starts_with("test-"), "{}", answer.member_id);
    answer.member_id.to_string()
}

fn park_join(sim: &mut Sim, request: JoinGroupRequest) -> Ticket {
    sim.park(ApiKey::JoinGroup, 9, RequestKind::JoinGroup(request))
}

fn joined(sim: &mut Sim, ticket: Ticket) -> JoinGroupResponse {
    match sim.late.remove(&ticket) {
        Some(ResponseKind::JoinGroup(answer)) => answer,
        other => panic!("not joined: {other:?}"),
    }
}

fn synced(sim: &mut Sim, ticket: Ticket) -> SyncGroupResponse {
    match sim.late.remove(&ticket) {
        Some(ResponseKind::SyncGroup(answer)) => answer,
        other => panic!("not synced: {other:?}"),
    }
}

fn sync_request(member: &str, generation: i32, assignments: &[(&str, &'static str)]) -> SyncGroupRequest {
    let assignments = assignments.iter().map(|(member, assignment)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from_static(assignment.as_bytes()))
    });
    SyncGroupRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_protocol_type(Some(text("connect")))
        .with_protocol_name(Some(text("sessioned")))
        .with_assignments(assignments.collect())
}

fn heartbeat(sim: &mut Sim, member: &str, generation: i32) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(generation)
        .with_member_id(text(member));
    ask!(sim, Heartbeat 4, request).error_code
}

fn leave(sim: &mut Sim, member: &str, instance: Option<&str>) -> LeaveGroupResponse {
    let identity =
        MemberIdentity::default().with_member_id(text(member)).with_group_instance_id(instance.map(text));
    let request = LeaveGroupRequest::default().with_group_id(group("g")).with_members(vec![identity]);
    ask!(sim, LeaveGroup 5, request)
}

fn describe(sim: &mut Sim) -> DescribedGroup {
    ask!(sim, DescribeGroups 6, DescribeGroupsRequest::default().with_groups(vec![group("g")]))
        .groups
        .remove(0)
}

/// A stable group of `count` members; the first one leads.
fn stable(sim: &mut Sim, count: usize) -> (Vec<String>, i32) {
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..count {
        let id = new_id(sim);
        if ids.is_empty() {
            ask!(sim, JoinGroup 9, plain(&id));
            ids.push(id);
            continue;
        }
        let ticket = park_join(sim, plain(&id));
        let others: Vec<Ticket> = ids[1..].iter().map(|id| park_join(sim, plain(id))).collect();
        ask!(sim, JoinGroup 9, plain(&ids[0]));
        joined(sim, ticket);
        others.into_iter().for_each(|ticket| drop(joined(sim, ticket)));
        ids.push(id);
    }
    let generation = i32::try_from(count).unwrap();
    let waiting: Vec<Ticket> = ids[1..]
        .iter()
        .map(|id| sim.park(ApiKey::SyncGroup, 5, RequestKind::SyncGroup(sync_request(id, generation, &[]))))
        .collect();
    let assignments: Vec<(&str, &'static str)> = ids.iter().map(|id| (id.as_str(), "work")).collect();
    let answer = ask!(sim, SyncGroup 5, sync_request(&ids[0], generation, &assignments));
    assert_eq!((answer.error_code, &answer.assignment[..]), (0, &b"work"[..]));
    for ticket in waiting {
        assert_eq!(&synced(sim, ticket).assignment[..], b"work");
    }
    assert_eq!(&*describe(sim).group_state, "Stable");
    (ids, generation)
}

#[test]
fn the_first_member_leads_a_group_of_its_own_at_once() {
    let mut sim = Sim::new();
    let id = new_id(&mut sim);
    let answer = ask!(sim, JoinGroup 9, plain(&id));
    assert_eq!(
        (answer.error_code, answer.generation_id, &*answer.leader, &*answer.member_id),
        (0, 1, &*id, &*id)
    );
    assert_eq!(answer.protocol_type.as_deref(), Some("connect"));
    assert_eq!(answer.protocol_name.as_deref(), Some("sessioned"));
    assert_eq!(answer.members.len(), 1);
    assert_eq!(&answer.members[0].metadata[..], b"meta");
    let answer = ask!(sim, SyncGroup 5, sync_request(&id, 1, &[(&id, "all of it")]));
    assert_eq!(&answer.assignment[..], b"all of it");
    assert_eq!(heartbeat(&mut sim, &id, 1), 0);
}

#[test]
fn members_before_version_four_need_no_id_first() {
    let mut sim = Sim::new();
    let answer = ask!(sim, JoinGroup 0, plain("").with_rebalance_timeout_ms(-1));
    assert_eq!((answer.error_code, answer.generation_id), (0, 1));
}

#[test]
fn a_second_member_makes_the_first_join_again() {
    let mut sim = Sim::new();
    let (first, generation) = stable(&mut sim, 1);
    let id = new_id(&mut sim);
    let ticket = park_join(&mut sim, plain(&id));
    assert_eq!(heartbeat(&mut sim, &first[0], generation), 27, "REBALANCE_IN_PROGRESS");
    let answer = ask!(sim, JoinGroup 9, plain(&first[0]));
    assert_eq!((answer.generation_id, answer.members.len()), (2, 2), "the leader gets the roster");
    let answer = joined(&mut sim, ticket);
    assert_eq!((answer.generation_id, &*answer.leader, answer.members.len()), (2, &*first[0], 0));
    let ticket = sim.park(ApiKey::SyncGroup, 5, RequestKind::SyncGroup(sync_request(&id, 2, &[])));
    ask!(sim, SyncGroup 5, sync_request(&first[0], 2, &[(&first[0], "half"), (&id, "other half")]));
    assert_eq!(&synced(&mut sim, ticket).assignment[..], b"other half");
}

#[test]
fn a_silent_member_is_out_after_its_session_and_the_others_share_its_work() {
    let mut sim = Sim::new();
    let (ids, generation) = stable(&mut sim, 2);
    for _ in 0..3 {
        sim.pass(STEP);
        assert_eq!(heartbeat(&mut sim, &ids[0], generation), 0);
    }
    sim.pass(Duration::from_secs(1));
    assert_eq!(heartbeat(&mut sim, &ids[0], generation), 27);
    assert_eq!(heartbeat(&mut sim, &ids[1], generation), 25, "UNKNOWN_MEMBER_ID");
    let answer = ask!(sim, JoinGroup 9, plain(&ids[0]));
    assert_eq!((answer.generation_id, answer.members.len()), (generation + 1, 1));
}

#[test]
fn a_member_that_does_not_rejoin_in_time_is_left_behind() {
    let mut sim = Sim::new();
    let (ids, generation) = stable(&mut sim, 2);
    let ticket = park_join(&mut sim, plain(&ids[0]));
    // The other one is alive, but busy: it heartbeats and does not join.
    for _ in 0..19 {
        sim.pass(STEP);
        assert_eq!(heartbeat(&mut sim, &ids[1], generation), 27);
    }
    sim.pass(STEP);
    let answer = joined(&mut sim, ticket);
    assert_eq!((answer.generation_id, answer.members.len()), (generation + 1, 1));
    assert_eq!(heartbeat(&mut sim, &ids[1], generation), 25);
}

#[test]
fn leaving_starts_a_rebalance_and_the_last_one_turns_off_the_light() {
    let mut sim = Sim::new();
    let (ids, generation) = stable(&mut sim, 2);
    let answer = leave(&mut sim, &ids[1], None);
    assert_eq!((answer.error_code, answer.members[0].error_code), (0, 0));
    assert_eq!(heartbeat(&mut sim, &ids[0], generation), 27);
    assert_eq!(ask!(sim, JoinGroup 9, plain(&ids[0])).members.len(), 1);
    assert_eq!(leave(&mut sim, "nobody", None).members[0].error_code, 25);
    let request = LeaveGroupRequest::default().with_group_id(group("g")).with_member_id(text(&ids[0]));
    assert_eq!(ask!(sim, LeaveGroup 1, request.clone()).error_code, 0);
    assert_eq!(ask!(sim, LeaveGroup 1, request).error_code, 25);
    assert_eq!(&*describe(&mut sim).group_state, "Empty");
}

#[test]
fn an_id_that_is_never_used_does_not_hold_up_the_others_for_ever() {
    let mut sim = Sim::new();
    let (ids, _) = stable(&mut sim, 1);
    new_id(&mut sim);
    let ticket = park_join(&mut sim, plain(&ids[0]));
    sim.pass(Duration::from_secs(10));
    assert_eq!(joined(&mut sim, ticket).members.len(), 1);
}

#[test]
fn members_that_never_ask_for_their_assignment_are_out() {
    let mut sim = Sim::new();
    let (ids, _) = stable(&mut sim, 2);
    let ticket = park_join(&mut sim, plain(&ids[0]));
    ask!(sim, JoinGroup 9, plain(&ids[1]));
    assert_eq!(joined(&mut sim, ticket).generation_id, 3);
    ask!(sim, SyncGroup 5, sync_request(&ids[0], 3, &[]));
    for _ in 0..20 {
        assert_eq!(heartbeat(&mut sim, &ids[0], 3), 0);
        assert_eq!(heartbeat(&mut sim, &ids[1], 3), 0, "alive, but without an assignment");
        sim.pass(STEP);
    }
    assert_eq!(heartbeat(&mut sim, &ids[0], 3), 27);
    assert_eq!(heartbeat(&mut sim, &ids[1], 3), 25);
}

#[test]
fn repeating_a_join_gives_the_same_answer_unless_it_says_something_new() {
    let mut sim = Sim::new();
    let (ids, generation) = stable(&mut sim, 2);
    let same = ask!(sim, JoinGroup 9, plain(&ids[1]));
    assert_eq!((same.error_code, same.generation_id, same.members.len()), (0, generation, 0));
    assert_eq!(&*describe(&mut sim).group_state, "Stable");
    let ticket = park_join(&mut sim, join_request(&ids[1], &[("sessioned", "news")]));
    let answer = ask!(sim, JoinGroup 9, plain(&ids[0]));
    assert_eq!(answer.generation_id, generation + 1);
    assert_eq!(&answer.members[1].metadata[..], b"news");
    joined(&mut sim, ticket);
}

#[test]
fn the_leader_joining_again_wants_a_rebalance() {
    let mut sim = Sim::new();
    let (ids, generation) = stable(&mut sim, 1);
    assert_eq!(ask!(sim, JoinGroup 9, plain(&ids[0])).generation_id, generation + 1);
}

#[test]
fn a_join_while_assignments_are_awaited_sends_everybody_back() {
    let mut sim = Sim::new();
    let (ids, _) = stable(&mut sim, 2);
    let ticket = park_join(&mut sim, plain(&ids[0]));
    ask!(sim, JoinGroup 9, plain(&ids[1]));
    joined(&mut sim, ticket);
    let waiting = sim.park(ApiKey::SyncGroup, 5, RequestKind::SyncGroup(sync_request(&ids[1], 3, &[])));
    let id = new_id(&mut sim);
    park_join(&mut sim, plain(&id));
    assert_eq!(synced(&mut sim, waiting).error_code, 27);
}

#[test]
fn all_members_vote_on_the_protocol() {
    let mut sim = Sim::new();
    let both = [("new", "1"), ("old", "1")];
    let first = ask!(sim, JoinGroup 3, join_request("", &both)).member_id;
    let ticket = sim.park(ApiKey::JoinGroup, 3, RequestKind::JoinGroup(join_request("", &[("old", "2")])));
    let answer = ask!(sim, JoinGroup 3, join_request(&first, &both));
    assert_eq!(answer.protocol_name.as_deref(), Some("old"), "the only one both know");
    joined(&mut sim, ticket);
    let stranger = ask!(sim, JoinGroup 3, join_request("", &[("new", "3")]));
    assert_eq!(stranger.error_code, 23, "INCONSISTENT_GROUP_PROTOCOL");
    let consumer = ask!(sim, JoinGroup 3, join_request("", &both).with_protocol_type(text("consumer")));
    assert_eq!(consumer.error_code, 23);
}

#[test]
fn wrong_requests_have_kafkas_errors() {
    let mut sim = Sim::new();
    let error = |sim: &mut Sim, request| ask!(sim, JoinGroup 9, request).error_code;
    assert_eq!(error(&mut sim, plain("").with_group_id(group(""))), 24);
    assert_eq!(error(&mut sim, plain("").with_session_timeout_ms(5_999)), 26);
    assert_eq!(error(&mut sim, plain("").with_session_timeout_ms(1_800_001)), 26);
    assert_eq!(error(&mut sim, join_request("", &[])), 23);
    assert_eq!(error(&mut sim, plain("somebody")), 25);
    assert_eq!(error(&mut sim, join_request("", &[("p", "m"); 65])), 23, "more protocols than anybody has");
    let mut large = plain("");
    large.protocols[0].metadata = Bytes::from(vec![0; 2_000_000]);
    assert_eq!(error(&mut sim, large), -1, "more than a record could hold");
    let (ids, generation) = stable(&mut sim, 1);
    assert_eq!(heartbeat(&mut sim, &ids[0], generation + 1), 22, "ILLEGAL_GENERATION");
    assert_eq!(ask!(sim, SyncGroup 5, sync_request(&ids[0], 7, &[])).error_code, 22);
    assert_eq!(ask!(sim, SyncGroup 5, sync_request("x", generation, &[])).error_code, 25);
    let other = sync_request(&ids[0], generation, &[]).with_protocol_name(Some(text("eager")));
    assert_eq!(ask!(sim, SyncGroup 5, other).error_code, 23);
}

#[test]
fn a_group_is_full_at_its_limit() {
    let mut sim = Sim::with(BrokerConfig { max_group_members: 2, max_groups: 1, ..BrokerConfig::default() });
    stable(&mut sim, 2);
    assert_eq!(ask!(sim, JoinGroup 9, plain("")).error_code, 81, "GROUP_MAX_SIZE_REACHED");
    assert_eq!(
        ask!(sim, JoinGroup 9, plain("").with_group_id(group("h"))).error_code,
        44,
        "POLICY_VIOLATION"
    );
}

#[test]
fn the_first_rebalance_can_wait_for_more_members() {
    let config = BrokerConfig { initial_rebalance_delay: Duration::from_secs(3), ..BrokerConfig::default() };
    let mut sim = Sim::with(config);
    let ids = [new_id(&mut sim), new_id(&mut sim), new_id(&mut sim)];
    let first = park_join(&mut sim, plain(&ids[0]));
    sim.pass(Duration::from_secs(2));
    let second = park_join(&mut sim, plain(&ids[1]));
    sim.pass(Duration::from_secs(2));
    let third = park_join(&mut sim, plain(&ids[2]));
    sim.pass(Duration::from_millis(4999));
    assert!(sim.late.is_empty(), "newcomers make it wait again");
    sim.pass(Duration::from_millis(1));
    assert_eq!(joined(&mut sim, first).members.len(), 3);
    assert_eq!(joined(&mut sim, second).generation_id, 1);
    assert_eq!(joined(&mut sim, third).generation_id, 1);
}

#[test]
fn a_static_member_takes_its_old_place_without_a_rebalance() {
    let mut sim = Sim::new();
    let old = ask!(sim, JoinGroup 9, static_member("", "a")).member_id;
    assert!(old.starts_with("a-"), "{old}");
    ask!(sim, SyncGroup 5, sync_request(&old, 1, &[(&old, "work")]).with_group_instance_id(Some(text("a"))));
    let back = ask!(sim, JoinGroup 9, static_member("", "a"));
    assert_eq!((back.error_code, back.generation_id, back.skip_assignment), (0, 1, true));
    assert_ne!(back.member_id, old);
    assert_eq!(back.leader, back.member_id);
    assert_eq!(back.members.len(), 1);
    let sync = sync_request(&back.member_id, 1, &[]).with_group_instance_id(Some(text("a")));
    assert_eq!(&ask!(sim, SyncGroup 5, sync).assignment[..], b"work");
    let fenced = HeartbeatRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(1)
        .with_member_id(old.clone())
        .with_group_instance_id(Some(text("a")));
    assert_eq!(ask!(sim, Heartbeat 4, fenced).error_code, 82, "FENCED_INSTANCE_ID");
    let older_client = ask!(sim, JoinGroup 8, static_member("", "a"));
    assert_eq!(older_client.leader, back.member_id, "the id before, so that it does not think it leads");
    assert_ne!(older_client.member_id, older_client.leader);
    assert_eq!(&*describe(&mut sim).group_state, "Stable");
}

#[test]
fn a_static_member_that_is_away_keeps_its_place_until_its_session_ends() {
    let mut sim = Sim::new();
    let first = ask!(sim, JoinGroup 9, static_member("", "a")).member_id;
    ask!(sim, SyncGroup 5, sync_request(&first, 1, &[]));
    let second = park_join(&mut sim, static_member("", "b"));
    sim.pass(Duration::from_secs(10));
    let answer = joined(&mut sim, second);
    assert_eq!((&answer.leader, answer.members.len()), (&answer.member_id, 1), "a did not come back in time");
}

#[test]
fn static_members_can_be_removed_by_name() {
    let mut sim = Sim::new();
    let id = ask!(sim, JoinGroup 9, static_member("", "a")).member_id;
    assert_eq!(leave(&mut sim, "someone", Some("a")).members[0].error_code, 82);
    assert_eq!(leave(&mut sim, "", Some("b")).members[0].error_code, 25);
    let answer = leave(&mut sim, "", Some("a"));
    assert_eq!(answer.members[0].error_code, 0);
    assert_eq!(answer.members[0].group_instance_id.as_deref(), Some("a"));
    assert_eq!(heartbeat(&mut sim, &id, 1), 25);
    assert_eq!(&*describe(&mut sim).group_state, "Empty");
}

#[test]
fn groups_are_listed_described_and_deleted() {
    let mut sim = Sim::new();
    let missing = describe(&mut sim);
    assert_eq!((missing.error_code, &*missing.group_state), (69, "Dead"));
    assert_eq!(missing.error_message.as_deref(), Some("Group g not found."));
    let (ids, _) = stable(&mut sim, 1);
    let group_listing = |sim: &mut Sim, states: &[&str], types: &[&str]| {
        let request = ListGroupsRequest::default()
            .with_states_filter(states.iter().map(|state| text(state)).collect())
            .with_types_filter(types.iter().map(|kind| text(kind)).collect());
        ask!(sim, ListGroups 5, request).groups
    };
    let listed = group_listing(&mut sim, &[], &[]);
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&*listed[0].protocol_type, &*listed[0].group_state, &*listed[0].group_type),
        ("connect", "Stable", "classic")
    );
    assert_eq!(group_listing(&mut sim, &["stable"], &["classic"]).len(), 1);
    assert_eq!(group_listing(&mut sim, &["Empty"], &[]).len(), 0);
    assert_eq!(group_listing(&mut sim, &[], &["Consumer"]).len(), 0);
    let described = describe(&mut sim);
    assert_eq!(&*described.protocol_data, "sessioned");
    let member = &described.members[0];
    assert_eq!(
        (&*member.member_id, &*member.client_id, &*member.client_host),
        (&*ids[0], "test", "/127.0.0.1")
    );
    assert_eq!((&member.member_metadata[..], &member.member_assignment[..]), (&b"meta"[..], &b"work"[..]));
    let delete = |sim: &mut Sim| {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![group("g")]);
        ask!(sim, DeleteGroups 2, request).results[0].error_code
    };
    assert_eq!(delete(&mut sim), 68, "NON_EMPTY_GROUP");
    leave(&mut sim, &ids[0], None);
    assert_eq!(delete(&mut sim), 0);
    assert_eq!(delete(&mut sim), 69, "GROUP_ID_NOT_FOUND");
}
