//! What follows a backslash.

use super::flags::Flags;
use super::node::{Node, Place};
use super::parser::{Parsed, Parser};
use super::set::Set;

/// What an escape stands for.
pub(super) enum Escaped {
    /// One character.
    Char(char),
    /// A set of characters.
    Set(Set),
    /// Something that has no place in a class.
    Node(Node),
}

impl Parser {
    /// The escape here, outside classes.
    pub(super) fn escaped(&mut self) -> Parsed<Node> {
        Ok(match self.escape(false, false)? {
            Escaped::Char(c) => self.literal(c),
            Escaped::Set(set) => Node::Set(set),
            Escaped::Node(node) => node,
        })
    }

    /// The escape here, the reader standing on the backslash. In a class some are not allowed; `in_range` is set where
    /// a range begins or ends with it.
    pub(super) fn escape(&mut self, in_class: bool, in_range: bool) -> Parsed<Escaped> {
        let letter = self.skip();
        Ok(match letter {
            '0' => Escaped::Char(self.octal()?),
            '1'..='9' if !in_class => Escaped::Node(self.reference(letter)),
            // A first search begins where the text does, which is where \G is.
            'A' | 'G' if !in_class => Escaped::Node(Node::Place(Place::Start)),
            'Z' if !in_class => {
                let unix = self.flags.has(Flags::UNIX_LINES);
                Escaped::Node(Node::Place(Place::LastLineEnd { unix }))
            }
            'z' if !in_class => Escaped::Node(Node::Place(Place::End)),
            'b' if !in_class => {
                if self.peek() == '{' && self.at(self.cursor + 1) == 'g' && self.at(self.cursor + 2) == '}' {
                    return Err(self.unsupported("\\b{g} (a boundary of grapheme clusters) is"));
                }
                Escaped::Node(self.boundary(false))
            }
            'B' if !in_class => Escaped::Node(self.boundary(true)),
            'R' if !in_class => {
                let pair = Node::Sequence(vec![Node::Char('\r'), Node::Char('\n')]);
                let single = self.predefined('v').unwrap_or_else(Set::empty);
                Escaped::Node(Node::Alternatives(vec![pair, Node::Set(single)]))
            }
            'X' if !in_class => return Err(self.unsupported("\\X (a grapheme cluster) is")),
            'k' if !in_class => Escaped::Node(self.named_reference()?),
            'N' => {
                if self.read() != '{' {
                    return Err(self.fault("Illegal character name escape sequence"));
                }
                return Err(self.unsupported("\\N{…} (a character by its name) is"));
            }
            'a' => Escaped::Char('\u{7}'),
            'e' => Escaped::Char('\u{1B}'),
            'f' => Escaped::Char('\u{C}'),
            'n' => Escaped::Char('\n'),
            'r' => Escaped::Char('\r'),
            't' => Escaped::Char('\t'),
            'v' if in_range => Escaped::Char('\u{B}'),
            'c' => Escaped::Char(self.control()?),
            'u' => Escaped::Char(self.unicode()?),
            'x' => Escaped::Char(self.hexadecimal()?),
            _ => match self.predefined(letter.to_ascii_lowercase()) {
                Some(set) if letter.is_ascii_uppercase() => Escaped::Set(set.complement()),
                Some(set) => Escaped::Set(set),
                None if letter.is_ascii_alphanumeric() => {
                    return Err(self.fault("Illegal/unsupported escape sequence"));
                }
                None => Escaped::Char(letter),
            },
        })
    }

