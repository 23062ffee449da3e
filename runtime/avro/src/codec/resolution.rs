//! Which type of a reader takes data of a writer's type (schema resolution of Avro's specification).

use std::collections::HashSet;

use crate::schema::{AvroSchema, Kind, MAX_DEPTH, Name, RecordType, TypeId, Types};

/// How well a reader's type takes a writer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    Not,
    /// By promotion, or a named type of another name.
    Loosely,
    /// The simple names agree.
    BySimpleName,
    /// The same type, or the same full name.
    Exactly,
}

pub(super) fn match_kinds(writer: &Kind, reader: &Kind) -> Match {
    match (writer, reader) {
        (Kind::Int, Kind::Long | Kind::Float | Kind::Double)
        | (Kind::Long, Kind::Float | Kind::Double)
        | (Kind::Float, Kind::Double)
        | (Kind::String, Kind::Bytes)
        | (Kind::Bytes, Kind::String) => Match::Loosely,
        (Kind::Fixed(a), Kind::Fixed(b)) if a.size != b.size => Match::Not,
        (Kind::Record(_), Kind::Record(_)) => match by_name(writer, reader) {
            // Java's resolver takes records of another name too, where nothing better is there.
            Match::Not => Match::Loosely,
            named => named,
        },
        (Kind::Enum(_), Kind::Enum(_)) | (Kind::Fixed(_), Kind::Fixed(_)) => by_name(writer, reader),
        (Kind::Array(_), Kind::Array(_)) | (Kind::Map(_), Kind::Map(_)) => Match::Exactly,
        (Kind::Union(_), _) | (_, Kind::Union(_)) => Match::Not,
        (a, b) if a == b => Match::Exactly,
        _ => Match::Not,
    }
}

fn by_name(writer: &Kind, reader: &Kind) -> Match {
    let (Some(own), Some(wanted)) = (writer.name(), reader.name()) else { return Match::Not };
    if own == wanted || reader.aliases().contains(own) {
        Match::Exactly
    } else if own.simple() == wanted.simple()
        || reader.aliases().iter().map(Name::simple).any(|it| it == own.simple())
    {
        Match::BySimpleName
    } else {
        Match::Not
    }
}

/// The member of a reader's union that takes a writer's type best, with its place.
pub(super) fn best_member(writer: &Kind, types: &Types, members: &[TypeId]) -> Option<(usize, TypeId)> {
    members
        .iter()
        .enumerate()
        .map(|(i, member)| (match_kinds(writer, types.kind(*member)), i, *member))
        .filter(|(found, ..)| *found > Match::Not)
        .max_by_key(|(found, i, _)| (*found, std::cmp::Reverse(*i)))
        .map(|(_, i, member)| (i, member))
}

/// Why data of `writer` cannot all be read as `reader`: the first thing in the way, with its place.
pub(crate) fn unreadable(writer: &AvroSchema, reader: &AvroSchema) -> Option<String> {
    Check { writer, reader, done: HashSet::new() }.any(writer.root(), reader.root(), "", 0)
}

struct Check<'a> {
    writer: &'a AvroSchema,
    reader: &'a AvroSchema,
    /// Pairs that were looked at, or are being looked at: types may refer to themselves.
    done: HashSet<(TypeId, TypeId)>,
}

impl Check<'_> {
    fn any(&mut self, from: TypeId, to: TypeId, place: &str, depth: usize) -> Option<String> {
        if depth > MAX_DEPTH {
            return Some(format!("types are nested deeper than {MAX_DEPTH} levels at {}", shown(place)));
        }
        if !self.done.insert((from, to)) {
            return None;
        }
        let (writer, reader) = (self.writer, self.reader);
        let (kind, wanted) = (writer.types().kind(from), reader.types().kind(to));
        let next = depth + 1;
        match (kind, wanted) {
            (Kind::Union(members), _) => members.iter().find_map(|member| self.any(*member, to, place, next)),
            (_, Kind::Union(members)) => match best_member(kind, reader.types(), members) {
                Some((_, member)) => self.any(from, member, place, next),
                None => Some(format!("the reader's union lacks {} at {}", kind.label(), shown(place))),
            },
            (Kind::Record(a), Kind::Record(b)) if by_name(kind, wanted) > Match::Not => {
                self.fields(a, b, place, next)
            }
            (Kind::Enum(a), Kind::Enum(b)) if by_name(kind, wanted) > Match::Not => {
                let lost = a.symbols.iter().find(|symbol| !b.symbols.contains(symbol));
                lost.filter(|_| b.default.is_none())
                    .map(|symbol| format!("the reader's enum lacks {symbol} at {}", shown(place)))
            }
            (Kind::Array(a), Kind::Array(b)) | (Kind::Map(a), Kind::Map(b)) => {
                self.any(*a, *b, &format!("{place}/items"), next)
            }
            (Kind::Record(_), Kind::Record(_)) => Some(name_mismatch(kind, wanted, place)),
            _ if match_kinds(kind, wanted) == Match::Not => Some(name_mismatch(kind, wanted, place)),
            _ => None,
        }
    }

    fn fields(&mut self, from: &RecordType, to: &RecordType, place: &str, depth: usize) -> Option<String> {
        to.fields.iter().find_map(|field| {
            let place = format!("{place}/{}", field.name);
            let named = |name: &str| from.fields.iter().find(|own| own.name == name);
            match named(&field.name).or_else(|| field.aliases.iter().find_map(|alias| named(alias))) {
                Some(own) => self.any(own.ty, field.ty, &place, depth),
                None if field.default.is_some() => None,
                None => Some(format!(
                    "the reader's field {place} has no default, and the writer does not have it"
                )),
            }
        })
    }
}

fn name_mismatch(found: &Kind, wanted: &Kind, place: &str) -> String {
    format!("the writer has {} and the reader {} at {}", found.label(), wanted.label(), shown(place))
}

fn shown(place: &str) -> &str {
    if place.is_empty() { "/" } else { place }
}
