//! Tokens to statements.

use crate::lexer::{Kind, Token, tokens};
use crate::{Clause, Malformed, Name, Position, Projection, Statement, Write};

/// Reads the statements of a configuration value; empty ones, as behind a last `;`, are passed over.
///
/// # Errors
/// The first place that is not KCQL.
pub fn parse(text: &str) -> Result<Vec<Statement>, Malformed> {
    let tokens = tokens(text)?;
    let mut statements = Vec::new();
    for tokens in tokens.split(|token| token.kind == Kind::Semicolon) {
        if let Some(first) = tokens.first() {
            let mut parser = Parser { text, tokens, at: 0, begins: first.position };
            statements.push(parser.statement()?);
        }
    }
    match statements.is_empty() {
        true => Err(Malformed::new(text, Position(0), "INSERT is missing")),
        false => Ok(statements),
    }
}

/// The texts of the statements of a configuration value, without the `;` between them and the blanks around them; empty ones
/// are passed over. A `;` between quotes ends no statement.
///
/// # Errors
/// The first quote that is not closed.
pub fn split(text: &str) -> Result<Vec<&str>, Malformed> {
    let tokens = tokens(text)?;
    let ends = tokens.iter().filter(|token| token.kind == Kind::Semicolon);
    let mut ends = ends.map(|token| token.position.0).peekable();
    let mut statements = Vec::new();
    let mut begins = 0;
    for (at, (byte, character)) in text.char_indices().enumerate() {
        if ends.next_if_eq(&at).is_some() {
            statements.extend(text.get(begins..byte));
            begins = byte + character.len_utf8();
        }
    }
    statements.extend(text.get(begins..));
    Ok(statements.into_iter().map(str::trim).filter(|statement| !statement.is_empty()).collect())
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    begins: Position,
}

impl<'a> Parser<'a> {
    fn statement(&mut self) -> Result<Statement, Malformed> {
        let mut clauses = Vec::new();
        let write = if self.keyword("INSERT") {
            Write::Insert
        } else if self.keyword("UPSERT") {
            let position = self.position();
            if self.keyword("PK") {
                let key = self.name("the key's name")?.text;
                clauses.push(Clause { name: "PK".to_owned(), values: vec![key], position });
            }
            Write::Upsert
        } else {
            return Err(self.expected("INSERT or UPSERT"));
        };
        self.must("INTO")?;
        let target = self.name("the target's name")?;
        self.must("SELECT")?;
        let projection = self.projection()?;
        self.must("FROM")?;
        let source = self.name("the source's name")?;
        while self.peek().is_some() {
            clauses.push(self.clause()?);
        }
        Ok(Statement { write, target, projection, source, clauses })
    }

    fn projection(&mut self) -> Result<Vec<Projection>, Malformed> {
        let mut parts = Vec::new();
        loop {
            let mut field = self.name("a field's name or *")?;
            let all = field.text == "*" && !field.quoted;
            if !all {
                field.text.push_str(&self.arguments()?);
            }
            let alias =
                if !all && self.keyword("AS") { Some(self.name("the field's new name")?.text) } else { None };
            parts.push(match all {
                true => Projection::All,
                false => Projection::Field { path: field.text, alias, position: field.position },
            });
            if !self.take(&Kind::Comma) {
                return Ok(parts);
            }
        }
    }

    /// What stands in parentheses behind the name of a function, with them; nothing behind that of a field.
    fn arguments(&mut self) -> Result<String, Malformed> {
        let mut text = String::new();
        let mut open = 0_usize;
        loop {
            match self.peek() {
                Some(Kind::Open) => {
                    open += 1;
                    text.push('(');
                }
                _ if open == 0 => return Ok(text),
                Some(Kind::Close) => {
                    open -= 1;
                    text.push(')');
                }
                Some(Kind::Comma) => text.push(','),
                Some(Kind::Word(word) | Kind::Quoted(word) | Kind::Text(word)) => text.push_str(word),
                _ => return Err(self.expected(")")),
            }
            self.at += 1;
            if open == 0 {
                return Ok(text);
            }
        }
    }

    fn clause(&mut self) -> Result<Clause, Malformed> {
        let position = self.position();
        let Some(Kind::Word(name)) = self.peek() else { return Err(self.expected("a clause")) };
        let name = name.to_ascii_uppercase();
        self.at += 1;
        let values = if self.take(&Kind::Equals) {
            vec![self.value()?]
        } else if self.take(&Kind::Open) {
            self.list()?
        } else if takes_words(&name) {
            let mut values = vec![self.value()?];
            while self.take(&Kind::Comma) {
                values.push(self.value()?);
            }
            // SYS_TIME() of WITHTIMESTAMP, and the parameters of STOREAS.
            while self.take(&Kind::Open) {
                values.extend(self.list()?);
            }
            values
        } else {
            Vec::new()
        };
        Ok(Clause { name, values, position })
    }

