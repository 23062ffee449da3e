//! The grammar of expressions: alternatives, sequences, groups, quantifiers.
//!
//! The reader moves over the pattern in the steps of Java's own, because the positions in Java's error texts come from
//! where it stands when it finds a fault.

use super::flags::Flags;
use super::node::{Case, Node, Place, ends_line};
use super::set::Set;

/// Deeper nesting of groups or classes is refused.
const MAX_DEPTH: usize = 100;
/// Higher counts in `{n,m}` are refused: topics are shorter than that.
const MAX_COUNT: u32 = 10_000;

/// A pattern that was read.
pub(super) struct Tree {
    pub(super) root: Node,
    /// Capturing groups.
    pub(super) groups: usize,
    /// Names of groups with their numbers.
    pub(super) names: Vec<(String, usize)>,
}

/// A fault in a pattern.
#[derive(Debug)]
pub(super) struct Fault {
    description: String,
    index: Option<usize>,
}

impl Fault {
    /// The text of Java's `PatternSyntaxException`: what, where, the pattern, and a caret below the place.
    fn text(&self, pattern: &str) -> String {
        let mut text = format!("Invalid regex: {}", self.description);
        if let Some(index) = self.index {
            text.push_str(&format!(" near index {index}"));
        }
        text.push('\n');
        text.push_str(pattern);
        // Java compares the place, in characters, with the length in UTF-16.
        if let Some(index) = self.index.filter(|&index| index < pattern.encode_utf16().count()) {
            text.push('\n');
            text.extend(pattern.encode_utf16().take(index).map(|unit| if unit == 9 { '\t' } else { ' ' }));
            text.push('^');
        }
        text
    }
}

pub(super) type Parsed<T> = Result<T, Fault>;

/// Reads `pattern`.
///
/// # Errors
/// `Invalid regex: ` and the text of Java's exception, or what is not supported here.
pub(super) fn parse(pattern: &str) -> Result<Tree, String> {
    let mut parser = Parser::new(pattern);
    let root = parser.whole().map_err(|fault| fault.text(pattern))?;
    Ok(Tree { root, groups: parser.groups, names: parser.names })
}

pub(super) struct Parser {
    pattern: Vec<char>,
    pub(super) cursor: usize,
    pub(super) flags: Flags,
    /// Capturing groups opened so far.
    pub(super) groups: usize,
    names: Vec<(String, usize)>,
    depth: usize,
}

impl Parser {
    fn new(pattern: &str) -> Self {
        Self {
            pattern: without_quotes(pattern),
            cursor: 0,
            flags: Flags::default(),
            groups: 0,
            names: Vec::new(),
            depth: 0,
        }
    }

    /// A fault where the reader stands.
    pub(super) fn fault(&self, description: impl Into<String>) -> Fault {
        Fault { description: description.into(), index: self.cursor.checked_sub(1) }
    }

    /// Something that Java has and this does not.
    pub(super) fn unsupported(&self, construct: &str) -> Fault {
        self.fault(format!("{construct} not supported"))
    }

    pub(super) fn at(&self, index: usize) -> char {
        self.pattern.get(index).copied().unwrap_or('\0')
    }

    pub(super) fn at_end(&self) -> bool {
        self.cursor >= self.pattern.len()
    }

    /// The character here.
    pub(super) fn peek(&mut self) -> char {
        self.past_blanks()
    }

    /// Moves on and looks.
    pub(super) fn next(&mut self) -> char {
        self.cursor += 1;
        self.past_blanks()
    }

    /// Moves on and looks, white space being part of what follows.
    pub(super) fn next_escaped(&mut self) -> char {
        self.cursor += 1;
        self.at(self.cursor)
    }

    /// Takes the character here.
    pub(super) fn read(&mut self) -> char {
        let c = self.past_blanks();
        self.cursor += 1;
        c
    }

