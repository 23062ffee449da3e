//! From bytes to messages.

use std::fmt;

use super::cursor::Cursor;
use super::message::{
    Begin, Commit, Delete, Insert, LogicalMessage, Lsn, Message, OldTuple, Origin, Relation, RelationColumn,
    Truncate, TypeMessage, Update,
};
use super::tuple::Tuple;
use crate::model::ReplicaIdentity;

/// Microseconds from 1970-01-01 to 2000-01-01, where the server's time begins.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// Bytes that are no message of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What was expected.
    pub(super) what: &'static str,
    /// Where in the frame.
    pub(super) position: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the replication stream cannot be read: {} expected at byte {} of a pgoutput message (protocol version 1)",
            self.what, self.position
        )
    }
}

impl std::error::Error for DecodeError {}

/// The message in `frame`: what one XLogData frame holds behind its header.
///
/// # Errors
/// Where the bytes are no message of protocol version 1 in text format, or go on behind its end.
pub fn decode(frame: &[u8]) -> Result<Message<'_>, DecodeError> {
    let mut cursor = Cursor::new(frame);
    let message = message(&mut cursor)?;
    if cursor.is_at_end() { Ok(message) } else { Err(cursor.error("the end of the message")) }
}

fn message<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, DecodeError> {
    Ok(match cursor.u8("the kind of a message")? {
        b'B' => Message::Begin(Begin {
            final_lsn: Lsn(cursor.u64("the commit's LSN")?),
            commit_micros: micros(cursor)?,
            xid: cursor.u32("the transaction's id")?,
        }),
        b'C' => {
            cursor.u8("the flags of the commit")?;
            Message::Commit(Commit {
                commit_lsn: Lsn(cursor.u64("the commit's LSN")?),
                end_lsn: Lsn(cursor.u64("the LSN behind the commit")?),
                commit_micros: micros(cursor)?,
            })
        }
        b'O' => Message::Origin(Origin {
            lsn: Lsn(cursor.u64("the origin's LSN")?),
            name: cursor.text("the origin's name")?,
        }),
        b'R' => Message::Relation(relation(cursor)?),
        b'Y' => Message::Type(TypeMessage {
            oid: cursor.u32("the type's object id")?,
            schema: cursor.text("the type's schema")?,
            name: cursor.text("the type's name")?,
        }),
        b'I' => {
            let relation = cursor.u32("the relation's object id")?;
            new_tuple_mark(cursor)?;
            Message::Insert(Insert { relation, new: Tuple::read(cursor)? })
        }
        b'U' => {
            let relation = cursor.u32("the relation's object id")?;
            let old = match cursor.rest().first() {
                Some(b'K' | b'O') => Some(old_tuple(cursor)?),
                _ => None,
            };
            new_tuple_mark(cursor)?;
            Message::Update(Update { relation, old, new: Tuple::read(cursor)? })
        }
        b'D' => Message::Delete(Delete {
            relation: cursor.u32("the relation's object id")?,
            old: old_tuple(cursor)?,
        }),
        b'T' => {
            let count = cursor.u32("the number of truncated relations")?;
            let flags = cursor.u8("the flags of the truncation")?;
            let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(4));
            let length = length.ok_or_else(|| cursor.error("the number of truncated relations"))?;
            Message::Truncate(Truncate {
                cascade: flags & 1 != 0,
                restart_identity: flags & 2 != 0,
                relations: cursor.bytes(length, "the truncated relations")?,
            })
        }
        b'M' => {
            let flags = cursor.u8("the flags of the logical message")?;
            let lsn = Lsn(cursor.u64("the logical message's LSN")?);
            let prefix = cursor.text("the logical message's prefix")?;
            let length = cursor.u32("the length of the logical message")?;
            let length =
                usize::try_from(length).map_err(|_| cursor.error("the length of the logical message"))?;
            let content = cursor.bytes(length, "the content of the logical message")?;
            Message::Logical(LogicalMessage { transactional: flags & 1 != 0, lsn, prefix, content })
        }
        _ => return Err(cursor.error("a kind of message out of B, C, O, R, Y, I, U, D, T, M")),
    })
}

fn micros(cursor: &mut Cursor<'_>) -> Result<i64, DecodeError> {
    Ok(cursor.i64("the commit time")?.saturating_add(POSTGRES_EPOCH))
}

