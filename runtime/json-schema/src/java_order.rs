//! The order in which Java's hash tables list strings. The text of a schema follows from it, and thereby its id.
//!
//! `HashMap` has a table of a power of two; an entry is in the bucket that the low bits of its mixed hash say, buckets
//! are listed one after another, and entries of a bucket in the order they came. Tables are as JDK 17 makes them.

/// The smallest table of a `HashMap` that was not told how many entries to expect.
const USUAL: usize = 16;

/// Java's `String.hashCode`, mixed as `HashMap` does.
fn mixed_hash(text: &str) -> u32 {
    let hash = text.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    hash ^ hash >> 16
}

/// The table that holds `count` entries, of which three in four buckets are filled, and is at least `least`.
fn table(count: usize, least: usize) -> usize {
    let mut size = least.next_power_of_two();
    while count > size / 4 * 3 + size % 4 * 3 / 4 {
        size *= 2;
    }
    size
}

/// Puts `items` into the order of a table of this size.
fn sort<T>(items: &mut [T], size: usize, name: impl Fn(&T) -> &str) {
    let mask = u32::try_from(size - 1).unwrap_or(u32::MAX);
    items.sort_by_key(|item| mixed_hash(name(item)) & mask);
}

/// The order of a `HashMap` to which the items were added one after another.
pub(crate) fn added<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    sort(items, table(items.len(), USUAL), name);
}

/// The order of a copy of such a `HashMap`, made by the constructor that takes a map.
pub(crate) fn copied<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    added(items, &name);
    // The capacity is a third more than there are entries, and one more.
    sort(items, (items.len() * 4 / 3 + 1).next_power_of_two(), name);
}

/// The order of a `HashMap` made for just so many entries, to which those of another were added.
pub(crate) fn refilled<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    added(items, &name);
    sort(items, table(items.len(), items.len().max(1)), name);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str, order: impl Fn(&mut [&str])) -> String {
        let mut items: Vec<&str> = text.split(' ').collect();
        order(&mut items);
        items.join(" ")
    }

    /// As OpenJDK 17 lists them.
    #[test]
    fn lists_as_java_does() {
        let names = "id name age email device celsius humidity ts ok tags ünï 😀";
        assert_eq!(
            listed(names, |items| copied(items, |item| item)),
            "tags celsius name 😀 humidity id ok device age email ünï ts"
        );
        let fields: Vec<String> = (0..30).map(|at| format!("field_{at}")).collect();
        let expected = [
            0, 20, 3, 21, 4, 22, 1, 23, 2, 24, 25, 26, 27, 28, 29, 7, 8, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16,
            17, 18, 19,
        ];
        let expected: Vec<String> = expected.iter().map(|at| format!("field_{at}")).collect();
        assert_eq!(listed(&fields.join(" "), |items| copied(items, |item| item)), expected.join(" "));
        assert_eq!(
            listed("RED GREEN BLUE ONE TWO", |items| added(items, |item| item)),
            "RED BLUE ONE GREEN TWO"
        );
        assert_eq!(
            listed("connect.type connect.version connect.parameters connect.index", |items| copied(
                items,
                |item| item
            )),
            "connect.index connect.version connect.type connect.parameters"
        );
        for (count, expected) in [
            (1, &[0][..]),
            (2, &[1, 0]),
            (3, &[1, 2, 0]),
            (4, &[0, 1, 2, 3]),
            (6, &[5, 0, 1, 2, 3, 4]),
            (7, &[5, 6, 1, 2, 3, 4, 0]),
            (12, &[5, 11, 6, 10, 7, 8, 1, 2, 3, 4, 0, 9]),
        ] {
            let names: Vec<String> = (0..count).map(|at| format!("param.{at}")).collect();
            let expected: Vec<String> = expected.iter().map(|at| format!("param.{at}")).collect();
            assert_eq!(
                listed(&names.join(" "), |items| refilled(items, |item| item)),
                expected.join(" "),
                "{count}"
            );
        }
    }
}
