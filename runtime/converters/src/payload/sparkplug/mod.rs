//! Sparkplug B (version 3.0 of the specification, and what came before): what edge nodes and their devices publish, with
//! names for the aliases.
//!
//! - `topic`: where a message comes from.
//! - `wire`, `message`, `datatype`: Protobuf, the payload in it, and what its numbers mean.
//! - `births`: what births have said of aliases, data types and sequence numbers.
//! - `schema`: the struct that a message becomes.
//!
//! A data message names its metrics by aliases, which the birth of the node or device has told. Whoever decodes must
//! therefore have seen the births, in order, through the same decoder: all topics of a node belong to one. Births are not
//! retained by servers; until the next one, metrics of a node that is not known have an alias and no name, and nothing is
//! lost. A node is born again when it is told so (`Node Control/Rebirth`).

mod births;
mod datatype;
mod message;
mod schema;
mod topic;
mod wire;

use lavka_api::data::Datum;
use lavka_api::{Error, Result};

use births::{Births, Node, Standing};
use message::Payload;
use schema::{Head, Schemas};
use topic::Origin;

use crate::json::JsonReader;

/// Decodes messages; one per task, because it knows the births.
pub struct Sparkplug {
    births: Births,
    schemas: Schemas,
    json: JsonReader,
}

impl std::fmt::Debug for Sparkplug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sparkplug").finish_non_exhaustive()
    }
}

impl Default for Sparkplug {
    fn default() -> Self {
        Self::new()
    }
}

impl Sparkplug {
    /// A decoder that has seen no births yet.
    ///
    /// Messages become structs `io.lavka.sparkplug.Message`: `group`, `node`, `device` and `type` of the topic; `timestamp`,
    /// `seq`, `uuid` and `body` of the payload; `expected_seq`, the sequence number that should have come where another one
    /// did, so that messages of the node are missing; `stale` for a death that belongs to an earlier birth; `online` for the
    /// `STATE` of a host; and `metrics`, an array of structs `io.lavka.sparkplug.Metric`. Of these one of `int_value`,
    /// `big_value` (integers beyond INT64), `float_value`, `boolean_value`, `string_value`, `timestamp_value`,
    /// `bytes_value` and `json_value` (data sets, templates, arrays, property sets) is set, none for a null.
    #[must_use]
    pub fn new() -> Self {
        Self { births: Births::default(), schemas: Schemas::new(), json: JsonReader::new() }
    }

    /// What the message with `payload` on the MQTT topic `topic` says. The decoder remembers births.
    ///
    /// # Errors
    /// A data error where topic or payload is not Sparkplug B; then nothing is remembered of it.
    pub fn decode(&mut self, topic: &str, payload: &[u8]) -> Result<Datum> {
        match Origin::of(topic) {
            None => {
                Err(wrong("the topic is not spBv1.0/GROUP/TYPE/NODE, with /DEVICE where it is about one"))
            }
            Some(Origin::Host(host)) => self.schemas.host(host, payload, &mut self.json),
            Some(Origin::Edge { group, kind, node, device }) => {
                let read = Payload::read(payload).map_err(wrong)?;
                let decoded = |known: Option<&Node>, standing: Standing| {
                    let head = Head { group, kind, node, device, standing };
                    self.schemas.message(&head, &read, known)
                };
                // What cannot be decoded is seen before anything is remembered.
                if kind.is_birth() {
                    decoded(None, Standing::default())?;
                }
                let standing = self.births.note(group, node, device, kind, &read);
                decoded(self.births.node(group, node), standing)
            }
        }
    }
}

fn wrong(what: &str) -> Error {
    Error::data(format!("the payload is not Sparkplug B: {what}"))
}

#[cfg(test)]
mod tests;
