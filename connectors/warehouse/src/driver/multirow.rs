//! Statements with many rows, for databases without a way to copy.

use super::{Action, Target};
use crate::dialect::{Dialect, Statements, placeholders};

/// Rows of a statement at most, however few columns there are: longer statements are slow to parse.
const MAX_ROWS: usize = 1000;

/// How many rows of `width` columns fit a statement with so many parameters; `limit` is the caller's own bound.
pub(super) fn rows_per_statement(action: Action, width: usize, parameters: usize, limit: usize) -> usize {
    match action {
        // A statement updates the rows of one key.
        Action::Update => 1,
        _ => (parameters / width.max(1)).min(MAX_ROWS).min(limit).max(1),
    }
}

/// The statement for `rows` rows, with question marks.
pub(super) fn statement(
    statements: &Statements,
    target: &Target,
    action: Action,
    names: &[&str],
    rows: usize,
) -> String {
    match action {
        Action::Insert | Action::Upsert => {
            let mut sql = statements.insert_head(&target.table, names);
            sql.push_str(&placeholders(rows, names.len(), false));
            if action == Action::Upsert {
                // SQLite would take ON for the beginning of a join's condition, but not behind VALUES.
                sql.push_str(&statements.upsert_tail(names, target.keys));
            }
            sql
        }
        Action::Update => statements.update_row(&target.table, names, target.keys),
        Action::Delete => statements.delete_rows(&target.table, names, rows),
    }
}

/// The order in which the cells of a row are bound: for an update those of the key come last.
pub(super) fn order(action: Action, width: usize, keys: usize) -> Vec<usize> {
    match action {
        Action::Update if keys < width => (keys..width).chain(0..keys).collect(),
        // A row that is all key is set to what it is.
        Action::Update => (0..width).chain(0..width).collect(),
        _ => (0..width).collect(),
    }
}

/// Whether the statement text of full batches is worth keeping prepared.
pub(super) fn persistent(dialect: Dialect, rows: usize, per_statement: usize) -> bool {
    rows == per_statement || dialect == Dialect::Sqlite && rows == 1
}