    /// Takes the character here and the next, which is the result.
    pub(super) fn skip(&mut self) -> char {
        let c = self.at(self.cursor + 1);
        self.cursor += 2;
        c
    }

    pub(super) fn unread(&mut self) {
        self.cursor = self.cursor.saturating_sub(1);
    }

    pub(super) fn seek(&mut self, cursor: usize) {
        self.cursor = cursor;
    }

    /// The place of the next `c`, from here on.
    pub(super) fn find(&self, c: char) -> Option<usize> {
        self.pattern.iter().skip(self.cursor).position(|&other| other == c).map(|at| at + self.cursor)
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> String {
        self.pattern.get(from..to).unwrap_or_default().iter().collect()
    }

    pub(super) fn length(&self) -> usize {
        self.pattern.len()
    }

    /// The character here, after white space and comments where flag `x` says that they do not count.
    fn past_blanks(&mut self) -> char {
        if self.flags.has(Flags::COMMENTS) {
            loop {
                match self.at(self.cursor) {
                    '\t'..='\r' | ' ' => self.cursor += 1,
                    '#' => {
                        let unix = self.flags.has(Flags::UNIX_LINES);
                        while self.at(self.cursor) != '\0' && !ends_line(self.at(self.cursor), unix) {
                            self.cursor += 1;
                        }
                    }
                    _ => break,
                }
            }
        }
        self.at(self.cursor)
    }

    /// Enters a group or class.
    pub(super) fn descend(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.unsupported(&format!("Nesting deeper than {MAX_DEPTH} levels is")));
        }
        Ok(())
    }

    pub(super) fn ascend(&mut self) {
        self.depth -= 1;
    }

    /// Everything.
    fn whole(&mut self) -> Parsed<Node> {
        let root = self.expression()?;
        if self.cursor == self.length() {
            Ok(root)
        } else if self.peek() == ')' {
            Err(self.fault("Unmatched closing ')'"))
        } else {
            Err(self.fault("Unexpected internal error"))
        }
    }

    /// Alternatives, up to a closing parenthesis or the end.
    fn expression(&mut self) -> Parsed<Node> {
        self.descend()?;
        let first = self.sequence()?;
        let mut others = Vec::new();
        while self.peek() == '|' {
            self.next();
            others.push(self.sequence()?);
        }
        self.ascend();
        if others.is_empty() {
            return Ok(first);
        }
        others.insert(0, first);
        Ok(Node::Alternatives(others))
    }

    /// Pieces with their quantifiers.
    fn sequence(&mut self) -> Parsed<Node> {
        let mut nodes = Vec::new();
        loop {
            let node = match self.peek() {
                '(' => match self.group()? {
                    Some(node) => node,
                    None => continue,
                },
                '[' => Node::Set(self.bracketed()?),
                '\\' => match self.next_escaped() {
                    letter @ ('p' | 'P') => Node::Set(self.property(letter == 'P')?),
                    _ => {
                        self.unread();
                        self.escaped()?
                    }
                },
                '^' => {
                    self.next();
                    Node::Place(self.line_start())
                }
                '$' => {
                    self.next();
                    Node::Place(self.line_end())
                }
                '.' => {
                    self.next();
                    self.dot()
                }
                '|' | ')' => break,
                c @ ('?' | '*' | '+') => {
                    self.next();
                    return Err(self.fault(format!("Dangling meta character '{c}'")));
                }
                '\0' if self.at_end() => break,
                // A count with nothing before it repeats nothing.
                '{' => Node::empty(),
                c => {
                    self.next();
                    self.literal(c)
                }
            };
            nodes.push(self.quantified(node)?);
        }
        Ok(Node::Sequence(nodes))
    }

    /// One character, in either case where flags say so.
    pub(super) fn literal(&self, c: char) -> Node {
        let set = self.item(c, c);
        if set == Set::range(c, c) { Node::Char(c) } else { Node::Set(set) }
    }

    /// How references to groups compare letters.
    pub(super) fn case(&self) -> Case {
        if !self.flags.has(Flags::CASE_INSENSITIVE) {
            Case::Sensitive
        } else if self.flags.has(Flags::UNICODE_CASE) {
            Case::Unicode
        } else {
            Case::Ascii
        }
    }

    /// A group, look-around or flags. Flags alone are no atom.
    fn group(&mut self) -> Parsed<Option<Node>> {
        let flags = self.flags;
        let kind = self.group_kind()?;
        if matches!(kind, GroupKind::Flags) {
            return Ok(None);
        }
        let body = Box::new(self.expression()?);
        if self.read() != ')' {
            return Err(self.fault("Unclosed group"));
        }
        self.flags = flags;
        Ok(Some(match kind {
            GroupKind::Plain | GroupKind::Flags => *body,
            GroupKind::Capturing(number) => Node::Group(number, body),
            GroupKind::Atomic => Node::Atomic(body),
            GroupKind::Look { behind, negated } => Node::Look { behind, negated, body },
        }))
    }

    /// Takes what a group begins with. Flags alone are taken with their closing parenthesis.
    fn group_kind(&mut self) -> Parsed<GroupKind> {
        if self.next() != '?' {
            self.groups += 1;
            return Ok(GroupKind::Capturing(self.groups));
        }
        Ok(match self.skip() {
            ':' => GroupKind::Plain,
            '>' => GroupKind::Atomic,
            sign @ ('=' | '!') => GroupKind::Look { behind: false, negated: sign == '!' },
            '<' => match self.read() {
                sign @ ('=' | '!') => GroupKind::Look { behind: true, negated: sign == '!' },
                first => {
                    let name = self.group_name(first)?;
                    if self.group_number(&name).is_some() {
                        let message = format!("Named capturing group <{name}> is already defined");
                        return Err(self.fault(message));
                    }
                    self.groups += 1;
                    self.names.push((name, self.groups));
                    GroupKind::Capturing(self.groups)
                }
            },
            '$' | '@' => return Err(self.fault("Unknown group type")),
            _ => {
                self.unread();
                self.change_flags()?;
                match self.read() {
                    ')' => GroupKind::Flags,
                    ':' => GroupKind::Plain,
                    _ => return Err(self.fault("Unknown inline modifier")),
                }
            }
        })
    }

    /// The name that begins with `first`, up to the `>`.
    pub(super) fn group_name(&mut self, first: char) -> Parsed<String> {
        if !first.is_ascii_alphabetic() {
            return Err(self.fault("capturing group name does not start with a Latin letter"));
        }
        let mut name = String::from(first);
        loop {
            match self.read() {
                c if c.is_ascii_alphanumeric() => name.push(c),
                '>' => return Ok(name),
                _ => return Err(self.fault("named capturing group is missing trailing '>'")),
            }
        }
    }

    /// The number of the group `name`, among those opened so far.
    pub(super) fn group_number(&self, name: &str) -> Option<usize> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }

    /// Letters of flags: those to set, and after a minus those to clear.
    fn change_flags(&mut self) -> Parsed<()> {
        let mut clearing = false;
        loop {
            match self.peek() {
                '-' if !clearing => clearing = true,
                'c' => return Err(self.unsupported("The flag c (canonical equivalence) is")),
                letter => match Flags::on(letter) {
                    Some(flags) if clearing => self.flags = self.flags.without(flags),
                    Some(flags) => self.flags = self.flags.with(flags),
                    None => return Ok(()),
                },
            }
            self.next();
        }
    }

    /// `node` with the quantifier that follows it, if one does.
    fn quantified(&mut self, node: Node) -> Parsed<Node> {
        let (least, most) = match self.peek() {
            c @ ('?' | '*' | '+') => {
                self.next();
                (u32::from(c == '+'), (c == '?').then_some(1))
            }
            '{' => self.counts()?,
            _ => return Ok(node),
        };
        let mode = self.peek();
        if matches!(mode, '?' | '+') {
            self.next();
        }
        let repeat = Node::Repeat { body: Box::new(node), least, most, greedy: mode != '?' };
        Ok(if mode == '+' { Node::Atomic(Box::new(repeat)) } else { repeat })
    }

    /// The counts of `{n}`, `{n,}` or `{n,m}`.
    fn counts(&mut self) -> Parsed<(u32, Option<u32>)> {
        let mut c = self.skip();
        if !c.is_ascii_digit() {
            return Err(self.fault("Illegal repetition"));
        }
        let least = self.count(&mut c)?;
        let mut most = Some(least);
        if c == ',' {
            c = self.read();
            most = if c == '}' { None } else { Some(self.count(&mut c)?) };
        }
        if c != '}' {
            return Err(self.fault("Unclosed counted closure"));
        }
        if most.is_some_and(|most| most < least) {
            return Err(self.fault("Illegal repetition range"));
        }
        if least.max(most.unwrap_or(0)) > MAX_COUNT {
            return Err(self.unsupported(&format!("A repetition of more than {MAX_COUNT} times is")));
        }
        Ok((least, most))
    }

    /// The number whose first digit is `c`, which becomes the character behind it.
    fn count(&mut self, c: &mut char) -> Parsed<u32> {
        let mut count: i32 = 0;
        while let Some(digit) = c.to_digit(10) {
            let next = count.checked_mul(10).and_then(|count| count.checked_add_unsigned(digit));
            count = next.ok_or_else(|| self.fault("Illegal repetition range"))?;
            *c = self.read();
        }
        Ok(count.unsigned_abs())
    }

    fn dot(&self) -> Node {
        let excluded = if self.flags.has(Flags::DOTALL) {
            Set::empty()
        } else if self.flags.has(Flags::UNIX_LINES) {
            Set::range('\n', '\n')
        } else {
            Set::of(r"\n\r\u{85}\u{2028}\u{2029}").unwrap_or_else(Set::empty)
        };
        Node::Set(excluded.complement())
    }

    fn line_start(&self) -> Place {
        let unix = self.flags.has(Flags::UNIX_LINES);
        if self.flags.has(Flags::MULTILINE) { Place::LineStart { unix } } else { Place::Start }
    }

    fn line_end(&self) -> Place {
        let unix = self.flags.has(Flags::UNIX_LINES);
        if self.flags.has(Flags::MULTILINE) { Place::LineEnd { unix } } else { Place::LastLineEnd { unix } }
    }
}