fn new_tuple_mark(cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
    match cursor.u8("the mark of a new row")? {
        b'N' => Ok(()),
        _ => Err(cursor.error("the mark of a new row ('N')")),
    }
}

fn old_tuple<'a>(cursor: &mut Cursor<'a>) -> Result<OldTuple<'a>, DecodeError> {
    match cursor.u8("the mark of an old row")? {
        b'K' => Ok(OldTuple::Key(Tuple::read(cursor)?)),
        b'O' => Ok(OldTuple::Full(Tuple::read(cursor)?)),
        _ => Err(cursor.error("the mark of an old row ('K' or 'O')")),
    }
}

fn relation<'a>(cursor: &mut Cursor<'a>) -> Result<Relation<'a>, DecodeError> {
    let id = cursor.u32("the relation's object id")?;
    let schema = cursor.text("the relation's schema")?;
    let name = cursor.text("the relation's name")?;
    let identity = cursor.u8("the replica identity")?;
    let replica_identity =
        ReplicaIdentity::from_code(identity).ok_or_else(|| cursor.error("a replica identity"))?;
    let count = cursor.u16("the number of columns")?;
    // A column takes ten bytes at least, so what is left bounds the list.
    let mut columns = Vec::with_capacity(usize::from(count).min(cursor.rest().len() / 10));
    for _ in 0..count {
        columns.push(RelationColumn {
            is_key: cursor.u8("the flags of a column")? & 1 != 0,
            name: cursor.text("the name of a column")?,
            type_oid: cursor.u32("the type of a column")?,
            type_modifier: cursor.i32("the type modifier of a column")?,
        });
    }
    Ok(Relation { id, schema, name, replica_identity, columns })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ColumnText;

    fn tuple(columns: &[ColumnText<'_>]) -> Vec<u8> {
        let mut out = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
        for column in columns {
            match column {
                ColumnText::Null => out.push(b'n'),
                ColumnText::UnchangedToast => out.push(b'u'),
                ColumnText::Text(text) => {
                    out.push(b't');
                    out.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                    out.extend_from_slice(text);
                }
            }
        }
        out
    }

    fn frame(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn transactions() {
        let begin =
            frame(&[b"B", &0x16_B374_D848_u64.to_be_bytes(), &1_i64.to_be_bytes(), &7_u32.to_be_bytes()]);
        let Message::Begin(begin) = decode(&begin).unwrap() else { panic!() };
        assert_eq!((begin.final_lsn.to_string().as_str(), begin.xid), ("16/B374D848", 7));
        assert_eq!(begin.commit_micros, POSTGRES_EPOCH + 1);

        let commit = frame(&[b"C\0", &1_u64.to_be_bytes(), &2_u64.to_be_bytes(), &i64::MAX.to_be_bytes()]);
        let Message::Commit(commit) = decode(&commit).unwrap() else { panic!() };
        assert_eq!((commit.commit_lsn, commit.end_lsn, commit.commit_micros), (Lsn(1), Lsn(2), i64::MAX));

        let origin = frame(&[b"O", &9_u64.to_be_bytes(), b"node_a\0"]);
        assert_eq!(decode(&origin), Ok(Message::Origin(Origin { lsn: Lsn(9), name: "node_a" })));
    }

    #[test]
    fn relations_and_types() {
        let bytes = frame(&[
            b"R",
            &16_384_u32.to_be_bytes(),
            b"inv\0customers\0d",
            &2_u16.to_be_bytes(),
            b"\x01id\0",
            &23_u32.to_be_bytes(),
            &(-1_i32).to_be_bytes(),
            b"\0name\0",
            &1043_u32.to_be_bytes(),
            &54_i32.to_be_bytes(),
        ]);
        let Message::Relation(relation) = decode(&bytes).unwrap() else { panic!() };
        assert_eq!((relation.schema, relation.name), ("inv", "customers"));
        assert_eq!(relation.replica_identity, ReplicaIdentity::Default);
        let name = RelationColumn { is_key: false, name: "name", type_oid: 1043, type_modifier: 54 };
        assert_eq!((relation.columns[0].is_key, relation.columns[1]), (true, name));

        let ty = frame(&[b"Y", &99_u32.to_be_bytes(), b"s1\0mood\0"]);
        assert_eq!(decode(&ty), Ok(Message::Type(TypeMessage { oid: 99, schema: "s1", name: "mood" })));
    }

    #[test]
    fn changes() {
        let id = 5_u32.to_be_bytes();
        let old = [ColumnText::Text(b"1"), ColumnText::Null];
        let new = [ColumnText::Text(b"2"), ColumnText::UnchangedToast];
        let insert = frame(&[b"I", &id, b"N", &tuple(&new)]);
        let Message::Insert(insert) = decode(&insert).unwrap() else { panic!() };
        assert_eq!((insert.relation, insert.new.len()), (5, 2));
        assert!(insert.new.columns().eq(new));

        let update = frame(&[b"U", &id, b"K", &tuple(&old), b"N", &tuple(&new)]);
        let Message::Update(update) = decode(&update).unwrap() else { panic!() };
        assert!(matches!(update.old, Some(OldTuple::Key(key)) if key.columns().eq(old)));
        assert!(update.new.columns().eq(new));

        let plain = frame(&[b"U", &id, b"N", &tuple(&new)]);
        assert!(matches!(decode(&plain), Ok(Message::Update(Update { old: None, .. }))));

        let delete = frame(&[b"D", &id, b"O", &tuple(&old)]);
        assert!(matches!(decode(&delete), Ok(Message::Delete(Delete { old: OldTuple::Full(_), .. }))));

        let truncate = frame(&[b"T", &2_u32.to_be_bytes(), b"\x03", &id, &6_u32.to_be_bytes()]);
        let Message::Truncate(truncate) = decode(&truncate).unwrap() else { panic!() };
        assert!(truncate.cascade && truncate.restart_identity);
        assert!(truncate.relations().eq([5, 6]));

        let logical = frame(&[b"M\x01", &3_u64.to_be_bytes(), b"app\0", &2_u32.to_be_bytes(), b"hi"]);
        let Message::Logical(logical) = decode(&logical).unwrap() else { panic!() };
        assert_eq!((logical.transactional, logical.prefix, logical.content), (true, "app", b"hi".as_slice()));
    }

    #[test]
    fn errors_name_what_is_missing_and_where() {
        for (bytes, text) in [
            (b"".as_slice(), "the kind of a message expected at byte 0 "),
            (b"B\0", "the commit's LSN expected at byte 1 "),
            (b"I\0\0\0\x05O", "the mark of a new row ('N') expected at byte 6 "),
            (b"I\0\0\0\x05N\0\x01b\0\0\0\0", "the kind of a column ('n', 'u' or 't') expected at byte 9 "),
            (b"I\0\0\0\x05N\0\x01t\xFF\xFF\xFF\xFF", "the text of a column expected at byte 13 "),
            (b"I\0\0\0\x05N\0\0x", "the end of the message expected at byte 8 "),
            (b"T\xFF\xFF\xFF\xFF\0", "the truncated relations expected at byte 6 "),
            (b"S", "a kind of message out of B, C, O, R, Y, I, U, D, T, M expected at byte 1 "),
        ] {
            let error = decode(bytes).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn lsns_read_back() {
        for text in ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(Lsn::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "/", "1", "1/", "/1", "1/123456789", "+1/1", "1/1/1"] {
            assert_eq!(Lsn::parse(text), None, "{text}");
        }
        assert_eq!(Lsn::from_i64(Lsn(u64::MAX).as_i64()), Lsn(u64::MAX));
    }

    fn column() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop_oneof![Just(None), proptest::collection::vec(any::<u8>(), 0..20).prop_map(Some)]
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn damaged_messages_never_panic(
            kind in proptest::sample::select(b"BCORYIUDTM".to_vec()),
            body in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            let mut bytes = vec![kind];
            bytes.extend(body);
            if let Ok(Message::Insert(insert)) = decode(&bytes) {
                prop_assert_eq!(insert.new.columns().count(), insert.new.len());
            }
        }

        #[test]
        fn every_cut_of_a_change_is_an_error(
            columns in proptest::collection::vec(column(), 1..10),
            cut in any::<proptest::sample::Index>(),
        ) {
            let texts: Vec<ColumnText<'_>> =
                columns.iter().map(|c| c.as_ref().map_or(ColumnText::Null, |c| ColumnText::Text(c))).collect();
            let tuple = tuple(&texts);
            let bytes = frame(&[b"U\0\0\0\x01O", &tuple, b"N", &tuple]);
            let Ok(Message::Update(update)) = decode(&bytes) else { panic!("a whole message is read") };
            prop_assert!(update.new.columns().eq(texts.iter().copied()));
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }
}
