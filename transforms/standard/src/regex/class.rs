//! What stands between brackets: characters, ranges, classes within classes, intersections.

use super::escape::Escaped;
use super::flags::Flags;
use super::parser::{Parsed, Parser, other_case};
use super::set::Set;

impl Parser {
    /// A class, the reader standing on its bracket.
    pub(super) fn bracketed(&mut self) -> Parsed<Set> {
        self.class(true)
    }

    /// The set up to the closing bracket, which is taken if `take_bracket`; without it the set is the right side of an
    /// intersection.
    fn class(&mut self, take_bracket: bool) -> Parsed<Set> {
        self.descend()?;
        let mut negated = false;
        let mut set: Option<Set> = None;
        let mut c = self.next();
        loop {
            match c {
                '^' if self.cursor.checked_sub(1).is_some_and(|before| self.at(before) == '[') => {
                    negated = true;
                    c = self.next();
                    continue;
                }
                '[' => {
                    let inner = self.class(true)?;
                    set.get_or_insert_with(Set::empty).add(&inner);
                    c = self.peek();
                    continue;
                }
                '&' => {
                    if self.next() == '&' {
                        let right = self.right_side()?;
                        set = match (set, right) {
                            (None, None) => return Err(self.fault("Bad class syntax")),
                            (None, one) | (one, None) => one,
                            (Some(mut left), Some(right)) => {
                                left.keep(&right);
                                Some(left)
                            }
                        };
                        c = self.peek();
                        continue;
                    }
                    self.unread();
                }
                ']' => {
                    if let Some(set) = set.take() {
                        if take_bracket {
                            self.next();
                        }
                        self.ascend();
                        return Ok(if negated { set.complement() } else { set });
                    }
                }
                '\0' if self.at_end() => return Err(self.fault("Unclosed character class")),
                _ => {}
            }
            let item = self.range()?;
            set.get_or_insert_with(Set::empty).add(&item);
            c = self.peek();
        }
    }

    /// What follows `&&`: classes in brackets, or what comes before the closing bracket. Of both the last counts, as in
    /// Java.
    fn right_side(&mut self) -> Parsed<Option<Set>> {
        let mut right: Option<Set> = None;
        let mut c = self.next();
        while !matches!(c, ']' | '&') {
            if c == '[' {
                let inner = self.class(true)?;
                right.get_or_insert_with(Set::empty).add(&inner);
            } else {
                self.unread();
                right = Some(self.class(false)?);
            }
            c = self.peek();
        }
        Ok(right)
    }

    /// A character, a range, or a set by its escape.
    fn range(&mut self) -> Parsed<Set> {
        let first = if self.peek() == '\\' {
            match self.next_escaped() {
                letter @ ('p' | 'P') => return self.property(letter == 'P'),
                _ => {
                    let in_range = self.at(self.cursor + 1) == '-';
                    self.unread();
                    match self.escape(true, in_range)? {
                        Escaped::Char(c) => c,
                        Escaped::Set(set) => return Ok(set),
                        Escaped::Node(_) => return Err(self.fault("Illegal/unsupported escape sequence")),
                    }
                }
            }
        } else {
            let c = self.peek();
            self.next();
            c
        };
        if self.peek() != '-' || matches!(self.at(self.cursor + 1), '[' | ']') {
            return Ok(self.item(first, first));
        }
        let last = match self.next() {
            '\\' => match self.escape(true, true)? {
                Escaped::Char(c) => Some(c),
                Escaped::Set(_) | Escaped::Node(_) => None,
            },
            c => {
                self.next();
                Some(c)
            }
        };
        match last {
            Some(last) if last >= first => Ok(self.item(first, last)),
            _ => Err(self.fault("Illegal character range")),
        }
    }

    /// The characters from `first` to `last`, in either case where flags say so.
    pub(super) fn item(&self, first: char, last: char) -> Set {
        let mut set = Set::range(first, last);
        if !self.flags.has(Flags::CASE_INSENSITIVE) {
            return set;
        }
        if self.flags.has(Flags::UNICODE_CASE) {
            return set.in_any_case();
        }
        for (low, high) in [('a', 'z'), ('A', 'Z')] {
            let (low, high) = (first.max(low), last.min(high));
            if low <= high {
                set.add(&Set::range(other_case(low), other_case(high)));
            }
        }
        set
    }
}
