use super::JavaRegex;

fn message(pattern: &str) -> String {
    JavaRegex::compile(pattern).err().unwrap_or_default()
}

/// Descriptions and positions as `Pattern.compile` of Java 17 gives them.
#[test]
fn faults_are_javas() {
    for (pattern, description, index) in [
        ("[", "Unclosed character class", Some(0)),
        ("[]", "Unclosed character class", Some(1)),
        ("[^]", "Unclosed character class", Some(2)),
        ("[[a]", "Unclosed character class", Some(3)),
        ("[a[b]", "Unclosed character class", Some(4)),
        ("(?x)[ ]", "Unclosed character class", Some(6)),
        (r"[\", "Unclosed character class", Some(2)),
        ("[b-a]", "Illegal character range", Some(3)),
        ("[a-", "Illegal character range", Some(3)),
        (r"[a-\d]", "Illegal character range", Some(4)),
        (r"[a-\x41]", "Illegal character range", Some(6)),
        ("[&&]", "Bad class syntax", Some(2)),
        ("(", "Unclosed group", Some(1)),
        ("((a)", "Unclosed group", Some(4)),
        ("(?i:a", "Unclosed group", Some(5)),
        ("(?<=", "Unclosed group", Some(4)),
        (")", "Unmatched closing ')'", None),
        ("a)", "Unmatched closing ')'", Some(0)),
        ("(a))", "Unmatched closing ')'", Some(2)),
        ("*", "Dangling meta character '*'", Some(0)),
        ("a|*", "Dangling meta character '*'", Some(2)),
        ("a**", "Dangling meta character '*'", Some(2)),
        ("a+?+", "Dangling meta character '+'", Some(3)),
        ("a{2}*", "Dangling meta character '*'", Some(4)),
        ("{", "Illegal repetition", Some(1)),
        ("a{,2}", "Illegal repetition", Some(2)),
        (r"\b{x}", "Illegal repetition", Some(3)),
        ("a{2", "Unclosed counted closure", Some(3)),
        ("x{1,a}", "Unclosed counted closure", Some(4)),
        ("a{2,1}", "Illegal repetition range", Some(5)),
        ("x{99999999999}", "Illegal repetition range", Some(11)),
        (r"a\", "Unexpected internal error", Some(2)),
        (r"\q", "Illegal/unsupported escape sequence", Some(1)),
        (r"[\b]", "Illegal/unsupported escape sequence", Some(2)),
        (r"[\1]", "Illegal/unsupported escape sequence", Some(2)),
        (r"[a-\p{L}]", "Illegal/unsupported escape sequence", Some(4)),
        (r"\x", "Illegal hexadecimal escape sequence", Some(2)),
        (r"\x{}", "Illegal hexadecimal escape sequence", Some(2)),
        (r"\x{12", "Unclosed hexadecimal escape sequence", Some(5)),
        (r"\x{110000}", "Hexadecimal codepoint is too big", Some(8)),
        (r"\u12", "Illegal Unicode escape sequence", Some(4)),
        (r"\08", "Illegal octal escape sequence", Some(2)),
        (r"\c", "Illegal control escape sequence", Some(1)),
        (r"\N", "Illegal character name escape sequence", Some(2)),
        ("(?<1>a)", "capturing group name does not start with a Latin letter", Some(3)),
        ("(?<n", "named capturing group is missing trailing '>'", Some(4)),
        ("(?<n>a)(?<n>b)", "Named capturing group <n> is already defined", Some(11)),
        (r"\k<x>", "named capturing group <x> does not exist", Some(4)),
        (r"\kx", r"\k is not followed by '<' for named capturing group", Some(2)),
        ("(?z)", "Unknown inline modifier", Some(2)),
        ("(?i", "Unknown inline modifier", Some(3)),
        ("(?--i)a", "Unknown inline modifier", Some(3)),
        (r"\p{Foo}", "Unknown character property name {Foo}", Some(6)),
        (r"\p{IsFoo}", "Unknown character property name {IsFoo}", Some(8)),
        (r"\p{foo=bar}", "Unknown Unicode property {name=<foo>, value=<bar>}", Some(10)),
        (r"\p{", "Unclosed character family", Some(3)),
        (r"\p{}", "Empty character family", Some(3)),
    ] {
        let mut expected = format!("Invalid regex: {description}");
        if let Some(index) = index {
            expected.push_str(&format!(" near index {index}"));
        }
        expected.push_str(&format!("\n{pattern}"));
        if let Some(index) = index.filter(|&index| index < pattern.len()) {
            expected.push_str(&format!("\n{}^", " ".repeat(index)));
        }
        assert_eq!(message(pattern), expected);
    }
}

#[test]
fn what_is_not_supported_is_named() {
    for (pattern, construct) in [
        (r"\X", "\\X (a grapheme cluster) is not supported"),
        (r"\b{g}", "\\b{g} (a boundary of grapheme clusters) is not supported"),
        (r"\N{DIGIT ONE}", "\\N{…} (a character by its name) is not supported"),
        (r"(?c)a", "The flag c (canonical equivalence) is not supported"),
        (r"\uD800", "Half of a surrogate pair (U+D800) is not supported"),
        ("a{20000}", "A repetition of more than 10000 times is not supported"),
        (&"(".repeat(1000), "Nesting deeper than 100 levels is not supported"),
        (&"[".repeat(1000), "Nesting deeper than 100 levels is not supported"),
    ] {
        let message = message(pattern);
        assert!(message.starts_with(&format!("Invalid regex: {construct}")), "{message}");
    }
}

/// Whole matches as `Pattern.matches` of Java 17 finds them.
#[test]
fn matches_are_javas() {
    for (pattern, yes, no) in [
        (r"\d+", "12", "\u{661}\u{662}"),
        (r"(?U)\d+", "\u{661}\u{662}", "x"),
        (r"\w+", "a_1", "é"),
        (r"\s", "\u{B}", "\u{A0}"),
        (r"[\w&&[^\d]]+", "ab", "a1"),
        ("[a-f&&[^bc]x-z]", "\0", "a"),
        ("(?:){2}(()|)*a", "a", "b"),
        ("[^a-c&&b-d]", "a", "b"),
        ("[a&&b]?", "", "a"),
        ("[a-c[x-z]]", "y", "m"),
        ("[a^]", "^", "b"),
        ("[&]", "&", "a"),
        ("(?i)straße", "STRAßE", "STRASSE"),
        ("(?i)é", "é", "É"),
        ("(?iu)é", "É", "e"),
        ("(?i)[a-c]x", "BX", "dx"),
        ("(?i:a)b", "Ab", "AB"),
        ("(a(?i)b|c)d", "aBd", "aBD"),
        (".", "a", "\r"),
        ("(?s).", "\n", ""),
        ("(?d).", "\r", "\n"),
        ("a$\r\n", "a\r\n", "a"),
        ("(?m)a$\r\nb", "a\r\nb", "ab"),
        ("(?m)^a\n^b", "a\nb", "ab"),
        (r"(a)\1", "aa", "ab"),
        (r"(a)?\1", "aa", ""),
        (r"\1(a)", "\u{0}", "aa"),
        (r"(a)\2", "\u{0}", "aa"),
        (r"(a)\11", "aa1", "aa"),
        (r"(?<n>a|b)\k<n>", "bb", "ab"),
        ("a++b", "aab", "b"),
        ("a*+a", "\u{0}", "aa"),
        ("(?>a|ab)c", "ac", "abc"),
        ("(?<=a)b|ab", "ab", "b"),
        ("a(?!b).", "ac", "ab"),
        ("a{2}{3}", "aa", "aaaaaa"),
        ("{2}a", "a", "aa"),
        ("^*a", "a", "aa"),
        (r"\Qa.b*\E+", "a.b**", "axb"),
        (r"\Q\Ea", "a", "b"),
        (r"\Qa\", r"a\", "a"),
        ("(?x) a b # c\n[d #\n]", "abd", "ab d"),
        (r"\0101\x42\u0043\x{44}\cA", "ABCD\u{1}", "ABCD"),
        (r"\uD83D\uDE00", "😀", "x"),
        (r"\p{javaLowerCase}\p{Lu}\pL\PL", "aBc1", "AB11"),
        (r"\p{IsLatin}\p{script=Cyrl}\p{IsAlphabetic}", "aж\u{3b1}", "жaa"),
        (r"[\p{Punct}&&[^.]]", "!", "."),
        (r"\p{InGreek}\P{InGreek}\p{block=Latin-1 Supplement}", "αaé", "aαé"),
        (r"[^\p{InBASIC_LATIN}\p{InCyrillic}]", "é", "ж"),
        ("(?i)\\p{Lower}", "A", "1"),
        (r"a\b-\Bb?", "a-", "ab"),
        (r"\h\v\R", " \n\r\n", "\n \n"),
        ("(?:)", "", "a"),
        ("a||b", "", "ab"),
        ("a]}", "a]}", "a"),
    ] {
        let regex = JavaRegex::compile(pattern).unwrap();
        if yes != "\0" {
            assert!(regex.matches(yes).unwrap(), "{pattern:?} should match {yes:?}");
        }
        assert!(!regex.matches(no).unwrap(), "{pattern:?} should not match {no:?}");
    }
}
