//! Every request in every version that is advertised gets an answer that can be written in that version.

use std::{collections::BTreeSet, time::Duration};

use kafka_protocol::{indexmap::IndexMap, messages::ApiKey};

use super::{Sim, batch};
use crate::{
    cluster::Outcome,
    wire::tests::{every_version, example},
};

#[test]
fn every_version_of_every_request_is_answered_in_that_version() {
    let mut answered: IndexMap<ApiKey, usize> = IndexMap::new();
    for (api, version) in every_version() {
        let mut sim = Sim::new();
        if api != ApiKey::CreateTopics {
            sim.create("one", 3, &[]);
            sim.produce("one", 0, batch(&["value"]));
        }
        match sim.send(api, version, example(api, version)) {
            Outcome::Reply(_) => *answered.entry(api).or_default() += 1,
            Outcome::Parked(ticket) => {
                sim.pass(Duration::from_secs(3600));
                let answer = sim.late.remove(&ticket).expect("an answer in the end");
                super::through_the_wire(api, version, &answer);
                *answered.entry(api).or_default() += 1;
            }
            // The example asks for no acknowledgement of something that fails.
            Outcome::Disconnect if api == ApiKey::Produce => {}
            other => panic!("{api:?} version {version}: {other:?}"),
        }
    }
    let apis: BTreeSet<_> = every_version().map(|(api, _)| api as i16).collect();
    assert_eq!(answered.len(), apis.len() - 1, "all but produce: {answered:?}");
}
