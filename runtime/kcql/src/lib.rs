//! KCQL, the statements by which the connectors of Lenses' Stream Reactor are told what goes where, such as
//! ``INSERT INTO readings SELECT * FROM sensors/+/temperature WITHCONVERTER=`...JsonSimpleConverter` WITHKEY(id)``.
//!
//! [`parse`] reads a configuration value: statements with `;` between them; [`split`] takes it apart as text. It knows the shape of the language, not what a
//! connector makes of it: clauses behind the source are handed out as [`Clause`]s, by name, for the connector to take or to
//! refuse. Errors tell the position, and show it.
//!
//! Names may be written bare (letters, digits and `_ - . / + # $ *` and the like, as MQTT filters and paths need them) or
//! between backticks, where anything may stand. Keywords are taken in any case.

mod lexer;
mod parser;

use std::fmt;

pub use parser::{parse, split};

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `INSERT` or `UPSERT`.
    pub write: Write,
    /// Where to.
    pub target: Name,
    /// What of each message.
    pub projection: Vec<Projection>,
    /// Where from.
    pub source: Name,
    /// What stands behind the source, in order.
    pub clauses: Vec<Clause>,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// `INSERT INTO`
    Insert,
    /// `UPSERT INTO`
    Upsert,
}

/// A name, with or without its backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The text, without backticks.
    pub text: String,
    /// Whether it stood in backticks, which makes `` `$` `` other than `$` for some connectors.
    pub quoted: bool,
    /// Where it begins.
    pub position: Position,
}

/// A part of what is selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    /// `*`
    All,
    /// A field, perhaps under another name: `location.lat AS lat`.
    Field {
        /// Its path.
        path: String,
        /// What it is to be called.
        alias: Option<String>,
        /// Where it begins.
        position: Position,
    },
}

/// A clause: `NAME`, `NAME=value`, `NAME value` or `NAME(item, item)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The keyword in capitals.
    pub name: String,
    /// What stands behind it.
    pub values: Vec<String>,
    /// Where it begins.
    pub position: Position,
}

/// A place in the configuration value: characters from its beginning, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub usize);

/// Why a text is not KCQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where.
    pub position: Position,
    /// What is expected there, or what is wrong.
    pub what: String,
    text: String,
}

impl Malformed {
    /// `what` is wrong at `position` of `text`.
    #[must_use]
    pub fn new(text: &str, position: Position, what: impl Into<String>) -> Self {
        Self { position, what: what.into(), text: text.to_owned() }
    }
}

/// How much of a statement an error shows before and behind its place.
const SHOWN: usize = 40;

impl fmt::Display for Malformed {
    /// What is wrong, the place, and the text around it with a mark at the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position(at) = self.position;
        let begins = at.saturating_sub(SHOWN);
        let before: String = self.text.chars().skip(begins).take(at - begins).collect();
        let behind: String = self.text.chars().skip(at).take(SHOWN).collect();
        write!(f, "{} at character {} of the KCQL, here: {before}»{behind}", self.what, at + 1)
    }
}

impl std::error::Error for Malformed {}

/// The clauses that statements of Lenses' connectors may have.
const CLAUSES: [&str; 31] = [
    "AUTOCREATE",
    "AUTOEVOLVE",
    "BATCH",
    "CLUSTERBY",
    "DISTRIBUTEBY",
    "IGNORE",
    "INCREMENTALMODE",
    "KEYDELIMITER",
    "LIMIT",
    "NOPARTITION",
    "PARTITIONBY",
    "PK",
    "PROPERTIES",
    "STOREAS",
    "TIMESTAMPUNIT",
    "TTL",
    "WITHCONVERTER",
    "WITHDOCTYPE",
    "WITHFORMAT",
    "WITHINDEXSUFFIX",
    "WITHJMSSELECTOR",
    "WITHKEY",
    "WITHPIPELINE",
    "WITHREGEX",
    "WITHSTRUCTURE",
    "WITHSUBSCRIPTION",
    "WITHTAG",
    "WITHTARGET",
    "WITHTIMESTAMP",
    "WITHTYPE",
    "WITHUNWRAP",
];

impl Statement {
    /// The clause with this name, in capitals; the last where it comes more than once.
    #[must_use]
    pub fn clause(&self, name: &str) -> Option<&Clause> {
        self.clauses.iter().rev().find(|clause| clause.name == name)
    }

    /// The names of the clauses that mean nothing to a connector for which those in `used` do. Lenses' connectors pass over
    /// them. `text` is where the statement was read from.
    ///
    /// # Errors
    /// The first that is no clause of any of them.
    pub fn unused(&self, text: &str, used: &[&str]) -> Result<Vec<String>, Malformed> {
        let others = self.clauses.iter().filter(|clause| !used.contains(&clause.name.as_str()));
        let known = others.map(|clause| match CLAUSES.contains(&clause.name.as_str()) {
            true => Ok(clause.name.clone()),
            false => {
                Err(Malformed::new(text, clause.position, format!("{} is no clause of KCQL,", clause.name)))
            }
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_semicolon_ends_a_statement() {
        let text = "INSERT INTO t SELECT * FROM `ä;b` KEYDELIMITER=';' ;; INSERT INTO ü SELECT * FROM s; ";
        let parts = split(text).unwrap();
        assert_eq!(
            parts,
            ["INSERT INTO t SELECT * FROM `ä;b` KEYDELIMITER=';'", "INSERT INTO ü SELECT * FROM s"]
        );
        assert_eq!(parts.len(), parse(text).unwrap().len());
        assert_eq!(split(" ; ").unwrap(), [""; 0]);
        assert!(split("a; b 'c;").is_err());
    }

    #[test]
    fn clauses_that_mean_nothing() {
        let text = "INSERT INTO t SELECT * FROM s WITHKEY(a) BATCH=1 PK b";
        let statement = parse(text).unwrap().remove(0);
        assert_eq!(statement.unused(text, &["WITHKEY", "LIMIT"]).unwrap(), ["BATCH", "PK"]);
        let text = "INSERT INTO t SELECT * FROM s WITHKEYS(a)";
        let error = parse(text).unwrap().remove(0).unused(text, &["WITHKEY"]).unwrap_err().to_string();
        assert!(error.starts_with("WITHKEYS is no clause of KCQL, at character 31"), "{error}");
    }
}
