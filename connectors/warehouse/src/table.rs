//! Tables as the database has them, and their names.

use std::fmt;

/// The name of a table: up to three parts, of which the last is the table's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TableId {
    /// Catalog (if any), schema (if any), table; never empty.
    parts: Vec<String>,
}

impl TableId {
    /// Splits `name` at its dots, except within quotes (`"`, or what `quote` is), as Confluent's dialects do: the last
    /// part is the table, the one before it the schema, the one before that the catalog.
    pub(crate) fn parse(name: &str, quote: char) -> Self {
        let mut parts = Vec::new();
        let mut part = String::new();
        let mut quoted = false;
        let mut chars = name.chars().peekable();
        while let Some(c) = chars.next() {
            if c == quote {
                if quoted && chars.peek() == Some(&quote) {
                    part.push(c);
                    chars.next();
                } else {
                    quoted = !quoted;
                }
            } else if c == '.' && !quoted {
                parts.push(std::mem::take(&mut part));
            } else if c != '\0' {
                part.push(c);
            }
        }
        parts.push(part);
        // More dots than a name has parts belong to the table's own name.
        if parts.len() > 3 {
            let table = parts.split_off(2).join(".");
            parts.push(table);
        }
        parts.retain(|part| !part.is_empty());
        if parts.is_empty() {
            parts.push(name.to_owned());
        }
        Self { parts }
    }

    /// A table that is known by schema and name.
    pub(crate) fn of(schema: Option<&str>, table: &str) -> Self {
        let mut parts: Vec<String> = schema.map(str::to_owned).into_iter().collect();
        parts.push(table.to_owned());
        Self { parts }
    }

    /// A table that is known by catalog, schema and name.
    pub(crate) fn full(catalog: &str, schema: &str, table: &str) -> Self {
        Self { parts: vec![catalog.to_owned(), schema.to_owned(), table.to_owned()] }
    }

    /// The table's own name.
    pub(crate) fn table(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }

    /// The schema, or on MySQL the database.
    pub(crate) fn schema(&self) -> Option<&str> {
        self.parts.len().checked_sub(2).and_then(|at| self.parts.get(at)).map(String::as_str)
    }

    /// From the outside in.
    pub(crate) fn parts(&self) -> &[String] {
        &self.parts
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join("."))
    }
}

/// A table as the database describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name as the catalog has it.
    pub(crate) id: TableId,
    pub(crate) kind: TableKind,
    /// In the table's order, without those that the database computes.
    pub(crate) columns: Vec<Column>,
    /// What a query of all columns selects where that is not `*`: those whose values are read as texts alone are cast.
    pub(crate) selection: Option<String>,
}

/// What can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableKind {
    Table,
    PartitionedTable,
    View,
}

impl TableKind {
    /// Whether `table.types` has it; a partitioned table is a table too.
    pub(crate) fn is_among(self, types: &[String]) -> bool {
        let names: &[&str] = match self {
            TableKind::Table => &["TABLE"],
            TableKind::PartitionedTable => &["TABLE", "PARTITIONED TABLE"],
            TableKind::View => &["VIEW"],
        };
        types.iter().any(|ty| names.contains(&ty.as_str()))
    }

    /// The word in error texts.
    pub(crate) fn word(self) -> &'static str {
        match self {
            TableKind::Table | TableKind::PartitionedTable => "table",
            TableKind::View => "view",
        }
    }
}

/// A column as the database describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) ty: ColumnType,
    pub(crate) nullable: bool,
    /// Whether a row may leave it out: it has a default, or the database makes its value.
    pub(crate) has_default: bool,
    pub(crate) primary_key: bool,
    /// Whether the database counts it up by itself.
    pub(crate) autoincrement: bool,
}

/// A column's type, as far as writing and reading it needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnType {
    /// The name in the database, for messages and for casts.
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
    /// PostgreSQL's object id; 0 elsewhere.
    pub(crate) oid: u32,
    /// Digits of a `NUMERIC` and those after its point, where they are declared.
    pub(crate) digits: Option<(i32, i32)>,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    /// An unsigned integer of 64 bits, or what a driver hands out as one.
    UInt64,
    Float32,
    Float64,
    Numeric,
    Text,
    Json,
    /// PostgreSQL's binary JSON.
    JsonBinary,
    Bytes,
    Uuid,
    Date,
    Time,
    /// A wall clock's reading.
    Timestamp,
    /// An instant.
    TimestampTz,
    /// PostgreSQL's length of time.
    Interval,
    /// PostgreSQL's pair of coordinates.
    Point,
    /// MySQL's geometries.
    Geometry,
    /// MySQL's bits.
    Bits,
    /// PostgreSQL's array of a kind, with the object id of its elements.
    Array(Box<ColumnKind>, u32),
    /// Known by its text form alone.
    Other,
}

impl Table {
    /// The column that `name` means: the one of exactly this name, else the only one that differs by case.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        if let Some(exact) = self.columns.iter().find(|column| column.name == name) {
            return Some(exact);
        }
        let folded = name.to_lowercase();
        let mut alike = self.columns.iter().filter(|column| column.name.to_lowercase() == folded);
        match (alike.next(), alike.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_dots_outside_of_quotes() {
        for (name, parts) in [
            ("orders", vec!["orders"]),
            ("public.orders", vec!["public", "orders"]),
            ("db.public.orders", vec!["db", "public", "orders"]),
            ("a.b.c.d", vec!["a", "b", "c.d"]),
            (r#"public."or.der""s""#, vec!["public", r#"or.der"s"#]),
            ("..", vec![".."]),
            ("a\0b", vec!["ab"]),
        ] {
            assert_eq!(TableId::parse(name, '"').parts(), parts, "{name}");
        }
        let id = TableId::parse("db.public.orders", '"');
        assert_eq!((id.schema(), id.table()), (Some("public"), "orders"));
    }
}
