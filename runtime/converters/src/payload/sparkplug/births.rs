//! What births have said, until deaths take it back.

use std::collections::HashMap;

use lavka_api::data::Str;

use super::datatype::DataType;
use super::message::{Metric, Payload, Written};
use super::topic::Kind;

/// Bytes that are remembered, roughly; beyond it the nodes that were silent longest are forgotten.
const REMEMBERED: usize = 64 * 1024 * 1024;
/// Of a metric in the maps, beside its name.
const OVERHEAD: usize = 96;
/// Of a node.
const NODE: usize = 512;

/// The edge nodes that are known.
#[derive(Debug)]
pub(super) struct Births {
    nodes: HashMap<(Str, Str), Node>,
    size: usize,
    most: usize,
    /// Counts messages, to tell who was silent longest.
    clock: u64,
}

/// An edge node and its devices.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Aliases are unique within a node and its devices.
    by_alias: HashMap<u64, Known>,
    /// Data types by name, of metrics without an alias.
    by_name: HashMap<(Option<Str>, Str), DataType>,
    /// The sequence number that comes next, once a birth or any message was seen.
    next_seq: Option<u64>,
    /// Of the last birth.
    birth_sequence: Option<u64>,
    last_seen: u64,
    size: usize,
}

/// What a birth said of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) name: Str,
    pub(super) datatype: DataType,
    device: Option<Str>,
}

/// What the births say of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The sequence number that should have come, where another one did.
    pub(super) expected_seq: Option<u64>,
    /// A death that is not of the last birth, which came late.
    pub(super) stale: bool,
}

impl Default for Births {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl Births {
    fn remembering(most: usize) -> Self {
        Self { nodes: HashMap::new(), size: 0, most, clock: 0 }
    }

    /// Notes a message.
    pub(super) fn note(
        &mut self,
        group: &str,
        node: &str,
        device: Option<&str>,
        kind: Kind,
        payload: &Payload<'_>,
    ) -> Standing {
        self.clock += 1;
        if matches!(kind, Kind::NodeCommand | Kind::DeviceCommand) {
            return Standing::default();
        }
        let key = (Str::from(group), Str::from(node));
        let known = self.nodes.entry(key).or_insert_with(|| {
            self.size += NODE;
            Node { size: NODE, ..Node::default() }
        });
        known.last_seen = self.clock;
        let before = known.size;
        let standing = known.note(device, kind, payload);
        self.size = (self.size + known.size).saturating_sub(before);
        self.forget();
        standing
    }

    /// What is known of a node.
    pub(super) fn node(&self, group: &str, node: &str) -> Option<&Node> {
        self.nodes.get(&(Str::from(group), Str::from(node)))
    }

    fn forget(&mut self) {
        while self.size > self.most {
            let oldest = self.nodes.iter().min_by_key(|(_, node)| node.last_seen).map(|(key, _)| key.clone());
            let Some(forgotten) = oldest.and_then(|key| self.nodes.remove(&key)) else { return };
            self.size = self.size.saturating_sub(forgotten.size);
        }
    }
}

impl Node {
    /// What the births say of an alias.
    pub(super) fn alias(&self, alias: u64) -> Option<&Known> {
        self.by_alias.get(&alias)
    }

    /// What they say of the data type of a name.
    pub(super) fn datatype(&self, device: Option<&str>, name: &str) -> Option<DataType> {
        self.by_name.get(&(device.map(Str::from), Str::from(name))).copied()
    }

    fn note(&mut self, device: Option<&str>, kind: Kind, payload: &Payload<'_>) -> Standing {
        match kind {
            Kind::NodeBirth => {
                self.by_alias.clear();
                self.by_name.clear();
                self.size = NODE;
                self.birth_sequence = birth_sequence(payload);
                self.learn(None, payload);
                // A birth begins anew, wherever the node was.
                self.next_seq = payload.seq.map(following);
                Standing::default()
            }
            Kind::DeviceBirth => {
                let owner = device.map(Str::from);
                self.by_alias.retain(|_, known| known.device != owner);
                self.by_name.retain(|(device, _), _| *device != owner);
                self.learn(owner, payload);
                self.sequence(payload)
            }
            Kind::NodeDeath => {
                let stale = match (birth_sequence(payload), self.birth_sequence) {
                    (Some(of_death), Some(of_birth)) => of_death != of_birth,
                    _ => false,
                };
                if !stale {
                    self.next_seq = None;
                }
                Standing { stale, ..Standing::default() }
            }
            Kind::NodeData | Kind::DeviceData | Kind::DeviceDeath => self.sequence(payload),
            Kind::NodeCommand | Kind::DeviceCommand => Standing::default(),
        }
    }

    fn sequence(&mut self, payload: &Payload<'_>) -> Standing {
        let expected_seq = self.next_seq.filter(|next| payload.seq.is_some_and(|seq| seq != *next));
        self.next_seq = payload.seq.map(following).or(self.next_seq);
        Standing { expected_seq, ..Standing::default() }
    }

