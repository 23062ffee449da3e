//! Names as Protobuf allows them, and as Confluent's client makes them where there are none.

use lavka_api::{Error, Result};

/// The name of structs, maps and enums that have none, followed by their number in the schema.
const DEFAULT: &str = "ConnectDefault";

const MAP_ENTRY: &str = "Entry";

/// Names for one schema; those without one are counted.
pub(crate) struct Names {
    scrub: bool,
    unnamed: usize,
}

impl Names {
    pub(crate) fn new(scrub: bool) -> Self {
        Self { scrub, unnamed: 0 }
    }

    /// The package and the name of a root schema.
    pub(crate) fn split(&mut self, full_name: Option<&str>) -> (Option<String>, String) {
        let full_name = self.or_default(full_name);
        let parts: Vec<String> = full_name.split('.').map(|part| self.scrubbed(part)).collect();
        match parts.split_last() {
            Some((name, [])) => (None, name.clone()),
            Some((name, package)) => (Some(package.join(".")), name.clone()),
            None => (None, String::new()),
        }
    }

    /// The last part of a name.
    pub(crate) fn unqualified(&mut self, full_name: Option<&str>) -> String {
        let full_name = self.or_default(full_name);
        self.scrubbed(full_name.rsplit_once('.').map_or(full_name.as_str(), |(_, last)| last))
    }

    /// The name, without what Protobuf does not allow where that is asked for.
    pub(crate) fn scrubbed(&self, name: &str) -> String {
        if self.scrub { scrub(name) } else { name.to_owned() }
    }

    fn or_default(&mut self, name: Option<&str>) -> String {
        match name {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => {
                self.unnamed += 1;
                format!("{DEFAULT}{}", self.unnamed)
            }
        }
    }
}

/// Java's `URLEncoder` first, then `_` for what is still not allowed; `x` goes before a digit or an underscore.
fn scrub(name: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let ill_begun = |name: &str| name.starts_with(|first: char| first.is_ascii_digit() || first == '_');
    if name.bytes().all(allowed) && !ill_begun(name) {
        return name.to_owned();
    }
    let mut encoded = String::with_capacity(name.len() * 3);
    for byte in name.bytes() {
        match byte {
            // The space is `+`, and `. - *` stand for themselves; all four become an underscore in the end.
            b' ' | b'.' | b'-' | b'*' => encoded.push('_'),
            byte if allowed(byte) => encoded.push(byte.into()),
            byte => encoded.push_str(&format!("_{byte:02X}")),
        }
    }
    // A percent sign is no underscore yet when the beginning is looked at.
    let begins_encoded = name.bytes().next().is_some_and(|first| !allowed(first));
    if ill_begun(&encoded) && !begins_encoded {
        encoded.insert(0, 'x');
    }
    encoded
}

/// The name of a map's entry message (`ProtobufSchema.toMapEntry`).
pub(crate) fn map_entry(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + MAP_ENTRY.len());
    if name.contains('_') {
        for word in name.split('_') {
            let mut letters = word.chars();
            out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            out.extend(letters.map(|letter| letter.to_ascii_lowercase()));
        }
    } else {
        out.push_str(name);
    }
    out.push_str(MAP_ENTRY);
    out
}

/// The name of the map whose entry message is `full_name` (`ProtobufSchema.toMapField`).
pub(crate) fn map_field(full_name: &str) -> String {
    let (scope, name) = match full_name.rsplit_once('.') {
        Some((scope, name)) => (Some(scope), name),
        None => (None, full_name),
    };
    let Some(name) = name.strip_suffix(MAP_ENTRY) else { return full_name.to_owned() };
    let mut out = scope.map_or_else(String::new, |scope| format!("{scope}."));
    for (i, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// Whether a message is named as the entries of maps are.
pub(crate) fn is_map_entry(name: &str) -> bool {
    name.ends_with(MAP_ENTRY)
}

/// The number in a schema's parameter.
pub(crate) fn number(text: &str, place: &str) -> Result<i32> {
    // As Integer.parseInt, which takes a plus sign.
    text.parse()
        .map_err(|_| Error::data(format!("Invalid number in the schema parameters of {place}: \"{text}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_scrubbed_as_java_does() {
        for (name, scrubbed) in [
            ("plain_1", "plain_1"),
            ("", ""),
            ("1st", "x1st"),
            ("_hidden", "x_hidden"),
            ("a b", "a_b"),
            ("a-b.c*d", "a_b_c_d"),
            ("a/b", "a_2Fb"),
            ("ä", "_C3_A4"),
            ("$set", "_24set"),
            ("9-5", "x9_5"),
        ] {
            assert_eq!(scrub(name), scrubbed, "{name}");
        }
    }

    #[test]
    fn entries_and_maps_are_named_after_each_other() {
        for (map, entry) in [
            ("tags", "tagsEntry"),
            ("user_tags", "UserTagsEntry"),
            ("ConnectDefault2", "ConnectDefault2Entry"),
        ] {
            assert_eq!(map_entry(map), entry);
        }
        assert_eq!(map_field("UserTagsEntry"), "user_tags");
        assert_eq!(map_field("org.example.M.UserTagsEntry"), "org.example.M.user_tags");
        assert_eq!(map_field("ConnectDefault2Entry"), "connect_default2");
        assert_eq!(map_field("Other"), "Other");
    }

    #[test]
    fn names_are_split_and_counted() {
        let mut names = Names::new(true);
        assert_eq!(names.split(Some("org.ex-ample.Order")), (Some("org.ex_ample".into()), "Order".into()));
        assert_eq!(names.split(None), (None, "ConnectDefault1".into()));
        assert_eq!(names.unqualified(Some("a.b.C")), "C");
        assert_eq!(names.unqualified(Some("")), "ConnectDefault2");
    }
}
