//! Sets of characters.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// A set of characters, as ranges in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set(ClassUnicode);

impl Set {
    /// No character.
    pub(super) fn empty() -> Self {
        Self(ClassUnicode::empty())
    }

    /// The characters from `first` to `last`.
    pub(super) fn range(first: char, last: char) -> Self {
        Self(ClassUnicode::new([ClassUnicodeRange::new(first, last)]))
    }

    /// The set that `[items]` stands for in the syntax of the `regex-syntax` crate, which has Unicode's tables: ranges
    /// and properties by their Unicode names. `None` for names that it does not know.
    pub(super) fn of(items: &str) -> Option<Self> {
        match regex_syntax::parse(&format!("[{items}]")).ok()?.into_kind() {
            HirKind::Class(Class::Unicode(class)) => Some(Self(class)),
            HirKind::Class(Class::Bytes(class)) => class.to_unicode_class().map(Self),
            // A set of one comes as a text.
            HirKind::Literal(literal) => {
                let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
                Some(Self::range(c, c))
            }
            _ => None,
        }
    }

    /// Adds the characters of `other`.
    pub(super) fn add(&mut self, other: &Set) {
        self.0.union(&other.0);
    }

    /// Keeps the characters that are in `other` too.
    pub(super) fn keep(&mut self, other: &Set) {
        self.0.intersect(&other.0);
    }

    /// The characters that are not in the set.
    pub(super) fn complement(mut self) -> Self {
        self.0.negate();
        self
    }

    /// The characters that are those of the set but for case, by Unicode.
    pub(super) fn in_any_case(mut self) -> Self {
        // Fails without Unicode's tables alone, and then case stays as written.
        let _ = self.0.try_case_fold_simple();
        self
    }

    /// Whether `c` is in the set.
    pub(super) fn has(&self, c: char) -> bool {
        let ranges = self.0.ranges();
        let after = ranges.partition_point(|range| range.start() <= c);
        after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| c <= range.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_what_they_say() {
        let vowels = Set::of("aeiou").unwrap();
        assert!(vowels.has('e') && !vowels.has('b') && !vowels.has('z'));
        assert!(!vowels.clone().complement().has('e'));
        assert_eq!(Set::of("a"), Some(Set::range('a', 'a')));
        assert_eq!(Set::of(r"a&&b"), Some(Set::empty()));
        assert_eq!(Set::of(r"\p{NoSuchThing}"), None);
        assert!(Set::range('é', 'é').in_any_case().has('É'));
        assert!(!Set::empty().has('a'));
    }
}
