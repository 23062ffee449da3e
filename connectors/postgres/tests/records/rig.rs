//! An emitter with a table `inv.t`, and frames for it.

use lavka_api::Result;
use lavka_api::data::{SourceRecord, Struct, Value};
use lavka_connector_postgres::event::{At, Change, Emitter, EventSettings};
use lavka_connector_postgres::model::{
    Column, PgType, ReplicaIdentity, Table, TableId, TypeCatalog, TypeKind, oid,
};
use lavka_connector_postgres::offset::Offset;
use lavka_connector_postgres::pgoutput::{Begin, Lsn, Message, Relation, RelationColumn, decode};

pub(crate) const NOW: i64 = 1_795_217_767_403_000_000;
/// The object id of `inv.t`.
pub(crate) const RELATION: u32 = 7;

/// A text of a column; `None` for null, `Some("<toast>")` for a value that is not sent.
pub(crate) type Text<'a> = Option<&'a str>;

pub(crate) struct Rig {
    pub(crate) emitter: Emitter,
    pub(crate) out: Vec<SourceRecord>,
    number: u64,
}

pub(crate) fn settings() -> EventSettings {
    EventSettings::new("srv", "dbz").unwrap()
}

pub(crate) fn types() -> TypeCatalog {
    let base = |oid, name: &str| PgType {
        oid,
        name: name.into(),
        schema: "pg_catalog".into(),
        kind: TypeKind::Base,
    };
    TypeCatalog::new([
        base(oid::INT4, "int4"),
        base(oid::TEXT, "text"),
        base(oid::NUMERIC, "numeric"),
        base(oid::BYTEA, "bytea"),
        base(90_001, "vector"),
        base(90_002, "halfvec"),
        base(90_003, "sparsevec"),
    ])
}

pub(crate) fn column(name: &str, type_oid: u32, position: i16) -> Column {
    Column {
        name: name.into(),
        type_oid,
        type_modifier: -1,
        optional: position > 1,
        default: None,
        generated: false,
        comment: None,
        position,
    }
}

/// `inv.t(id int4 not null, body text, n int4)` with the key `id`.
pub(crate) fn table() -> Table {
    Table {
        oid: RELATION,
        id: TableId::new("inv", "t"),
        columns: vec![column("id", oid::INT4, 1), column("body", oid::TEXT, 2), column("n", oid::INT4, 3)],
        key: vec!["id".into()],
        replica_identity: ReplicaIdentity::Default,
    }
}

pub(crate) fn relation(table: &Table) -> Relation<'_> {
    Relation {
        id: table.oid,
        schema: &table.id.schema,
        name: &table.id.table,
        replica_identity: table.replica_identity,
        columns: table
            .columns
            .iter()
            .map(|column| RelationColumn {
                is_key: table.key.contains(&column.name),
                name: &column.name,
                type_oid: column.type_oid,
                type_modifier: column.type_modifier,
            })
            .collect(),
    }
}

pub(crate) fn tuple(texts: &[Text<'_>]) -> Vec<u8> {
    let mut out = u16::try_from(texts.len()).unwrap().to_be_bytes().to_vec();
    for text in texts {
        match text {
            None => out.push(b'n'),
            Some("<toast>") => out.push(b'u'),
            Some(text) => {
                out.push(b't');
                out.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    out
}

pub(crate) fn frame(kind: &[u8], relation: u32, tuples: &[(u8, &[Text<'_>])]) -> Vec<u8> {
    let mut out = kind.to_vec();
    out.extend(relation.to_be_bytes());
    for (mark, texts) in tuples {
        out.push(*mark);
        out.extend(tuple(texts));
    }
    out
}

pub(crate) fn change(frame: &[u8]) -> Change<'_> {
    match decode(frame).unwrap() {
        Message::Insert(insert) => Change::Insert(insert),
        Message::Update(update) => Change::Update(update),
        Message::Delete(delete) => Change::Delete(delete),
        Message::Truncate(truncate) => Change::Truncate(truncate),
        Message::Logical(message) => Change::Logical(message),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn at(lsn: u64) -> At {
    At { lsn: Lsn(lsn), now_nanos: NOW }
}

impl Rig {
    pub(crate) fn new(settings: EventSettings) -> Self {
        Self::of(settings, &table())
    }

    pub(crate) fn of(settings: EventSettings, table: &Table) -> Self {
        let mut emitter = Emitter::new(settings, types(), Offset::default()).unwrap();
        emitter.relation(&relation(table), Some(table)).unwrap();
        emitter.start(Lsn(50));
        let mut rig = Self { emitter, out: Vec::new(), number: 0 };
        rig.begin(false);
        rig
    }

    pub(crate) fn begin(&mut self, handed_out: bool) {
        let begin = Begin { final_lsn: Lsn(1000), commit_micros: 1_795_217_463_531_090, xid: 9 };
        self.emitter.begin(&begin, at(100), handed_out, &mut self.out).unwrap();
        self.number = 0;
    }

    pub(crate) fn feed_behind(&mut self, frame: &[u8], handed_out: u64) -> Result<()> {
        self.number += 1;
        let at = at(100 + self.number * 10);
        self.emitter.change(&change(frame), self.number, handed_out, at, &mut self.out)
    }

    /// Counts a change that is not fed.
    pub(crate) fn pass(&mut self) {
        self.number += 1;
    }

    pub(crate) fn feed(&mut self, frame: &[u8]) -> Result<()> {
        self.feed_behind(frame, 0)
    }

    /// What has come out, as `op key before after`, or `- key` for a tombstone.
    pub(crate) fn shown(&mut self) -> Vec<String> {
        self.out.drain(..).map(|record| show(&record)).collect()
    }
}

pub(crate) fn show(record: &SourceRecord) -> String {
    let text = |value: &Value| lavka_api::java::plain_text(value);
    let key = text(&record.record.key.value);
    match &record.record.value.value {
        Value::Struct(value) => {
            let field = |name: &str| value.get(name).map(text).unwrap_or_default();
            format!("{} {key} {} {}", field("op"), field("before"), field("after"))
        }
        _ => format!("- {key}"),
    }
}

/// A field of a record's row after the change.
pub(crate) fn after<'a>(record: &'a SourceRecord, name: &str) -> &'a Value {
    let Value::Struct(value) = &record.record.value.value else { panic!("a tombstone") };
    let Some(Value::Struct(row)) = value.get("after") else { panic!("no row") };
    let row: &Struct = row;
    row.get_without_default(name).unwrap()
}
