//! Whether data of one file can be read with another, by the rules of Confluent's `SchemaDiff`.

use std::collections::{HashMap, HashSet};

use crate::schema::{Field, FieldType, File, Label, Message, Scalar};

/// Differences that are looked for until this depth of messages.
const MAX_DEPTH: usize = 100;

/// `Ok` where `registered` reads what is written as `own`; otherwise the first thing in the way.
pub(super) fn check(registered: &File, own: &File) -> Result<(), String> {
    if registered.package != own.package {
        let name = |file: &File| file.package.as_deref().unwrap_or("none").to_owned();
        return Err(format!("the package is {} instead of {}", name(registered), name(own)));
    }
    messages(&registered.messages, &own.messages, "", 0)
}

fn messages(registered: &[Message], own: &[Message], place: &str, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("messages are nested too deep at {place}"));
    }
    let by_name: HashMap<&str, &Message> =
        registered.iter().map(|message| (message.name.as_str(), message)).collect();
    for message in own {
        let place =
            if place.is_empty() { message.name.to_string() } else { format!("{place}.{}", message.name) };
        match by_name.get(message.name.as_str()) {
            Some(found) => {
                fields(found, message, &place)?;
                messages(&found.messages, &message.messages, &place, depth + 1)?;
            }
            // The entries of a map come and go with its field.
            None if is_entry(message) => {}
            None => return Err(format!("message {place} was removed")),
        }
    }
    Ok(())
}

fn is_entry(message: &Message) -> bool {
    message.name.ends_with("Entry")
        && matches!(message.fields.as_slice(), [key, value] if key.name == "key" && value.name == "value")
}

fn fields(registered: &Message, own: &Message, place: &str) -> Result<(), String> {
    let by_number: HashMap<i32, &Field> =
        registered.fields.iter().map(|field| (field.number, field)).collect();
    let own_numbers: HashMap<i32, &Field> = own.fields.iter().map(|field| (field.number, field)).collect();
    oneofs(registered, &own_numbers, place)?;
    let surviving = |oneof: usize| {
        own.fields.iter().any(|field| field.oneof == Some(oneof) && by_number.contains_key(&field.number))
    };
    for field in &own.fields {
        let at = format!("{place}, field {} ({})", field.number, field.name);
        match by_number.get(&field.number) {
            Some(found) => same_kind(found, field, registered, own, &at)?,
            None if field.label == Label::Required => return Err(format!("the required {at} was removed")),
            None => {
                let of_kept_oneof = field.oneof.is_some_and(|oneof| {
                    surviving(oneof)
                        || own.oneofs.get(oneof).is_some_and(|name| registered.oneofs.contains(name))
                });
                if of_kept_oneof {
                    return Err(format!("{at} was removed from its oneof"));
                }
            }
        }
    }
    let added = registered
        .fields
        .iter()
        .find(|field| field.label == Label::Required && !own_numbers.contains_key(&field.number));
    added.map_or(Ok(()), |field| Err(format!("{place}: the required field {} was added", field.name)))
}

/// Fields that could be there together may not exclude each other.
fn oneofs(registered: &Message, own: &HashMap<i32, &Field>, place: &str) -> Result<(), String> {
    let mut origins: HashMap<usize, HashSet<(Option<usize>, i32)>> = HashMap::new();
    for field in &registered.fields {
        if let (Some(oneof), Some(before)) = (field.oneof, own.get(&field.number)) {
            // The members of one oneof come from one place, other fields each from their own.
            let origin = if before.oneof.is_some() { (before.oneof, 0) } else { (None, field.number) };
            origins.entry(oneof).or_default().insert(origin);
        }
    }
    match origins.iter().find(|(_, origins)| origins.len() > 1) {
        Some((oneof, _)) => {
            let name = registered.oneofs.get(*oneof).map_or("", |name| name.as_str());
            Err(format!("{place}: fields were moved into the oneof {name}"))
        }
        None => Ok(()),
    }
}

#[derive(PartialEq, Eq)]
enum Wire<'f> {
    Number,
    Signed,
    Text,
    Fixed32,
    Fixed64,
    Float,
    Double,
    Message(&'f str),
}

fn same_kind(
    registered: &Field,
    own: &Field,
    registered_in: &Message,
    own_in: &Message,
    place: &str,
) -> Result<(), String> {
    let (a, b) = (wire(registered, registered_in), wire(own, own_in));
    if a != b {
        return Err(format!("{place} is of another type"));
    }
    let labels_differ = (registered.label == Label::Repeated) != (own.label == Label::Repeated);
    // Of text and messages the last one is read where one is looked for.
    if labels_differ && !matches!(a, Wire::Text | Wire::Message(_)) {
        return Err(format!("{place} is repeated in one of the schemas only"));
    }
    Ok(())
}

fn wire<'f>(field: &'f Field, message: &Message) -> Wire<'f> {
    match &field.ty {
        FieldType::Scalar(scalar) => match scalar {
            Scalar::Int32 | Scalar::Int64 | Scalar::UInt32 | Scalar::UInt64 | Scalar::Bool => Wire::Number,
            Scalar::SInt32 | Scalar::SInt64 => Wire::Signed,
            Scalar::String | Scalar::Bytes => Wire::Text,
            Scalar::Fixed32 | Scalar::SFixed32 => Wire::Fixed32,
            Scalar::Fixed64 | Scalar::SFixed64 => Wire::Fixed64,
            Scalar::Float => Wire::Float,
            Scalar::Double => Wire::Double,
        },
        FieldType::Named(name) | FieldType::Group(name) => {
            let last = name.rsplit_once('.').map_or(name.as_str(), |(_, last)| last);
            if message.enums.iter().any(|made| made.name == last) {
                Wire::Number
            } else {
                Wire::Message(last)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(body: &str) -> File {
        File::parse("f.proto", &format!("syntax = \"proto3\";\n{body}")).unwrap()
    }

    #[test]
    fn changes_are_told_apart() {
        let own = "message M { int32 a = 1; string b = 2; oneof o { int64 c = 3; N d = 4; } message N { int32 x = 1; } }";
        for (registered, problem) in [
            (own, None),
            (
                "message M { int64 renamed = 1; bytes b = 2; oneof o { bool c = 3; N d = 4; } message N { int32 x = 1; } \
              string more = 9; }",
                None,
            ),
            ("message M { string b = 2; message N {} }", None),
            ("message M { sint32 a = 1; message N {} }", Some("M, field 1 (a) is of another type")),
            ("message M { repeated int32 a = 1; message N {} }", Some("repeated in one of the schemas only")),
            ("message M { int32 a = 1; }", Some("message M.N was removed")),
            ("message X {}", Some("message M was removed")),
            ("message M { oneof o { int64 c = 3; } message N {} }", Some("removed from its oneof")),
            (
                "message M { oneof p { int32 a = 1; string b = 2; } message N {} }",
                Some("moved into the oneof p"),
            ),
            ("package other; message M {}", Some("the package is other instead of none")),
        ] {
            match (check(&file(registered), &file(own)), problem) {
                (Ok(()), None) => {}
                (Err(found), Some(problem)) => assert!(found.contains(problem), "{registered}: {found}"),
                (found, problem) => panic!("{registered}: {found:?} instead of {problem:?}"),
            }
        }
    }
}
