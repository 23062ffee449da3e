//! The order in which Java's `HashMap` hands out its entries: Debezium reads an hstore into one, and counts the events of a
//! transaction in one, so that the order of keys in its JSON is that of the map.

/// `String.hashCode`: over UTF-16 units.
fn string_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// Puts `entries`, distinct and in the order of their insertion, into the order of iteration of a `HashMap` that grew with
/// them: by bucket, and by insertion within one.
pub(crate) fn hash_map_order<T>(entries: &mut [T], key: impl Fn(&T) -> &str) {
    // Grown from 16 whenever three quarters are exceeded.
    let mut buckets: usize = 16;
    while entries.len() > buckets / 4 * 3 {
        buckets = buckets.saturating_mul(2);
    }
    let mask = u32::try_from(buckets - 1).unwrap_or(u32::MAX);
    entries.sort_by_cached_key(|entry| {
        let hash = string_hash(key(entry));
        (hash ^ (hash >> 16)) & mask
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        for (text, hash) in [("", 0), ("a", 97), ("hello", 99_162_322), ("héllo", 103_094_734)] {
            assert_eq!(string_hash(text), hash, "{text}");
        }
    }

    #[test]
    fn order_goes_by_bucket() {
        // As a JVM prints the keys of such a HashMap.
        let mut keys = vec!["inv.orders", "inv.nopk"];
        hash_map_order(&mut keys, |key| key);
        assert_eq!(keys, ["inv.nopk", "inv.orders"]);
        let mut keys: Vec<String> = (0..13).rev().map(|i| format!("k{i}")).collect();
        hash_map_order(&mut keys, |key| key);
        assert_eq!(keys, "k0 k1 k2 k3 k4 k11 k5 k10 k6 k7 k12 k8 k9".split(' ').collect::<Vec<_>>());
        let mut keys = vec!["color", "size", "weight", "länge", "brand", "a", "b", "AaAa", "BBBB", "AaBB"];
        hash_map_order(&mut keys, |key| key);
        assert_eq!(keys, ["a", "b", "color", "size", "weight", "brand", "länge", "AaAa", "BBBB", "AaBB"]);
    }
}