    /// The characters of `\d` and its like.
    fn predefined(&self, letter: char) -> Option<Set> {
        let unicode = self.flags.has(Flags::UNICODE_CLASSES);
        Set::of(match letter {
            'd' if unicode => r"\p{Nd}",
            'd' => "0-9",
            'h' => r"\t\x20\u{A0}\u{1680}\u{180E}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}",
            's' if unicode => r"\p{White_Space}",
            's' => r"\t-\r\x20",
            'v' => r"\n-\r\u{85}\u{2028}\u{2029}",
            'w' if unicode => r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}",
            'w' => "a-zA-Z0-9_",
            _ => return None,
        })
    }

    /// Between a character of words and another one, by the characters of `\w`, as Java does since 19.
    fn boundary(&self, negated: bool) -> Node {
        let word = self.predefined('w').unwrap_or_else(Set::empty);
        Node::Place(Place::Boundary { word, negated })
    }

    /// A reference by number. More digits belong to it as long as there is such a group already.
    fn reference(&mut self, first: char) -> Node {
        let mut number = first.to_digit(10).unwrap_or(0) as usize;
        while let Some(digit) = self.peek().to_digit(10) {
            let longer = number * 10 + digit as usize;
            if self.groups < longer {
                break;
            }
            number = longer;
            self.read();
        }
        Node::Reference { group: number, case: self.case() }
    }

    fn named_reference(&mut self) -> Parsed<Node> {
        if self.read() != '<' {
            return Err(self.fault("\\k is not followed by '<' for named capturing group"));
        }
        let first = self.read();
        let name = self.group_name(first)?;
        match self.group_number(&name) {
            Some(group) => Ok(Node::Reference { group, case: self.case() }),
            None => Err(self.fault(format!("named capturing group <{name}> does not exist"))),
        }
    }

    /// `\0n`, `\0nn` or `\0mnn`.
    fn octal(&mut self) -> Parsed<char> {
        let Some(first) = self.read().to_digit(8) else {
            return Err(self.fault("Illegal octal escape sequence"));
        };
        let mut number = first;
        for limit in [7, 3] {
            match self.read().to_digit(8) {
                Some(digit) if first <= limit => number = number * 8 + digit,
                _ => {
                    self.unread();
                    break;
                }
            }
        }
        self.code_point(number)
    }

    fn control(&mut self) -> Parsed<char> {
        if self.at_end() {
            return Err(self.fault("Illegal control escape sequence"));
        }
        let number = u32::from(self.read()) ^ 64;
        self.code_point(number)
    }

    /// `\xhh` or `\x{h…h}`.
    fn hexadecimal(&mut self) -> Parsed<char> {
        let first = self.read();
        if let Some(high) = first.to_digit(16) {
            if let Some(low) = self.read().to_digit(16) {
                return self.code_point(high * 16 + low);
            }
        } else if first == '{' && self.peek().is_ascii_hexdigit() {
            let mut number = 0;
            loop {
                let c = self.read();
                match c.to_digit(16) {
                    Some(digit) => number = number << 4 | digit,
                    None if c == '}' => return self.code_point(number),
                    None => return Err(self.fault("Unclosed hexadecimal escape sequence")),
                }
                if number > u32::from(char::MAX) {
                    return Err(self.fault("Hexadecimal codepoint is too big"));
                }
            }
        }
        Err(self.fault("Illegal hexadecimal escape sequence"))
    }

    /// `\uhhhh`, or two of them for a character beyond 16 bits.
    fn unicode(&mut self) -> Parsed<char> {
        let first = self.four_digits()?;
        if (0xD800..0xDC00).contains(&first) {
            let here = self.cursor;
            if self.read() == '\\' && self.read() == 'u' {
                let second = self.four_digits()?;
                if (0xDC00..0xE000).contains(&second) {
                    return self.code_point(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00));
                }
            }
            self.seek(here);
        }
        self.code_point(first)
    }

    fn four_digits(&mut self) -> Parsed<u32> {
        let mut number = 0;
        for _ in 0..4 {
            let Some(digit) = self.read().to_digit(16) else {
                return Err(self.fault("Illegal Unicode escape sequence"));
            };
            number = number * 16 + digit;
        }
        Ok(number)
    }

    fn code_point(&self, number: u32) -> Parsed<char> {
        char::from_u32(number)
            .ok_or_else(|| self.unsupported(&format!("Half of a surrogate pair (U+{number:X}) is")))
    }
}
