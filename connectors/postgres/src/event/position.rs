//! The source block: where a record comes from.

use lavka_api::Result;
use lavka_api::data::{Schema, Str, Struct, Value};

use crate::offset::Offset;
use crate::pgoutput::Lsn;
use crate::schema::{CONNECTOR, VERSION};

/// What of a source block is the same in all records of a connector.
#[derive(Clone, Debug)]
pub(super) struct SourceBase {
    pub(super) schema: Schema,
    pub(super) server: Str,
    pub(super) database: Str,
}

/// What of it goes with the record.
pub(super) struct Source<'a> {
    pub(super) snapshot: Str,
    pub(super) schema: &'a Str,
    pub(super) table: &'a Str,
    /// Time of the event in nanoseconds of the Unix epoch.
    pub(super) nanos: i64,
    pub(super) tx_id: Option<i64>,
    pub(super) lsn: Option<Lsn>,
    pub(super) xmin: Option<i64>,
    pub(super) origin: Option<&'a (Str, Lsn)>,
}

impl SourceBase {
    /// The block. Its `sequence` is that of the offset: the last commit and the record's own LSN.
    pub(super) fn block(&self, source: &Source<'_>, offset: &Offset) -> Result<Struct> {
        let fields = vec![
            Value::String(Str::from_static(VERSION)),
            Value::String(Str::from_static(CONNECTOR)),
            Value::String(self.server.clone()),
            Value::Int64(source.nanos.div_euclid(1_000_000)),
            Value::String(source.snapshot.clone()),
            Value::String(self.database.clone()),
            Value::String(sequence(offset.lsn_commit, offset.lsn)),
            Value::Int64(source.nanos.div_euclid(1000)),
            Value::Int64(source.nanos),
            Value::String(source.schema.clone()),
            Value::String(source.table.clone()),
            source.tx_id.into(),
            source.lsn.map(Lsn::as_i64).into(),
            source.xmin.into(),
            source.origin.map(|(name, _)| name.clone()).into(),
            source.origin.map(|(_, lsn)| lsn.as_i64()).into(),
        ];
        Struct::new(self.schema.clone(), fields)
    }
}

/// `["<last commit>","<lsn>"]`, with null for what is unknown.
fn sequence(commit: Option<Lsn>, lsn: Option<Lsn>) -> Str {
    let mut out = String::with_capacity(48);
    out.push('[');
    for (index, part) in [commit, lsn].into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match part {
            Some(lsn) => {
                out.push('"');
                out.push_str(itoa::Buffer::new().format(lsn.as_i64()));
                out.push('"');
            }
            None => out.push_str("null"),
        }
    }
    out.push(']');
    Str::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_json_texts() {
        assert_eq!(sequence(Some(Lsn(97_822_384)), Some(Lsn(97_822_520))), r#"["97822384","97822520"]"#);
        assert_eq!(sequence(None, Some(Lsn(1))), r#"[null,"1"]"#);
    }
}
