//! Which resources are to be observed, and which of them are a task's. Pure.

use crate::resource::Resource;

/// A resource pattern with its query and topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) resource: Resource,
    /// The parts of the query, in order.
    pub(crate) query: Vec<String>,
}

impl Wish {
    /// Reads `path`, `path?a=1&b=2`, each with or without `=>topic`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (wanted, topic) = match text.split_once("=>") {
            Some((wanted, topic)) => (wanted.trim(), Some(topic.trim())),
            None => (text.trim(), None),
        };
        let (path, query) = wanted.split_once('?').unwrap_or((wanted, ""));
        let resource = match topic {
            Some(topic) => Resource::parse(&format!("{path}=>{topic}"))?,
            None => Resource::parse(path)?,
        };
        let parts = query.split('&').filter(|part| !part.is_empty());
        let wish = Self { resource, query: parts.map(str::to_owned).collect() };
        if !wish.query.is_empty() && wish.resource.fixed().is_none() {
            return Err(format!("{text}: a path with wildcards takes no query"));
        }
        Ok(wish)
    }
}

/// A path and a query as they are shown: `/a/b?c=1`.
pub(crate) fn shown(path: &[String], query: &[String]) -> String {
    let mut shown: String = path.iter().flat_map(|segment| ["/", segment.as_str()]).collect();
    for (place, part) in query.iter().enumerate() {
        shown.push(if place == 0 { '?' } else { '&' });
        shown.push_str(part);
    }
    shown
}

/// A task's share of the resources of its servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) place: u32,
    pub(crate) of: u32,
}

impl Share {
    /// Reads `place/of`, as [`Display`](std::fmt::Display) writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (place, of) = text.split_once('/')?;
        let share = Self { place: place.parse().ok()?, of: of.parse().ok()? };
        (share.place < share.of).then_some(share)
    }

    /// Whether the resource `shown` on `server` is in it. The same in every process and release, for two tasks of
    /// different workers must agree.
    pub(crate) fn has(self, server: &str, shown: &str) -> bool {
        // FNV-1a, 64 bits.
        let bytes = server.bytes().chain(shown.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The low bits of FNV are the weakest.
        (hash >> 32) % u64::from(self.of.max(1)) == u64::from(self.place)
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.place, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes() {
        let wish = Wish::parse("a/b?x=1&y => t").unwrap();
        assert_eq!(wish.resource.topic.as_deref(), Some("t"));
        let path = wish.resource.fixed().unwrap();
        assert_eq!(shown(&path, &wish.query), "/a/b?x=1&y");
        assert_eq!(Wish::parse("s/{id}").unwrap().resource.fixed(), None);
        assert!(Wish::parse("s/+?x=1").unwrap_err().contains("takes no query"));
        assert!(Wish::parse("").is_err());
    }

    #[test]
    fn each_resource_is_in_one_share() {
        let mut counts = [0; 3];
        for number in 0..300 {
            let path = format!("/sensors/{number}");
            let owners: Vec<u32> =
                (0..3).filter(|place| Share { place: *place, of: 3 }.has("coap://a:1", &path)).collect();
            assert_eq!(owners.len(), 1);
            counts[owners[0] as usize] += 1;
        }
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
        let share = Share { place: 2, of: 3 };
        assert_eq!(Share::parse(&share.to_string()), Some(share));
        assert_eq!([Share::parse("3/3"), Share::parse("x"), Share::parse("/")], [None; 3]);
    }
}
