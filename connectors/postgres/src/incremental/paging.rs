//! The columns by which a table is read in chunks. Pure.

use lavka_api::data::Str;

use super::state::Key;
use crate::database::identifier;

/// A column by which a table is paged.
#[derive(Clone, Debug)]
pub(super) struct KeyColumn {
    pub(super) name: String,
    /// The type, as the server writes it in SQL.
    pub(super) ty: String,
    /// Rows may have nothing in it.
    pub(super) nullable: bool,
}

/// How a table is paged.
#[derive(Clone, Debug)]
pub(super) struct Paging {
    pub(super) columns: Vec<KeyColumn>,
    /// Rows may be the same in all columns, and those that are come together.
    pub(super) ties: bool,
}

impl Paging {
    /// The columns, each with `each` behind it.
    pub(super) fn list(&self, each: &str) -> String {
        let names = self.columns.iter().map(|column| format!("{}{each}", identifier(&column.name)));
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether `key` is one of these columns.
    pub(super) fn takes(&self, key: &Key) -> bool {
        key.len() == self.columns.len()
            && self.columns.iter().zip(key).all(|(column, text)| text.is_some() || column.nullable)
    }

    /// The condition that a row comes behind `key`, null being larger than anything else; it is true or false, never
    /// unknown. What its placeholders stand for is put behind `bound`.
    pub(super) fn above(&self, key: &Key, bound: &mut Vec<String>) -> String {
        self.compared(">", key, bound).unwrap_or_else(|values| self.behind(values))
    }

    /// The condition that a row is `key`, or comes before it; as [`above`](Self::above).
    pub(super) fn up_to(&self, key: &Key, bound: &mut Vec<String>) -> String {
        self.compared("<=", key, bound).unwrap_or_else(|values| format!("NOT {}", self.behind(values)))
    }

    /// Columns and values as two rows, which an index of the columns is used for; the values, where one may be null.
    fn compared(
        &self,
        operator: &str,
        key: &Key,
        bound: &mut Vec<String>,
    ) -> Result<String, Vec<Option<String>>> {
        let mut place = |text: &Str, ty: &str| {
            bound.push(text.as_str().to_owned());
            format!("${}::text::{ty}", bound.len())
        };
        let texts = self.columns.iter().zip(key);
        let values: Vec<Option<String>> =
            texts.map(|(column, text)| text.as_ref().map(|text| place(text, &column.ty))).collect();
        if self.columns.iter().any(|column| column.nullable) {
            return Err(values);
        }
        let values: Vec<String> = values.into_iter().flatten().collect();
        Ok(format!("({}) {operator} ({})", self.list(""), values.join(", ")))
    }

    /// Behind in one of the columns, and the same in those before it.
    fn behind(&self, values: Vec<Option<String>>) -> String {
        let (mut same, mut parts) = (String::new(), Vec::new());
        for (column, value) in self.columns.iter().zip(values) {
            let name = identifier(&column.name);
            match value {
                Some(value) => {
                    parts.push(format!("{same}({name} > {value} OR {name} IS NULL)"));
                    same = format!("{same}{name} = {value} AND ");
                }
                // Nothing is larger than null.
                None => same = format!("{same}{name} IS NULL AND "),
            }
        }
        if parts.is_empty() { "false".to_owned() } else { format!("({})", parts.join(" OR ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(columns: &[(&str, bool)]) -> Paging {
        let column = |&(name, nullable): &(&str, bool)| KeyColumn {
            name: name.into(),
            ty: "integer".into(),
            nullable,
        };
        Paging { columns: columns.iter().map(column).collect(), ties: false }
    }

    fn key(texts: &[Option<&str>]) -> Key {
        texts.iter().map(|text| text.map(Str::from)).collect()
    }

    #[test]
    fn columns_without_nulls_are_compared_as_one_row() {
        let (paging, key) = (paging(&[("a", false), ("B", false)]), key(&[Some("1"), Some("2")]));
        let mut bound = vec!["0".to_owned()];
        assert_eq!(paging.above(&key, &mut bound), r#"("a", "B") > ($2::text::integer, $3::text::integer)"#);
        assert_eq!(paging.up_to(&key, &mut bound), r#"("a", "B") <= ($4::text::integer, $5::text::integer)"#);
        assert_eq!(bound, ["0", "1", "2", "1", "2"]);
        assert_eq!(paging.list(" DESC"), r#""a" DESC, "B" DESC"#);
    }

    #[test]
    fn null_is_larger_than_anything_else() {
        let paging = paging(&[("a", true), ("b", true)]);
        let above = |texts: &[Option<&str>]| {
            let mut bound = Vec::new();
            (paging.above(&key(texts), &mut bound), bound)
        };
        assert_eq!(
            above(&[Some("1"), Some("2")]).0,
            r#"(("a" > $1::text::integer OR "a" IS NULL) OR "a" = $1::text::integer AND ("b" > $2::text::integer OR "b" IS NULL))"#
        );
        let (condition, bound) = above(&[None, Some("2")]);
        assert_eq!(condition, r#"("a" IS NULL AND ("b" > $1::text::integer OR "b" IS NULL))"#);
        assert_eq!(bound, ["2"]);
        assert_eq!(above(&[None, None]).0, "false");
        assert_eq!(paging.up_to(&key(&[None, None]), &mut Vec::new()), "NOT false");
    }

    #[test]
    fn keys_of_other_columns_are_none() {
        let paging = paging(&[("a", true), ("b", false)]);
        assert!(paging.takes(&key(&[None, Some("1")])));
        assert!(!paging.takes(&key(&[Some("1"), None])) && !paging.takes(&key(&[Some("1")])));
    }
}
