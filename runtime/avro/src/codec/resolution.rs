//! Which type of a reader takes data of a writer's type (schema resolution of Avro's specification).

use crate::schema::{Kind, Name, TypeId, Types};

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
