//! Which parts of a connector a restart covers (KIP-745).

use crate::status::{ConnectorStatus, State};

/// `POST /connectors/{name}/restart?includeTasks=…&onlyFailed=…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestartRequest {
    /// Restart tasks too.
    pub include_tasks: bool,
    /// Leave alone what has not failed.
    pub only_failed: bool,
}

impl RestartRequest {
    /// Of several requests for one connector the one with the highest rank counts: tasks outweigh the connector alone,
    /// everything outweighs failed ones.
    #[must_use]
    pub fn rank(self) -> u8 {
        match (self.include_tasks, self.only_failed) {
            (false, true) => 0,
            (true, true) => 1,
            (false, false) => 2,
            (true, false) => 3,
        }
    }

    fn selects(self, state: State) -> bool {
        !self.only_failed || state == State::Failed
    }
}

/// What is restarted, and the answer that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPlan {
    /// Whether the connector instance restarts.
    pub connector: bool,
    /// The tasks that restart.
    pub tasks: Vec<u32>,
    /// The status with everything that restarts shown as `RESTARTING`.
    pub answer: ConnectorStatus,
}

impl RestartPlan {
    /// What `request` covers of a connector with this status.
    #[must_use]
    pub fn new(request: RestartRequest, status: &ConnectorStatus) -> Self {
        let mut answer = status.clone();
        let connector = request.selects(status.connector.state);
        if connector {
            answer.connector.state = State::Restarting;
            answer.connector.trace = None;
        }
        let mut tasks = Vec::new();
        for (number, task) in &mut answer.tasks {
            if request.include_tasks && request.selects(task.state) {
                task.state = State::Restarting;
                task.trace = None;
                tasks.push(*number);
            }
        }
        Self { connector, tasks, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    fn status(connector: State, tasks: &[State]) -> ConnectorStatus {
        let of = |state| Status { state, worker_id: "w:1".into(), trace: None, version: None };
        ConnectorStatus {
            name: "c".into(),
            connector: of(connector),
            tasks: tasks.iter().enumerate().map(|(i, state)| (i as u32, of(*state))).collect(),
        }
    }

    fn plan(include_tasks: bool, only_failed: bool) -> (bool, Vec<u32>) {
        let status = status(State::Running, &[State::Running, State::Failed, State::Paused]);
        let plan = RestartPlan::new(RestartRequest { include_tasks, only_failed }, &status);
        (plan.connector, plan.tasks)
    }

    #[test]
    fn a18_to_a20_selection() {
        assert_eq!(plan(false, false), (true, vec![]));
        assert_eq!(plan(true, false), (true, vec![0, 1, 2]));
        assert_eq!(plan(true, true), (false, vec![1]));
        assert_eq!(plan(false, true), (false, vec![]));
    }

    #[test]
    fn a22_ranks() {
        let rank = |include_tasks, only_failed| RestartRequest { include_tasks, only_failed }.rank();
        assert!(rank(false, true) < rank(true, true));
        assert!(rank(true, true) < rank(false, false));
        assert!(rank(false, false) < rank(true, false));
    }
}
