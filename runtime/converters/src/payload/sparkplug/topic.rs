//! Where a message comes from, by its topic (Sparkplug 3.0, section 4).

/// What a topic says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// `spBv1.0/GROUP/TYPE/NODE` or `spBv1.0/GROUP/TYPE/NODE/DEVICE`.
    Edge { group: &'a str, kind: Kind, node: &'a str, device: Option<&'a str> },
    /// `spBv1.0/STATE/HOST`, before version 3 `STATE/HOST`.
    Host(&'a str),
}

/// The type of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NodeBirth,
    NodeDeath,
    NodeData,
    NodeCommand,
    DeviceBirth,
    DeviceDeath,
    DeviceData,
    DeviceCommand,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::NodeBirth,
        Self::NodeDeath,
        Self::NodeData,
        Self::NodeCommand,
        Self::DeviceBirth,
        Self::DeviceDeath,
        Self::DeviceData,
        Self::DeviceCommand,
    ];

    /// As in topics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NodeBirth => "NBIRTH",
            Self::NodeDeath => "NDEATH",
            Self::NodeData => "NDATA",
            Self::NodeCommand => "NCMD",
            Self::DeviceBirth => "DBIRTH",
            Self::DeviceDeath => "DDEATH",
            Self::DeviceData => "DDATA",
            Self::DeviceCommand => "DCMD",
        }
    }

    /// Whether it tells names and aliases.
    pub(super) fn is_birth(self) -> bool {
        matches!(self, Self::NodeBirth | Self::DeviceBirth)
    }

    fn is_of_device(self) -> bool {
        matches!(self, Self::DeviceBirth | Self::DeviceDeath | Self::DeviceData | Self::DeviceCommand)
    }
}

impl<'a> Origin<'a> {
    /// What `topic` says; none where it is not a topic of Sparkplug B.
    pub(super) fn of(topic: &'a str) -> Option<Self> {
        let mut levels = topic.split('/');
        let (first, second) = (levels.next()?, levels.next()?);
        let third = levels.next();
        match (first, second, third) {
            ("STATE", host, None) => return Some(Self::Host(host)),
            ("spBv1.0", "STATE", Some(host)) if levels.clone().next().is_none() => {
                return Some(Self::Host(host));
            }
            ("spBv1.0", ..) => {}
            _ => return None,
        }
        let kind = Kind::ALL.into_iter().find(|kind| Some(kind.name()) == third)?;
        let (node, device) = (levels.next()?, levels.next());
        let well_formed = levels.next().is_none() && device.is_some() == kind.is_of_device();
        well_formed.then_some(Self::Edge { group: second, kind, node, device })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        let node = Origin::Edge { group: "g", kind: Kind::NodeData, node: "n", device: None };
        assert_eq!(Origin::of("spBv1.0/g/NDATA/n"), Some(node));
        let device = Origin::Edge { group: "g", kind: Kind::DeviceBirth, node: "n", device: Some("d") };
        assert_eq!(Origin::of("spBv1.0/g/DBIRTH/n/d"), Some(device));
        assert_eq!(Origin::of("spBv1.0/STATE/h"), Some(Origin::Host("h")));
        assert_eq!(Origin::of("STATE/h"), Some(Origin::Host("h")));
        for topic in [
            "",
            "a",
            "a/b",
            "spBv1.0",
            "spBv1.0/g",
            "spBv1.0/g/X/n",
            "spBv1.0/g/NDATA/n/d",
            "spBv1.0/g/DDATA/n",
            "spBv1.0/g/DDATA/n/d/e",
        ] {
            assert_eq!(Origin::of(topic), None, "{topic}");
        }
    }
}
