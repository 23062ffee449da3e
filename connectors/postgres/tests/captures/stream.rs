//! What a server sent: `testdata/*.stream`.

use std::path::Path;

use lavka_connector_postgres::model::{
    Column, PgType, ReplicaIdentity, Table, TableId, TypeCatalog, TypeKind,
};
use lavka_connector_postgres::pgoutput::Lsn;
use serde_json::Value as Json;

/// One line of the file.
pub(crate) enum Line {
    /// The tables as the catalogue has them from here on.
    Catalog(Vec<Table>),
    /// A row that a snapshot reads: the table's name, then the columns' texts.
    Row(String, Vec<Option<String>>),
    /// A frame of the replication stream.
    Frame(Lsn, Vec<u8>),
}

pub(crate) fn data(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()
}

pub(crate) fn read(name: &str) -> (TypeCatalog, Vec<Line>) {
    let text = data(&format!("{name}.stream"));
    let mut types = TypeCatalog::default();
    let mut lines = Vec::new();
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ').unwrap();
        match kind {
            "types" => {
                let list: Vec<Json> = serde_json::from_str(rest).unwrap();
                types = TypeCatalog::new(list.iter().map(pg_type));
            }
            "catalog" => {
                let list: Vec<Json> = serde_json::from_str(rest).unwrap();
                lines.push(Line::Catalog(list.iter().map(table).collect()));
            }
            "row" => {
                let mut texts: Vec<Option<String>> = serde_json::from_str(rest).unwrap();
                let table = texts.remove(0).unwrap();
                lines.push(Line::Row(table, texts));
            }
            "frame" => {
                let (lsn, hex) = rest.split_once(' ').unwrap();
                let bytes =
                    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
                lines.push(Line::Frame(Lsn::parse(lsn).unwrap(), bytes.collect()));
            }
            other => panic!("{other}"),
        }
    }
    (types, lines)
}

fn oid(json: &Json) -> u32 {
    json.as_u64().unwrap().try_into().unwrap()
}

fn number(json: &Json) -> i32 {
    json.as_i64().unwrap().try_into().unwrap()
}

fn pg_type(json: &Json) -> PgType {
    let kind = match json[3].as_str().unwrap() {
        "a" => TypeKind::Array { element: oid(&json[4]) },
        "e" => TypeKind::Enum {
            labels: json[6].as_array().unwrap().iter().map(|label| label.as_str().unwrap().into()).collect(),
        },
        "d" => TypeKind::Domain { base: oid(&json[4]), modifier: number(&json[5]) },
        "c" => TypeKind::Composite,
        "r" => TypeKind::Range,
        "m" => TypeKind::Multirange,
        "b" => TypeKind::Base,
        _ => TypeKind::Pseudo,
    };
    PgType {
        oid: oid(&json[0]),
        name: json[1].as_str().unwrap().into(),
        schema: json[2].as_str().unwrap().into(),
        kind,
    }
}

fn table(json: &Json) -> Table {
    let text = |key: &str| json[key].as_str().unwrap();
    Table {
        oid: oid(&json["oid"]),
        id: TableId::new(text("schema"), text("name")),
        columns: json["columns"].as_array().unwrap().iter().map(column).collect(),
        key: json["key"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().into()).collect(),
        replica_identity: ReplicaIdentity::from_code(text("identity").as_bytes()[0]).unwrap(),
    }
}

fn column(json: &Json) -> Column {
    Column {
        name: json[0].as_str().unwrap().into(),
        type_oid: oid(&json[1]),
        type_modifier: number(&json[2]),
        optional: !json[3].as_bool().unwrap(),
        default: json[4].as_str().map(Into::into),
        generated: json[5].as_bool().unwrap(),
        comment: None,
        position: number(&json[6]).try_into().unwrap(),
    }
}