/// What a group is for.
enum GroupKind {
    Plain,
    Capturing(usize),
    Atomic,
    Look {
        behind: bool,
        negated: bool,
    },
    /// Nothing but flags, which hold from here on.
    Flags,
}

/// A letter of ASCII in the other case.
pub(super) fn other_case(c: char) -> char {
    if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
}

/// The pattern with what stands between `\Q` and `\E` escaped character by character. A digit that comes first is
/// written as `\x3…`, or it would belong to a number or an escape before the quote.
fn without_quotes(pattern: &str) -> Vec<char> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    let (mut quoted, mut first) = (false, false);
    while let Some(c) = rest.next() {
        let begins = std::mem::take(&mut first);
        if quoted {
            if rest.as_str().starts_with('E') && c == '\\' {
                rest.next();
                quoted = false;
            } else {
                if begins && c.is_ascii_digit() {
                    out.extend(['\\', 'x', '3']);
                } else if c.is_ascii() && !c.is_ascii_alphanumeric() {
                    out.push('\\');
                }
                out.push(c);
            }
        } else if c == '\\' {
            match rest.next() {
                Some('Q') => (quoted, first) = (true, true),
                Some(escaped) => out.extend([c, escaped]),
                None => out.push(c),
            }
        } else {
            out.push(c);
        }
    }
    out
}
