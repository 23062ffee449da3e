//! Which columns new rows of a table are told by, where tables differ in them: `timestamp.columns.mapping` and
//! `incrementing.column.mapping`.

use regex::Regex;

/// Columns by the full names of tables, `schema.name`: the first expression that matches all of a name counts.
#[derive(Clone, Debug, Default)]
pub(super) struct ColumnMapping(Vec<(Regex, Vec<String>)>);

impl ColumnMapping {
    /// Reads entries of the form `regex:column` or, where `several` may be told by, `regex:[column|column]`.
    ///
    /// # Errors
    /// The entry at fault, and why.
    pub(super) fn parse(entries: &[String], several: bool) -> Result<Self, String> {
        let form = if several { "regex:[column|column]" } else { "regex:column" };
        let entry = |entry: &String| {
            let wrong = || format!("{entry} is not of the form {form}");
            let (pattern, columns) = entry.split_once(':').ok_or_else(wrong)?;
            let columns = columns.trim();
            let columns: Vec<String> = match columns.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
            {
                Some(inside) if several => inside.split('|').map(|name| name.trim().to_owned()).collect(),
                None if !several => vec![columns.to_owned()],
                _ => return Err(wrong()),
            };
            if columns.iter().any(String::is_empty) {
                return Err(wrong());
            }
            let pattern = Regex::new(&format!("^(?:{})$", pattern.trim()));
            Ok((pattern.map_err(|error| format!("{entry}: {error}"))?, columns))
        };
        let entries = entries.iter().filter(|entry| !entry.trim().is_empty());
        entries.map(entry).collect::<Result<_, String>>().map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns of the table with this full name.
    pub(super) fn of(&self, table: &str) -> Option<&[String]> {
        let found = self.0.iter().find(|(pattern, _)| pattern.is_match(table));
        found.map(|(_, columns)| columns.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(text: &str, several: bool) -> Result<ColumnMapping, String> {
        let entries: Vec<String> = text.split(',').map(str::to_owned).collect();
        ColumnMapping::parse(&entries, several)
    }

    #[test]
    fn the_first_expression_that_matches_a_whole_name_counts() {
        let times = mapping(r"shop\.orders:[at], shop\..*:[changed_at|made_at]", true).unwrap();
        assert_eq!(times.of("shop.orders"), Some(&["at".to_owned()][..]));
        assert_eq!(times.of("shop.orders2").unwrap(), ["changed_at", "made_at"]);
        assert_eq!(times.of("public.shop.orders"), None);
        let ids = mapping("a.*: id", false).unwrap();
        assert_eq!(ids.of("ab").unwrap(), ["id"]);
        assert!(mapping("", false).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, several) in
            [("a", false), ("a:", false), ("a:[b]", false), ("a:b", true), ("a:[b|]", true), ("(:[b]", true)]
        {
            assert!(mapping(text, several).unwrap_err().contains(text), "{text}");
        }
    }
}
