//! `post.processors`: what is done to records before they go out.

use lavka_api::{Error, Result};

use super::{Settings, invalid, items};
use crate::model::TableId;
use crate::schema::PatternList;

/// The post processor that there is, by its Java name.
const RESELECT: &str = "io.debezium.processors.reselect.ReselectColumnsPostProcessor";

/// Which values are read from their tables again, and what happens where that fails.
#[derive(Clone, Debug)]
pub(crate) struct Reselection {
    columns: Columns,
    /// Values that the server did not send.
    pub(crate) unavailable: bool,
    /// Nulls.
    pub(crate) nulls: bool,
    /// Rows are found by the columns of the records' key instead of the table's.
    pub(crate) by_event_key: bool,
    /// What cannot be read ends the task; else it stays as it is, with a line in the log.
    pub(crate) fails: bool,
}

#[derive(Clone, Debug)]
enum Columns {
    All,
    Of(PatternList),
    But(PatternList),
}

impl Reselection {
    /// Whether it is for a column. Expressions match `schema.table:column`.
    pub(crate) fn takes(&self, table: &TableId, column: &str) -> bool {
        let name = format!("{table}:{column}");
        match &self.columns {
            Columns::All => true,
            Columns::Of(list) => list.matches(&name),
            Columns::But(list) => !list.matches(&name),
        }
    }
}

impl Settings {
    /// The post processors, in their order; each is configured by the keys that begin with its name and a dot.
    ///
    /// # Errors
    /// Where one has no type, is a Java class of the user's own, or has a value that cannot be read.
    pub(crate) fn reselections(&self) -> Result<Vec<Reselection>> {
        let names = self.records.post_processors.iter().flat_map(|list| items(list));
        names.map(|name| self.reselection(&name)).collect()
    }

    fn reselection(&self, name: &str) -> Result<Reselection> {
        let refused = |problem: &str| Error::config(invalid("post.processors", problem));
        let key = |rest: &str| {
            let text = self.raw.get(&format!("{name}.{rest}")).map(str::trim);
            text.filter(|text| !text.is_empty())
        };
        match key("type") {
            Some(RESELECT) => {}
            Some(class) => {
                return Err(refused(&format!(
                    "{class} ({name}.type) is a Java class, which cannot be run here; {RESELECT} is there"
                )));
            }
            None => return Err(refused(&format!("{name}.type is missing, which has the class of {name}"))),
        }
        let flag = |rest: &str, default: bool| match key(rest) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(refused(&format!("{name}.{rest} is {text}; true or false is expected"))),
        };
        let list = |rest: &str| {
            let list = key(rest).map(PatternList::parse).transpose();
            list.map_err(|error| refused(&format!("{name}.{rest}: {}", error.message().unwrap_or_default())))
        };
        // Where both are set, the first is all that counts.
        let columns = match (list("reselect.columns.include.list")?, list("reselect.columns.exclude.list")?) {
            (Some(include), _) => Columns::Of(include),
            (None, Some(exclude)) => Columns::But(exclude),
            (None, None) => Columns::All,
        };
        let fails = match key("reselect.error.handling.mode") {
            None => false,
            Some(mode) if mode.eq_ignore_ascii_case("warn") => false,
            Some(mode) if mode.eq_ignore_ascii_case("fail") => true,
            Some(mode) => {
                return Err(refused(&format!(
                    "{name}.reselect.error.handling.mode is {mode}; warn or fail is expected"
                )));
            }
        };
        Ok(Reselection {
            columns,
            unavailable: flag("reselect.unavailable.values", true)?,
            nulls: flag("reselect.null.values", true)?,
            by_event_key: flag("reselect.use.event.key", false)?,
            fails,
        })
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::config::{Config, ConfigSpec as _};

    use super::*;

    fn reselections(entries: &[(&str, &str)]) -> Result<Vec<Reselection>> {
        let mut config = Config::from([("post.processors", "r"), ("r.type", RESELECT)]);
        for (key, value) in entries {
            config.set(*key, *value);
        }
        Settings::from_config(&config).unwrap().reselections()
    }

    #[test]
    fn columns_are_chosen_by_table_and_name() {
        let all = reselections(&[]).unwrap().remove(0);
        assert!(all.unavailable && all.nulls && !all.by_event_key && !all.fails);
        let table = TableId::new("public", "T");
        assert!(all.takes(&table, "x"));
        let some = [("r.reselect.columns.include.list", "public.t:b.*,other:c")];
        let some = reselections(&some).unwrap().remove(0);
        assert!(some.takes(&table, "body") && !some.takes(&table, "c"));
        let rest = reselections(&[("r.reselect.columns.exclude.list", ".*:body")]).unwrap().remove(0);
        assert!(!rest.takes(&table, "body") && rest.takes(&table, "c"));
    }

    #[test]
    fn what_cannot_be_done_is_told_by_key() {
        for (key, value, part) in [
            ("r.type", "org.x.Mine", "org.x.Mine (r.type) is a Java class"),
            ("post.processors", "r,s", "s.type is missing"),
            ("r.reselect.null.values", "perhaps", "r.reselect.null.values is perhaps"),
            ("r.reselect.error.handling.mode", "skip", "warn or fail"),
            ("r.reselect.columns.include.list", "(", "r.reselect.columns.include.list: "),
        ] {
            let error = reselections(&[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("'post.processors'"), "{error}");
        }
    }
}
