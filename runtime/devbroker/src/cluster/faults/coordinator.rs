//! Groups and transactional ids on the move.

use std::time::Duration;

use kafka_protocol::{ResponseError, messages::RequestKind};

use crate::cluster::Cluster;

impl Cluster {
    /// The coordinator of all groups and transactional ids goes away and comes back after this time. Members that
    /// wait are told at once; nobody's session ends before the others know where to go.
    pub fn move_coordinator(&mut self, away: Duration) {
        self.faults.away_by = None;
        self.faults.away_until = self.agenda.now().elapsed.saturating_add(away);
        self.groups.moved(&mut self.agenda, away);
    }

    /// Why a request cannot be answered while the coordinator is away.
    pub(in crate::cluster) fn coordinator_is_away(&mut self, request: &RequestKind) -> Option<ResponseError> {
        if self.agenda.now().elapsed >= self.faults.away_until {
            return None;
        }
        let error = refused_by_no_coordinator(request)?;
        if let Some(fault) = self.faults.away_by {
            self.faults.strike(fault);
        }
        Some(error)
    }
}

/// The error of a request that only a coordinator can answer.
fn refused_by_no_coordinator(request: &RequestKind) -> Option<ResponseError> {
    match request {
        RequestKind::FindCoordinator(_) => Some(ResponseError::CoordinatorNotAvailable),
        RequestKind::InitProducerId(request) if request.transactional_id.is_none() => None,
        RequestKind::JoinGroup(_)
        | RequestKind::SyncGroup(_)
        | RequestKind::Heartbeat(_)
        | RequestKind::LeaveGroup(_)
        | RequestKind::OffsetCommit(_)
        | RequestKind::OffsetFetch(_)
        | RequestKind::OffsetDelete(_)
        | RequestKind::DescribeGroups(_)
        | RequestKind::DeleteGroups(_)
        | RequestKind::InitProducerId(_)
        | RequestKind::AddPartitionsToTxn(_)
        | RequestKind::AddOffsetsToTxn(_)
        | RequestKind::TxnOffsetCommit(_)
        | RequestKind::EndTxn(_)
        | RequestKind::DescribeTransactions(_) => Some(ResponseError::NotCoordinator),
        _ => None,
    }
}
