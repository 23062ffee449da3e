//! The life of groups that are nobody's consumers.

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, RequestKind, SyncGroupRequest,
    SyncGroupResponse, describe_groups_response::DescribedGroup,
    join_group_request::JoinGroupRequestProtocol, leave_group_request::MemberIdentity,
    sync_group_request::SyncGroupRequestAssignment,
};

use super::{
    session::{Session, code, text},
    wire::{Wire, answer, ask},
};

pub(crate) fn join_request(
    session: &Session,
    member: &str,
    instance: Option<&str>,
    protocols: &[&str],
) -> JoinGroupRequest {
    let protocols = protocols.iter().map(|name| {
        let metadata = Bytes::from(format!("metadata of {name}"));
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(metadata)
    });
    JoinGroupRequest::default()
        .with_group_id(session.group("g"))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(30_000)
        .with_member_id(text(member))
        .with_group_instance_id(instance.map(text))
        .with_protocol_type(text("connect"))
        .with_protocols(protocols.collect())
}

/// What a JoinGroup answer says, ids replaced by whether they are there.
fn joined(answer: &JoinGroupResponse) -> String {
    let leader = match answer.leader.as_str() {
        "" => "nobody",
        leader if leader == answer.member_id.as_str() => "me",
        _ => "another",
    };
    let mut members: Vec<String> = answer
        .members
        .iter()
        .map(|member| {
            let instance = member.group_instance_id.as_deref().unwrap_or("-");
            format!("{instance} {}", String::from_utf8_lossy(&member.metadata))
        })
        .collect();
    members.sort();
    format!(
        "{} generation={} type={:?} protocol={:?} leader={leader} id={} skip={} members={members:?}",
        code(answer.error_code),
        answer.generation_id,
        answer.protocol_type.as_deref(),
        answer.protocol_name.as_deref(),
        if answer.member_id.is_empty() { "no" } else { "yes" },
        answer.skip_assignment,
    )
}

fn synced(answer: &SyncGroupResponse) -> String {
    let assignment = String::from_utf8_lossy(&answer.assignment);
    let (kind, name) = (answer.protocol_type.as_deref(), answer.protocol_name.as_deref());
    format!("{} type={kind:?} protocol={name:?} assignment={assignment}", code(answer.error_code))
}

pub(crate) fn sync_request(
    session: &Session,
    member: &str,
    generation: i32,
    assigned: &[(&str, &str)],
) -> SyncGroupRequest {
    let assignments = assigned.iter().map(|(member, assignment)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from((*assignment).to_owned()))
    });
    SyncGroupRequest::default()
        .with_group_id(session.group("g"))
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_protocol_type(Some(text("connect")))
        .with_protocol_name(Some(text("p")))
        .with_assignments(assignments.collect())
}

fn beat(
    session: &mut Session,
    wire: &mut Wire,
    member: &str,
    instance: Option<&str>,
    generation: i32,
) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(session.group("g"))
        .with_member_id(text(member))
        .with_group_instance_id(instance.map(text))
        .with_generation_id(generation);
    ask!(wire, Heartbeat 4, request).error_code
}

fn describe(session: &mut Session, group: &str) -> DescribedGroup {
    let request = DescribeGroupsRequest::default().with_groups(vec![session.group(group)]);
    ask!(session.wire, DescribeGroups 6, request).groups.remove(0)
}

fn note_state(session: &mut Session, what: &str) {
    let group = describe(session, "g");
    let mut members: Vec<String> = group
        .members
        .iter()
        .map(|member| {
            format!(
                "{} {} {} {:?} {:?}",
                member.group_instance_id.as_deref().unwrap_or("-"),
                member.client_id.as_str(),
                member.client_host.as_str(),
                String::from_utf8_lossy(&member.member_metadata),
                String::from_utf8_lossy(&member.member_assignment)
            )
        })
        .collect();
    members.sort();
    let seen = format!(
        "{} {} type={} protocol={} members={members:?} {}",
        code(group.error_code),
        group.group_state.as_str(),
        group.protocol_type.as_str(),
        group.protocol_data.as_str(),
        group.error_message.as_deref().unwrap_or("-")
    );
    session.note(what, seen);
}

/// Joins a new member in two steps and gives its id; the answer to the second step is still to come.
fn enter(session: &mut Session, wire: &mut Wire, protocols: &[&str]) -> String {
    let request = join_request(session, "", None, protocols);
    let first = ask!(wire, JoinGroup 9, request);
    session.note("first step", joined(&first));
    let id = first.member_id.to_string();
    let request = join_request(session, &id, None, protocols);
    wire.send(ApiKey::JoinGroup, 9, &RequestKind::JoinGroup(request));
    id
}

