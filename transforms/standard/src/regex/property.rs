//! The names that `\p{…}` knows.

use super::blocks::block;
use super::flags::Flags;
use super::parser::{Parsed, Parser};
use super::set::Set;

/// Printable characters of ASCII that are neither letters nor digits.
const PUNCTUATION: &str = r"\u{21}-\u{2F}\u{3A}-\u{40}\u{5B}-\u{60}\u{7B}-\u{7E}";
/// Neither white space nor control nor unassigned.
const GRAPH: &str = r"[^\p{White_Space}\p{Cc}\p{Cn}]";
/// No character at all: surrogates, which text cannot hold here.
const NONE: &str = "a&&b";
/// Letters of any case.
const ANY_CASE: &str = r"\p{Lowercase}\p{Uppercase}\p{Lt}";

impl Parser {
    /// The set of a property, the reader standing on the `p`.
    pub(super) fn property(&mut self, complement: bool) -> Parsed<Set> {
        let name = if self.next() == '{' {
            self.cursor += 1;
            let from = self.cursor;
            let Some(to) = self.find('}') else {
                self.seek(self.length() + 1);
                return Err(self.fault("Unclosed character family"));
            };
            self.seek(to + 1);
            if from == to {
                return Err(self.fault("Empty character family"));
            }
            self.slice(from, to)
        } else {
            self.read().to_string()
        };
        let set = match name.split_once('=') {
            Some((key, value)) => self.keyed(&key.to_ascii_lowercase(), value)?,
            None => self.named(&name)?,
        };
        Ok(if complement { set.complement() } else { set })
    }

    fn keyed(&self, key: &str, value: &str) -> Parsed<Set> {
        let set = match key {
            "sc" | "script" => script(value),
            "gc" | "general_category" => self.known(value),
            "blk" | "block" => block(value),
            _ => None,
        };
        set.ok_or_else(|| self.fault(format!("Unknown Unicode property {{name=<{key}>, value=<{value}>}}")))
    }

    fn named(&self, name: &str) -> Parsed<Set> {
        let set = if let Some(name) = name.strip_prefix("In") {
            block(name)
        } else if let Some(name) = name.strip_prefix("Is") {
            self.binary(name).or_else(|| self.known(name)).or_else(|| script(name))
        } else if self.flags.has(Flags::UNICODE_CLASSES) {
            self.unicode_posix(name).or_else(|| self.known(name))
        } else {
            self.known(name)
        };
        set.ok_or_else(|| self.fault(format!("Unknown character property name {{{name}}}")))
    }

