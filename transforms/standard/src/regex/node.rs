//! A pattern as a tree.

use super::set::Set;

/// A piece of a pattern.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// One character.
    Char(char),
    /// One character of a set.
    Set(Set),
    /// One piece after the other; matches the empty text if there is none.
    Sequence(Vec<Node>),
    /// The first piece that lets the rest match.
    Alternatives(Vec<Node>),
    /// A piece whose text is kept, under its number.
    Group(usize, Box<Node>),
    /// A piece that is not tried again in another way once it has matched.
    Atomic(Box<Node>),
    /// Whether a piece matches from here, or up to here.
    Look { behind: bool, negated: bool, body: Box<Node> },
    /// A piece several times.
    Repeat { body: Box<Node>, least: u32, most: Option<u32>, greedy: bool },
    /// The text of a group again.
    Reference { group: usize, case: Case },
    /// A condition on the place.
    Place(Place),
}

impl Node {
    /// Matches the empty text.
    pub(super) fn empty() -> Self {
        Node::Sequence(Vec::new())
    }
}

/// How letters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Sensitive,
    /// Letters of ASCII match in either case.
    Ascii,
    Unicode,
}

impl Case {
    /// Whether `a` and `b` are the same letter.
    pub(super) fn same(self, a: char, b: char) -> bool {
        a == b
            || match self {
                Case::Sensitive => false,
                Case::Ascii => a.eq_ignore_ascii_case(&b),
                Case::Unicode => Set::range(a, a).in_any_case().has(b),
            }
    }
}

/// A condition on a place in the text. Where `unix`, lines end with `\n` alone; else with `\n`, `\r\n`, `\r`, U+0085,
/// U+2028 or U+2029 too.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The beginning.
    Start,
    /// The end.
    End,
    /// The beginning, or after a line's end, but not at the end of the text.
    LineStart { unix: bool },
    /// Before the end of a line, or before the end of the text.
    LineEnd { unix: bool },
    /// Before the end of the text, or before a line's end that is the text's end.
    LastLineEnd { unix: bool },
    /// Between a character of `word` and another one, or not.
    Boundary { word: Set, negated: bool },
}

impl Place {
    /// Whether the condition holds before the character `at` of `text`.
    pub(super) fn holds(&self, text: &[char], at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|at| text.get(at)).copied();
        let here = text.get(at).copied();
        // Within `\r\n` is not the end of a line.
        let within = before == Some('\r') && here == Some('\n');
        match self {
            Place::Start => at == 0,
            Place::End => here.is_none(),
            Place::LineStart { unix } => match before {
                _ if here.is_none() => false,
                None => true,
                Some(before) => ends_line(before, *unix) && (*unix || !within),
            },
            Place::LineEnd { unix } => match here {
                None => true,
                Some(here) => ends_line(here, *unix) && (*unix || !within),
            },
            Place::LastLineEnd { unix } => match (here, text.get(at + 1)) {
                (None, _) => true,
                (Some(here), None) => ends_line(here, *unix) && (*unix || !within),
                (Some(here), Some(next)) => {
                    !unix && here == '\r' && *next == '\n' && text.get(at + 2).is_none()
                }
            },
            Place::Boundary { word, negated } => {
                let is_word = |c: Option<char>| c.is_some_and(|c| word.has(c));
                (is_word(before) != is_word(here)) != *negated
            }
        }
    }
}

/// Whether a line ends with `c`.
pub(super) fn ends_line(c: char, unix: bool) -> bool {
    c == '\n' || (!unix && matches!(c, '\r' | '\u{85}' | '\u{2028}' | '\u{2029}'))
}
