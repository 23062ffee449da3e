//! The queries.

use super::position::Position;
use super::settings::Mode;
use crate::data::Cell;
use crate::dialect::Statements;

/// What the rows of a query are told by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Criteria {
    pub(crate) mode: Mode,
    pub(crate) incrementing: String,
    pub(crate) timestamps: Vec<String>,
}

impl Criteria {
    /// What goes behind a query, with question marks.
    pub(crate) fn condition(&self, statements: &Statements) -> String {
        let id = statements.quoted(&self.incrementing);
        let names: Vec<String> = self.timestamps.iter().map(|name| statements.quoted(name)).collect();
        let at = match names.as_slice() {
            [only] => only.clone(),
            several => format!("COALESCE({})", several.join(",")),
        };
        match (self.mode.timestamp, self.mode.incrementing) {
            (true, true) => {
                format!(" WHERE {at} < ? AND (({at} = ? AND {id} > ?) OR {at} > ?) ORDER BY {at},{id} ASC")
            }
            (true, false) => format!(" WHERE {at} > ? AND {at} < ? ORDER BY {at} ASC"),
            (false, true) => format!(" WHERE {id} > ? ORDER BY {id} ASC"),
            (false, false) => String::new(),
        }
    }

    /// The values of its question marks: rows behind `from` and, in a mode with timestamps, within `window`, from its
    /// first moment until before its second.
    pub(crate) fn values(&self, from: Position, window: Option<[Cell<'static>; 2]>) -> Vec<Cell<'static>> {
        let id = Cell::Int(from.incrementing.unwrap_or(-1));
        match (window, self.mode.incrementing) {
            (Some([at, until]), true) => vec![until, at.clone(), id, at],
            (Some(window), false) => window.into(),
            (None, true) => vec![id],
            (None, false) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, Quoting};

    #[test]
    fn conditions_are_those_of_the_java_source() {
        let statements = Statements { dialect: Dialect::Postgres, quoting: Quoting::Always };
        let criteria = |timestamp, incrementing, timestamps: &[&str]| Criteria {
            mode: Mode { incrementing, timestamp },
            incrementing: "id".to_owned(),
            timestamps: timestamps.iter().map(|name| (*name).to_owned()).collect(),
        };
        for (criteria, sql) in [
            (criteria(false, true, &[]), r#" WHERE "id" > ? ORDER BY "id" ASC"#),
            (criteria(true, false, &["at"]), r#" WHERE "at" > ? AND "at" < ? ORDER BY "at" ASC"#),
            (
                criteria(true, true, &["a", "b"]),
                r#" WHERE COALESCE("a","b") < ? AND ((COALESCE("a","b") = ? AND "id" > ?) OR COALESCE("a","b") > ?) ORDER BY COALESCE("a","b"),"id" ASC"#,
            ),
            (criteria(false, false, &[]), ""),
        ] {
            assert_eq!(criteria.condition(&statements), sql);
        }
    }
}