    /// Upper, lower and title case are one where case does not count.
    fn cased(&self, set: &'static str, any_case: &'static str) -> &'static str {
        if self.flags.has(Flags::CASE_INSENSITIVE) { any_case } else { set }
    }

    /// Binary properties of Unicode, in any case.
    fn binary(&self, name: &str) -> Option<Set> {
        Set::of(match name.to_ascii_uppercase().as_str() {
            "ALPHABETIC" => r"\p{Alphabetic}",
            "LETTER" => r"\p{L}",
            "IDEOGRAPHIC" => r"\p{Ideographic}",
            "LOWERCASE" => self.cased(r"\p{Lowercase}", ANY_CASE),
            "UPPERCASE" => self.cased(r"\p{Uppercase}", ANY_CASE),
            "TITLECASE" => self.cased(r"\p{Lt}", ANY_CASE),
            "WHITE_SPACE" | "WHITESPACE" => r"\p{White_Space}",
            "CONTROL" => r"\p{Cc}",
            "PUNCTUATION" => r"\p{P}",
            "HEX_DIGIT" | "HEXDIGIT" => r"\p{Nd}\p{Hex_Digit}",
            "ASSIGNED" => r"[^\p{Cn}]",
            "NONCHARACTER_CODE_POINT" | "NONCHARACTERCODEPOINT" => r"\p{Noncharacter_Code_Point}",
            "DIGIT" => r"\p{Nd}",
            "JOIN_CONTROL" | "JOINCONTROL" => r"\p{Join_Control}",
            "WORD" => r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}",
            _ => return None,
        })
    }

    /// POSIX names as flag `U` understands them, in any case.
    fn unicode_posix(&self, name: &str) -> Option<Set> {
        Set::of(match name.to_ascii_uppercase().as_str() {
            "ALPHA" => r"\p{Alphabetic}",
            "LOWER" => self.cased(r"\p{Lowercase}", ANY_CASE),
            "UPPER" => self.cased(r"\p{Uppercase}", ANY_CASE),
            "SPACE" => r"\p{White_Space}",
            "PUNCT" => r"\p{P}",
            "XDIGIT" => r"\p{Nd}\p{Hex_Digit}",
            "ALNUM" => r"\p{Alphabetic}\p{Nd}",
            "CNTRL" => r"\p{Cc}",
            "DIGIT" => r"\p{Nd}",
            "BLANK" => r"\p{Zs}\u{9}",
            "GRAPH" => GRAPH,
            "PRINT" => r"[^\p{White_Space}\p{Cc}\p{Cn}]\p{Zs}",
            _ => return None,
        })
    }

    /// General categories, POSIX names (ASCII), and the methods of `java.lang.Character`.
    fn known(&self, name: &str) -> Option<Set> {
        let any_letter = r"\p{Lu}\p{Ll}\p{Lt}";
        let set = match name {
            "Lu" => self.cased(r"\p{Lu}", any_letter),
            "Ll" => self.cased(r"\p{Ll}", any_letter),
            "Lt" => self.cased(r"\p{Lt}", any_letter),
            "Lower" => self.cased("a-z", "a-zA-Z"),
            "Upper" => self.cased("A-Z", "a-zA-Z"),
            "javaLowerCase" => self.cased(r"\p{Lowercase}", ANY_CASE),
            "javaUpperCase" => self.cased(r"\p{Uppercase}", ANY_CASE),
            "javaTitleCase" => self.cased(r"\p{Lt}", ANY_CASE),
            "Cn" | "Lm" | "Lo" | "Mn" | "Me" | "Mc" | "Nd" | "Nl" | "No" | "Zs" | "Zl" | "Zp" | "Cc"
            | "Cf" | "Co" | "Pd" | "Ps" | "Pe" | "Pc" | "Po" | "Sm" | "Sc" | "Sk" | "So" | "Pi" | "Pf"
            | "L" | "M" | "N" | "Z" | "C" | "P" | "S" => return Set::of(&format!("\\p{{{name}}}")),
            "Cs" => NONE,
            "LC" => any_letter,
            "LD" => r"\p{L}\p{Nd}",
            "L1" => r"\u{0}-\u{FF}",
            "all" => r"\u{0}-\u{10FFFF}",
            "ASCII" => r"\u{0}-\u{7F}",
            "Alnum" => "a-zA-Z0-9",
            "Alpha" => "a-zA-Z",
            "Blank" => r"\u{20}\u{9}",
            "Cntrl" => r"\u{0}-\u{1F}\u{7F}",
            "Digit" => "0-9",
            "Graph" => r"\u{21}-\u{7E}",
            "Print" => r"\u{20}-\u{7E}",
            "Punct" => PUNCTUATION,
            "Space" => r"\u{9}-\u{D}\u{20}",
            "XDigit" => "0-9a-fA-F",
            "javaAlphabetic" => r"\p{Alphabetic}",
            "javaIdeographic" => r"\p{Ideographic}",
            "javaDigit" => r"\p{Nd}",
            "javaDefined" => r"[^\p{Cn}]",
            "javaLetter" => r"\p{L}",
            "javaLetterOrDigit" => r"\p{L}\p{Nd}",
            "javaJavaIdentifierStart" => r"\p{L}\p{Nl}\p{Sc}\p{Pc}",
            "javaJavaIdentifierPart" => {
                r"\p{L}\p{Nl}\p{Sc}\p{Pc}\p{Nd}\p{Mc}\p{Mn}\p{Cf}\u{0}-\u{8}\u{E}-\u{1B}\u{7F}-\u{9F}"
            }
            "javaUnicodeIdentifierStart" => r"\p{ID_Start}",
            "javaUnicodeIdentifierPart" => r"\p{ID_Continue}\p{Cf}\u{0}-\u{8}\u{E}-\u{1B}\u{7F}-\u{9F}",
            "javaIdentifierIgnorable" => r"\p{Cf}\u{0}-\u{8}\u{E}-\u{1B}\u{7F}-\u{9F}",
            "javaSpaceChar" => r"\p{Z}",
            "javaWhitespace" => r"\u{9}-\u{D}\u{1C}-\u{1F}[\p{Z}&&[^\u{A0}\u{2007}\u{202F}]]",
            "javaISOControl" => r"\u{0}-\u{1F}\u{7F}-\u{9F}",
            _ => return None,
        };
        Set::of(set)
    }
}

/// A script by its name or its four letters, if there is one.
fn script(name: &str) -> Option<Set> {
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    if is_name { Set::of(&format!("\\p{{Script={name}}}")) } else { None }
}
