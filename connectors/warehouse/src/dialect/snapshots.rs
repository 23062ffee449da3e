//! The statements of databases that no test can reach, as they were when their manuals were read.

use expect_test::expect_file;
use lavka_api::data::{Logical, Schema, Type};

use super::{ColumnSpec, Dialect, Quoting, Savepoints, Statements, TypeRules, literal};
use crate::data::{Cell, Conversion, Semantics, WallClock};
use crate::table::TableId;

/// Columns of all types: name, schema, whether it is of the key, default.
fn columns(dialect: Dialect) -> Vec<ColumnSpec> {
    let clock = WallClock::utc();
    let semantics = Semantics::Connect {
        clock: clock.clone(),
        dates: clock.clone(),
        timestamp_fields: vec!["listed".to_owned()],
        nanos: false,
    };
    let types = TypeRules { dialect, debezium: false };
    let optional = |ty| Schema::optional(ty);
    let logical = |logical| Schema::logical_of(logical).to_builder().optional().build().unwrap();
    let rows: Vec<(&str, Schema, bool, Option<Cell<'static>>)> = vec![
        ("Id", Schema::of(Type::Int64), true, None),
        ("part", Schema::of(Type::String), true, None),
        ("i8", optional(Type::Int8), false, None),
        ("i16", optional(Type::Int16), false, None),
        ("i32", optional(Type::Int32), false, Some(Cell::Int(7))),
        ("f32", optional(Type::Float32), false, None),
        ("f64", Schema::of(Type::Float64), false, None),
        ("flag", optional(Type::Boolean), false, Some(Cell::Bool(true))),
        ("name", optional(Type::String), false, Some(Cell::Text("O'Hara \\".into()))),
        ("blob", optional(Type::Bytes), false, Some(Cell::Bytes([0, 255][..].to_vec().into()))),
        ("amount", logical(Logical::Decimal(2)), false, None),
        ("day", logical(Logical::Date), false, Some(Cell::Date(0))),
        ("time", logical(Logical::Time), false, Some(Cell::Time(1_000_000))),
        ("at", logical(Logical::Timestamp), false, Some(Cell::Instant(1_500_000))),
        ("listed", optional(Type::Int64), false, None),
    ];
    rows.into_iter()
        .map(|(name, schema, key, default)| {
            let conversion = Conversion::of(name, &schema, &semantics).unwrap();
            ColumnSpec {
                name: name.to_owned(),
                ty: types.column_type(&schema, &conversion, key).unwrap(),
                optional: schema.is_optional(),
                default: default.and_then(|cell| literal(dialect, &cell, &clock)),
                key,
            }
        })
        .collect()
}

fn shown(dialect: Dialect) -> String {
    let statements = Statements { dialect, quoting: Quoting::Always };
    let unquoted = Statements { dialect, quoting: Quoting::Never };
    let id = TableId::parse("sales.Orders", '"');
    let columns = columns(dialect);
    let added: Vec<ColumnSpec> = columns.iter().skip(8).take(2).cloned().collect();
    let names = ["Id", "part", "amount"];
    let mut parts = vec![
        ("create", statements.create_table(&id, &columns)),
        ("create without quoting", unquoted.create_table(&TableId::parse("Orders", '"'), &columns[..2])),
        ("add columns", statements.add_columns(&id, &added).join(";\n")),
        ("insert", statements.insert_head(&id, &names) + &super::placeholders(1, names.len(), false)),
    ];
    if dialect.has_upsert() {
        if statements.stages_upserts() {
            parts.push(("stage", statements.create_stage("lavka_stage_1", &id, &names)));
            parts.push(("upsert", statements.merge_stage(&id, "lavka_stage_1", &names, 2)));
            parts
                .push(("upsert of keys alone", statements.merge_stage(&id, "lavka_stage_1", &names[..2], 2)));
        } else {
            parts.push(("upsert", statements.upsert_row(&id, &names, 2)));
            parts.push(("upsert of keys alone", statements.upsert_row(&id, &names[..2], 2)));
        }
    }
    if dialect.has_changes() {
        parts.push(("update", statements.update_row(&id, &names, 2)));
        parts.push(("delete", statements.delete_row(&id, &names[..2])));
    }
    parts.push(("truncate", statements.truncate(&id)));
    if let Savepoints::Statements { set, release, back } = dialect.savepoints() {
        parts.push(("savepoint", format!("{set};\n{};\n{back}", release.unwrap_or("-- none to release"))));
    }
    parts.push(("time", dialect.now().to_owned()));
    parts.push(("schema", dialect.home().unwrap_or("-- none").to_owned()));
    parts.push(("zone", dialect.utc().unwrap_or("-- none").to_owned()));
    parts.into_iter().map(|(what, sql)| format!("-- {what}\n{}\n\n", ended(&sql))).collect()
}

fn ended(sql: &str) -> String {
    if sql.ends_with(';') { sql.to_owned() } else { format!("{sql};") }
}

#[test]
fn statements_of_databases_over_odbc_are_pinned() {
    for (dialect, expected) in [
        (Dialect::Vertica, expect_file!["../../testdata/dialects/vertica.sql"]),
        (Dialect::Oracle, expect_file!["../../testdata/dialects/oracle.sql"]),
        (Dialect::SqlServer, expect_file!["../../testdata/dialects/sqlserver.sql"]),
        (Dialect::Snowflake, expect_file!["../../testdata/dialects/snowflake.sql"]),
        (Dialect::Db2, expect_file!["../../testdata/dialects/db2.sql"]),
        (Dialect::Teradata, expect_file!["../../testdata/dialects/teradata.sql"]),
        (Dialect::Hive, expect_file!["../../testdata/dialects/hive.sql"]),
        (Dialect::Generic, expect_file!["../../testdata/dialects/generic.sql"]),
    ] {
        expected.assert_eq(&shown(dialect));
    }
}