    fn learn(&mut self, device: Option<Str>, payload: &Payload<'_>) {
        for metric in &payload.metrics {
            let Some(name) = metric.name.map(Str::from) else { continue };
            let datatype = metric.datatype.map_or(DataType::Unknown, DataType::of);
            match metric.alias {
                Some(alias) => {
                    let known = Known { name, datatype, device: device.clone() };
                    self.by_alias.insert(alias, known);
                }
                None => {
                    self.by_name.insert((device.clone(), name), datatype);
                }
            }
        }
        let names = self.by_alias.values().map(|known| known.name.len() + OVERHEAD);
        let others = self.by_name.keys().map(|(_, name)| name.len() + OVERHEAD);
        self.size = NODE + names.chain(others).sum::<usize>();
    }
}

/// Sequence numbers go from 0 to 255 and begin again.
fn following(seq: u64) -> u64 {
    seq.wrapping_add(1) % 256
}

/// The metric `bdSeq`, by which a death belongs to a birth.
fn birth_sequence(payload: &Payload<'_>) -> Option<u64> {
    let metric: &Metric<'_> = payload.metrics.iter().find(|metric| metric.name == Some("bdSeq"))?;
    match metric.value? {
        Written::Int(number) => Some(number.into()),
        Written::Long(number) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric<'a>(name: &'a str, alias: Option<u64>, value: u64) -> Metric<'a> {
        Metric {
            name: Some(name),
            alias,
            datatype: Some(8),
            value: Some(Written::Long(value)),
            ..Metric::default()
        }
    }

    fn payload<'a>(seq: Option<u64>, metrics: Vec<Metric<'a>>) -> Payload<'a> {
        Payload { seq, metrics, ..Payload::default() }
    }

    fn note(births: &mut Births, device: Option<&str>, kind: Kind, payload: &Payload<'_>) -> Standing {
        births.note("g", "n", device, kind, payload)
    }

    fn name(births: &Births, alias: u64) -> Option<String> {
        births.node("g", "n")?.alias(alias).map(|known| known.name.to_string())
    }

    #[test]
    fn births_say_what_aliases_mean() {
        let mut births = Births::default();
        let node = payload(Some(0), vec![metric("t", Some(1), 0), metric("plain", None, 0)]);
        note(&mut births, None, Kind::NodeBirth, &node);
        note(&mut births, Some("d"), Kind::DeviceBirth, &payload(Some(1), vec![metric("p", Some(2), 0)]));
        note(&mut births, Some("e"), Kind::DeviceBirth, &payload(Some(2), vec![metric("q", Some(3), 0)]));
        assert_eq!([1, 2, 3].map(|alias| name(&births, alias)), ["t", "p", "q"].map(|n| Some(n.to_owned())));
        let known = births.node("g", "n").unwrap();
        assert_eq!(known.datatype(None, "plain"), Some(DataType::UInt64));
        assert_eq!(known.datatype(Some("d"), "plain"), None);
        assert!(births.node("g", "other").is_none());
        // A device is born again with other metrics, the rest stays.
        note(&mut births, Some("d"), Kind::DeviceBirth, &payload(Some(3), vec![metric("r", Some(4), 0)]));
        assert_eq!([1, 2, 3, 4].map(|alias| name(&births, alias).is_some()), [true, false, true, true]);
        // The node is born again: all is told anew.
        note(&mut births, None, Kind::NodeBirth, &payload(Some(0), vec![metric("x", Some(9), 0)]));
        assert_eq!([1, 3, 9].map(|alias| name(&births, alias).is_some()), [false, false, true]);
    }

    #[test]
    fn sequence_numbers_tell_what_is_missing() {
        let mut births = Births::default();
        let mut seen =
            |kind, seq| note(&mut births, Some("d"), kind, &payload(Some(seq), vec![])).expected_seq;
        // Nobody knows what came before.
        assert_eq!(seen(Kind::DeviceData, 7), None);
        assert_eq!(seen(Kind::DeviceData, 8), None);
        assert_eq!(seen(Kind::DeviceData, 11), Some(9));
        assert_eq!(seen(Kind::DeviceData, 12), None);
        assert_eq!(seen(Kind::NodeBirth, 254), None);
        assert_eq!(seen(Kind::DeviceBirth, 255), None);
        assert_eq!(seen(Kind::NodeData, 0), None);
        assert_eq!(seen(Kind::DeviceCommand, 99), None);
        assert_eq!(seen(Kind::DeviceDeath, 0), Some(1));
        assert_eq!(seen(Kind::NodeDeath, u64::MAX), None);
        assert_eq!(seen(Kind::NodeData, u64::MAX), None);
    }

    #[test]
    fn a_death_of_an_earlier_birth_is_stale() {
        let mut births = Births::default();
        let with = |seq| payload(None, vec![metric("bdSeq", None, seq)]);
        note(&mut births, None, Kind::NodeBirth, &with(4));
        assert!(note(&mut births, None, Kind::NodeDeath, &with(3)).stale);
        assert!(!note(&mut births, None, Kind::NodeDeath, &with(4)).stale);
        assert!(!note(&mut births, None, Kind::NodeDeath, &payload(None, vec![])).stale);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut births = Births::remembering(10_000);
        for number in 0..1000 {
            let birth = payload(Some(0), vec![metric("temperature", Some(1), 0)]);
            births.note("g", &number.to_string(), None, Kind::NodeBirth, &birth);
        }
        assert!(births.size <= 10_000 && births.nodes.len() < 20);
        // Those that spoke last are there.
        assert!(births.node("g", "999").is_some_and(|node| node.alias(1).is_some()));
        assert_eq!(births.size, births.nodes.values().map(|node| node.size).sum::<usize>());
    }
}