    /// What stands in parentheses. `PROPERTIES('a'=1, ...)` has pairs, which come as `a=1`; those of `WITHTAG(a AS b)` too.
    fn list(&mut self) -> Result<Vec<String>, Malformed> {
        let mut values = Vec::new();
        if self.take(&Kind::Close) {
            return Ok(values);
        }
        loop {
            let mut value = self.value()?;
            if self.take(&Kind::Equals) || self.keyword("AS") {
                value = format!("{value}={}", self.value()?);
            }
            values.push(value);
            if self.take(&Kind::Close) {
                return Ok(values);
            }
            if !self.take(&Kind::Comma) {
                return Err(self.expected("a comma or )"));
            }
        }
    }

    fn value(&mut self) -> Result<String, Malformed> {
        match self.peek() {
            Some(Kind::Word(text) | Kind::Quoted(text) | Kind::Text(text)) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => Err(self.expected("a value")),
        }
    }

    fn name(&mut self, what: &str) -> Result<Name, Malformed> {
        let position = self.position();
        let (text, quoted) = match self.peek() {
            Some(Kind::Word(text)) => (text.clone(), false),
            Some(Kind::Quoted(text) | Kind::Text(text)) if !text.is_empty() => (text.clone(), true),
            _ => return Err(self.expected(what)),
        };
        self.at += 1;
        Ok(Name { text, quoted, position })
    }