pub(crate) fn life(session: &mut Session) {
    session.await_group("g");
    note_state(session, "nothing yet");
    let (mut a, mut b) = (session.connect(), session.connect());
    let first = enter(session, &mut a, &["p", "q"]);
    let answer = answer!(a, JoinGroup);
    session.note("alone", joined(&answer));
    note_state(session, "joined");
    let code_ = beat(session, &mut a, &first, None, answer.generation_id);
    session.note("heartbeat before sync", code(code_));
    let wrong = sync_request(session, &first, answer.generation_id, &[]).with_protocol_name(Some(text("q")));
    session.note("sync with another protocol", synced(&ask!(a, SyncGroup 5, wrong)));
    let old = sync_request(session, &first, 77, &[]);
    session.note("sync of another generation", synced(&ask!(a, SyncGroup 5, old)));
    let stranger = sync_request(session, "stranger", 1, &[]);
    session.note("sync of a stranger", synced(&ask!(a, SyncGroup 5, stranger)));
    let good = sync_request(session, &first, answer.generation_id, &[(&first, "work")]);
    session.note("sync", synced(&ask!(a, SyncGroup 5, good)));
    note_state(session, "stable");
    for (what, member, generation) in
        [("heartbeat", first.as_str(), 1), ("old heartbeat", &first, 0), ("strange heartbeat", "stranger", 1)]
    {
        let seen = beat(session, &mut a, member, None, generation);
        session.note(what, code(seen));
    }
    let other = join_request(session, "", None, &["z"]);
    session.note("a protocol nobody has", joined(&ask!(b, JoinGroup 9, other)));
    let other = join_request(session, "", None, &["p"]).with_protocol_type(text("consumer"));
    session.note("another type", joined(&ask!(b, JoinGroup 9, other)));
    let other = join_request(session, "", None, &["p"]).with_session_timeout_ms(10);
    session.note("a short session", joined(&ask!(b, JoinGroup 9, other)));
    let other = join_request(session, "stranger", None, &["p"]);
    session.note("a stranger", joined(&ask!(b, JoinGroup 9, other)));
    let other = join_request(session, "", None, &[]);
    session.note("no protocols", joined(&ask!(b, JoinGroup 9, other)));
    let other =
        join_request(session, "", None, &["p"]).with_group_id(kafka_protocol::messages::GroupId(text("")));
    session.note("no group", joined(&ask!(b, JoinGroup 9, other)));
    let second = enter(session, &mut b, &["p"]);
    session.until("the rebalance", |session| {
        describe(session, "g").group_state.as_str() == "PreparingRebalance"
    });
    let seen = beat(session, &mut a, &first, None, 1);
    session.note("heartbeat while it rebalances", code(seen));
    let late = sync_request(session, &first, 1, &[]);
    session.note("sync while it rebalances", synced(&ask!(a, SyncGroup 5, late)));
    let again = join_request(session, &first, None, &["p", "q"]);
    let leader = ask!(a, JoinGroup 9, again);
    session.note("joined again", joined(&leader));
    let follower = answer!(b, JoinGroup);
    session.note("the follower", joined(&follower));
    let waits = sync_request(session, &second, 2, &[]);
    b.send(ApiKey::SyncGroup, 5, &RequestKind::SyncGroup(waits));
    let given = sync_request(session, &first, 2, &[(&first, "half"), (&second, "other half")]);
    session.note("the leader gives", synced(&ask!(a, SyncGroup 5, given)));
    session.note("the follower gets", synced(&answer!(b, SyncGroup)));
    note_state(session, "stable again");
    let again = join_request(session, &second, None, &["p"]);
    session.note("a follower that joins as before", joined(&ask!(b, JoinGroup 9, again)));
    let leave = |session: &Session, member: &str| {
        LeaveGroupRequest::default()
            .with_group_id(session.group("g"))
            .with_members(vec![MemberIdentity::default().with_member_id(text(member))])
    };
    for (what, member) in
        [("leaves", second.as_str()), ("leaves again", &second), ("a stranger leaves", "stranger")]
    {
        let request = leave(session, member);
        let answer = ask!(b, LeaveGroup 5, request);
        session.note(what, format!("{} {}", code(answer.error_code), code(answer.members[0].error_code)));
    }
    let seen = beat(session, &mut a, &first, None, 2);
    session.note("heartbeat after that", code(seen));
    let again = join_request(session, &first, None, &["p", "q"]);
    session.note("alone again", joined(&ask!(a, JoinGroup 9, again)));
    let old = leave(session, "");
    let mut old = old.with_member_id(text(&first));
    old.members.clear();
    session.note("leaves in an old version", code(ask!(a, LeaveGroup 2, old).error_code));
    note_state(session, "empty");
}

