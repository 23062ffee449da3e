//! Cases for regular expressions: such as people write, such as nobody would, and broken ones; and topics to try them on.

use lavka_api::data::Datum;
use lavka_testkit::Chance;

use crate::Case;
use crate::configs::Keys;
use crate::data::{below, pick, rarely};
use crate::wire::new_record;

const LITERALS: &[&str] = &[
    "a", "b", "c", "A", "B", "0", "1", "_", "-", "\\.", "\\$", "é", "É", "ß", " ", "ab", "\\-", "#", "\\\\",
    "K", "\u{212a}", "s", "\u{17f}", "😀",
];

const CLASSES: &[&str] = &[
    ".",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\h",
    "\\H",
    "\\v",
    "\\V",
    "\\R",
    "[abc]",
    "[^ab]",
    "[a-c]",
    "[a-cA-C]",
    "[^a-c0-9]",
    "[a-c&&[^b]]",
    "[a-z&&[abz]]",
    "[a[bc]]",
    "[^a[bc]]",
    "[\\w&&\\D]",
    "[\\d_-]",
    "[-a]",
    "[a-]",
    "[]a]",
    "[a\\]b]",
    "[.$]",
    "[\\Qa-b\\E]",
    "[a&&b]",
    "[&a]",
    "[a&]",
    "\\p{Lower}",
    "\\p{Upper}",
    "\\p{Alpha}",
    "\\p{Digit}",
    "\\p{Alnum}",
    "\\p{Punct}",
    "\\p{Graph}",
    "\\p{Blank}",
    "\\p{XDigit}",
    "\\p{Space}",
    "\\p{L}",
    "\\pL",
    "\\p{Lu}",
    "\\PL",
    "\\P{Lu}",
    "\\p{IsAlphabetic}",
    "\\p{IsLatin}",
    "\\p{IsL}",
    "\\p{javaLowerCase}",
    "\\p{javaUpperCase}",
    "\\p{javaLetterOrDigit}",
    "\\p{InBasicLatin}",
    "\\p{IsUppercase}",
    "\\p{Sc}",
    "[\\p{L}&&[^\\p{Lu}]]",
    "[^\\p{Lu}]",
];

const SPECIAL: &[&str] = &[
    "^",
    "$",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "\\Z",
    "\\1",
    "\\2",
    "\\k<n>",
    "\\x41",
    "\\x{62}",
    "\\u0061",
    "\\t",
    "\\0141",
    "\\cA",
    "\\Qa.b\\E",
    "\\Q$\\E",
    "(?i)",
    "(?-i)",
    "(?s)",
    "(?x)",
    "(?u)",
    "(?iu)",
    "(?m)",
    "(?d)",
    "\\G",
    "(?U)",
];

const QUANTIFIERS: &[&str] = &[
    "?", "*", "+", "{2}", "{1,}", "{0,2}", "{1,3}", "??", "*?", "+?", "{1,2}?", "?+", "*+", "++", "{1,2}+",
    "{0}",
];

/// What breaks an expression, or gives it another meaning.
const STRAY: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "*",
    "+",
    "?",
    "|",
    "\\",
    "^",
    "&&",
    "-",
    "(?",
    "(?<",
    "{,2}",
    "{2",
    "{3,1}",
    "\\p{Nope}",
    "\\k<x>",
    "\\y",
    "(?y)",
    "[b-a]",
    "\\x{110000}",
    "\\u00",
    "\\9",
    "]]",
    "\\E",
    "\\Q",
    "(?<1>a)",
    "[a&&",
    "(?#a)",
];

fn atom(chance: &mut Chance, depth: usize, groups: &mut usize) -> String {
    match chance.below(12) {
        0..4 => pick(chance, LITERALS).to_owned(),
        4..7 => pick(chance, CLASSES).to_owned(),
        7 => pick(chance, SPECIAL).to_owned(),
        _ if depth == 0 => pick(chance, LITERALS).to_owned(),
        kind => {
            let opening = match (kind, chance.below(10)) {
                (8 | 9, 0..6) => "(",
                (8 | 9, 6) if *groups == 0 => "(?<n>",
                (_, 0..3) => "(?:",
                (_, 3) => "(?=",
                (_, 4) => "(?!",
                (_, 5) => "(?<=",
                (_, 6) => "(?<!",
                (_, 7) => "(?>",
                (_, 8) => "(?i:",
                _ => "(",
            };
            *groups += usize::from(opening == "(" || opening == "(?<n>");
            format!("{opening}{})", alternatives(chance, depth - 1, groups))
        }
    }
}

fn alternatives(chance: &mut Chance, depth: usize, groups: &mut usize) -> String {
    let count = if rarely(chance, 4) { 2 + chance.below(2) } else { 1 };
    let mut branches = Vec::new();
    for _ in 0..count {
        let mut branch = String::new();
        for _ in 0..=chance.below(4) {
            branch.push_str(&atom(chance, depth, groups));
            if rarely(chance, 3) {
                branch.push_str(pick(chance, QUANTIFIERS));
            }
        }
        branches.push(branch);
    }
    branches.join("|")
}

fn expression(chance: &mut Chance) -> (String, usize) {
    let mut groups = 0;
    let mut text = alternatives(chance, 2, &mut groups);
    if rarely(chance, 5) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let at = places[below(chance, places.len())];
        text.insert_str(at, pick(chance, STRAY));
    }
    // Most would match nothing as a whole.
    let text = match chance.below(6) {
        0 => format!("{text}.*"),
        1 => format!(".*{text}"),
        2 => format!("(?:{text})*"),
        3 => format!("(?:{text})|.*"),
        _ => text,
    };
    (text, groups)
}

fn topic(chance: &mut Chance) -> String {
    const PIECES: &[&str] = &[
        "a", "b", "c", "A", "B", "0", "1", "_", "-", ".", "$", "é", "É", "ß", " ", "ab", "\\", "K",
        "\u{212a}", "s", "\u{17f}", "\n", "\t", "#", "😀", "x", "\r\n", "\u{85}", "Ω",
    ];
    (0..chance.below(7)).map(|_| pick(chance, PIECES)).collect()
}

fn replacement(chance: &mut Chance, groups: usize) -> String {
    let pieces = ["x", "$0", "$1", "$2", "${n}", "\\$", "\\\\", "-", "$11", "$10", "a$1b"];
    if rarely(chance, 12) {
        return pick(chance, &["$", "\\", "$x", "${", "${x}", "${1}", "$9", "${n"]).to_owned();
    }
    let limit = if groups == 0 { 2 } else { pieces.len() };
    (0..=chance.below(3)).map(|_| pieces[below(chance, limit)]).collect()
}

pub(crate) fn case(chance: &mut Chance, router: &str, predicate: &str) -> Case {
    let (regex, groups) = expression(chance);
    let routes = !rarely(chance, 4);
    let keys: Keys = if routes {
        vec![("regex", regex), ("replacement", replacement(chance, groups))]
    } else {
        vec![("pattern", regex)]
    };
    let records = (0..6)
        .map(|_| {
            let mut record = new_record(false, Datum::NULL, Datum::schemaless("v"), Vec::new());
            record.topic = topic(chance).as_str().into();
            record
        })
        .collect();
    Case { class: if routes { router } else { predicate }.to_owned(), keys, records }
}