    fn must(&mut self, keyword: &str) -> Result<(), Malformed> {
        if self.keyword(keyword) { Ok(()) } else { Err(self.expected(keyword)) }
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Kind::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    fn take(&mut self, kind: &Kind) -> bool {
        let found = self.peek() == Some(kind);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<&'a Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    /// Of the next token, or behind the last.
    fn position(&self) -> Position {
        let next = self.tokens.get(self.at).map(|token| token.position);
        next.or_else(|| self.tokens.last().map(|token| end_of(self.text, token))).unwrap_or(self.begins)
    }

    fn expected(&self, what: &str) -> Malformed {
        Malformed::new(self.text, self.position(), format!("{what} is missing"))
    }
}

/// Clauses with a value behind them without `=`.
fn takes_words(name: &str) -> bool {
    matches!(
        name,
        "PK" | "PARTITIONBY"
            | "IGNORE"
            | "LIMIT"
            | "STOREAS"
            | "WITHFORMAT"
            | "WITHTIMESTAMP"
            | "WITHTYPE"
            | "DISTRIBUTEBY"
            | "CLUSTERBY"
    )
}

fn end_of(text: &str, token: &Token) -> Position {
    let Position(begins) = token.position;
    let length = match &token.kind {
        Kind::Word(word) => word.chars().count(),
        Kind::Quoted(inside) | Kind::Text(inside) => inside.chars().count() + 2,
        _ => 1,
    };
    Position((begins + length).min(text.chars().count()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> Statement {
        let mut statements = parse(text).unwrap();
        assert_eq!(statements.len(), 1);
        statements.remove(0)
    }

    fn clauses(statement: &Statement) -> Vec<(&str, Vec<&str>)> {
        statement
            .clauses
            .iter()
            .map(|clause| (clause.name.as_str(), clause.values.iter().map(String::as_str).collect()))
            .collect()
    }

    #[test]
    fn statements_as_users_write_them() {
        let statement =
            one("INSERT INTO kafka-topic SELECT * FROM /sensors/+/temp WITHCONVERTER=`com.example.Json`");
        assert_eq!((statement.write, statement.target.text.as_str()), (Write::Insert, "kafka-topic"));
        assert_eq!((statement.source.text.as_str(), statement.source.quoted), ("/sensors/+/temp", false));
        assert_eq!(statement.projection, [Projection::All]);
        assert_eq!(clauses(&statement), [("WITHCONVERTER", vec!["com.example.Json"])]);

        let statement =
            one("insert into `$` select * from $share/group/a/# withkey(id, place.name) keydelimiter='-' \
                             withregex=`a/(.*) b`");
        assert_eq!((statement.target.text.as_str(), statement.target.quoted), ("$", true));
        assert_eq!(statement.source.text, "$share/group/a/#");
        assert_eq!(
            clauses(&statement),
            [
                ("WITHKEY", vec!["id", "place.name"]),
                ("KEYDELIMITER", vec!["-"]),
                ("WITHREGEX", vec!["a/(.*) b"]),
            ]
        );
        assert_eq!(statement.clause("KEYDELIMITER").map(|clause| clause.values[0].as_str()), Some("-"));
        assert_eq!(statement.clause("PK"), None);
    }

    #[test]
    fn several_statements_and_other_clauses() {
        let statements = parse(
            "UPSERT INTO t SELECT a, b.c AS d FROM s PK a, b AUTOCREATE BATCH = 10 LIMIT 5;\
             INSERT INTO u SELECT * FROM s PROPERTIES('x.y'=1, 'z'='w') STOREAS `JSON`; ",
        )
        .unwrap();
        let field = |path: &str, alias: Option<&str>, position| Projection::Field {
            path: path.into(),
            alias: alias.map(Into::into),
            position: Position(position),
        };
        assert_eq!(statements[0].write, Write::Upsert);
        assert_eq!(statements[0].projection, [field("a", None, 21), field("b.c", Some("d"), 24)]);
        assert_eq!(
            clauses(&statements[0]),
            [("PK", vec!["a", "b"]), ("AUTOCREATE", vec![]), ("BATCH", vec!["10"]), ("LIMIT", vec!["5"]),]
        );
        let statement = one(
            "UPSERT PK id INTO t SELECT first('a', nested(b)) AS f, c FROM 's t' STOREAS SS (score=ts, x=1) \
                             WITHTAG (a, b=c, d AS e) WITHTIMESTAMP SYS_TIME() WITHFORMAT JSON WITHUNWRAP WITHTYPE QUEUE",
        );
        assert_eq!((statement.source.text.as_str(), statement.source.quoted), ("s t", true));
        assert_eq!(statement.projection, [field("first(a,nested(b))", Some("f"), 27), field("c", None, 55)]);
        assert_eq!(
            clauses(&statement),
            [
                ("PK", vec!["id"]),
                ("STOREAS", vec!["SS", "score=ts", "x=1"]),
                ("WITHTAG", vec!["a", "b=c", "d=e"]),
                ("WITHTIMESTAMP", vec!["SYS_TIME"]),
                ("WITHFORMAT", vec!["JSON"]),
                ("WITHUNWRAP", vec![]),
                ("WITHTYPE", vec!["QUEUE"]),
            ]
        );
        assert_eq!(
            clauses(&statements[1]),
            [("PROPERTIES", vec!["x.y=1", "z=w"]), ("STOREAS", vec!["JSON"])]
        );
    }

    #[test]
    fn the_place_of_an_error_is_shown() {
        for (text, error) in [
            ("", "INSERT is missing at character 1 of the KCQL, here: »"),
            (" ; ", "INSERT is missing at character 1 of the KCQL, here: » ; "),
            ("SELECT", "INSERT or UPSERT is missing at character 1 of the KCQL, here: »SELECT"),
            ("INSERT t", "INTO is missing at character 8 of the KCQL, here: INSERT »t"),
            (
                "INSERT INTO t SELECT * s",
                "FROM is missing at character 24 of the KCQL, here: INSERT INTO t SELECT * »s",
            ),
            (
                "INSERT INTO t SELECT * FROM",
                "the source's name is missing at character 28 of the KCQL, here: INSERT INTO t SELECT * FROM»",
            ),
            (
                "INSERT INTO t SELECT * FROM s WITHKEY(a b)",
                "a comma or ) is missing at character 41 of the KCQL, here: INSERT INTO t SELECT * FROM s WITHKEY(a »b)",
            ),
            (
                "INSERT INTO t SELECT f(a FROM s",
                ") is missing at character 32 of the KCQL, here: INSERT INTO t SELECT f(a FROM s»",
            ),
            (
                "INSERT INTO t SELECT * FROM s WITHREGEX=`a",
                "the closing ` is missing for the one at character 41 of the KCQL, here: INSERT INTO t SELECT * FROM s WITHREGEX=»`a",
            ),
            (
                "INSERT INTO t SELECT * FROM s =",
                "a clause is missing at character 31 of the KCQL, here: INSERT INTO t SELECT * FROM s »=",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), error, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text: String) {
            if let Err(error) = parse(&text) {
                let _ = error.to_string();
            }
        }

        #[test]
        fn any_words_are_read_without_harm(words in prop::collection::vec(
            prop::sample::select(vec!["INSERT", "INTO", "SELECT", "FROM", "*", "t", "`a b`", "'x'", ",", "=", "(", ")", ";", "PK", "WITHKEY"]),
            0..20,
        )) {
            if let Err(error) = parse(&words.join(" ")) {
                let _ = error.to_string();
            }
        }
    }
}
