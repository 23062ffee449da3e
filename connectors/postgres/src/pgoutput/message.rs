//! What the messages say.

use std::fmt;

use super::Tuple;
use crate::model::ReplicaIdentity;

/// A place in the write-ahead log.
///
/// Printed as the server prints it: `16/B374D848`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Reads the server's form, `16/B374D848`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let half = |digits: &str| match digits.len() {
            1..=8 if digits.bytes().all(|b| b.is_ascii_hexdigit()) => u64::from_str_radix(digits, 16).ok(),
            _ => None,
        };
        Some(Self((half(high)? << 32) | half(low)?))
    }

    /// As offsets and the source block hold it: a signed 64-bit integer.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        self.0.cast_signed()
    }

    /// From the integer of an offset.
    #[must_use]
    pub fn from_i64(value: i64) -> Self {
        Self(value.cast_unsigned())
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// A message of the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<'a> {
    /// `B`: a transaction that has committed begins.
    Begin(Begin),
    /// `C`: it ends.
    Commit(Commit),
    /// `O`: it came from another server.
    Origin(Origin<'a>),
    /// `R`: what the columns of the coming changes of a table are.
    Relation(Relation<'a>),
    /// `Y`: the name of a type that is not built in.
    Type(TypeMessage<'a>),
    /// `I`: a row was inserted.
    Insert(Insert<'a>),
    /// `U`: a row was updated.
    Update(Update<'a>),
    /// `D`: a row was deleted.
    Delete(Delete<'a>),
    /// `T`: tables were emptied.
    Truncate(Truncate<'a>),
    /// `M`: `pg_logical_emit_message` was called.
    Logical(LogicalMessage<'a>),
}

/// A transaction begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// The LSN of the commit record.
    pub final_lsn: Lsn,
    /// Commit time in microseconds of the Unix epoch.
    pub commit_micros: i64,
    /// The transaction's id.
    pub xid: u32,
}

/// A transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The LSN of the commit record.
    pub commit_lsn: Lsn,
    /// The LSN behind the commit record.
    pub end_lsn: Lsn,
    /// Commit time in microseconds of the Unix epoch.
    pub commit_micros: i64,
}

/// Where a replicated transaction came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The LSN of the commit on the origin.
    pub lsn: Lsn,
    /// The origin's name.
    pub name: &'a str,
}

/// The shape of a table's coming changes. Sent before the first change of a table in a connection, and after each change of
/// its definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Relation<'a> {
    /// `pg_class.oid`.
    pub id: u32,
    /// The schema; empty for `pg_catalog`.
    pub schema: &'a str,
    /// The table's name.
    pub name: &'a str,
    /// What old rows hold.
    pub replica_identity: ReplicaIdentity,
    /// The columns in the order of the tuples; generated ones are left out.
    pub columns: Vec<RelationColumn<'a>>,
}

/// A column of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelationColumn<'a> {
    /// Whether it belongs to the replica identity.
    pub is_key: bool,
    /// The name.
    pub name: &'a str,
    /// The type's object id.
    pub type_oid: u32,
    /// The type's modifier, -1 for none.
    pub type_modifier: i32,
}

/// The name of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeMessage<'a> {
    /// `pg_type.oid`.
    pub oid: u32,
    /// The schema; empty for `pg_catalog`.
    pub schema: &'a str,
    /// The name.
    pub name: &'a str,
}

/// A new row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Insert<'a> {
    /// The relation's object id.
    pub relation: u32,
    /// The row.
    pub new: Tuple<'a>,
}

/// What a message holds of an old row. In both cases the tuple has all columns of the relation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OldTuple<'a> {
    /// `K`: the columns of the replica identity; the others are null.
    Key(Tuple<'a>),
    /// `O`: the whole row (`REPLICA IDENTITY FULL`).
    Full(Tuple<'a>),
}

impl<'a> OldTuple<'a> {
    /// The columns, whichever of them are filled.
    #[must_use]
    pub fn tuple(self) -> Tuple<'a> {
        match self {
            Self::Key(tuple) | Self::Full(tuple) => tuple,
        }
    }
}

/// A changed row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update<'a> {
    /// The relation's object id.
    pub relation: u32,
    /// The old row, where the identity changed or is the whole row.
    pub old: Option<OldTuple<'a>>,
    /// The new row.
    pub new: Tuple<'a>,
}

/// A deleted row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delete<'a> {
    /// The relation's object id.
    pub relation: u32,
    /// The old row.
    pub old: OldTuple<'a>,
}

/// Emptied tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncate<'a> {
    /// Whether `CASCADE` was said.
    pub cascade: bool,
    /// Whether `RESTART IDENTITY` was said.
    pub restart_identity: bool,
    pub(super) relations: &'a [u8],
}

impl<'a> Truncate<'a> {
    /// The object ids of the tables.
    pub fn relations(&self) -> impl Iterator<Item = u32> + use<'a> {
        let (ids, _) = self.relations.as_chunks::<4>();
        ids.iter().map(|id| u32::from_be_bytes(*id))
    }
}

/// A message that somebody wrote to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogicalMessage<'a> {
    /// Whether it belongs to the transaction it was written in; else it comes at once, committed or not.
    pub transactional: bool,
    /// Where it is in the log.
    pub lsn: Lsn,
    /// Its prefix.
    pub prefix: &'a str,
    /// Its content.
    pub content: &'a [u8],
}
