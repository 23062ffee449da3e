//! `${provider:[path:]key}` in the text of a value, as `ConfigTransformer` finds it.

use std::ops::Range;

/// A variable in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable<'t> {
    /// Where it is in the text, with its braces.
    pub(super) place: Range<usize>,
    pub(super) provider: &'t str,
    /// Empty where there is none.
    pub(super) path: &'t str,
    pub(super) key: &'t str,
}

/// The variables of `text`, from left to right. None of the three parts holds a `}`; the path ends at the first colon
/// behind the provider. There is neither nesting nor escaping.
pub(super) fn variables(text: &str) -> impl Iterator<Item = Variable<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + text.get(from..)?.find("${")?;
            let inside = start + 2;
            let end = inside + text.get(inside..)?.find('}')?;
            let Some((provider, rest)) = text.get(inside..end)?.split_once(':') else {
                // Without a colon it is none, and so is any that begins within it.
                from = end + 1;
                continue;
            };
            let (path, key) = rest.split_once(':').unwrap_or(("", rest));
            from = end + 1;
            return Some(Variable { place: start..from, provider, path, key });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(&str, &str, &str, &str)> {
        variables(text).map(|v| (text.get(v.place).unwrap(), v.provider, v.path, v.key)).collect()
    }

    /// However many beginnings there are, each part of the text is looked at a few times only.
    #[test]
    fn odd_texts_take_no_time() {
        for text in
            ["${".repeat(1 << 20), "${".repeat(1 << 20) + "}", "${:".repeat(1 << 20), "$".repeat(1 << 20)]
        {
            assert!(variables(&text).count() <= 1);
        }
        assert_eq!(variables(&"${a:b}".repeat(1 << 18)).count(), 1 << 18);
    }

    proptest::proptest! {
        #[test]
        fn places_are_within_the_text_and_in_order(text in "[${}:aé\n]{0,60}") {
            let mut end = 0;
            for variable in variables(&text) {
                proptest::prop_assert!(variable.place.start >= end);
                end = variable.place.end;
                let inside = [variable.provider, variable.path, variable.key];
                let braceless = inside.iter().all(|part| !part.contains('}'));
                proptest::prop_assert!(braceless);
                let whole = text.get(variable.place).unwrap();
                let braced = whole.starts_with("${") && whole.ends_with('}');
                proptest::prop_assert!(braced);
            }
        }
    }

    #[test]
    fn variables_are_found_as_javas_pattern_finds_them() {
        assert_eq!(parts("plain"), []);
        assert_eq!(
            parts("${file:/a b/c.properties:k.e-y}"),
            [("${file:/a b/c.properties:k.e-y}", "file", "/a b/c.properties", "k.e-y")]
        );
        assert_eq!(parts("x${env:A}y${env:B}"), [("${env:A}", "env", "", "A"), ("${env:B}", "env", "", "B")]);
        assert_eq!(
            parts("${p:C:/x:k:l}"),
            [("${p:C:/x:k:l}", "p", "C", "/x:k:l")],
            "the path ends at the first colon"
        );
        assert_eq!(
            parts("${}${a}${:}${::}${a::}"),
            [("${:}", "", "", ""), ("${::}", "", "", ""), ("${a::}", "a", "", "")]
        );
        assert_eq!(parts("${routeByField} ${file:p:k}"), [("${file:p:k}", "file", "p", "k")]);
        assert_eq!(parts("${a ${file:p:k}"), [("${a ${file:p:k}", "a ${file", "p", "k")]);
        assert_eq!(parts("${file:p:k"), []);
        assert_eq!(parts("$${file:p:k}"), [("${file:p:k}", "file", "p", "k")]);
        assert_eq!(parts("${é:ü\n:😀}"), [("${é:ü\n:😀}", "é", "ü\n", "😀")]);
    }
}