pub(crate) fn statics(session: &mut Session) {
    session.await_group("g");
    let (mut a, mut b) = (session.connect(), session.connect());
    let request = join_request(session, "", Some("one"), &["p"]);
    let first = ask!(a, JoinGroup 9, request.clone());
    session.note("a static member", joined(&first));
    let id = first.member_id.to_string();
    let good = sync_request(session, &id, 1, &[(&id, "work")]).with_group_instance_id(Some(text("one")));
    session.note("sync", synced(&ask!(a, SyncGroup 5, good)));
    let again = ask!(b, JoinGroup 9, request);
    session.note("the same instance again", joined(&again));
    let new = again.member_id.to_string();
    session.note("with a new id", new != id);
    note_state(session, "still stable");
    for (what, member, instance) in [
        ("the old id", id.as_str(), Some("one")),
        ("the old id without its instance", &id, None),
        ("the new id", &new, Some("one")),
        ("an unknown instance", &new, Some("two")),
    ] {
        let seen = beat(session, &mut a, member, instance, 1);
        session.note(what, code(seen));
    }
    let old = join_request(session, &id, Some("one"), &["p"]);
    session.note("the old one joins", joined(&ask!(a, JoinGroup 9, old)));
    let get = sync_request(session, &new, 1, &[]).with_group_instance_id(Some(text("one")));
    session.note("sync of the new one", synced(&ask!(b, SyncGroup 5, get)));
    for (what, member, instance) in [
        ("an administrator with a wrong id", "wrong", "one"),
        ("an unknown instance leaves", "", "two"),
        ("an administrator", "", "one"),
    ] {
        let identity = MemberIdentity::default()
            .with_member_id(text(member))
            .with_group_instance_id(Some(text(instance)));
        let request =
            LeaveGroupRequest::default().with_group_id(session.group("g")).with_members(vec![identity]);
        let answer = ask!(a, LeaveGroup 5, request);
        session.note(what, format!("{} {}", code(answer.error_code), code(answer.members[0].error_code)));
    }
    note_state(session, "empty");
}

pub(crate) fn administration(session: &mut Session) {
    session.await_group("g");
    let mut a = session.connect();
    enter(session, &mut a, &["p"]);
    let answer = answer!(a, JoinGroup);
    let id = answer.member_id.to_string();
    let good = sync_request(session, &id, 1, &[(&id, "work")]);
    ask!(a, SyncGroup 5, good);
    let name = session.name("g");
    for (states, types) in [
        (vec![], vec![]),
        (vec!["Stable"], vec![]),
        (vec!["empty"], vec![]),
        (vec![], vec!["classic"]),
        (vec![], vec!["consumer"]),
    ] {
        let request = ListGroupsRequest::default()
            .with_states_filter(states.iter().copied().map(text).collect())
            .with_types_filter(types.iter().copied().map(text).collect());
        let answer = ask!(session.wire, ListGroups 5, request);
        let mine = answer.groups.iter().find(|group| group.group_id.as_str() == name);
        let seen = mine.map_or("not listed".to_owned(), |group| {
            format!(
                "{} {} {}",
                group.group_state.as_str(),
                group.group_type.as_str(),
                group.protocol_type.as_str()
            )
        });
        session.note(format!("listed by {states:?} {types:?}"), seen);
    }
    let delete = |session: &mut Session, name: &str| {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![session.group(name)]);
        let answer = ask!(session.wire, DeleteGroups 2, request);
        session.note(format!("delete {name}"), code(answer.results[0].error_code));
    };
    delete(session, "g");
    delete(session, "nobody");
    let leave = LeaveGroupRequest::default()
        .with_group_id(session.group("g"))
        .with_members(vec![MemberIdentity::default().with_member_id(text(&id))]);
    ask!(a, LeaveGroup 5, leave);
    delete(session, "g");
    for version in [5, 6] {
        let request = DescribeGroupsRequest::default().with_groups(vec![session.group("g")]);
        let group = ask!(session.wire, DescribeGroups version, request).groups.remove(0);
        let message = group.error_message.as_deref().unwrap_or("-");
        session.note(
            format!("described in version {version}"),
            format!("{} {} {message}", code(group.error_code), group.group_state.as_str()),
        );
    }
}

pub(crate) fn expiry(session: &mut Session) {
    session.await_group("g");
    let mut a = session.connect();
    let first = ask!(a, JoinGroup 9, join_request(session, "", None, &["p"]).with_session_timeout_ms(1000));
    let id = first.member_id.to_string();
    let answer = ask!(a, JoinGroup 9, join_request(session, &id, None, &["p"]).with_session_timeout_ms(1000));
    session.note("joined", joined(&answer));
    ask!(a, SyncGroup 5, sync_request(session, &id, 1, &[(&id, "work")]));
    note_state(session, "stable");
    session.until("the end of the session", |session| describe(session, "g").group_state.as_str() == "Empty");
    note_state(session, "expired");
    let seen = beat(session, &mut a, &id, None, 1);
    session.note("heartbeat of the dead", code(seen));
    let again = join_request(session, &id, None, &["p"]);
    session.note("the dead joins", joined(&ask!(a, JoinGroup 9, again)));
}
