//! Messages with other values.

use bytes::Bytes;

use super::{Message, OldTuple, Tuple};
use crate::model::ColumnText;

/// The bytes of an insert or update in which `values` gives what columns of the new row hold: it gets each column's number
/// and what the message has. `None` for other messages, and where a text is too long for one.
pub(crate) fn refill<'a>(
    message: &Message<'a>,
    values: impl Fn(usize, ColumnText<'a>) -> ColumnText<'a>,
) -> Option<Bytes> {
    let mut out = Vec::new();
    let new = match message {
        Message::Insert(insert) => {
            out.push(b'I');
            out.extend(insert.relation.to_be_bytes());
            insert.new
        }
        Message::Update(update) => {
            out.push(b'U');
            out.extend(update.relation.to_be_bytes());
            if let Some(old) = update.old {
                out.push(match old {
                    OldTuple::Key(_) => b'K',
                    OldTuple::Full(_) => b'O',
                });
                write(old.tuple(), |_, text| text, &mut out)?;
            }
            update.new
        }
        _ => return None,
    };
    out.push(b'N');
    write(new, values, &mut out)?;
    Some(out.into())
}

fn write<'a>(
    tuple: Tuple<'a>,
    values: impl Fn(usize, ColumnText<'a>) -> ColumnText<'a>,
    out: &mut Vec<u8>,
) -> Option<()> {
    out.extend(u16::try_from(tuple.len()).ok()?.to_be_bytes());
    for (index, text) in tuple.columns().enumerate() {
        match values(index, text) {
            ColumnText::Null => out.push(b'n'),
            ColumnText::UnchangedToast => out.push(b'u'),
            ColumnText::Text(text) => {
                out.push(b't');
                out.extend(u32::try_from(text.len()).ok()?.to_be_bytes());
                out.extend_from_slice(text);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;

    const UPDATE: &[u8] = b"U\0\0\0\x07K\0\x03t\0\0\0\x011nnN\0\x03t\0\0\0\x012un";

    #[test]
    fn a_message_stays_as_it_is_or_takes_other_values() {
        for bytes in [UPDATE, b"I\0\0\0\x07N\0\x02nt\0\0\0\0"] {
            let message = decode(bytes).unwrap();
            assert_eq!(refill(&message, |_, text| text).unwrap(), bytes);
        }
        let message = decode(UPDATE).unwrap();
        let filled = refill(&message, |index, text| match index {
            1 => ColumnText::Text(b"xy"),
            _ => text,
        });
        assert_eq!(filled.unwrap(), b"U\0\0\0\x07K\0\x03t\0\0\0\x011nnN\0\x03t\0\0\0\x012t\0\0\0\x02xyn"[..]);
        assert_eq!(refill(&decode(b"D\0\0\0\x07K\0\x01n").unwrap(), |_, text| text), None);
    }
}
